//! Sums of partial results: what the gradients of parameters share.
//!
//! The gradient of a parameter is a sum over all images and pixels. A first kernel sums each part of them, and this one adds up the parts
//! in order. Parts depend on the shape alone, so the bits do not depend on how the work is divided.

use bytemuck::Zeroable;

use crate::kernel::rounds::{self, summed};
use crate::kernel::shader::{PLAIN, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check};
use crate::{Error, Recording, Role, TensorSpec};

/// Elements of a workgroup.
const WORKGROUP: u64 = 64;

params!(Params { origin: u32, count: u32, rows: u32, row_length: u32, first: u32, columns: u32 });

pub(crate) const PART_SUM: Shader =
    shader!("part_sum", Params, PLAIN, &[], [parts: Read, total: Write], ["blocked_sum"]);

/// The kernel, for one operator.
#[derive(Clone, Debug)]
pub(crate) struct PartSum {
    op: &'static str,
    kernel: Kernel,
}

/// Which elements of the parts are added up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub(crate) count: u64,
    pub(crate) rows: u64,
    pub(crate) row_length: u64,
    /// The first column that is added up, and how many.
    pub(crate) first: u64,
    pub(crate) columns: u64,
}

impl Parts {
    /// All elements of `count` parts of `elements`.
    pub(crate) fn new(count: u64, elements: u64) -> Self {
        Self { count, rows: 1, row_length: elements, first: 0, columns: elements }
    }
}

impl PartSum {
    pub(crate) fn new(op: &'static str, compiler: Compiler<'_>) -> Result<Self, Error> {
        let build = Build {
            op,
            shader: &PART_SUM,
            variant: Variant::F32,
            constants: &[],
            workgroup: [WORKGROUP as u32, 1, 1],
            workgroup_bytes: 0,
        };
        Ok(Self { op, kernel: Kernel::new(compiler, &build)? })
    }

    /// The gradients over an empty batch: each output that has elements nonetheless belongs to a parameter, and is a sum over nothing.
    pub(crate) fn zeros(
        &self,
        device: &wgpu::Device,
        specs: &[TensorSpec],
        given: &[(&'static str, Option<wgpu::BufferSlice<'_>>)],
    ) -> Result<Recording, Error> {
        let mut dispatches = Vec::new();
        for spec in specs.iter().filter(|spec| spec.role == Role::Output) {
            let slice = given.iter().find(|(name, _)| *name == spec.name).and_then(|&(_, slice)| slice);
            let elements = spec.elements().filter(|&elements| elements > 0);
            if let (Some(total), Some(elements)) = (slice, elements) {
                dispatches.extend(self.dispatches(device, Parts::new(0, elements), None, total)?);
            }
        }
        Ok(Recording::new(dispatches))
    }

    /// Adds up `parts [count, rows, row_length]` into `total [rows, columns]`, both f32. No parts add up to zeros.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Parts,
        parts: Option<wgpu::BufferSlice<'_>>,
        total: wgpu::BufferSlice<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let op = self.op;
        rounds::check(op, summed(shape.count))?;
        let elements = shape.rows.saturating_mul(shape.columns);
        let all = shape.count.saturating_mul(shape.rows).saturating_mul(shape.row_length);
        check::to_u32(op, "elements of partial sums", all)?;
        let number = |value| check::to_u32(op, "elements of a gradient", value);
        let params = Params {
            count: number(shape.count)?,
            rows: number(shape.rows)?,
            row_length: number(shape.row_length)?,
            first: number(shape.first)?,
            columns: number(shape.columns)?,
            ..Params::zeroed()
        };
        let tensors = [Tensor::whole(parts, all, 4), Tensor::whole(total, elements, 4)];
        let groups = [number(elements.div_ceil(WORKGROUP))?, 1];
        self.kernel.bind(device, 1, groups, &tensors, None, |_| params)
    }
}
