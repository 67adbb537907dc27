// Otsu's threshold of each image: the lowest level t for which the classes (levels up to t, levels above) have the largest variance between
// them, (S w0 - N s0)^2 / (w0 w1). S is the sum of the levels of all N pixels. The lower class has w0 pixels and level sum s0. The upper
// class has w1 pixels.
//
// Source    Otsu 1979, IEEE Trans. SMC 9(1), Eq. 18, multiplied out
// Host      src/ops/threshold.rs        Reference  src/reference/threshold.rs
// Shapes    bins [n, 256] -> levels [n]; the bins are reset to zero for the next run
// Grid      z: n; one invocation per level
// Numerics  exact: integers of up to 160 bits, since neighbouring levels can differ by less than a float resolves
// Needs     at most 2^24 pixels in an image

// 160-bit unsigned integers, least significant word first.
const WORDS: u32 = 5u;
alias Wide = array<u32, WORDS>;

struct Params {
    bins_base: u32,
    levels_base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> bins: array<u32>;
@group(0) @binding(2) var<storage, read_write> levels: array<u32>;

var<workgroup> wg_count: array<u32, 256>;
var<workgroup> wg_sum: array<u32, 256>;
// Numerator (4 words) and denominator (2 words) of the best variance so far, and its level.
var<workgroup> wg_numerator: array<vec4<u32>, 256>;
var<workgroup> wg_denominator: array<vec2<u32>, 256>;
var<workgroup> wg_level: array<u32, 256>;

// The 64-bit product of two words: low word, high word.
fn multiply_words(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    return vec2<u32>((other << 16u) | (low & 0xffffu), (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u));
}

fn multiply(a: Wide, b: Wide) -> Wide {
    var x = a;
    var y = b;
    var product: Wide;
    for (var i = 0u; i < WORDS; i += 1u) {
        var carry = 0u;
        for (var j = 0u; i + j < WORDS; j += 1u) {
            let partial = multiply_words(x[i], y[j]);
            let sum = product[i + j] + partial.x;
            let total = sum + carry;
            carry = partial.y + u32(sum < partial.x) + u32(total < sum);
            product[i + j] = total;
        }
    }
    return product;
}

fn less(a: Wide, b: Wide) -> bool {
    var x = a;
    var y = b;
    for (var i = WORDS; i > 0u; i -= 1u) {
        if x[i - 1u] != y[i - 1u] {
            return x[i - 1u] < y[i - 1u];
        }
    }
    return false;
}

// Whether the level in slot a has a smaller variance than the one in slot b.
fn worse(a: u32, b: u32) -> bool {
    let na = wg_numerator[a];
    let nb = wg_numerator[b];
    let da = wg_denominator[a];
    let db = wg_denominator[b];
    return less(
        multiply(Wide(na.x, na.y, na.z, na.w, 0u), Wide(db.x, db.y, 0u, 0u, 0u)),
        multiply(Wide(nb.x, nb.y, nb.z, nb.w, 0u), Wide(da.x, da.y, 0u, 0u, 0u)),
    );
}

@compute @workgroup_size(256)
fn threshold_otsu(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let level = local.x;
    let bin = params.bins_base + group.z * 256u + level;
    let count = bins[bin];
    bins[bin] = 0u;

    // Running sums of counts, at most 2^24, and of levels, below 2^32.
    wg_count[level] = count;
    wg_sum[level] = count * level;
    workgroupBarrier();
    for (var reach = 1u; reach < 256u; reach *= 2u) {
        var more = vec2<u32>(0u);
        if level >= reach {
            more = vec2<u32>(wg_count[level - reach], wg_sum[level - reach]);
        }
        workgroupBarrier();
        wg_count[level] += more.x;
        wg_sum[level] += more.y;
        workgroupBarrier();
    }

    let below = wg_count[level];
    let above = wg_count[255] - below;
    wg_level[level] = level;
    if below == 0u || above == 0u {
        wg_numerator[level] = vec4<u32>(0u);
        wg_denominator[level] = vec2<u32>(1u, 0u);
    } else {
        // S w0 - N s0 is below 2^56. It is not negative, since the lower class has the lower mean.
        let a = multiply_words(wg_sum[255], below);
        let b = multiply_words(wg_count[255], wg_sum[level]);
        let difference = Wide(a.x - b.x, a.y - b.y - u32(a.x < b.x), 0u, 0u, 0u);
        var square = multiply(difference, difference);
        wg_numerator[level] = vec4<u32>(square[0], square[1], square[2], square[3]);
        wg_denominator[level] = multiply_words(below, above);
    }
    workgroupBarrier();
    for (var stride = 128u; stride > 0u; stride /= 2u) {
        // A slot has seen only the levels of one remainder, so a tie is decided by comparing the levels.
        if level < stride {
            let other = level + stride;
            let behind = worse(level, other);
            let tied = !behind && !worse(other, level);
            if behind || (tied && wg_level[other] < wg_level[level]) {
                wg_numerator[level] = wg_numerator[other];
                wg_denominator[level] = wg_denominator[other];
                wg_level[level] = wg_level[other];
            }
        }
        workgroupBarrier();
    }
    if level == 0u {
        levels[params.levels_base + group.z] = wg_level[0];
    }
}
