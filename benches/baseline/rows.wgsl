// Rows of length consecutive numbers joined to one each: a workgroup for each, a tree at the end. The host puts in a type and
// the expressions: what x NONE starts from, how x and y JOIN, and what becomes of ALL.

struct Shape {
    length: u32,
    rows: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<TYPE>;
@group(0) @binding(2) var<storage, read_write> out: array<TYPE>;

var<workgroup> wg_joined: array<TYPE, 256>;

fn join(x: TYPE, y: TYPE) -> TYPE {
    return JOIN;
}

@compute @workgroup_size(256)
fn main(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let row = group.y * groups.x + group.x;
    if row >= shape.rows {
        return;
    }
    let x = a[row * shape.length];
    var joined: TYPE = NONE;
    for (var i = local; i < shape.length; i += 256u) {
        joined = join(joined, a[row * shape.length + i]);
    }
    wg_joined[local] = joined;
    workgroupBarrier();
    for (var stride = 128u; stride > 0u; stride /= 2u) {
        if local < stride {
            wg_joined[local] = join(wg_joined[local], wg_joined[local + stride]);
        }
        workgroupBarrier();
    }
    if local == 0u {
        let x = wg_joined[0];
        out[row] = ALL;
    }
}
