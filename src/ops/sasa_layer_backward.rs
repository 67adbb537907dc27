//! The gradients of a layer of Stand-Alone Self-Attention with respect to its input, projections and position tables.
//!
//! ```text
//! q, k, v              = three 1x1 projections of x, again       PointwiseConv
//! y, log_sum_exp       = attention of q, k, v, unless given      WindowAttention
//! dq, dk, dv, dtables  = gradients of the attention              WindowAttentionBackward
//! dx, dprojections     = gradients of the projections            PointwiseConvBackward
//! ```
//!
//! Source: the chain rule of the layer of Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.1. The formulas are those of
//! [`window_attention_backward`](super::window_attention_backward) and [`pointwise_conv_backward`](super::pointwise_conv_backward).
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::{
//!     Element, Nchw, PositionTables, SasaLayerBackward, SasaLayerBackwardBuffers, SasaLayerOptions, WindowAttentionOptions,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let options = SasaLayerOptions::new(64, WindowAttentionOptions::new(8, 8, 7));
//! let operator = SasaLayerBackward::new(&gpu.device, options, Element::F32)?;
//!
//! // What the forward operator read, and the gradient of the loss with respect to what it wrote.
//! let x = gpu.upload("x", &vec![0.5f32; 64 * 56 * 56])?;
//! let projections = gpu.upload("projections", &[0.1f32; 3 * 64 * 64])?;
//! let table = gpu.upload("row and column", &[0.1f32; 4 * 7])?;
//! let y_gradient = gpu.upload("gradient of y", &vec![1.0f32; 64 * 56 * 56])?;
//!
//! let x_gradient = gpu.buffer("gradient of x", 64 * 56 * 56 * 4)?;
//! let projections_gradient = gpu.buffer("gradient of the projections", 3 * 64 * 64 * 4)?;
//! let rows_gradient = gpu.buffer("gradient of the rows", 4 * 7 * 4)?;
//! let columns_gradient = gpu.buffer("gradient of the columns", 4 * 7 * 4)?;
//! let buffers = SasaLayerBackwardBuffers {
//!     x: x.slice(..),
//!     projections: projections.slice(..),
//!     tables: PositionTables::rows_and_columns(table.slice(..), table.slice(..)),
//!     // With both, which the forward operator wrote, attention is not computed again.
//!     y: None,
//!     log_sum_exp: None,
//!     y_gradient: y_gradient.slice(..),
//!     x_gradient: Some(x_gradient.slice(..)),
//!     projections_gradient: Some(projections_gradient.slice(..)),
//!     tables_gradient: PositionTables::rows_and_columns(rows_gradient.slice(..), columns_gradient.slice(..)),
//! };
//! let recording = operator.bind(&gpu.device, Nchw::new(1, 64, 56, 56), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is saved
//!
//! Nothing beside the layer's inputs has to be kept. With `y` and `log_sum_exp` of the forward operator its attention is not computed
//! again, and the gradients have the same bits. In f16 `log_sum_exp` alone does the same: an output in f16 is too coarse, and is not read.
//!
//! # Order and memory
//!
//! Scratch holds queries, keys, values and their gradients, `6 * n * heads*d * h * w` f32, and the scratch of both backward operators.
//! Without saved outputs it also holds these. The [`Recording`] keeps it. Of what is not wanted, only what others need is computed: for
//! gradients of tables alone there are no gradients of queries, keys and values.
//!
//! Gradients of projections and tables are f32, also if the tensors are f16. No number has two writers and sums have a fixed order, so the
//! bits depend on the inputs alone. [`SasaLayerBackward::bind`] lists the errors, [`SasaLayerBackward::cost`] counts bytes and operations.
//!
//! Kernels: those of the four operators above. Reference [`reference::sasa_layer_backward`](crate::reference::sasa_layer_backward).

use super::pointwise_conv::{PointwiseConv, PointwiseConvBuffers};
use super::pointwise_conv_backward::{PointwiseConvBackward, PointwiseConvBackwardBuffers};
use super::sasa_layer::SasaLayerOptions;
use super::window_attention::{PositionTables, WindowAttention, WindowAttentionBuffers};
use super::window_attention_backward::{WindowAttentionBackward, WindowAttentionBackwardBuffers};
use crate::kernel::{Compiler, check, tensor};
use crate::ops::part_sum::PartSum;
use crate::{Cost, Element, Error, Nchw, Ncthw, Recording, TensorSpec};

const OP: &str = "sasa_layer_backward";

/// The gradients of a [`SasaLayer`](crate::SasaLayer); the [page](self) has formulas and example.
#[derive(Clone, Debug)]
pub struct SasaLayerBackward {
    options: SasaLayerOptions,
    element: Element,
    projections: PointwiseConv,
    attention: WindowAttention,
    attention_backward: WindowAttentionBackward,
    projections_backward: PointwiseConvBackward,
    zeros: PartSum,
}

/// Tensors of a [`SasaLayerBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct SasaLayerBackwardBuffers<'a> {
    /// In: `[n, inputs, h, w]`, the operator's element type.
    pub x: wgpu::BufferSlice<'a>,
    /// In: `[3, heads*d, inputs/groups]`, the operator's element type.
    pub projections: wgpu::BufferSlice<'a>,
    /// In: the tables of the options' relative term, of the operator's element type.
    pub tables: PositionTables<wgpu::BufferSlice<'a>>,
    /// In, optional: the output of the forward operator, `[n, heads*d, ho, wo]` f32. Not taken in f16.
    pub y: Option<wgpu::BufferSlice<'a>>,
    /// In, optional: the log-sum-exp of the forward operator, `[n, heads, ho, wo]` f32.
    pub log_sum_exp: Option<wgpu::BufferSlice<'a>>,
    /// In: the gradient of `y`, `[n, heads*d, ho, wo]`, the operator's element type.
    pub y_gradient: wgpu::BufferSlice<'a>,
    /// Out, optional: `[n, inputs, h, w]`, the operator's element type.
    pub x_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, optional: `[3, heads*d, inputs/groups]` f32.
    pub projections_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, optional: the gradients of the tables in f32. [`PositionTables::None`] if none is wanted.
    pub tables_gradient: PositionTables<wgpu::BufferSlice<'a>>,
}

