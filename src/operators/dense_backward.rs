//! `dense_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::shared::{EPSILON, dense_shape, norm, norm_reference};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Activation, BatchNorm, Cost, DenseBackward, DenseBackwardBuffers, DenseShape, Error, Recording, TensorSpec,
    reference,
};

#[derive(Debug)]
pub(super) struct LayerGradient {
    operator: DenseBackward,
    activation: Activation,
    epsilon: f32,
}

impl Described for LayerGradient {
    const NAME: &'static str = "dense_backward";
    const ABOUT: &'static str = "the gradients of a fully connected layer";
    const EXAMPLE: Example = super::dense::Layer::EXAMPLE;
    type Shape = DenseShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let activation = options.activation("activation", Activation::None)?;
        let epsilon = options.number("norm_epsilon", Some(EPSILON))?;
        Ok(Self { operator: DenseBackward::new(compiler, activation, options.element()?)?, activation, epsilon })
    }

    fn shape(&self, shapes: &Shapes) -> Result<DenseShape, Error> {
        dense_shape(Self::NAME, shapes)
    }

    fn tensors(&self, shape: DenseShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: DenseShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = DenseBackwardBuffers {
            input: slices.required(Self::NAME, "input")?,
            second: slices.optional("second"),
            weight: slices.required(Self::NAME, "weight")?,
            bias: slices.optional("bias"),
            norm: norm(Self::NAME, slices, BatchNorm::NAMES, self.epsilon)?,
            output_gradient: slices.required(Self::NAME, "output_gradient")?,
            input_gradient: slices.optional("input_gradient"),
            second_gradient: slices.optional("second_gradient"),
            weight_gradient: slices.optional("weight_gradient"),
            bias_gradient: slices.optional("bias_gradient"),
            norm_weight_gradient: slices.optional("norm.weight_gradient"),
            norm_bias_gradient: slices.optional("norm.bias_gradient"),
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
        let [first, second] = [shape.inputs, shape.second_inputs].map(|inputs| inputs as usize);
        let input = inputs.required(Self::NAME, "input")?;
        let joined = match inputs.optional("second") {
            Some(right) => reference::side_by_side((first, input), (second, right)),
            None => input.to_vec(),
        };
        let width = first + second;
        let upstream = inputs.required(Self::NAME, "output_gradient")?;
        let gradients = reference::dense_backward(width, &joined, &layer, self.activation, upstream);
        let columns = |range: std::ops::Range<usize>| -> Vec<T> {
            gradients.input.chunks_exact(width).flat_map(|vector| vector[range.clone()].to_vec()).collect()
        };
        let mut arrays = vec![("input_gradient", columns(0..first)), ("weight_gradient", gradients.weight.clone())];
        if second > 0 {
            arrays.push(("second_gradient", columns(first..width)));
        }
        match norm {
            Some(_) => {
                arrays.push(("norm.weight_gradient", gradients.norm_weight.clone()));
                arrays.push(("norm.bias_gradient", gradients.bias.clone()));
            }
            None => arrays.push(("bias_gradient", gradients.bias.clone())),
        }
        Ok(Arrays::new(arrays))
    }
}
