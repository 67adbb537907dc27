// Histogram of a map, resampled to the picture's size, in 256 levels: floor(255 * value) clamped to 0..255. NaN is not counted.
//
// Source    Otsu 1979, IEEE Trans. SMC 9(1); levels as in OpenCV's THRESH_OTSU on 8-bit pictures
// Host      src/ops/threshold.rs        Reference  src/reference/threshold.rs
// Shapes    map [n, h, w] -> bins [n, 256], which must be zero before
// Grid      x: shares of the picture's rows, z: n; a workgroup takes every shares-th row
// Numerics  integers; the order of the additions does not matter
// Uses      `map_row`, `map_at` of shared/sampled_map.wgsl
// Uses      `level_of` of shared/exceeds.wgsl
// Needs     no device feature

override WORKGROUP_SIZE: u32 = 256u;
// Whether the size of the map differs from the size of the picture.
override RESAMPLED: bool = true;

struct Params {
    origin: u32,
    map_base: u32,
    bins_base: u32,
    height: u32,
    width: u32,
    shares: u32,
    row_multiplier: u32,
    row_plus: u32,
    row_minus: u32,
    row_denominator: u32,
    row_length: u32,
    column_multiplier: u32,
    column_plus: u32,
    column_minus: u32,
    column_denominator: u32,
    column_length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> map: array<f32>;
@group(0) @binding(2) var<storage, read_write> bins: array<atomic<u32>>;

var<workgroup> wg_bins: array<atomic<u32>, 256>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn threshold_histogram(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    for (var bin = local.x; bin < 256u; bin += WORKGROUP_SIZE) {
        atomicStore(&wg_bins[bin], 0u);
    }
    workgroupBarrier();
    for (var row = params.origin + group.x; row < params.height; row += params.shares) {
        let map_row = map_row(group.z, row);
        for (var column = local.x; column < params.width; column += WORKGROUP_SIZE) {
            let level = level_of(map_at(map_row, column));
            // NaN is detected by its bits, since WGSL allows a driver to assume that there is no NaN.
            let is_nan = (bitcast<u32>(level) & 0x7fffffffu) > 0x7f800000u;
            if !is_nan {
                atomicAdd(&wg_bins[u32(clamp(level, 0.0, 255.0))], 1u);
            }
        }
    }
    workgroupBarrier();
    for (var bin = local.x; bin < 256u; bin += WORKGROUP_SIZE) {
        let count = atomicLoad(&wg_bins[bin]);
        if count > 0u {
            atomicAdd(&bins[params.bins_base + group.z * 256u + bin], count);
        }
    }
}
