//! Declarations of kernels, each beside its host: the file, its variants and its bindings.

use crate::Element;

/// A kernel: one WGSL file with one compute entry point of the file's name.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Shader {
    /// File stem, entry point and GPU debug label.
    pub name: &'static str,
    /// Text of the file and of the shared functions it uses, without the line of aliases: see [`Shader::source`].
    pub wgsl: &'static str,
    /// The variants that operators compile.
    pub variants: &'static [Variant],
    /// Groups of overrides. Operators use every combination of the groups, in each variant: see [`Shader::constants`].
    pub overrides: &'static [Overrides],
    /// The host's view of the kernel's `Params`, binding 0.
    pub params: &'static [Member],
    /// The tensors, from binding 1 on.
    pub bindings: &'static [Binding],
    /// Stems of the files under `shaders/shared/` whose functions the kernel calls, directly or through another shared function.
    pub uses: &'static [&'static str],
}

/// A tensor that a kernel binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Name in WGSL. If work on the tensor is divided among dispatches, `Params` has a member of this name with the suffix
    /// `_base`. That member is the element of the binding that a dispatch starts at.
    pub name: &'static str,
    /// How the kernel uses it.
    pub access: Access,
}

/// How a kernel uses a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A storage buffer that is read.
    Read,
    /// A storage buffer that is written, and may also be read.
    Write,
    /// An array of `rgba8unorm` storage textures that is written.
    Texture,
    /// An `rgba8unorm` storage texture that is written.
    TextureRgba8,
    /// An `rgba16float` storage texture that is written.
    TextureRgba16,
    /// A texture of floats that is read by texel, without a sampler.
    TextureLoad,
}

impl Access {
    /// Whether the tensor is a storage buffer.
    pub(crate) const fn is_buffer(self) -> bool {
        matches!(self, Self::Read | Self::Write)
    }
}

/// What a kernel's aliases and its constant `LENGTH` stand for.
///
/// `Element` is a vector as stored, `Real` as computed, `Bits` as bits, and `Inner` as stored between the kernels of one
/// operator. `Scalar` is one element as stored. The functions `horizontal_sum`, `horizontal_max` and `first_component` reduce a
/// vector to one number, and `lane_numbers` numbers its components.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Scalar type of the tensors that vary.
    pub element: Element,
    /// Elements of a vector: 4, or 1 for scalars.
    pub lanes: u32,
    /// Scalar type of the tensors between the kernels of one operator; `element` if there are none.
    pub inner: Element,
    /// Length of the private arrays of one invocation, which overrides can't set; 0 without such arrays.
    pub length: u32,
}

/// Overrides of a kernel that go together, and the values that operators set them to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overrides {
    /// Names in WGSL.
    pub names: &'static [&'static str],
    /// One row of values, in the order of `names`, for each combination that operators use.
    pub values: &'static [&'static [f64]],
}

/// A member of a kernel's `Params`, as the host lays it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Name, in WGSL and in Rust.
    pub name: &'static str,
    /// Byte offset.
    pub offset: usize,
    /// Scalar type, in WGSL and in Rust.
    pub ty: &'static str,
}

impl Variant {
    /// One 32-bit float at a time.
    pub const F32: Self = Self::new(Element::F32, 1);
    /// One 16-bit float at a time.
    pub const F16: Self = Self::new(Element::F16, 1);
    /// Four 32-bit floats at a time.
    pub const F32X4: Self = Self::new(Element::F32, 4);
    /// Four 16-bit floats at a time.
    pub const F16X4: Self = Self::new(Element::F16, 4);

    /// Vectors of `lanes` elements. The inner type is `element`, and there are no private arrays.
    #[must_use]
    pub const fn new(element: Element, lanes: u32) -> Self {
        Self { element, lanes, inner: element, length: 0 }
    }
}

impl Shader {
    /// The pipelines that operators compile of one variant: for each, the values of all overrides.
    #[must_use]
    pub fn constants(&self) -> Vec<Vec<(&'static str, f64)>> {
        self.overrides.iter().fold(vec![Vec::new()], |builds, group| {
            let values = |build: &Vec<_>| {
                let build = build.clone();
                group.values.iter().map(move |values| {
                    let set = group.names.iter().copied().zip(values.iter().copied());
                    build.iter().copied().chain(set).collect()
                })
            };
            builds.iter().flat_map(values).collect()
        })
    }

    /// The storage buffers, in order: name and access.
    pub(crate) fn storage(&self) -> impl Iterator<Item = (&'static str, Access)> {
        let buffers = self.bindings.iter().filter(|binding| binding.access.is_buffer());
        buffers.map(|binding| (binding.name, binding.access))
    }

