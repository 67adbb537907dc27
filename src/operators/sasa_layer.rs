//! `sasa_layer` as data.

use num_traits::Float;

use super::example::{Example, H, N, W};
use super::options::Reader;
use super::shared::{tables, window_options};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, Nchw, Recording, SasaLayer, SasaLayerBuffers, SasaLayerOptions, TensorSpec, reference};

/// The options of the layer and of its gradients.
pub(super) fn layer_options(options: &Reader<'_>) -> Result<SasaLayerOptions, Error> {
    let (inputs, groups) = (options.integer("inputs", None)?, options.integer("groups", Some(1))?);
    Ok(SasaLayerOptions::new(inputs, window_options(options)?).with_groups(groups))
}

#[derive(Debug)]
pub(super) struct Layer {
    operator: SasaLayer,
    options: SasaLayerOptions,
}

impl Described for Layer {
    const NAME: &'static str = "sasa_layer";
    const ABOUT: &'static str = "a layer of Stand-Alone Self-Attention: projections, and windowed attention over them";
    const EXAMPLE: Example = Example::new(&[("x", &[N, ("inputs", 113), H, W])]).with(&[
        ("inputs", "113"),
        ("heads", "6"),
        ("head_dim", "24"),
        ("window", "5,7"),
    ]);
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let chosen = layer_options(options)?;
        Ok(Self { operator: SasaLayer::new(compiler, chosen, options.element()?)?, options: chosen })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "x")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = SasaLayerBuffers {
            x: slices.required(Self::NAME, "x")?,
            projections: slices.required(Self::NAME, "projections")?,
            tables: tables(&self.options.attention, |name| slices.required(Self::NAME, name))?,
            y: slices.required(Self::NAME, "y")?,
            log_sum_exp: slices.optional("log_sum_exp"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let need = |name| inputs.required(Self::NAME, name);
        let tables = tables(&self.options.attention, need)?;
        let found = reference::sasa_layer(shape, &self.options, need("x")?, need("projections")?, tables);
        Ok(Arrays::new([("y", found.y), ("log_sum_exp", found.log_sum_exp)]))
    }
}
