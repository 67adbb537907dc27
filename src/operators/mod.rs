//! Operators as data: one list of all of them, each opened by its name with options as text and bound by the names of its tensors.
//!
//! The typed structs ([`SqueezeExcite`](crate::SqueezeExcite) and the others) are the way for Rust programs that know which operator they
//! want. This module is for whoever does not: bindings to other languages, checks against files of cases, tests over all operators.
//!
//! ```no_run
//! use visual_attention::operators::{self, Options, Shapes, Slices};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let gpu = visual_attention::host::Gpu::open()?;
//! let entry = operators::find("window_pool").expect("an operator of the list");
//! let options = Options::new([("window", "2,2"), ("pooling", "max")]);
//! let operator = entry.open(&gpu.device, &options)?;
//! let shapes = Shapes::new([("x", vec![1, 64, 32, 32])]);
//! let buffers: Vec<_> = operator
//!     .tensors(&shapes)?
//!     .iter()
//!     .map(|spec| Ok((spec.name, gpu.buffer(spec.name, spec.bytes().unwrap_or(u64::MAX))?)))
//!     .collect::<Result<_, visual_attention::Error>>()?;
//! let slices = Slices::new(buffers.iter().map(|(name, buffer)| (*name, buffer.slice(..))));
//! let recording = operator.bind(&gpu.device, &shapes, &slices)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```

mod attended_region;
mod attention_map;
mod bisenet;
mod bounding_box;
mod cbam;
mod channel_scale;
mod crop_resize;
mod dense;
mod eca;
mod global_pool;
mod heat_overlay;
mod largest_component;
mod normalize;
mod options;
mod pointwise_conv;
mod resize;
mod sasa_layer;
mod sasa_stem;
mod scse;
mod shared;
mod spatial_gate;
mod squeeze_excite;
mod threshold;
mod window_attention;
mod window_pool;

use std::fmt;

use num_traits::Float;

use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, Nchw, Nhw, Recording, TensorSpec};

pub use self::options::{OptionSpec, Options};

/// Shapes of the inputs, by name: slowest axis first. A shape that an operator does not ask for is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shapes(Vec<(String, Vec<u32>)>);

impl Shapes {
    /// Of these names.
    pub fn new<N: Into<String>>(shapes: impl IntoIterator<Item = (N, Vec<u32>)>) -> Self {
        Self(shapes.into_iter().map(|(name, shape)| (name.into(), shape)).collect())
    }

    /// The shape of an input, if it was given.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u32]> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, shape)| shape.as_slice())
    }

    /// The shape of an input of `N` axes.
    fn axes<const N: usize>(&self, op: &'static str, binding: &'static str) -> Result<[u32; N], Error> {
        let shape = self.get(binding);
        shape.and_then(|shape| shape.try_into().ok()).ok_or_else(|| Error::InvalidShape {
            op,
            binding,
            given: shape.map_or("no shape".into(), |shape| format!("{shape:?}")),
            needed: format!("{N} axes"),
        })
    }

    fn nchw(&self, op: &'static str, binding: &'static str) -> Result<Nchw, Error> {
        self.axes(op, binding).map(|[n, c, h, w]| Nchw::new(n, c, h, w))
    }

    fn nhw(&self, op: &'static str, binding: &'static str) -> Result<Nhw, Error> {
        self.axes(op, binding).map(|[n, h, w]| Nhw::new(n, h, w))
    }
}

/// Slices of buffers, by the names of the tensors.
#[derive(Clone, Debug, Default)]
pub struct Slices<'a>(Vec<(String, wgpu::BufferSlice<'a>)>);

impl<'a> Slices<'a> {
    /// Of these names.
    pub fn new<N: Into<String>>(slices: impl IntoIterator<Item = (N, wgpu::BufferSlice<'a>)>) -> Self {
        Self(slices.into_iter().map(|(name, slice)| (name.into(), slice)).collect())
    }

    fn get(&self, name: &str) -> Option<wgpu::BufferSlice<'a>> {
        self.0.iter().find(|(given, _)| given == name).map(|&(_, slice)| slice)
    }

