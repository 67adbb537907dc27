//! The picture's features: a small fixed filter bank that an application brings along, where others would bring a
//! network's last convolution. Plain wgpu code; the sources of the formulas are in `filter_bank.wgsl`.

/// Centre-surround: 3 families at 2 scales; orientations: 4 at 2 scales.
const CHANNELS: u32 = 14;
/// The longer side of the features. The two centres, 2 and 4 pixels wide there, are about 1/64 and 1/32 of the picture.
const LONGER_SIDE: u32 = 128;
/// Level 6 is the surround of the largest centre.
const LEVELS: u32 = 7;
const WORKGROUP_SIDE: u32 = 8;
/// `min_uniform_buffer_offset_alignment` of the default limits: one slot of parameters per level.
const SLOT: u32 = 256;

// As in `filter_bank.wgsl`, where each is explained.
const DARK: f32 = 0.05;
const LIT: f32 = 0.2;
const GAINS: [f32; 3] = [1.0, 0.5, 0.5];
const ORIENTATION_GAIN: f32 = 0.5;
const HALF: f32 = 0.125;
const LEAST_CERTAINTY: f32 = 1e-3;

/// The compiled kernels; one per device.
pub(crate) struct FilterBank {
    bindings: wgpu::BindGroupLayout,
    opponent_area: wgpu::ComputePipeline,
    pyramid_reduce: wgpu::ComputePipeline,
    filter_bank: wgpu::ComputePipeline,
}

