//! The two layers of an excitation, forward again and then backward, for every gate that is computed by them.

use crate::kernel::{Compiler, Dispatch, tensor};
use crate::ops::dense::Join;
use crate::ops::dense_backward::{Activate, Extents, Finish, LayerBackward};
use crate::ops::squeeze_excite::Excitation;
use crate::{Activation, Element, Error};

/// The kernels, with the activations of the hidden vector and of the gate.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    op: &'static str,
    activation: Activation,
    gate: Activation,
    layer: LayerBackward,
}

/// Gradients of the parameters, f32.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerGradients<'a> {
    pub(crate) reduce_weight: Option<wgpu::BufferSlice<'a>>,
    pub(crate) reduce_bias: Option<wgpu::BufferSlice<'a>>,
    pub(crate) expand_weight: Option<wgpu::BufferSlice<'a>>,
    pub(crate) expand_bias: Option<wgpu::BufferSlice<'a>>,
}

impl LayerGradients<'_> {
    fn of_reduce(&self) -> bool {
        self.reduce_weight.is_some() || self.reduce_bias.is_some()
    }

    /// Whether a gradient of a parameter is wanted.
    pub(crate) fn any(&self) -> bool {
        self.of_reduce() || self.expand_weight.is_some() || self.expand_bias.is_some()
    }
}

/// How many vectors, and how wide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerShape {
    pub(crate) batch: u32,
    pub(crate) channels: u32,
    /// Squeezed vectors of an image.
    pub(crate) vectors: u32,
}

/// What the layers computed, in scratch.
pub(crate) struct Excited {
    reduce_sums: wgpu::Buffer,
    hidden: wgpu::Buffer,
    expand_sums: wgpu::Buffer,
    gate: wgpu::Buffer,
}

impl Excited {
    /// `[n, c]`: the gate, once [`Layers::gate`] or [`Layers::backward`] has run.
    pub(crate) fn gate(&self) -> wgpu::BufferSlice<'_> {
        self.gate.slice(..)
    }
}

