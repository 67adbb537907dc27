//! AG-CNN's attended region: from feature maps to a crop of the images, in one recording.
//!
//! ```text
//! m     = attention map of the features                    AttentionMap, AG-CNN, Eq. 3
//! m     = m, scaled to 0..1 by its own range               Normalize
//! mask  = 1 where m, resized to the images, exceeds t      Resize, Threshold, Eq. 4
//! boxes = box of the largest connected part of the mask    LargestComponent
//!         or of the largest k parts                        ComponentLabels, RegionMeasures by area
//! crops = the images in their boxes, resized               CropResize
//! ```
//!
//! Source: AG-CNN (Guan et al. 2018, arXiv:1801.09927), Eqs. 3 and 4, Sec. III. Nothing is read back between the steps: the boxes
//! stay on the GPU.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{
//!     AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape, Element, Nchw, Size, ThresholdRule,
//! };
//!
//! let gpu = Gpu::open()?;
//! let shape = AttendedRegionShape {
//!     features: Nchw::new(1, 512, 7, 7),
//!     images: Nchw::new(1, 3, 224, 224),
//!     crop: Size::new(224, 224),
//! };
//! let features = gpu.upload("features", &vec![0.5f32; 512 * 7 * 7])?;
//! let images = gpu.upload("images", &vec![0.5f32; 3 * 224 * 224])?;
//! let map = gpu.buffer("map", 7 * 7 * 4)?;
//! let boxes = gpu.buffer("boxes", 4 * 4)?;
//! let crops = gpu.buffer("crops", 3 * 224 * 224 * 4)?;
//!
//! let options = AttendedRegionOptions::default().with_threshold(ThresholdRule::Otsu);
//! let operator = AttendedRegion::new(&gpu.device, options, Element::F32, Element::F32)?;
//! let buffers = AttendedRegionBuffers {
//!     features: features.slice(..),
//!     images: Some(images.slice(..)),
//!     map: map.slice(..),
//!     map_up: None,
//!     mask: None,
//!     component: None,
//!     boxes: boxes.slice(..),
//!     count: None,
//!     crops: Some(crops.slice(..)),
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! let boxes: Vec<i32> = gpu.read(boxes.slice(..))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! # Several regions
//!
//! With [`AttendedRegionOptions::regions`] above 1, region `r` of an image is the `r`-th largest connected part of its mask. Of
//! equally large parts the one whose first pixel comes first in raster order is the first. An image with fewer parts has the whole
//! image as each box that is left, and the whole image in each such crop: that is what an empty mask gives for one region, too.
//! `count` has the number of parts.
//!
//! # Sizes
//!
//! [`AttendedRegionOptions`] has one field for each step. The resized map and the mask are written only if their buffers are
//! given. Scratch takes at most 8 bytes for each mask pixel, as
//! [`LargestComponent::scratch_bytes`](crate::LargestComponent::scratch_bytes) counts it, and up to 2 KiB for each image. Several
//! regions, or a count, take up to 28 bytes for each mask pixel, and 64 for each region.
//!
//! Several regions are cropped image by image: an image with all its channels must fit a binding then, and so must its crops.
//! [`AttendedRegion::bind`] lists the errors, [`AttendedRegion::cost`] counts bytes and operations.
//!
//! Kernels: [`attended_region_runs`](crate::shaders::ATTENDED_REGION_RUNS) and those of the operators above. Reference:
//! [`reference::attended_region`](crate::reference::attended_region).

use crate::cost::count;
use crate::kernel::resample::Axis;
use crate::kernel::shader::{PLAIN, Shader, THREE_CODES, group, params, shader};
use crate::kernel::{Compiler, Kernel, Tensor, check, tensor};
use crate::ops::attention_map::{AttentionMap, AttentionMapBuffers};
use crate::ops::crop_resize::{CropResize, CropResizeBuffers};
use crate::ops::largest_component::{self, Components, Forest, Outputs};
use crate::ops::normalize::{Normalize, NormalizeBuffers};
use crate::ops::resize::{Resize, ResizeBuffers};
use crate::ops::threshold::{Threshold, ThresholdRule};
use crate::{Cost, CropResizeShape, DType, Element, Error, Nchw, Nhw, Recording, ResizeShape, Size, TensorSpec};

