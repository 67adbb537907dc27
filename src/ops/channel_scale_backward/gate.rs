//! Both passes together, for operators whose gate is computed from the features.

use super::join::vectors;
use super::passes::{Apply, ApplyTensors, Planes, PlanesTensors, Upstream};
use crate::cost::count;
use crate::kernel::{Compiler, Dispatch, tensor};
use crate::ops::global_pool::PlaneGrid;
use crate::{Cost, Element, Epilogue, Error, Nchw, Squeeze};

/// The passes.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    op: &'static str,
    squeeze: Squeeze,
    planes: Planes,
    apply: Apply,
}

/// What the first pass leaves: its dispatches, and scratch that the next kernels read.
pub(crate) struct First {
    pub(crate) dispatches: Vec<Dispatch>,
    gate_gradient: wgpu::Buffer,
    squeezed: wgpu::Buffer,
    first_maximum: Option<wgpu::Buffer>,
}

impl First {
    /// `[n, c]`: the gradient of the gate.
    pub(crate) fn gate_gradient(&self) -> wgpu::BufferSlice<'_> {
        self.gate_gradient.slice(..)
    }

    /// `[n, vectors, c]`: what the gate is computed from.
    pub(crate) fn squeezed(&self) -> wgpu::BufferSlice<'_> {
        self.squeezed.slice(..)
    }

    /// `[n, c]`: the first pixel that holds the maximum of its plane, if a maximum was squeezed.
    pub(crate) fn first_maximum(&self) -> Option<wgpu::BufferSlice<'_>> {
        self.first_maximum.as_ref().map(|buffer| buffer.slice(..))
    }

    /// Tensors of the last pass.
    pub(crate) fn apply<'a>(
        &'a self,
        upstream: Upstream<'a>,
        identity_gradient: Option<wgpu::BufferSlice<'a>>,
        gate: wgpu::BufferSlice<'a>,
        squeezed_gradient: wgpu::BufferSlice<'a>,
        features_gradient: wgpu::BufferSlice<'a>,
    ) -> ApplyTensors<'a> {
        let first_maximum = self.first_maximum();
        ApplyTensors { upstream, identity_gradient, gate, squeezed_gradient, first_maximum, features_gradient }
    }
}

impl Gate {
    pub(crate) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        epilogue: Epilogue,
        squeeze: Squeeze,
        element: Element,
    ) -> Result<Self, Error> {
        let planes = Planes::new(op, compiler, epilogue, Some(squeeze), element)?;
        Ok(Self { op, squeeze, planes, apply: Apply::new(op, compiler, epilogue, squeeze, element)? })
    }

    /// The first pass. Without `features` it writes `identity_gradient` alone, if that is given. The caller has checked the tensors.
    pub(crate) fn first(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        features: Option<wgpu::BufferSlice<'_>>,
        upstream: Upstream<'_>,
        identity_gradient: Option<wgpu::BufferSlice<'_>>,
    ) -> Result<First, Error> {
        let wanted = features.is_some();
        let gates = u64::from(shape.batch) * u64::from(shape.channels);
        let scratch = |label, vectors: u32| {
            let numbers = if wanted { gates.saturating_mul(vectors.into()) } else { 0 };
            tensor::scratch(self.op, device, label, numbers.saturating_mul(4))
        };
        let maximum = wanted && self.squeeze.maximum();
        let mut first = First {
            dispatches: Vec::new(),
            gate_gradient: scratch("gradient of the gate", 1)?,
            squeezed: scratch("squeezed", vectors(self.squeeze))?,
            first_maximum: maximum.then(|| scratch("first maximum", 1)).transpose()?,
        };
        if !wanted && identity_gradient.is_none() {
            return Ok(first);
        }
        let tensors = PlanesTensors {
            features,
            upstream,
            gate: None,
            features_gradient: None,
            identity_gradient,
            gate_gradient: wanted.then(|| first.gate_gradient.slice(..)),
            squeezed: wanted.then(|| first.squeezed.slice(..)),
            first_maximum: first.first_maximum.as_ref().map(|buffer| buffer.slice(..)),
        };
        let dispatches = self.planes.dispatches(device, shape, grid, tensors)?;
        first.dispatches = dispatches;
        Ok(first)
    }

    /// The last pass. The caller has checked the tensors.
    pub(crate) fn last(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        tensors: ApplyTensors<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        self.apply.dispatches(device, shape, grid, tensors)
    }
}

/// What both passes move and compute, with every gradient.
pub(crate) fn gate_cost(shape: Nchw, epilogue: Epilogue, element: Element) -> Cost {
    let features = count(shape.elements());
    let (tensors, flops) = match epilogue {
        // Features, upstream gradient twice, and the gradient.
        Epilogue::Scale => (4, 6),
        Epilogue::ScaleAdd => (4, 7),
        // The output, and the gradient of the identity, which stands for the second read of the upstream gradient.
        Epilogue::Residual => (6, 6),
        Epilogue::GateOnly => (2, 3),
    };
    Cost::new(features * count(element.bytes()) * count(tensors), features * count(flops), count(0))
}
