// A small fixed filter bank, the classic front end of a saliency model: how much every place stands out from its
// surroundings in intensity, in two colour opponents and in four orientations.
//
// Source    Itti, Koch, Niebur 1998, IEEE PAMI 20(11): centre-surround across a pyramid, opponents, orientations
//           Walther, Koch 2006, Neural Networks 19(9): the opponents' formula
//           Knutsson, Westin 1993, CVPR: normalised convolution, an average that skips what is missing
//           Naka, Rushton 1966, Journal of Physiology 185(3): the saturating response
// Host      mod.rs, which also holds the same text for the CPU
// Shapes    picture [1, 3, height, width] in 0..1 -> pyramid, 7 levels one after another
//           -> features [1, 14, rows, columns]
// Grid      x: ceil(columns / 8), y: ceil(rows / 8), of the level that is written; one invocation per pixel
// Numerics  f32 sums in the order of the CPU text; a picture with NaN or infinities is unspecified
// Needs     no device feature; pictures up to 16384 a side keep loops under the 65,535 iterations of software drivers

// Mirrors the words that `FilterBank::record` writes.
struct Params {
    height: u32,
    width: u32,
    rows: u32,
    columns: u32,
    level: u32,
}

// What one pixel of the pyramid holds: intensity, red-green, blue-yellow, each times the certainty, and the certainty.
// As with premultiplied colour, such values can be averaged as they are, and a division afterwards gives the
// average over the certain pixels only: nothing unlit or outside the picture leaks into a surround.
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> picture: array<f32>;
@group(0) @binding(2) var<storage, read_write> pyramid: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> features: array<f32>;

// Hue means nothing in the dark (Itti et al. drop it under a tenth of the maximum): around that tenth the certainty
// rises smoothly from DARK to LIT, so that no hard edge appears where the light ends.
const DARK: f32 = 0.05;
const LIT: f32 = 0.2;
// Intensity lies in 0..1; both opponents and the oriented filters span -1..1, so half of them spans as much.
const GAINS: vec3<f32> = vec3<f32>(1.0, 0.5, 0.5);
const ORIENTATION_GAIN: f32 = 0.5;
// The response to a contrast d is d / (|d| + HALF): half of the maximum at HALF. It keeps a strong edge from outshining
// the object that it belongs to.
const HALF: f32 = 0.125;
// Below this certainty an average is noise; the features are weighted by the certainty anyway.
const LEAST_CERTAINTY: f32 = 1e-3;

fn level_rows(level: u32) -> u32 { return (params.rows + (1u << level) - 1u) >> level; }
fn level_columns(level: u32) -> u32 { return (params.columns + (1u << level) - 1u) >> level; }
fn level_start(level: u32) -> u32 {
    var start = 0u;
    for (var l = 0u; l < level; l += 1u) { start += level_rows(l) * level_columns(l); }
    return start;
}

fn opponents(pixel: u32) -> vec4<f32> {
    let plane = params.height * params.width;
    let red = picture[pixel];
    let green = picture[plane + pixel];
    let blue = picture[2u * plane + pixel];
    let brightest = max(max(red, green), blue);
    let t = clamp((brightest - DARK) / (LIT - DARK), 0.0, 1.0);
    let certainty = t * t * (3.0 - 2.0 * t);
    let scale = 1.0 / max(brightest, DARK);   // hue apart from brightness: shading and vignetting cancel
    let values = vec3<f32>((red + green + blue) / 3.0, (red - green) * scale, (blue - min(red, green)) * scale);
    return vec4<f32>(values * certainty, certainty);
}

// Level 0: the average over the picture's pixels that fall into one pixel of the features.
@compute @workgroup_size(8, 8)
fn opponent_area(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.columns || id.y >= params.rows { return; }
    let top = id.y * params.height / params.rows;
    let bottom = (id.y + 1u) * params.height / params.rows;
    let left = id.x * params.width / params.columns;
    let right = (id.x + 1u) * params.width / params.columns;
    var sum = vec4<f32>(0.0);
    for (var y = top; y < bottom; y += 1u) {
        for (var x = left; x < right; x += 1u) { sum += opponents(y * params.width + x); }
    }
    pyramid[id.y * params.columns + id.x] = sum / f32((bottom - top) * (right - left));
}

