//! Batch norm in its evaluation form, where a layer has one in the place of a bias.

use crate::kernel::{Tensor, check};
use crate::{Element, Error, TensorSpec};

/// Batch norm in its evaluation form, `(t - mean) / sqrt(variance + epsilon) * weight + bias` for each output. It takes the
/// place of a bias: one of the layer's own would be part of `mean`.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm<'a> {
    /// In: `[out]`, the operator's element type.
    pub weight: wgpu::BufferSlice<'a>,
    /// In: `[out]`, the operator's element type.
    pub bias: wgpu::BufferSlice<'a>,
    /// In: `[out]`, the operator's element type: the running mean.
    pub mean: wgpu::BufferSlice<'a>,
    /// In: `[out]`, the operator's element type: the running variance.
    pub variance: wgpu::BufferSlice<'a>,
    /// Added to the variance; 0 or more.
    pub epsilon: f32,
}

impl<'a> BatchNorm<'a> {
    /// What the tensors are called of a norm that is called `norm`.
    pub(crate) const NAMES: [&'static str; 4] = ["norm.weight", "norm.bias", "norm.mean", "norm.variance"];

    /// The four tensors of a norm that may be absent, `names` in the order weight, bias, mean, variance.
    pub(crate) fn specs(names: [&'static str; 4], outputs: u32, element: Element) -> [TensorSpec; 4] {
        names.map(|name| TensorSpec::input(name, [outputs], element).optional())
    }

    /// The slices of a norm that may be absent, by the same names.
    pub(crate) fn slices(
        norm: Option<Self>,
        names: [&'static str; 4],
    ) -> [(&'static str, Option<wgpu::BufferSlice<'a>>); 4] {
        let [weight, bias, mean, variance] = names;
        [
            (weight, norm.map(|norm| norm.weight)),
            (bias, norm.map(|norm| norm.bias)),
            (mean, norm.map(|norm| norm.mean)),
            (variance, norm.map(|norm| norm.variance)),
        ]
    }

    /// The four tensors of a norm that may be absent, in the order weight, bias, mean, variance; `bias` is the layer's own
    /// where there is no norm.
    pub(crate) fn tensors(
        norm: Option<Self>,
        bias: Option<wgpu::BufferSlice<'a>>,
        outputs: u64,
        bytes: u64,
    ) -> [Tensor<'a>; 4] {
        [
            Tensor::whole(norm.map(|norm| norm.weight), outputs, bytes),
            match norm {
                Some(norm) => Tensor::whole(norm.bias, outputs, bytes),
                None => Tensor::whole(bias, outputs, bytes),
            },
            Tensor::whole(norm.map(|norm| norm.mean), outputs, bytes),
            Tensor::whole(norm.map(|norm| norm.variance), outputs, bytes),
        ]
    }

    /// Refuses an epsilon that is no number to add, and a bias beside the norm's.
    pub(crate) fn check(norm: Option<Self>, op: &'static str, bias: bool) -> Result<(), Error> {
        let Some(norm) = norm else { return Ok(()) };
        check::presence(op, "bias", bias, false, "the batch norm has its own")?;
        let epsilon = check::finite(op, "norm.epsilon", norm.epsilon)?;
        if epsilon < 0.0 {
            let (given, needed) = (epsilon.to_string(), "0 or more".into());
            return Err(Error::InvalidParameter { op, parameter: "norm.epsilon", given, needed });
        }
        Ok(())
    }
}
