//! Every connected component of masks, numbered densely.
//!
//! ```text
//! labels = 0 where the mask is 0; else the number of the pixel's region: 1, 2, .. in raster order of the regions' first pixels
//! count  = the number of regions of an image
//! ```
//!
//! Raster order is row by row, each from left to right. Every image is numbered on its own. The labels are those of
//! `scipy.ndimage.label` and of OpenCV's `connectedComponents`.
//!
//! Source: Rosenfeld and Pfaltz 1966, Sequential Operations in Digital Picture Processing, Journal of the ACM 13(4).
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{ComponentLabels, ComponentLabelsBuffers, Connectivity, Nhw};
//!
//! let gpu = Gpu::open()?;
//! let mask = gpu.upload("mask", &vec![1u32; 224 * 224])?;
//! let labels = gpu.buffer("labels", 224 * 224 * 4)?;
//! let count = gpu.buffer("count", 4)?;
//!
//! let operator = ComponentLabels::new(&gpu.device, Connectivity::Eight)?;
//! let buffers = ComponentLabelsBuffers { mask: mask.slice(..), labels: labels.slice(..), count: count.slice(..) };
//! let recording = operator.bind(&gpu.device, Nhw::new(1, 224, 224), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! let count: Vec<u32> = gpu.read(count.slice(..))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! # Method and sizes
//!
//! The forest of [`LargestComponent`](crate::LargestComponent) joins the runs of every region, under the run that comes first. A
//! prefix sum over the first pixels numbers them. The number of dispatches is fixed, no workgroup waits for another, and results
//! are the same bits every time.
//!
//! The mask of one image must fit a binding, at 4 bytes for each pixel. The default limit of 128 MiB holds 33,554,432 pixels, for
//! instance 5,792 x 5,792. [`ComponentLabels::scratch_bytes`] counts the scratch, [`ComponentLabels::bind`] lists the errors.
//! [`RegionMeasures`](crate::RegionMeasures) measures the regions.
//!
//! Kernels, in this order: [`runs`](crate::shaders::LARGEST_COMPONENT_RUNS), [`tiles`](crate::shaders::LARGEST_COMPONENT_TILES),
//! [`merge`](crate::shaders::LARGEST_COMPONENT_MERGE), [`roots`](crate::shaders::COMPONENT_LABELS_ROOTS),
//! [`scan`](crate::shaders::COMPONENT_LABELS_SCAN), [`offsets`](crate::shaders::COMPONENT_LABELS_OFFSETS),
//! [`component_labels`](crate::shaders::COMPONENT_LABELS). Reference:
//! [`reference::component_labels`](crate::reference::component_labels).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::bound::DispatchBound;
use crate::kernel::shader::{PLAIN, Shader, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, rounds, tensor};
use crate::ops::largest_component::{Connectivity, Forest, Runs, Trees, tile_kernel, tile_params};
use crate::{Cost, DType, Error, Nhw, Recording, TensorSpec};

const OP: &str = "component_labels";
/// Invocations of the scan. Each takes four words, and together they take a block.
const SCAN_GROUP: u32 = 256;
const BLOCK: u32 = 4 * SCAN_GROUP;

tile_params!(RootsParams {});
tile_params!(Params { labels_base: u32, block_stride: u32 });
params!(ScanParams { origin: u32, vectors: u32, vector_stride: u32, block_stride: u32 });
params!(OffsetsParams { count_base: u32, blocks: u32, block_stride: u32, share: u32 });

pub(crate) const COMPONENT_LABELS: Shader = shader!(
    "component_labels",
    Params,
    PLAIN,
    &[],
    [bits: Read, parent: Read, firsts: Read, before: Read, blocks: Read, labels: Write],
    ["component_tile"],
);

pub(crate) const COMPONENT_LABELS_OFFSETS: Shader = shader!(
    "component_labels_offsets",
    OffsetsParams,
    PLAIN,
    &[group(&["WORKGROUP_SIZE"], &[&[256.0]])],
    [blocks: Write, count: Write],
    [],
);

