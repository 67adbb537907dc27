//! Sums of gathered numbers: what an addition at indices does, without atomics, and the product with a sparse matrix.

use visual_attention::host::Gpu;
use visual_attention::wgpu;

use super::{Unfused, groups};

/// For each number of a result, which numbers of a plane it adds up.
pub(crate) struct Gather {
    /// Where each result's list starts, and where the last ends.
    starts: wgpu::Buffer,
    sources: wgpu::Buffer,
    /// Absent where all are 1.
    weights: Option<wgpu::Buffer>,
    targets: u32,
}

impl Gather {
    /// `lists` holds for each result the sources and their weights.
    pub(crate) fn new(gpu: &Gpu, lists: &[Vec<(u32, f32)>]) -> Self {
        let mut starts = vec![0];
        starts.extend(lists.iter().scan(0u32, |end, list| {
            *end += list.len() as u32;
            Some(*end)
        }));
        let (sources, weights): (Vec<u32>, Vec<f32>) = lists.iter().flatten().copied().unzip();
        let weighted = weights.iter().any(|&weight| weight != 1.0);
        Self {
            starts: gpu.upload("starts", &starts).expect("starts"),
            sources: gpu.upload("sources", &sources).expect("sources"),
            weights: weighted.then(|| gpu.upload("weights", &weights).expect("weights")),
            targets: lists.len() as u32,
        }
    }
}

impl Unfused {
    /// The sums of each of the `planes` of `x`: `[planes, targets]`.
    pub(crate) fn gather_sum(&mut self, x: &wgpu::Buffer, gather: &Gather, planes: u64) -> wgpu::Buffer {
        let y = self.tensor(planes * u64::from(gather.targets));
        let words = [gather.targets, (x.size() / 4 / planes) as u32];
        let (declared, weight) = match gather.weights {
            Some(_) => ("@group(0) @binding(5) var<storage, read> weights: array<f32>;\n", "weights[entry] *"),
            None => ("", ""),
        };
        let source = declared.to_owned() + &include_str!("../../baseline/gather_sum.wgsl").replace("WEIGHT", weight);
        let mut tensors = vec![x, &gather.starts, &gather.sources, &y];
        tensors.extend(&gather.weights);
        self.kernel(&source, &words, &tensors, groups(y.size() / 4));
        y
    }
}
