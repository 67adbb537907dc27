// The first index of the largest number of each row of length, one workgroup for each.

struct Shape {
    length: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<TYPE>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

var<workgroup> wg_largest: array<TYPE, 256>;
var<workgroup> wg_at: array<u32, 256>;

// Whether the candidate in slot `b` is to replace the one in slot `a`.
fn better(a: u32, b: u32) -> bool {
    return wg_largest[b] > wg_largest[a] || (wg_largest[b] == wg_largest[a] && wg_at[b] < wg_at[a]);
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let row = group.x * shape.length;
    var at = min(local, shape.length - 1u);
    for (var i = at; i < shape.length; i += 256u) {
        at = select(at, i, a[row + i] > a[row + at]);
    }
    wg_largest[local] = a[row + at];
    wg_at[local] = at;
    workgroupBarrier();
    for (var stride = 128u; stride > 0u; stride /= 2u) {
        if local < stride && better(local, local + stride) {
            wg_largest[local] = wg_largest[local + stride];
            wg_at[local] = wg_at[local + stride];
        }
        workgroupBarrier();
    }
    if local == 0u {
        y[group.x] = wg_at[0];
    }
}
