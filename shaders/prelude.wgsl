// The first line of every kernel, as `Shader::source` in src/kernel/shader.rs writes it for the f32 variant. This file is here for readers.
// Nothing includes it.
//
// `Element` is one load as stored: f32, f16, or a vector of four of either. `Scalar` is one number as stored. `Real` is a load as computed,
// always 32-bit. `Bits` is a load as bits. `Inner` is a load of a tensor that passes between the kernels of one operator. `LENGTH` is the
// length of private arrays, in kernels that have private arrays.
alias Scalar = f32;
alias Element = f32;
alias Real = f32;
alias Bits = u32;
alias Inner = f32;
const LENGTH = 8u;
// These functions reduce the components of a load to one number.
fn horizontal_sum(v: Real) -> f32 { return v; }
fn horizontal_max(v: Bits) -> u32 { return v; }
fn first_component(v: Real) -> f32 { return v; }
// Numbers the components of a load: 0 to 3 for a vector of four.
fn lane_numbers() -> Bits { return 0u; }
