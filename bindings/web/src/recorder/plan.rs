//! A recording as data: what a JavaScript program creates and dispatches on its own device.
//!
//! ```text
//! modules     WGSL
//! pipelines   module, entry point, overrides, and the types of the bindings of group 0
//! buffers     what the operator needs beside its tensors: parameters and scratch
//! dispatches  pipeline, resources by binding, dynamic offsets, workgroups
//! ```
//!
//! A resource is a tensor or a texture of the caller, by name, or one of `buffers`.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use serde::Serialize;

use super::resources::{Buffer, BufferData, Layout, Pipeline, Resource};
use super::{Recorder, Step};

#[derive(Debug, Default, Serialize)]
pub(crate) struct Plan {
    modules: Vec<Arc<str>>,
    pipelines: Vec<PipelinePlan>,
    buffers: Vec<BufferPlan>,
    dispatches: Vec<Dispatch>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PipelinePlan {
    label: Arc<str>,
    module: usize,
    entry_point: Arc<str>,
    constants: serde_json::Map<String, serde_json::Value>,
    layout: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    binding: u32,
    /// `uniform`, `storage`, `read-only-storage`, or `texture`: an array of `rgba8unorm` that is written.
    r#type: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dynamic: bool,
}

#[derive(Debug, Serialize)]
struct BufferPlan {
    label: String,
    size: u64,
    uniform: bool,
    /// 32-bit words that it holds from the start; else it starts at zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<u32>>,
}

#[derive(Debug, Serialize)]
struct Dispatch {
    pipeline: usize,
    bindings: Vec<Bound>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    offsets: Vec<u32>,
    workgroups: [u32; 3],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Source {
    /// Number of a buffer of the plan.
    Buffer(usize),
    /// The caller's buffer of this name.
    Tensor(String),
    /// The caller's texture of this name.
    Texture(Arc<str>),
}

#[derive(Debug, Serialize)]
struct Bound {
    binding: u32,
    #[serde(flatten)]
    source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

/// Numbers of what is in the plan already.
#[derive(Default)]
struct Known {
    modules: HashMap<Arc<str>, usize>,
    pipelines: HashMap<String, usize>,
    buffers: HashMap<*const BufferData, usize>,
}

impl Plan {
    /// What was recorded on `device`. Buffers that the caller created there are in `tensors`, by name.
    pub(crate) fn of(device: &wgpu::Device, tensors: &[(String, wgpu::Buffer)]) -> Self {
        let (mut plan, mut known) = (Self::default(), Known::default());
        let own = |(name, buffer): &(String, wgpu::Buffer)| {
            Some((Arc::as_ptr(&buffer.as_custom::<Buffer>()?.0), name.clone()))
        };
        let tensors: HashMap<_, _> = tensors.iter().filter_map(own).collect();
        for step in Recorder::steps(device) {
            plan.add(step, &tensors, &mut known);
        }
        plan
    }

    fn add(&mut self, step: Step, tensors: &HashMap<*const BufferData, String>, known: &mut Known) {
        let Step { pipeline, bind_group, offsets, workgroups } = step;
        let bindings = bind_group.0.iter().map(|(binding, resource)| match resource {
            Resource::Texture(texture) => {
                Bound { binding: *binding, source: Source::Texture(texture.0.clone()), offset: None, size: None }
            }
            Resource::Buffer { buffer, offset, size } => {
                let source = match tensors.get(&Arc::as_ptr(&buffer.0)) {
                    Some(name) => Source::Tensor(name.clone()),
                    None => Source::Buffer(self.buffer(buffer, known)),
                };
                Bound { binding: *binding, source, offset: (*offset > 0).then_some(*offset), size: *size }
            }
        });
        let bindings = bindings.collect();
        let pipeline = self.pipeline(&pipeline, known);
        self.dispatches.push(Dispatch { pipeline, bindings, offsets, workgroups });
    }

    fn buffer(&mut self, buffer: &Buffer, known: &mut Known) -> usize {
        *known.buffers.entry(Arc::as_ptr(&buffer.0)).or_insert_with(|| {
            let contents = buffer.0.contents.lock().unwrap_or_else(PoisonError::into_inner);
            self.buffers.push(BufferPlan {
                label: buffer.0.label.clone(),
                size: buffer.0.size,
                uniform: buffer.0.usage.contains(wgpu::BufferUsages::UNIFORM),
                words: contents.as_ref().map(|bytes| bytemuck::pod_collect_to_vec(bytes)),
            });
            self.buffers.len() - 1
        })
    }

    fn pipeline(&mut self, pipeline: &Pipeline, known: &mut Known) -> usize {
        let Pipeline { label, module, entry_point, constants, layout } = pipeline;
        let module = *known.modules.entry(module.clone()).or_insert_with(|| {
            self.modules.push(module.clone());
            self.modules.len() - 1
        });
        let layout = entries(layout);
        let key = format!("{module} {entry_point} {constants:?} {layout:?}");
        *known.pipelines.entry(key).or_insert_with(|| {
            let constants = constants.iter().map(|(name, value)| (name.clone(), (*value).into())).collect();
            let (label, entry_point) = (label.clone(), entry_point.clone());
            self.pipelines.push(PipelinePlan { label, module, entry_point, constants, layout });
            self.pipelines.len() - 1
        })
    }
}

fn entries(layout: &Layout) -> Vec<Entry> {
    let entry = |entry: &wgpu::BindGroupLayoutEntry| {
        let (r#type, dynamic) = match entry.ty {
            wgpu::BindingType::Buffer { ty, has_dynamic_offset, .. } => {
                let name = match ty {
                    wgpu::BufferBindingType::Uniform => "uniform",
                    wgpu::BufferBindingType::Storage { read_only: true } => "read-only-storage",
                    wgpu::BufferBindingType::Storage { read_only: false } => "storage",
                };
                (name, has_dynamic_offset)
            }
            _ => ("texture", false),
        };
        Entry { binding: entry.binding, r#type, dynamic }
    };
    layout.0.iter().map(entry).collect()
}
