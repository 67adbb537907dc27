//! visual-attention in a browser, as a WebAssembly module: operators become plans that JavaScript runs on a device of its own, and the
//! references run here.
//!
//! The functions of this module take and return JSON, and arrays of numbers apart. `js/index.js` is the interface for programs.

mod arrays;
#[path = "../../../tests/cases/mod.rs"]
#[expect(dead_code, reason = "the suite's, of which this needs a part")]
mod cases;
mod describe;
mod describing;
#[path = "../../../examples/filter_bank/mod.rs"]
mod filter_bank;
mod golden;
mod look;
mod measure;
mod recorder;
mod request;
#[path = "../../../examples/gpu_report/rows.rs"]
mod rows;

use wasm_bindgen::prelude::*;

/// Why a call failed, as JavaScript sees it.
type Outcome<T> = Result<T, JsError>;

fn failed(error: impl std::fmt::Display) -> JsError {
    JsError::new(&error.to_string())
}

fn json(value: &impl serde::Serialize) -> Outcome<String> {
    serde_json::to_string(value).map_err(failed)
}
