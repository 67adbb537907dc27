//! The attention layer that stands in for a convolution: projections, then windowed attention.

use super::pointwise_conv::{PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions};
use super::window_attention::{PositionTables, WindowAttention, WindowAttentionBuffers, WindowAttentionOptions};
use crate::kernel::{Compiler, check, tensor};
use crate::{Cost, Element, Error, Nchw, Recording, Size, TensorSpec};

const OP: &str = "sasa_layer";

/// What a [`SasaLayer`] computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SasaLayerOptions {
    /// Channels of `x`.
    pub inputs: u32,
    /// Groups of channels that the projections keep apart; 1, as in the paper, is dense.
    pub groups: u32,
    /// The attention; its channels are those of the output.
    pub attention: WindowAttentionOptions,
}

impl SasaLayerOptions {
    /// The three projections, stacked.
    #[must_use]
    pub const fn projections(&self) -> PointwiseConvOptions {
        PointwiseConvOptions {
            inputs: self.inputs,
            outputs: self.attention.channels(),
            groups: self.groups,
            stack: 3,
            bias: false,
        }
    }
}

/// Stand-alone self-attention layer `x [n, inputs, h, w] -> y [n, heads*d, ho, wo]`: 1x1 projections to queries, keys and values,
/// in one dispatch, then [`WindowAttention`], in the same recording (Ramachandran et al. 2019, arXiv:1906.05909,
/// Sec. 3.1). For the paper's downsampling blocks, [`WindowPool`](crate::WindowPool) with 2x2 averages follows.
///
/// Kernels `shaders/pointwise_conv.wgsl` and `shaders/window_attention.wgsl`; reference
/// [`reference::sasa_layer`](crate::reference::sasa_layer).
#[derive(Clone, Debug)]
pub struct SasaLayer {
    options: SasaLayerOptions,
    element: Element,
    projections: PointwiseConv,
    attention: WindowAttention,
}

/// Tensors of a [`SasaLayer`], of its element type; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct SasaLayerBuffers<'a> {
    /// In: `[n, inputs, h, w]`.
    pub x: wgpu::BufferSlice<'a>,
    /// In: `[3, heads*d, inputs/groups]`, the matrices of queries, keys and values.
    pub projections: wgpu::BufferSlice<'a>,
    /// In: the tables of the options' relative term.
    pub tables: PositionTables<wgpu::BufferSlice<'a>>,
    /// Out: `[n, heads*d, ho, wo]`.
    pub y: wgpu::BufferSlice<'a>,
}

impl SasaLayer {
    /// Compiles the kernels for tensors of type `element`. Between them there is f32, whatever the element type.
    ///
    /// # Errors
    ///
    /// As [`WindowAttention::new`] and [`PointwiseConv::new`].
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: SasaLayerOptions,
        element: Element,
    ) -> Result<Self, Error> {
        let compiler = compiler.into();
        options.attention.check_options(OP)?;
        let projections = PointwiseConv::new_within(OP, compiler, options.projections(), element, Element::F32)?;
        let attention = WindowAttention::new_within(OP, compiler, options.attention, element, Element::F32)?;
        Ok(Self { options, element, projections, attention })
    }

    /// The tensors of one `bind`, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses of a shape, before any buffer.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        check::elements(OP, "x", shape)?;
        self.options.check(shape)?;
        let attention = &self.options.attention;
        let projected = Nchw { channels: attention.channels(), ..shape };
        check::elements(OP, "y", projected)?;
        let Size { height, width } = attention.output(shape.size());
        let PointwiseConvOptions { inputs, outputs, groups, stack, .. } = self.options.projections();
        let mut specs = vec![
            TensorSpec::input("x", shape, self.element),
            TensorSpec::input("projections", [stack, outputs, inputs / groups], self.element),
            TensorSpec::output("y", Nchw { height, width, ..projected }, self.element),
        ];
        specs.extend(attention.table_specs(self.element));
        Ok(specs)
    }

    /// Checks the buffers against the shape of `x` and binds them. Queries, keys and values are scratch of
    /// `3 * n * heads*d * h * w` f32, kept by the dispatch.
    ///
    /// # Errors
    ///
    /// As [`WindowAttention::bind`] and [`PointwiseConv::bind`].
    pub fn bind(&self, device: &wgpu::Device, shape: Nchw, buffers: SasaLayerBuffers<'_>) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let projected = Nchw { channels: self.options.attention.channels(), ..shape };
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        // Before the scratch is created, so that a caller's mistake comes before any call to wgpu.
        let mut given =
            vec![("x", Some(buffers.x)), ("projections", Some(buffers.projections)), ("y", Some(buffers.y))];
        given.extend(self.attention.tables(buffers.tables)?);
        check::slices(OP, device, &specs, &given)?;

        let scratch = |label| {
            let elements = projected.elements().unwrap_or(u64::MAX);
            tensor::scratch(OP, device, label, elements.saturating_mul(Element::F32.bytes()))
        };
        let (q, k, v) = (scratch("q")?, scratch("k")?, scratch("v")?);
        let mut recording = self.projections.bind(
            device,
            shape,
            PointwiseConvBuffers {
                x: buffers.x,
                weights: buffers.projections,
                bias: None,
                y: [Some(q.slice(..)), Some(k.slice(..)), Some(v.slice(..))],
            },
        )?;
        recording.extend(self.attention.bind(
            device,
            projected,
            WindowAttentionBuffers {
                q: q.slice(..),
                k: k.slice(..),
                v: v.slice(..),
                tables: buffers.tables,
                y: buffers.y,
                log_sum_exp: None,
            },
        )?);
        Ok(recording)
    }

    /// What one run moves and computes: the sum over its kernels, queries, keys and values written and read in between.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        self.options.cost(shape, self.element)
    }
}

impl SasaLayerOptions {
    /// Checks the options and that they fit an `x` of this shape, as [`SasaLayer::new`] and [`SasaLayer::bind`] do: for a machine
    /// without a device, since the reference takes them as they are.
    ///
    /// # Errors
    ///
    /// Those of both.
    pub fn check(&self, shape: Nchw) -> Result<(), Error> {
        self.attention.check_options(OP)?;
        self.projections().check(OP)?;
        if shape.channels != self.inputs {
            let needed = format!("{} channels", self.inputs);
            return Err(Error::InvalidShape { op: OP, binding: "x", given: shape.to_string(), needed });
        }
        self.attention.check_shape(OP, Nchw { channels: self.attention.channels(), ..shape })
    }

    /// As [`SasaLayer::cost`], without a device.
    #[must_use]
    pub fn cost(&self, shape: Nchw, element: Element) -> Cost {
        let projected = Nchw { channels: self.attention.channels(), ..shape };
        self.projections().cost(shape, element, Element::F32) + self.attention.cost(projected, element, Element::F32)
    }
}
