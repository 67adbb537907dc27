//! The two passes over a gated tensor, for the gradients of any operator with a channel gate.
//!
//! The first pass reads features and upstream gradient, and adds up each plane. The last pass writes the gradient of the features. What lies
//! between them works on vectors.

use bytemuck::Zeroable;

use super::join::{Join, JoinTensors, vectors};
use crate::kernel::shader::{NO_OR_YES, Shader, THREE_CODES, VECTORS, Variant, group, params, shader};
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, tensor, tuning};
use crate::ops::channel_scale::CHUNK;
use crate::ops::global_pool::PlaneGrid;
use crate::{Element, Epilogue, Error, Nchw, Squeeze, TensorSpec};

params!(PlanesParams {
    origin_x: u32,
    origin_y: u32,
    features_base: u32,
    output_base: u32,
    output_gradient_base: u32,
    gate_base: u32,
    features_gradient_base: u32,
    identity_gradient_base: u32,
    gate_gradient_base: u32,
    sums_base: u32,
    planes: u32,
    pixels: u32,
    chunk: u32,
    parts: u32,
    divisor: f32,
    lanes: u32,
    reads_features: u32,
    reads_gradient: u32,
    writes_features: u32,
    writes_identity: u32,
    writes_gate: u32,
    writes_sums: u32,
});

params!(ApplyParams {
    origin_x: u32,
    origin_y: u32,
    first_plane: u32,
    first_image: u32,
    output_base: u32,
    output_gradient_base: u32,
    gate_base: u32,
    squeezed_gradient_base: u32,
    first_maximum_base: u32,
    features_gradient_base: u32,
    planes: u32,
    channels: u32,
    pixels: u32,
    chunk: u32,
    reads_gradient: u32,
    masked: u32,
    vectors: u32,
    has_mean: u32,
    has_maximum: u32,
    divisor: f32,
    lanes: u32,
});

pub(crate) const CHANNEL_SCALE_BACKWARD: Shader = shader!(
    "channel_scale_backward",
    PlanesParams,
    VECTORS,
    &[tuning::PIXELS_BY_PLANES, group(&["FORM"], THREE_CODES), group(&["MAXIMA"], NO_OR_YES)],
    [
        features: Read, output: Read, output_gradient: Read, gate: Read, features_gradient: Write, identity_gradient: Write,
        gate_gradient: Write, sums: Write,
    ],
    ["ordered", "blocked_sum"],
);

pub(crate) const CHANNEL_SCALE_BACKWARD_APPLY: Shader = shader!(
    "channel_scale_backward_apply",
    ApplyParams,
    VECTORS,
    &[tuning::SCALED_BY_PLANES, group(&["FORM"], THREE_CODES)],
    [
        output: Read, output_gradient: Read, gate: Read, squeezed_gradient: Read, first_maximum: Read,
        features_gradient: Write,
    ],
    [],
);

/// What the loss says about the results of a gated tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upstream<'a> {
    /// `[n, c, h, w]`, as the forward operator wrote it; only for [`Epilogue::Residual`].
    pub(crate) output: Option<wgpu::BufferSlice<'a>>,
    /// `[n, c, h, w]`; for every epilogue except [`Epilogue::GateOnly`].
    pub(crate) output_gradient: Option<wgpu::BufferSlice<'a>>,
    /// `[n, c]` f32. Required by [`Epilogue::GateOnly`].
    pub(crate) gate_gradient: Option<wgpu::BufferSlice<'a>>,
}

impl<'a> Upstream<'a> {
    /// The output and its gradient, for an epilogue.
    pub(crate) fn specs(shape: Nchw, element: Element, epilogue: Epilogue) -> Vec<TensorSpec> {
        if epilogue == Epilogue::GateOnly {
            return Vec::new();
        }
        let output = TensorSpec::input("output", shape, element).optional_if(epilogue != Epilogue::Residual);
        vec![output, TensorSpec::input("output_gradient", shape, element)]
    }

