// The page's own kernels: from a picture's texture to planes, and from buffers to canvases.

const YELLOW = vec3<f32>(255.0, 220.0, 90.0) / 255.0;
const RED = vec3<f32>(230.0, 30.0, 30.0) / 255.0;

@group(0) @binding(0) var picture: texture_2d<f32>;
@group(0) @binding(1) var<storage, read_write> planes_out: array<f32>;

// Planes [3, height, width] of 0..1, as the file stores them.
@compute @workgroup_size(8, 8)
fn planes(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = textureDimensions(picture);
    if any(id.xy >= size) { return; }
    let color = round(textureLoad(picture, id.xy, 0).rgb * 255.0) / 255.0;
    let index = id.y * size.x + id.x;
    for (var channel = 0u; channel < 3u; channel++) {
        planes_out[channel * size.x * size.y + index] = color[channel];
    }
}

@group(0) @binding(0) var<storage, read> mask_in: array<u32>;
@group(0) @binding(1) var<storage, read> component: array<u32>;
@group(0) @binding(2) var<storage, read> found: vec4<i32>;
@group(0) @binding(3) var mask_out: texture_storage_2d<rgba8unorm, write>;

// White where only the mask is set, yellow where its largest component is, a red frame just inside the box.
@compute @workgroup_size(8, 8)
fn mask(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = textureDimensions(mask_out);
    if any(id.xy >= size) { return; }
    let index = id.y * size.x + id.x;
    let low = vec2<i32>(id.xy) - found.xy;
    let high = found.zw - vec2<i32>(id.xy);
    let to_side = min(min(low.x, low.y), min(high.x, high.y));
    var color = vec3<f32>(f32(mask_in[index]));
    if component[index] == 1u { color = YELLOW; }
    if to_side >= 0 && to_side < i32(max(max(size.x, size.y) / 300u, 1u)) { color = RED; }
    textureStore(mask_out, id.xy, vec4<f32>(color, 1.0));
}

@group(0) @binding(0) var<storage, read> crops: array<f32>;
@group(0) @binding(1) var crop_out: texture_storage_2d<rgba8unorm, write>;

@compute @workgroup_size(8, 8)
fn crop(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = textureDimensions(crop_out);
    if any(id.xy >= size) { return; }
    let index = id.y * size.x + id.x;
    let plane = size.x * size.y;
    textureStore(crop_out, id.xy, vec4<f32>(crops[index], crops[plane + index], crops[2u * plane + index], 1.0));
}
