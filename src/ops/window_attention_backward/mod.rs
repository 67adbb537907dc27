//! The gradients of windowed attention with respect to queries, keys, values and position tables.
//!
//! For entry `e` of the window of a query, with the logits `score(e)` of [`WindowAttention`](crate::WindowAttention):
//!
//! ```text
//! P(e)  = exp(score(e) - log_sum_exp)
//! dP(e) = y_gradient . v(e)                              0 for a key outside the tensor
//! D     = y_gradient . y - log_sum_exp_gradient
//! dS(e) = P(e) * (dP(e) - D)
//!
//! q_gradient    = sum over e of dS(e) * (scale * k(e) + r * E(e))
//! k_gradient    = sum over the queries whose windows hold the key of scale * dS * q
//! v_gradient    = sum over the same queries of P * y_gradient
//! gradient of E = sum over all queries that use the embedding of r * dS * q
//! gradient of B = sum over all queries that use the bias of r * dS
//! ```
//!
//! This is the chain rule of Stand-Alone Self-Attention's Eqs. 2 and 3 (Ramachandran et al. 2019, arXiv:1906.05909). `r`, `E` and `B` are
//! those of [`WindowAttention`](crate::WindowAttention). A query without keys has the log-sum-exp -infinity, and adds nothing.
//!
//! ```no_run
//! use visual_attention::{
//!     Border, Element, Nchw, PositionTables, WindowAttentionBackward, WindowAttentionBackwardBuffers, WindowAttentionOptions,
//!     WindowAxis,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let options = WindowAttentionOptions::plane(4, 16, [WindowAxis::new(7).with_border(Border::Shift); 2]);
//! let backward = WindowAttentionBackward::new(&gpu.device, options, Element::F32)?;
//!
//! let shape = Nchw::new(1, options.channels(), 32, 32);
//! let numbers = vec![0.5f32; 64 * 32 * 32];
//! let [q, k, v] = [gpu.upload("q", &numbers)?, gpu.upload("k", &numbers)?, gpu.upload("v", &numbers)?];
//! // What the forward operator wrote, and the gradient of the loss with respect to it.
//! let [y, y_gradient] = [gpu.upload("y", &numbers)?, gpu.upload("gradient of y", &numbers)?];
//! let log_sum_exp = gpu.upload("log-sum-exp", &vec![4f32; 4 * 32 * 32])?;
//! let [dq, dk, dv] = [gpu.buffer("dq", 262_144)?, gpu.buffer("dk", 262_144)?, gpu.buffer("dv", 262_144)?];
//! let buffers = WindowAttentionBackwardBuffers {
//!     q: q.slice(..),
//!     k: k.slice(..),
//!     v: v.slice(..),
//!     tables: PositionTables::None,
//!     y: Some(y.slice(..)),
//!     log_sum_exp: log_sum_exp.slice(..),
//!     y_gradient: y_gradient.slice(..),
//!     log_sum_exp_gradient: None,
//!     q_gradient: Some(dq.slice(..)),
//!     k_gradient: Some(dk.slice(..)),
//!     v_gradient: Some(dv.slice(..)),
//!     tables_gradient: PositionTables::None,
//! };
//! let recording = backward.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Options and tensors
//!
//! The options are those of the forward operator, [`WindowAttentionOptions`]. [`WindowAttentionBackward::tensors`] lists the tensors. The
//! forward operator must have written `log_sum_exp`. In f32 `D` comes from its output `y`. An output in f16 is too coarse for `D`, so then
//! `D` is summed up again as `P . dP`, `y` is not read, and the operator takes half as long again.
//!
//! Every gradient is optional: what is absent is not computed. Gradients of tables are f32, all others have the type of their tensor.
//! Gradients replace what their buffers held.
//!
//! # Kernels
//!
//! A first kernel computes `D` and the products of queries and embeddings. A walk over queries then computes `q_gradient`, and what the
//! gradients of the tables need. A walk over keys computes `k_gradient` and `v_gradient` from the queries whose windows hold each key. No
//! number has two writers, so no atomics are needed, and the bits depend on nothing but the inputs. Sums over the batch go image by image.
//!
//! Scratch is 8 bytes for each query and head. Tables of the axes take 8 more for each entry of each axis, and so `kt + kh + kw` times as
//! many, never `kt * kh * kw`. The gradient of a bias table needs the gradients of all logits, of some queries at a time. They take 32 MiB at
//! most, or more if 64 columns of four queries need more.
//!
//! # Errors and cost
//!
//! Work is divided over images and heads, so one head of one image or video must fit a binding of the device. On a software adapter, `new`
//! refuses windows that take more loop iterations than one invocation may run there. With [`Border::Shift`](crate::Border::Shift) a key near
//! the border is in more windows than a window has keys, so the bound is lower than that of the forward operator.
//!
//! [`WindowAttentionBackward::cost`] counts the five products that the gradients need: logits, `dP`, and one for each of the three gradients.
//!
//! Kernels [`WINDOW_ATTENTION_BACKWARD_PREPARE`](crate::shaders::WINDOW_ATTENTION_BACKWARD_PREPARE),
//! [`WINDOW_ATTENTION_BACKWARD_QUERY`](crate::shaders::WINDOW_ATTENTION_BACKWARD_QUERY),
//! [`WINDOW_ATTENTION_BACKWARD_KEY`](crate::shaders::WINDOW_ATTENTION_BACKWARD_KEY), and for tables and strides
//! [`WINDOW_ATTENTION_BACKWARD_TABLES`](crate::shaders::WINDOW_ATTENTION_BACKWARD_TABLES),
//! [`WINDOW_ATTENTION_BACKWARD_PRODUCT`](crate::shaders::WINDOW_ATTENTION_BACKWARD_PRODUCT),
//! [`WINDOW_ATTENTION_BACKWARD_BIAS`](crate::shaders::WINDOW_ATTENTION_BACKWARD_BIAS),
//! [`WINDOW_ATTENTION_BACKWARD_SUM`](crate::shaders::WINDOW_ATTENTION_BACKWARD_SUM),
//! [`WINDOW_ATTENTION_BACKWARD_CLEAR`](crate::shaders::WINDOW_ATTENTION_BACKWARD_CLEAR); reference
//! [`reference::window_attention_backward`](crate::reference::window_attention_backward).

