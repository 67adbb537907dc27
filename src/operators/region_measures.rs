//! `region_measures` as data.

use num_traits::Float;

use super::example::{Example, PLANE};
use super::options::Reader;
use super::shared::floats;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, Error, Nhw, Recording, RegionMeasures, RegionMeasuresBuffers, RegionMeasuresOptions, RegionOrder, TensorSpec,
    reference,
};

#[derive(Debug)]
pub(super) struct Measures(RegionMeasures);

impl Described for Measures {
    const NAME: &'static str = "region_measures";
    const ABOUT: &'static str =
        "area, box and centroid of every labelled region, and the sum, maximum and peak of a map in it";
    const EXAMPLE: Example =
        Example::new(&[("labels", PLANE), ("map", PLANE)]).with(&[("capacity", "37")]).or_without(&["map"]);
    type Shape = Nhw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let order = options.name("order", RegionOrder::NAMES, RegionOrder::default())?;
        let chosen = RegionMeasuresOptions::new(options.integer("capacity", None)?).with_order(order);
        RegionMeasures::new(compiler, chosen).map(Self)
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nhw, Error> {
        shapes.nhw(Self::NAME, "labels")
    }

    fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        self.0.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nhw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = RegionMeasuresBuffers {
            labels: slices.required(Self::NAME, "labels")?,
            map: slices.optional("map"),
            count: slices.required(Self::NAME, "count")?,
            areas: slices.required(Self::NAME, "areas")?,
            boxes: slices.required(Self::NAME, "boxes")?,
            regions: slices.optional("regions"),
            centroids: slices.optional("centroids"),
            sums: slices.optional("sums"),
            maxima: slices.optional("maxima"),
            positions: slices.optional("positions"),
        };
        self.0.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nhw) -> Cost {
        self.0.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nhw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let labels = inputs.required(Self::NAME, "labels")?;
        // What no u32 holds is above all labels, and so is what a float rounds up to 2^32.
        let labels: Vec<u32> = labels.iter().map(|label| label.to_u32().unwrap_or(u32::MAX)).collect();
        let found = reference::region_measures(shape, self.0.options(), &labels, inputs.optional("map"));
        Ok(Arrays::new([
            ("count", floats(found.count)),
            ("areas", floats(found.areas)),
            ("boxes", floats(found.boxes.as_flattened().iter().copied())),
            ("regions", floats(found.regions)),
            ("centroids", found.centroids.as_flattened().to_vec()),
            ("sums", found.sums),
            ("maxima", found.maxima),
            ("positions", floats(found.positions.as_flattened().iter().copied())),
        ]))
    }
}
