//! What JavaScript asks for: an operator with its options and shapes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use visual_attention::operators::{self, Entry, Operator, Options, Shapes};
use visual_attention::{Compiler, Role, TensorSpec};

use super::describing::describing;

/// An operator with its options, for inputs of some shapes.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Call {
    pub(crate) operator: String,
    #[serde(default)]
    pub(crate) options: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) shapes: BTreeMap<String, Vec<u32>>,
}

impl Call {
    pub(crate) fn of<'a>(operator: &str, options: impl Iterator<Item = (&'a str, &'a str)>, shapes: &Shapes) -> Self {
        Self {
            operator: operator.to_owned(),
            options: options.map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
            shapes: shapes.iter().map(|(name, shape)| (name.to_owned(), shape.clone())).collect(),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    pub(crate) fn entry(&self) -> Result<&'static Entry, String> {
        operators::find(&self.operator).ok_or_else(|| format!("there is no operator `{}`", self.operator))
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(self.options.clone())
    }

    pub(crate) fn shapes(&self) -> Shapes {
        Shapes::new(self.shapes.clone())
    }

    pub(crate) fn open(&self, compiler: Compiler<'_>) -> Result<Box<dyn Operator>, String> {
        self.entry()?.open(compiler.at_first_use(), &self.options()).map_err(|error| error.to_string())
    }

    /// The operator without a device.
    pub(crate) fn described(&self) -> Result<Box<dyn Operator>, String> {
        self.open(describing())
    }
}

/// A tensor as JavaScript sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tensor {
    pub(crate) name: &'static str,
    shape: Vec<u32>,
    pub(crate) dtype: String,
    pub(crate) role: &'static str,
    optional: bool,
    in_place_of: Option<&'static str>,
    bytes: Option<u64>,
}

impl From<&TensorSpec> for Tensor {
    fn from(spec: &TensorSpec) -> Self {
        let role = match spec.role {
            Role::Input => "input",
            Role::InPlace => "in_place",
            _ => "output",
        };
        Self {
            name: spec.name,
            shape: spec.shape.clone(),
            dtype: spec.dtype.to_string(),
            role,
            optional: spec.optional,
            in_place_of: spec.in_place_of,
            bytes: spec.bytes(),
        }
    }
}
