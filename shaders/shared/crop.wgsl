// Expects: the overrides `END` and `ALIGN_CORNERS` of crop_resize.wgsl, and `Axis` of shared/bilinear.wgsl.

// The axis that resamples `length` source pixels to `count` outputs.
fn axis(length: u32, count: u32) -> Axis {
    if ALIGN_CORNERS {
        if count == 1u {
            return Axis(0u, 0u, 0u, 1u, length);
        }
        return Axis(length - 1u, 0u, 0u, count - 1u, length);
    }
    return Axis(2u * length, length, count, 2u * count, length);
}

// First pixel and length of a box on an axis of `size` pixels.
fn span(low: i32, high: i32, size: u32) -> vec2<u32> {
    let last = i32(size) - 1;
    let first = clamp(low, 0, last);
    // The box is clamped before END is added: the sum could overflow.
    let end = clamp(clamp(high, 0, last) + END, first + 1, last + 1);
    return vec2<u32>(u32(first), u32(end - first));
}
