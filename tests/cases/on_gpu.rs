//! A host's GPU runs the steps of golden cases.

use visual_attention::host::Gpu;
use visual_attention::operators::{Arrays, Options, Slices};
use visual_attention::{Role, wgpu};

use crate::cases::Problem;
use crate::cases::run::{Contents, Runner, Step};
use crate::cases::stored::{stored, widened};
use crate::compiler;

impl Runner for Gpu {
    fn run(&self, steps: &[Step<'_>]) -> Result<Vec<Arrays<f64>>, Problem> {
        let mut before = Vec::new();
        let mut results = Vec::new();
        for step in steps {
            let buffers = buffers(self, step, &before)?;
            results.push(dispatch(self, step, &buffers)?);
            before = buffers;
        }
        Ok(results)
    }
}

/// Buffers by name.
type Buffers = Vec<(&'static str, wgpu::Buffer)>;

fn buffers(gpu: &Gpu, step: &Step<'_>, before: &Buffers) -> Result<Buffers, Problem> {
    let mut buffers = Buffers::new();
    for (spec, contents) in &step.tensors {
        let buffer = match contents {
            Contents::Given(numbers) => gpu.upload("input", &stored(numbers, spec.dtype))?,
            Contents::Output => gpu.buffer(spec.name, spec.bytes().unwrap_or(u64::MAX))?,
            Contents::Kept => {
                let kept = before.iter().find(|(name, _)| *name == spec.name);
                let missing = || Problem::Malformed(format!("no step before wrote `{}`", spec.name));
                kept.ok_or_else(missing)?.1.clone()
            }
        };
        buffers.push((spec.name, buffer));
    }
    Ok(buffers)
}

fn dispatch(gpu: &Gpu, step: &Step<'_>, buffers: &Buffers) -> Result<Arrays<f64>, Problem> {
    let operator = step.entry.open(compiler::of(&gpu.device), &Options::new(step.options.clone()))?;
    let slices = Slices::new(buffers.iter().map(|(name, buffer)| (*name, buffer.slice(..))));
    let recording = operator.bind(&gpu.device, step.shapes, &slices)?;
    gpu.run(|pass| recording.record(pass))?;
    let mut read = Vec::new();
    for ((spec, _), (name, buffer)) in step.tensors.iter().zip(buffers) {
        if spec.role != Role::Input {
            let mut numbers = widened(&gpu.read(buffer.slice(..))?, spec.dtype);
            numbers.truncate(spec.elements().unwrap_or(0) as usize);
            read.push((*name, numbers));
        }
    }
    Ok(Arrays::new(read))
}
