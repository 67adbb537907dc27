//! `sasa_stem_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::sasa_stem::stem_options;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, Nchw, Recording, SasaStemBackward, SasaStemBackwardBuffers, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct StemGradient(SasaStemBackward);

impl Described for StemGradient {
    const NAME: &'static str = "sasa_stem_backward";
    const ABOUT: &'static str = "the gradients of the attention stem of Stand-Alone Self-Attention";
    const EXAMPLE: Example = super::sasa_stem::Stem::EXAMPLE;
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        Ok(Self(SasaStemBackward::new(compiler, stem_options(options)?, options.element()?)?))
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "x")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.0.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let need = |name| slices.required(Self::NAME, name);
        let buffers = SasaStemBackwardBuffers {
            x: need("x")?,
            projections: need("projections")?,
            row: need("row")?,
            column: need("column")?,
            mix: need("mix")?,
            y_gradient: need("y_gradient")?,
            x_gradient: slices.optional("x_gradient"),
            projections_gradient: slices.optional("projections_gradient"),
            row_gradient: slices.optional("row_gradient"),
            column_gradient: slices.optional("column_gradient"),
            mix_gradient: slices.optional("mix_gradient"),
        };
        self.0.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.0.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let need = |name| inputs.required(Self::NAME, name);
        let (x, projections, upstream) = (need("x")?, need("projections")?, need("y_gradient")?);
        let tables = [need("row")?, need("column")?, need("mix")?];
        let found = reference::sasa_stem_backward(shape, self.0.options(), x, projections, tables, upstream);
        Ok(Arrays::new([
            ("x_gradient", found.x),
            ("projections_gradient", found.projections),
            ("row_gradient", found.row),
            ("column_gradient", found.column),
            ("mix_gradient", found.mix),
        ]))
    }
}
