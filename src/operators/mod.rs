//! Operators as data: one list of all of them, each opened by its name with options as text and bound by the names of its tensors.
//!
//! The typed structs ([`SqueezeExcite`](crate::SqueezeExcite) and the others) are the way for Rust programs that know which operator they
//! want. This module is for programs that learn it at run time, for bindings to other languages, and for tests over all operators.
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
mod attention_map_backward;
mod bisenet;
mod bisenet_backward;
mod bounding_box;
mod cbam;
mod cbam_backward;
mod channel_scale;
mod channel_scale_backward;
mod component_labels;
mod crop_resize;
mod crop_resize_backward;
mod cross_attention;
mod cross_attention_backward;
mod dense;
mod dense_backward;
mod eca;
mod eca_backward;
mod example;
mod global_pool;
mod global_pool_backward;
mod head_norm_rotary;
mod head_norm_rotary_backward;
mod heat_overlay;
mod largest_component;
mod merge_attention;
mod merge_attention_backward;
mod normalize;
mod normalize_backward;
mod options;
mod pointwise_conv;
mod pointwise_conv_backward;
mod region_measures;
mod resize;
mod resize_backward;
mod sasa_layer;
mod sasa_layer_backward;
mod sasa_stem;
mod sasa_stem_backward;
mod scse;
mod scse_backward;
mod shared;
mod spatial_gate;
mod spatial_gate_backward;
mod squeeze_excite;
mod squeeze_excite_backward;
mod threshold;
mod window_attention;
mod window_attention_backward;
mod window_pool;
mod window_pool_backward;

use std::fmt;

use num_traits::Float;

use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, Nchw, Nhw, Recording, TensorSpec};

pub use self::example::{Axis, Example};
use self::options::Reader;
pub use self::options::{OptionSpec, Options};

/// Values by the names of an operator's tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<V>(Vec<(String, V)>);

/// Shapes of inputs, slowest axis first. The others follow from those that an operator needs. A shape that is given and contradicts them
/// is refused.
pub type Shapes = Named<Vec<u32>>;

/// Slices of buffers.
pub type Slices<'a> = Named<wgpu::BufferSlice<'a>>;

/// Numbers of tensors on the host, for the references. Masks and boxes are whole numbers.
pub type Arrays<T> = Named<Vec<T>>;

impl<V> Default for Named<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Named<V> {
    /// Of these names and values.
    pub fn new<N: Into<String>>(values: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&V> {
        self.iter().find(|(given, _)| *given == name).map(|(_, value)| value)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    fn need(&self, op: &'static str, parameter: &'static str, what: &str) -> Result<&V, Error> {
        let missing = || Error::InvalidParameter { op, parameter, given: "none".into(), needed: what.into() };
        self.get(parameter).ok_or_else(missing)
    }

    /// Refuses a name that none of the tensors has: a misspelt optional tensor would otherwise be left out in silence.
    fn check_names(&self, op: &'static str, tensors: &[TensorSpec]) -> Result<(), Error> {
        let Some((name, _)) = self.iter().find(|(name, _)| tensors.iter().all(|tensor| tensor.name != *name)) else {
            return Ok(());
        };
        let known: Vec<_> = tensors.iter().map(|tensor| tensor.name).collect();
        let needed = format!("one of {}", known.join(", "));
        Err(Error::InvalidParameter { op, parameter: "tensors", given: name.to_owned(), needed })
    }
}

impl Shapes {
    /// The shape of an input of `N` axes.
    fn axes<const N: usize>(&self, op: &'static str, binding: &'static str) -> Result<[u32; N], Error> {
        let shape = self.get(binding);
        shape.and_then(|shape| shape.as_slice().try_into().ok()).ok_or_else(|| Error::InvalidShape {
            op,
            binding,
            given: shape.map_or("no shape".into(), |shape| format!("{shape:?}")),
            needed: format!("{N} axes"),
        })
    }

    fn nchw(&self, op: &'static str, binding: &'static str) -> Result<Nchw, Error> {
        self.axes(op, binding).map(<[u32; 4]>::into)
    }

    fn nhw(&self, op: &'static str, binding: &'static str) -> Result<Nhw, Error> {
        self.axes(op, binding).map(<[u32; 3]>::into)
    }
}

impl<'a> Slices<'a> {
    /// A tensor that may be left out.
    fn optional(&self, name: &str) -> Option<wgpu::BufferSlice<'a>> {
        self.get(name).copied()
    }

    /// A tensor that must be there.
    fn required(&self, op: &'static str, name: &'static str) -> Result<wgpu::BufferSlice<'a>, Error> {
        self.need(op, name, "a slice").copied()
    }
}

