//! Every kernel's WGSL, in one table.
//!
//! Shared functions are appended to a kernel's file, and the line of aliases that sets the element type has no line break, so
//! compiler messages carry the line numbers of the file under `shaders/`.

use crate::{Element, ops};

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
    /// What operators set overrides to, every combination of the groups in each variant: see [`Shader::constants`].
    pub overrides: &'static [Overrides],
    /// The host's view of the kernel's `Params`.
    pub params: &'static [Member],
}

/// What the aliases `Element` (as stored), `Real` (as computed), `Bits` (as bits) and `Inner` (as stored between the kernels
/// of one operator), and the constant `LENGTH` stand for. `Scalar` is one element as stored, and `horizontal_sum`, `horizontal_max` and
/// `first_component` reduce a load to one number.
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

/// Overrides of a kernel that go together, and the values that operators set them to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overrides {
    /// Names in WGSL.
    pub names: &'static [&'static str],
    /// A value for each name, as often as operators differ.
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

    /// `lanes` elements for each load, and neither an inner type of its own nor private arrays.
    #[must_use]
    pub const fn new(element: Element, lanes: u32) -> Self {
        Self { element, lanes, inner: element, length: 0 }
    }
}

impl Shader {
    /// The values of all overrides, for each pipeline that operators compile of a variant.
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

    /// Whether the table has this pipeline.
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
        // WGSL's arithmetic is the same for scalars and vectors, but for what reduces the lanes.
        let (sum, max, first) = match variant.lanes {
            1 => ("v", "v", "v"),
            _ => ("(v.x + v.y) + (v.z + v.w)", "max(max(v.x, v.y), max(v.z, v.w))", "v.x"),
        };
        let inner = vector(variant.inner.wgsl());
        let length = if variant.length > 0 { format!("const LENGTH = {}u; ", variant.length) } else { String::new() };
        format!(
            "{enable}alias Scalar = {scalar}; alias Element = {element}; alias Real = {real}; alias Bits = {bits}; \
             alias Inner = {inner}; {length}\
             fn horizontal_sum(v: Real) -> f32 {{ return {sum}; }} fn horizontal_max(v: Bits) -> u32 {{ return {max}; }} \
             fn first_component(v: Real) -> f32 {{ return {first}; }} {wgsl}",
            wgsl = self.wgsl
        )
    }

    /// The same for tensors that share a buffer with an output: all of them read-write, as WebGPU wants them then.
    #[must_use]
    pub fn shared_source(&self, variant: Variant) -> String {
        self.source(variant).replace("var<storage, read>", "var<storage, read_write>")
    }
}

