// Expects: shared/blocked_sum.wgsl for `f32`, a function `input`, the binding `turns`, and the members of `params` that are read here.
// `params.norm` is 0 without a norm, 1 for RMS, 2 for L2. `turns` has the pairs of the frames, then of the rows, then of the columns.

// What the head at this position is divided by.
fn length_of(first: u32) -> f32 {
    if params.norm == 0u {
        return 1.0;
    }
    var squares = BlockedSum(0.0, 0.0, 0u);
    for (var block = 0u; block < params.head_dim; block += BLOCK) {
        var sum = 0.0;
        for (var c = block; c < min(block + BLOCK, params.head_dim); c += 1u) {
            let value = input(first + c * params.positions);
            sum += value * value;
        }
        squares = with_block(squares, sum);
    }
    let total = total_of(squares);
    if params.norm == 1u {
        return sqrt(total / f32(params.head_dim) + params.epsilon);
    }
    // Neither is negative. The larger one has the larger bits, and NaN has larger ones still.
    return bitcast<f32>(max(bitcast<u32>(sqrt(total)), bitcast<u32>(params.epsilon)));
}

// Cosine and sine for a pair of channels at a position.
fn turn(pair: u32, position: u32) -> vec2<f32> {
    let plane = params.height * params.width;
    if pair < params.frame_pairs {
        return turns[position / plane * params.frame_pairs + pair];
    }
    let after_frames = pair - params.frame_pairs;
    if after_frames < params.row_pairs {
        return turns[params.first_row + position % plane / params.width * params.row_pairs + after_frames];
    }
    let after_rows = after_frames - params.row_pairs;
    return turns[params.first_column + position % params.width * params.column_pairs + after_rows];
}