impl<T> Arrays<T> {
    /// A tensor that may be left out.
    fn optional(&self, name: &str) -> Option<&[T]> {
        self.get(name).map(Vec::as_slice)
    }

    /// A tensor that must be there.
    fn required(&self, op: &'static str, name: &'static str) -> Result<&[T], Error> {
        self.need(op, name, "numbers").map(Vec::as_slice)
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
    /// [`Error::InvalidShape`] for a shape that is missing or does not fit, [`Error::InvalidParameter`] for a name that no tensor has, and
    /// whatever the operator's own `tensors` refuses.
    fn tensors(&self, shapes: &Shapes) -> Result<Vec<TensorSpec>, Error>;

    /// Checks the slices and binds them.
    ///
    /// # Errors
    ///
    /// As [`Self::tensors`] and the operator's own `bind`.
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

type Open = fn(Compiler<'_>, &Reader<'_>) -> Result<Box<dyn Operator>, Error>;

/// One operator of the list.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The stem of its files: `squeeze_excite`.
    pub name: &'static str,
    /// What it computes, in one line.
    pub about: &'static str,
    /// A small problem, with the names of the axes.
    pub example: Example,
    open: Open,
}

impl Entry {
    const fn of<D: Described>() -> Self {
        Self {
            name: D::NAME,
            about: D::ABOUT,
            example: D::EXAMPLE,
            open: |compiler, options| Ok(Box::new(D::open(compiler, options)?)),
        }
    }

    /// Compiles the operator with these options.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for an option that the operator does not have, for a value that it does not take, and for one that is
    /// missing and has no default; and whatever the operator's own `new` refuses.
    pub fn open<'a>(&self, compiler: impl Into<Compiler<'a>>, options: &Options) -> Result<Box<dyn Operator>, Error> {
        let reader = Reader::new(self.name, options);
        let operator = (self.open)(compiler.into(), &reader)?;
        reader.check_names()?;
        Ok(operator)
    }

    /// The options that it takes, with their defaults. `options` needs only those without a default. Nothing is compiled.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn options<'a>(&self, compiler: impl Into<Compiler<'a>>, options: &Options) -> Result<Vec<OptionSpec>, Error> {
        let reader = Reader::new(self.name, options);
        (self.open)(compiler.into().at_first_use(), &reader)?;
        reader.check_names()?;
        Ok(reader.asked())
    }
}

