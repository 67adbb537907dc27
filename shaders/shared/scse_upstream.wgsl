// Expects: `params.masked`, `params.output_base`, `params.output_gradient_base`, and the bindings `output` and `output_gradient` of
// `Element`. `ordered` of shared/ordered.wgsl.

// The upstream gradient of an element; in a residual unit where its ReLU lets it through.
fn upstream_of(at: u32) -> Real {
    let upstream = Real(output_gradient[params.output_gradient_base + at]);
    if params.masked == 0u {
        return upstream;
    }
    // Greater than 0, by the bits: a comparison may take NaN for greater.
    let bits = bitcast<Bits>(Real(output[params.output_base + at]));
    return select(Real(0.0), upstream, (bits - Bits(1u)) < Bits(0x7f800000u));
}

// 1 where a maximum of the two products takes the channel gate's, else 0. Equal products take the channel gate's, and so does a product that is NaN.
fn takes_channel(feature: Real, channel_gate: f32, spatial_gate: Real) -> Bits {
    let larger = ordered(feature * channel_gate) >= ordered(feature * spatial_gate);
    return select(Bits(0u), Bits(1u), larger);
}
