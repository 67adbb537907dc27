//! The attention stem: values mixed by their position in the window.

use bytemuck::Zeroable;

use super::pointwise_conv::{PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions};
use super::window_attention::shrink;
use crate::kernel::shader::{ELEMENTS, STEM, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, tensor};
use crate::{Cost, Element, Error, Nchw, Recording, Size, TensorSpec};

const OP: &str = "sasa_stem";
/// Queries of a workgroup on each axis.
const GROUP: u32 = 8;
/// Channels of one invocation, `CHUNK` in WGSL.
const CHUNK: u32 = 8;
/// The kernels compute positions in 32-bit integers with a sign.
const MAX_EXTENT: u64 = 1 << 30;

params!(Params {
    origin_x: u32,
    origin_y: u32,
    projected_base: u32,
    y_base: u32,
    heads: u32,
    head_dim: u32,
    mixtures: u32,
    height: i32,
    width: i32,
    window_height: i32,
    window_width: i32,
    padding_height: i32,
    padding_width: i32,
    chunk_groups: u32,
    chunks: u32,
    scale: f32,
    shrink: f32,
});

params!(MixtureParams { origin: u32, mixtures: u32, embeddings: u32, window_height: u32, window_width: u32 });

pub(crate) const SASA_STEM_ATTENTION: Shader = shader!(
    "sasa_stem_attention",
    Params,
    STEM,
    &[],
    [projected: Read, mixture: Read, y: Write],
    [],
);

pub(crate) const SASA_STEM_MIXTURE: Shader = shader!(
    "sasa_stem_mixture",
    MixtureParams,
    ELEMENTS,
    &[],
    [row: Read, column: Read, mix_table: Read, mixture: Write],
    [],
);

/// What a [`SasaStem`] computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SasaStemOptions {
    /// Channels of `x`: 3 of an image.
    pub inputs: u32,
    /// Heads; channels `g*d .. (g+1)*d` belong to head `g`.
    pub heads: u32,
    /// Channels of a head, `d`.
    pub head_dim: u32,
    /// Keys of a window, `kh` x `kw`; even as well: 4x4 in the paper.
    pub window: Size,
    /// How far entry 0 of a window is before its query.
    pub padding: Size,
    /// Value projections that are mixed, `m`.
    pub mixtures: u32,
    /// Length of the position embeddings, `e`.
    pub embeddings: u32,
    /// What the product of query and key is multiplied by.
    pub scale: f32,
}

impl SasaStemOptions {
    /// All projections as one matrix: queries, keys and the mixed values.
    #[must_use]
    pub const fn projections(&self) -> PointwiseConvOptions {
        PointwiseConvOptions::new(self.inputs, self.mixtures.saturating_add(2).saturating_mul(self.channels()))
    }

    /// Channels of the output: `heads * d`.
    #[must_use]
    pub const fn channels(&self) -> u32 {
        self.heads.saturating_mul(self.head_dim)
    }

    /// Checks the options, as [`SasaStem::new`] does: for a machine without a device, since the reference takes them as they
    /// are.
    ///
    /// # Errors
    ///
    /// Those of [`SasaStem::new`], but for the device's features and loops.
    pub fn check(&self) -> Result<(), Error> {
        for (parameter, value) in [
            ("inputs", self.inputs),
            ("heads", self.heads),
            ("head_dim", self.head_dim),
            ("window.height", self.window.height),
            ("window.width", self.window.width),
            ("mixtures", self.mixtures),
            ("embeddings", self.embeddings),
        ] {
            if value == 0 {
                let needed = "at least 1".into();
                return Err(Error::InvalidParameter { op: OP, parameter, given: "0".into(), needed });
            }
        }
        check::finite(OP, "scale", self.scale)?;
        let outputs =
            u64::from(self.heads).saturating_mul(self.head_dim.into()).saturating_mul(u64::from(self.mixtures) + 2);
        check::to_u32(OP, "channels of queries, keys and values", outputs)?;
        Ok(())
    }

    /// Loop rounds of one query, and of one entry's mixture.
    fn rounds(&self) -> [u64; 2] {
        let (head_dim, mixtures) = (u64::from(self.head_dim), u64::from(self.mixtures));
        let sums = head_dim.min(CHUNK.into()).saturating_mul(mixtures + 1);
        let entry = head_dim + sums + 1;
        let query = self.window.pixels().saturating_mul(entry).saturating_add(u64::from(self.window.height) + 8);
        [query, mixtures.saturating_mul(u64::from(self.embeddings) + 3)]
    }

