//! Every kernel's WGSL, in one table.
//!
//! Shared functions are appended to a kernel's file, and the line of aliases that sets the element type has no line break, so
//! compiler messages carry the line numbers of the file under `shaders/`.

use crate::Element;

/// A kernel: one WGSL file with one compute entry point of the file's name.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Shader {
    /// File stem, entry point and GPU debug label.
    pub name: &'static str,
    /// The file and the shared functions it uses, without the line of aliases: see [`Shader::source`].
    pub wgsl: &'static str,
    /// The variants that operators compile.
    pub variants: &'static [Variant],
    /// The host's view of the kernel's `Params`.
    pub params: &'static [Member],
}

/// What the aliases `Element` (as stored), `Real` (as computed), `Bits` (as bits) and `Inner` (as stored between the kernels
/// of one operator), and the constant `LENGTH` stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Scalar type of the tensors that vary.
    pub element: Element,
    /// Elements for each load: 1, or 4 as a vector.
    pub lanes: u32,
    /// Scalar type of what passes from one kernel of an operator to the next; `element` where nothing does.
    pub inner: Element,
    /// Length of the private arrays of one invocation, which overrides can't set; 0 where there are none.
    pub length: u32,
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

    /// `lanes` elements for each load, and neither an inner type of its own nor private arrays.
    #[must_use]
    pub const fn new(element: Element, lanes: u32) -> Self {
        Self { element, lanes, inner: element, length: 0 }
    }
}

impl Shader {
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
        let inner = vector(variant.inner.wgsl());
        let length = if variant.length > 0 { format!("const LENGTH = {}u; ", variant.length) } else { String::new() };
        format!(
            "{enable}alias Element = {element}; alias Real = {real}; alias Bits = {bits}; alias Inner = {inner}; {length}{wgsl}",
            wgsl = self.wgsl
        )
    }
}

/// Declares the host's view of a kernel's `Params`: a plain struct, and its members for the tests to compare with WGSL.
macro_rules! params {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $ty:ident),* $(,)? }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct $name {
            $(pub(crate) $field: $ty),*
        }

        impl $name {
            pub(crate) const MEMBERS: &'static [$crate::shaders::Member] = &[
                $($crate::shaders::Member {
                    name: stringify!($field),
                    offset: std::mem::offset_of!($name, $field),
                    ty: stringify!($ty),
                }),*
            ];
        }
    };
}
pub(crate) use params;

macro_rules! shader {
    ($name:literal, $variants:expr, $params:ty $(, $shared:literal)*) => {
        Shader {
            name: $name,
            wgsl: concat!(
                include_str!(concat!("../shaders/", $name, ".wgsl")),
                $(include_str!(concat!("../shaders/shared/", $shared, ".wgsl")),)*
            ),
            variants: $variants,
            params: <$params>::MEMBERS,
        }
    };
}

const PLAIN: &[Variant] = &[Variant::F32];
const ELEMENTS: &[Variant] = &[Variant::F32, Variant::F16];
const VECTORS: &[Variant] = &[Variant::F32, Variant::F16, Variant::F32X4, Variant::F16X4];
/// Tensors of f32 or f16, the latter with f16 or f32 between the kernels of a layer.
const INNER: &[Variant] = &[Variant::F32, Variant::F16, Variant { inner: Element::F32, ..Variant::F16 }];
/// The same, f32 between the kernels.
const STEM: &[Variant] = &[Variant::F32, Variant { inner: Element::F32, ..Variant::F16 }];
/// The same for every length of [`WindowAttention`](crate::WindowAttention)'s private array.
const LENGTHS: &[Variant] = &{
    let lengths = crate::ops::window_attention::LENGTHS;
    let mut variants = [Variant::F32; 9];
    let mut index = 0;
    while index < variants.len() {
        variants[index] = Variant { length: lengths[index / 3], ..INNER[index % 3] };
        index += 1;
    }
    variants
};

/// [`AttentionMap`](crate::AttentionMap).
pub const ATTENTION_MAP: Shader = shader!("attention_map", VECTORS, crate::ops::attention_map::Params, "ordered");
/// [`PointwiseConv`](crate::PointwiseConv).
pub const POINTWISE_CONV: Shader = shader!("pointwise_conv", INNER, crate::ops::pointwise_conv::Params);
/// [`SasaStem`](crate::SasaStem).
pub const STEM_ATTENTION: Shader = shader!("stem_attention", STEM, crate::ops::sasa_stem::Params);
/// [`SasaStem`](crate::SasaStem), the mixture of its values.
pub const STEM_MIXTURE: Shader = shader!("stem_mixture", ELEMENTS, crate::ops::sasa_stem::MixtureParams);
/// [`WindowAttention`](crate::WindowAttention).
pub const WINDOW_ATTENTION: Shader =
    shader!("window_attention", LENGTHS, crate::ops::window_attention::Params, "window");
