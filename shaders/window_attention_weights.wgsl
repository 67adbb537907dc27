// Windowed attention: computes the softmax weights of chosen queries, for inspection.
//
// Source    Ramachandran et al. 2019, arXiv:1906.05909, Eqs. 2 and 3; formula in shaders/window_attention.wgsl
// Host      src/ops/window_attention/weights.rs        Reference  src/reference/window_attention.rs
// Shapes    q, k [n, g*d, h, w], tables as in window_attention, queries [m, 3] (image, row, column) -> weights [m, g, kh*kw] f32
// Grid      x: heads, z: queries; one workgroup per head and query, whose invocations share the window
// Numerics  softmax in f32 with the largest logit subtracted; a NaN or +infinite logit gives NaN, a row without keys gives zeros
// Uses      `window_axis` of shared/window.wgsl
// Needs     f16 variants: SHADER_F16

override RELATIVE: u32 = 0u;

struct Params {
    origin: u32,
    weights_base: u32,
    queries_base: u32,
    heads: u32,
    head_dim: u32,
    height: i32,
    width: i32,
    window_height: i32,
    window_width: i32,
    dilation_height: i32,
    dilation_width: i32,
    border: u32,
    whole_channel: u32,
    scale: f32,
    relative_scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Inner>;
@group(0) @binding(2) var<storage, read> k: array<Inner>;
@group(0) @binding(3) var<storage, read> row_table: array<Element>;
@group(0) @binding(4) var<storage, read> column_table: array<Element>;
@group(0) @binding(5) var<storage, read> queries: array<u32>;
@group(0) @binding(6) var<storage, read_write> weights: array<f32>;

const SIZE = 64u;
// Marks a key that is left out. Logits are stored halved: every finite one is then above this mark, and the difference of two does not
// overflow. Halving and doubling are exact.
const NONE = -3.4028234e38;
const MINUS_INFINITY = 0xff800000u;

var<workgroup> wg_partial: array<f32, SIZE>;
var<workgroup> wg_poisoned: atomic<u32>;

fn reduce(index: u32, value: f32, largest: bool) -> f32 {
    wg_partial[index] = value;
    workgroupBarrier();
    for (var stride = SIZE / 2u; stride > 0u; stride /= 2u) {
        if index < stride {
            let a = wg_partial[index];
            let b = wg_partial[index + stride];
            wg_partial[index] = select(a + b, max(a, b), largest);
        }
        workgroupBarrier();
    }
    let result = wg_partial[0];
    workgroupBarrier();
    return result;
}

@compute @workgroup_size(64)
fn window_attention_weights(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    if index == 0u {
        atomicStore(&wg_poisoned, 0u);
    }
    workgroupBarrier();
    let head = params.origin + group.x;
    let first = params.queries_base + group.z * 3u;
    let image = queries[first];
    let row = i32(queries[first + 1u]);
    let column = i32(queries[first + 2u]);
    let down = window_axis(row, params.height, params.window_height, params.dilation_height);
    let across = window_axis(column, params.width, params.window_width, params.dilation_width);
    let pixels = u32(params.height * params.width);
    let head_base = (image * params.heads + head) * params.head_dim * pixels;
    let query = head_base + u32(row * params.width + column);
    let entries = u32(params.window_height * params.window_width);
    let out = params.weights_base + (group.z * params.heads + head) * entries;
    let half = select(params.head_dim, params.heads * params.head_dim, params.whole_channel == 1u) / 2u;
    let first_row = select(0u, head * params.head_dim, params.whole_channel == 1u);

    // The output first holds the logits. Every invocation reads only the logits that it wrote.
    var largest = NONE;
    for (var entry = index; entry < entries; entry += SIZE) {
        let a = entry / u32(params.window_width);
        let b = entry % u32(params.window_width);
        let key_row = down.first + i32(a) * params.dilation_height;
        let key_column = across.first + i32(b) * params.dilation_width;
        let inside = key_row >= 0 && key_row < params.height && key_column >= 0 && key_column < params.width;
        let address = head_base + u32(
            clamp(key_row, 0, params.height - 1) * params.width + clamp(key_column, 0, params.width - 1));
        var dot = 0.0;
        var relative = 0.0;
        for (var c = 0u; c < params.head_dim; c += 1u) {
            let channel = f32(q[query + c * pixels]);
            dot += channel * select(0.0, f32(k[address + c * pixels]), inside);
            if RELATIVE == 1u {
                let m = first_row + c;
                if m < half {
                    relative += channel * f32(row_table[m * u32(params.window_height) + a]);
                } else {
                    relative += channel * f32(column_table[(m - half) * u32(params.window_width) + b]);
                }
            }
        }
        if RELATIVE == 2u {
            let bias_row = head * u32(2 * params.window_height - 1) + u32(i32(a) + down.offset);
            relative = f32(row_table[bias_row * u32(2 * params.window_width - 1) + u32(i32(b) + across.offset)]);
        }
        // A key outside the image is zero for any query, even an infinite one.
        var score = params.scale * select(0.0, dot, inside);
        if RELATIVE != 0u {
            score += params.relative_scale * relative;
        }
        let bits = bitcast<u32>(score);
        let infinite = (bits & 0x7f800000u) == 0x7f800000u;
        let part = params.border != 1u || inside;
        if part && infinite && bits != MINUS_INFINITY {
            atomicStore(&wg_poisoned, 1u);
        }
        score = select(NONE, 0.5 * score, part && !infinite);
        weights[out + entry] = score;
        largest = max(largest, score);
    }
    largest = reduce(index, largest, true);

    var total = 0.0;
    for (var entry = index; entry < entries; entry += SIZE) {
        let score = weights[out + entry];
        let weight = select(exp(2.0 * (score - largest)), 0.0, score == NONE);
        weights[out + entry] = weight;
        total += weight;
    }
    total = reduce(index, total, false);

    let poisoned = atomicLoad(&wg_poisoned) == 1u;
    for (var entry = index; entry < entries; entry += SIZE) {
        let share = select(weights[out + entry] / total, 0.0, total == 0.0);
        weights[out + entry] = bitcast<f32>(select(bitcast<u32>(share), 0x7fc00000u, poisoned));
    }
}
