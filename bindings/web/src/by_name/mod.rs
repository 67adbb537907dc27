//! Operators by name: plans, references, golden cases, rows to measure.

mod arrays;
mod call;
#[path = "../../../../tests/cases/mod.rs"]
#[expect(dead_code, reason = "the suite's, of which this needs a part")]
mod cases;
mod describe;
pub(crate) mod describing;
mod golden;
mod measure;
mod on_cpu;
#[path = "../../../../examples/gpu_report/rows.rs"]
mod rows;
