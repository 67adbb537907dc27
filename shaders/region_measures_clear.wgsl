// Region measures: sets tallies to 0, so that a recording may be replayed.
//
// Source    start values of sums and maxima
// Host      src/ops/region_measures/mod.rs        Reference  src/reference/region_measures.rs
// Shapes    tally [n, words]
// Grid      x: ceil(words / 256), z: n; one invocation per word
// Numerics  exact
// Needs     no device feature

struct Params {
    origin: u32,
    tally_base: u32,
    words: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> tally: array<u32>;

@compute @workgroup_size(256)
fn region_measures_clear(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let word = (params.origin + group.x) * 256u + lane;
    if word < params.words { tally[params.tally_base + group.z * params.words + word] = 0u; }
}