/// [`WindowPool`](crate::WindowPool).
pub const WINDOW_POOL: Shader = shader!("window_pool", ELEMENTS, crate::ops::window_pool::Params, "ordered");
/// [`WindowAttention`](crate::WindowAttention), the weights of chosen queries.
pub const WINDOW_WEIGHTS: Shader =
    shader!("window_weights", INNER, crate::ops::window_attention::WeightsParams, "window");

/// Every kernel, by name.
pub const ALL: &[Shader] =
    &[ATTENTION_MAP, POINTWISE_CONV, STEM_ATTENTION, STEM_MIXTURE, WINDOW_ATTENTION, WINDOW_POOL, WINDOW_WEIGHTS];

#[cfg(test)]
mod tests {
    use super::*;

    fn files(directory: &str) -> Vec<String> {
        let directory = format!("{}/shaders{directory}", env!("CARGO_MANIFEST_DIR"));
        let mut names: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "wgsl"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    fn modules() -> impl Iterator<Item = (&'static Shader, Variant, naga::Module)> {
        ALL.iter().flat_map(|shader| {
            shader.variants.iter().map(move |&variant| {
                let source = shader.source(variant);
                let module = naga::front::wgsl::parse_str(&source)
                    .unwrap_or_else(|e| panic!("{} {variant:?}: {}", shader.name, e.emit_to_string(&source)));
                (shader, variant, module)
            })
        })
    }

    #[test]
    fn every_file_is_registered() {
        assert_eq!(files(""), ALL.iter().map(|shader| shader.name).collect::<Vec<_>>());
    }

    #[test]
    fn every_shared_file_is_used() {
        for name in files("/shared") {
            let text = std::fs::read_to_string(format!("{}/shaders/shared/{name}.wgsl", env!("CARGO_MANIFEST_DIR")));
            let text = text.unwrap();
            assert!(ALL.iter().any(|shader| shader.wgsl.contains(&text)), "{name}");
        }
    }

    /// The only capability is 16-bit floats, in the variants that ask for them; none that has to do with subgroups.
    #[test]
    fn every_variant_is_valid() {
        for (shader, variant, module) in modules() {
            let capabilities = match variant.element {
                Element::F32 => naga::valid::Capabilities::empty(),
                Element::F16 => naga::valid::Capabilities::SHADER_FLOAT16,
            };
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities)
                .validate(&module)
                .unwrap_or_else(|e| {
                    panic!("{} {variant:?}: {}", shader.name, e.emit_to_string(&shader.source(variant)))
                });
        }
    }

    #[test]
    fn one_entry_point_named_as_the_file() {
        for (shader, _, module) in modules() {
            let names: Vec<_> = module.entry_points.iter().map(|entry| entry.name.as_str()).collect();
            assert_eq!(names, [shader.name]);
        }
    }

    #[test]
    fn bindings_are_dense_in_group_0() {
        for (shader, _, module) in modules() {
            let bindings = module.global_variables.iter().filter_map(|(_, variable)| variable.binding);
            let mut slots: Vec<_> = bindings.map(|binding| (binding.group, binding.binding)).collect();
            slots.sort_unstable();
            let dense: Vec<_> = (0..slots.len() as u32).map(|slot| (0, slot)).collect();
            assert_eq!(slots, dense, "{}", shader.name);
        }
    }

    #[test]
    fn params_are_laid_out_as_the_host_does() {
        for (shader, _, module) in modules() {
            let members = module.types.iter().find_map(|(_, ty)| match &ty.inner {
                naga::TypeInner::Struct { members, .. } if ty.name.as_deref() == Some("Params") => Some(members),
                _ => None,
            });
            let members = members.unwrap_or_else(|| panic!("{} has no `Params`", shader.name));
            let wgsl: Vec<_> = members
                .iter()
                .map(|member| {
                    let ty = match module.types[member.ty].inner {
                        naga::TypeInner::Scalar(naga::Scalar::U32) => "u32",
                        naga::TypeInner::Scalar(naga::Scalar::I32) => "i32",
                        naga::TypeInner::Scalar(naga::Scalar::F32) => "f32",
                        ref other => panic!("{}: {other:?} in `Params`", shader.name),
                    };
                    (member.name.as_deref().unwrap(), member.offset as usize, ty)
                })
                .collect();
            let host: Vec<_> = shader.params.iter().map(|member| (member.name, member.offset, member.ty)).collect();
            assert_eq!(wgsl, host, "{}", shader.name);
        }
    }
}
