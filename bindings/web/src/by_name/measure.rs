//! The rows of `gpu_report`: what JavaScript runs and times, and whether the result is right.

use serde_json::json;
use visual_attention::Role;
use visual_attention::operators::{self, Arrays, Operator};
use wasm_bindgen::prelude::*;

use super::call::{Call, Tensor};
use super::cases::stored::{stored, widened};
use super::describing::describing;
use super::rows::{Row, rows};
use crate::{Outcome, failed, json};

/// One row of the report.
#[wasm_bindgen]
pub struct Measured {
    row: Row,
    operator: Box<dyn Operator>,
}

/// Rows of the report.
#[wasm_bindgen(js_name = measuredRows)]
pub fn measured_rows() -> usize {
    rows().len()
}

#[wasm_bindgen]
impl Measured {
    /// Row number `index`.
    #[wasm_bindgen(constructor)]
    pub fn new(index: usize) -> Outcome<Self> {
        let row = rows().into_iter().nth(index).ok_or_else(|| failed("there is no such row"))?;
        let entry = operators::find(row.operator).ok_or_else(|| failed("there is no such operator"))?;
        let operator = entry.open(describing(), &row.options()).map_err(failed)?;
        Ok(Self { row, operator })
    }

    /// Its call, tensors, cost and names.
    pub fn describe(&self) -> Outcome<String> {
        let shapes = self.row.shapes();
        let specs = self.operator.tensors(&shapes).map_err(failed)?;
        let given = |name| self.row.inputs.iter().any(|(input, ..)| *input == name);
        let wanted = |spec: &&visual_attention::TensorSpec| {
            given(spec.name) || spec.role != Role::Input && (!spec.optional || self.row.asks_for(spec.name))
        };
        let cost = self.operator.cost(&shapes).map_err(failed)?;
        let options = self.row.options.iter().map(|(name, text)| (*name, text.as_str()));
        json(&json!({
            "call": Call::of(self.row.operator, options, &shapes),
            "tensors": specs.iter().filter(wanted).map(Tensor::from).collect::<Vec<_>>(),
            "case": self.row.case,
            "output": self.row.output,
            "f16": self.row.is_f16(),
            "cost": { "bytes": cost.bytes, "flops": cost.flops },
        }))
    }

    /// The bytes of an input, as the operator stores them.
    pub fn contents(&self, name: &str) -> Outcome<Vec<u8>> {
        let specs = self.operator.tensors(&self.row.shapes()).map_err(failed)?;
        let spec = specs.iter().find(|spec| spec.name == name).ok_or_else(|| failed("there is no such tensor"))?;
        Ok(stored(&self.row.numbers(name), spec.dtype))
    }

    /// How a result differs from the reference, if it does.
    pub fn difference(&self, bytes: &[u8]) -> Outcome<Option<String>> {
        let shapes = self.row.shapes();
        let specs = self.operator.tensors(&shapes).map_err(failed)?;
        let output = specs.iter().find(|spec| spec.name == self.row.output);
        let output = output.ok_or_else(|| failed("there is no such tensor"))?;
        let inputs = Arrays::new(self.row.inputs.iter().map(|(name, ..)| (*name, self.row.numbers(name))));
        let expected = self.operator.reference_f32(&shapes, &inputs).map_err(failed)?;
        let expected = expected.get(self.row.output).cloned().unwrap_or_default();
        let actual: Vec<f32> = widened(bytes, output.dtype).into_iter().map(|number| number as f32).collect();
        Ok(self.row.difference(&actual, &expected))
    }
}
