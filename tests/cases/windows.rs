//! Cases of windowed attention, its layer and its stem.

use visual_attention::Size;

use super::call::{Call, Texts, texts};
use super::{Case, Problem};

/// An attribute that is one whole number for both axes, or a list of two.
fn size(case: &Case, name: &str) -> Result<Size, Problem> {
    let integer = |value: &serde_json::Value| value.as_u64().and_then(|value| u32::try_from(value).ok());
    let both = match case.attrs[name].as_array().map(Vec::as_slice) {
        Some([height, width]) => integer(height).zip(integer(width)),
        Some(_) => None,
        None => integer(&case.attrs[name]).map(|value| (value, value)),
    };
    let (height, width) = both.ok_or_else(|| case.unknown(name))?;
    Ok(Size::new(height, width))
}

fn head_dim(case: &Case, channels: u32, heads: u32) -> Result<u32, Problem> {
    match channels.checked_rem(heads) {
        Some(0) => Ok(channels / heads),
        _ => Err(Problem::Malformed(format!("attribute `heads` is {}, of {channels} channels", case.attrs["heads"]))),
    }
}

/// Options of an attention over images, as text.
fn options(case: &Case, channels: u32) -> Result<Texts, Problem> {
    let heads = case.integer("heads")?;
    let relative = case.one_of("rel", &["none", "per_head", "whole_channel", "rpb"])?;
    let relative = if relative == "rpb" { "bias".into() } else { relative };
    let border = case.one_of("border", &["zero", "mask", "shift"])?;
    Ok(texts([
        ("heads", heads.to_string()),
        ("head_dim", head_dim(case, channels, heads)?.to_string()),
        ("window", numbers(size(case, "kernel")?)),
        ("dilation", numbers(size(case, "dilation")?)),
        ("stride", numbers(size(case, "stride")?)),
        ("border", border),
        // The format multiplies embeddings, and leaves a bias table alone.
        ("scale_relative", (relative != "bias").to_string()),
        ("relative", relative),
        ("scale", (case.number("scale")? as f32).to_string()),
    ]))
}

fn numbers(size: Size) -> String {
    format!("{},{}", size.height, size.width)
}

const TABLES: [(&str, &str); 3] = [("tables.rows", "rel_row"), ("tables.columns", "rel_col"), ("tables.bias", "rpb")];

const ATTENTION: [(&str, &str); 5] = [("q", "q"), ("k", "k"), ("v", "v"), ("y", "y"), ("log_sum_exp", "lse")];

pub(super) fn window_attention(case: &Case) -> Result<Call<'_>, Problem> {
    let options = options(case, case.input("q")?.nchw("q")?.channels)?;
    Call::new(case, "window_attention", options, &[ATTENTION.as_slice(), &TABLES].concat())
}

/// Attention over frames, rows and columns.
pub(super) fn window_attention_nd(case: &Case) -> Result<Call<'_>, Problem> {
    let [_, channels, ..] = case.input("q")?.axes::<5>("q")?;
    let [_, value_channels, ..] = case.input("v")?.axes::<5>("v")?;
    let heads = case.integer("heads")?;
    let axes = case.attrs["axes"].as_array().filter(|axes| axes.len() == 3).ok_or_else(|| case.unknown("axes"))?;
    let axis = |name: &str| -> Result<String, Problem> {
        let numbers: Option<Vec<_>> =
            axes.iter().map(|axis| axis[name].as_u64().map(|number| number.to_string())).collect();
        numbers.map(|numbers| numbers.join(",")).ok_or_else(|| case.unknown("axes"))
    };
    let borders = axes.iter().map(|axis| match (axis["border"].as_str(), axis["causal"].as_bool()) {
        (Some("mask"), Some(true)) => Ok("causal"),
        (Some(border @ ("zero" | "mask" | "shift")), Some(false)) => Ok(border),
        _ => Err(case.unknown("axes")),
    });
    let scale = case.number("scale")?;
    let scale_relative = match case.attrs.get("scale_relative") {
        None => true,
        Some(value) if value.as_f64() == Some(scale) => true,
        Some(value) if value.as_f64() == Some(1.0) => false,
        Some(_) => return Err(case.unknown("scale_relative")),
    };
    let options = texts([
        ("heads", heads.to_string()),
        ("head_dim", head_dim(case, channels, heads)?.to_string()),
        ("value_dim", head_dim(case, value_channels, heads)?.to_string()),
        ("window", axis("keys")?),
        ("dilation", axis("dilation")?),
        ("stride", axis("stride")?),
        ("group", axis("group")?),
        ("origin", axis("origin")?),
        ("border", borders.collect::<Result<Vec<_>, _>>()?.join(",")),
        ("relative", case.one_of("rel", &["none", "bias", "sum", "per_head", "whole_channel"])?),
        ("scale", (scale as f32).to_string()),
        ("scale_relative", scale_relative.to_string()),
    ]);
    let tables = [
        ("tables.frames", "table_frames"),
        ("tables.rows", "table_rows"),
        ("tables.columns", "table_columns"),
        ("tables.bias", "bias"),
    ];
    Call::new(case, "window_attention", options, &[ATTENTION.as_slice(), &tables].concat())
}