/// Declares the host's view of a kernel's `Params`: a plain struct, and its members for the tests to compare with WGSL.
/// `axes` before the name adds the two axes of a resampling behind the members, `tiles` puts the tiles of a mask before them; both
/// add a constructor that fills these.
macro_rules! params {
    (tiles $name:ident { $($field:ident: $ty:ident),* $(,)? }) => {
        $crate::shaders::params!($name {
            origin_x: u32,
            origin_y: u32,
            width: u32,
            height: u32,
            tiles_wide: u32,
            tiles_high: u32,
            tile_stride: u32,
            node_stride: u32,
            $($field: $ty,)*
        });

        impl $name {
            /// Everything else is zero.
            fn part(forest: &Forest, part: &$crate::plan::Part) -> Self {
                let mut params: Self = bytemuck::Zeroable::zeroed();
                [params.origin_x, params.origin_y] = part.origin;
                params.width = forest.shape.width;
                params.height = forest.shape.height;
                params.tiles_wide = forest.tiles_wide;
                params.tiles_high = forest.tiles_high;
                params.tile_stride = forest.tile_stride;
                params.node_stride = forest.node_stride;
                params
            }
        }
    };
    (axes $name:ident { $($field:ident: $ty:ident),* $(,)? }) => {
        $crate::shaders::params!($name {
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
            /// Everything else is zero.
            pub(crate) fn resampling([rows, columns]: [$crate::resample::Axis; 2]) -> Self {
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
    ($name:literal, $variants:expr, $overrides:expr, $params:ty $(, $shared:literal)*) => {
        Shader {
            name: $name,
            wgsl: concat!(
                include_str!(concat!("../shaders/", $name, ".wgsl")),
                $(include_str!(concat!("../shaders/shared/", $shared, ".wgsl")),)*
            ),
            variants: $variants,
            overrides: $overrides,
            params: <$params>::MEMBERS,
        }
    };
}

const PLAIN: &[Variant] = &[Variant::F32];
const PLAIN_VECTORS: &[Variant] = &[Variant::F32, Variant::F32X4];
const ELEMENTS: &[Variant] = &[Variant::F32, Variant::F16];
const VECTORS: &[Variant] = &[Variant::F32, Variant::F16, Variant::F32X4, Variant::F16X4];
/// Tensors of f32 or f16, the latter with f16 or f32 between the kernels of a layer.
const INNER: &[Variant] = &[Variant::F32, Variant::F16, Variant { inner: Element::F32, ..Variant::F16 }];
/// The same, four numbers to a load.
const INNER_VECTORS: &[Variant] = &[Variant::F32X4, Variant::F16X4, Variant { inner: Element::F32, ..Variant::F16X4 }];
/// The same, f32 between the kernels.
const STEM: &[Variant] = &[Variant::F32, Variant { inner: Element::F32, ..Variant::F16 }];
/// The same for every length of [`WindowAttention`](crate::WindowAttention)'s private array.
const LENGTHS: &[Variant] = &{
    let lengths = crate::plan::WINDOW_LENGTHS;
    let mut variants = [Variant::F32; 12];
    let mut index = 0;
    while index < variants.len() {
        variants[index] = Variant { length: lengths[index / 3], ..INNER[index % 3] };
        index += 1;
    }
    variants
};

const fn group(names: &'static [&'static str], values: &'static [&'static [f64]]) -> Overrides {
    Overrides { names, values }
}

const NO_OR_YES: &[&[f64]] = &[&[0.0], &[1.0]];
const SIX_CODES: &[&[f64]] = &[&[0.0], &[1.0], &[2.0], &[3.0], &[4.0], &[5.0]];
const FIVE_CODES: &[&[f64]] = &[&[0.0], &[1.0], &[2.0], &[3.0], &[4.0]];
const THREE_CODES: &[&[f64]] = &[&[0.0], &[1.0], &[2.0]];
const PIXELS_BY_CHANNELS: Overrides = group(&["PIXELS", "CHANNELS"], &[&[64.0, 1.0], &[8.0, 32.0], &[8.0, 1.0]]);
const PIXELS_BY_PLANES: Overrides = group(&["PIXELS", "PLANES"], &[&[256.0, 1.0], &[16.0, 16.0], &[1.0, 8.0]]);
const SCALED_BY_PLANES: Overrides =
    group(&["PIXELS", "PLANES"], &[&[256.0, 1.0], &[16.0, 16.0], &[8.0, 8.0], &[1.0, 8.0]]);

const ATTENTION_MAPS: &[Overrides] = &[PIXELS_BY_CHANNELS, group(&["STATISTIC"], SIX_CODES)];
const PROJECTIONS: &[Overrides] = &[group(&["BIAS"], NO_OR_YES), group(&["DEEP"], NO_OR_YES)];
const CONNECTIVITY: &[Overrides] = &[group(&["CONNECTIVITY"], &[&[4.0], &[8.0]])];
const CROPS: &[Overrides] = &[group(&["END"], NO_OR_YES), group(&["ALIGN_CORNERS"], NO_OR_YES)];
const GROUP_OF_64: &[Overrides] = &[group(&["WORKGROUP_SIZE"], &[&[64.0]])];
const GROUP_OF_256: &[Overrides] = &[group(&["WORKGROUP_SIZE"], &[&[256.0]])];
const RANGES: &[Overrides] = &[group(&["WORKGROUP_SIZE"], &[&[256.0], &[8.0]])];
const LAYERS: &[Overrides] = &[group(&["INPUTS", "ROWS"], &[&[32.0, 8.0], &[1.0, 8.0]])];
const NORMALIZATIONS: &[Overrides] = &[group(&["WORKGROUP_SIZE"], &[&[64.0]]), group(&["BY_MAXIMUM"], NO_OR_YES)];
const POOLINGS: &[Overrides] = &[group(&["POOLING"], NO_OR_YES), group(&["SIDE"], &[&[0.0], &[2.0], &[4.0]])];
const POOLS: &[Overrides] = &[PIXELS_BY_PLANES, group(&["STATISTIC"], THREE_CODES)];
const RELATIVE: &[Overrides] = &[group(&["RELATIVE"], THREE_CODES)];
const HISTOGRAMS: &[Overrides] = &[GROUP_OF_256[0], group(&["RESAMPLED"], NO_OR_YES)];
const RULES: &[Overrides] = &[group(&["RULE"], THREE_CODES)];
const SCALES: &[Overrides] = &[SCALED_BY_PLANES, group(&["FORM"], THREE_CODES), group(&["COMBINE"], FIVE_CODES)];
const SQUEEZES: &[Overrides] = &[PIXELS_BY_CHANNELS, group(&["PROJECTION"], NO_OR_YES)];
const WINDOW_TILES: Overrides =
    group(&["BLOCKS", "SPLIT"], &[&[1.0, 1.0], &[2.0, 1.0], &[3.0, 1.0], &[1.0, 2.0], &[1.0, 4.0], &[1.0, 8.0]]);
const WINDOWS: &[Overrides] = &[RELATIVE[0], WINDOW_TILES];

/// [`AttendedRegion`](crate::AttendedRegion), from the map to the mask's bits.
pub const ATTENDED_REGION_RUNS: Shader = shader!(
    "attended_region_runs",
    PLAIN,
    RULES,
    ops::attended_region::RunsParams,
    "component_runs",
    "thresholded",
    "sampled_map",
    "bilinear",
    "exceeds",
    "ordered"
);
/// [`AttentionMap`](crate::AttentionMap).
pub const ATTENTION_MAP: Shader =
    shader!("attention_map", VECTORS, ATTENTION_MAPS, ops::attention_map::Params, "ordered", "blocked_sum");
/// [`BoundingBox`](crate::BoundingBox), second pass.
pub const BOUNDING_BOX: Shader = shader!("bounding_box", PLAIN, &[], ops::bounding_box::Params);
/// [`BoundingBox`](crate::BoundingBox), first pass.
pub const BOUNDING_BOX_SHARE: Shader =
    shader!("bounding_box_share", PLAIN, GROUP_OF_64, ops::bounding_box::ShareParams);
/// [`ChannelScale`](crate::ChannelScale), and the second layer of [`SqueezeExcite`](crate::SqueezeExcite) with it.
pub const CHANNEL_SCALE: Shader =
    shader!("channel_scale", VECTORS, SCALES, ops::channel_scale::Params, "activation", "ordered", "blocked_sum");
/// [`CropResize`](crate::CropResize).
pub const CROP_RESIZE: Shader = shader!("crop_resize", ELEMENTS, CROPS, ops::crop_resize::Params, "bilinear");
/// [`Dense`](crate::Dense).
pub const DENSE: Shader =
    shader!("dense", VECTORS, LAYERS, ops::dense::Params, "activation", "batch_norm", "ordered", "blocked_sum");
/// [`GlobalPool`](crate::GlobalPool).
pub const GLOBAL_POOL: Shader =
    shader!("global_pool", VECTORS, POOLS, ops::global_pool::Params, "ordered", "blocked_sum");
/// [`HeatOverlay`](crate::HeatOverlay) into a buffer.
pub const HEAT_OVERLAY: Shader =
    shader!("heat_overlay", ELEMENTS, &[], ops::heat_overlay::Params, "heat", "sampled_map", "bilinear");
/// [`HeatOverlay`](crate::HeatOverlay) into a texture.
pub const HEAT_OVERLAY_TEXTURE: Shader =
    shader!("heat_overlay_texture", ELEMENTS, &[], ops::heat_overlay::TextureParams, "heat", "sampled_map", "bilinear");
/// [`LargestComponent`](crate::LargestComponent), step 4.
pub const LARGEST_COMPONENT_COUNT: Shader = shader!(
    "largest_component_count",
    PLAIN,
    &[],
    ops::largest_component::TileParams,
    "component_tile",
    "component_union"
);
/// [`LargestComponent`](crate::LargestComponent), step 7, if asked for.
pub const LARGEST_COMPONENT_EXPAND: Shader =
    shader!("largest_component_expand", PLAIN, &[], ops::largest_component::ExpandParams);
/// [`LargestComponent`](crate::LargestComponent), between steps 5 and 6, if asked for.
pub const LARGEST_COMPONENT_LABELS: Shader = shader!(
    "largest_component_labels",
    PLAIN,
    CONNECTIVITY,
    ops::largest_component::LabelsParams,
    "component_tile",
    "component_flood"
);
/// [`LargestComponent`](crate::LargestComponent), step 3.
pub const LARGEST_COMPONENT_MERGE: Shader = shader!(
    "largest_component_merge",
    PLAIN,
    CONNECTIVITY,
    ops::largest_component::TileParams,
    "component_tile",
    "component_union"
);
/// [`LargestComponent`](crate::LargestComponent), step 5.
pub const LARGEST_COMPONENT_PICK: Shader =
    shader!("largest_component_pick", PLAIN, GROUP_OF_256, ops::largest_component::PickParams, "component_tile");
/// [`LargestComponent`](crate::LargestComponent), step 1.
pub const LARGEST_COMPONENT_RUNS: Shader =
    shader!("largest_component_runs", PLAIN, &[], ops::largest_component::RunsParams, "component_runs");
/// [`LargestComponent`](crate::LargestComponent), step 6.
pub const LARGEST_COMPONENT_SELECT: Shader = shader!(
    "largest_component_select",
    PLAIN,
    CONNECTIVITY,
    ops::largest_component::SelectParams,
    "component_tile",
    "component_flood"
);
/// [`LargestComponent`](crate::LargestComponent), step 2.
pub const LARGEST_COMPONENT_TILES: Shader = shader!(
    "largest_component_tiles",
    PLAIN,
    CONNECTIVITY,
    ops::largest_component::TileParams,
    "component_tile",
    "component_flood"
);
/// [`Normalize`](crate::Normalize), second pass.
pub const NORMALIZE: Shader = shader!("normalize", PLAIN, NORMALIZATIONS, ops::normalize::Params, "ordered");
/// [`Normalize`](crate::Normalize), first pass.
pub const NORMALIZE_RANGE: Shader = shader!("normalize_range", PLAIN, RANGES, ops::normalize::RangeParams, "ordered");
/// [`Resize`](crate::Resize).
pub const RESIZE: Shader = shader!("resize", ELEMENTS, &[], ops::resize::Params, "bilinear");
/// The convolution of [`SpatialGate`](crate::SpatialGate).
pub const SPATIAL_GATE_CONV: Shader =
    shader!("spatial_gate_conv", ELEMENTS, &[], ops::cbam::ConvParams, "activation", "batch_norm");
/// The planes of [`SpatialGate`](crate::SpatialGate), and the spatial gate of [`ScSe`](crate::ScSe).
pub const SPATIAL_GATE_SQUEEZE: Shader =
    shader!("spatial_gate_squeeze", VECTORS, SQUEEZES, ops::cbam::SqueezeParams, "ordered", "blocked_sum");
/// [`Threshold`](crate::Threshold).
pub const THRESHOLD: Shader = shader!(
    "threshold",
    PLAIN,
    RULES,
    ops::threshold::Params,
    "thresholded",
    "sampled_map",
    "bilinear",
    "exceeds",
    "ordered"
);
/// [`Threshold`](crate::Threshold) of a map of the mask's size.
pub const THRESHOLD_DIRECT: Shader =
    shader!("threshold_direct", PLAIN_VECTORS, RULES, ops::threshold::SameParams, "thresholded", "exceeds", "ordered");
/// [`Threshold`](crate::Threshold) by Otsu's method, histogram.
pub const THRESHOLD_HISTOGRAM: Shader = shader!(
    "threshold_histogram",
    PLAIN,
    HISTOGRAMS,
    ops::threshold::HistogramParams,
    "sampled_map",
    "bilinear",
    "exceeds",
    "ordered"
);
/// [`Threshold`](crate::Threshold) by Otsu's method, level.
pub const THRESHOLD_OTSU: Shader = shader!("threshold_otsu", PLAIN, &[], ops::threshold::OtsuParams);
/// [`PointwiseConv`](crate::PointwiseConv).
pub const POINTWISE_CONV: Shader = shader!("pointwise_conv", INNER, PROJECTIONS, ops::pointwise_conv::Params);
/// [`PointwiseConv`](crate::PointwiseConv), planes and matrices whose sizes divide by 4.
pub const POINTWISE_CONV_VEC4: Shader =
    shader!("pointwise_conv_vec4", INNER_VECTORS, PROJECTIONS, ops::pointwise_conv::Params);
/// [`SasaStem`](crate::SasaStem).
pub const SASA_STEM_ATTENTION: Shader = shader!("sasa_stem_attention", STEM, &[], ops::sasa_stem::Params);
/// [`SasaStem`](crate::SasaStem), the mixture of its values.
pub const SASA_STEM_MIXTURE: Shader = shader!("sasa_stem_mixture", ELEMENTS, &[], ops::sasa_stem::MixtureParams);
/// [`WindowAttention`](crate::WindowAttention).
pub const WINDOW_ATTENTION: Shader =
    shader!("window_attention", LENGTHS, WINDOWS, ops::window_attention::Params, "window");
/// [`WindowPool`](crate::WindowPool).
pub const WINDOW_POOL: Shader = shader!("window_pool", ELEMENTS, POOLINGS, ops::window_pool::Params, "ordered");
/// [`WindowAttention`](crate::WindowAttention), the weights of chosen queries.
pub const WINDOW_ATTENTION_WEIGHTS: Shader =
    shader!("window_attention_weights", INNER, RELATIVE, ops::window_attention::WeightsParams, "window");

/// Every kernel, by name.
pub const ALL: &[Shader] = &[
    ATTENDED_REGION_RUNS,
    ATTENTION_MAP,
    BOUNDING_BOX,
    BOUNDING_BOX_SHARE,
    CHANNEL_SCALE,
    CROP_RESIZE,
    DENSE,
    GLOBAL_POOL,
    HEAT_OVERLAY,
    HEAT_OVERLAY_TEXTURE,
    LARGEST_COMPONENT_COUNT,
    LARGEST_COMPONENT_EXPAND,
    LARGEST_COMPONENT_LABELS,
    LARGEST_COMPONENT_MERGE,
    LARGEST_COMPONENT_PICK,
    LARGEST_COMPONENT_RUNS,
    LARGEST_COMPONENT_SELECT,
    LARGEST_COMPONENT_TILES,
    NORMALIZE,
    NORMALIZE_RANGE,
    POINTWISE_CONV,
    POINTWISE_CONV_VEC4,
    RESIZE,
    SPATIAL_GATE_CONV,
    SPATIAL_GATE_SQUEEZE,
    SASA_STEM_ATTENTION,
    SASA_STEM_MIXTURE,
    THRESHOLD,
    THRESHOLD_HISTOGRAM,
    THRESHOLD_OTSU,
    THRESHOLD_DIRECT,
    WINDOW_ATTENTION,
    WINDOW_POOL,
    WINDOW_ATTENTION_WEIGHTS,
];

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
    fn every_override_has_values() {
        for (shader, _, module) in modules() {
            // Those with a number to start with; others are computed from them.
            let given = |init| matches!(module.global_expressions[init], naga::Expression::Literal(_));
            let given = module.overrides.iter().filter(|(_, item)| item.init.is_none_or(given));
            let mut wgsl: Vec<_> = given.filter_map(|(_, item)| item.name.as_deref()).collect();
            wgsl.sort_unstable();
            for constants in shader.constants() {
                let mut names: Vec<_> = constants.iter().map(|&(name, _)| name).collect();
                names.sort_unstable();
                assert_eq!(names, wgsl, "{}", shader.name);
            }
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
