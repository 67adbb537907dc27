//! `dense` as data.

use num_traits::Float;

use super::example::{Example, N};
use super::options::Reader;
use super::shared::{EPSILON, dense_shape, norm, norm_reference};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Activation, BatchNorm, Cost, Dense, DenseBuffers, DenseShape, Error, Recording, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct Layer {
    operator: Dense,
    activation: Activation,
    epsilon: f32,
}

impl Described for Layer {
    const NAME: &'static str = "dense";
    const ABOUT: &'static str = "a fully connected layer with bias or batch norm and an activation";
    const EXAMPLE: Example = Example::new(&[
        ("input", &[N, ("inputs", 113)]),
        ("second", &[N, ("more", 59)]),
        ("weight", &[("outputs", 127), ("inputs + more", 172)]),
    ])
    .or_without(&["second"]);
    type Shape = DenseShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let activation = options.activation("activation", Activation::None)?;
        let epsilon = options.number("norm_epsilon", Some(EPSILON))?;
        Ok(Self { operator: Dense::new(compiler, activation, options.element()?)?, activation, epsilon })
    }

    fn shape(&self, shapes: &Shapes) -> Result<DenseShape, Error> {
        dense_shape(Self::NAME, shapes)
    }

    fn tensors(&self, shape: DenseShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: DenseShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = DenseBuffers {
            input: slices.required(Self::NAME, "input")?,
            second: slices.optional("second"),
            weight: slices.required(Self::NAME, "weight")?,
            bias: slices.optional("bias"),
            norm: norm(Self::NAME, slices, BatchNorm::NAMES, self.epsilon)?,
            output: slices.required(Self::NAME, "output")?,
        };
        self.operator.bind(device, shape, buffers)
    }

    /// With a bias, which a norm may be folded into.
    fn cost(&self, shape: DenseShape) -> Cost {
        self.operator.cost(shape, true)
    }

    fn reference<T: Float>(&self, shape: DenseShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let norm = norm_reference(Self::NAME, inputs, BatchNorm::NAMES, self.epsilon)?;
        let (weight, bias) = (inputs.required(Self::NAME, "weight")?, inputs.optional("bias"));
        let layer = reference::Layer { weight, bias, norm };
        let first = inputs.required(Self::NAME, "input")?;
        let width = |inputs: u32| inputs as usize;
        let output = match inputs.optional("second") {
            Some(second) => {
                let joined =
                    reference::side_by_side((width(shape.inputs), first), (width(shape.second_inputs), second));
                reference::dense(width(shape.inputs + shape.second_inputs), &joined, &layer, self.activation)
            }
            None => reference::dense(width(shape.inputs), first, &layer, self.activation),
        };
        Ok(Arrays::new([("output", output)]))
    }
}
