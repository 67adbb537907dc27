// Expects: `params`, the bindings and the override `RELATIVE` of a walk over the queries of window attention's gradient.
// Expects: `Window`, `window_axis`, `rows_axis` and `columns_axis` of shared/window.wgsl.
// Gradients of the logits of four queries in a column, which share the keys that they load.
const MINUS_INFINITY = 0xff800000u;
const QUERY = vec4<i32>(0, 1, 2, 3);
const NOTHING = vec4<f32>(0.0);

// Four keys of one column, one dilation step apart: where they are, whether they are inside, and whether their rows take part.
struct Keys {
    address: vec4<u32>,
    inside: vec4<bool>,
    part: vec4<bool>,
}

// `address` and `across` are those of the column: where its first key is, and whether the column is inside.
fn keys(first: i32, address: u32, across: bool) -> Keys {
    let row = first + QUERY * params.rows_dilation;
    let inside = (row >= vec4<i32>(0)) & (row < vec4<i32>(params.rows_extent));
    let part = vec4<bool>(params.rows_border == 0u) | inside;
    let near = clamp(row, vec4<i32>(0), vec4<i32>(params.rows_extent - 1));
    return Keys(address + vec4<u32>(near) * params.row_stride, inside & vec4<bool>(across), part);
}

// For a key outside the tensor, `key` and `value` read a position at the border. It then counts as zero.
fn key(plane: u32, at: Keys) -> vec4<f32> {
    let i = at.address + plane;
    return vec4<f32>(f32(k[i.x]), f32(k[i.y]), f32(k[i.z]), f32(k[i.w]));
}

fn value(plane: u32, at: Keys) -> vec4<f32> {
    let i = at.address + plane;
    return vec4<f32>(f32(v[i.x]), f32(v[i.y]), f32(v[i.z]), f32(v[i.w]));
}

fn query(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(q[at.x]), f32(q[at.y]), f32(q[at.z]), f32(q[at.w]));
}

fn upstream(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(y_gradient[at.x]), f32(y_gradient[at.y]), f32(y_gradient[at.z]), f32(y_gradient[at.w]));
}

fn embedding(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(tables[at.x], tables[at.y], tables[at.z], tables[at.w]);
}

fn record(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(records[at.x], records[at.y], records[at.z], records[at.w]);
}

// Here and below, the columns of a matrix are keys and its rows are queries.
fn products(channel: vec4<f32>, at: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(channel * at.x, channel * at.y, channel * at.z, channel * at.w);
}

// The first query's window: its entries, which end at the query in a causal group, and the offset of entry 0. The other three windows follow
// from these two numbers, which spares registers.
var<private> rows_entries: i32;
var<private> rows_offset: i32;
var<private> log_sum_exp: vec4<f32>;
var<private> delta: vec4<f32>;
// Queries that have keys.
var<private> present: vec4<bool>;

// Whether a row of keys belongs to the window of each query. `entry` is the row's index in that window. In a causal group, every query has
// one entry more than the query before it.
fn used(entry: vec4<i32>) -> vec4<bool> {
    return present & (vec4<u32>(entry) < vec4<u32>(min(vec4<i32>(rows_entries) + QUERY, vec4<i32>(params.rows_keys))));
}

// The offset of a row of keys from each query, as an index of a table. Rows of keys are numbered from the first query's window.
fn row_offsets(row: i32) -> vec4<i32> {
    return row + rows_offset - QUERY * params.query_step;
}

// Entries of the table of an axis.
fn table_entries(keys: i32) -> i32 {
    return select(keys, 2 * keys - 1, params.by_offset == 1u);
}

// The entry of an axis's table, for an entry of a window.
fn table_entry(entry: i32, window: Window, keys: i32) -> u32 {
    let at = select(entry, entry + window.offset, params.by_offset == 1u);
    return u32(clamp(at, 0, table_entries(keys) - 1));
}

