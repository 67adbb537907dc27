//! AG-CNN's attended region: from feature maps to a crop of the images, in one recording.
//!
//! ```text
//! m     = attention map of the features                    AttentionMap, AG-CNN, Eq. 3
//! m     = m, scaled to 0..1 by its own range               Normalize
//! mask  = 1 where m, resized to the images, exceeds t      Resize, Threshold, Eq. 4
//! boxes = box of the largest connected part of the mask    LargestComponent
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
//!     crops: Some(crops.slice(..)),
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! let boxes: Vec<i32> = gpu.read(boxes.slice(..))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! [`AttendedRegionOptions`] has one field for each step. The resized map and the mask are written only if their buffers are
//! given. Scratch takes at most 8 bytes for each mask pixel, as
//! [`LargestComponent::scratch_bytes`](crate::LargestComponent::scratch_bytes) counts it, and up to 2 KiB for each image.
//! [`AttendedRegion::bind`] lists the errors, [`AttendedRegion::cost`] counts bytes and operations.
//!
//! Kernels: [`attended_region_runs`](crate::shaders::ATTENDED_REGION_RUNS) and those of the operators above. Reference:
//! [`reference::attended_region`](crate::reference::attended_region).

use crate::cost::count;
use crate::kernel::resample::{Axis, Sampling};
use crate::kernel::shader::{PLAIN, Shader, THREE_CODES, group, params, shader};
use crate::kernel::{Compiler, Kernel, Tensor, check};
use crate::ops::attention_map::{AttentionMap, AttentionMapBuffers, Statistic};
use crate::ops::crop_resize::{CropEnd, CropResize, CropResizeBuffers};
use crate::ops::largest_component::{self, Components, Connectivity, Forest, Outputs};
use crate::ops::normalize::{Normalization, Normalize, NormalizeBuffers};
use crate::ops::resize::{Resize, ResizeBuffers};
use crate::ops::threshold::{Threshold, ThresholdRule};
use crate::{Cost, CropResizeShape, DType, Element, Error, Nchw, Nhw, Recording, ResizeShape, Size, TensorSpec};

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

/// Options of an [`AttendedRegion`], step by step.
///
/// The default is the paper's: `max |f|`, min-max normalisation, half-pixel bilinear resizing, threshold 0.7, 8 neighbours, the
/// whole box.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AttendedRegionOptions {
    /// Statistic over the channels of each feature pixel.
    pub statistic: Statistic,
    /// Normalisation of the map.
    pub normalization: Normalization,
    /// Positions of the map's pixels at the images' size, and of the crops' pixels.
    pub sampling: Sampling,
    /// Threshold of the map at the images' size.
    pub threshold: ThresholdRule,
    /// Which pixels of the mask are neighbours.
    pub connectivity: Connectivity,
    /// Whether a crop holds the last row and column of its box.
    pub crop_end: CropEnd,
}

impl Default for AttendedRegionOptions {
    fn default() -> Self {
        Self {
            statistic: Statistic::MaxAbs,
            normalization: Normalization::MinMax,
            sampling: Sampling::HalfPixel,
            threshold: ThresholdRule::default(),
            connectivity: Connectivity::Eight,
            crop_end: CropEnd::Inclusive,
        }
    }
}

impl AttendedRegionOptions {
    /// With this statistic of the attention map.
    #[must_use]
    pub const fn with_statistic(self, statistic: Statistic) -> Self {
        Self { statistic, ..self }
    }

    /// With this normalisation of the map.
    #[must_use]
    pub const fn with_normalization(self, normalization: Normalization) -> Self {
        Self { normalization, ..self }
    }

    /// With these positions of resampled pixels.
    #[must_use]
    pub const fn with_sampling(self, sampling: Sampling) -> Self {
        Self { sampling, ..self }
    }

    /// With this threshold.
    #[must_use]
    pub const fn with_threshold(self, threshold: ThresholdRule) -> Self {
        Self { threshold, ..self }
    }

    /// With these neighbours of a pixel.
    #[must_use]
    pub const fn with_connectivity(self, connectivity: Connectivity) -> Self {
        Self { connectivity, ..self }
    }

