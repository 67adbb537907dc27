//! The operators of attention maps and attended regions, as data.

use num_traits::{Float, ToPrimitive};

use super::{Arrays, Described, Options, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape, AttentionMap,
    AttentionMapBuffers, BoundingBox, BoundingBoxBuffers, ColorMap, Connectivity, Cost, CropEnd, CropResize,
    CropResizeBuffers, CropResizeShape, Error, HeatOverlay, HeatOverlayBuffers, HeatOverlayShape, LabelBuffers,
    LargestComponent, LargestComponentBuffers, Nchw, Nhw, Normalization, Normalize, NormalizeBuffers, Recording,
    Resize, ResizeBuffers, ResizeShape, Sampling, Size, Statistic, TensorSpec, Threshold, ThresholdBuffers,
    ThresholdRule, ThresholdShape, reference,
};

/// A mask: set where not 0.
fn mask<T: Float>(numbers: &[T]) -> Vec<u32> {
    numbers.iter().map(|number| u32::from(!number.is_zero())).collect()
}

fn boxes<T: Float>(numbers: &[T]) -> Vec<[i32; 4]> {
    // A cast that stays within `i32`.
    let signed: Vec<i32> = numbers.iter().map(|number| number.to_f64().unwrap_or(f64::NAN) as i32).collect();
    signed.chunks_exact(4).map(|one| [one[0], one[1], one[2], one[3]]).collect()
}

fn floats<T: Float>(values: impl IntoIterator<Item = impl ToPrimitive>) -> Vec<T> {
    values.into_iter().map(|value| T::from(value).unwrap_or_else(T::nan)).collect()
}

#[derive(Debug)]
pub(super) struct Attention {
    operator: AttentionMap,
    statistic: Statistic,
}

impl Described for Attention {
    const NAME: &'static str = "attention_map";
    const ABOUT: &'static str = "one statistic over the channels of each pixel";
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let statistic = options.name("statistic", Statistic::NAMES, Statistic::default())?;
        Ok(Self { operator: AttentionMap::new(compiler, statistic, options.element()?)?, statistic })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "features")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (features, map) = (slices.need(Self::NAME, "features")?, slices.need(Self::NAME, "map")?);
        self.operator.bind(device, shape, AttentionMapBuffers { features, map })
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let features = inputs.need(Self::NAME, "features")?;
        Ok(Arrays::new([("map", reference::attention_map(shape, self.statistic, features))]))
    }
}

#[derive(Debug)]
pub(super) struct Normalized {
    operator: Normalize,
    normalization: Normalization,
}

impl Described for Normalized {
    const NAME: &'static str = "normalize";
    const ABOUT: &'static str = "each map brought to 0..1, in place";
    type Shape = Nhw;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let normalization = options.name("normalization", Normalization::NAMES, Normalization::default())?;
        Ok(Self { operator: Normalize::new(compiler, normalization)?, normalization })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nhw, Error> {
        shapes.nhw(Self::NAME, "map")
    }

    fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nhw, slices: &Slices<'_>) -> Result<Recording, Error> {
        self.operator.bind(device, shape, NormalizeBuffers { map: slices.need(Self::NAME, "map")? })
    }

    fn cost(&self, shape: Nhw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nhw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let map = inputs.need(Self::NAME, "map")?;
        Ok(Arrays::new([("map", reference::normalize(shape, self.normalization, map))]))
    }
}

#[derive(Debug)]
pub(super) struct Resized {
    operator: Resize,
    sampling: Sampling,
    size: Size,
}

impl Described for Resized {
    const NAME: &'static str = "resize";
    const ABOUT: &'static str = "bilinear resizing of every plane";
    type Shape = ResizeShape;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let sampling = options.name("sampling", Sampling::NAMES, Sampling::default())?;
        let size = options.size("size", None)?;
        Ok(Self { operator: Resize::new(compiler, sampling, options.element()?)?, sampling, size })
    }

    fn shape(&self, shapes: &Shapes) -> Result<ResizeShape, Error> {
        Ok(ResizeShape { input: shapes.nchw(Self::NAME, "input")?, output: self.size })
    }

    fn tensors(&self, shape: ResizeShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: ResizeShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (input, output) = (slices.need(Self::NAME, "input")?, slices.need(Self::NAME, "output")?);
        self.operator.bind(device, shape, ResizeBuffers { input, output })
    }

    fn cost(&self, shape: ResizeShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: ResizeShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let input = inputs.need(Self::NAME, "input")?;
        Ok(Arrays::new([("output", reference::resize(shape.input, shape.output, self.sampling, input))]))
    }
}

#[derive(Debug)]
pub(super) struct Mask {
    operator: Threshold,
    rule: ThresholdRule,
    sampling: Sampling,
    size: Size,
}

