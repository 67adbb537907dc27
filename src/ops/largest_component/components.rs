//! From a mask in bits to its largest component: the kernels over tiles, and the scratch between them.

use crate::kernel::bound::DispatchBound;
use crate::kernel::shader::{PLAIN, Shader, Variant, group, shader};
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, rounds, tensor};
use crate::names::names;
use crate::{Error, Nhw};

/// Extents of a tile, which one invocation labels in registers.
const TILE_WIDTH: u32 = 32;
const TILE_HEIGHT: u32 = 8;
/// Tiles of a workgroup along each axis.
const GROUP: u32 = 8;
const PICK_GROUP: u32 = 256;
/// The search for the largest component takes an image in at most `MAX_PARTS` parts, and has room for `PART_STRIDE` of them.
const MAX_PARTS: u32 = 8;
const PART_STRIDE: u64 = 32;
/// Iterations of the search over the components of a tile that reach beyond the tile. There are at most as many as every second
/// pixel of its border, and one iteration more finds the end.
const MAX_OPEN: u32 = (2 * (TILE_WIDTH + TILE_HEIGHT) - 4) / 2 + 1;

/// Like [`params`], for kernels over the tiles of a mask: the mask's extents come first, and `new` fills them in.
macro_rules! tile_params {
    ($name:ident { $($field:ident: $ty:ident),* $(,)? }) => {
        $crate::kernel::shader::params!($name {
            origin_x: u32,
            origin_y: u32,
            width: u32,
            height: u32,
            tiles_wide: u32,
            tiles_high: u32,
            tile_stride: u32,
            node_stride: u32,
            $($field: $ty,)*
        });

        impl $name {
            /// The other fields are zero.
            fn new(forest: &$crate::ops::largest_component::components::Forest) -> Self {
                Self {
                    width: forest.shape.width,
                    height: forest.shape.height,
                    tiles_wide: forest.tiles_wide,
                    tiles_high: forest.tiles_high,
                    tile_stride: forest.tile_stride,
                    node_stride: forest.node_stride,
                    ..bytemuck::Zeroable::zeroed()
                }
            }
        }
    };
}
pub(crate) use tile_params;

tile_params!(TileParams {});
tile_params!(PickParams { parts: u32 });
tile_params!(SelectParams { boxes_base: u32, parts: u32 });
tile_params!(ExpandParams { component_base: u32 });
tile_params!(LabelsParams { labels_base: u32, sizes_base: u32 });

pub(crate) const LARGEST_COMPONENT_COUNT: Shader = shader!(
    "largest_component_count",
    TileParams,
    PLAIN,
    &[],
    [roots: Read, parent: Write, sizes: Write],
    ["component_tile", "component_union"],
);

pub(crate) const LARGEST_COMPONENT_EXPAND: Shader = shader!(
    "largest_component_expand",
    ExpandParams,
    PLAIN,
    &[],
    [bits: Read, component: Write],
    [],
);

pub(crate) const LARGEST_COMPONENT_LABELS: Shader = shader!(
    "largest_component_labels",
    LabelsParams,
    PLAIN,
    &[group(&["CONNECTIVITY"], &[&[4.0], &[8.0]])],
    [bits: Read, roots: Read, parent: Read, pixels: Read, labels: Write, sizes: Write],
    ["component_tile", "component_flood"],
);

pub(crate) const LARGEST_COMPONENT_MERGE: Shader = shader!(
    "largest_component_merge",
    TileParams,
    PLAIN,
    &[group(&["CONNECTIVITY"], &[&[4.0], &[8.0]])],
    [bits: Read, parent: Write],
    ["component_tile", "component_union"],
);

pub(crate) const LARGEST_COMPONENT_PICK: Shader = shader!(
    "largest_component_pick",
    PickParams,
    PLAIN,
    &[group(&["WORKGROUP_SIZE"], &[&[256.0]])],
    [roots: Read, sizes: Read, best: Read, parts: Write],
    ["component_tile"],
);

pub(crate) const LARGEST_COMPONENT_SELECT: Shader = shader!(
    "largest_component_select",
    SelectParams,
    PLAIN,
    &[group(&["CONNECTIVITY"], &[&[4.0], &[8.0]])],
    [parts: Read, best: Read, roots: Read, parent: Read, bits: Write, boxes: Write],
    ["component_tile", "component_flood"],
);

