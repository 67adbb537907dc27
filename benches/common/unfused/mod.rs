//! Operators composed of elementary ones, as an eager framework runs them: a dispatch for each operation, every intermediate
//! tensor in memory. As there, the kernels learn shapes when they run; the loops are the plain ones.

pub(crate) mod attention;
pub(crate) mod gates;
pub(crate) mod gather;
pub(crate) mod windows;

use std::ops::Range;

use visual_attention::host::Gpu;
use visual_attention::wgpu::util::DeviceExt as _;
use visual_attention::{Nchw, Nhw, Size, wgpu};

pub(crate) const RELU: &str = "max(a[i], 0.0)";
/// The gradient of [`RELU`]: `a` is that of its result, and `b` the result.
pub(crate) const RELU_BACKWARD: &str = "select(0.0, a[i], b[i] > 0.0)";
pub(crate) const SIGMOID: &str = "1.0 / (1.0 + exp(-a[i]))";
/// The gradient of [`SIGMOID`], of the same tensors.
pub(crate) const SIGMOID_BACKWARD: &str = "a[i] * b[i] * (1.0 - b[i])";

/// What the numbers of a row are joined by.
#[derive(Clone, Copy)]
pub(crate) enum Join {
    Sum,
    Mean,
    Maximum,
    Minimum,
}

impl Join {
    /// The join of no numbers, of `x` and `y`, and what becomes of the `x` of all.
    const fn wgsl(self) -> [&'static str; 3] {
        match self {
            Self::Sum => ["0", "x + y", "x"],
            Self::Mean => ["0", "x + y", "x / TYPE(shape.length)"],
            Self::Maximum => ["x", "max(x, y)", "x"],
            Self::Minimum => ["x", "min(x, y)", "x"],
        }
    }
}

/// The dispatches so far. Each method adds one and returns the tensor that it writes.
pub(crate) struct Unfused {
    device: wgpu::Device,
    dispatches: Vec<(wgpu::ComputePipeline, wgpu::BindGroup, [u32; 3])>,
}

impl Unfused {
    pub(crate) fn new(gpu: &Gpu) -> Self {
        Self { device: gpu.device.clone(), dispatches: Vec::new() }
    }

