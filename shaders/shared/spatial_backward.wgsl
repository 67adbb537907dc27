// Expects: the override `FORM`, `params.has_output_gradient`, `output`, `output_gradient` and `maps` of spatial_gate_backward_apply.wgsl.

// The upstream gradient of an element; in a residual unit where its ReLU lets it through.
fn upstream_at(at: u32) -> Real {
    if params.has_output_gradient == 0u {
        return Real(0.0);
    }
    let upstream = Real(output_gradient[params.output_gradient_base + at]);
    if FORM != 1u {
        return upstream;
    }
    // Greater than 0, by the bits: a comparison may take NaN for greater.
    let bits = bitcast<Bits>(Real(output[params.output_base + at]));
    return select(Real(0.0), upstream, (bits - Bits(1u)) < Bits(0x7f800000u));
}

// The gradient with respect to what the spatial gate scales: channel `c` of the pixel whose maps start at `first`.
fn spatial_share(upstream: Real, first: u32, c: u32) -> Real {
    var result = bitcast<Real>(maps[first + 2u * params.pixels]);
    if params.has_output_gradient != 0u {
        result += upstream * bitcast<Real>(maps[first]);
    }
    return result + select(Real(0.0), bitcast<Real>(maps[first + params.pixels]), maps[first + 3u * params.pixels] == Bits(c));
}