pub(super) fn merge_attention(case: &Case) -> Result<Call<'_>, Problem> {
    let names = [
        ("y1", "y1"),
        ("log_sum_exp1", "lse1"),
        ("y2", "y2"),
        ("log_sum_exp2", "lse2"),
        ("y", "y"),
        ("log_sum_exp", "lse"),
    ];
    Call::new(case, "merge_attention", texts([("heads", case.integer("heads")?.to_string())]), &names)
}

pub(super) fn head_norm_rotary(case: &Case) -> Result<Call<'_>, Problem> {
    let split: Option<Vec<u64>> =
        case.attrs["split"].as_array().and_then(|split| split.iter().map(serde_json::Value::as_u64).collect());
    let split = split.filter(|split| split.len() == 3).ok_or_else(|| case.unknown("split"))?;
    let options = texts([
        ("heads", case.integer("heads")?.to_string()),
        ("norm", case.one_of("norm", &["none", "rms", "l2"])?),
        ("epsilon", (case.number("eps")? as f32).to_string()),
        ("scale", (case.number("scale")? as f32).to_string()),
        ("base", (case.number("base")? as f32).to_string()),
        ("split", split.iter().map(u64::to_string).collect::<Vec<_>>().join(",")),
    ]);
    Call::new(case, "head_norm_rotary", options, &[("x", "x"), ("weight", "weight"), ("y", "y")])
}

pub(super) fn sasa_layer(case: &Case) -> Result<Call<'_>, Problem> {
    let channels = case.input("x")?.nchw("x")?.channels;
    let [outputs, _] = case.input("wq")?.axes("wq")?;
    let mut options = options(case, outputs)?;
    options.extend(texts([("inputs", channels.to_string()), ("groups", case.integer("proj_groups")?.to_string())]));
    let names = [("x", "x"), ("projections", "wq wk wv"), ("y", "y")];
    Call::new(case, "sasa_layer", options, &[names.as_slice(), &TABLES].concat())
}

pub(super) fn sasa_stem(case: &Case) -> Result<Call<'_>, Problem> {
    let channels = case.input("x")?.nchw("x")?.channels;
    let [outputs, _] = case.input("wq")?.axes("wq")?;
    let [embeddings, _] = case.input("emb_a")?.axes("emb_a")?;
    let heads = case.integer("heads")?;
    if size(case, "stride")? != Size::new(1, 1) {
        return Err(case.unknown("stride"));
    }
    let options = texts([
        ("inputs", channels.to_string()),
        ("heads", heads.to_string()),
        ("head_dim", head_dim(case, outputs, heads)?.to_string()),
        ("embeddings", embeddings.to_string()),
        ("window", numbers(size(case, "kernel")?)),
        ("padding", numbers(size(case, "padding")?)),
        ("mixtures", case.integer("mixtures")?.to_string()),
        ("scale", (case.number("scale")? as f32).to_string()),
    ]);
    let names = [
        ("x", "x"),
        ("projections", "wq wk wv"),
        ("row", "emb_a"),
        ("column", "emb_b"),
        ("mix", "emb_mix"),
        ("y", "y"),
    ];
    Call::new(case, "sasa_stem", options, &names)
}
