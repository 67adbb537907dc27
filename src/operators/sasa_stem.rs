//! `sasa_stem` as data.

use num_traits::Float;

use super::example::{Example, H, N, W};
use super::options::Reader;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, Nchw, Recording, SasaStem, SasaStemBuffers, SasaStemOptions, Size, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct Stem {
    operator: SasaStem,
    options: SasaStemOptions,
}

pub(super) fn stem_options(options: &Reader<'_>) -> Result<SasaStemOptions, Error> {
    let inputs = options.integer("inputs", Some(3))?;
    let (heads, head_dim) = (options.integer("heads", None)?, options.integer("head_dim", None)?);
    let window = options.size("window", Some(Size::new(4, 4)))?;
    let padding = options.size("padding", Some(Size::new(2, 2)))?;
    let mixtures = options.integer("mixtures", Some(4))?;
    Ok(SasaStemOptions::new(heads, head_dim, options.integer("embeddings", None)?)
        .with_inputs(inputs)
        .with_window(window)
        .with_padding(padding)
        .with_mixtures(mixtures)
        .with_scale(options.number("scale", Some(1.0))?))
}

impl Described for Stem {
    const NAME: &'static str = "sasa_stem";
    const ABOUT: &'static str = "the attention stem of Stand-Alone Self-Attention: values mixed by position";
    const EXAMPLE: Example = Example::new(&[("x", &[N, ("inputs", 113), H, W])]).with(&[
        ("inputs", "113"),
        ("heads", "6"),
        ("head_dim", "24"),
        ("window", "9,10"),
        ("mixtures", "5"),
        ("embeddings", "13"),
    ]);
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let chosen = stem_options(options)?;
        Ok(Self { operator: SasaStem::new(compiler, chosen, options.element()?)?, options: chosen })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "x")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let need = |name| slices.required(Self::NAME, name);
        let buffers = SasaStemBuffers {
            x: need("x")?,
            projections: need("projections")?,
            row: need("row")?,
            column: need("column")?,
            mix: need("mix")?,
            y: need("y")?,
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let need = |name| inputs.required(Self::NAME, name);
        let [x, projections, row, column, mix] =
            [need("x")?, need("projections")?, need("row")?, need("column")?, need("mix")?];
        let y = reference::sasa_stem(shape, &self.options, x, projections, row, column, mix);
        Ok(Arrays::new([("y", y)]))
    }
}
