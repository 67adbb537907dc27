//! `sasa_layer_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::sasa_layer::layer_options;
use super::shared::tables;
use super::window_attention_backward::{named_gradients, table_gradients};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::reference::{SasaLayerGradients, SasaLayerSaved};
use crate::{Cost, Error, Nchw, Recording, SasaLayerBackward, SasaLayerBackwardBuffers, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct LayerGradient(SasaLayerBackward);

impl Described for LayerGradient {
    const NAME: &'static str = "sasa_layer_backward";
    const ABOUT: &'static str = "the gradients of a layer of Stand-Alone Self-Attention";
    const EXAMPLE: Example = super::sasa_layer::Layer::EXAMPLE;
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        Ok(Self(SasaLayerBackward::new(compiler, layer_options(options)?, options.element()?)?))
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "x")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.0.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let attention = &self.0.options().attention;
        let buffers = SasaLayerBackwardBuffers {
            x: slices.required(Self::NAME, "x")?,
            projections: slices.required(Self::NAME, "projections")?,
            tables: tables(attention, |name| slices.required(Self::NAME, name))?,
            y: slices.optional("y"),
            log_sum_exp: slices.optional("log_sum_exp"),
            y_gradient: slices.required(Self::NAME, "y_gradient")?,
            x_gradient: slices.optional("x_gradient"),
            projections_gradient: slices.optional("projections_gradient"),
            tables_gradient: table_gradients(attention, slices),
        };
        self.0.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.0.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let need = |name| inputs.required(Self::NAME, name);
        let saved = SasaLayerSaved {
            x: need("x")?,
            projections: need("projections")?,
            tables: tables(&self.0.options().attention, need)?,
            y: inputs.optional("y"),
            log_sum_exp: inputs.optional("log_sum_exp"),
            y_gradient: need("y_gradient")?,
        };
        let SasaLayerGradients { x, projections, tables } =
            reference::sasa_layer_backward(shape, self.0.options(), saved);
        let layer = [("x_gradient", x), ("projections_gradient", projections)];
        Ok(Arrays::new(layer.into_iter().chain(named_gradients(tables))))
    }
}