    fn need(&self, op: &'static str, parameter: &'static str) -> Result<wgpu::BufferSlice<'a>, Error> {
        let missing = || Error::InvalidParameter { op, parameter, given: "none".into(), needed: "a slice".into() };
        self.get(parameter).ok_or_else(missing)
    }
}

/// Numbers of tensors on the host, by name, for the references. Masks and boxes are whole numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrays<T>(Vec<(String, Vec<T>)>);

impl<T> Arrays<T> {
    /// Of these names.
    pub fn new<N: Into<String>>(arrays: impl IntoIterator<Item = (N, Vec<T>)>) -> Self {
        Self(arrays.into_iter().map(|(name, numbers)| (name.into(), numbers)).collect())
    }

    /// The numbers of a tensor.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[T]> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, numbers)| numbers.as_slice())
    }

    /// Names and numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[T])> {
        self.0.iter().map(|(name, numbers)| (name.as_str(), numbers.as_slice()))
    }

    fn need(&self, op: &'static str, parameter: &'static str) -> Result<&[T], Error> {
        let missing = || Error::InvalidParameter { op, parameter, given: "none".into(), needed: "numbers".into() };
        self.get(parameter).ok_or_else(missing)
    }
}

/// An operator with its options, which knows its tensors by name.
pub trait Operator: fmt::Debug + Send + Sync {
    /// The stem of its files: `squeeze_excite`.
    fn name(&self) -> &'static str;

    /// Every tensor for inputs of these shapes; outputs are among them, so a caller learns what to allocate.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidShape`] where a shape is missing or does not fit, and whatever the operator's own `tensors` refuses.
    fn tensors(&self, shapes: &Shapes) -> Result<Vec<TensorSpec>, Error>;

    /// Checks the slices and binds them.
    ///
    /// # Errors
    ///
    /// As the operator's own `bind`.
    fn bind(&self, device: &wgpu::Device, shapes: &Shapes, slices: &Slices<'_>) -> Result<Recording, Error>;

    /// What one run moves and computes.
    ///
    /// # Errors
    ///
    /// As [`Self::tensors`].
    fn cost(&self, shapes: &Shapes) -> Result<Cost, Error>;

    /// What the plain CPU reference computes in f32: every output by name.
    ///
    /// # Errors
    ///
    /// As [`Self::tensors`], and where an input is missing or of another length than its shape says.
    fn reference_f32(&self, shapes: &Shapes, inputs: &Arrays<f32>) -> Result<Arrays<f32>, Error>;

    /// The same in f64.
    ///
    /// # Errors
    ///
    /// As [`Self::reference_f32`].
    fn reference_f64(&self, shapes: &Shapes, inputs: &Arrays<f64>) -> Result<Arrays<f64>, Error>;
}

type Open = fn(Compiler<'_>, &Options) -> Result<Box<dyn Operator>, Error>;

/// One operator of the list.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The stem of its files: `squeeze_excite`.
    pub name: &'static str,
    /// What it computes, in one line.
    pub about: &'static str,
    open: Open,
}

impl Entry {
    const fn of<D: Described>() -> Self {
        Self { name: D::NAME, about: D::ABOUT, open: |compiler, options| Ok(Box::new(D::open(compiler, options)?)) }
    }

    /// Compiles the operator with these options.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for an option that the operator does not have, for a value that it does not take, and for one that is
    /// missing and has no default; and whatever the operator's own `new` refuses.
    pub fn open<'a>(&self, compiler: impl Into<Compiler<'a>>, options: &Options) -> Result<Box<dyn Operator>, Error> {
        let options = options.for_operator(self.name);
        let operator = (self.open)(compiler.into(), &options)?;
        options.check_all_known()?;
        Ok(operator)
    }

    /// The options that it takes, with their defaults: what [`Self::open`] asked for when it was given `options`.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn options<'a>(&self, compiler: impl Into<Compiler<'a>>, options: &Options) -> Result<Vec<OptionSpec>, Error> {
        let options = options.for_operator(self.name);
        (self.open)(compiler.into(), &options)?;
        Ok(options.asked())
    }
}

