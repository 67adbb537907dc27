// Expects: an override `TRANSFER`, 0 for none, 1 for sRGB to linear, 2 for linear to sRGB.
// The transfer function of sRGB, IEC 61966-2-1. Negative numbers stay on its linear part, and NaN stays NaN.
fn transferred(color: vec3<f32>) -> vec3<f32> {
    if TRANSFER == 0u {
        return color;
    }
    var straight = color / 12.92;
    var curved = pow((max(color, vec3<f32>(0.04045)) + 0.055) / 1.055, vec3<f32>(2.4));
    var is_straight = color <= vec3<f32>(0.04045);
    if TRANSFER == 2u {
        straight = color * 12.92;
        curved = 1.055 * pow(max(color, vec3<f32>(0.0031308)), vec3<f32>(1.0 / 2.4)) - 0.055;
        is_straight = color <= vec3<f32>(0.0031308);
    }
    return select(select(curved, straight, is_straight), color, is_nan(color));
}

fn is_nan(color: vec3<f32>) -> vec3<bool> {
    return (bitcast<vec3<u32>>(color) & vec3<u32>(0x7fffffffu)) > vec3<u32>(0x7f800000u);
}
