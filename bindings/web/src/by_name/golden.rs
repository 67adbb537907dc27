//! Golden cases: what JavaScript runs on its device, and the comparison with the references.

use serde_json::json;
use visual_attention::Role;
use visual_attention::operators::Arrays;
use wasm_bindgen::prelude::*;

use super::call::{Call, Tensor};
use super::cases::run::{Contents, Ready, Runner, Step};
use super::cases::stored::{stored, widened};
use super::cases::{Case, Errors, Problem};
use crate::{Outcome, failed, json};

/// A golden case, and what a GPU computed of it so far.
#[wasm_bindgen]
pub struct Golden {
    case: Case,
    /// What each step wrote.
    results: Vec<Vec<(String, Vec<f64>)>>,
}

#[wasm_bindgen]
impl Golden {
    /// Reads a `.safetensors` file.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8]) -> Outcome<Self> {
        Ok(Self { case: Case::read(bytes).map_err(failed)?, results: Vec::new() })
    }

    /// Whether its inputs are 16-bit floats.
    #[wasm_bindgen(js_name = needsF16)]
    pub fn needs_f16(&self) -> bool {
        self.case.needs_f16()
    }

    /// The operators to run: each a call, with its tensors and where their contents come from.
    pub fn steps(&self) -> Outcome<String> {
        self.with_steps(|steps| {
            let tensor = |(spec, contents): &(&visual_attention::TensorSpec, Contents<'_>)| {
                let contents = match contents {
                    Contents::Given(_) => "given",
                    Contents::Output => "output",
                    Contents::Kept => "kept",
                };
                json!({ "spec": Tensor::from(*spec), "contents": contents })
            };
            let step = |step: &Step<'_>| {
                let options = step.options.iter().map(|(name, text)| (name.as_str(), text.as_str()));
                json!({
                    "call": Call::of(step.entry.name, options, step.shapes),
                    "tensors": step.tensors.iter().map(tensor).collect::<Vec<_>>(),
                })
            };
            json(&steps.iter().map(step).collect::<Vec<_>>())
        })?
    }

    /// The bytes of a tensor that the case gives, as an operator stores them.
    pub fn contents(&self, step: usize, name: &str) -> Outcome<Vec<u8>> {
        self.with_steps(|steps| {
            let tensor = steps.get(step).and_then(|step| step.tensors.iter().find(|(spec, _)| spec.name == name));
            match tensor {
                Some((spec, Contents::Given(numbers))) => Ok(stored(numbers, spec.dtype)),
                _ => Err(failed(format!("the case gives no `{name}` in step {step}"))),
            }
        })?
    }

    /// Takes what a step wrote, as it is stored.
    pub fn result(&mut self, step: usize, name: &str, bytes: &[u8]) -> Outcome<()> {
        let numbers = self.with_steps(|steps| {
            let tensors = steps.get(step).map_or(&[][..], |step| &step.tensors);
            let spec = tensors.iter().map(|(spec, _)| *spec).find(|spec| spec.name == name && spec.role != Role::Input);
            let spec = spec.ok_or_else(|| failed(format!("step {step} writes no `{name}`")))?;
            let mut numbers = widened(bytes, spec.dtype);
            numbers.truncate(spec.elements().unwrap_or(0) as usize);
            Ok::<_, JsError>(numbers)
        })??;
        self.results.resize(self.results.len().max(step + 1), Vec::new());
        self.results[step].push((name.to_owned(), numbers));
        Ok(())
    }

    /// Compares with what is expected: the references, and with `on_gpu` what the GPU computed.
    pub fn check(&self, on_gpu: bool) -> Outcome<String> {
        let report = self.case.check(on_gpu.then_some(self as &dyn Runner)).map_err(failed)?;
        let errors = |errors: &Errors| {
            let Errors { gpu, reference, baseline, gate } = errors;
            // JSON has no infinity; what is not computed is a failure in words.
            let finite = |error: f64| error.is_finite().then_some(error);
            json!({ "gpu": gpu.and_then(finite), "reference": finite(*reference), "baseline": baseline, "tolerance": gate })
        };
        json(&json!({
            "op": self.case.op,
            "outputs": errors(&report.outputs),
            "gradients": errors(&report.gradients),
            "checked": report.checked,
            "failures": report.failures,
        }))
    }
}

impl Golden {
    fn with_steps<R>(&self, take: impl FnOnce(&[Step<'_>]) -> R) -> Outcome<R> {
        let call = self.case.call().map_err(failed)?;
        let ready = Ready::new(&self.case, &call).map_err(failed)?;
        Ok(take(&ready.steps(&call)))
    }
}

impl Runner for Golden {
    fn run(&self, steps: &[Step<'_>]) -> Result<Vec<Arrays<f64>>, Problem> {
        let result = |step: usize| Arrays::new(self.results.get(step).cloned().unwrap_or_default());
        Ok((0..steps.len()).map(result).collect())
    }
}