mod options;
mod ranked;

pub use self::options::AttendedRegionOptions;
pub(crate) use self::ranked::ATTENDED_REGION_RANK;
use self::ranked::{Ranked, RankedOutputs};

const OP: &str = "attended_region";

params!(axes RunsParams {
    origin_x: u32,
    origin_y: u32,
    width: u32,
    height: u32,
    tiles_wide: u32,
    tile_stride: u32,
    map_base: u32,
    levels_base: u32,
    boxes_base: u32,
    threshold: f32,
});
pub(crate) const ATTENDED_REGION_RUNS: Shader = shader!(
    "attended_region_runs",
    RunsParams,
    PLAIN,
    &[group(&["RULE"], THREE_CODES)],
    [map: Read, levels: Read, bits: Write, boxes: Write],
    ["component_runs", "thresholded", "sampled_map", "bilinear", "exceeds", "ordered"],
);

/// The attended region of images. The [page of the module](self) has the steps and an example.
#[doc(alias = "AG-CNN")]
#[doc(alias = "attention-guided")]
#[derive(Clone, Debug)]
pub struct AttendedRegion {
    options: AttendedRegionOptions,
    attention_map: AttentionMap,
    normalize: Normalize,
    resize: Resize,
    threshold: Threshold,
    runs: Kernel,
    components: Components,
    /// The regions of an image, ranked by area, where more than one or their number is asked for.
    ranked: Ranked,
    crop_resize: CropResize,
}

/// Extents of an [`AttendedRegion`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttendedRegionShape {
    /// `[n, k, h, w]`.
    pub features: Nchw,
    /// `[n, c, H, W]`.
    pub images: Nchw,
    /// `[oh, ow]`.
    pub crop: Size,
}

/// Tensors of an [`AttendedRegion`]; each needs `BufferUsages::STORAGE`. `[h, w]` is the features' size, `[H, W]` the images'.
#[derive(Clone, Copy, Debug)]
pub struct AttendedRegionBuffers<'a> {
    /// In: `[n, k, h, w]`, the element type of features.
    pub features: wgpu::BufferSlice<'a>,
    /// In, needed for `crops`: `[n, c, H, W]`, the element type of images.
    pub images: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, h, w]` f32, the normalised attention map.
    pub map: wgpu::BufferSlice<'a>,
    /// Out, if asked for: `[n, H, W]` f32, the map at the images' size.
    pub map_up: Option<wgpu::BufferSlice<'a>>,
    /// Out, if asked for: `[n, H, W]` u32, 1 where the map exceeds the threshold.
    pub mask: Option<wgpu::BufferSlice<'a>>,
    /// Out, if asked for: `[n, H, W]` u32, `r` on the `r`-th region, from 1, and 0 elsewhere.
    pub component: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, 4]` i32, `(xmin, ymin, xmax, ymax)` of the largest component, inclusive. `[n, k, 4]` of `k` regions above 1.
    pub boxes: wgpu::BufferSlice<'a>,
    /// Out, if asked for: `[n]` u32, the connected parts of the mask, which may be more or fewer than the regions asked for.
    pub count: Option<wgpu::BufferSlice<'a>>,
    /// Out, if asked for: `[n * k, c, oh, ow]`, the element type of images. The crops of an image are one after another.
    pub crops: Option<wgpu::BufferSlice<'a>>,
}

