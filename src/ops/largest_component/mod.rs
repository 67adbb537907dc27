//! The largest connected component of masks, its box and, on request, the labels and sizes of all components.
//!
//! ```text
//! component = 1 on the largest set of connected pixels with mask != 0, else 0
//! boxes     = (min x, min y, max x, max y) of the component, inclusive
//! labels    = min (y * w + x) over the component of a pixel
//! sizes     = pixels of a component, at the pixel whose index is its label
//! ```
//!
//! Among equally large components the one whose first pixel comes first in raster order is taken. An empty mask has an empty
//! component, and the whole image as its box.
//!
//! Source: AG-CNN (Guan et al. 2018, arXiv:1801.09927), Sec. III-B.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Connectivity, LargestComponent, LargestComponentBuffers, Nhw};
//!
//! let gpu = Gpu::open()?;
//! let mask = gpu.upload("mask", &vec![1u32; 224 * 224])?;
//! let boxes = gpu.buffer("boxes", 4 * 4)?;
//! let component = gpu.buffer("component", 224 * 224 * 4)?;
//!
//! let operator = LargestComponent::new(&gpu.device, Connectivity::Eight)?;
//! let buffers = LargestComponentBuffers {
//!     mask: mask.slice(..),
//!     boxes: boxes.slice(..),
//!     component: Some(component.slice(..)),
//!     all: None,
//! };
//! let recording = operator.bind(&gpu.device, Nhw::new(1, 224, 224), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! # Method and sizes
//!
//! One invocation labels a tile of 32 by 8 pixels in registers. A union-find on integer atomics joins the components that reach
//! beyond a tile. The number of dispatches is fixed, no workgroup waits for another, and results are the same bits every time.
//!
//! The mask of one image must fit a binding, at 4 bytes for each pixel. The default limit of 128 MiB holds 33,554,432 pixels, for
//! instance 5,792 x 5,792. A larger `max_storage_buffer_binding_size` allows larger images. [`LargestComponent::scratch_bytes`]
//! counts the scratch, [`LargestComponent::bind`] lists the errors.
//!
//! Kernels, in this order: [`runs`](crate::shaders::LARGEST_COMPONENT_RUNS), [`tiles`](crate::shaders::LARGEST_COMPONENT_TILES),
//! [`merge`](crate::shaders::LARGEST_COMPONENT_MERGE), [`count`](crate::shaders::LARGEST_COMPONENT_COUNT),
//! [`pick`](crate::shaders::LARGEST_COMPONENT_PICK), [`labels`](crate::shaders::LARGEST_COMPONENT_LABELS),
//! [`select`](crate::shaders::LARGEST_COMPONENT_SELECT), [`expand`](crate::shaders::LARGEST_COMPONENT_EXPAND). Reference:
//! [`reference::largest_component`](crate::reference::largest_component).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::shader::{PLAIN, Shader, params, shader};
use crate::kernel::{Compiler, Dispatch, Kernel, Tensor, check};
use crate::{Cost, DType, Error, Nhw, Recording, TensorSpec};

pub(crate) mod components;

pub(crate) use self::components::{
    Components, Forest, LARGEST_COMPONENT_COUNT, LARGEST_COMPONENT_EXPAND, LARGEST_COMPONENT_LABELS,
    LARGEST_COMPONENT_MERGE, LARGEST_COMPONENT_PICK, LARGEST_COMPONENT_SELECT, LARGEST_COMPONENT_TILES, Outputs, Trees,
    tile_kernel, tile_params,
};
pub use self::components::{Connectivity, LabelBuffers};

const OP: &str = "largest_component";
params!(RunsParams {
    origin_x: u32,
    origin_y: u32,
    width: u32,
    height: u32,
    tiles_wide: u32,
    tile_stride: u32,
    mask_base: u32,
    boxes_base: u32,
});
pub(crate) const LARGEST_COMPONENT_RUNS: Shader = shader!(
    "largest_component_runs",
    RunsParams,
    PLAIN,
    &[],
    [mask: Read, bits: Write, boxes: Write],
    ["component_runs"],
);