pub(crate) const LARGEST_COMPONENT_TILES: Shader = shader!(
    "largest_component_tiles",
    TileParams,
    PLAIN,
    &[group(&["CONNECTIVITY"], &[&[4.0], &[8.0]])],
    [bits: Read, parent: Write, sizes: Write, roots: Write, best: Write],
    ["component_tile", "component_flood"],
);

/// Which pixels are neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Connectivity {
    /// Pixels that share an edge.
    Four,
    /// Pixels that share an edge or a corner.
    #[default]
    Eight,
}

names!(Connectivity, "connectivity", Four = "4", Eight = "8");

impl Connectivity {
    /// The override that kernels take it as.
    pub(crate) const fn constant(self) -> (&'static str, f64) {
        let neighbours = match self {
            Self::Four => 4.0,
            Self::Eight => 8.0,
        };
        ("CONNECTIVITY", neighbours)
    }
}

/// Labels of every component; each buffer needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct LabelBuffers<'a> {
    /// Out: `[n, h, w]` u32, the smallest linear index `y * w + x` of the pixel's component, or `u32::MAX` where the mask is 0.
    pub labels: wgpu::BufferSlice<'a>,
    /// Out: `[n, h, w]` u32, the size of a component at the pixel whose index is its label, 0 elsewhere.
    pub sizes: wgpu::BufferSlice<'a>,
}

/// A kernel with one invocation for each tile, or for each row of a tile.
pub(crate) fn tile_kernel(
    op: &'static str,
    compiler: Compiler<'_>,
    shader: &'static Shader,
    constants: &[(&'static str, f64)],
) -> Result<Kernel, Error> {
    let workgroup = [GROUP, GROUP, 1];
    let build = Build { op, shader, variant: Variant::F32, constants, workgroup, workgroup_bytes: 0 };
    Kernel::new(compiler, &build)
}

/// Scratch of one recording: the mask as bits, and a forest of the runs that reach beyond their tiles. The headers of the shaders
/// describe each buffer. Every image takes a multiple of 256 bytes, so a binding may start at any image.
pub(crate) struct Forest {
    op: &'static str,
    pub(crate) shape: Nhw,
    pub(crate) tiles_wide: u32,
    pub(crate) tiles_high: u32,
    pub(crate) tile_stride: u32,
    pub(crate) node_stride: u32,
    parts: u32,
    bits: wgpu::Buffer,
    roots: wgpu::Buffer,
    best: wgpu::Buffer,
    parent: wgpu::Buffer,
    sizes: wgpu::Buffer,
    picked: wgpu::Buffer,
}

impl Forest {
    pub(crate) fn new(op: &'static str, device: &wgpu::Device, shape: Nhw) -> Result<Self, Error> {
        check::source(op, "mask", shape.size())?;
        let (tiles_wide, tiles_high) = (shape.width.div_ceil(TILE_WIDTH), shape.height.div_ceil(TILE_HEIGHT));
        let [tile_stride, node_stride] = Self::strides(shape);
        let (tile_stride, node_stride) =
            (check::to_u32(op, "tiles of an image", tile_stride)?, check::to_u32(op, "runs of an image", node_stride)?);
        let tiles = tiles_wide * tiles_high;
        let parts = tiles.div_ceil(PICK_GROUP).clamp(1, MAX_PARTS);
        rounds::check(op, rounds::nested(tiles.div_ceil(parts * PICK_GROUP), MAX_OPEN))?;
        let [bits, roots, best, parent, sizes, picked] = Self::image_bytes(shape);
        let scratch = |label, bytes: u64| {
            let bytes = bytes.saturating_mul(u64::from(shape.batch));
            tensor::scratch(op, device, label, bytes)
        };
        Ok(Self {
            op,
            shape,
            tiles_wide,
            tiles_high,
            tile_stride,
            node_stride,
            parts,
            bits: scratch("bits", bits)?,
            roots: scratch("roots", roots)?,
            best: scratch("best", best)?,
            parent: scratch("parent", parent)?,
            sizes: scratch("sizes", sizes)?,
            picked: scratch("parts", picked)?,
        })
    }

    /// Tiles and runs of an image, rounded up so that 8 bytes for each tile and 4 for each run fill multiples of 256 bytes.
    fn strides(shape: Nhw) -> [u64; 2] {
        let tiles = u64::from(shape.width.div_ceil(TILE_WIDTH)) * u64::from(shape.height.div_ceil(TILE_HEIGHT));
        let runs = u64::from(shape.height) * u64::from(shape.width.div_ceil(2));
        [tiles.next_multiple_of(32), runs.next_multiple_of(64)]
    }

    /// Bytes of bits, roots, best, parent, sizes and parts of an image.
    pub(crate) fn image_bytes(shape: Nhw) -> [u64; 6] {
        let [tiles, runs] = Self::strides(shape);
        [tiles * 32, tiles * 32, tiles * 8, runs.saturating_mul(4), runs.saturating_mul(4), PART_STRIDE * 8]
    }

    /// Workgroups of a kernel with one invocation for each word of bits.
    pub(crate) fn word_groups(&self) -> [u32; 2] {
        [self.tiles_wide.div_ceil(GROUP), self.tiles_high]
    }

    /// Workgroups of a kernel with one invocation for each tile.
    pub(crate) fn tile_groups(&self) -> [u32; 2] {
        [self.tiles_wide.div_ceil(GROUP), self.tiles_high.div_ceil(GROUP)]
    }

    fn tensor<'a>(&self, buffer: &'a wgpu::Buffer, element_bytes: u64) -> Tensor<'a> {
        // The buffer holds the same number of bytes for each image, so the division has no remainder.
        let unit = buffer.size() / u64::from(self.shape.batch) / element_bytes;
        Tensor::divided(buffer.slice(..), unit, element_bytes)
    }

    pub(crate) fn bits(&self) -> Tensor<'_> {
        self.tensor(&self.bits, 4)
    }

    /// Bits and open components of tiles, each as two vectors of four words.
    pub(crate) fn tiles(&self) -> [Tensor<'_>; 2] {
        [self.tensor(&self.bits, 16), self.tensor(&self.roots, 16)]
    }

    pub(crate) fn parent(&self) -> Tensor<'_> {
        self.tensor(&self.parent, 4)
    }
}

