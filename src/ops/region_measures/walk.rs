//! What the kernels that walk over labels share.

use bytemuck::Zeroable;

use crate::kernel::shader::{PLAIN, Shader, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check};
use crate::{Error, Nhw};

/// Columns and rows of a workgroup that walks over labels.
const WALK_COLUMNS: u32 = 64;
const WALK_ROWS: u32 = 32;

/// Like [`params`](crate::kernel::shader::params), for kernels that walk over labels: bases come after the origins, and other members last.
macro_rules! walk_params {
    ($name:ident { $($base:ident: $base_ty:ident),* } { $($field:ident: $ty:ident),* }) => {
        $crate::kernel::shader::params!($name {
            origin_x: u32,
            origin_y: u32,
            $($base: $base_ty,)*
            height: u32,
            width: u32,
            slots_used: u32,
            label_stride: u32,
            $($field: $ty,)*
        });

        impl $name {
            /// The other fields are zero.
            pub(super) fn new(walk: &$crate::ops::region_measures::walk::Walk<'_>) -> Self {
                Self {
                    height: walk.shape.height,
                    width: walk.shape.width,
                    label_stride: walk.label_stride as u32,
                    ..bytemuck::Zeroable::zeroed()
                }
            }
        }
    };
}
pub(super) use walk_params;

params!(ClearParams { origin: u32, tally_base: u32, words: u32 });
walk_params!(PeaksParams { labels_base: u32, map_base: u32 } { row_stride: u32 });
walk_params!(SumsParams { labels_base: u32, map_base: u32 } { row_stride: u32 });

pub(crate) const REGION_MEASURES_CLEAR: Shader =
    shader!("region_measures_clear", ClearParams, PLAIN, &[], [tally: Write], []);

/// Of the table in raster order, of the table by ranks, and of every label.
const TALLIES: &[&[f64]] = &[&[0.0, 1.0], &[1.0, 1.0], &[0.0, 0.0]];

pub(crate) const REGION_MEASURES_PEAKS: Shader = shader!(
    "region_measures_peaks",
    PeaksParams,
    PLAIN,
    &[group(&["RANKED", "TABLE"], TALLIES)],
    [labels: Read, map: Read, slots: Read, tally: Write],
    ["region_walk", "region_key"],
);

pub(crate) const REGION_MEASURES_SUMS: Shader = shader!(
    "region_measures_sums",
    SumsParams,
    PLAIN,
    &[group(&["RANKED", "TABLE"], TALLIES)],
    [labels: Read, map: Read, slots: Read, tally: Write],
    ["region_walk", "region_key", "region_total"],
);

/// Workgroups of a kernel with one invocation for each of `count` items.
pub(super) const fn linear_groups(count: u32, group: u32) -> [u32; 2] {
    [count.div_ceil(group), 1]
}

/// Sets a tensor to 0.
pub(super) fn clear(
    kernel: &Kernel,
    device: &wgpu::Device,
    batch: u32,
    tally: Tensor<'_>,
) -> Result<Vec<Dispatch>, Error> {
    // The caller has checked that the words of an image fit 32 bits.
    let words = (tally.unit_bytes() / 4) as u32;
    kernel
        .bind(device, batch, linear_groups(words, 256), &[tally], None, |_| ClearParams { words, ..Zeroable::zeroed() })
}

/// A kernel whose workgroups have one dimension.
pub(super) fn kernel(
    op: &'static str,
    compiler: Compiler<'_>,
    shader: &'static Shader,
    group: u32,
    constants: &[(&'static str, f64)],
) -> Result<Kernel, Error> {
    let workgroup = [group, 1, 1];
    Kernel::new(compiler, &Build { op, shader, variant: Variant::F32, constants, workgroup, workgroup_bytes: 0 })
}

/// The inputs of the kernels that walk over labels.
#[derive(Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) shape: Nhw,
    pub(super) labels: Tensor<'a>,
    pub(super) map: Option<Tensor<'a>>,
    /// The row of each label, where it is not the label itself.
    pub(super) slots: Option<Tensor<'a>>,
    /// Labels of an image, rounded up to 256 bytes.
    pub(super) label_stride: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        op: &'static str,
        shape: Nhw,
        labels: wgpu::BufferSlice<'a>,
        map: Option<wgpu::BufferSlice<'a>>,
    ) -> Result<Self, Error> {
        let pixels = shape.size().pixels();
        let label_stride = Self::label_stride(shape);
        check::to_u32(op, "labels of an image", label_stride)?;
        let plane = |slice| Tensor::divided(slice, pixels, 4);
        let map = map.map(|map| Tensor::divided(map, pixels, 4));
        Ok(Self { shape, labels: plane(labels), map, slots: None, label_stride })
    }

    pub(super) fn label_stride(shape: Nhw) -> u64 {
        shape.size().pixels().next_multiple_of(64)
    }

    /// The pixels of an image, and the most labels.
    pub(super) fn pixels(&self) -> u32 {
        // `new` has checked a larger number.
        self.shape.size().pixels() as u32
    }

    /// A placeholder where labels are rows.
    pub(super) fn slots(&self) -> Tensor<'a> {
        self.slots.unwrap_or(Tensor::divided(None, self.label_stride, 4))
    }

    pub(super) fn groups(&self) -> [u32; 2] {
        [self.shape.width.div_ceil(WALK_COLUMNS), self.shape.height.div_ceil(WALK_ROWS)]
    }

    /// Appends magnitudes and then sums. `slots_used` are the tallies of an image that are added to, out of `row_stride`.
    pub(super) fn bind_sums(
        &self,
        device: &wgpu::Device,
        [peaks, sums]: [&Kernel; 2],
        tally: Tensor<'_>,
        slots_used: u32,
        row_stride: u32,
        dispatches: &mut Vec<Dispatch>,
    ) -> Result<(), Error> {
        let Some(map) = self.map else { return Ok(()) };
        let (batch, groups) = (self.shape.batch, self.groups());
        let tensors = [self.labels, map, self.slots(), tally];
        dispatches.extend(peaks.bind(device, batch, groups, &tensors, None, |_| PeaksParams {
            slots_used,
            row_stride,
            ..PeaksParams::new(self)
        })?);
        dispatches.extend(sums.bind(device, batch, groups, &tensors, None, |_| SumsParams {
            slots_used,
            row_stride,
            ..SumsParams::new(self)
        })?);
        Ok(())
    }
}