    /// With this end of a crop.
    #[must_use]
    pub const fn with_crop_end(self, crop_end: CropEnd) -> Self {
        Self { crop_end, ..self }
    }
}

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
    /// Out, if asked for: `[n, H, W]` u32, 1 on the largest component.
    pub component: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, 4]` i32, `(xmin, ymin, xmax, ymax)` of the largest component, inclusive.
    pub boxes: wgpu::BufferSlice<'a>,
    /// Out, if asked for: `[n, c, oh, ow]`, the element type of images.
    pub crops: Option<wgpu::BufferSlice<'a>>,
}

impl AttendedRegion {
    /// Compiles the kernels for features and images of these element types.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for a threshold that is not finite.
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
            components: Components::new(OP, compiler, options.connectivity)?,
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
        let crops = Nchw { height, width, ..images };
        check::elements(OP, "features", features)?;
        check::elements(OP, "images", images)?;
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
        Ok(vec![
            TensorSpec::input("features", features, self.attention_map.element()),
            TensorSpec::output("map", features.plane(), Element::F32),
            TensorSpec::output("map_up", plane, Element::F32).optional(),
            TensorSpec::output("mask", plane, DType::U32).optional(),
            TensorSpec::output("boxes", [images.batch, 4], DType::I32),
            TensorSpec::output("component", plane, DType::U32).optional(),
            TensorSpec::input("images", images, element).optional(),
            TensorSpec::output("crops", crops, element).optional(),
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
        ];
        check::slices(OP, device, &specs, &given)?;
        if features.batch == 0 {
            return Ok(Recording::default());
        }
        check::source(OP, "features", features.size())?;
        check::source(OP, "images", images.size())?;

        let outputs = Outputs::new(images.size().pixels(), buffers.boxes, buffers.component, None);
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
        recording.extend(self.bind_components(device, features, images.plane(), map, buffers.mask, outputs)?);
        if let Some((source, crops)) = crops {
            let buffers = CropResizeBuffers { images: source, boxes: buffers.boxes, crops };
            recording.extend(self.crop_resize.bind(device, CropResizeShape { images, crop }, buffers)?);
        }
        Ok(recording)
    }

    /// Binds the steps from the map to the boxes. The mask is written if `mask_out` is given.
    fn bind_components(
        &self,
        device: &wgpu::Device,
        features: Nchw,
        mask: Nhw,
        map: wgpu::BufferSlice<'_>,
        mask_out: Option<wgpu::BufferSlice<'_>>,
        outputs: Outputs<'_>,
    ) -> Result<Recording, Error> {
        let mut dispatches = Vec::new();
        let batch = features.batch;
        let axes = Axis::both(OP, features.size(), mask.size(), self.options.sampling)?;
        let map = Tensor::divided(map, features.size().pixels(), 4);
        let levels = self.threshold.bind_levels(OP, device, batch, axes, mask.size(), map, &mut dispatches)?;
        if let Some(slice) = mask_out {
            let tensors = [map, Tensor::divided(slice, mask.size().pixels(), 4)];
            self.threshold.bind_mask(device, batch, axes, mask.size(), tensors, levels.as_ref(), &mut dispatches)?;
        }
        let levels = Tensor::divided(levels.as_ref().map(|buffer| buffer.slice(..)), 1, 4);
        let threshold = self.options.threshold.value(OP)?;
        let forest = Forest::new(OP, device, mask)?;
        let tensors = [map, levels, forest.bits(), outputs.boxes];
        let groups = forest.word_groups();
        dispatches.extend(self.runs.bind(device, batch, groups, &tensors, None, |_| RunsParams {
            width: mask.width,
            height: mask.height,
            tiles_wide: forest.tiles_wide,
            tile_stride: forest.tile_stride,
            threshold,
            ..RunsParams::resampling(axes)
        })?);
        self.components.bind(device, &forest, outputs, &mut dispatches)?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes at the least. Of the optional outputs only the crops are counted.
    #[must_use]
    pub fn cost(&self, shape: AttendedRegionShape) -> Cost {
        let AttendedRegionShape { features, images, crop } = shape;
        let mask = count(images.plane().elements());
        self.attention_map.cost(features)
            + self.normalize.cost(features.plane())
            + self.crop_resize.cost(CropResizeShape { images, crop })
            + Cost::new(count(0), mask * count(10), count(0))
    }
}