/// Every operator of the crate, by name.
#[must_use]
pub fn all() -> &'static [Entry] {
    const {
        &[
            Entry::of::<attended_region::Region>(),
            Entry::of::<attention_map::Attention>(),
            Entry::of::<bisenet::BiSeNet>(),
            Entry::of::<bounding_box::Boxes>(),
            Entry::of::<cbam::CbamGate>(),
            Entry::of::<channel_scale::Scale>(),
            Entry::of::<crop_resize::Crop>(),
            Entry::of::<dense::Layer>(),
            Entry::of::<eca::EcaGate>(),
            Entry::of::<global_pool::Pool>(),
            Entry::of::<heat_overlay::Overlay>(),
            Entry::of::<largest_component::Component>(),
            Entry::of::<normalize::Normalized>(),
            Entry::of::<pointwise_conv::Projection>(),
            Entry::of::<resize::Resized>(),
            Entry::of::<sasa_layer::Layer>(),
            Entry::of::<sasa_stem::Stem>(),
            Entry::of::<scse::ScSeGate>(),
            Entry::of::<spatial_gate::Spatial>(),
            Entry::of::<squeeze_excite::Excite>(),
            Entry::of::<threshold::Mask>(),
            Entry::of::<window_attention::Attention>(),
            Entry::of::<window_pool::Pool>(),
        ]
    }
}

/// The operator of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    all().iter().find(|entry| entry.name == name)
}

/// A typed operator with its options, in the form that all operators have. What an implementation says with types, [`Operator`] says by
/// names.
trait Described: fmt::Debug + Send + Sync + Sized + 'static {
    const NAME: &'static str;
    const ABOUT: &'static str;
    type Shape: Copy;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error>;
    fn shape(&self, shapes: &Shapes) -> Result<Self::Shape, Error>;
    fn tensors(&self, shape: Self::Shape) -> Result<Vec<TensorSpec>, Error>;
    fn bind(&self, device: &wgpu::Device, shape: Self::Shape, slices: &Slices<'_>) -> Result<Recording, Error>;
    fn cost(&self, shape: Self::Shape) -> Cost;
    fn reference<T: Float>(&self, shape: Self::Shape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error>;
}

/// Refuses inputs of other lengths than the operator's tensors have, which a reference would read beyond.
fn checked<D: Described, T>(operator: &D, shapes: &Shapes, inputs: &Arrays<T>) -> Result<D::Shape, Error> {
    let shape = operator.shape(shapes)?;
    for spec in Described::tensors(operator, shape)? {
        let Some(numbers) = inputs.get(spec.name) else { continue };
        if spec.elements() != Some(numbers.len() as u64) {
            let (given, needed) = (format!("{} numbers", numbers.len()), format!("{:?}", spec.shape));
            return Err(Error::InvalidShape { op: D::NAME, binding: spec.name, given, needed });
        }
    }
    Ok(shape)
}

impl<D: Described> Operator for D {
    fn name(&self) -> &'static str {
        D::NAME
    }

    fn tensors(&self, shapes: &Shapes) -> Result<Vec<TensorSpec>, Error> {
        Described::tensors(self, self.shape(shapes)?)
    }

    fn bind(&self, device: &wgpu::Device, shapes: &Shapes, slices: &Slices<'_>) -> Result<Recording, Error> {
        Described::bind(self, device, self.shape(shapes)?, slices)
    }

    fn cost(&self, shapes: &Shapes) -> Result<Cost, Error> {
        Ok(Described::cost(self, self.shape(shapes)?))
    }

    fn reference_f32(&self, shapes: &Shapes, inputs: &Arrays<f32>) -> Result<Arrays<f32>, Error> {
        self.reference(checked(self, shapes, inputs)?, inputs)
    }

    fn reference_f64(&self, shapes: &Shapes, inputs: &Arrays<f64>) -> Result<Arrays<f64>, Error> {
        self.reference(checked(self, shapes, inputs)?, inputs)
    }
}
