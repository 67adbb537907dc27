//! Measures of labelled regions: area, box, centroid, and of a map the sum, the maximum and where it is.
//!
//! ```text
//! count     = the largest label of an image
//! regions   = the label of each row, 0 in a row without a region
//! areas     = pixels of the region
//! boxes     = (min x, min y, max x, max y) of its pixels, inclusive
//! centroids = (mean x, mean y) of its pixels
//! sums      = sum of the map over its pixels
//! maxima    = maximum of the map over its pixels
//! positions = (x, y) of the first pixel in raster order that has the maximum
//! ```
//!
//! Labels are those of [`ComponentLabels`](crate::ComponentLabels), or of any other program that numbers regions from 1. A label
//! above `h * w` is background. A number up to the largest label that no pixel has is a region of area 0: its row is zeros.
//!
//! The table has `capacity` rows for each image. [`RegionOrder`] decides which region is in which row. If there are more
//! regions than rows, the table holds the first in that order, and `count` says how many there are. Rows beyond the count are
//! zeros.
//!
//! A maximum is NaN if one of its values is, and so is a sum.
//!
//! Source: area, bbox, centroid, `intensity_mean * area` and `intensity_max` of scikit-image's `regionprops_table`.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Nhw, RegionMeasures, RegionMeasuresBuffers, RegionMeasuresOptions, RegionOrder};
//!
//! let gpu = Gpu::open()?;
//! let labels = gpu.upload("labels", &vec![1u32; 224 * 224])?;
//! let map = gpu.upload("map", &vec![0.5f32; 224 * 224])?;
//! let [count, areas, sums] = [1, 3, 3].map(|words| gpu.buffer("measures", words * 4));
//! let (count, areas, sums) = (count?, areas?, sums?);
//! let boxes = gpu.buffer("boxes", 3 * 4 * 4)?;
//!
//! // The three regions with the largest sums of the map.
//! let options = RegionMeasuresOptions::new(3).with_order(RegionOrder::Sum);
//! let operator = RegionMeasures::new(&gpu.device, options)?;
//! let buffers = RegionMeasuresBuffers {
//!     labels: labels.slice(..),
//!     map: Some(map.slice(..)),
//!     count: count.slice(..),
//!     areas: areas.slice(..),
//!     boxes: boxes.slice(..),
//!     regions: None,
//!     centroids: None,
//!     sums: Some(sums.slice(..)),
//!     maxima: None,
//!     positions: None,
//! };
//! let recording = operator.bind(&gpu.device, Nhw::new(1, 224, 224), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! # Method and sizes
//!
//! All sums and maxima are those of integers, so they do not depend on the order in which pixels are added, and results are the
//! same bits every time. The sum of a map has 96 bits, in units of a 2^36th of the last bit of the region's largest magnitude. It
//! is rounded once, to the nearest f32. The rows of a table by area or by sum are those of a merge sort.
//!
//! Labels and map of one image must fit a binding each, at 4 bytes for each pixel, and its table, at 64 bytes for each row.
//! [`RegionMeasures::scratch_bytes`] counts the scratch, [`RegionMeasures::bind`] lists the errors.
//!
//! Kernels, in this order: [`clear`](crate::shaders::REGION_MEASURES_CLEAR); for an order by area or sum
//! [`areas`](crate::shaders::REGION_MEASURES_AREAS), [`keys`](crate::shaders::REGION_MEASURES_KEYS),
//! [`merge`](crate::shaders::REGION_MEASURES_MERGE), [`slots`](crate::shaders::REGION_MEASURES_SLOTS); then
//! [`extents`](crate::shaders::REGION_MEASURES_EXTENTS), [`table`](crate::shaders::REGION_MEASURES_TABLE), and with a map
//! [`peaks`](crate::shaders::REGION_MEASURES_PEAKS), [`sums`](crate::shaders::REGION_MEASURES_SUMS),
//! [`values`](crate::shaders::REGION_MEASURES_VALUES). Reference:
//! [`reference::region_measures`](crate::reference::region_measures).

use crate::cost::count;
use crate::kernel::{Compiler, check};
use crate::{Cost, DType, Error, Nhw, Recording, TensorSpec};

mod options;
mod order;
mod table;
mod walk;

pub use self::options::{RegionMeasuresOptions, RegionOrder};
pub(crate) use self::order::{
    REGION_MEASURES_AREAS, REGION_MEASURES_KEYS, REGION_MEASURES_MERGE, REGION_MEASURES_SLOTS,
};
pub(crate) use self::table::{Columns, REGION_MEASURES_EXTENTS, REGION_MEASURES_TABLE, REGION_MEASURES_VALUES, Table};
pub(crate) use self::walk::{REGION_MEASURES_CLEAR, REGION_MEASURES_PEAKS, REGION_MEASURES_SUMS};

const OP: &str = "region_measures";

/// Measures of the regions of `labels [n, h, w]`. The [page of the module](self) has the definitions and an example.
#[doc(alias = "regionprops")]
#[doc(alias = "connectedComponentsWithStats")]
#[derive(Clone, Debug)]
pub struct RegionMeasures {
    options: RegionMeasuresOptions,
    table: Table,
}