impl Described for Mask {
    const NAME: &'static str = "threshold";
    const ABOUT: &'static str = "the mask of a map that exceeds a threshold, at another size";
    type Shape = ThresholdShape;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let rule = options.threshold("threshold")?;
        let sampling = options.name("sampling", Sampling::NAMES, Sampling::default())?;
        let size = options.size("size", None)?;
        Ok(Self { operator: Threshold::new(compiler, rule, sampling)?, rule, sampling, size })
    }

    fn shape(&self, shapes: &Shapes) -> Result<ThresholdShape, Error> {
        Ok(ThresholdShape { map: shapes.nhw(Self::NAME, "map")?, mask: self.size })
    }

    fn tensors(&self, shape: ThresholdShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: ThresholdShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (map, mask) = (slices.need(Self::NAME, "map")?, slices.need(Self::NAME, "mask")?);
        self.operator.bind(device, shape, ThresholdBuffers { map, mask })
    }

    fn cost(&self, shape: ThresholdShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: ThresholdShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let ThresholdShape { map: Nhw { batch, height, width }, mask } = shape;
        let map = inputs.need(Self::NAME, "map")?;
        let map = reference::resize(Nchw::new(batch, 1, height, width), mask, self.sampling, map);
        let mask = reference::threshold(Nhw::new(batch, mask.height, mask.width), self.rule, &map);
        Ok(Arrays::new([("mask", floats(mask))]))
    }
}

#[derive(Debug)]
pub(super) struct Component {
    operator: LargestComponent,
    connectivity: Connectivity,
}

impl Described for Component {
    const NAME: &'static str = "largest_component";
    const ABOUT: &'static str = "the largest connected component of each mask, its box, and every component by label";
    type Shape = Nhw;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let connectivity = options.name("connectivity", Connectivity::NAMES, Connectivity::default())?;
        Ok(Self { operator: LargestComponent::new(compiler, connectivity)?, connectivity })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nhw, Error> {
        shapes.nhw(Self::NAME, "mask")
    }

    fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nhw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let all = match (slices.get("all.labels"), slices.get("all.sizes")) {
            (Some(labels), Some(sizes)) => Some(LabelBuffers { labels, sizes }),
            (None, None) => None,
            (labels, _) => {
                let parameter = if labels.is_some() { "all.sizes" } else { "all.labels" };
                let (given, needed) = ("none".into(), "labels and sizes, or neither".into());
                return Err(Error::InvalidParameter { op: Self::NAME, parameter, given, needed });
            }
        };
        let (mask, boxes) = (slices.need(Self::NAME, "mask")?, slices.need(Self::NAME, "boxes")?);
        let buffers = LargestComponentBuffers { mask, boxes, component: slices.get("component"), all };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nhw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nhw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let mask = mask(inputs.need(Self::NAME, "mask")?);
        let found = reference::largest_component(shape, self.connectivity, &mask);
        Ok(Arrays::new([
            ("boxes", floats(found.boxes.as_flattened().iter().copied())),
            ("component", floats(found.component)),
            ("all.labels", floats(found.labels)),
            ("all.sizes", floats(found.sizes)),
        ]))
    }
}

#[derive(Debug)]
pub(super) struct Boxes(BoundingBox);

impl Described for Boxes {
    const NAME: &'static str = "bounding_box";
    const ABOUT: &'static str = "the box around what is set in each mask";
    type Shape = Nhw;

    fn open(compiler: Compiler<'_>, _: &Options) -> Result<Self, Error> {
        Ok(Self(BoundingBox::new(compiler)?))
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nhw, Error> {
        shapes.nhw(Self::NAME, "mask")
    }

    fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        self.0.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nhw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (mask, boxes) = (slices.need(Self::NAME, "mask")?, slices.need(Self::NAME, "boxes")?);
        self.0.bind(device, shape, BoundingBoxBuffers { mask, boxes })
    }

    fn cost(&self, shape: Nhw) -> Cost {
        self.0.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nhw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let found = reference::bounding_box(shape, &mask(inputs.need(Self::NAME, "mask")?));
        Ok(Arrays::new([("boxes", floats(found.as_flattened().iter().copied()))]))
    }
}

#[derive(Debug)]
pub(super) struct Crop {
    operator: CropResize,
    end: CropEnd,
    sampling: Sampling,
    size: Size,
}

impl Described for Crop {
    const NAME: &'static str = "crop_resize";
    const ABOUT: &'static str = "the box of each image, resized";
    type Shape = CropResizeShape;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let end = options.name("crop_end", CropEnd::NAMES, CropEnd::default())?;
        let sampling = options.name("sampling", Sampling::NAMES, Sampling::default())?;
        let size = options.size("size", None)?;
        Ok(Self { operator: CropResize::new(compiler, end, sampling, options.element()?)?, end, sampling, size })
    }

    fn shape(&self, shapes: &Shapes) -> Result<CropResizeShape, Error> {
        Ok(CropResizeShape { images: shapes.nchw(Self::NAME, "images")?, crop: self.size })
    }

    fn tensors(&self, shape: CropResizeShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: CropResizeShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (images, boxes) = (slices.need(Self::NAME, "images")?, slices.need(Self::NAME, "boxes")?);
        self.operator.bind(device, shape, CropResizeBuffers { images, boxes, crops: slices.need(Self::NAME, "crops")? })
    }

    fn cost(&self, shape: CropResizeShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: CropResizeShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (images, found) = (inputs.need(Self::NAME, "images")?, boxes(inputs.need(Self::NAME, "boxes")?));
        let crops = reference::crop_resize(shape.images, shape.crop, self.end, self.sampling, images, &found);
        Ok(Arrays::new([("crops", crops)]))
    }
}