    pub(crate) fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        for (pipeline, group, [x, y, z]) in &self.dispatches {
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, group, &[]);
            pass.dispatch_workgroups(*x, *y, *z);
        }
    }

    /// A tensor of `len` numbers of 32 bits.
    pub(crate) fn tensor(&self, len: u64) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("unfused"),
            size: len * 4,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    /// `source` with `shape` as the words of its uniform, where it has one; `tensors` are its bindings from 1 on.
    pub(crate) fn kernel(&mut self, source: &str, shape: &[u32], tensors: &[&wgpu::Buffer], groups: [u32; 3]) {
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("unfused"),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("unfused"),
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let mut words = shape.to_vec();
        words.resize(shape.len().next_multiple_of(4).max(4), 0);
        let uniform = self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("shape"),
            contents: bytemuck::cast_slice(&words),
            usage: wgpu::BufferUsages::UNIFORM,
        });
        let bound =
            std::iter::once((0, &uniform)).filter(|_| !shape.is_empty()).chain((1..).zip(tensors.iter().copied()));
        let entries: Vec<_> = bound
            .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("unfused"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        self.dispatches.push((pipeline, group, groups));
    }

    /// `expression` for each `i` of `len` numbers, of inputs `a`, `b`, ... of f32. Numbers after a `#` belong to a shape.
    pub(crate) fn each(&mut self, expression: &str, inputs: &[&wgpu::Buffer], len: u64) -> wgpu::Buffer {
        self.each_of(["f32", "f32"], expression, inputs, len)
    }

    /// The same where inputs and results are of these types.
    pub(crate) fn each_of(
        &mut self,
        [from, to]: [&str; 2],
        expression: &str,
        inputs: &[&wgpu::Buffer],
        len: u64,
    ) -> wgpu::Buffer {
        let y = self.tensor(len);
        let names = ["a", "b", "c", "d", "e"];
        assert!(inputs.len() <= names.len(), "more inputs than names");
        let mut declared: String = (2..)
            .zip(names)
            .take(inputs.len())
            .map(|(binding, name)| format!("@group(0) @binding({binding}) var<storage, read> {name}: array<{from}>;\n"))
            .collect();
        let mut shape: Vec<u32> = Vec::new();
        let (mut lifted, mut rest) = (String::new(), expression);
        while let Some((before, after)) = rest.split_once('#') {
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number = after[..digits].parse().expect("a number after #");
            let at = shape.iter().position(|&other| other == number).unwrap_or_else(|| {
                shape.push(number);
                shape.len() - 1
            });
            lifted += &format!("{before}shape[{}][{}]", at / 4, at % 4);
            rest = &after[digits..];
        }
        lifted += rest;
        if !shape.is_empty() {
            let vectors = shape.len().div_ceil(4);
            declared += &format!("@group(0) @binding(0) var<uniform> shape: array<vec4<u32>, {vectors}>;\n");
        }
        let source = include_str!("../../baseline/each.wgsl").replace("TO", to).replace("EXPRESSION", &lifted);
        let tensors: Vec<_> = std::iter::once(&y).chain(inputs.iter().copied()).collect();
        self.kernel(&(declared + &source), &shape, &tensors, groups(len));
        y
    }

    /// The sum of two tensors.
    pub(crate) fn add(&mut self, x: &wgpu::Buffer, y: &wgpu::Buffer) -> wgpu::Buffer {
        self.each("a[i] + b[i]", &[x, y], x.size() / 4)
    }

    /// The product of two tensors, element by element.
    pub(crate) fn multiply(&mut self, x: &wgpu::Buffer, y: &wgpu::Buffer) -> wgpu::Buffer {
        self.each("a[i] * b[i]", &[x, y], x.size() / 4)
    }

    /// Each of the `rows` of consecutive numbers of `x`, joined: a workgroup for each.
    pub(crate) fn rows(&mut self, join: Join, x: &wgpu::Buffer, rows: u64) -> wgpu::Buffer {
        self.rows_of("f32", join, x, rows)
    }

    pub(crate) fn rows_of(&mut self, element: &str, join: Join, x: &wgpu::Buffer, rows: u64) -> wgpu::Buffer {
        let y = self.tensor(rows);
        let count = rows as u32;
        let below = count.div_ceil(65_535);
        let words = [(x.size() / 4 / rows) as u32, count];
        let source = joined(include_str!("../../baseline/rows.wgsl"), element, join);
        self.kernel(&source, &words, &[x, &y], [count.div_ceil(below), below, 1]);
        y
    }

    /// `x [images, length, pixels]` joined over its middle: `[images, pixels]`.
    pub(crate) fn across(&mut self, join: Join, x: &wgpu::Buffer, length: u32, pixels: u64) -> wgpu::Buffer {
        self.across_of("f32", join, x, length, pixels)
    }

    pub(crate) fn across_of(
        &mut self,
        element: &str,
        join: Join,
        x: &wgpu::Buffer,
        length: u32,
        pixels: u64,
    ) -> wgpu::Buffer {
        let len = x.size() / 4 / u64::from(length);
        let y = self.tensor(len);
        let words = [length, pixels as u32];
        let source = joined(include_str!("../../baseline/across.wgsl"), element, join);
        self.kernel(&source, &words, &[x, &y], groups(len));
        y
    }

    /// A fully connected layer without bias: `x [batch, inputs]`, `weight [outputs, inputs]`.
    pub(crate) fn linear(&mut self, x: &wgpu::Buffer, weight: &wgpu::Buffer, batch: u32) -> wgpu::Buffer {
        let inputs = x.size() / 4 / u64::from(batch);
        let outputs = (weight.size() / 4 / inputs) as u32;
        let y = self.tensor(u64::from(batch * outputs));
        let words = [inputs as u32, outputs];
        self.kernel(include_str!("../../baseline/linear.wgsl"), &words, &[x, weight, &y], [outputs, batch, 1]);
        y
    }

    /// A convolution of `x`, of `shape`, with `weight [outputs, channels, kh, kw]`, without bias, zeros around the image.
    pub(crate) fn conv(&mut self, x: &wgpu::Buffer, shape: Nchw, weight: &wgpu::Buffer, kernel: Size) -> wgpu::Buffer {
        let outputs = (weight.size() / 4 / kernel.pixels()) as u32 / shape.channels;
        let len = u64::from(shape.batch * outputs) * shape.size().pixels();
        let y = self.tensor(len);
        let words = [shape.channels, outputs, shape.height, shape.width, kernel.height, kernel.width];
        self.kernel(include_str!("../../baseline/conv.wgsl"), &words, &[x, weight, &y], groups(len));
        y
    }

    /// `planes` of `from` resampled bilinearly, half-pixel centres.
    pub(crate) fn resize(&mut self, x: &wgpu::Buffer, planes: u64, from: Size, to: Size) -> wgpu::Buffer {
        let len = planes * to.pixels();
        let y = self.tensor(len);
        let words = [from.height, from.width, to.height, to.width];
        self.kernel(include_str!("../../baseline/resize.wgsl"), &words, &[x, &y], groups(len));
        y
    }

    /// Each image of `map` brought to 0..1 by its minimum and maximum.
    pub(crate) fn normalize(&mut self, map: &wgpu::Buffer, shape: Nhw) -> wgpu::Buffer {
        let (images, len, pixels) = (u64::from(shape.batch), map.size() / 4, shape.size().pixels());
        let low = self.rows(Join::Minimum, map, images);
        let high = self.rows(Join::Maximum, map, images);
        let above = self.each(&format!("a[i] - b[i / #{pixels}]"), &[map, &low], len);
        let range = self.each("a[i] - b[i]", &[&high, &low], images);
        self.each(&format!("a[i] / b[i / #{pixels}]"), &[&above, &range], len)
    }

    /// Which of each row of `length` numbers is the first of the largest.
    pub(crate) fn argmax(&mut self, element: &str, x: &wgpu::Buffer, length: u32) -> wgpu::Buffer {
        let rows = x.size() / 4 / u64::from(length);
        let y = self.tensor(rows);
        let source = include_str!("../../baseline/argmax.wgsl").replace("TYPE", element);
        self.kernel(&source, &[length], &[x, &y], [rows as u32, 1, 1]);
        y
    }

    /// How often each number below `bins` stands in each image of `pixels` numbers: `[n, bins]`.
    pub(crate) fn count(&mut self, x: &wgpu::Buffer, bins: u32, pixels: u64) -> wgpu::Buffer {
        let len = x.size() / 4;
        let y = self.each_of(["u32", "u32"], "0u", &[], len / pixels * u64::from(bins));
        let words = [bins, pixels as u32];
        self.kernel(include_str!("../../baseline/count.wgsl"), &words, &[x, &y], groups(len));
        y
    }

    /// The running sum of each row of `length` numbers.
    pub(crate) fn running_sum(&mut self, x: &wgpu::Buffer, length: u32) -> wgpu::Buffer {
        let y = self.tensor(x.size() / 4);
        let rows = (x.size() / 4) as u32 / length;
        self.kernel(include_str!("../../baseline/running_sum.wgsl"), &[length], &[x, &y], [rows, 1, 1]);
        y
    }

    /// The neighbourhoods of each pixel of these planes of `x`, zeros outside the image: `[planes, kh*kw, h*w]`.
    pub(crate) fn unfold(
        &mut self,
        x: &wgpu::Buffer,
        planes: Range<u32>,
        size: Size,
        kernel: Size,
        padding: Size,
    ) -> wgpu::Buffer {
        let (count, entries, pixels) = (planes.len() as u32, kernel.pixels() as u32, size.pixels() as u32);
        let y = self.tensor(u64::from(count * entries) * u64::from(pixels));
        let words = [size.height, size.width, kernel.height, kernel.width, padding.height, padding.width, planes.start];
        let groups = [pixels.div_ceil(64), entries, count];
        self.kernel(include_str!("../../baseline/unfold.wgsl"), &words, &[x, &y], groups);
        y
    }

    /// The softmax over the entries of each pixel of `x [images, entries, pixels]`, in place.
    pub(crate) fn softmax(&mut self, x: &wgpu::Buffer, entries: u32, pixels: u32) {
        let images = (x.size() / 4) as u32 / entries / pixels;
        let words = [entries, pixels];
        self.kernel(include_str!("../../baseline/softmax.wgsl"), &words, &[x], [pixels.div_ceil(64), 1, images]);
    }

    /// The hidden layer and the gate of Squeeze-and-Excitation before its sigmoid.
    pub(crate) fn excite(
        &mut self,
        pooled: &wgpu::Buffer,
        reduce: &wgpu::Buffer,
        expand: &wgpu::Buffer,
        batch: u32,
    ) -> wgpu::Buffer {
        self.excite_kept(pooled.clone(), [reduce, expand], batch).0
    }

    /// `x [n, c, h, w]` times a gate for each plane.
    pub(crate) fn scale(&mut self, x: &wgpu::Buffer, gate: &wgpu::Buffer, shape: Nchw) -> wgpu::Buffer {
        let by_plane = format!("a[i] * b[i / #{}]", shape.size().pixels());
        self.each(&by_plane, &[x, gate], x.size() / 4)
    }

    /// `x [n, c, h, w]` times a gate for each pixel.
    pub(crate) fn scale_pixels(&mut self, x: &wgpu::Buffer, gate: &wgpu::Buffer, shape: Nchw) -> wgpu::Buffer {
        let by_pixel = format!("a[i] * b[{}]", by_pixel(shape));
        self.each(&by_pixel, &[x, gate], x.size() / 4)
    }
}

/// Where the number of an image's pixel stands, for `i` of a tensor of this shape.
pub(crate) fn by_pixel(shape: Nchw) -> String {
    let pixels = shape.size().pixels();
    format!("i / #{} * #{pixels} + i % #{pixels}", pixels * u64::from(shape.channels))
}

/// As many workgroups of 256 as the elements take, in two dimensions beyond 65,535.
pub(crate) fn groups(elements: u64) -> [u32; 3] {
    let count = elements.div_ceil(256) as u32;
    let rows = count.div_ceil(65_535);
    [count.div_ceil(rows), rows, 1]
}

fn joined(source: &str, element: &str, join: Join) -> String {
    let [none, both, all] = join.wgsl();
    source.replace("NONE", none).replace("JOIN", both).replace("ALL", all).replace("TYPE", element)
}