    /// As [`SasaStem::cost`], without a device.
    #[must_use]
    pub fn cost(&self, shape: Nchw, element: Element) -> Cost {
        let queries = shape.plane().elements().unwrap_or(u64::MAX).saturating_mul(self.channels().into());
        let entries = self.window.pixels();
        let mixtures = u64::from(self.mixtures);
        let tables = u64::from(self.embeddings)
            .saturating_mul(u64::from(self.window.height) + u64::from(self.window.width) + mixtures);
        let attention = Cost {
            bytes: queries
                .saturating_mul((2 + mixtures) * Element::F32.bytes() + element.bytes())
                .saturating_add(tables.saturating_mul(element.bytes())),
            flops: queries.saturating_mul(entries).saturating_mul(4 + 2 * mixtures),
            parameters: tables,
        };
        self.projections().cost(shape, element, Element::F32) + attention
    }
}

/// Attention stem `x [n, inputs, h, w] -> y [n, heads*d, h, w]`: attention in a window around every pixel, in which the values are
/// a mixture of `m` projections that depends on the position in the window (Ramachandran et al. 2019, arXiv:1906.05909,
/// Sec. 3.2). [`SasaStemOptions`] and the reference have the formula. The paper's stem goes on with batch normalisation and
/// 4x4 maxima: [`WindowPool`](crate::WindowPool). A query whose logits are all -infinite gives zeros, as in
/// [`WindowAttention`](crate::WindowAttention).
///
/// Kernels `shaders/pointwise_conv.wgsl`, `shaders/sasa_stem_mixture.wgsl` and `shaders/sasa_stem_attention.wgsl`; reference
/// [`reference::sasa_stem`](crate::reference::sasa_stem).
#[derive(Clone, Debug)]
pub struct SasaStem {
    options: SasaStemOptions,
    element: Element,
    projections: PointwiseConv,
    mixture: Kernel,
    attention: Kernel,
}

/// Tensors of a [`SasaStem`], of its element type; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct SasaStemBuffers<'a> {
    /// In: `[n, inputs, h, w]`.
    pub x: wgpu::BufferSlice<'a>,
    /// In: `[2+m, heads*d, inputs]`, the matrices of queries, keys and the `m` values.
    pub projections: wgpu::BufferSlice<'a>,
    /// In: row embeddings `[e, kh]`.
    pub row: wgpu::BufferSlice<'a>,
    /// In: column embeddings `[e, kw]`.
    pub column: wgpu::BufferSlice<'a>,
    /// In: mixture embeddings `[m, e]`.
    pub mix: wgpu::BufferSlice<'a>,
    /// Out: `[n, heads*d, h, w]`.
    pub y: wgpu::BufferSlice<'a>,
}