/// The outputs that the caller gave.
#[derive(Clone, Copy)]
pub(crate) struct Outputs<'a> {
    pub(crate) boxes: Tensor<'a>,
    component: Option<Tensor<'a>>,
    all: Option<[Tensor<'a>; 2]>,
}

impl<'a> Outputs<'a> {
    pub(crate) fn new(
        pixels: u64,
        boxes: wgpu::BufferSlice<'a>,
        component: Option<wgpu::BufferSlice<'a>>,
        all: Option<LabelBuffers<'a>>,
    ) -> Self {
        let plane = |slice| Tensor::divided(slice, pixels, 4);
        Self {
            boxes: Tensor::divided(boxes, 4, 4),
            component: component.map(plane),
            all: all.map(|all| [plane(all.labels), plane(all.sizes)]),
        }
    }
}

/// The kernels from a mask in bits to the trees of its components.
#[derive(Clone, Debug)]
pub(crate) struct Trees {
    tiles: Kernel,
    merge: Kernel,
}

impl Trees {
    /// The kernels number the nodes of a dispatch, so all of them must be divided alike: the compiler has no bound on the work of a dispatch.
    pub(crate) fn new(op: &'static str, compiler: Compiler<'_>, connectivity: Connectivity) -> Result<Self, Error> {
        let connected = [connectivity.constant()];
        let kernel = |shader| tile_kernel(op, compiler.with_dispatch_bound(DispatchBound::NONE), shader, &connected);
        Ok(Self { tiles: kernel(&LARGEST_COMPONENT_TILES)?, merge: kernel(&LARGEST_COMPONENT_MERGE)? })
    }

