// Sums of floats as integers of 96 bits, which do not depend on the order of the terms.
//
// A region's largest magnitude sets the unit of its sum: the last bit of that magnitude is bit 36. A term is below 2^60 units, and 2^32
// terms stay below 2^92. What a term has below one unit is cut off: less than 2^-59 of the largest magnitude.
// Largest magnitudes are compared as bits without the sign. Infinity is above all finite numbers, and NaN above infinity.

const INFINITY_BITS = 0x7f800000u;
const NAN_BITS = 0x7fc00000u;
// Bits of a term below the last bit of the largest magnitude.
const FINER = 36;

fn add96(a: vec3<u32>, b: vec3<u32>) -> vec3<u32> {
    let low = a.x + b.x;
    let middle = a.y + b.y;
    let carried = middle + select(0u, 1u, low < b.x);
    return vec3<u32>(low, carried, a.z + b.z + select(0u, 1u, middle < b.y) + select(0u, 1u, carried < middle));
}

fn negated96(a: vec3<u32>) -> vec3<u32> {
    return add96(~a, vec3<u32>(1u, 0u, 0u));
}

fn exponent_of(magnitude: u32) -> i32 {
    // Subnormal numbers have the smallest exponent of the others.
    return max(i32(magnitude >> 23u), 1);
}

// A term in units. Where the largest magnitude is infinity, x counts the infinities above 0 and y those below.
fn term96(bits: u32, largest: u32) -> vec3<u32> {
    let magnitude = bits & 0x7fffffffu;
    let negative = bits != magnitude;
    if largest >= INFINITY_BITS {
        return vec3<u32>(select(vec2<u32>(), select(vec2<u32>(1u, 0u), vec2<u32>(0u, 1u), negative), magnitude == INFINITY_BITS), 0u);
    }
    let digits = (magnitude & 0x7fffffu) | select(0u, 0x800000u, magnitude >= 0x800000u);
    let shift = exponent_of(magnitude) - exponent_of(largest) + FINER;
    if shift <= -24 { return vec3<u32>(); }
    var term = vec3<u32>(0u, digits << u32(max(shift - 32, 0)), 0u);
    if shift <= 0 {
        term = vec3<u32>(digits >> u32(-shift), 0u, 0u);
    } else if shift < 32 {
        term = vec3<u32>(digits << u32(shift), digits >> u32(32 - shift), 0u);
    }
    if negative { return negated96(term); }
    return term;
}

fn shifted96(a: vec3<u32>, by: u32) -> vec3<u32> {
    var words = a;
    if by >= 64u { words = vec3<u32>(a.z, 0u, 0u); } else if by >= 32u { words = vec3<u32>(a.yz, 0u); }
    let bits = by & 31u;
    if bits == 0u { return words; }
    let rest = 32u - bits;
    return vec3<u32>((words.x >> bits) | (words.y << rest), (words.y >> bits) | (words.z << rest), words.z >> bits);
}

fn trailing96(a: vec3<u32>) -> i32 {
    if a.x != 0u { return i32(firstTrailingBit(a.x)); }
    if a.y != 0u { return 32 + i32(firstTrailingBit(a.y)); }
    return 64 + i32(firstTrailingBit(a.z));
}

fn leading96(a: vec3<u32>) -> i32 {
    if a.z != 0u { return 64 + i32(firstLeadingBit(a.z)); }
    if a.y != 0u { return 32 + i32(firstLeadingBit(a.y)); }
    return i32(firstLeadingBit(a.x));
}

// The float nearest to a sum, as bits. Of two equally near ones it is the even one.
fn rounded96(sum: vec3<u32>, largest: u32) -> u32 {
    if largest > INFINITY_BITS || (largest == INFINITY_BITS && sum.x != 0u && sum.y != 0u) { return NAN_BITS; }
    if largest == INFINITY_BITS { return select(0x80000000u | INFINITY_BITS, INFINITY_BITS, sum.x != 0u); }
    if all(sum == vec3<u32>()) { return 0u; }
    let negative = (sum.z >> 31u) == 1u;
    var units = sum;
    if negative { units = negated96(sum); }
    let first = leading96(units);
    // Below an exponent of 1 a float is subnormal: it has fewer digits.
    let exponent = first + exponent_of(largest) - FINER - 23;
    let drop = first - 23 + max(1 - exponent, 0);
    var digits = units.x << u32(clamp(-drop, 0, 31));
    if drop > 0 {
        digits = shifted96(units, u32(drop)).x;
        let half = (shifted96(units, u32(drop - 1)).x & 1u) == 1u;
        if half && (trailing96(units) < drop - 1 || (digits & 1u) == 1u) { digits += 1u; }
    }
    // The leading digit adds one to the exponent, and a carry of the rounding adds another.
    let bits = select((u32(max(exponent, 1)) - 1u) << 23u, INFINITY_BITS, exponent >= 255) + digits;
    return select(0u, 0x80000000u, negative) | min(bits, INFINITY_BITS);
}
