// Expects: shared/sampled_map.wgsl; `pictures: array<Element>`, `colors: array<u32>` of 256, `params` with the members read here.
// A pixel of the picture with the map's colour over it. Heat is clamped to 0..1, and NaN counts as 0.
fn heat_at(image: u32, map_row: MapRow, row: u32, column: u32) -> vec4<f32> {
    let value = map_at(map_row, column);
    let is_nan = (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
    let position = select(clamp(value, 0.0, 1.0), 0.0, is_nan) * 255.0;
    // The colour is interpolated between two entries, so that it has no jumps. Rounding could fall on either side of a jump.
    let entry = min(u32(position), 254u);
    let color = mix(unpack4x8unorm(colors[entry]), unpack4x8unorm(colors[entry + 1u]), position - f32(entry));
    let pixels = params.height * params.width;
    let first = params.pictures_base + image * 3u * pixels + row * params.width + column;
    let picture = vec3<f32>(f32(pictures[first]), f32(pictures[first + pixels]), f32(pictures[first + 2u * pixels]));
    // Neither `mix` nor 1 - opacity is used: a driver may compute them as picture + opacity * (color - picture). That rounds away the
    // colour over a huge number.
    return vec4<f32>(params.picture_share * picture + params.opacity * color.rgb, 1.0);
}