pub(crate) const COMPONENT_LABELS_ROOTS: Shader = shader!(
    "component_labels_roots",
    RootsParams,
    PLAIN,
    &[group(&["CONNECTIVITY"], &[&[4.0], &[8.0]])],
    [bits: Read, roots: Read, parent: Write, firsts: Write],
    ["component_tile", "component_flood", "component_union"],
);

pub(crate) const COMPONENT_LABELS_SCAN: Shader = shader!(
    "component_labels_scan",
    ScanParams,
    PLAIN,
    &[group(&["WORKGROUP_SIZE"], &[&[256.0]])],
    [firsts: Read, before: Write, blocks: Write],
    [],
);

/// Labels of every region of `mask [n, h, w]`. The [page of the module](self) has the definition and an example.
#[doc(alias = "CCL")]
#[doc(alias = "connected component labeling")]
#[derive(Clone, Debug)]
pub struct ComponentLabels {
    connectivity: Connectivity,
    runs: Runs,
    labelling: Labelling,
}

/// Tensors of [`ComponentLabels`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct ComponentLabelsBuffers<'a> {
    /// In: `[n, h, w]` u32, set where not 0.
    pub mask: wgpu::BufferSlice<'a>,
    /// Out: `[n, h, w]` u32, 0 where the mask is 0, else the number of the pixel's region, from 1.
    pub labels: wgpu::BufferSlice<'a>,
    /// Out: `[n]` u32, the number of regions.
    pub count: wgpu::BufferSlice<'a>,
}

impl ComponentLabels {
    /// Compiles the kernels.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, connectivity: Connectivity) -> Result<Self, Error> {
        let compiler = compiler.into();
        Ok(Self {
            connectivity,
            runs: Runs::new(OP, compiler)?,
            labelling: Labelling::new(OP, compiler, connectivity)?,
        })
    }

    /// The neighbours that the operator was built with.
    #[must_use]
    pub const fn connectivity(&self) -> Connectivity {
        self.connectivity
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        check::plane(OP, "mask", shape)?;
        Ok(vec![
            TensorSpec::input("mask", shape, DType::U32),
            TensorSpec::output("labels", shape, DType::U32),
            TensorSpec::output("count", [shape.batch], DType::U32),
        ])
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for images without pixels.
    /// - [`Error::LimitExceeded`] if one image exceeds a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nhw,
        buffers: ComponentLabelsBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let ComponentLabelsBuffers { mask, labels, count } = buffers;
        let given = [("mask", Some(mask)), ("labels", Some(labels)), ("count", Some(count))];
        check::slices(OP, device, &specs, &given)?;
        if shape.batch == 0 {
            return Ok(Recording::default());
        }
        let forest = Forest::new(OP, device, shape)?;
        // Nobody asks for the boxes that this kernel prepares.
        let boxes = tensor::scratch(OP, device, "boxes", u64::from(shape.batch) * 16)?;
        let pixels = shape.size().pixels();
        let [mask, labels] = [mask, labels].map(|slice| Tensor::divided(slice, pixels, 4));
        let mut dispatches = self.runs.bind(device, &forest, mask, Tensor::divided(boxes.slice(..), 4, 4))?;
        let count = Tensor::divided(count, 1, 4);
        self.labelling.bind(device, &forest, labels, count, &mut dispatches)?;
        Ok(Recording::new(dispatches))
    }

    /// Bytes of scratch that a recording of this shape holds.
    ///
    /// Images at least 4 pixels wide take at most 12 bytes for each mask pixel, large ones 4.6, and up to 6 KiB more for each image.
    #[must_use]
    pub fn scratch_bytes(&self, shape: Nhw) -> u64 {
        let forest = Forest::image_bytes(shape);
        let words = 2 * forest[0] + Labelling::block_stride(forest[0] / 4) * 4 + 16;
        let image = forest.iter().fold(words, |sum, bytes| sum.saturating_add(*bytes));
        image.saturating_mul(u64::from(shape.batch))
    }

    /// What one run moves at the least. The mask is read once, and the labels are written.
    #[must_use]
    pub fn cost(&self, shape: Nhw) -> Cost {
        Cost::new(count(shape.elements()) * count(8), count(0), count(0))
    }
}

