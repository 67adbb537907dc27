//! The operations of cases: the attributes of each, and what it is in the words of an operator.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::Dtype;
use visual_attention::{Nhw, reference};

use super::call::{Call, Texts, texts};
use super::{Case, Problem, Values, gates, windows};

/// A case in the words of an operator.
type Describe = fn(&Case) -> Result<Call<'_>, Problem>;

/// What describes the cases of an operation, and the attributes that it reads.
pub(super) fn operation(op: &str) -> Option<(Describe, &'static [&'static str])> {
    Some(match op {
        "attended_region" => (
            attended_region,
            &[
                "align_corners",
                "connectivity",
                "crop_end",
                "image_size",
                "quantize",
                "reduce",
                "threshold",
                "threshold_u8",
            ],
        ),
        "attention_map" => (attention_map, &["reduce"]),
        "bisenet_arm" => (gates::bisenet_arm, &["bn_eps", "scope"]),
        "bisenet_ffm" => (gates::bisenet_ffm, &["bn_eps", "form", "scope"]),
        "cbam" => (gates::cbam, &["activation", "bn_eps", "gate", "gate_slope", "kernel", "slope"]),
        "cbam_channel" => (gates::cbam_channel, &["activation", "gate", "gate_slope", "slope"]),
        "cbam_spatial" => (gates::cbam_spatial, &["bn_eps", "kernel"]),
        "component_labels" => (component_labels, &["connectivity"]),
        "crop_resize" => (crop_resize, &["align_corners", "crop_end", "size"]),
        "dense" => (gates::dense, &["activation", "norm_eps", "slope"]),
        "eca" => (gates::eca, &["taps"]),
        "global_pool" => (global_pool, &["squeeze"]),
        "head_norm_rotary" => (windows::head_norm_rotary, &["base", "eps", "heads", "norm", "scale", "split"]),
        "largest_component" => (largest_component, &["connectivity"]),
        "merge_attention" => (windows::merge_attention, &["heads"]),
        "normalize" => (normalize, &["normalization"]),
        "pointwise_conv" => (pointwise_conv, &["groups", "stack"]),
        "region_measures" => (region_measures, &["capacity", "connectivity", "order"]),
        "resize" => (resize, &["align_corners", "size"]),
        "sasa_layer" => {
            (windows::sasa_layer, &["border", "dilation", "heads", "kernel", "proj_groups", "rel", "scale", "stride"])
        }
        "sasa_stem" => (windows::sasa_stem, &["heads", "kernel", "mixtures", "padding", "scale", "stride"]),
        "scse" => (gates::scse, &["combine"]),
        "se_residual" => (gates::se_residual, &["activation", "gate", "gate_slope", "gate_source", "slope", "squeeze"]),
        "squeeze_excite" => (gates::squeeze_excite, &["activation", "form", "gate", "gate_slope", "slope", "squeeze"]),
        "window_attention" => {
            (windows::window_attention, &["border", "dilation", "heads", "kernel", "rel", "scale", "stride"])
        }
        "window_attention_nd" => (windows::window_attention_nd, &["axes", "heads", "rel", "scale", "scale_relative"]),
        "window_pool" => (window_pool, &["pooling", "window"]),
        _ => return None,
    })
}

fn statistic(case: &Case) -> Result<String, Problem> {
    case.one_of("reduce", &["max_abs", "mean_abs", "rms", "l2", "max", "mean"])
}

fn sampling(case: &Case) -> Result<String, Problem> {
    Ok(if case.flag("align_corners")? { "aligned_corners" } else { "half_pixel" }.into())
}

fn crop_end(case: &Case) -> Result<String, Problem> {
    case.one_of("crop_end", &["inclusive", "exclusive"])
}

fn connectivity(case: &Case) -> Result<String, Problem> {
    match case.integer("connectivity")? {
        way @ (4 | 8) => Ok(way.to_string()),
        _ => Err(case.unknown("connectivity")),
    }
}

/// Two numbers above 0: height and width.
fn size(case: &Case, name: &str) -> Result<String, Problem> {
    let sides = case.attrs[name].as_array().filter(|sides| sides.len() == 2);
    let side = |value: &serde_json::Value| value.as_u64().filter(|&side| side > 0).map(|side| side.to_string());
    let sides: Option<Vec<_>> = sides.and_then(|sides| sides.iter().map(side).collect());
    sides.map(|sides| sides.join(",")).ok_or_else(|| case.unknown(name))
}

fn attention_map(case: &Case) -> Result<Call<'_>, Problem> {
    let options = texts([("statistic", statistic(case)?)]);
    Call::new(case, "attention_map", options, &[("features", "x"), ("map", "map")])
}

fn largest_component(case: &Case) -> Result<Call<'_>, Problem> {
    let options = texts([("connectivity", connectivity(case)?)]);
    let names = [("mask", "mask"), ("component", "component"), ("boxes", "bbox")];
    Call::new(case, "largest_component", options, &names)
}

fn component_labels(case: &Case) -> Result<Call<'_>, Problem> {
    let options = texts([("connectivity", connectivity(case)?)]);
    Call::new(case, "component_labels", options, &[("mask", "mask"), ("labels", "labels"), ("count", "count")])
}