impl SasaStem {
    /// Compiles the kernels for tensors of type `element`. Between them there is f32, whatever the element type.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a count of 0 or a scale that is not finite; [`Error::TooManyRounds`] on a software
    /// adapter, for windows, depths and mixtures of more than one invocation may loop over there; [`Error::MissingFeature`] for f16
    /// on a device without it.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: SasaStemOptions,
        element: Element,
    ) -> Result<Self, Error> {
        let compiler = compiler.into();
        options.check()?;
        let [query, mixture] = options.rounds();
        compiler.check_rounds(OP, query, "make the window smaller, or the heads less deep, or take fewer mixtures")?;
        compiler.check_rounds(OP, mixture, "take fewer mixtures or embeddings")?;
        let projections = PointwiseConv::new_within(OP, compiler, options.projections(), element, Element::F32)?;
        let mixture = Kernel::new(
            compiler,
            &Build {
                op: OP,
                shader: &SASA_STEM_MIXTURE,
                variant: Variant::new(element, 1),
                constants: &[],
                workgroup: [64, 1, 1],
                workgroup_bytes: 0,
            },
        )?;
        let attention = Kernel::new(
            compiler,
            &Build {
                op: OP,
                shader: &SASA_STEM_ATTENTION,
                variant: Variant { inner: Element::F32, ..Variant::new(element, 1) },
                constants: &[],
                workgroup: [GROUP, GROUP, 1],
                workgroup_bytes: 0,
            },
        )?;
        Ok(Self { options, element, projections, mixture, attention })
    }

    /// The tensors of one `bind`, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses of a shape, before any buffer.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        let options = &self.options;
        check::elements(OP, "x", shape)?;
        if shape.channels != options.inputs {
            let needed = format!("{} channels", options.inputs);
            return Err(Error::InvalidShape { op: OP, binding: "x", given: shape.to_string(), needed });
        }
        let conv = options.projections();
        check::elements(OP, "projected", Nchw { channels: conv.outputs, ..shape })?;
        for (limit, extent, window, padding) in [
            ("height + window + padding", shape.height, options.window.height, options.padding.height),
            ("width + window + padding", shape.width, options.window.width, options.padding.width),
        ] {
            let needed = u64::from(extent) + u64::from(window) + u64::from(padding);
            if needed > MAX_EXTENT {
                return Err(Error::LimitExceeded { op: OP, limit, needed, given: MAX_EXTENT });
            }
        }
        let (channels, element) = (options.channels(), self.element);
        Ok(vec![
            TensorSpec::input("x", shape, element),
            TensorSpec::input("projections", [2 + options.mixtures, channels, conv.inputs], element),
            TensorSpec::input("row", [options.embeddings, options.window.height], element),
            TensorSpec::input("column", [options.embeddings, options.window.width], element),
            TensorSpec::input("mix", [options.mixtures, options.embeddings], element),
            TensorSpec::output("y", Nchw { channels, ..shape }, element),
        ])
    }

    /// Checks the buffers against the shape of `x` and binds them. The projections are scratch of
    /// `(2 + m) * n * heads*d * h * w` f32, kept by the dispatch.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidShape`] where `x` has other channels than the options; [`Error::LimitExceeded`] where one image, or its
    /// projections, exceed a binding of the device; and what every operator refuses of its buffers: too small, wrong usage,
    /// misaligned, output overlapping input.
    pub fn bind(&self, device: &wgpu::Device, shape: Nchw, buffers: SasaStemBuffers<'_>) -> Result<Recording, Error> {
        let options = &self.options;
        let specs = self.tensors(shape)?;
        let conv = options.projections();
        let projected = Nchw { channels: conv.outputs, ..shape };
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let pixels = shape.size().pixels();
        let (bytes, entries) = (self.element.bytes(), options.window.pixels());
        let embeddings = u64::from(options.embeddings);
        let row = Tensor::whole(buffers.row, embeddings * u64::from(options.window.height), bytes);
        let column = Tensor::whole(buffers.column, embeddings * u64::from(options.window.width), bytes);
        let mix = Tensor::whole(buffers.mix, embeddings * u64::from(options.mixtures), bytes);
        let y = Tensor::divided(buffers.y, u64::from(options.channels()) * pixels, bytes);
        // Before the scratch is created, so that a caller's mistake comes before any call to wgpu.
        let given = [
            ("x", Some(buffers.x)),
            ("projections", Some(buffers.projections)),
            ("row", Some(buffers.row)),
            ("column", Some(buffers.column)),
            ("mix", Some(buffers.mix)),
            ("y", Some(buffers.y)),
        ];
        check::slices(OP, device, &specs, &given)?;
        let unit = u64::from(projected.channels) * pixels;
        check::to_u32(OP, "elements of an image's projections", unit)?;
        let chunks = options.head_dim.div_ceil(CHUNK);
        let chunk_groups = shape.height.div_ceil(GROUP);
        let rows = u64::from(options.heads) * u64::from(chunks) * u64::from(chunk_groups);
        let groups = [shape.width.div_ceil(GROUP), check::to_u32(OP, "rows of workgroups", rows)?];

        let elements = projected.elements().unwrap_or(u64::MAX);
        let scratch = tensor::scratch(OP, device, "projected", elements.saturating_mul(4))?;
        let mixture_elements = u64::from(options.mixtures) * entries;
        let mixture = tensor::scratch(OP, device, "mixture", mixture_elements * 4)?;

        let mut recording = self.projections.bind(
            device,
            shape,
            PointwiseConvBuffers {
                x: buffers.x,
                weights: buffers.projections,
                bias: None,
                y: [Some(scratch.slice(..)), None, None],
            },
        )?;
        let tensors = [row, column, mix, Tensor::divided(mixture.slice(..), mixture_elements, 4)];
        // Below `MAX_ROUNDS`.
        let dispatches =
            self.mixture.bind(device, 1, [entries.div_ceil(64) as u32, 1], &tensors, None, |_| MixtureParams {
                mixtures: options.mixtures,
                embeddings: options.embeddings,
                window_height: options.window.height,
                window_width: options.window.width,
                ..Zeroable::zeroed()
            })?;
        recording.extend(Recording::new(dispatches));
        let tensors =
            [Tensor::divided(scratch.slice(..), unit, 4), Tensor::whole(mixture.slice(..), mixture_elements, 4), y];
        // Every extent is below `MAX_EXTENT`.
        let signed = |value: u32| value as i32;
        let dispatches = self.attention.bind(device, shape.batch, groups, &tensors, None, |_| Params {
            heads: options.heads,
            head_dim: options.head_dim,
            mixtures: options.mixtures,
            height: signed(shape.height),
            width: signed(shape.width),
            window_height: signed(options.window.height),
            window_width: signed(options.window.width),
            padding_height: signed(options.padding.height),
            padding_width: signed(options.padding.width),
            chunk_groups,
            chunks,
            scale: options.scale,
            shrink: shrink(options.window),
            ..Zeroable::zeroed()
        })?;
        recording.extend(Recording::new(dispatches));
        Ok(recording)
    }

    /// What one run moves and computes: projections, products of queries and keys, mixtures of values, products of weights
    /// and values; neither softmax. Parameters are weights and embeddings.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        self.options.cost(shape, self.element)
    }
}
