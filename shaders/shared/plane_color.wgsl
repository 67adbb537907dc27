// Expects: shared/srgb.wgsl; `planes: array<Element>`, `params` with the members read here.
// The colour of a pixel: mean and standard deviation undone, then the transfer function.
fn color_at(row: u32, column: u32) -> vec3<f32> {
    let first = row * params.width + column;
    let value = vec3<f32>(
        f32(planes[first]),
        f32(planes[first + params.stride]),
        f32(planes[first + 2u * params.stride]),
    );
    let mean = vec3<f32>(params.mean_red, params.mean_green, params.mean_blue);
    let deviation = vec3<f32>(params.deviation_red, params.deviation_green, params.deviation_blue);
    return transferred(value * deviation + mean);
}