/// The labels that the operator measures are those of the mask.
fn region_measures(case: &Case) -> Result<Call<'_>, Problem> {
    let order = case.one_of("order", &["raster"])?;
    let options = texts([("capacity", case.integer("capacity")?.to_string()), ("order", order)]);
    let mask = case.input("mask")?;
    let [batch, height, width] = mask.axes("mask")?;
    if mask.dtype != Dtype::U8 {
        return Err(Problem::Malformed(format!("`in.mask` is {:?}, needs U8", mask.dtype)));
    }
    let neighbours = connectivity(case)?.parse().map_err(|_| case.unknown("connectivity"))?;
    let set: Vec<_> = mask.numbers.iter().map(|&pixel| u32::from(pixel != 0.0)).collect();
    let (labels, _) = reference::component_labels(Nhw::new(batch, height, width), neighbours, &set);
    let numbers = labels.into_iter().map(|label| label as f32).collect();
    let labels = Values { shape: mask.shape.clone(), dtype: Dtype::I32, numbers };
    let mut inputs: BTreeMap<_, _> = case.inputs().map(|(name, values)| (name, Cow::Borrowed(values))).collect();
    inputs.remove("mask");
    inputs.insert("labels", Cow::Owned(labels));
    let names = [
        ("labels", "labels"),
        ("map", "map"),
        ("count", "count"),
        ("areas", "area"),
        ("boxes", "bbox"),
        ("centroids", "centroid"),
        ("sums", "sum"),
        ("maxima", "max"),
    ];
    Call::of(inputs, "region_measures", options, &names)
}

fn attended_region(case: &Case) -> Result<Call<'_>, Problem> {
    let (x, image) = (case.input("x")?, case.input("image")?);
    let [_, _, height, width] = image.axes("image")?;
    if case.attrs["image_size"] != serde_json::json!([height, width]) {
        return Err(case.unknown("image_size"));
    }
    let threshold = match case.one_of("quantize", &["none", "u8"])?.as_str() {
        "none" => format!("value:{}", case.number("threshold")? as f32),
        _ => {
            let level = u8::try_from(case.integer("threshold_u8")?);
            format!("level:{}", level.map_err(|_| case.unknown("threshold_u8"))?)
        }
    };
    let options = texts([
        ("statistic", statistic(case)?),
        ("normalization", "min_max".into()),
        ("sampling", sampling(case)?),
        ("threshold", threshold),
        ("connectivity", connectivity(case)?),
        ("crop_end", crop_end(case)?),
        ("crop", size(case, "image_size")?),
        ("element", x.element().to_string()),
        ("image_element", image.element().to_string()),
    ]);
    let names = [
        ("features", "x"),
        ("images", "image"),
        ("map", "map"),
        ("map_up", "map_up"),
        ("mask", "mask"),
        ("component", "component"),
        ("boxes", "bbox"),
        ("crops", "crop"),
    ];
    Call::new(case, "attended_region", options, &names)
}

fn resize(case: &Case) -> Result<Call<'_>, Problem> {
    let options = texts([("sampling", sampling(case)?), ("size", size(case, "size")?)]);
    Call::new(case, "resize", options, &[("input", "x"), ("output", "y")])
}

fn crop_resize(case: &Case) -> Result<Call<'_>, Problem> {
    let options = texts([("sampling", sampling(case)?), ("size", size(case, "size")?), ("crop_end", crop_end(case)?)]);
    Call::new(case, "crop_resize", options, &[("images", "image"), ("boxes", "bbox"), ("crops", "crop")])
}

fn normalize(case: &Case) -> Result<Call<'_>, Problem> {
    let options = texts([("normalization", case.one_of("normalization", &["min_max", "max", "none"])?)]);
    Call::new(case, "normalize", options, &[("map", "map")])
}

fn global_pool(case: &Case) -> Result<Call<'_>, Problem> {
    let both = case.attrs["squeeze"].is_null();
    let squeeze = || case.one_of("squeeze", &["mean", "max", "mean_and_max"]);
    let options = if both { Texts::new() } else { texts([("squeeze", squeeze()?)]) };
    Call::new(case, "global_pool", options, &[("features", "x"), ("mean", "mean"), ("max", "max")])
}

fn window_pool(case: &Case) -> Result<Call<'_>, Problem> {
    let options = texts([("pooling", case.one_of("pooling", &["mean", "max"])?), ("window", size(case, "window")?)]);
    Call::new(case, "window_pool", options, &[("x", "x"), ("y", "y")])
}

fn pointwise_conv(case: &Case) -> Result<Call<'_>, Problem> {
    let [_, inputs, ..] = case.input("x")?.axes::<4>("x")?;
    let [stack, outputs, _] = case.input("weights")?.axes("weights")?;
    if case.integer("stack")? != stack {
        return Err(case.unknown("stack"));
    }
    let options = texts([
        ("inputs", inputs.to_string()),
        ("outputs", outputs.to_string()),
        ("groups", case.integer("groups")?.to_string()),
        ("stack", stack.to_string()),
        ("bias", case.optional("bias").is_some().to_string()),
    ]);
    let names = [("x", "x"), ("weights", "weights"), ("bias", "bias"), ("y[0] y[1] y[2]", "y")];
    Call::new(case, "pointwise_conv", options, &names)
}