    /// The gate's own upstream gradient.
    pub(crate) fn gate_spec(shape: Nchw, epilogue: Epilogue) -> TensorSpec {
        let spec = TensorSpec::input("gate_gradient", [shape.batch, shape.channels], Element::F32);
        spec.optional_if(epilogue != Epilogue::GateOnly)
    }

    /// The gradients of the size of the features, for an epilogue.
    pub(crate) fn result_specs(shape: Nchw, element: Element, epilogue: Epilogue) -> Vec<TensorSpec> {
        let names = ["features_gradient", "identity_gradient"];
        let names = &names[..if epilogue == Epilogue::Residual { 2 } else { 1 }];
        names.iter().map(|name| TensorSpec::output(name, shape, element).optional()).collect()
    }

    pub(crate) fn slices(&self) -> [(&'static str, Option<wgpu::BufferSlice<'a>>); 3] {
        let Self { output, output_gradient, gate_gradient } = *self;
        [("output", output), ("output_gradient", output_gradient), ("gate_gradient", gate_gradient)]
    }

    /// Without an output that the epilogue does not read.
    pub(crate) fn read_by(self, epilogue: Epilogue) -> Self {
        Self { output: self.output.filter(|_| epilogue == Epilogue::Residual), ..self }
    }

    /// Checks that each tensor that the epilogue needs is given, and none that it does not have.
    pub(crate) fn check(&self, op: &'static str, epilogue: Epilogue, identity_gradient: bool) -> Result<(), Error> {
        let reason = format!("Epilogue::{epilogue:?}");
        let presence = |name, given: bool, wanted| check::presence(op, name, given, wanted, &reason);
        let residual = epilogue == Epilogue::Residual;
        presence("identity_gradient", identity_gradient, identity_gradient && residual)?;
        presence(
            "output",
            self.output.is_some(),
            residual || (self.output.is_some() && epilogue != Epilogue::GateOnly),
        )?;
        presence("output_gradient", self.output_gradient.is_some(), epilogue != Epilogue::GateOnly)?;
        if epilogue == Epilogue::GateOnly {
            presence("gate_gradient", self.gate_gradient.is_some(), true)
        } else {
            Ok(())
        }
    }
}