impl SasaLayerBackward {
    /// Compiles for tensors of type `element`. The options are those of the forward operator. Queries, keys, values and their gradients
    /// are f32 for every element type.
    ///
    /// # Errors
    ///
    /// As [`SasaLayer::new`](crate::SasaLayer::new), [`WindowAttentionBackward::new`] and [`PointwiseConvBackward::new`].
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: SasaLayerOptions,
        element: Element,
    ) -> Result<Self, Error> {
        let (compiler, inner) = (compiler.into(), Element::F32);
        options.check_attention(OP)?;
        let (projections, attention) = (options.projections(), options.attention);
        Ok(Self {
            options,
            element,
            projections: PointwiseConv::new_within(OP, compiler, projections, element, inner)?,
            attention: WindowAttention::new_within(OP, compiler, attention, element, inner)?,
            attention_backward: WindowAttentionBackward::new_within(OP, compiler, attention, element, inner)?,
            projections_backward: PointwiseConvBackward::new_within(OP, compiler, projections, element, inner)?,
            zeros: PartSum::new(OP, compiler.at_first_use())?,
        })
    }

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &SasaLayerOptions {
        &self.options
    }

    /// Shape of queries, keys and values.
    fn projected(&self, shape: Nchw) -> Nchw {
        Nchw { channels: self.options.attention.channels(), ..shape }
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        check::elements(OP, "x", shape)?;
        self.options.check_within(OP, shape)?;
        let projections = self.options.projections();
        let weights = [projections.stack, projections.outputs, projections.inputs / projections.groups];
        // Of the attention: its tables, what it wrote, and the gradients of both.
        let inner = self.attention_backward.tensors(self.projected(shape))?.into_iter().filter_map(|mut spec| {
            let name = spec.name;
            let saved = matches!(name, "y" | "log_sum_exp");
            let taken = saved || name == "y_gradient" || name.starts_with("tables.");
            if saved || name == "y_gradient" {
                // As many axes as the layer's own output.
                spec.shape.remove(2);
            }
            taken.then(|| if saved { spec.optional() } else { spec })
        });
        let mut specs =
            vec![TensorSpec::input("x", shape, self.element), TensorSpec::input("projections", weights, self.element)];
        specs.extend(inner);
        specs.push(TensorSpec::output("x_gradient", shape, self.element).optional());
        specs.push(TensorSpec::output("projections_gradient", weights, Element::F32).optional());
        Ok(specs)
    }

    /// Checks the buffers against the shape of `x` and binds them. Without gradients there is nothing to compute.
    ///
    /// # Errors
    ///
    /// As [`SasaLayer::bind`](crate::SasaLayer::bind), [`WindowAttentionBackward::bind`] and [`PointwiseConvBackward::bind`]. A `y` is
    /// refused in f16 alone, with [`Error::InvalidParameter`].
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: SasaLayerBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let SasaLayerBackwardBuffers { x, projections, tables, y, log_sum_exp, y_gradient, .. } = buffers;
        let SasaLayerBackwardBuffers { x_gradient, projections_gradient, tables_gradient, .. } = buffers;
        let gradients = self.attention_backward.gradient_slices(tables_gradient)?;
        // Before the scratch is created: a caller's mistake is refused before any call to wgpu.
        let mut given = vec![
            ("x", Some(x)),
            ("projections", Some(projections)),
            ("y", y),
            ("log_sum_exp", log_sum_exp),
            ("y_gradient", Some(y_gradient)),
            ("x_gradient", x_gradient),
            ("projections_gradient", projections_gradient),
        ];
        given.extend(self.options.attention.table_slices(OP, tables)?);
        given.extend(gradients);
        let through = x_gradient.is_some() || projections_gradient.is_some();
        let layer = |upstream| PointwiseConvBackwardBuffers {
            x: Some(x),
            weights: Some(projections),
            y_gradient: upstream,
            x_gradient,
            weights_gradient: projections_gradient,
            bias_gradient: None,
        };
        check::slices(OP, device, &specs, &given)?;
        if shape.is_empty() {
            return self.zeros.zeros(device, &specs, &given);
        }
        if !through && gradients.iter().all(|(_, slice)| slice.is_none()) {
            return Ok(Recording::default());
        }

        let projected = self.projected(shape);
        let [q, k, v] = ["q", "k", "v"].map(|label| scratch(device, label, projected, Element::F32));
        let (q, k, v) = (q?, k?, v?);
        let [of_q, of_k, of_v] = ["gradient of q", "gradient of k", "gradient of v"]
            .map(|label| through.then(|| scratch(device, label, projected, Element::F32)).transpose());
        let (of_q, of_k, of_v) = (of_q?, of_k?, of_v?);
        let [of_q, of_k, of_v] = [&of_q, &of_k, &of_v].map(|buffer| buffer.as_ref().map(|buffer| buffer.slice(..)));

        let mut recording = self.projections.bind(
            device,
            shape,
            PointwiseConvBuffers {
                x,
                weights: projections,
                bias: None,
                y: [Some(q.slice(..)), Some(k.slice(..)), Some(v.slice(..))],
            },
        )?;
        let known = log_sum_exp.filter(|_| y.is_some() || self.element != Element::F32);
        let again;
        let (y, log_sum_exp) = match known {
            Some(log_sum_exp) => (y, log_sum_exp),
            None => {
                again = self.attended(device, projected)?;
                let [y, log_sum_exp] = again.each_ref().map(|buffer| buffer.slice(..));
                let (q, k, v) = (q.slice(..), k.slice(..), v.slice(..));
                let buffers = WindowAttentionBuffers { q, k, v, tables, y, log_sum_exp: Some(log_sum_exp) };
                recording.extend(self.attention.bind(device, projected, buffers)?);
                // An output in f16 is too coarse for the gradients.
                ((self.element == Element::F32).then_some(y), log_sum_exp)
            }
        };
        recording.extend(self.attention_backward.bind(
            device,
            projected,
            WindowAttentionBackwardBuffers {
                q: q.slice(..),
                k: k.slice(..),
                v: v.slice(..),
                tables,
                y,
                log_sum_exp,
                y_gradient,
                log_sum_exp_gradient: None,
                q_gradient: of_q,
                k_gradient: of_k,
                v_gradient: of_v,
                tables_gradient,
            },
        )?);
        if through {
            recording.extend(self.projections_backward.bind(device, shape, layer([of_q, of_k, of_v]))?);
        }
        Ok(recording)
    }

    /// Scratch for output and log-sum-exp of the attention.
    fn attended(&self, device: &wgpu::Device, projected: Nchw) -> Result<[wgpu::Buffer; 2], Error> {
        let Ncthw { height, width, .. } = self.options.attention.output(projected);
        let y = Nchw { height, width, ..projected };
        let statistics = Nchw { channels: self.options.attention.heads, ..y };
        Ok([scratch(device, "y", y, self.element)?, scratch(device, "log-sum-exp", statistics, Element::F32)?])
    }

    /// What one run moves and computes if all gradients are wanted and the forward operator's outputs are given.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let projected = self.projected(shape);
        let again = Cost { parameters: 0, ..self.options.projections().cost(shape, self.element, Element::F32) };
        again + self.attention_backward.cost(projected) + self.projections_backward.cost(shape)
    }
}

fn scratch(device: &wgpu::Device, label: &'static str, shape: Nchw, element: Element) -> Result<wgpu::Buffer, Error> {
    let elements = shape.elements().unwrap_or(u64::MAX);
    tensor::scratch(OP, device, label, elements.saturating_mul(element.bytes()))
}
