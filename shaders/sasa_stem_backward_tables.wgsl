// Gradients of the attention stem with respect to its embeddings, from that of the mixture.
//
//   dl(m, a, b)  = p(m, a, b) * (dp(m, a, b) - sum over i of p(i, a, b) * dp(i, a, b))
//   drow[e, a]   = sum over m, b of mix[m, e] * dl(m, a, b),  dcolumn[e, b] = sum over m, a of mix[m, e] * dl(m, a, b)
//   dmix[m, e]   = sum over a, b of (row[e, a] + column[e, b]) * dl(m, a, b)
//
// Source    Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.2, by the chain rule
// Host      src/ops/sasa_stem_backward.rs        Reference  src/reference/sasa_stem_backward.rs
// Shapes    row [e, kh], column [e, kw], mix [m, e], mixture, mixture_gradient [m, kh, kw] f32
//           -> row_gradient [e, kh], column_gradient [e, kw], mix_gradient [m, e] f32
// Grid      x: ceil(e*(kh + kw + m) / 64); one invocation per element of a gradient
// Numerics  f32, rows and columns of the window added up apart
// Needs     f16 variants: SHADER_F16

struct Params {
    origin: u32,
    mixtures: u32,
    embeddings: u32,
    window_height: u32,
    window_width: u32,
    with_row_gradient: u32,
    with_column_gradient: u32,
    with_mix_gradient: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> row: array<Element>;
@group(0) @binding(2) var<storage, read> column: array<Element>;
@group(0) @binding(3) var<storage, read> mix_table: array<Element>;
@group(0) @binding(4) var<storage, read> mixture: array<f32>;
@group(0) @binding(5) var<storage, read> mixture_gradient: array<f32>;
@group(0) @binding(6) var<storage, read_write> row_gradient: array<f32>;
@group(0) @binding(7) var<storage, read_write> column_gradient: array<f32>;
@group(0) @binding(8) var<storage, read_write> mix_gradient: array<f32>;

// The gradient of a logit of the mixture.
fn logit_gradient(m: u32, a: u32, b: u32) -> f32 {
    let entries = params.window_height * params.window_width;
    let entry = a * params.window_width + b;
    var mean = 0.0;
    for (var i = 0u; i < params.mixtures; i += 1u) {
        mean += mixture[i * entries + entry] * mixture_gradient[i * entries + entry];
    }
    return mixture[m * entries + entry] * (mixture_gradient[m * entries + entry] - mean);
}

fn mix_of(m: u32, e: u32) -> f32 {
    return f32(mix_table[m * params.embeddings + e]);
}

fn write_row(e: u32, a: u32) {
    var sum = 0.0;
    for (var m = 0u; m < params.mixtures; m += 1u) {
        var part = 0.0;
        for (var b = 0u; b < params.window_width; b += 1u) {
            part += logit_gradient(m, a, b);
        }
        sum += mix_of(m, e) * part;
    }
    row_gradient[e * params.window_height + a] = sum;
}

fn write_column(e: u32, b: u32) {
    var sum = 0.0;
    for (var m = 0u; m < params.mixtures; m += 1u) {
        var part = 0.0;
        for (var a = 0u; a < params.window_height; a += 1u) {
            part += logit_gradient(m, a, b);
        }
        sum += mix_of(m, e) * part;
    }
    column_gradient[e * params.window_width + b] = sum;
}

fn write_mix(m: u32, e: u32) {
    var sum = 0.0;
    for (var a = 0u; a < params.window_height; a += 1u) {
        var part = 0.0;
        for (var b = 0u; b < params.window_width; b += 1u) {
            let position = f32(row[e * params.window_height + a]) + f32(column[e * params.window_width + b]);
            part += position * logit_gradient(m, a, b);
        }
        sum += part;
    }
    mix_gradient[m * params.embeddings + e] = sum;
}

@compute @workgroup_size(64)
fn sasa_stem_backward_tables(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let element = (params.origin + group.x) * 64u + index;
    let rows = params.embeddings * params.window_height;
    let columns = params.embeddings * params.window_width;
    if element < rows {
        if params.with_row_gradient == 1u {
            write_row(element / params.window_height, element % params.window_height);
        }
        return;
    }
    if element < rows + columns {
        if params.with_column_gradient == 1u {
            write_column((element - rows) / params.window_width, (element - rows) % params.window_width);
        }
        return;
    }
    let own = element - rows - columns;
    if own < params.mixtures * params.embeddings && params.with_mix_gradient == 1u {
        write_mix(own / params.embeddings, own % params.embeddings);
    }
}
