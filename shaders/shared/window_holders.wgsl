// Expects: `Axis` of shared/window.wgsl.
// The queries whose windows hold keys of one axis: the inverse of `window_axis`. Starts of windows do not decrease from one query to the
// next, so the queries that hold a key lie side by side. Formulas of `WindowAxis` in the host are solved for the query.

// Queries of the output: the first is `query`, and its index is `index`. `count` queries follow each other `period` queries apart, and their
// indices are `step` apart.
struct Holders {
    query: i32,
    index: i32,
    count: i32,
    period: i32,
    step: i32,
}

fn floor_divide(a: i32, b: i32) -> i32 {
    let quotient = a / b;
    return select(quotient, quotient - 1, a < quotient * b);
}

fn common_divisor(a: i32, b: i32) -> i32 {
    var x = a;
    var y = b;
    while y != 0 {
        let rest = x % y;
        x = y;
        y = rest;
    }
    return x;
}

// The queries that hold any of the keys with indices `low` to `high` of a remainder.
fn holders(remainder: i32, low: i32, high: i32, axis: Axis) -> Holders {
    var count = axis.extent;
    if axis.dilation > 1 {
        count = (axis.extent - remainder + axis.dilation - 1) / axis.dilation;
    }
    let causal = axis.border == 3u;
    // The window of the group that begins at `base` starts at `base - lag`, unless it moves to stay inside.
    let lag = select(axis.keys / 2 - axis.group / 2, axis.keys - axis.group, causal) + axis.lead;
    var begin = low + lag - axis.keys + 1;
    var end = high + lag;
    if axis.group > 1 {
        begin = -floor_divide(-begin, axis.group) * axis.group;
        end = floor_divide(end, axis.group) * axis.group;
    }
    begin -= axis.lead;
    end += axis.group - 1 - axis.lead;
    if causal {
        begin = low;
    }
    if axis.border == 2u && low < axis.keys {
        begin = 0;
    }
    if axis.border >= 2u && high >= count - axis.keys {
        end = count - 1;
    }
    begin = max(begin, 0);
    end = min(end, count - 1);
    if axis.stride == 1 {
        return Holders(remainder + axis.dilation * begin, begin, max(end - begin + 1, 0), axis.dilation, 1);
    }
    // Only positions that the stride divides have queries.
    let divisor = common_divisor(axis.dilation, axis.stride);
    let step = axis.stride / divisor;
    while begin <= end && (remainder + axis.dilation * begin) % axis.stride != 0 {
        begin += 1;
    }
    let query = (remainder + axis.dilation * begin) / axis.stride;
    return Holders(query, begin, (max(end - begin, -step) + step) / step, axis.dilation / divisor, step);
}
