// The ceiling of arithmetic: chains of fused multiply-adds in f32, enough of them to hide their latency.
@group(0) @binding(0) var<storage, read> from_here: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> to_here: array<vec4<f32>>;

// `FMAS` in the host is 16 for each round.
override ROUNDS: u32 = 4096u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let factor = from_here[at.x];
    var a = factor;
    var b = factor.yzwx;
    var c = factor.zwxy;
    var d = factor.wxyz;
    for (var round = 0u; round < ROUNDS; round += 1u) {
        a = fma(a, factor, b);
        b = fma(b, factor, c);
        c = fma(c, factor, d);
        d = fma(d, factor, a);
    }
    to_here[at.x] = (a + b) + (c + d);
}