/// Every operator of the crate that works on buffer slices, by name. [`WindowStream`](crate::WindowStream) is missing: it has a recording
/// for each frame. [`TextureToPlanes`](crate::TextureToPlanes) and [`PlanesToTexture`](crate::PlanesToTexture) take textures.
#[must_use]
pub fn all() -> &'static [Entry] {
    const {
        &[
            Entry::of::<attended_region::Region>(),
            Entry::of::<attention_map::Attention>(),
            Entry::of::<attention_map_backward::AttentionGradient>(),
            Entry::of::<bisenet::BiSeNet>(),
            Entry::of::<bisenet_backward::BiSeNetGradient>(),
            Entry::of::<bounding_box::Boxes>(),
            Entry::of::<cbam::CbamGate>(),
            Entry::of::<cbam_backward::CbamGradient>(),
            Entry::of::<channel_scale::Scale>(),
            Entry::of::<channel_scale_backward::ScaleGradient>(),
            Entry::of::<component_labels::Labels>(),
            Entry::of::<crop_resize::Crop>(),
            Entry::of::<crop_resize_backward::CropGradient>(),
            Entry::of::<cross_attention::Cross>(),
            Entry::of::<cross_attention_backward::CrossGradient>(),
            Entry::of::<dense::Layer>(),
            Entry::of::<dense_backward::LayerGradient>(),
            Entry::of::<eca::EcaGate>(),
            Entry::of::<eca_backward::EcaGradient>(),
            Entry::of::<global_pool::Pool>(),
            Entry::of::<global_pool_backward::PoolGradient>(),
            Entry::of::<head_norm_rotary::Rotary>(),
            Entry::of::<head_norm_rotary_backward::RotaryGradient>(),
            Entry::of::<heat_overlay::Overlay>(),
            Entry::of::<largest_component::Component>(),
            Entry::of::<merge_attention::Merge>(),
            Entry::of::<merge_attention_backward::MergeGradient>(),
            Entry::of::<normalize::Normalized>(),
            Entry::of::<normalize_backward::NormalizedGradient>(),
            Entry::of::<pointwise_conv::Projection>(),
            Entry::of::<pointwise_conv_backward::ProjectionGradient>(),
            Entry::of::<region_measures::Measures>(),
            Entry::of::<resize::Resized>(),
            Entry::of::<resize_backward::ResizeGradient>(),
            Entry::of::<sasa_layer::Layer>(),
            Entry::of::<sasa_layer_backward::LayerGradient>(),
            Entry::of::<sasa_stem::Stem>(),
            Entry::of::<sasa_stem_backward::StemGradient>(),
            Entry::of::<scse::ScSeGate>(),
            Entry::of::<scse_backward::ScSeGradient>(),
            Entry::of::<spatial_gate::Spatial>(),
            Entry::of::<spatial_gate_backward::SpatialGradient>(),
            Entry::of::<squeeze_excite::Excite>(),
            Entry::of::<squeeze_excite_backward::ExciteGradient>(),
            Entry::of::<threshold::Mask>(),
            Entry::of::<window_attention::Attention>(),
            Entry::of::<window_attention_backward::AttentionGradient>(),
            Entry::of::<window_pool::Pool>(),
            Entry::of::<window_pool_backward::PoolGradient>(),
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
    const EXAMPLE: Example;
    type Shape: Copy;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error>;
    fn shape(&self, shapes: &Shapes) -> Result<Self::Shape, Error>;
    fn tensors(&self, shape: Self::Shape) -> Result<Vec<TensorSpec>, Error>;
    fn bind(&self, device: &wgpu::Device, shape: Self::Shape, slices: &Slices<'_>) -> Result<Recording, Error>;
    fn cost(&self, shape: Self::Shape) -> Cost;
    fn reference<T: Float>(&self, shape: Self::Shape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error>;
}

/// The shape that the given shapes make, and the tensors. Refuses a shape that is given and is another than its tensor's.
fn described<D: Described>(operator: &D, shapes: &Shapes) -> Result<(D::Shape, Vec<TensorSpec>), Error> {
    let shape = operator.shape(shapes)?;
    let tensors = Described::tensors(operator, shape)?;
    shapes.check_names(D::NAME, &tensors)?;
    for spec in &tensors {
        let given = shapes.get(spec.name).filter(|given| **given != spec.shape);
        if let Some(given) = given {
            let (given, needed) = (format!("{given:?}"), format!("{:?}", spec.shape));
            return Err(Error::InvalidShape { op: D::NAME, binding: spec.name, given, needed });
        }
    }
    Ok((shape, tensors))
}

/// The shape, after a check of the inputs: a reference would read beyond one that is too short.
fn checked<D: Described, T>(operator: &D, shapes: &Shapes, inputs: &Arrays<T>) -> Result<D::Shape, Error> {
    let (shape, tensors) = described(operator, shapes)?;
    inputs.check_names(D::NAME, &tensors)?;
    for spec in tensors {
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
        described(self, shapes).map(|(_, tensors)| tensors)
    }

    fn bind(&self, device: &wgpu::Device, shapes: &Shapes, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (shape, tensors) = described(self, shapes)?;
        slices.check_names(D::NAME, &tensors)?;
        Described::bind(self, device, shape, slices)
    }

    fn cost(&self, shapes: &Shapes) -> Result<Cost, Error> {
        described(self, shapes).map(|(shape, _)| Described::cost(self, shape))
    }

    fn reference_f32(&self, shapes: &Shapes, inputs: &Arrays<f32>) -> Result<Arrays<f32>, Error> {
        self.reference(checked(self, shapes, inputs)?, inputs)
    }

    fn reference_f64(&self, shapes: &Shapes, inputs: &Arrays<f64>) -> Result<Arrays<f64>, Error> {
        self.reference(checked(self, shapes, inputs)?, inputs)
    }
}
