//! `attended_region` as data.

use num_traits::Float;

use super::example::{Example, FEATURES, IMAGES, SIZE};
use super::options::Reader;
use super::shared::floats;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape, Connectivity, Cost, CropEnd,
    Error, Normalization, Recording, Sampling, Size, Statistic, TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct Region {
    operator: AttendedRegion,
    options: AttendedRegionOptions,
    size: Size,
}

impl Described for Region {
    const NAME: &'static str = "attended_region";
    const ABOUT: &'static str = "from features to the regions that they attend to: map, mask, boxes and crops";
    const EXAMPLE: Example = Example::new(&[("features", FEATURES), ("images", IMAGES)]).with(&[("crop", SIZE)]);
    type Shape = AttendedRegionShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let defaults = AttendedRegionOptions::default();
        let chosen = AttendedRegionOptions {
            statistic: options.name("statistic", Statistic::NAMES, defaults.statistic)?,
            normalization: options.name("normalization", Normalization::NAMES, defaults.normalization)?,
            sampling: options.name("sampling", Sampling::NAMES, defaults.sampling)?,
            threshold: options.threshold("threshold")?,
            connectivity: options.name("connectivity", Connectivity::NAMES, defaults.connectivity)?,
            crop_end: options.name("crop_end", CropEnd::NAMES, defaults.crop_end)?,
            regions: options.integer("regions", Some(defaults.regions))?,
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
            features: slices.required(Self::NAME, "features")?,
            images: slices.optional("images"),
            map: slices.required(Self::NAME, "map")?,
            map_up: slices.optional("map_up"),
            mask: slices.optional("mask"),
            component: slices.optional("component"),
            boxes: slices.required(Self::NAME, "boxes")?,
            crops: slices.optional("crops"),
            count: slices.optional("count"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: AttendedRegionShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: AttendedRegionShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, images) = (inputs.required(Self::NAME, "features")?, inputs.required(Self::NAME, "images")?);
        let AttendedRegionShape { features: from, images: to, crop } = shape;
        let found = reference::attended_region(from, to, crop, &self.options, features, images);
        Ok(Arrays::new([
            ("map", found.map),
            ("map_up", found.map_up),
            ("mask", floats(found.mask)),
            ("component", floats(found.component)),
            ("boxes", floats(found.boxes.as_flattened().iter().copied())),
            ("crops", found.crops),
            ("count", floats(found.count)),
        ]))
    }
}