/// Tensors of the first pass. What is `None` is neither read nor written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanesTensors<'a> {
    /// For `gate_gradient` and `squeezed`.
    pub(crate) features: Option<wgpu::BufferSlice<'a>>,
    pub(crate) upstream: Upstream<'a>,
    /// For `features_gradient`.
    pub(crate) gate: Option<wgpu::BufferSlice<'a>>,
    /// Out: the product with the gate alone.
    pub(crate) features_gradient: Option<wgpu::BufferSlice<'a>>,
    pub(crate) identity_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c]`.
    pub(crate) gate_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, vectors, c]`, the mean, the maximum or both.
    pub(crate) squeezed: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c]`.
    pub(crate) first_maximum: Option<wgpu::BufferSlice<'a>>,
}

/// The first pass.
#[derive(Clone, Debug)]
pub(crate) struct Planes {
    op: &'static str,
    element: Element,
    software: bool,
    squeeze: Option<Squeeze>,
    /// By vector width (1, 4), then as [`tuning::plane_teams`].
    kernels: [Vec<Kernel>; 2],
    join: Join,
}

impl Planes {
    /// `squeeze` says what of the features is wanted beside the gate's gradient.
    pub(crate) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        epilogue: Epilogue,
        squeeze: Option<Squeeze>,
        element: Element,
    ) -> Result<Self, Error> {
        let software = compiler.software;
        let maxima = squeeze.is_some_and(Squeeze::maximum);
        let kernel = |lanes, team: &Team| {
            let Team { sharing: pixels, across: planes } = *team;
            Kernel::new(
                compiler,
                &Build {
                    op,
                    shader: &CHANNEL_SCALE_BACKWARD,
                    variant: Variant::new(element, lanes),
                    constants: &[
                        ("PIXELS", f64::from(pixels)),
                        ("PLANES", f64::from(planes)),
                        ("FORM", epilogue.code()),
                        ("MAXIMA", f64::from(u8::from(maxima))),
                    ],
                    workgroup: [pixels * planes, 1, 1],
                    workgroup_bytes: pixels * planes * 16,
                },
            )
        };
        let kernels = |lanes| -> Result<_, Error> {
            tuning::plane_teams(software).iter().map(|team| kernel(lanes, team)).collect()
        };
        // Few operators need it for every shape.
        let join = Join::new(op, if squeeze.is_some() { compiler } else { compiler.at_first_use() })?;
        Ok(Self { op, element, software, squeeze, kernels: [kernels(1)?, kernels(4)?], join })
    }

    /// The caller has checked the tensors. `shape` has pixels and channels.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        tensors: PlanesTensors<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let PlanesTensors { features, upstream, gate, features_gradient, identity_gradient, .. } = tensors;
        let PlanesTensors { gate_gradient, squeezed, first_maximum, .. } = tensors;
        let index = tuning::plane_team(self.software, grid.pixels.into());
        let team = tuning::plane_teams(self.software)[index];
        let (parts, chunk) = grid.parts(self.op, team)?;
        let all_parts = u64::from(grid.planes) * u64::from(parts);
        // One part that needs no more than its sum has it already.
        let direct = parts == 1 && squeezed.is_none() && upstream.gate_gradient.is_none();
        let joined = !direct && (gate_gradient.is_some() || squeezed.is_some());
        let bytes = u64::from(grid.units).saturating_mul(all_parts).saturating_mul(16);
        let sums = joined.then(|| tensor::scratch(self.op, device, "sums of the planes", bytes)).transpose()?;
        let sums = sums.as_ref().map(|buffer| buffer.slice(..));

        let load = self.element.bytes() * grid.lanes;
        let of_features = |slice| Tensor::divided(slice, grid.unit(), load);
        let planes = u64::from(grid.planes);
        let direct_gate = gate_gradient.filter(|_| direct);
        let bound = [
            of_features(features),
            of_features(upstream.output),
            of_features(upstream.output_gradient),
            Tensor::divided(gate, planes, 4),
            of_features(features_gradient),
            of_features(identity_gradient),
            Tensor::divided(direct_gate, planes, 4),
            Tensor::divided(sums, all_parts, 16),
        ];
        let kernel = &self.kernels[grid.lanes_index()][index];
        let groups = [grid.planes.div_ceil(team.across), parts];
        let mut dispatches = kernel.bind(device, grid.units, groups, &bound, None, |_| PlanesParams {
            planes: grid.planes,
            pixels: grid.pixels,
            chunk,
            parts,
            divisor: shape.size().pixels() as f32,
            lanes: grid.lanes as u32,
            reads_features: features.is_some().into(),
            reads_gradient: upstream.output_gradient.is_some().into(),
            writes_features: features_gradient.is_some().into(),
            writes_identity: identity_gradient.is_some().into(),
            writes_gate: direct_gate.is_some().into(),
            writes_sums: sums.is_some().into(),
            ..Zeroable::zeroed()
        })?;
        let Some(sums) = sums else { return Ok(dispatches) };
        let joined = JoinTensors {
            sums,
            upstream: upstream.gate_gradient,
            gate_gradient,
            squeezed: squeezed.zip(self.squeeze),
            first_maximum,
        };
        dispatches.extend(self.join.dispatches(device, shape, parts, joined)?);
        Ok(dispatches)
    }
}

/// Tensors of the last pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ApplyTensors<'a> {
    pub(crate) upstream: Upstream<'a>,
    /// The first pass's, if it has written one: it is the upstream gradient after the epilogue.
    pub(crate) identity_gradient: Option<wgpu::BufferSlice<'a>>,
    /// `[n, c]`.
    pub(crate) gate: wgpu::BufferSlice<'a>,
    /// `[n, vectors, c]`, the gradients of the mean, the maximum or both.
    pub(crate) squeezed_gradient: wgpu::BufferSlice<'a>,
    /// `[n, c]`, with a maximum.
    pub(crate) first_maximum: Option<wgpu::BufferSlice<'a>>,
    pub(crate) features_gradient: wgpu::BufferSlice<'a>,
}

/// The last pass.
#[derive(Clone, Debug)]
pub(crate) struct Apply {
    element: Element,
    software: bool,
    squeeze: Squeeze,
    /// By vector width (1, 4), then as [`tuning::scale_teams`].
    kernels: [Vec<Kernel>; 2],
}

impl Apply {
    pub(crate) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        epilogue: Epilogue,
        squeeze: Squeeze,
        element: Element,
    ) -> Result<Self, Error> {
        let software = compiler.software;
        let kernel = |lanes, team: &Team| {
            let Team { sharing: pixels, across: planes } = *team;
            Kernel::new(
                compiler,
                &Build {
                    op,
                    shader: &CHANNEL_SCALE_BACKWARD_APPLY,
                    variant: Variant::new(element, lanes),
                    constants: &[
                        ("PIXELS", f64::from(pixels)),
                        ("PLANES", f64::from(planes)),
                        ("FORM", epilogue.code()),
                    ],
                    workgroup: [pixels * planes, 1, 1],
                    workgroup_bytes: 0,
                },
            )
        };
        let kernels = |lanes| -> Result<_, Error> {
            tuning::scale_teams(software).iter().map(|team| kernel(lanes, team)).collect()
        };
        Ok(Self { element, software, squeeze, kernels: [kernels(1)?, kernels(4)?] })
    }

    /// The caller has checked the tensors. `shape` has pixels and channels.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        tensors: ApplyTensors<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let ApplyTensors { upstream, identity_gradient, gate, squeezed_gradient, first_maximum, features_gradient } =
            tensors;
        let output_gradient = identity_gradient.or(upstream.output_gradient);
        let output = upstream.output.filter(|_| identity_gradient.is_none());
        let index = tuning::scale_team(self.software, grid.pixels.into(), 0);
        let team = tuning::scale_teams(self.software)[index];
        let chunk = CHUNK.min(grid.pixels);
        let vectors = vectors(self.squeeze);
        let row = u64::from(shape.channels) * u64::from(vectors);
        // One row for each image: divided if units are images. If units are planes, it is bound whole.
        let squeezed_gradient = if grid.by_image {
            Tensor::divided(squeezed_gradient, row, 4)
        } else {
            Tensor::whole(squeezed_gradient, row * u64::from(shape.batch), 4)
        };
        let load = self.element.bytes() * grid.lanes;
        let planes = u64::from(grid.planes);
        let bound = [
            Tensor::divided(output, grid.unit(), load),
            Tensor::divided(output_gradient, grid.unit(), load),
            Tensor::divided(output_gradient.map(|_| gate), planes, 4),
            squeezed_gradient,
            Tensor::divided(first_maximum, planes, 4),
            Tensor::divided(features_gradient, grid.unit(), load),
        ];
        let groups = [grid.planes.div_ceil(team.across), grid.pixels.div_ceil(chunk)];
        let kernel = &self.kernels[grid.lanes_index()][index];
        kernel.bind(device, grid.units, groups, &bound, None, |part| ApplyParams {
            // The product is below the number of planes, which `PlaneGrid` and the limits of bindings keep within 32 bits.
            first_plane: part.units.start.wrapping_mul(grid.planes),
            first_image: if grid.by_image { part.units.start } else { 0 },
            planes: grid.planes,
            channels: shape.channels,
            pixels: grid.pixels,
            chunk,
            reads_gradient: output_gradient.is_some().into(),
            masked: identity_gradient.is_none().into(),
            vectors,
            has_mean: self.squeeze.mean().into(),
            has_maximum: self.squeeze.maximum().into(),
            divisor: shape.size().pixels() as f32,
            lanes: grid.lanes as u32,
            ..Zeroable::zeroed()
        })
    }
}