mod bias;
mod buffers;
mod kernels;
mod plan;
mod tables;

use bytemuck::Zeroable;

use self::buffers::{TABLES, Tables};
use self::kernels::{ClearParams, GROUP, Kernels, PrepareParams, TablesParams};
use self::plan::{Core, Plan, Purpose, Walked, tiles};
use crate::cost::count;
use crate::kernel::{Compiler, Dispatch, Tensor, check, tensor};
use crate::ops::part_sum::PartSum;
use crate::ops::window_attention::{PositionTables, RelativePosition, WindowAttentionOptions};
use crate::{Cost, Element, Error, Ncthw, Recording, TensorSpec};

pub use self::buffers::WindowAttentionBackwardBuffers;
pub(crate) use self::kernels::{
    WINDOW_ATTENTION_BACKWARD_BIAS, WINDOW_ATTENTION_BACKWARD_CLEAR, WINDOW_ATTENTION_BACKWARD_KEY,
    WINDOW_ATTENTION_BACKWARD_PREPARE, WINDOW_ATTENTION_BACKWARD_PRODUCT, WINDOW_ATTENTION_BACKWARD_QUERY,
    WINDOW_ATTENTION_BACKWARD_SUM, WINDOW_ATTENTION_BACKWARD_TABLES,
};

const OP: &str = "window_attention_backward";

/// The gradients of [`WindowAttention`](crate::WindowAttention); the [page](self) has formulas and example.
#[derive(Clone, Debug)]
pub struct WindowAttentionBackward {
    core: Core,
    zeros: PartSum,
}

