//! `cargo bench` times every operator; `cargo bench -- attention_map` one of them, `cargo bench -- host` what they cost on the host.
//! Each is checked against its reference first. Times are the GPU's own where it has timestamps, with the caches flushed. A table of
//! all rows follows at the end, and is written to `target/bench/operators.tsv` with a roofline plot beside it.

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
mod common;
mod component_labels;
mod crop_resize;
mod crop_resize_backward;
mod cross_attention;
mod cross_attention_backward;
mod dense;
mod dense_backward;
mod eca;
mod eca_backward;
mod global_pool;
mod global_pool_backward;
mod head_norm_rotary;
mod head_norm_rotary_backward;
mod heat_overlay;
mod host;
mod largest_component;
mod merge_attention;
mod merge_attention_backward;
mod normalize;
mod normalize_backward;
mod planes_to_texture;
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
mod spatial_gate_backward;
mod squeeze_excite;
mod squeeze_excite_backward;
mod texture_to_planes;
mod threshold;
mod window_attention;
mod window_attention_backward;
mod window_pool;
mod window_pool_backward;
mod window_stream;

#[expect(dead_code, unused_imports, reason = "the suite uses the rest")]
#[path = "../tests/common/mod.rs"]
mod suite;

use common::Bench;

type Rows = fn(&mut Bench);

/// In the order of the README's table.
const OPERATORS: &[(&str, Rows)] = &[
    ("attention_map", attention_map::bench),
    ("attention_map_backward", attention_map_backward::bench),
    ("normalize", normalize::bench),
    ("normalize_backward", normalize_backward::bench),
    ("resize", resize::bench),
    ("resize_backward", resize_backward::bench),
    ("threshold", threshold::bench),
    ("component_labels", component_labels::bench),
    ("region_measures", region_measures::bench),
    ("largest_component", largest_component::bench),
    ("bounding_box", bounding_box::bench),
    ("crop_resize", crop_resize::bench),
    ("crop_resize_backward", crop_resize_backward::bench),
    ("head_norm_rotary", head_norm_rotary::bench),
    ("head_norm_rotary_backward", head_norm_rotary_backward::bench),
    ("heat_overlay", heat_overlay::bench),
    ("texture_to_planes", texture_to_planes::bench),
    ("planes_to_texture", planes_to_texture::bench),
    ("attended_region", attended_region::bench),
    ("global_pool", global_pool::bench),
    ("global_pool_backward", global_pool_backward::bench),
    ("cross_attention", cross_attention::bench),
    ("cross_attention_backward", cross_attention_backward::bench),
    ("dense", dense::bench),
    ("dense_backward", dense_backward::bench),
    ("channel_scale", channel_scale::bench),
    ("channel_scale_backward", channel_scale_backward::bench),
    ("squeeze_excite", squeeze_excite::bench),
    ("squeeze_excite_backward", squeeze_excite_backward::bench),
    ("bisenet", bisenet::bench),
    ("bisenet_backward", bisenet_backward::bench),
    ("spatial_gate_backward", spatial_gate_backward::bench),
    ("cbam", cbam::bench),
    ("cbam_backward", cbam_backward::bench),
    ("scse", scse::bench),
    ("scse_backward", scse_backward::bench),
    ("eca", eca::bench),
    ("eca_backward", eca_backward::bench),
    ("pointwise_conv", pointwise_conv::bench),
    ("pointwise_conv_backward", pointwise_conv_backward::bench),
    ("sasa_layer", sasa_layer::bench),
    ("sasa_layer_backward", sasa_layer_backward::bench),
    ("sasa_stem", sasa_stem::bench),
    ("sasa_stem_backward", sasa_stem_backward::bench),
    ("window_attention", window_attention::bench),
    ("window_attention_backward", window_attention_backward::bench),
    ("merge_attention", merge_attention::bench),
    ("merge_attention_backward", merge_attention_backward::bench),
    ("window_pool", window_pool::bench),
    ("window_pool_backward", window_pool_backward::bench),
    ("window_stream", window_stream::bench),
];

fn main() {
    let Some(mut bench) = Bench::open() else { return };
    host::bench(&bench);
    // References take a minute in all: those of operators that a filter leaves out by name are not computed.
    let filter: String = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let named: Vec<_> = OPERATORS.iter().map(|(name, _)| *name).filter(|name| filter.contains(name)).collect();
    // The name of an operator begins that of its gradients.
    let longer = |name: &str| named.iter().any(|other| *other != name && other.starts_with(name));
    for &(name, run) in OPERATORS {
        let chosen = named.contains(&name) && !longer(name);
        if chosen || named.is_empty() && filter != "host" {
            run(&mut bench);
        }
    }
    bench.finish();
}
