// Expects: shared/bilinear.wgsl; RESAMPLED; `map: array<f32>` of planes; `params` with `map_base` and the members read here.
// The map's value at a pixel of the picture, interpolated bilinearly: first between rows, then between columns.

// What all pixels of a row share: the first elements of two rows of the map, and the weight of the second row.
struct MapRow {
    low: u32,
    high: u32,
    weight: f32,
}

fn map_row(image: u32, row: u32) -> MapRow {
    let plane = params.map_base + image * params.row_length * params.column_length;
    if !RESAMPLED {
        return MapRow(plane + row * params.column_length, 0u, 0.0);
    }
    let rows = tap(Axis(params.row_multiplier, params.row_plus, params.row_minus, params.row_denominator, params.row_length), row);
    return MapRow(plane + rows.low * params.column_length, plane + rows.high * params.column_length, rows.weight);
}

fn map_at(row: MapRow, column: u32) -> f32 {
    if !RESAMPLED {
        return map[row.low + column];
    }
    let columns = tap(Axis(params.column_multiplier, params.column_plus, params.column_minus, params.column_denominator, params.column_length), column);
    return blend(
        blend(map[row.low + columns.low], map[row.high + columns.low], row.weight),
        blend(map[row.low + columns.high], map[row.high + columns.high], row.weight),
        columns.weight,
    );
}
