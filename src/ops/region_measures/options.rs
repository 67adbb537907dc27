//! Options of the measures of regions.

use crate::names::names;

/// Which region is in which row of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RegionOrder {
    /// Row `r` is label `r + 1`. From [`ComponentLabels`](crate::ComponentLabels) this is the raster order of first pixels.
    #[default]
    Raster,
    /// By descending area. Of equal areas the smaller label comes first.
    Area,
    /// By descending sum of the map, as an f32. NaN is above all numbers, and a region without pixels comes last. Of equal sums the smaller
    /// label comes first.
    Sum,
}

names!(RegionOrder, "order of regions", Raster = "raster", Area = "area", Sum = "sum");

/// Options of [`RegionMeasures`](crate::RegionMeasures).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RegionMeasuresOptions {
    /// Rows of the table of an image.
    pub capacity: u32,
    /// Which region is in which row.
    pub order: RegionOrder,
}

impl RegionMeasuresOptions {
    /// A table of `capacity` rows for each image, in raster order.
    #[must_use]
    pub const fn new(capacity: u32) -> Self {
        Self { capacity, order: RegionOrder::Raster }
    }

    /// With this order of the rows.
    #[must_use]
    pub const fn with_order(self, order: RegionOrder) -> Self {
        Self { order, ..self }
    }
}
