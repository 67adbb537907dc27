//! Several regions of each image, ranked by area.

use super::options::AttendedRegionOptions;
use crate::Error;
use crate::kernel::shader::{PLAIN, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, tensor};
use crate::ops::component_labels::Labelling;
use crate::ops::largest_component::Forest;
use crate::ops::region_measures::{Columns, RegionMeasuresOptions, RegionOrder, Table};

const OP: &str = "attended_region";
/// Pixels of a workgroup that writes the regions' ranks.
const RANK_GROUP: u32 = 256;

params!(RankParams {
    origin: u32,
    labels_base: u32,
    component_base: u32,
    pixels: u32,
    label_stride: u32,
    regions: u32,
});

pub(crate) const ATTENDED_REGION_RANK: Shader = shader!(
    "attended_region_rank",
    RankParams,
    PLAIN,
    &[],
    [labels: Read, slots: Read, component: Write],
    [],
);

/// The kernels from a mask in bits to ranked regions.
#[derive(Clone, Debug)]
pub(super) struct Ranked {
    labelling: Labelling,
    table: Table,
    rank: Kernel,
}

/// Where the results go.
#[derive(Clone, Copy)]
pub(super) struct RankedOutputs<'a> {
    pub(super) component: Option<wgpu::BufferSlice<'a>>,
    pub(super) boxes: wgpu::BufferSlice<'a>,
    pub(super) count: Option<wgpu::BufferSlice<'a>>,
}

impl Ranked {
    pub(super) fn new(compiler: Compiler<'_>, options: AttendedRegionOptions) -> Result<Self, Error> {
        let table = RegionMeasuresOptions::new(options.regions).with_order(RegionOrder::Area);
        let workgroup = [RANK_GROUP, 1, 1];
        let (shader, constants) = (&ATTENDED_REGION_RANK, &[]);
        let build = Build { op: OP, shader, variant: Variant::F32, constants, workgroup, workgroup_bytes: 0 };
        Ok(Self {
            labelling: Labelling::new(OP, compiler, options.connectivity)?,
            table: Table::new(OP, compiler, table, true)?,
            rank: Kernel::new(compiler, &build)?,
        })
    }

    /// Appends the dispatches after the one that fills the forest's bits.
    pub(super) fn bind(
        &self,
        device: &wgpu::Device,
        forest: &Forest,
        regions: u32,
        outputs: RankedOutputs<'_>,
        dispatches: &mut Vec<Dispatch>,
    ) -> Result<(), Error> {
        let shape = forest.shape;
        let (batch, pixels) = (shape.batch, shape.size().pixels());
        let labels = tensor::scratch(OP, device, "labels", pixels.saturating_mul(4 * u64::from(batch)))?;
        let count = tensor::Between::new(outputs.count, OP, device, "count", u64::from(batch) * 4)?;
        let labels_of = Tensor::divided(labels.slice(..), pixels, 4);
        self.labelling.bind(device, forest, labels_of, Tensor::divided(count.slice(), 1, 4), dispatches)?;
        let columns = Columns { boxes: Some(outputs.boxes), ..Columns::default() };
        let ranks = self.table.bind(device, shape, labels.slice(..), None, count.slice(), &columns, dispatches)?;
        if let Some((component, ranks)) = outputs.component.zip(ranks) {
            let tensors = [labels_of, ranks.slots(), Tensor::divided(component, pixels, 4)];
            let pixels = check::to_u32(OP, "pixels of an image", pixels)?;
            let label_stride = ranks.label_stride();
            let groups = [pixels.div_ceil(RANK_GROUP), 1];
            dispatches.extend(self.rank.bind(device, batch, groups, &tensors, None, |_| RankParams {
                pixels,
                label_stride,
                regions,
                ..bytemuck::Zeroable::zeroed()
            })?);
        }
        Ok(())
    }
}
