// Expects: the members of three axes in `params`, such as `params.frames_extent`, `params.rows_keys` and `params.columns_border`.
// One axis of the windows: `WindowAxis` in the host, which has the formulas.
struct Axis {
    extent: i32,
    keys: i32,
    dilation: i32,
    stride: i32,
    group: i32,
    // Positions of the first group that lie before the axis.
    lead: i32,
    // 0 zero, 1 mask, 2 shift, 3 causal: `Border` in the host.
    border: u32,
}

fn frames_axis() -> Axis {
    return Axis(
        params.frames_extent, params.frames_keys, params.frames_dilation, params.frames_stride, params.frames_group,
        params.frames_lead, params.frames_border,
    );
}

fn rows_axis() -> Axis {
    return Axis(
        params.rows_extent, params.rows_keys, params.rows_dilation, params.rows_stride, params.rows_group, params.rows_lead,
        params.rows_border,
    );
}

fn columns_axis() -> Axis {
    return Axis(
        params.columns_extent, params.columns_keys, params.columns_dilation, params.columns_stride, params.columns_group,
        params.columns_lead, params.columns_border,
    );
}

// Where the window of a query lies on one axis. Entry a is the key at `first + a * dilation`. The entries from `begin` to `end` take part.
// `entries` is `end` where the axis would not end.
// A table by offset starts at the key that lies farthest before its query, so entry a has index `a + offset` there.
struct Window {
    first: i32,
    offset: i32,
    begin: i32,
    end: i32,
    entries: i32,
}

// The window of a query of the output.
fn window_axis(query: i32, axis: Axis) -> Window {
    let position = query * axis.stride;
    // A window holds only positions whose remainder modulo the dilation is that of the query. An index counts these positions. Most windows
    // need none of the divisions, which take long.
    var remainder = 0;
    var index = position;
    var count = axis.extent;
    if axis.dilation > 1 {
        remainder = position % axis.dilation;
        index = position / axis.dilation;
        count = (axis.extent - remainder + axis.dilation - 1) / axis.dilation;
    }
    var base = index;
    if axis.group > 1 {
        base = (index + axis.lead) / axis.group * axis.group - axis.lead;
    }
    let left = axis.keys / 2;
    var start = base + axis.group / 2 - left;
    var begin = 0;
    var entries = axis.keys;
    if axis.border == 2u {
        // As in NATTEN, the window shifts to stay inside.
        start = min(max(start, 0), count - axis.keys);
    }
    if axis.border == 3u {
        start = min(base + axis.group, count) - axis.keys;
        entries = min(index - start + 1, axis.keys);
    }
    var end = entries;
    if axis.border != 0u {
        begin = max(0, -start);
        end = min(entries, count - start);
    }
    return Window(remainder + axis.dilation * start, start - index + axis.keys - 1, begin, end, entries);
}