// The relative terms of four keys, from the records of the four queries or from the bias table. `entry` is that of the first key, and `row`
// is its row.
fn terms(records_at: vec4<u32>, bias: i32, entry: vec4<i32>, row: i32, others: vec4<f32>) -> mat4x4<f32> {
    if RELATIVE == 1u {
        let last = vec4<i32>(params.rows_keys - 1);
        let stride = params.out_channel_stride;
        return mat4x4<f32>(
            others + record(records_at + vec4<u32>(clamp(entry, vec4<i32>(0), last)) * stride),
            others + record(records_at + vec4<u32>(clamp(entry + 1, vec4<i32>(0), last)) * stride),
            others + record(records_at + vec4<u32>(clamp(entry + 2, vec4<i32>(0), last)) * stride),
            others + record(records_at + vec4<u32>(clamp(entry + 3, vec4<i32>(0), last)) * stride),
        );
    }
    if RELATIVE >= 2u {
        return mat4x4<f32>(biases(bias, row), biases(bias, row + 1), biases(bias, row + 2), biases(bias, row + 3));
    }
    return mat4x4<f32>();
}

fn biases(bias: i32, row: i32) -> vec4<f32> {
    let offset = clamp(row_offsets(row), vec4<i32>(0), vec4<i32>(2 * params.rows_keys - 2));
    return embedding(vec4<u32>(bias + offset * (2 * params.columns_keys - 1)));
}

// The gradient of the logit of one key, for the four queries.
fn gradient(dot: vec4<f32>, product: vec4<f32>, term: vec4<f32>, taken: vec4<bool>, inside: bool) -> vec4<f32> {
    // A key outside the tensor is zero for any query, even an infinite one.
    var score = params.scale * select(NOTHING, dot, inside);
    if RELATIVE != 0u {
        score += params.relative_scale * term;
    }
    let exponent = score - log_sum_exp;
    let weight = select(exp(exponent), NOTHING, bitcast<vec4<u32>>(exponent) == vec4<u32>(MINUS_INFINITY));
    return select(NOTHING, weight * (select(NOTHING, product, inside) - delta), taken);
}

fn gradients(dots: mat4x4<f32>, values: mat4x4<f32>, terms: mat4x4<f32>, entry: vec4<i32>, at: Keys) -> mat4x4<f32> {
    return mat4x4<f32>(
        gradient(dots[0], values[0], terms[0], used(entry) & vec4<bool>(at.part.x), at.inside.x),
        gradient(dots[1], values[1], terms[1], used(entry + 1) & vec4<bool>(at.part.y), at.inside.y),
        gradient(dots[2], values[2], terms[2], used(entry + 2) & vec4<bool>(at.part.z), at.inside.z),
        gradient(dots[3], values[3], terms[3], used(entry + 3) & vec4<bool>(at.part.w), at.inside.w),
    );
}

fn sum_of(terms: mat4x4<f32>) -> vec4<f32> {
    return (terms[0] + terms[1]) + (terms[2] + terms[3]);
}

// A key outside a query's window must not reach the query's sum, not even as 0 * NaN. If all numbers are finite, the product of matrix
// and vector gives the same sum at a lower cost.
fn weighted(weight: mat4x4<f32>, at: vec4<f32>, entry: vec4<i32>, inside: vec4<bool>) -> vec4<f32> {
    return select(NOTHING, weight[0] * at.x, used(entry) & vec4<bool>(inside.x))
        + select(NOTHING, weight[1] * at.y, used(entry + 1) & vec4<bool>(inside.y))
        + select(NOTHING, weight[2] * at.z, used(entry + 2) & vec4<bool>(inside.z))
        + select(NOTHING, weight[3] * at.w, used(entry + 3) & vec4<bool>(inside.w));
}

// The weights of the keys. Keys outside the tensor get zero weight.
fn within(weight: mat4x4<f32>, inside: vec4<bool>) -> mat4x4<f32> {
    let kept = select(NOTHING, vec4<f32>(1.0), inside);
    return mat4x4<f32>(weight[0] * kept.x, weight[1] * kept.y, weight[2] * kept.z, weight[3] * kept.w);
}

// Which components are infinite or NaN.
fn not_finite(term: vec4<f32>) -> vec4<bool> {
    let exponent = vec4<u32>(0x7f800000u);
    return (bitcast<vec4<u32>>(term) & exponent) == exponent;
}