#[derive(Debug)]
pub(super) struct Overlay {
    operator: HeatOverlay,
    color_map: ColorMap,
    sampling: Sampling,
    opacity: f32,
}

impl Described for Overlay {
    const NAME: &'static str = "heat_overlay";
    const ABOUT: &'static str = "a colour-mapped map over a picture, four bytes to a pixel";
    type Shape = HeatOverlayShape;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let color_map = options.color_map("color_map")?;
        let sampling = options.name("sampling", Sampling::NAMES, Sampling::default())?;
        let opacity = options.number("opacity", Some(0.5))?;
        let operator = HeatOverlay::new(compiler, &color_map, sampling, options.element()?)?;
        Ok(Self { operator, color_map, sampling, opacity })
    }

    fn shape(&self, shapes: &Shapes) -> Result<HeatOverlayShape, Error> {
        let (map, pictures) = (shapes.nhw(Self::NAME, "map")?, shapes.nchw(Self::NAME, "pictures")?);
        Ok(HeatOverlayShape { map, pictures })
    }

    fn tensors(&self, shape: HeatOverlayShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: HeatOverlayShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (map, pictures) = (slices.need(Self::NAME, "map")?, slices.need(Self::NAME, "pictures")?);
        let buffers = HeatOverlayBuffers { map, pictures, overlay: slices.need(Self::NAME, "overlay")? };
        self.operator.bind(device, shape, self.opacity, buffers)
    }

    fn cost(&self, shape: HeatOverlayShape) -> Cost {
        self.operator.cost(shape)
    }

    /// Four numbers in 0..1 for each pixel, where the operator writes four bytes.
    fn reference<T: Float>(&self, shape: HeatOverlayShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (map, pictures) = (inputs.need(Self::NAME, "map")?, inputs.need(Self::NAME, "pictures")?);
        let opacity = T::from(self.opacity).unwrap_or_else(T::nan);
        let HeatOverlayShape { map: map_shape, pictures: size } = shape;
        let table = self.color_map.table();
        let overlay = reference::heat_overlay(map_shape, size, self.sampling, &table, opacity, map, pictures);
        Ok(Arrays::new([("overlay", overlay)]))
    }
}

#[derive(Debug)]
pub(super) struct Region {
    operator: AttendedRegion,
    options: AttendedRegionOptions,
    size: Size,
}

impl Described for Region {
    const NAME: &'static str = "attended_region";
    const ABOUT: &'static str = "from features to the region that they attend to: map, mask, box and crop";
    type Shape = AttendedRegionShape;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let defaults = AttendedRegionOptions::default();
        let chosen = AttendedRegionOptions {
            statistic: options.name("statistic", Statistic::NAMES, defaults.statistic)?,
            normalization: options.name("normalization", Normalization::NAMES, defaults.normalization)?,
            sampling: options.name("sampling", Sampling::NAMES, defaults.sampling)?,
            threshold: options.threshold("threshold")?,
            connectivity: options.name("connectivity", Connectivity::NAMES, defaults.connectivity)?,
            crop_end: options.name("crop_end", CropEnd::NAMES, defaults.crop_end)?,
        };
        let size = options.size("crop", None)?;
        let images = options.name("image_element", crate::Element::NAMES, crate::Element::F32)?;
        Ok(Self { operator: AttendedRegion::new(compiler, chosen, options.element()?, images)?, options: chosen, size })
    }

    fn shape(&self, shapes: &Shapes) -> Result<AttendedRegionShape, Error> {
        let (features, images) = (shapes.nchw(Self::NAME, "features")?, shapes.nchw(Self::NAME, "images")?);
        Ok(AttendedRegionShape { features, images, crop: self.size })
    }

    fn tensors(&self, shape: AttendedRegionShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: AttendedRegionShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = AttendedRegionBuffers {
            features: slices.need(Self::NAME, "features")?,
            images: slices.get("images"),
            map: slices.need(Self::NAME, "map")?,
            map_up: slices.get("map_up"),
            mask: slices.get("mask"),
            component: slices.get("component"),
            boxes: slices.need(Self::NAME, "boxes")?,
            crops: slices.get("crops"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: AttendedRegionShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: AttendedRegionShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, images) = (inputs.need(Self::NAME, "features")?, inputs.need(Self::NAME, "images")?);
        let AttendedRegionShape { features: from, images: to, crop } = shape;
        let found = reference::attended_region(from, to, crop, &self.options, features, images);
        Ok(Arrays::new([
            ("map", found.map),
            ("map_up", found.map_up),
            ("mask", floats(found.mask)),
            ("component", floats(found.component)),
            ("boxes", floats(found.boxes.as_flattened().iter().copied())),
            ("crops", found.crops),
        ]))
    }
}
