//! `window_attention_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::shared::{Positions, tables, window_options};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::reference::{WindowAttentionGradients, WindowAttentionSaved};
use crate::{
    Cost, Error, PositionTables, Recording, RelativePosition, TensorSpec, WindowAttentionBackward,
    WindowAttentionBackwardBuffers, WindowAttentionOptions, reference,
};

const BIAS: &str = "tables.bias_gradient";
const FRAMES: &str = "tables.frames_gradient";
const ROWS: &str = "tables.rows_gradient";
const COLUMNS: &str = "tables.columns_gradient";

/// The gradients of the tables of the options' relative term, as far as they are given.
pub(super) fn table_gradients<'a>(
    options: &WindowAttentionOptions,
    slices: &Slices<'a>,
) -> PositionTables<wgpu::BufferSlice<'a>> {
    match options.relative {
        RelativePosition::None => PositionTables::None,
        RelativePosition::Bias => slices.optional(BIAS).map_or(PositionTables::None, PositionTables::Bias),
        RelativePosition::PerHead | RelativePosition::WholeChannel | RelativePosition::Sum => {
            let [frames, rows, columns] = [FRAMES, ROWS, COLUMNS].map(|name| slices.optional(name));
            PositionTables::Axes { frames, rows, columns }
        }
    }
}

/// Gradients of tables by name.
pub(super) fn named_gradients<T>(tables: PositionTables<Vec<T>>) -> impl Iterator<Item = (&'static str, Vec<T>)> {
    let tables = match tables {
        PositionTables::None => [(BIAS, None), (ROWS, None), (COLUMNS, None)],
        PositionTables::Bias(bias) => [(BIAS, Some(bias)), (ROWS, None), (COLUMNS, None)],
        PositionTables::Axes { frames, rows, columns } => [(FRAMES, frames), (ROWS, rows), (COLUMNS, columns)],
    };
    tables.into_iter().filter_map(|(name, table)| Some((name, table?)))
}

#[derive(Debug)]
pub(super) struct AttentionGradient(WindowAttentionBackward);

impl Described for AttentionGradient {
    const NAME: &'static str = "window_attention_backward";
    const ABOUT: &'static str = "the gradients of windowed attention with respect to queries, keys, values and tables";
    const EXAMPLE: Example = super::window_attention::Attention::EXAMPLE;
    type Shape = Positions;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let window = window_options(options)?;
        let value_dim = options.integer("value_dim", Some(window.head_dim))?;
        Ok(Self(WindowAttentionBackward::new(compiler, window.with_value_dim(value_dim), options.element()?)?))
    }

    fn shape(&self, shapes: &Shapes) -> Result<Positions, Error> {
        Positions::of(Self::NAME, shapes, "q")
    }

    fn tensors(&self, shape: Positions) -> Result<Vec<TensorSpec>, Error> {
        Ok(shape.specs(self.0.tensors(shape.shape)?))
    }

    fn bind(&self, device: &wgpu::Device, shape: Positions, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = WindowAttentionBackwardBuffers {
            q: slices.required(Self::NAME, "q")?,
            k: slices.required(Self::NAME, "k")?,
            v: slices.required(Self::NAME, "v")?,
            tables: tables(self.0.options(), |name| slices.required(Self::NAME, name))?,
            y: slices.optional("y"),
            log_sum_exp: slices.required(Self::NAME, "log_sum_exp")?,
            y_gradient: slices.required(Self::NAME, "y_gradient")?,
            log_sum_exp_gradient: slices.optional("log_sum_exp_gradient"),
            q_gradient: slices.optional("q_gradient"),
            k_gradient: slices.optional("k_gradient"),
            v_gradient: slices.optional("v_gradient"),
            tables_gradient: table_gradients(self.0.options(), slices),
        };
        self.0.bind(device, shape.shape, buffers)
    }

    fn cost(&self, shape: Positions) -> Cost {
        self.0.cost(shape.shape)
    }

    fn reference<T: Float>(&self, shape: Positions, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let need = |name| inputs.required(Self::NAME, name);
        let saved = WindowAttentionSaved {
            q: need("q")?,
            k: need("k")?,
            v: need("v")?,
            tables: tables(self.0.options(), need)?,
            y: inputs.optional("y"),
            log_sum_exp: need("log_sum_exp")?,
            y_gradient: need("y_gradient")?,
            log_sum_exp_gradient: inputs.optional("log_sum_exp_gradient"),
        };
        let WindowAttentionGradients { q, k, v, tables } =
            reference::window_attention_backward(shape.shape, self.0.options(), saved);
        let mut found = vec![("q_gradient", q), ("k_gradient", k), ("v_gradient", v)];
        found.extend(named_gradients(tables));
        Ok(Arrays::new(found))
    }
}