impl AttendedRegion {
    /// Compiles the kernels for features and images of these element types.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for a threshold that is not finite, and for 0 regions.
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: AttendedRegionOptions,
        features: Element,
        images: Element,
    ) -> Result<Self, Error> {
        let compiler = compiler.into();
        options.threshold.value(OP)?;
        if options.regions == 0 {
            let (given, needed) = ("0".into(), "at least 1 region".into());
            return Err(Error::InvalidParameter { op: OP, parameter: "regions", given, needed });
        }
        // Kernels of optional outputs are compiled at first use. Otsu's kernels run for every mask.
        let optional = compiler.at_first_use();
        let threshold = if options.threshold == ThresholdRule::Otsu { compiler } else { optional };
        let rule = [("RULE", options.threshold.code())];
        Ok(Self {
            options,
            attention_map: AttentionMap::new(compiler, options.statistic, features)?,
            normalize: Normalize::new(compiler, options.normalization)?,
            resize: Resize::new(optional, options.sampling, Element::F32)?,
            threshold: Threshold::new(threshold, options.threshold, options.sampling)?,
            runs: largest_component::tile_kernel(OP, compiler, &ATTENDED_REGION_RUNS, &rule)?,
            components: Components::new(
                OP,
                if options.regions == 1 { compiler } else { optional },
                options.connectivity,
            )?,
            ranked: Ranked::new(if options.regions == 1 { optional } else { compiler }, options)?,
            crop_resize: CropResize::new(optional, options.crop_end, options.sampling, images)?,
        })
    }

    /// The options that the operator was built with.
    #[must_use]
    pub const fn options(&self) -> &AttendedRegionOptions {
        &self.options
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: AttendedRegionShape) -> Result<Vec<TensorSpec>, Error> {
        let AttendedRegionShape { features, images, crop: Size { height, width } } = shape;
        let regions = self.options.regions;
        let all = check::to_u32(OP, "crops", u64::from(images.batch) * u64::from(regions))?;
        let crops = Nchw { batch: all, height, width, ..images };
        check::elements(OP, "features", features)?;
        check::elements(OP, "images", images)?;
        // A region takes 16 words of scratch.
        check::elements(OP, "boxes", Nchw::new(images.batch, regions, 1, 16))?;
        check::elements(OP, "crops", crops)?;
        if features.batch != images.batch {
            return Err(Error::InvalidShape {
                op: OP,
                binding: "images",
                given: images.to_string(),
                needed: format!("[{}, c, H, W], as many as features", features.batch),
            });
        }
        let plane = images.plane();
        let element = self.crop_resize.element();
        let boxes = if regions == 1 { vec![images.batch, 4] } else { vec![images.batch, regions, 4] };
        Ok(vec![
            TensorSpec::input("features", features, self.attention_map.element()),
            TensorSpec::output("map", features.plane(), Element::F32),
            TensorSpec::output("map_up", plane, Element::F32).optional(),
            TensorSpec::output("mask", plane, DType::U32).optional(),
            TensorSpec::output("boxes", boxes, DType::I32),
            TensorSpec::output("component", plane, DType::U32).optional(),
            TensorSpec::input("images", images, element).optional(),
            TensorSpec::output("crops", crops, element).optional(),
            TensorSpec::output("count", [images.batch], DType::U32).optional(),
        ])
    }

    /// Checks the buffers against the shapes and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for batches that differ, and for features or images without pixels.
    /// - [`Error::InvalidParameter`] for crops without images.
    /// - What the operators of the single steps refuse.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: AttendedRegionShape,
        buffers: AttendedRegionBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let AttendedRegionShape { features, images, crop } = shape;
        let crops = match (buffers.images, buffers.crops) {
            (Some(images), Some(crops)) => Some((images, crops)),
            (_, None) => None,
            (None, Some(_)) => {
                return Err(Error::InvalidParameter {
                    op: OP,
                    parameter: "crops",
                    given: "asked for without `images`".into(),
                    needed: "`images` to be cropped".into(),
                });
            }
        };
        // All tensors are checked together: an output of one step may overlap an input of another. Images are read only for crops.
        let given = [
            ("features", Some(buffers.features)),
            ("map", Some(buffers.map)),
            ("map_up", buffers.map_up),
            ("mask", buffers.mask),
            ("boxes", Some(buffers.boxes)),
            ("component", buffers.component),
            ("images", crops.map(|(images, _)| images)),
            ("crops", crops.map(|(_, crops)| crops)),
            ("count", buffers.count),
        ];
        check::slices(OP, device, &specs, &given)?;
        if features.batch == 0 {
            return Ok(Recording::default());
        }
        check::source(OP, "features", features.size())?;
        check::source(OP, "images", images.size())?;

        let map = buffers.map;
        let buffers_in = AttentionMapBuffers { features: buffers.features, map };
        let mut recording = self.attention_map.bind(device, features, buffers_in)?;
        recording.extend(self.normalize.bind(device, features.plane(), NormalizeBuffers { map, range: None })?);
        if let Some(output) = buffers.map_up {
            let planes = Nchw { channels: 1, ..features };
            let buffers = ResizeBuffers { input: map, output };
            recording.extend(self.resize.bind(
                device,
                ResizeShape { input: planes, output: images.size() },
                buffers,
            )?);
        }
        recording.extend(self.bind_components(device, features, images.plane(), &buffers)?);
        if let Some((source, crops)) = crops {
            let (shape, regions) = (CropResizeShape { images, crop }, self.options.regions);
            let buffers = CropResizeBuffers { images: source, boxes: buffers.boxes, crops };
            recording.extend(Recording::new(self.crop_resize.bind_regions(device, shape, regions, buffers)?));
        }
        Ok(recording)
    }

    /// Binds the steps from the map to the boxes.
    fn bind_components(
        &self,
        device: &wgpu::Device,
        features: Nchw,
        mask: Nhw,
        buffers: &AttendedRegionBuffers<'_>,
    ) -> Result<Recording, Error> {
        let mut dispatches = Vec::new();
        let batch = features.batch;
        let axes = Axis::both(OP, features.size(), mask.size(), self.options.sampling)?;
        let map = Tensor::divided(buffers.map, features.size().pixels(), 4);
        let levels = self.threshold.bind_levels(OP, device, batch, axes, mask.size(), map, &mut dispatches)?;
        if let Some(slice) = buffers.mask {
            let tensors = [map, Tensor::divided(slice, mask.size().pixels(), 4)];
            self.threshold.bind_mask(device, batch, axes, mask.size(), tensors, levels.as_ref(), &mut dispatches)?;
        }
        let levels = Tensor::divided(levels.as_ref().map(|buffer| buffer.slice(..)), 1, 4);
        let threshold = self.options.threshold.value(OP)?;
        let forest = Forest::new(OP, device, mask)?;
        // The largest component alone needs no labels. Ranked regions have boxes that start elsewhere.
        let ranked = self.options.regions > 1 || buffers.count.is_some();
        let start = tensor::Between::new(
            (!ranked).then_some(buffers.boxes),
            OP,
            device,
            "start of boxes",
            u64::from(batch) * 16,
        )?;
        let tensors = [map, levels, forest.bits(), Tensor::divided(start.slice(), 4, 4)];
        let groups = forest.word_groups();
        dispatches.extend(self.runs.bind(device, batch, groups, &tensors, None, |_| RunsParams {
            width: mask.width,
            height: mask.height,
            tiles_wide: forest.tiles_wide,
            tile_stride: forest.tile_stride,
            threshold,
            ..RunsParams::resampling(axes)
        })?);
        if ranked {
            let outputs = RankedOutputs { component: buffers.component, boxes: buffers.boxes, count: buffers.count };
            self.ranked.bind(device, &forest, self.options.regions, outputs, &mut dispatches)?;
        } else {
            let outputs = Outputs::new(mask.size().pixels(), buffers.boxes, buffers.component, None);
            self.components.bind(device, &forest, outputs, &mut dispatches)?;
        }
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes at the least. Of the optional outputs only the crops are counted.
    #[must_use]
    pub fn cost(&self, shape: AttendedRegionShape) -> Cost {
        let AttendedRegionShape { features, images, crop } = shape;
        let mask = count(images.plane().elements());
        let crops = Nchw { batch: images.batch.saturating_mul(self.options.regions), ..images };
        self.attention_map.cost(features)
            + self.normalize.cost(features.plane())
            + self.crop_resize.cost(CropResizeShape { images: crops, crop })
            + Cost::new(count(0), mask * count(10), count(0))
    }
}
