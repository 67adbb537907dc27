// Every pixel's neighbourhood written out, zeros outside the image, for planes from first on.
// x [planes, height, width] -> unfolded [planes, kernel_height*kernel_width, height*width].

struct Shape {
    height: i32,
    width: i32,
    kernel_height: i32,
    kernel_width: i32,
    padding_top: i32,
    padding_left: i32,
    first: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> unfolded: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixels = u32(shape.height * shape.width);
    if id.x >= pixels {
        return;
    }
    let entry = i32(id.y);
    let row = i32(id.x) / shape.width + entry / shape.kernel_width - shape.padding_top;
    let column = i32(id.x) % shape.width + entry % shape.kernel_width - shape.padding_left;
    var value = 0.0;
    if row >= 0 && row < shape.height && column >= 0 && column < shape.width {
        value = x[(shape.first + id.z) * pixels + u32(row * shape.width + column)];
    }
    unfolded[(id.z * u32(shape.kernel_height * shape.kernel_width) + id.y) * pixels + id.x] = value;
}
