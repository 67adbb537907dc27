//! Binds a row of the list to buffers of this GPU, and compares its result with the reference.

use visual_attention::host::Gpu;
use visual_attention::operators::{self, Arrays, Slices};
use visual_attention::{Cost, Error, Recording, Role, TensorSpec, wgpu};

use super::rows::Row;
use super::stored::{stored, widened};

/// A row that is ready to run.
pub(crate) struct Bound {
    pub(crate) cost: Cost,
    pub(crate) recording: Recording,
    spec: TensorSpec,
    output: wgpu::Buffer,
    expected: Vec<f32>,
}

impl Bound {
    pub(crate) fn new(gpu: &Gpu, row: &Row) -> Result<Self, Error> {
        let refused = || Error::Refused { reason: format!("there is no {} of {}", row.output, row.operator) };
        let operator = operators::find(row.operator).ok_or_else(refused)?.open(&gpu.device, &row.options())?;
        let shapes = row.shapes();
        let given = Arrays::new(row.inputs.iter().map(|(name, ..)| (*name, row.numbers(name))));
        let (mut buffers, mut output) = (Vec::new(), None);
        for spec in operator.tensors(&shapes)? {
            let buffer = match given.get(spec.name) {
                Some(numbers) => gpu.upload("input", &stored(numbers, spec.dtype))?,
                None if spec.role == Role::Input => continue,
                None if spec.optional && !row.asks_for(spec.name) => continue,
                None => gpu.buffer(spec.name, spec.bytes().unwrap_or(u64::MAX))?,
            };
            if spec.name == row.output {
                output = Some((spec.clone(), buffer.clone()));
            }
            buffers.push((spec.name, buffer));
        }
        let slices = Slices::new(buffers.iter().map(|(name, buffer)| (*name, buffer.slice(..))));
        let recording = operator.bind(&gpu.device, &shapes, &slices)?;
        let expected = operator.reference_f32(&shapes, &given)?.get(row.output).cloned().unwrap_or_default();
        let (spec, output) = output.ok_or_else(refused)?;
        Ok(Self { cost: operator.cost(&shapes)?, recording, spec, output, expected })
    }

    /// Reads the result back: how it differs from the reference, if it does.
    pub(crate) fn difference(&self, gpu: &Gpu, row: &Row) -> Result<Option<String>, Error> {
        let actual = widened(&gpu.read(self.output.slice(..))?, self.spec.dtype);
        let actual: Vec<f32> = actual.into_iter().map(|number| number as f32).collect();
        Ok(row.difference(&actual, &self.expected))
    }
}
