// Expects: `params.border`: 0 zero, 1 mask, 2 shift.
// Where the window of a query lies on one axis. Entry a is the key at `first + a * dilation`. A bias table counts from entry 0 of the
// window that reaches farthest before the query, so entry a has index `a + offset` there.
struct Axis {
    first: i32,
    offset: i32,
}

fn window_axis(position: i32, extent: i32, window: i32, dilation: i32) -> Axis {
    let reach = window / 2;
    if params.border != 2u {
        return Axis(position - dilation * reach, reach);
    }
    // As in NATTEN, the window shifts to stay inside the image. It holds only pixels whose index has the query's remainder modulo the
    // dilation.
    let remainder = position % dilation;
    let index = position / dilation;
    let count = (extent - remainder + dilation - 1) / dilation;
    let start = min(max(index - reach, 0), count - window);
    return Axis(remainder + dilation * start, start - index + window - 1);
}