/// The kernel that packs a mask as bits, for one operator.
#[derive(Clone, Debug)]
pub(crate) struct Runs(Kernel);

impl Runs {
    pub(crate) fn new(op: &'static str, compiler: Compiler<'_>) -> Result<Self, Error> {
        tile_kernel(op, compiler, &LARGEST_COMPONENT_RUNS, &[]).map(Self)
    }

    /// Fills the forest's bits, and sets the start values of `boxes [n, 4]`.
    pub(crate) fn bind(
        &self,
        device: &wgpu::Device,
        forest: &Forest,
        mask: Tensor<'_>,
        boxes: Tensor<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let Nhw { batch, height, width } = forest.shape;
        self.0.bind(device, batch, forest.word_groups(), &[mask, forest.bits(), boxes], None, |_| RunsParams {
            width,
            height,
            tiles_wide: forest.tiles_wide,
            tile_stride: forest.tile_stride,
            ..Zeroable::zeroed()
        })
    }
}

/// The largest component of every `mask [n, h, w]`. The [page of the module](self) has the definition and an example.
#[doc(alias = "CCL")]
#[doc(alias = "connected component labeling")]
#[derive(Clone, Debug)]
pub struct LargestComponent {
    connectivity: Connectivity,
    runs: Runs,
    components: Components,
}

/// Tensors of a [`LargestComponent`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct LargestComponentBuffers<'a> {
    /// In: `[n, h, w]` u32, set where not 0.
    pub mask: wgpu::BufferSlice<'a>,
    /// Out: `[n, 4]` i32, `(xmin, ymin, xmax, ymax)` of the largest component, inclusive.
    pub boxes: wgpu::BufferSlice<'a>,
    /// Out, if asked for: `[n, h, w]` u32, 1 on the largest component, else 0.
    pub component: Option<wgpu::BufferSlice<'a>>,
    /// Out, if asked for: every component.
    pub all: Option<LabelBuffers<'a>>,
}

impl LargestComponent {
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
            components: Components::new(OP, compiler, connectivity)?,
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
        let boxes = [shape.batch, 4];
        let mut specs =
            vec![TensorSpec::input("mask", shape, DType::U32), TensorSpec::output("boxes", boxes, DType::I32)];
        specs.extend(
            ["component", "all.labels", "all.sizes"].map(|name| TensorSpec::output(name, shape, DType::U32).optional()),
        );
        Ok(specs)
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
        buffers: LargestComponentBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let LargestComponentBuffers { mask, boxes, component, all } = buffers;
        let given = [
            ("mask", Some(mask)),
            ("boxes", Some(boxes)),
            ("component", component),
            ("all.labels", all.map(|all| all.labels)),
            ("all.sizes", all.map(|all| all.sizes)),
        ];
        check::slices(OP, device, &specs, &given)?;
        let pixels = shape.size().pixels();
        let mask = Tensor::divided(mask, pixels, 4);
        let outputs = Outputs::new(pixels, boxes, component, all);
        if shape.batch == 0 {
            return Ok(Recording::default());
        }
        let forest = Forest::new(OP, device, shape)?;
        let mut dispatches = self.runs.bind(device, &forest, mask, outputs.boxes)?;
        self.components.bind(device, &forest, outputs, &mut dispatches)?;
        Ok(Recording::new(dispatches))
    }

    /// Bytes of scratch that a recording of this shape holds.
    ///
    /// Images at least 4 pixels wide take at most 8 bytes for each mask pixel, large ones 4.3, and up to 4 KiB more for each image.
    #[must_use]
    pub fn scratch_bytes(&self, shape: Nhw) -> u64 {
        let image = Forest::image_bytes(shape).iter().fold(0u64, |sum, bytes| sum.saturating_add(*bytes));
        image.saturating_mul(u64::from(shape.batch))
    }

    /// What one run moves at the least. The mask is read once, and one plane of its size is written.
    #[must_use]
    pub fn cost(&self, shape: Nhw) -> Cost {
        Cost::new(count(shape.elements()) * count(8), count(0), count(0))
    }
}