impl FilterBank {
    /// Compiles the kernels.
    pub(crate) fn new(device: &wgpu::Device) -> Self {
        let module = device.create_shader_module(wgpu::include_wgsl!("filter_bank.wgsl"));
        let entry = |binding, ty, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
            count: None,
        };
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("filter_bank"),
            entries: &[
                entry(0, wgpu::BufferBindingType::Uniform, true),
                entry(1, storage(true), false),
                entry(2, storage(false), false),
                entry(3, storage(false), false),
            ],
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("filter_bank"),
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        let pipeline = |entry_point| {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry_point),
                layout: Some(&layout),
                module: &module,
                entry_point: Some(entry_point),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        };
        Self {
            opponent_area: pipeline("opponent_area"),
            pyramid_reduce: pipeline("pyramid_reduce"),
            filter_bank: pipeline("filter_bank"),
            bindings,
        }
    }

    /// `[1, channels, rows, columns]` of the features of a picture. Pictures are made smaller, never larger.
    pub(crate) fn shape(height: u32, width: u32) -> [u32; 4] {
        if height == 0 || width == 0 {
            return [1, CHANNELS, 0, 0];
        }
        let longer = u64::from(height.max(width));
        let side = longer.min(u64::from(LONGER_SIDE));
        // Rounded to nearest; at most `side`, so the conversion back loses nothing.
        let scaled = |n: u32| ((2 * u64::from(n) * side + longer) / (2 * longer)).max(1) as u32;
        [1, CHANNELS, scaled(height), scaled(width)]
    }

    /// Records picture `[1, 3, height, width]` -> features of [`FilterBank::shape`] in one compute pass, unsubmitted.
    ///
    /// The buffers are two different ones, of f32, with usage `STORAGE`; both must be large enough, not empty, and fit
    /// a binding (128 MiB at the default limits: a picture of 11 million pixels).
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn record(
        &self,
        device: &wgpu::Device,
        encoder: &mut wgpu::CommandEncoder,
        picture: &wgpu::Buffer,
        height: u32,
        width: u32,
        features: &wgpu::Buffer,
        timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>,
    ) {
        let [_, _, rows, columns] = Self::shape(height, width);
        let mut slots = vec![0_u8; (LEVELS * SLOT) as usize];
        for (level, slot) in (0..).zip(slots.chunks_exact_mut(SLOT as usize)) {
            let words = [height, width, rows, columns, level];
            for (bytes, word) in slot.chunks_exact_mut(4).zip(words) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
        }
        let params = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("filter_bank params"),
            size: slots.len() as u64,
            usage: wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: true,
        });
        // Fails on a lost device only, where nothing recorded here would run anyway.
        if let Ok(mut mapped) = params.get_mapped_range_mut(..) {
            mapped.copy_from_slice(&slots);
        }
        params.unmap();
        let pixels: u32 = (0..LEVELS).map(|level| rows.div_ceil(1 << level) * columns.div_ceil(1 << level)).sum();
        let pyramid = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("filter_bank pyramid"),
            size: u64::from(pixels.max(1)) * 16,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        let one_slot = wgpu::BufferBinding { buffer: &params, offset: 0, size: wgpu::BufferSize::new(u64::from(SLOT)) };
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("filter_bank"),
            layout: &self.bindings,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(one_slot) },
                wgpu::BindGroupEntry { binding: 1, resource: picture.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 2, resource: pyramid.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 3, resource: features.as_entire_binding() },
            ],
        });
        let mut pass =
            encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("filter_bank"), timestamp_writes });
        let mut recording = |pipeline, level: u32, written_level: u32| {
            let groups = |n: u32| n.div_ceil(1 << written_level).div_ceil(WORKGROUP_SIDE);
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &bind_group, &[level * SLOT]);
            pass.dispatch_workgroups(groups(columns), groups(rows), 1);
        };
        recording(&self.opponent_area, 0, 0);
        for level in 0..LEVELS - 1 {
            recording(&self.pyramid_reduce, level, level + 1);
        }
        recording(&self.filter_bank, 0, 0);
    }

    /// The same features on the CPU, for a machine without an adapter. Empty if `picture` isn't `3 * height * width`
    /// long. The functions below are those of `filter_bank.wgsl`, sums in the same order.
    pub(crate) fn on_cpu(picture: &[f32], height: u32, width: u32) -> Vec<f32> {
        let [_, _, rows, columns] = Self::shape(height, width).map(|n| n as usize);
        let (height, width) = (height as usize, width as usize);
        if picture.is_empty() || height.checked_mul(width).and_then(|n| n.checked_mul(3)) != Some(picture.len()) {
            return Vec::new();
        }
        let mut pyramid = vec![opponent_area(picture, [height, width], [rows, columns])];
        for level in 1..LEVELS as usize {
            let coarser = pyramid_reduce(&pyramid[level - 1]);
            pyramid.push(coarser);
        }
        let mut features = vec![0.0; CHANNELS as usize * rows * columns];
        for pixel in 0..rows * columns {
            let place = [(pixel / columns) as i32, (pixel % columns) as i32];
            for (channel, contrast) in contrasts(&pyramid, place).into_iter().enumerate() {
                features[channel * rows * columns + pixel] = contrast / (contrast.abs() + HALF);
            }
        }
        features
    }
}

/// One level of the pyramid.
struct Level {
    rows: usize,
    columns: usize,
    pixels: Vec<[f32; 4]>,
}

fn opponents([red, green, blue]: [f32; 3]) -> [f32; 4] {
    let brightest = red.max(green).max(blue);
    let t = ((brightest - DARK) / (LIT - DARK)).clamp(0.0, 1.0);
    let certainty = t * t * (3.0 - 2.0 * t);
    let scale = 1.0 / brightest.max(DARK);
    let values = [(red + green + blue) / 3.0, (red - green) * scale, (blue - red.min(green)) * scale];
    [values[0] * certainty, values[1] * certainty, values[2] * certainty, certainty]
}

fn opponent_area(picture: &[f32], [height, width]: [usize; 2], [rows, columns]: [usize; 2]) -> Level {
    let mut pixels = Vec::with_capacity(rows * columns);
    for pixel in 0..rows * columns {
        let (row, column) = (pixel / columns, pixel % columns);
        let (mut sum, mut count) = ([0.0; 4], 0.0);
        for y in row * height / rows..(row + 1) * height / rows {
            for x in column * width / columns..(column + 1) * width / columns {
                let value = opponents([0, 1, 2].map(|plane| picture[(plane * height + y) * width + x]));
                sum = zip(sum, value, |s, v| s + v);
                count += 1.0;
            }
        }
        pixels.push(sum.map(|s| s / count));
    }
    Level { rows, columns, pixels }
}

