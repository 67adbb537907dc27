// Expects: `params.border`: 0 zero, 1 mask, 2 shift.
// Where the window of a query lies on one axis: entry a is the key at `first + a * dilation`, and is `a + offset` window steps
// from entry 0 of a window that reaches as far before the query as it can, which is how a bias table counts.
struct Axis {
    first: i32,
    offset: i32,
}

fn window_axis(position: i32, extent: i32, window: i32, dilation: i32) -> Axis {
    let reach = window / 2;
    if params.border != 2u {
        return Axis(position - dilation * reach, reach);
    }
    // NATTEN's way: among the pixels that share the query's remainder, the window moves to stay inside.
    let remainder = position % dilation;
    let index = position / dilation;
    let count = (extent - remainder + dilation - 1) / dilation;
    let start = min(max(index - reach, 0), count - window);
    return Axis(remainder + dilation * start, start - index + window - 1);
}
