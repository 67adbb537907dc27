//! Batch norm in its evaluation form, which a layer may have instead of a bias.
//!
//! ```text
//! norm(t) = (t - mean) / sqrt(variance + epsilon) * weight + bias      for each output of the layer
//! ```
//!
//! Source: Ioffe and Szegedy 2015 (arXiv:1502.03167), Alg. 2. A bias of the layer's own would be part of `mean`.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Activation, BatchNorm, Dense, DenseBuffers, DenseShape, Element};
//!
//! let gpu = Gpu::open()?;
//! let input = gpu.upload("input", &vec![0.5f32; 128])?;
//! let weight = gpu.upload("weight", &vec![0.1f32; 64 * 128])?;
//! let ones = gpu.upload("ones", &vec![1.0f32; 64])?;
//! let zeros = gpu.upload("zeros", &vec![0.0f32; 64])?;
//! let output = gpu.buffer("output", 64 * 4)?;
//!
//! let norm = BatchNorm {
//!     weight: ones.slice(..),
//!     bias: zeros.slice(..),
//!     mean: zeros.slice(..),
//!     variance: ones.slice(..),
//!     epsilon: 1e-5,
//! };
//! let operator = Dense::new(&gpu.device, Activation::Sigmoid, Element::F32)?;
//! let shape = DenseShape { batch: 1, inputs: 128, second_inputs: 0, outputs: 64 };
//! let buffers = DenseBuffers {
//!     input: input.slice(..),
//!     second: None,
//!     weight: weight.slice(..),
//!     bias: None,
//!     norm: Some(norm),
//!     output: output.slice(..),
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! Operators refuse an `epsilon` that is negative or not finite with [`Error::InvalidParameter`]. Reference:
//! [`reference::Norm`](crate::reference::Norm).

use crate::kernel::{Tensor, check};
use crate::{Element, Error, TensorSpec};

/// Batch norm in its evaluation form. The [page of the module](self) has the formula and an example.
#[doc(alias = "BN")]
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
    /// Names of the tensors of a field `norm`.
    pub(crate) const NAMES: [&'static str; 4] = ["norm.weight", "norm.bias", "norm.mean", "norm.variance"];

    /// The four tensors of an optional norm. `names` are in the order weight, bias, mean, variance.
    pub(crate) fn specs(names: [&'static str; 4], outputs: u32, element: Element) -> [TensorSpec; 4] {
        names.map(|name| TensorSpec::input(name, [outputs], element).optional())
    }

    /// The slices of an optional norm, by the same names.
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

    /// The four tensors of an optional norm, in the order weight, bias, mean, variance. Without a norm, `bias` is the layer's own.
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

    /// Refuses an epsilon that is negative or not finite, and a bias beside the norm's.
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
