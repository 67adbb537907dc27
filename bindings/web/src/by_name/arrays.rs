//! Numbers by name, on their way between JavaScript and the references.

use visual_attention::operators;
use wasm_bindgen::prelude::*;

/// Numbers of tensors by name.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct Arrays(Vec<(String, Vec<f64>)>);

#[wasm_bindgen]
impl Arrays {
    /// Without any.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the numbers of a tensor.
    pub fn add(&mut self, name: String, numbers: Vec<f64>) {
        self.0.push((name, numbers));
    }

    /// The names.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Takes the numbers of a tensor out.
    pub fn take(&mut self, name: &str) -> Option<Vec<f64>> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.swap_remove(at).1)
    }
}

impl Arrays {
    pub(crate) fn to_operators(&self) -> operators::Arrays<f64> {
        operators::Arrays::new(self.0.iter().map(|(name, numbers)| (name.as_str(), numbers.clone())))
    }
}

impl From<operators::Arrays<f64>> for Arrays {
    fn from(arrays: operators::Arrays<f64>) -> Self {
        Self(arrays.iter().map(|(name, numbers)| (name.to_owned(), numbers.clone())).collect())
    }
}