    /// Binding numbers of the storage buffers, or of the textures. `params` has number 0.
    pub(crate) fn slots(&self, buffers: bool) -> impl Iterator<Item = u32> {
        let all = (1..).zip(self.bindings);
        all.filter(move |(_, binding)| binding.access.is_buffer() == buffers).map(|(slot, _)| slot)
    }

    /// Byte offset of the member `name` of `Params`, if there is such a member.
    pub(crate) fn offset_of(&self, name: &str) -> Option<usize> {
        self.params.iter().find(|member| member.name == name).map(|member| member.offset)
    }

    /// Whether this variant and these values of the overrides are declared.
    pub(crate) fn lists(&self, variant: Variant, constants: &[(&'static str, f64)]) -> bool {
        let same = |build: &Vec<_>| build.len() == constants.len() && build.iter().all(|set| constants.contains(set));
        self.variants.contains(&variant) && self.constants().iter().any(same)
    }

    /// The complete WGSL module of a variant.
    #[must_use]
    pub fn source(&self, variant: Variant) -> String {
        let enable = if variant.element == Element::F16 { "enable f16; " } else { "" };
        let scalar = variant.element.wgsl();
        let vector = |scalar: &str| match variant.lanes {
            1 => scalar.to_owned(),
            lanes => format!("vec{lanes}<{scalar}>"),
        };
        let (element, real, bits) = (vector(scalar), vector("f32"), vector("u32"));
        // WGSL's arithmetic is written alike for scalars and vectors. Only functions that reduce a vector differ.
        let (sum, max, first, numbers) = match variant.lanes {
            1 => ("v", "v", "v", "0u"),
            _ => ("(v.x + v.y) + (v.z + v.w)", "max(max(v.x, v.y), max(v.z, v.w))", "v.x", "Bits(0u, 1u, 2u, 3u)"),
        };
        let inner = vector(variant.inner.wgsl());
        let length = if variant.length > 0 { format!("const LENGTH = {}u; ", variant.length) } else { String::new() };
        format!(
            "{enable}alias Scalar = {scalar}; alias Element = {element}; alias Real = {real}; alias Bits = {bits}; \
             alias Inner = {inner}; {length}\
             fn horizontal_sum(v: Real) -> f32 {{ return {sum}; }} fn horizontal_max(v: Bits) -> u32 {{ return {max}; }} \
             fn first_component(v: Real) -> f32 {{ return {first}; }} \
             fn lane_numbers() -> Bits {{ return {numbers}; }} {wgsl}",
            wgsl = self.wgsl
        )
    }

    /// Like [`Self::source`], for inputs that share a buffer with an output. WebGPU then needs all tensors read-write.
    #[must_use]
    pub fn shared_source(&self, variant: Variant) -> String {
        self.source(variant).replace("var<storage, read>", "var<storage, read_write>")
    }
}

/// Declares the host's view of a kernel's `Params`: a plain struct, and its members for the tests to compare with WGSL. `axes`
/// before the name appends the members of a resampling's two axes, and adds a constructor that fills them in. `windows` does the
/// same for a window's three axes.
macro_rules! params {
    (axes $name:ident { $($field:ident: $ty:ident),* $(,)? }) => {
        $crate::kernel::shader::params!($name {
            $($field: $ty,)*
            row_multiplier: u32,
            row_plus: u32,
            row_minus: u32,
            row_denominator: u32,
            row_length: u32,
            column_multiplier: u32,
            column_plus: u32,
            column_minus: u32,
            column_denominator: u32,
            column_length: u32,
        });

        impl $name {
            /// Sets the members of both axes, and all others to zero.
            pub(crate) fn resampling([rows, columns]: [$crate::kernel::resample::Axis; 2]) -> Self {
                Self {
                    row_multiplier: rows.multiplier,
                    row_plus: rows.plus,
                    row_minus: rows.minus,
                    row_denominator: rows.denominator,
                    row_length: rows.length,
                    column_multiplier: columns.multiplier,
                    column_plus: columns.plus,
                    column_minus: columns.minus,
                    column_denominator: columns.denominator,
                    column_length: columns.length,
                    ..bytemuck::Zeroable::zeroed()
                }
            }
        }
    };
    (windows $name:ident { $($field:ident: $ty:ident),* $(,)? }) => {
        $crate::kernel::shader::params!($name {
            $($field: $ty,)*
            frames_extent: i32,
            frames_keys: i32,
            frames_dilation: i32,
            frames_stride: i32,
            frames_group: i32,
            frames_lead: i32,
            frames_border: u32,
            rows_extent: i32,
            rows_keys: i32,
            rows_dilation: i32,
            rows_stride: i32,
            rows_group: i32,
            rows_lead: i32,
            rows_border: u32,
            columns_extent: i32,
            columns_keys: i32,
            columns_dilation: i32,
            columns_stride: i32,
            columns_group: i32,
            columns_lead: i32,
            columns_border: u32,
        });

        impl $name {
            /// Sets the members of the axes, and all others to zero.
            pub(crate) fn windows([frames, rows, columns]: [$crate::kernel::window::Axis; 3]) -> Self {
                Self {
                    frames_extent: frames.extent,
                    frames_keys: frames.keys,
                    frames_dilation: frames.dilation,
                    frames_stride: frames.stride,
                    frames_group: frames.group,
                    frames_lead: frames.lead,
                    frames_border: frames.border,
                    rows_extent: rows.extent,
                    rows_keys: rows.keys,
                    rows_dilation: rows.dilation,
                    rows_stride: rows.stride,
                    rows_group: rows.group,
                    rows_lead: rows.lead,
                    rows_border: rows.border,
                    columns_extent: columns.extent,
                    columns_keys: columns.keys,
                    columns_dilation: columns.dilation,
                    columns_stride: columns.stride,
                    columns_group: columns.group,
                    columns_lead: columns.lead,
                    columns_border: columns.border,
                    ..bytemuck::Zeroable::zeroed()
                }
            }
        }
    };
    ($(#[$doc:meta])* $name:ident { $($field:ident: $ty:ident),* $(,)? }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct $name {
            $(pub(crate) $field: $ty),*
        }

        impl $name {
            pub(crate) const MEMBERS: &'static [$crate::kernel::shader::Member] = &[
                $($crate::kernel::shader::Member {
                    name: stringify!($field),
                    offset: std::mem::offset_of!($name, $field),
                    ty: stringify!($ty),
                }),*
            ];
        }
    };
}
pub(crate) use params;

/// Declares a kernel beside its host: the file, the host's view of `Params`, variants, overrides, bindings from 1 on and shared functions.
macro_rules! shader {
    ($name:literal, $params:ty, $variants:expr, $overrides:expr,
     [$($binding:ident: $access:ident),* $(,)?], [$($shared:literal),* $(,)?] $(,)?) => {
        $crate::kernel::shader::Shader {
            name: $name,
            wgsl: concat!(
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl")),
                $(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/shared/", $shared, ".wgsl")),)*
            ),
            variants: $variants,
            overrides: $overrides,
            params: <$params>::MEMBERS,
            bindings: &[$($crate::kernel::shader::Binding {
                name: stringify!($binding),
                access: $crate::kernel::shader::Access::$access,
            }),*],
            uses: &[$($shared),*],
        }
    };
}
pub(crate) use shader;

pub(crate) const PLAIN: &[Variant] = &[Variant::F32];
pub(crate) const PLAIN_VECTORS: &[Variant] = &[Variant::F32, Variant::F32X4];
pub(crate) const ELEMENTS: &[Variant] = &[Variant::F32, Variant::F16];
pub(crate) const VECTORS: &[Variant] = &[Variant::F32, Variant::F16, Variant::F32X4, Variant::F16X4];
/// Tensors of f32 or f16. With f16, the tensors between the kernels of an operator are f16 or f32.
pub(crate) const INNER: &[Variant] = &[Variant::F32, Variant::F16, Variant { inner: Element::F32, ..Variant::F16 }];
/// Like [`INNER`], in vectors of four.
pub(crate) const INNER_VECTORS: &[Variant] =
    &[Variant::F32X4, Variant::F16X4, Variant { inner: Element::F32, ..Variant::F16X4 }];
/// Like [`INNER`], with f32 between the kernels.
pub(crate) const STEM: &[Variant] = &[Variant::F32, Variant { inner: Element::F32, ..Variant::F16 }];

/// One group of overrides.
pub(crate) const fn group(names: &'static [&'static str], values: &'static [&'static [f64]]) -> Overrides {
    Overrides { names, values }
}

/// Values of an override that is false or true.
pub(crate) const NO_OR_YES: &[&[f64]] = &[&[0.0], &[1.0]];
/// Values of an override that numbers the cases of an option.
pub(crate) const THREE_CODES: &[&[f64]] = &[&[0.0], &[1.0], &[2.0]];
