// Expects: `Axis` and `tap` of shared/bilinear.wgsl. Which outputs of a resampled axis read a source pixel, and with which weights.

// The first of `count` outputs whose lower source pixel is at least `pixel`, which is above 0. Positions grow with outputs.
fn first_output(axis: Axis, pixel: u32, count: u32) -> u32 {
    let least = pixel * axis.denominator + axis.minus;
    if axis.multiplier == 0u {
        return count;
    }
    if least <= axis.plus {
        return 0u;
    }
    return min((least - axis.plus - 1u) / axis.multiplier + 1u, count);
}

// The outputs that read source pixel `pixel`: from x on, below y.
fn outputs_of(axis: Axis, pixel: u32, count: u32) -> vec2<u32> {
    var outputs = vec2<u32>(0u, count);
    if pixel > 1u {
        outputs.x = first_output(axis, pixel - 1u, count);
    }
    if pixel + 1u < axis.length {
        outputs.y = first_output(axis, pixel + 1u, count);
    }
    return outputs;
}

// The weight of source pixel `pixel` in output `index`.
fn weight_of(axis: Axis, pixel: u32, index: u32) -> f32 {
    let taken = tap(axis, index);
    return select(0.0, 1.0 - taken.weight, taken.low == pixel)
        + select(0.0, taken.weight, taken.high == pixel && taken.low != pixel);
}

// What a source pixel takes of the gradient of one output. An output without weight can't turn the sum into NaN.
fn share_of(axis: Axis, pixel: u32, index: u32, gradient: f32) -> f32 {
    let weight = weight_of(axis, pixel, index);
    return select(weight * gradient, 0.0, weight == 0.0);
}