// One level further: half the size, weights 1 3 3 1 on either axis (even, so that no level is shifted against another).
// Outside of the picture the certainty is 0.
@compute @workgroup_size(8, 8)
fn pyramid_reduce(@builtin(global_invocation_id) id: vec3<u32>) {
    let coarse = params.level + 1u;
    if id.x >= level_columns(coarse) || id.y >= level_rows(coarse) { return; }
    let rows = i32(level_rows(params.level));
    let columns = i32(level_columns(params.level));
    let start = level_start(params.level);
    var sum = vec4<f32>(0.0);
    for (var i = -1; i < 3; i += 1) {
        for (var j = -1; j < 3; j += 1) {
            let y = 2 * i32(id.y) + i;
            let x = 2 * i32(id.x) + j;
            if y < 0 || x < 0 || y >= rows || x >= columns { continue; }
            let weight = select(1.0, 3.0, i == 0 || i == 1) * select(1.0, 3.0, j == 0 || j == 1) / 64.0;
            sum += weight * pyramid[start + u32(y * columns + x)];
        }
    }
    pyramid[level_start(coarse) + id.y * level_columns(coarse) + id.x] = sum;
}

// A level at a pixel of level 0, bilinear, divided by its certainty, which stays in w.
fn at(level: u32, row: i32, column: i32) -> vec4<f32> {
    if row < 0 || column < 0 || row >= i32(params.rows) || column >= i32(params.columns) { return vec4<f32>(0.0); }
    let rows = level_rows(level);
    let columns = level_columns(level);
    let start = level_start(level);
    let step = f32(1u << level);
    let y = clamp((f32(row) + 0.5) / step - 0.5, 0.0, f32(rows - 1u));
    let x = clamp((f32(column) + 0.5) / step - 0.5, 0.0, f32(columns - 1u));
    let top = start + u32(y) * columns;
    let bottom = start + min(u32(y) + 1u, rows - 1u) * columns;
    let left = u32(x);
    let right = min(left + 1u, columns - 1u);
    let upper = pyramid[top + left] + (pyramid[top + right] - pyramid[top + left]) * fract(x);
    let lower = pyramid[bottom + left] + (pyramid[bottom + right] - pyramid[bottom + left]) * fract(x);
    let value = upper + (lower - upper) * fract(y);
    return vec4<f32>(value.xyz / max(value.w, LEAST_CERTAINTY), value.w);
}

fn respond(channel: u32, row: i32, column: i32, contrast: f32) {
    let pixel = (channel * params.rows + u32(row)) * params.columns + u32(column);
    features[pixel] = contrast / (abs(contrast) + HALF);
}

// Channels 0..6: centre minus surround of intensity, red-green, blue-yellow, levels 1 - 5 and then 2 - 6.
// Channels 6..14: intensity across bars at 0, 90, 45 and 135 degrees, level 1 and then 2.
@compute @workgroup_size(8, 8)
fn filter_bank(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.columns || id.y >= params.rows { return; }
    let row = i32(id.y);
    let column = i32(id.x);
    for (var scale = 0u; scale < 2u; scale += 1u) {
        let level = scale + 1u;
        let centre = at(level, row, column);
        let surround = at(level + 4u, row, column);
        // Where the surround is partly unseen the difference counts less: the picture's own border doesn't win.
        let contrast = GAINS * (centre.xyz - surround.xyz) * (centre.w * surround.w);
        respond(scale * 3u, row, column, contrast.x);
        respond(scale * 3u + 1u, row, column, contrast.y);
        respond(scale * 3u + 2u, row, column, contrast.z);

        // Second derivatives on a 3 x 3 grid, steered to the diagonals (Freeman, Adelson 1991, IEEE PAMI 13(9)).
        // A derivative has no surround to renormalise, so it counts as much as its least certain tap.
        let spacing = i32(1u << level);
        var across_x = 0.0;
        var across_y = 0.0;
        var mixed = 0.0;
        var certainty = 1.0;
        for (var i = -1; i < 2; i += 1) {
            for (var j = -1; j < 2; j += 1) {
                let tap = at(level, row + i * spacing, column + j * spacing);
                across_x += select(0.25, 0.5, i == 0) * select(-0.5, 1.0, j == 0) * tap.x;
                across_y += select(-0.5, 1.0, i == 0) * select(0.25, 0.5, j == 0) * tap.x;
                mixed += 0.125 * f32(i * j) * tap.x;
                certainty = min(certainty, tap.w);
            }
        }
        let weight = ORIENTATION_GAIN * certainty;
        let diagonal = 0.5 * (across_x + across_y);
        respond(6u + scale * 4u, row, column, weight * across_x);
        respond(7u + scale * 4u, row, column, weight * across_y);
        respond(8u + scale * 4u, row, column, weight * (diagonal - mixed));
        respond(9u + scale * 4u, row, column, weight * (diagonal + mixed));
    }
}
