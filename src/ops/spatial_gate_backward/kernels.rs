//! What the host lays out for each kernel.

use crate::kernel::shader::{ELEMENTS, NO_OR_YES, PLAIN, Shader, THREE_CODES, VECTORS, group, params, shader};
use crate::kernel::tuning;

params!(SqueezeParams {
    origin: u32,
    features_base: u32,
    channel_gate_base: u32,
    output_base: u32,
    output_gradient_base: u32,
    gate_gradient_base: u32,
    planes_base: u32,
    argmax_base: u32,
    gate_sums_base: u32,
    channels: u32,
    pixels: u32,
    has_channel_gate: u32,
    has_output_gradient: u32,
    has_gate_gradient: u32,
});

params!(TapsParams {
    origin_x: u32,
    origin_y: u32,
    gate_sums_base: u32,
    gate_base: u32,
    planes_base: u32,
    parts_base: u32,
    height: u32,
    width: u32,
    kernel: u32,
    slice: u32,
    slices: u32,
});

params!(ParametersParams {
    taps: u32,
    has_norm: u32,
    epsilon: f32,
    writes_weight: u32,
    writes_bias: u32,
    writes_norm_weight: u32,
});

params!(PlanesParams {
    origin_x: u32,
    origin_y: u32,
    gate_sums_base: u32,
    gate_base: u32,
    argmax_base: u32,
    maps_base: u32,
    height: u32,
    width: u32,
    channels: u32,
    kernel: u32,
    has_norm: u32,
    epsilon: f32,
});

params!(ApplyParams {
    origin_x: u32,
    origin_y: u32,
    output_base: u32,
    output_gradient_base: u32,
    maps_base: u32,
    channel_gate_base: u32,
    squeezed_gradient_base: u32,
    first_maximum_base: u32,
    features_gradient_base: u32,
    identity_gradient_base: u32,
    channels: u32,
    pixels: u32,
    lanes: u32,
    has_output_gradient: u32,
    has_channel_gate: u32,
    writes_features: u32,
    writes_identity: u32,
    divisor: f32,
});

pub(crate) const SPATIAL_GATE_BACKWARD_SQUEEZE: Shader = shader!(
    "spatial_gate_backward_squeeze",
    SqueezeParams,
    VECTORS,
    &[tuning::PIXELS_BY_CHANNELS, group(&["MASKED"], NO_OR_YES)],
    [
        features: Read, channel_gate: Read, output: Read, output_gradient: Read, gate_gradient: Read, planes: Write,
        argmax: Write, gate_sums: Write,
    ],
    ["ordered", "blocked_sum"],
);

pub(crate) const SPATIAL_GATE_BACKWARD_TAPS: Shader = shader!(
    "spatial_gate_backward_taps",
    TapsParams,
    PLAIN,
    &[],
    [gate_sums: Read, gate: Read, planes: Read, parts: Write],
    ["blocked_sum"],
);

pub(crate) const SPATIAL_GATE_BACKWARD_PARAMETERS: Shader = shader!(
    "spatial_gate_backward_parameters",
    ParametersParams,
    ELEMENTS,
    &[],
    [
        sums: Read, weight: Read, norm_weight: Read, norm_mean: Read, norm_variance: Read, weight_gradient: Write,
        bias_gradient: Write, norm_weight_gradient: Write,
    ],
    [],
);

pub(crate) const SPATIAL_GATE_BACKWARD_PLANES: Shader = shader!(
    "spatial_gate_backward_planes",
    PlanesParams,
    ELEMENTS,
    &[],
    [gate_sums: Read, gate: Read, argmax: Read, weight: Read, norm_weight: Read, norm_variance: Read, maps: Write],
    [],
);

pub(crate) const SPATIAL_GATE_BACKWARD_APPLY: Shader = shader!(
    "spatial_gate_backward_apply",
    ApplyParams,
    VECTORS,
    &[group(&["FORM"], THREE_CODES)],
    [
        output: Read, output_gradient: Read, maps: Read, channel_gate: Read, squeezed_gradient: Read,
        first_maximum: Read, features_gradient: Write, identity_gradient: Write,
    ],
    ["spatial_backward"],
);