/// Tensors of [`RegionMeasures`]; each needs `BufferUsages::STORAGE`. `rows` is the capacity.
#[derive(Clone, Copy, Debug)]
pub struct RegionMeasuresBuffers<'a> {
    /// In: `[n, h, w]` u32, 0 for the background.
    pub labels: wgpu::BufferSlice<'a>,
    /// In, needed for sums, maxima, positions and the order by sum: `[n, h, w]` f32.
    pub map: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n]` u32, the number of regions, which may exceed the rows.
    pub count: wgpu::BufferSlice<'a>,
    /// Out: `[n, rows]` u32, pixels.
    pub areas: wgpu::BufferSlice<'a>,
    /// Out: `[n, rows, 4]` i32, `(xmin, ymin, xmax, ymax)`, inclusive.
    pub boxes: wgpu::BufferSlice<'a>,
    /// Out, if asked for: `[n, rows]` u32, the label of each row.
    pub regions: Option<wgpu::BufferSlice<'a>>,
    /// Out, if asked for: `[n, rows, 2]` f32, column and row.
    pub centroids: Option<wgpu::BufferSlice<'a>>,
    /// Out, if asked for: `[n, rows]` f32, sums of the map.
    pub sums: Option<wgpu::BufferSlice<'a>>,
    /// Out, if asked for: `[n, rows]` f32, maxima of the map.
    pub maxima: Option<wgpu::BufferSlice<'a>>,
    /// Out, if asked for: `[n, rows, 2]` i32, column and row of the maximum.
    pub positions: Option<wgpu::BufferSlice<'a>>,
}

impl RegionMeasures {
    /// Compiles the kernels.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for a capacity of 0.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, options: RegionMeasuresOptions) -> Result<Self, Error> {
        if options.capacity == 0 {
            let (given, needed) = ("0".into(), "at least 1 row".into());
            return Err(Error::InvalidParameter { op: OP, parameter: "capacity", given, needed });
        }
        Ok(Self { options, table: Table::new(OP, compiler.into(), options, false)? })
    }

    /// The options that the operator was built with.
    #[must_use]
    pub const fn options(&self) -> &RegionMeasuresOptions {
        &self.options
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        check::plane(OP, "labels", shape)?;
        let (batch, rows) = (shape.batch, self.options.capacity);
        // A row takes 16 words of scratch.
        check::elements(OP, "boxes", crate::Nchw::new(batch, rows, 1, 16))?;
        let map = TensorSpec::input("map", shape, DType::F32);
        let map = if self.options.order == RegionOrder::Sum { map } else { map.optional() };
        Ok(vec![
            TensorSpec::input("labels", shape, DType::U32),
            map,
            TensorSpec::output("count", [batch], DType::U32),
            TensorSpec::output("areas", [batch, rows], DType::U32),
            TensorSpec::output("boxes", [batch, rows, 4], DType::I32),
            TensorSpec::output("regions", [batch, rows], DType::U32).optional(),
            TensorSpec::output("centroids", [batch, rows, 2], DType::F32).optional(),
            TensorSpec::output("sums", [batch, rows], DType::F32).optional(),
            TensorSpec::output("maxima", [batch, rows], DType::F32).optional(),
            TensorSpec::output("positions", [batch, rows, 2], DType::I32).optional(),
        ])
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for images without pixels.
    /// - [`Error::InvalidParameter`] for sums, maxima, positions or an order by sum without a map.
    /// - [`Error::LimitExceeded`] if one image or its table exceeds a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nhw,
        buffers: RegionMeasuresBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let RegionMeasuresBuffers { labels, map, count, areas, boxes, regions, centroids, sums, maxima, positions } =
            buffers;
        let given = [
            ("labels", Some(labels)),
            ("map", map),
            ("count", Some(count)),
            ("areas", Some(areas)),
            ("boxes", Some(boxes)),
            ("regions", regions),
            ("centroids", centroids),
            ("sums", sums),
            ("maxima", maxima),
            ("positions", positions),
        ];
        let of_map = [("sums", sums), ("maxima", maxima), ("positions", positions)];
        if let Some((parameter, _)) = of_map.into_iter().find(|(_, slice)| slice.is_some() && map.is_none()) {
            let (given, needed) = ("asked for without `map`".into(), "`map` to be measured".into());
            return Err(Error::InvalidParameter { op: OP, parameter, given, needed });
        }
        check::slices(OP, device, &specs, &given)?;
        if shape.batch == 0 {
            return Ok(Recording::default());
        }
        check::source(OP, "labels", shape.size())?;
        let columns = Columns { regions, areas: Some(areas), boxes: Some(boxes), centroids, sums, maxima, positions };
        let mut dispatches = Vec::new();
        self.table.bind(device, shape, labels, map, count, &columns, &mut dispatches)?;
        Ok(Recording::new(dispatches))
    }

    /// Bytes of scratch that a recording of this shape holds: 64 for each row, and for each pixel 12 in the order by area and 28
    /// in the order by sum.
    #[must_use]
    pub fn scratch_bytes(&self, shape: Nhw) -> u64 {
        self.table.image_bytes(shape).saturating_mul(u64::from(shape.batch))
    }

    /// What one run moves at the least: labels and map are read once.
    #[must_use]
    pub fn cost(&self, shape: Nhw) -> Cost {
        Cost::new(count(shape.elements()) * count(8), count(0), count(0))
    }
}
