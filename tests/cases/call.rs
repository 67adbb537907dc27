//! A case in the words of an operator: its options as text, and its tensors by the operator's names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use visual_attention::operators::Arrays;

use super::convolution::Convolution;
use super::{Case, Outputs, Problem, Values};

/// Tensors that an operator and a case name differently: the operator's name, then the case's. Several names with spaces between them are
/// tensors one after another, which are one tensor on the other side.
pub(super) type Names = [(&'static str, &'static str)];

/// Options of an operator, as text.
pub(crate) type Texts = Vec<(String, String)>;

pub(super) fn texts<const N: usize>(options: [(&str, String); N]) -> Texts {
    options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(crate) struct Call<'a> {
    pub(super) operator: &'static str,
    pub(super) options: Texts,
    /// The tensors that the operator reads, by its names.
    pub(super) inputs: Vec<(&'static str, Cow<'a, Values>)>,
    /// What computed the input that the case calls `f`.
    pub(super) before: Option<Convolution<'a>>,
    names: Vec<(&'static str, &'static str)>,
}

impl<'a> Call<'a> {
    /// Of every input of the case. One that `names` does not have is refused.
    pub(super) fn new(case: &'a Case, operator: &'static str, options: Texts, names: &Names) -> Result<Self, Problem> {
        let inputs = case.inputs().map(|(name, values)| (name, Cow::Borrowed(values))).collect();
        Self::of(inputs, operator, options, names)
    }

    /// Of these inputs, by the case's names.
    pub(super) fn of(
        mut given: BTreeMap<&str, Cow<'a, Values>>,
        operator: &'static str,
        options: Texts,
        names: &Names,
    ) -> Result<Self, Problem> {
        let mut inputs = Vec::new();
        for &(ours, theirs) in names {
            let parts: Vec<_> = theirs.split(' ').map(|name| given.remove(name)).collect();
            if parts.iter().all(Option::is_none) {
                continue;
            }
            let missing = || Problem::Malformed(format!("not all of the tensors {theirs} are there"));
            let parts = parts.into_iter().collect::<Option<Vec<_>>>().ok_or_else(missing)?;
            inputs.push((ours, joined(parts, theirs)?));
        }
        if let Some((name, _)) = given.first_key_value() {
            return Err(Problem::Unsupported(format!(
                "`{operator}` takes no tensor `in.{name}` with these attributes"
            )));
        }
        Ok(Self { operator, options, inputs, before: None, names: names.to_vec() })
    }

    /// The case's name of a tensor of the operator.
    pub(super) fn theirs(&self, ours: &str) -> String {
        let found = self.names.iter().find(|(names, _)| names.split(' ').any(|name| name == ours));
        found.map_or(ours, |(_, theirs)| theirs).to_owned()
    }

    /// The operator's names of a tensor of the case.
    pub(super) fn ours(&self, theirs: &str) -> Option<impl Iterator<Item = &'static str>> {
        let found = self.names.iter().find(|(_, name)| *name == theirs);
        found.map(|(ours, _)| ours.split(' '))
    }

    /// What the operator computed, by the case's names: tensors whose names have `suffix` at the operator.
    pub(super) fn outputs(&self, case: &Case, computed: &Arrays<f64>, suffix: &str) -> Outputs {
        let mut outputs = Outputs::new();
        for (ours, theirs) in &self.names {
            let parts: Vec<_> = ours.split(' ').filter_map(|name| computed.get(&format!("{name}{suffix}"))).collect();
            if parts.is_empty() {
                continue;
            }
            let mut numbers: Vec<f64> = parts.into_iter().flatten().copied().collect();
            let mut theirs = theirs.split(' ').peekable();
            while let Some(name) = theirs.next() {
                // The last takes what is left, so that a wrong length shows.
                let len = case.optional(name).map_or(0, |values| values.numbers.len());
                let rest = if theirs.peek().is_some() { numbers.split_off(len.min(numbers.len())) } else { Vec::new() };
                outputs.insert(name.to_owned(), std::mem::replace(&mut numbers, rest));
            }
        }
        outputs
    }
}

/// Tensors one after another along a first axis: `[r, c]`, `[r, c]` and `[m, r, c]` are `[2 + m, r, c]`.
fn joined<'a>(mut parts: Vec<Cow<'a, Values>>, names: &str) -> Result<Cow<'a, Values>, Problem> {
    if parts.len() == 1 {
        return Ok(parts.remove(0));
    }
    let (one, dtype) = (parts[0].shape.clone(), parts[0].dtype);
    let mut count = 0;
    for part in &parts {
        count += match part.shape.as_slice() {
            shape if shape == one && part.dtype == dtype => 1,
            [count, shape @ ..] if shape == one && part.dtype == dtype => *count,
            shape => {
                let (first, other) = (format!("{dtype:?} {one:?}"), format!("{:?} {shape:?}", part.dtype));
                return Err(Problem::Malformed(format!("of {names} one is {first}, another {other}")));
            }
        };
    }
    let numbers = parts.iter().flat_map(|part| part.numbers.iter().copied()).collect();
    Ok(Cow::Owned(Values { shape: [&[count], one.as_slice()].concat(), dtype, numbers }))
}
