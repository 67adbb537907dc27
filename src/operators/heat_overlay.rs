//! `heat_overlay` as data.

use num_traits::Float;

use super::example::{Example, IMAGES, PLANE};
use super::options::Reader;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    ColorMap, Cost, Error, HeatOverlay, HeatOverlayBuffers, HeatOverlayShape, Recording, Sampling, TensorSpec,
    reference,
};

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
    const EXAMPLE: Example = Example::new(&[("map", PLANE), ("pictures", IMAGES)]);
    type Shape = HeatOverlayShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
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
        let (map, pictures) = (slices.required(Self::NAME, "map")?, slices.required(Self::NAME, "pictures")?);
        let buffers = HeatOverlayBuffers { map, pictures, overlay: slices.required(Self::NAME, "overlay")? };
        self.operator.bind(device, shape, self.opacity, buffers)
    }

    fn cost(&self, shape: HeatOverlayShape) -> Cost {
        self.operator.cost(shape)
    }

    /// Four numbers in 0..1 for each pixel, where the operator writes four bytes.
    fn reference<T: Float>(&self, shape: HeatOverlayShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (map, pictures) = (inputs.required(Self::NAME, "map")?, inputs.required(Self::NAME, "pictures")?);
        let opacity = T::from(self.opacity).unwrap_or_else(T::nan);
        let HeatOverlayShape { map: map_shape, pictures: size } = shape;
        let table = self.color_map.table();
        let overlay = reference::heat_overlay(map_shape, size, self.sampling, &table, opacity, map, pictures);
        Ok(Arrays::new([("overlay", overlay)]))
    }
}