    /// Appends the dispatches after the one that fills the forest's bits.
    pub(crate) fn bind(
        &self,
        device: &wgpu::Device,
        forest: &Forest,
        dispatches: &mut Vec<Dispatch>,
    ) -> Result<(), Error> {
        let batch = forest.shape.batch;
        debug_assert!(batch > 0, "{}: an empty batch has no forest", forest.op);
        let [bits, roots] = forest.tiles();
        let best = forest.tensor(&forest.best, 8);
        let sizes = forest.tensor(&forest.sizes, 4);
        let by_tile = forest.tile_groups();
        let tile_params = |_: &_| TileParams::new(forest);
        let tensors = [bits, forest.parent(), sizes, roots, best];
        dispatches.extend(self.tiles.bind(device, batch, by_tile, &tensors, None, tile_params)?);
        let tensors = [bits, forest.parent()];
        dispatches.extend(self.merge.bind(device, batch, by_tile, &tensors, None, tile_params)?);
        Ok(())
    }
}

/// The kernels from a mask in bits to its largest component.
#[derive(Clone, Debug)]
pub(crate) struct Components {
    trees: Trees,
    count: Kernel,
    pick: Kernel,
    labels: Kernel,
    select: Kernel,
    expand: Kernel,
}

impl Components {
    pub(crate) fn new(op: &'static str, compiler: Compiler<'_>, connectivity: Connectivity) -> Result<Self, Error> {
        let connected = [connectivity.constant()];
        // The kernels number the nodes of a dispatch, so all of them must be divided alike.
        let compiler = compiler.with_dispatch_bound(DispatchBound::NONE);
        let kernel = |shader, constants: &[_]| tile_kernel(op, compiler, shader, constants);
        let optional = |shader, constants: &[_]| tile_kernel(op, compiler.at_first_use(), shader, constants);
        Ok(Self {
            trees: Trees::new(op, compiler, connectivity)?,
            count: kernel(&LARGEST_COMPONENT_COUNT, &[])?,
            pick: Kernel::new(
                compiler,
                &Build {
                    op,
                    shader: &LARGEST_COMPONENT_PICK,
                    variant: Variant::F32,
                    constants: &[("WORKGROUP_SIZE", f64::from(PICK_GROUP))],
                    workgroup: [PICK_GROUP, 1, 1],
                    workgroup_bytes: PICK_GROUP * 8,
                },
            )?,
            labels: optional(&LARGEST_COMPONENT_LABELS, &connected)?,
            select: kernel(&LARGEST_COMPONENT_SELECT, &connected)?,
            expand: optional(&LARGEST_COMPONENT_EXPAND, &[])?,
        })
    }

    /// Appends the dispatches after the one that fills the forest's bits.
    pub(crate) fn bind(
        &self,
        device: &wgpu::Device,
        forest: &Forest,
        outputs: Outputs<'_>,
        dispatches: &mut Vec<Dispatch>,
    ) -> Result<(), Error> {
        let batch = forest.shape.batch;
        let parts = forest.parts;
        // The kernels load the best and picked components as pairs.
        let [bits, roots] = forest.tiles();
        let best = forest.tensor(&forest.best, 8);
        let parent = forest.parent();
        let sizes = forest.tensor(&forest.sizes, 4);
        let picked = forest.tensor(&forest.picked, 8);
        let by_tile = forest.tile_groups();
        self.trees.bind(device, forest, dispatches)?;
        let tile_params = |_: &_| TileParams::new(forest);
        let tensors = [roots, parent, sizes];
        dispatches.extend(self.count.bind(device, batch, by_tile, &tensors, None, tile_params)?);
        let tensors = [roots, sizes, best, picked];
        dispatches.extend(
            self.pick
                .bind(device, batch, [parts, 1], &tensors, None, |_| PickParams { parts, ..PickParams::new(forest) })?,
        );
        // The labels come before the selection, which clears the bits of every other component.
        if let Some([labels, label_sizes]) = outputs.all {
            let tensors = [bits, roots, parent, sizes, labels, label_sizes];
            dispatches.extend(self.labels.bind(device, batch, by_tile, &tensors, None, |_| LabelsParams::new(forest))?);
        }
        let tensors = [picked, best, roots, parent, bits, outputs.boxes];
        dispatches.extend(
            self.select.bind(device, batch, by_tile, &tensors, None, |_| SelectParams {
                parts,
                ..SelectParams::new(forest)
            })?,
        );
        if let Some(component) = outputs.component {
            let tensors = [forest.bits(), component];
            let groups = forest.word_groups();
            dispatches.extend(self.expand.bind(device, batch, groups, &tensors, None, |_| ExpandParams::new(forest))?);
        }
        Ok(())
    }
}
