//! Every kernel's WGSL, in one table.
//!
//! Each kernel is declared beside its host, under `ops`. This table lists all of them.

use crate::ops;

pub use crate::kernel::shader::{Access, Binding, Member, Overrides, Shader, Variant};

/// Names each kernel, and lists all of them.
macro_rules! table {
    ($($(#[$doc:meta])* $name:ident = $host:ident,)*) => {
        $($(#[$doc])* pub const $name: Shader = ops::$host::$name;)*

        /// Every kernel, by name.
        pub const ALL: &[Shader] = &[$($name),*];
    };
}

table! {
    /// [`AttendedRegion`](crate::AttendedRegion) of several regions: the rank of every pixel's region.
    ATTENDED_REGION_RANK = attended_region,
    /// [`AttendedRegion`](crate::AttendedRegion), from the map to the mask's bits.
    ATTENDED_REGION_RUNS = attended_region,
    /// [`AttentionMap`](crate::AttentionMap).
    ATTENTION_MAP = attention_map,
    /// [`AttentionMapBackward`](crate::AttentionMapBackward).
    ATTENTION_MAP_BACKWARD = attention_map_backward,
    /// [`BoundingBox`](crate::BoundingBox), second pass.
    BOUNDING_BOX = bounding_box,
    /// [`BoundingBox`](crate::BoundingBox), first pass.
    BOUNDING_BOX_SHARE = bounding_box,
    /// [`CbamBackward`](crate::CbamBackward), the gradient of the channel gate.
    CBAM_BACKWARD = cbam_backward,
    /// [`ChannelScale`](crate::ChannelScale), and the second layer of [`SqueezeExcite`](crate::SqueezeExcite) with it.
    CHANNEL_SCALE = channel_scale,
    /// [`ChannelScaleBackward`](crate::ChannelScaleBackward), and the first pass of the gradients of every gate.
    CHANNEL_SCALE_BACKWARD = channel_scale_backward,
    /// The last pass of the gradients of a gate that is computed from the features.
    CHANNEL_SCALE_BACKWARD_APPLY = channel_scale_backward,
    /// Between both passes, and for planes of several parts.
    CHANNEL_SCALE_BACKWARD_JOIN = channel_scale_backward,
    /// [`ComponentLabels`](crate::ComponentLabels), step 7.
    COMPONENT_LABELS = component_labels,
    /// [`ComponentLabels`](crate::ComponentLabels), step 6.
    COMPONENT_LABELS_OFFSETS = component_labels,
    /// [`ComponentLabels`](crate::ComponentLabels), step 4, after the first three of [`LargestComponent`](crate::LargestComponent).
    COMPONENT_LABELS_ROOTS = component_labels,
    /// [`ComponentLabels`](crate::ComponentLabels), step 5.
    COMPONENT_LABELS_SCAN = component_labels,
    /// [`CropResize`](crate::CropResize).
    CROP_RESIZE = crop_resize,
    /// [`CrossAttention`](crate::CrossAttention).
    CROSS_ATTENTION = cross_attention,
    /// [`CrossAttentionBackward`](crate::CrossAttentionBackward), the gradient of the queries.
    CROSS_ATTENTION_BACKWARD = cross_attention_backward,
    /// [`CrossAttentionBackward`](crate::CrossAttentionBackward), the gradients of keys and values in tiles of queries.
    CROSS_ATTENTION_BACKWARD_KEYS = cross_attention_backward,
    /// [`CrossAttentionBackward`](crate::CrossAttentionBackward), the mean gradient of each query's weights.
    CROSS_ATTENTION_BACKWARD_MEANS = cross_attention_backward,
    /// [`CrossAttentionBackward`](crate::CrossAttentionBackward), the sums of the tiles.
    CROSS_ATTENTION_BACKWARD_SUM = cross_attention_backward,
    /// [`Dense`](crate::Dense).
    DENSE = dense,
    /// [`DenseBackward`](crate::DenseBackward), the activation.
    DENSE_BACKWARD = dense_backward,
    /// [`DenseBackward`](crate::DenseBackward), the gradients of bias and norm.
    DENSE_BACKWARD_BIAS = dense_backward,
    /// [`DenseBackward`](crate::DenseBackward), the gradients of the inputs.
    DENSE_BACKWARD_INPUT = dense_backward,
    /// [`DenseBackward`](crate::DenseBackward), the gradient of the weights.
    DENSE_BACKWARD_WEIGHT = dense_backward,
    /// [`EcaBackward`](crate::EcaBackward), the gradient of the means.
    ECA_BACKWARD = eca_backward,
    /// [`EcaBackward`](crate::EcaBackward), the gradient of the weights.
    ECA_BACKWARD_WEIGHT = eca_backward,
    /// [`GlobalPool`](crate::GlobalPool).
    GLOBAL_POOL = global_pool,
    /// [`GlobalPoolBackward`](crate::GlobalPoolBackward).
    GLOBAL_POOL_BACKWARD = global_pool_backward,
    /// [`HeadNormRotary`](crate::HeadNormRotary).
    HEAD_NORM_ROTARY = head_norm_rotary,
    /// [`HeadNormRotaryBackward`](crate::HeadNormRotaryBackward), the gradient of the input.
    HEAD_NORM_ROTARY_BACKWARD = head_norm_rotary_backward,
    /// [`HeadNormRotaryBackward`](crate::HeadNormRotaryBackward), the gradient of the weight in tiles.
    HEAD_NORM_ROTARY_BACKWARD_WEIGHT = head_norm_rotary_backward,
    /// [`HeatOverlay`](crate::HeatOverlay) into a buffer.
    HEAT_OVERLAY = heat_overlay,
    /// [`HeatOverlay`](crate::HeatOverlay) into a texture.
    HEAT_OVERLAY_TEXTURE = heat_overlay,
    /// [`LargestComponent`](crate::LargestComponent), step 4.
    LARGEST_COMPONENT_COUNT = largest_component,
    /// [`LargestComponent`](crate::LargestComponent), step 7, if asked for.
    LARGEST_COMPONENT_EXPAND = largest_component,
    /// [`LargestComponent`](crate::LargestComponent), between steps 5 and 6, if asked for.
    LARGEST_COMPONENT_LABELS = largest_component,
    /// [`LargestComponent`](crate::LargestComponent), step 3.
    LARGEST_COMPONENT_MERGE = largest_component,
    /// [`LargestComponent`](crate::LargestComponent), step 5.
    LARGEST_COMPONENT_PICK = largest_component,
    /// [`LargestComponent`](crate::LargestComponent), step 1.
    LARGEST_COMPONENT_RUNS = largest_component,
    /// [`LargestComponent`](crate::LargestComponent), step 6.
    LARGEST_COMPONENT_SELECT = largest_component,
    /// [`LargestComponent`](crate::LargestComponent), step 2.
    LARGEST_COMPONENT_TILES = largest_component,
    /// [`MergeAttention`](crate::MergeAttention).
    MERGE_ATTENTION = merge_attention,
    /// [`MergeAttentionBackward`](crate::MergeAttentionBackward), the gradients of the results.
    MERGE_ATTENTION_BACKWARD = merge_attention_backward,
    /// [`MergeAttentionBackward`](crate::MergeAttentionBackward), the gradients of their log-sum-exps.
    MERGE_ATTENTION_BACKWARD_SHARES = merge_attention_backward,
    /// [`Normalize`](crate::Normalize), second pass.
    NORMALIZE = normalize,
    /// [`NormalizeBackward`](crate::NormalizeBackward), second pass.
    NORMALIZE_BACKWARD = normalize_backward,
    /// [`NormalizeBackward`](crate::NormalizeBackward), first pass.
    NORMALIZE_BACKWARD_SUMS = normalize_backward,
    /// [`Normalize`](crate::Normalize), first pass.
    NORMALIZE_RANGE = normalize,
    /// Sums of partial results, for the gradients of parameters.
    PART_SUM = part_sum,
    /// [`GlobalPoolBackward`](crate::GlobalPoolBackward), the first maximum of each plane.
    PLANE_ARGMAX = global_pool_backward,
    /// [`PlanesToTexture`](crate::PlanesToTexture) of format `Rgba8Unorm`.
    PLANES_TO_TEXTURE = planes_to_texture,
    /// [`PlanesToTexture`](crate::PlanesToTexture) of format `Rgba16Float`.
    PLANES_TO_TEXTURE_HALF = planes_to_texture,
    /// [`PointwiseConv`](crate::PointwiseConv).
    POINTWISE_CONV = pointwise_conv,
    /// [`PointwiseConvBackward`](crate::PointwiseConvBackward), with respect to weights and bias.
    POINTWISE_CONV_BACKWARD_WEIGHTS = pointwise_conv_backward,
    /// [`PointwiseConvBackward`](crate::PointwiseConvBackward), with respect to the input.
    POINTWISE_CONV_BACKWARD_X = pointwise_conv_backward,
    /// [`PointwiseConv`](crate::PointwiseConv), planes and matrices whose sizes divide by 4.
    POINTWISE_CONV_VEC4 = pointwise_conv,
    /// [`RegionMeasures`](crate::RegionMeasures) by area or sum: the areas.
    REGION_MEASURES_AREAS = region_measures,
    /// [`RegionMeasures`](crate::RegionMeasures), start values.
    REGION_MEASURES_CLEAR = region_measures,
    /// [`RegionMeasures`](crate::RegionMeasures): areas, boxes and sums of positions.
    REGION_MEASURES_EXTENTS = region_measures,
    /// [`RegionMeasures`](crate::RegionMeasures) by sum: what the sums sort like.
    REGION_MEASURES_KEYS = region_measures,
    /// [`RegionMeasures`](crate::RegionMeasures) by area or sum: one pass of the sort.
    REGION_MEASURES_MERGE = region_measures,
    /// [`RegionMeasures`](crate::RegionMeasures) with a map: maxima and magnitudes.
    REGION_MEASURES_PEAKS = region_measures,
    /// [`RegionMeasures`](crate::RegionMeasures) by area or sum: the rows of the labels.
    REGION_MEASURES_SLOTS = region_measures,
    /// [`RegionMeasures`](crate::RegionMeasures) with a map: sums, and positions of maxima.
    REGION_MEASURES_SUMS = region_measures,
    /// [`RegionMeasures`](crate::RegionMeasures): the columns that need no map.
    REGION_MEASURES_TABLE = region_measures,
    /// [`RegionMeasures`](crate::RegionMeasures): the columns of a map.
    REGION_MEASURES_VALUES = region_measures,
    /// [`Resize`](crate::Resize).
    RESIZE = resize,
    /// [`ResizeBackward`](crate::ResizeBackward) and [`CropResizeBackward`](crate::CropResizeBackward), along columns.
    RESIZE_BACKWARD_COLUMNS = resize_backward,
    /// [`ResizeBackward`](crate::ResizeBackward) and [`CropResizeBackward`](crate::CropResizeBackward), along rows.
    RESIZE_BACKWARD_ROWS = resize_backward,
    /// [`SasaStem`](crate::SasaStem).
    SASA_STEM_ATTENTION = sasa_stem,
    /// [`SasaStemBackward`](crate::SasaStemBackward), the gradients of queries, keys and values.
    SASA_STEM_BACKWARD = sasa_stem_backward,
    /// [`SasaStemBackward`](crate::SasaStemBackward), the softmax of each query and the mean gradient of its weights.
    SASA_STEM_BACKWARD_MEANS = sasa_stem_backward,
    /// [`SasaStemBackward`](crate::SasaStemBackward), the gradient of the mixture in tiles of queries.
    SASA_STEM_BACKWARD_MIXTURE = sasa_stem_backward,
    /// [`SasaStemBackward`](crate::SasaStemBackward), the gradients of the embeddings.
    SASA_STEM_BACKWARD_TABLES = sasa_stem_backward,
    /// [`SasaStem`](crate::SasaStem), the mixture of its values.
    SASA_STEM_MIXTURE = sasa_stem,
    /// [`ScSeBackward`](crate::ScSeBackward), last pass.
    SCSE_BACKWARD_APPLY = scse_backward,
    /// [`ScSeBackward`](crate::ScSeBackward), first pass.
    SCSE_BACKWARD_PIXELS = scse_backward,
    /// [`ScSeBackward`](crate::ScSeBackward), second pass.
    SCSE_BACKWARD_PLANES = scse_backward,
    /// [`SpatialGateBackward`](crate::SpatialGateBackward), last pass.
    SPATIAL_GATE_BACKWARD_APPLY = spatial_gate_backward,
    /// [`SpatialGateBackward`](crate::SpatialGateBackward), the gradients of the parameters.
    SPATIAL_GATE_BACKWARD_PARAMETERS = spatial_gate_backward,
    /// [`SpatialGateBackward`](crate::SpatialGateBackward), through the convolution.
    SPATIAL_GATE_BACKWARD_PLANES = spatial_gate_backward,
    /// [`SpatialGateBackward`](crate::SpatialGateBackward), first pass.
    SPATIAL_GATE_BACKWARD_SQUEEZE = spatial_gate_backward,
    /// [`SpatialGateBackward`](crate::SpatialGateBackward), sums of the taps.
    SPATIAL_GATE_BACKWARD_TAPS = spatial_gate_backward,
    /// The convolution of [`SpatialGate`](crate::SpatialGate).
    SPATIAL_GATE_CONV = spatial_gate,
    /// The planes of [`SpatialGate`](crate::SpatialGate), and the spatial gate of [`ScSe`](crate::ScSe).
    SPATIAL_GATE_SQUEEZE = spatial_gate,
    /// [`TextureToPlanes`](crate::TextureToPlanes).
    TEXTURE_TO_PLANES = texture_to_planes,
    /// [`Threshold`](crate::Threshold).
    THRESHOLD = threshold,
    /// [`Threshold`](crate::Threshold) of a map of the mask's size.
    THRESHOLD_DIRECT = threshold,
    /// [`Threshold`](crate::Threshold) by Otsu's method, histogram.
    THRESHOLD_HISTOGRAM = threshold,
    /// [`Threshold`](crate::Threshold) by Otsu's method, level.
    THRESHOLD_OTSU = threshold,
    /// [`WindowAttention`](crate::WindowAttention).
    WINDOW_ATTENTION = window_attention,
    /// [`WindowAttentionBackward`](crate::WindowAttentionBackward), partial sums of a bias table's gradient.
    WINDOW_ATTENTION_BACKWARD_BIAS = window_attention_backward,
    /// [`WindowAttentionBackward`](crate::WindowAttentionBackward), positions without a query.
    WINDOW_ATTENTION_BACKWARD_CLEAR = window_attention_backward,
    /// [`WindowAttentionBackward`](crate::WindowAttentionBackward), gradients of keys and values.
    WINDOW_ATTENTION_BACKWARD_KEY = window_attention_backward,
    /// [`WindowAttentionBackward`](crate::WindowAttentionBackward), what its walks need of every query.
    WINDOW_ATTENTION_BACKWARD_PREPARE = window_attention_backward,
    /// [`WindowAttentionBackward`](crate::WindowAttentionBackward), partial sums of the gradients of the axes' tables.
    WINDOW_ATTENTION_BACKWARD_PRODUCT = window_attention_backward,
    /// [`WindowAttentionBackward`](crate::WindowAttentionBackward), gradient of the queries.
    WINDOW_ATTENTION_BACKWARD_QUERY = window_attention_backward,
    /// [`WindowAttentionBackward`](crate::WindowAttentionBackward), the last sum of a table's gradient.
    WINDOW_ATTENTION_BACKWARD_SUM = window_attention_backward,
    /// [`WindowAttentionBackward`](crate::WindowAttentionBackward), the tables in one buffer.
    WINDOW_ATTENTION_BACKWARD_TABLES = window_attention_backward,
    /// [`WindowAttention`](crate::WindowAttention), the weights of chosen queries.
    WINDOW_ATTENTION_WEIGHTS = window_attention,
    /// [`WindowPool`](crate::WindowPool).
    WINDOW_POOL = window_pool,
    /// [`WindowPoolBackward`](crate::WindowPoolBackward).
    WINDOW_POOL_BACKWARD = window_pool_backward,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Element;

    fn files(directory: &str) -> Vec<String> {
        let directory = format!("{}/shaders{directory}", env!("CARGO_MANIFEST_DIR"));
        let mut names: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "wgsl"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        // Not a kernel: it shows what every kernel starts with.
        names.retain(|name| name != "prelude");
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
        let names: Vec<_> = ALL.iter().map(|shader| shader.name).collect();
        assert_eq!(files(""), names, "the table lists the files under shaders/ by name");
    }

    #[test]
    fn every_shared_file_is_used() {
        for name in files("/shared") {
            let text = std::fs::read_to_string(format!("{}/shaders/shared/{name}.wgsl", env!("CARGO_MANIFEST_DIR")));
            let text = text.unwrap();
            assert!(ALL.iter().any(|shader| shader.wgsl.contains(&text)), "{name}");
        }
    }

    /// The only capability that a variant needs is 16-bit floats. No variant needs subgroups.
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
            // Overrides with a literal default, or without a default. All others are computed from them.
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

    fn texture_access(ty: &naga::TypeInner) -> Access {
        use naga::ImageClass::{Sampled, Storage};
        use naga::StorageFormat::{Rgba8Unorm, Rgba16Float};
        use naga::{ImageDimension::D2, ScalarKind::Float, TypeInner::Image};
        match *ty {
            Image { dim: D2, arrayed: true, class: Storage { format: Rgba8Unorm, .. } } => Access::Texture,
            Image { dim: D2, arrayed: false, class: Storage { format: Rgba8Unorm, .. } } => Access::TextureRgba8,
            Image { dim: D2, arrayed: false, class: Storage { format: Rgba16Float, .. } } => Access::TextureRgba16,
            Image { dim: D2, arrayed: false, class: Sampled { kind: Float, multi: false } } => Access::TextureLoad,
            _ => panic!("{ty:?}: no kernel binds such a texture"),
        }
    }

    #[test]
    fn bindings_are_those_that_the_host_declares() {
        for (shader, _, module) in modules() {
            let mut wgsl: Vec<_> = module
                .global_variables
                .iter()
                .filter_map(|(_, variable)| {
                    let access = match variable.space {
                        naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE) => {
                            Some(Access::Write)
                        }
                        naga::AddressSpace::Storage { .. } => Some(Access::Read),
                        naga::AddressSpace::Handle => Some(texture_access(&module.types[variable.ty].inner)),
                        _ => None,
                    };
                    let binding = variable.binding?;
                    Some(((binding.group, binding.binding), variable.name.as_deref().unwrap(), access))
                })
                .collect();
            wgsl.sort_unstable_by_key(|&(slot, ..)| slot);
            let tensors = shader.bindings.iter().map(|binding| (binding.name, Some(binding.access)));
            let host: Vec<_> = (0..).zip(std::iter::once(("params", None)).chain(tensors)).collect();
            let host: Vec<_> = host.into_iter().map(|(slot, (name, access))| ((0, slot), name, access)).collect();
            assert_eq!(wgsl, host, "{}", shader.name);
        }
    }

    #[test]
    fn every_base_and_origin_is_of_a_binding_or_an_axis() {
        for shader in ALL {
            for member in shader.params {
                let base = member.name.strip_suffix("_base");
                assert!(
                    base.is_none_or(|base| shader.storage().any(|(name, _)| name == base)),
                    "{} {member:?}",
                    shader.name
                );
                let origin = member.name.starts_with("origin");
                assert!(
                    !origin || ["origin", "origin_x", "origin_y"].contains(&member.name),
                    "{} {member:?}",
                    shader.name
                );
            }
        }
    }

    /// A kernel's header has a line `Uses` for each shared file. It lists the functions of that file that the kernel's own file calls.
    #[test]
    fn headers_name_the_shared_functions_that_are_called() {
        let declared = |text: &str| -> Vec<String> {
            text.lines().filter_map(|line| Some(line.strip_prefix("fn ")?.split_once('(')?.0.to_owned())).collect()
        };
        let code = |text: &str| -> String {
            text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect()
        };
        for shader in ALL {
            let read = |folder: &str, name: &str| {
                let path = format!("{}/shaders/{folder}{name}.wgsl", env!("CARGO_MANIFEST_DIR"));
                std::fs::read_to_string(path).unwrap()
            };
            let own = code(&read("", shader.name));
            let called = |function: &String| {
                let call = format!("{function}(");
                let bounded = |(at, _): (usize, &str)| !own[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                own.match_indices(call.as_str()).any(bounded)
            };
            let uses: Vec<_> = shader
                .uses
                .iter()
                .filter_map(|shared| {
                    let functions: Vec<_> = declared(&read("shared/", shared))
                        .into_iter()
                        .filter(called)
                        .map(|name| format!("`{name}`"))
                        .collect();
                    (!functions.is_empty())
                        .then(|| format!("// Uses      {} of shared/{shared}.wgsl", functions.join(", ")))
                })
                .collect();
            let header = read("", shader.name);
            let said: Vec<_> = header.lines().filter(|line| line.starts_with("// Uses")).map(str::to_owned).collect();
            assert_eq!(said, uses, "{}", shader.name);
        }
    }

    /// `prelude.wgsl` is the first line of the f32 variant, laid out for readers.
    #[test]
    fn prelude_shows_what_a_kernel_starts_with() {
        let path = format!("{}/shaders/prelude.wgsl", env!("CARGO_MANIFEST_DIR"));
        let prelude = std::fs::read_to_string(path).unwrap();
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: String =
            prelude.lines().filter(|line| !line.starts_with("//")).map(|line| format!("{line} ")).collect();
        let source = Shader { wgsl: "", ..ATTENTION_MAP }.source(Variant { length: 8, ..Variant::F32 });
        assert_eq!(words(&shown), words(&source));
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