impl Layers {
    pub(crate) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        [activation, gate]: [Activation; 2],
        element: Element,
    ) -> Result<Self, Error> {
        activation.check(op, "activation")?;
        gate.check(op, "gate")?;
        Ok(Self { op, activation, gate, layer: LayerBackward::new(op, compiler, element)? })
    }

    fn extents(shape: LayerShape, reduced: u32) -> [Extents; 2] {
        let LayerShape { batch, channels, vectors } = shape;
        let reduce = Extents { batch, vectors, joined: false, inputs: channels, second_inputs: 0, outputs: reduced };
        [reduce, Extents { joined: true, inputs: reduced, outputs: channels, ..reduce }]
    }

    /// Refuses more vectors than one invocation may add up.
    pub(crate) fn check(&self, shape: LayerShape, reduced: u32) -> Result<(), Error> {
        Self::extents(shape, reduced)[0].check(self.op)
    }

    fn scratch(
        &self,
        device: &wgpu::Device,
        label: &'static str,
        [batch, vectors, width]: [u32; 3],
    ) -> Result<wgpu::Buffer, Error> {
        let numbers = u64::from(batch).saturating_mul(vectors.into()).saturating_mul(width.into());
        tensor::scratch(self.op, device, label, numbers.saturating_mul(4))
    }

    /// The sums of both layers and the hidden vectors of `squeezed [n, vectors, c]`.
    pub(crate) fn forward(
        &self,
        device: &wgpu::Device,
        shape: LayerShape,
        squeezed: wgpu::BufferSlice<'_>,
        excitation: &Excitation<'_>,
    ) -> Result<(Vec<Dispatch>, Excited), Error> {
        let [reduce, expand] = Self::extents(shape, excitation.reduced);
        let LayerShape { batch, channels, vectors } = shape;
        let excited = Excited {
            reduce_sums: self.scratch(device, "sums of the first layer", [batch, vectors, excitation.reduced])?,
            hidden: self.scratch(device, "hidden", [batch, vectors, excitation.reduced])?,
            expand_sums: self.scratch(device, "sums of the second layer", [batch, vectors, channels])?,
            gate: self.scratch(device, "gate", [batch, 1, channels])?,
        };
        let (reduce_sums, hidden) = (excited.reduce_sums.slice(..), excited.hidden.slice(..));
        let mut dispatches =
            self.layer.sums(device, &reduce, (squeezed, Join::One), excitation.reduce_weight, reduce_sums)?;
        let of_sums =
            Activate { sums: reduce_sums, output_gradient: None, output: Some(hidden), gradient: None, scaled: true };
        dispatches.extend(self.layer.activate(device, &reduce, self.reduce_finish(excitation), of_sums)?);
        let sums = excited.expand_sums.slice(..);
        dispatches.extend(self.layer.sums(device, &expand, (hidden, Join::One), excitation.expand_weight, sums)?);
        Ok((dispatches, excited))
    }

    fn reduce_finish<'a>(&self, excitation: &Excitation<'a>) -> Finish<'a> {
        Finish { bias: excitation.reduce_bias, norm: None, activation: self.activation }
    }

    fn expand_finish<'a>(&self, excitation: &Excitation<'a>) -> Finish<'a> {
        Finish { bias: excitation.expand_bias, norm: None, activation: self.gate }
    }

    /// The gate, for an operator that needs it before its gradient.
    pub(crate) fn gate(
        &self,
        device: &wgpu::Device,
        shape: LayerShape,
        excited: &Excited,
        excitation: &Excitation<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let [_, expand] = Self::extents(shape, excitation.reduced);
        let tensors = Activate {
            sums: excited.expand_sums.slice(..),
            output_gradient: None,
            output: Some(excited.gate()),
            gradient: None,
            scaled: true,
        };
        self.layer.activate(device, &expand, self.expand_finish(excitation), tensors)
    }

    /// The gate once more, and from its gradient `[n, c]` the gradients of the parameters that are wanted. With `through` also those of the
    /// squeezed vectors, `[n, vectors, c]`, in scratch.
    #[expect(clippy::too_many_arguments, reason = "what was squeezed and computed, and what is wanted")]
    pub(crate) fn backward(
        &self,
        device: &wgpu::Device,
        shape: LayerShape,
        squeezed: wgpu::BufferSlice<'_>,
        excited: &Excited,
        excitation: &Excitation<'_>,
        gate_gradient: wgpu::BufferSlice<'_>,
        gradients: LayerGradients<'_>,
        through: bool,
    ) -> Result<(Vec<Dispatch>, Option<wgpu::Buffer>), Error> {
        let [reduce, expand] = Self::extents(shape, excitation.reduced);
        let LayerShape { batch, channels, vectors } = shape;
        let layer = &self.layer;
        let (reduce_sums, hidden) = (excited.reduce_sums.slice(..), excited.hidden.slice(..));
        let of_logits = self.scratch(device, "gradient of the logits", [batch, 1, channels])?;
        let of_logits = of_logits.slice(..);
        let of_gate = Activate {
            sums: excited.expand_sums.slice(..),
            output_gradient: Some(gate_gradient),
            output: Some(excited.gate()),
            gradient: Some(of_logits),
            scaled: true,
        };
        let mut dispatches = layer.activate(device, &expand, self.expand_finish(excitation), of_gate)?;
        if let Some(gradient) = gradients.expand_weight {
            dispatches.extend(layer.weights(device, &expand, of_logits, (hidden, None), gradient)?);
        }
        dispatches.extend(layer.biases(device, &expand, of_logits, None, [gradients.expand_bias, None])?);
        if !through && !gradients.of_reduce() {
            return Ok((dispatches, None));
        }

        let of_hidden = self.scratch(device, "gradient of the hidden vector", [batch, 1, excitation.reduced])?;
        let of_hidden = of_hidden.slice(..);
        let hidden_gradient = [Some(of_hidden), None];
        dispatches.extend(layer.inputs(device, &expand, of_logits, excitation.expand_weight, hidden_gradient)?);
        let of_reduce = self.scratch(device, "gradient of the first sums", [batch, vectors, excitation.reduced])?;
        let of_reduce = of_reduce.slice(..);
        let back = Activate {
            sums: reduce_sums,
            output_gradient: Some(of_hidden),
            output: None,
            gradient: Some(of_reduce),
            scaled: true,
        };
        dispatches.extend(layer.activate(device, &reduce, self.reduce_finish(excitation), back)?);
        if let Some(gradient) = gradients.reduce_weight {
            dispatches.extend(layer.weights(device, &reduce, of_reduce, (squeezed, None), gradient)?);
        }
        dispatches.extend(layer.biases(device, &reduce, of_reduce, None, [gradients.reduce_bias, None])?);
        if !through {
            return Ok((dispatches, None));
        }
        let of_squeezed = self.scratch(device, "gradient of the squeezed vectors", [batch, vectors, channels])?;
        let squeezed_gradient = [Some(of_squeezed.slice(..)), None];
        dispatches.extend(layer.inputs(device, &reduce, of_reduce, excitation.reduce_weight, squeezed_gradient)?);
        Ok((dispatches, Some(of_squeezed)))
    }
}
