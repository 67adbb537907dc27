// Mixture of the attention stem: the weight of each value projection at each entry of the window.
//
//   mixture(m, a, b) = softmax over m of sum over e of mix[m, e] * (row[e, a] + column[e, b])
//
// Source    Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.2
// Host      src/ops/sasa_stem/mixture.rs        Reference  src/reference/sasa_stem.rs
// Shapes    row [e, kh], column [e, kw], mix [m, e] -> mixture [m, kh, kw] f32
// Grid      x: ceil(kh*kw / 64); one invocation per entry
// Numerics  softmax in f32 with the largest logit subtracted
// Needs     f16 variants: SHADER_F16

struct Params {
    origin: u32,
    mixtures: u32,
    embeddings: u32,
    window_height: u32,
    window_width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> row: array<Element>;
@group(0) @binding(2) var<storage, read> column: array<Element>;
@group(0) @binding(3) var<storage, read> mix_table: array<Element>;
@group(0) @binding(4) var<storage, read_write> mixture: array<f32>;

@compute @workgroup_size(64)
fn sasa_stem_mixture(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let entry = (params.origin + group.x) * 64u + index;
    let entries = params.window_height * params.window_width;
    if entry >= entries {
        return;
    }
    let a = entry / params.window_width;
    let b = entry % params.window_width;
    // The output first holds the logits. Every invocation reads only the logits that it wrote.
    var largest = -3.4028234e38;
    for (var m = 0u; m < params.mixtures; m += 1u) {
        var score = 0.0;
        for (var e = 0u; e < params.embeddings; e += 1u) {
            let position = f32(row[e * params.window_height + a]) + f32(column[e * params.window_width + b]);
            score += f32(mix_table[m * params.embeddings + e]) * position;
        }
        mixture[m * entries + entry] = score;
        largest = max(largest, score);
    }
    var total = 0.0;
    for (var m = 0u; m < params.mixtures; m += 1u) {
        let weight = exp(mixture[m * entries + entry] - largest);
        mixture[m * entries + entry] = weight;
        total += weight;
    }
    for (var m = 0u; m < params.mixtures; m += 1u) {
        mixture[m * entries + entry] /= total;
    }
}