fn pyramid_reduce(fine: &Level) -> Level {
    let (rows, columns) = (fine.rows.div_ceil(2), fine.columns.div_ceil(2));
    let mut pixels = vec![[0.0; 4]; rows * columns];
    for (pixel, sum) in pixels.iter_mut().enumerate() {
        for (i, down) in [1.0, 3.0, 3.0, 1.0].into_iter().enumerate() {
            for (j, along) in [1.0, 3.0, 3.0, 1.0].into_iter().enumerate() {
                // Counted from 1, so that the tap before the first pixel is 0 and needs no sign.
                let (y, x) = (2 * (pixel / columns) + i, 2 * (pixel % columns) + j);
                if (1..=fine.rows).contains(&y) && (1..=fine.columns).contains(&x) {
                    let weight: f32 = down * along / 64.0;
                    *sum = zip(*sum, fine.pixels[(y - 1) * fine.columns + x - 1], |s, v| s + weight * v);
                }
            }
        }
    }
    Level { rows, columns, pixels }
}

fn at(pyramid: &[Level], level: usize, [row, column]: [i32; 2]) -> [f32; 4] {
    if row < 0 || column < 0 || row as usize >= pyramid[0].rows || column as usize >= pyramid[0].columns {
        return [0.0; 4];
    }
    let Level { rows, columns, pixels } = &pyramid[level];
    let source = |n: i32, size: usize| ((n as f32 + 0.5) / (1 << level) as f32 - 0.5).clamp(0.0, (size - 1) as f32);
    let (y, x) = (source(row, *rows), source(column, *columns));
    let (top, left) = (y as usize, x as usize);
    let (bottom, right) = ((top + 1).min(rows - 1), (left + 1).min(columns - 1));
    let mix = |a: [f32; 4], b: [f32; 4], t: f32| zip(a, b, |a, b| a + (b - a) * t);
    let upper = mix(pixels[top * columns + left], pixels[top * columns + right], x.fract());
    let lower = mix(pixels[bottom * columns + left], pixels[bottom * columns + right], x.fract());
    let [a, b, c, certainty] = mix(upper, lower, y.fract());
    let divisor = certainty.max(LEAST_CERTAINTY);
    [a / divisor, b / divisor, c / divisor, certainty]
}

fn contrasts(pyramid: &[Level], place: [i32; 2]) -> [f32; CHANNELS as usize] {
    let mut out = [0.0; CHANNELS as usize];
    for scale in 0..2 {
        let level = scale + 1;
        let centre = at(pyramid, level, place);
        let surround = at(pyramid, level + 4, place);
        for (family, gain) in GAINS.into_iter().enumerate() {
            out[scale * 3 + family] = gain * (centre[family] - surround[family]) * (centre[3] * surround[3]);
        }

        let (mut across_x, mut across_y, mut mixed, mut certainty) = (0.0, 0.0, 0.0, 1.0_f32);
        let smooth = |n: i32| if n == 0 { 0.5 } else { 0.25 };
        let second = |n: i32| if n == 0 { 1.0 } else { -0.5 };
        for i in -1..2 {
            for j in -1..2 {
                let tap = at(pyramid, level, [place[0] + (i << level), place[1] + (j << level)]);
                across_x += smooth(i) * second(j) * tap[0];
                across_y += second(i) * smooth(j) * tap[0];
                mixed += 0.125 * (i * j) as f32 * tap[0];
                certainty = certainty.min(tap[3]);
            }
        }
        let weight = ORIENTATION_GAIN * certainty;
        let diagonal = 0.5 * (across_x + across_y);
        for (angle, steered) in [across_x, across_y, diagonal - mixed, diagonal + mixed].into_iter().enumerate() {
            out[6 + scale * 4 + angle] = weight * steered;
        }
    }
    out
}

fn zip(a: [f32; 4], b: [f32; 4], f: impl Fn(f32, f32) -> f32) -> [f32; 4] {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}