impl WindowAttentionBackward {
    /// Compiles for tensors of type `element`. Kernels of table gradients and of strides are compiled by the first [`Self::bind`] that needs
    /// them.
    ///
    /// # Errors
    ///
    /// As [`WindowAttention::new`](crate::WindowAttention::new).
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: WindowAttentionOptions,
        element: Element,
    ) -> Result<Self, Error> {
        Self::new_within(OP, compiler.into(), options, element, element)
    }

    /// Like [`Self::new`], with queries, keys, values and their gradients of type `inner`.
    pub(crate) fn new_within(
        op: &'static str,
        compiler: Compiler<'_>,
        options: WindowAttentionOptions,
        element: Element,
        inner: Element,
    ) -> Result<Self, Error> {
        options.check_options(op)?;
        let tiles = tiles(&options, compiler.software);
        let [query, key] = tiles;
        for tile in [query, key] {
            compiler.check_rounds(op, tile.rounds, "make the window smaller, or the heads less deep")?;
        }
        let kernels = Kernels::new(op, compiler, &options, [element, inner], tiles)?;
        let zeros = PartSum::new(op, compiler.at_first_use())?;
        Ok(Self { core: Core { op, options, element, inner, tiles, kernels }, zeros })
    }

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &WindowAttentionOptions {
        &self.core.options
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked. `shape` is that of `q` and `k`.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: impl Into<Ncthw>) -> Result<Vec<TensorSpec>, Error> {
        let (options, shape) = (&self.core.options, shape.into());
        let values = Ncthw { channels: options.value_channels(), ..shape };
        for (name, shape) in [("q", shape), ("v", values)] {
            check::elements(self.core.op, name, shape)?;
        }
        options.check_shape(self.core.op, shape)?;
        let y = options.output(shape);
        let log_sum_exp = Ncthw { channels: options.heads, ..y };
        let mut specs = Vec::from(["q", "k"].map(|name| TensorSpec::input(name, shape, self.core.inner)));
        specs.push(TensorSpec::input("v", values, self.core.inner));
        specs.extend(options.table_specs(self.core.element));
        if self.core.element == Element::F32 {
            specs.push(TensorSpec::input("y", y, self.core.element));
        }
        specs.push(TensorSpec::input("log_sum_exp", log_sum_exp, Element::F32));
        specs.push(TensorSpec::input("y_gradient", y, self.core.element));
        specs.push(TensorSpec::input("log_sum_exp_gradient", log_sum_exp, Element::F32).optional());
        specs.extend(
            ["q_gradient", "k_gradient"].map(|name| TensorSpec::output(name, shape, self.core.inner).optional()),
        );
        specs.push(TensorSpec::output("v_gradient", values, self.core.inner).optional());
        specs.extend(options.table_specs(Element::F32).into_iter().map(|spec| {
            let name = TABLES.iter().find(|(table, _)| *table == spec.name).map_or(spec.name, |(_, gradient)| gradient);
            TensorSpec::output(name, spec.shape, Element::F32).optional()
        }));
        Ok(specs)
    }

    /// Checks the buffers against the shape of `q` and `k`, and binds them. Without gradients there is nothing to compute.
    ///
    /// # Errors
    ///
    /// As [`WindowAttention::bind`](crate::WindowAttention::bind), and:
    ///
    /// - [`Error::InvalidParameter`]: a `y` in f16, or its lack in f32.
    /// - [`Error::LimitExceeded`]: scratch exceeds a buffer of the device, or a table's gradient is a sum over more heads of all images than
    ///   one invocation may add up.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: impl Into<Ncthw>,
        buffers: WindowAttentionBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let (options, shape) = (&self.core.options, shape.into());
        let specs = self.tensors(shape)?;
        let tables = options.table_slices(self.core.op, buffers.tables)?;
        let gradients = self.gradient_slices(buffers.tables_gradient)?;
        let mut given = vec![
            ("q", Some(buffers.q)),
            ("k", Some(buffers.k)),
            ("v", Some(buffers.v)),
            ("y", buffers.y),
            ("log_sum_exp", Some(buffers.log_sum_exp)),
            ("y_gradient", Some(buffers.y_gradient)),
            ("log_sum_exp_gradient", buffers.log_sum_exp_gradient),
            ("q_gradient", buffers.q_gradient),
            ("k_gradient", buffers.k_gradient),
            ("v_gradient", buffers.v_gradient),
        ];
        given.extend(tables);
        given.extend(gradients);
        check::slices(self.core.op, device, &specs, &given)?;
        if shape.is_empty() {
            return self.zeros.zeros(device, &specs, &given);
        }
        let with_tables = gradients.iter().any(|(_, slice)| slice.is_some());
        let with_scores = with_tables || buffers.q_gradient.is_some() || buffers.k_gradient.is_some();
        if !with_scores && buffers.v_gradient.is_none() {
            return Ok(Recording::default());
        }

        let plan = Plan::new(&self.core, shape)?;
        let mut dispatches = Vec::new();
        let packed = self.pack(device, &plan, tables, &mut dispatches)?;
        let records = tensor::scratch(self.core.op, device, "records", plan.record_bytes())?;
        let walked = Walked { device, buffers: &buffers, tables: packed.as_ref(), records: &records };
        let y = buffers.y.filter(|_| with_scores);
        dispatches.extend(self.prepare(&plan, &walked, y)?);
        if with_scores && y.is_none() {
            dispatches.extend(plan.walk_queries(&walked, Purpose::Delta)?);
        }
        if buffers.q_gradient.is_some() && plan.strided() {
            dispatches.extend(self.clear(&plan, &walked)?);
        }
        let [_, (_, bias_gradient), _] = gradients;
        match bias_gradient.filter(|_| options.relative == RelativePosition::Bias) {
            Some(gradient) => dispatches.extend(bias::walk_queries(&plan, &walked, gradient)?),
            None if with_tables => {
                let marginals = tensor::scratch(self.core.op, device, "marginals", plan.marginal_bytes(self.core.op)?)?;
                dispatches.extend(plan.walk_queries(&walked, Purpose::Gradients(Some(&marginals)))?);
                dispatches.extend(tables::table_gradients(&plan, &walked, &marginals, gradients)?);
            }
            None if buffers.q_gradient.is_some() => {
                dispatches.extend(plan.walk_queries(&walked, Purpose::Gradients(None))?);
            }
            None => {}
        }
        if buffers.k_gradient.is_some() || buffers.v_gradient.is_some() {
            dispatches.extend(plan.walk_keys(&walked)?);
        }
        Ok(Recording::new(dispatches))
    }

    /// The slices of the tables' gradients, in the order of the axes. A bias table takes the place of the rows'.
    pub(crate) fn gradient_slices<'a>(
        &self,
        tables: PositionTables<wgpu::BufferSlice<'a>>,
    ) -> Result<Tables<'a>, Error> {
        let [_, (_, frames), (_, rows), (_, columns)] = TABLES;
        if tables == PositionTables::None {
            return Ok([(frames, None), (rows, None), (columns, None)]);
        }
        let slices = self.core.options.table_slices(self.core.op, tables)?.map(|(_, slice)| slice);
        let rows = if self.core.options.relative == RelativePosition::Bias { TABLES[0].1 } else { rows };
        Ok([(frames, slices[0]), (rows, slices[1]), (columns, slices[2])])
    }

    /// All tables in one scratch buffer in f32, if there are tables.
    fn pack(
        &self,
        device: &wgpu::Device,
        plan: &Plan<'_>,
        tables: Tables<'_>,
        dispatches: &mut Vec<Dispatch>,
    ) -> Result<Option<wgpu::Buffer>, Error> {
        let elements = plan.tables.iter().map(|&elements| u64::from(elements)).sum();
        if elements == 0 {
            return Ok(None);
        }
        let buffer = tensor::scratch(self.core.op, device, "tables", elements * 4)?;
        let mut tensors = self.core.options.table_tensors(tables, self.core.element);
        if plan.exchanged() {
            tensors.swap(1, 2);
        }
        let [frame, row, column] = tensors;
        let tensors = [frame, row, column, Tensor::whole(buffer.slice(..), elements, 4)];
        let groups = [check::to_u32(self.core.op, "elements of the tables", elements)?.div_ceil(GROUP), 1];
        let [frame_elements, row_elements, column_elements] = plan.tables;
        dispatches.extend(self.core.kernels.tables.bind(device, 1, groups, &tensors, None, |_| TablesParams {
            frame_elements,
            row_elements,
            column_elements,
            ..Zeroable::zeroed()
        })?);
        Ok(Some(buffer))
    }

    fn prepare(
        &self,
        plan: &Plan<'_>,
        walked: &Walked<'_>,
        y: Option<wgpu::BufferSlice<'_>>,
    ) -> Result<Vec<Dispatch>, Error> {
        let buffers = walked.buffers;
        let tensors = [
            plan.queries(buffers.q),
            plan.tables(walked.tables),
            plan.outputs(y),
            plan.outputs(buffers.y_gradient),
            plan.statistics(buffers.log_sum_exp),
            plan.statistics(buffers.log_sum_exp_gradient),
            plan.records(walked.records),
        ];
        let groups = [plan.out_positions.div_ceil(GROUP), plan.fields - 1];
        let params = plan.prepare();
        self.core.kernels.prepare.bind(walked.device, plan.planes, groups, &tensors, None, |part| PrepareParams {
            with_y: y.is_some().into(),
            with_log_sum_exp_gradient: buffers.log_sum_exp_gradient.is_some().into(),
            plane: part.units.start,
            ..params
        })
    }

    /// Zeros in the gradient of the queries, where a stride leaves out positions.
    fn clear(&self, plan: &Plan<'_>, walked: &Walked<'_>) -> Result<Vec<Dispatch>, Error> {
        let elements = check::to_u32(self.core.op, "elements of a head", plan.head_elements())?;
        let tensors = [plan.queries(walked.buffers.q_gradient)];
        let groups = [elements.div_ceil(GROUP), 1];
        self.core.kernels.clear.bind(walked.device, plan.planes, groups, &tensors, None, |_| ClearParams {
            elements,
            ..Zeroable::zeroed()
        })
    }

    /// What one run moves and computes, for `q`, `k` and `v` of this shape, if all gradients are wanted. Parameters are the tables.
    #[must_use]
    pub fn cost(&self, shape: impl Into<Ncthw>) -> Cost {
        let shape = shape.into();
        let forward = self.core.options.cost(shape, self.core.element, self.core.inner);
        let (head_dim, value_dim) = (u64::from(self.core.options.head_dim), u64::from(self.core.options.value_dim));
        let out = self.core.options.output(shape);
        let products =
            count(out.positions()) * count(u64::from(shape.batch)) * count(u64::from(self.core.options.heads));
        let products = products * count(self.core.options.keys()) * count(2 * (2 * head_dim + value_dim));
        let upstream = count(out.elements()) * count(self.core.element.bytes());
        let statistics =
            count(u64::from(out.batch)) * count(u64::from(self.core.options.heads)) * count(out.positions());
        let channels = count(u64::from(self.core.options.channels())) * count(2)
            + count(u64::from(self.core.options.value_channels()));
        let gradients =
            channels * count(u64::from(shape.batch)) * count(shape.positions()) * count(self.core.inner.bytes());
        let tables = count(forward.parameters) * count(4);
        let bytes = count(forward.bytes) + upstream + statistics * count(4) + gradients + tables;
        Cost::new(bytes, count(forward.flops) + products, count(forward.parameters))
    }
}