/// The kernels from a mask in bits to labels, for one operator.
#[derive(Clone, Debug)]
pub(crate) struct Labelling {
    op: &'static str,
    trees: Trees,
    roots: Kernel,
    scan: Kernel,
    offsets: Kernel,
    labels: Kernel,
}

impl Labelling {
    pub(crate) fn new(op: &'static str, compiler: Compiler<'_>, connectivity: Connectivity) -> Result<Self, Error> {
        // This kernel follows nodes, which the kernels of the trees number.
        let undivided = compiler.with_dispatch_bound(DispatchBound::NONE);
        let scan = |shader| {
            let constants = &[("WORKGROUP_SIZE", f64::from(SCAN_GROUP))];
            let workgroup = [SCAN_GROUP, 1, 1];
            let workgroup_bytes = SCAN_GROUP * 4;
            Kernel::new(compiler, &Build { op, shader, variant: Variant::F32, constants, workgroup, workgroup_bytes })
        };
        Ok(Self {
            op,
            trees: Trees::new(op, compiler, connectivity)?,
            roots: tile_kernel(op, undivided, &COMPONENT_LABELS_ROOTS, &[connectivity.constant()])?,
            scan: scan(&COMPONENT_LABELS_SCAN)?,
            offsets: scan(&COMPONENT_LABELS_OFFSETS)?,
            labels: tile_kernel(op, compiler, &COMPONENT_LABELS, &[])?,
        })
    }

    /// Blocks of an image of `words` words, rounded up to 256 bytes.
    fn block_stride(words: u64) -> u64 {
        words.div_ceil(BLOCK.into()).next_multiple_of(64)
    }

    /// Appends the dispatches after the one that fills the forest's bits. `labels` and `count` are divided by image.
    pub(crate) fn bind(
        &self,
        device: &wgpu::Device,
        forest: &Forest,
        labels: Tensor<'_>,
        count: Tensor<'_>,
        dispatches: &mut Vec<Dispatch>,
    ) -> Result<(), Error> {
        let op = self.op;
        let batch = forest.shape.batch;
        let words = u64::from(forest.tile_stride) * 8;
        let block_stride = check::to_u32(op, "blocks of an image", Self::block_stride(words))?;
        // Eight rows of words are whole vectors of four.
        let vectors = forest.tiles_wide * forest.tiles_high * 2;
        let blocks = vectors.div_ceil(SCAN_GROUP);
        let share = blocks.div_ceil(SCAN_GROUP);
        rounds::check(op, 2 * u64::from(share))?;
        let scratch = |label, unit: u64| tensor::scratch(op, device, label, unit * 4 * u64::from(batch));
        let firsts = scratch("firsts", words)?;
        let before = scratch("before", words)?;
        let sums = scratch("blocks", block_stride.into())?;
        let [firsts, before] = [&firsts, &before].map(|buffer| Tensor::divided(buffer.slice(..), words, 4));
        let sums = Tensor::divided(sums.slice(..), block_stride.into(), 4);

        self.trees.bind(device, forest, dispatches)?;
        let [bits, roots] = forest.tiles();
        let tensors = [bits, roots, forest.parent(), firsts];
        let groups = forest.tile_groups();
        dispatches.extend(self.roots.bind(device, batch, groups, &tensors, None, |_| RootsParams::new(forest))?);
        let tensors = [firsts.by_lanes(4), before.by_lanes(4), sums];
        dispatches.extend(self.scan.bind(device, batch, [blocks, 1], &tensors, None, |_| ScanParams {
            vectors,
            vector_stride: forest.tile_stride * 2,
            block_stride,
            ..Zeroable::zeroed()
        })?);
        let tensors = [sums, count];
        dispatches.extend(self.offsets.bind(device, batch, [1, 1], &tensors, None, |_| OffsetsParams {
            blocks,
            block_stride,
            share,
            ..Zeroable::zeroed()
        })?);
        let tensors = [forest.bits(), forest.parent(), firsts, before, sums, labels];
        let groups = forest.word_groups();
        dispatches.extend(
            self.labels
                .bind(device, batch, groups, &tensors, None, |_| Params { block_stride, ..Params::new(forest) })?,
        );
        Ok(())
    }
}
