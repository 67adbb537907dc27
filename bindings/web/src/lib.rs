//! visual-attention in a browser, as a WebAssembly module: operators become plans that JavaScript runs on a device of its own, and the
//! references run here.
//!
//! The functions of this module take and return JSON, and arrays of numbers apart. `js/index.js` is the interface for programs.

#[cfg(feature = "operators")]
mod by_name;
#[path = "../../../examples/filter_bank/mod.rs"]
#[cfg_attr(not(feature = "operators"), expect(dead_code, reason = "the features on the CPU are for the references"))]
mod filter_bank;
mod look;
mod recorder;
mod request;

// What `by_name` takes from the crate's tests looks for it at the root.
#[cfg(feature = "operators")]
use by_name::describing;

use wasm_bindgen::prelude::*;

/// Why a call failed, as JavaScript sees it.
type Outcome<T> = Result<T, JsError>;

fn failed(error: impl std::fmt::Display) -> JsError {
    JsError::new(&error.to_string())
}

fn json(value: &impl serde::Serialize) -> Outcome<String> {
    serde_json::to_string(value).map_err(failed)
}
