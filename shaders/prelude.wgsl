// What every kernel starts with, as `Shader::source` in src/kernel/shader.rs writes it on the first line of the f32 variant. This file is
// to be read; nothing includes it.
//
// `Element` is one load as stored: f32 or f16, or a vector of four of them. `Scalar` is one number as stored. `Real` is a load as computed,
// always 32-bit, and `Bits` is a load as bits. `Inner` is a load of what passes between the kernels of one operator. `LENGTH` is the length of
// private arrays, in kernels that have them.
alias Scalar = f32;
alias Element = f32;
alias Real = f32;
alias Bits = u32;
alias Inner = f32;
const LENGTH = 8u;
// These reduce the components of a load to one number.
fn horizontal_sum(v: Real) -> f32 { return v; }
fn horizontal_max(v: Bits) -> u32 { return v; }
fn first_component(v: Real) -> f32 { return v; }
