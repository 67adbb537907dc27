// Expects: shared/bilinear.wgsl; `map: array<f32>` of planes; `params` with `map_base` and the members read here.
// The map at a pixel of the picture: bilinear, along rows and then columns.
fn map_at(image: u32, row: u32, column: u32) -> f32 {
    let rows = tap(Axis(params.row_multiplier, params.row_plus, params.row_minus, params.row_denominator, params.map_height), row);
    let columns = tap(Axis(params.column_multiplier, params.column_plus, params.column_minus, params.column_denominator, params.map_width), column);
    let plane = params.map_base + image * params.map_height * params.map_width;
    let low = plane + rows.low * params.map_width;
    let high = plane + rows.high * params.map_width;
    return blend(
        blend(map[low + columns.low], map[high + columns.low], rows.weight),
        blend(map[low + columns.high], map[high + columns.high], rows.weight),
        columns.weight,
    );
}
