// Planes resampled bilinearly with half-pixel centres, one invocation for each pixel. Positions are fractions of integers, so that
// no rounding of theirs tells the result from the reference's.

struct Shape {
    input_height: u32,
    input_width: u32,
    height: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// The pixel before and after output `o`, and the share of the latter.
struct Between {
    low: u32,
    high: u32,
    share: f32,
}

fn between(o: u32, input: u32, output: u32) -> Between {
    let position = max((2u * o + 1u) * input, output) - output;
    let low = position / (2u * output);
    return Between(
        min(low, input - 1u),
        min(low + 1u, input - 1u),
        f32(position % (2u * output)) / f32(2u * output),
    );
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = at.y * groups.x * 256u + at.x;
    if i >= arrayLength(&y) {
        return;
    }
    let plane = i / (shape.width * shape.height) * shape.input_height * shape.input_width;
    let row = between(i / shape.width % shape.height, shape.input_height, shape.height);
    let column = between(i % shape.width, shape.input_width, shape.width);
    let above = plane + row.low * shape.input_width;
    let below = plane + row.high * shape.input_width;
    let top = x[above + column.low] * (1.0 - column.share) + x[above + column.high] * column.share;
    let bottom = x[below + column.low] * (1.0 - column.share) + x[below + column.high] * column.share;
    y[i] = top * (1.0 - row.share) + bottom * row.share;
}
