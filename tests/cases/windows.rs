//! Cases of windowed attention, its layer and its stem.

use num_traits::Float;
use visual_attention::host::Gpu;
use visual_attention::{Nchw, SasaStem, SasaStemBuffers, SasaStemOptions, Size, reference};

use super::by_name::{Renamed, with_options};
use super::gates::Both;
use super::{Case, Outputs, Problem, Values, floats, run, wide};
use crate::compiler;

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
fn options(case: &Case, channels: u32) -> Result<Vec<(String, String)>, Problem> {
    let heads = case.integer("heads")?;
    let relative = match case.text("rel")? {
        "rpb" => "bias",
        "sum" => return Err(case.unknown("rel")),
        other => other,
    };
    let border = case.text("border")?;
    if border == "causal" {
        return Err(case.unknown("border"));
    }
    Ok(texts([
        ("heads", heads.to_string()),
        ("head_dim", head_dim(case, channels, heads)?.to_string()),
        ("window", numbers(size(case, "kernel")?)),
        ("dilation", numbers(size(case, "dilation")?)),
        ("stride", numbers(size(case, "stride")?)),
        ("border", border.to_owned()),
        ("relative", relative.to_owned()),
        ("scale", (case.number("scale")? as f32).to_string()),
        // The format multiplies embeddings, and leaves a bias table alone.
        ("scale_relative", (relative != "bias").to_string()),
    ]))
}

fn numbers(size: Size) -> String {
    format!("{},{}", size.height, size.width)
}

fn texts<const N: usize>(options: [(&str, String); N]) -> Vec<(String, String)> {
    options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The inputs of a case that it has, by the operator's names.
fn inputs<'a>(case: &'a Case, renamed: &Renamed) -> Vec<(String, &'a Values)> {
    renamed.iter().filter_map(|(ours, theirs)| Some(((*ours).to_owned(), case.optional(theirs)?))).collect()
}

const TABLES: [(&str, &str); 3] = [("tables.rows", "rel_row"), ("tables.columns", "rel_col"), ("tables.bias", "rpb")];

pub(super) fn window_attention<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let options = options(case, case.input("q")?.nchw("q")?.channels)?;
    let renamed = [&[("q", "q"), ("k", "k"), ("v", "v")], TABLES.as_slice()].concat();
    with_options::<T>(gpu, case, "window_attention", options, &inputs(case, &renamed), &[])
}

/// Attention over frames, rows and columns.
pub(super) fn window_attention_nd<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
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
        ("relative", case.text("rel")?.to_owned()),
        ("scale", (scale as f32).to_string()),
        ("scale_relative", scale_relative.to_string()),
    ]);
    let renamed = [
        ("q", "q"),
        ("k", "k"),
        ("v", "v"),
        ("tables.frames", "table_frames"),
        ("tables.rows", "table_rows"),
        ("tables.columns", "table_columns"),
        ("tables.bias", "bias"),
        ("log_sum_exp", "lse"),
    ];
    with_options::<T>(gpu, case, "window_attention", options, &inputs(case, &renamed), &renamed)
}

pub(super) fn head_norm_rotary<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let split: Option<Vec<u64>> =
        case.attrs["split"].as_array().and_then(|split| split.iter().map(serde_json::Value::as_u64).collect());
    let split = split.filter(|split| split.len() == 3).ok_or_else(|| case.unknown("split"))?;
    let options = texts([
        ("heads", case.integer("heads")?.to_string()),
        ("norm", case.text("norm")?.to_owned()),
        ("epsilon", (case.number("eps")? as f32).to_string()),
        ("scale", (case.number("scale")? as f32).to_string()),
        ("base", (case.number("base")? as f32).to_string()),
        ("split", split.iter().map(u64::to_string).collect::<Vec<_>>().join(",")),
    ]);
    let inputs = inputs(case, &[("x", "x"), ("weight", "weight")]);
    with_options::<T>(gpu, case, "head_norm_rotary", options, &inputs, &[])
}

/// Matrices one after another.
fn stacked(matrices: &[&Values]) -> Values {
    let numbers = matrices.iter().flat_map(|matrix| matrix.numbers.iter().copied()).collect();
    let shape = [&[matrices.len()], matrices[0].shape.as_slice()].concat();
    Values { shape, dtype: matrices[0].dtype, numbers }
}

pub(super) fn sasa_layer<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let channels = case.input("x")?.nchw("x")?.channels;
    let [outputs, group_inputs] = case.input("wq")?.axes("wq")?;
    let groups = case.integer("proj_groups")?;
    if groups.checked_mul(group_inputs) != Some(channels) || outputs.checked_rem(groups) != Some(0) {
        return Err(Problem::Malformed(format!(
            "`in.wq` is [{outputs}, {group_inputs}], with proj_groups {groups} and {channels} channels of `in.x`"
        )));
    }
    let matrix = |name| case.shaped(name, &[outputs, group_inputs]);
    let projections = stacked(&[matrix("wq")?, matrix("wk")?, matrix("wv")?]);
    let mut options = options(case, outputs)?;
    options.extend(texts([("inputs", channels.to_string()), ("groups", groups.to_string())]));
    let mut inputs = inputs(case, &[&[("x", "x")], TABLES.as_slice()].concat());
    inputs.push(("projections".into(), &projections));
    with_options::<T>(gpu, case, "sasa_layer", options, &inputs, &[])
}

pub(super) fn sasa_stem<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Result<(Option<Outputs>, Outputs), Problem> {
    let x = case.input("x")?;
    let shape = x.nchw("x")?;
    let [outputs, inputs] = case.input("wq")?.axes("wq")?;
    let [embeddings, _] = case.input("emb_a")?.axes("emb_a")?;
    let (heads, mixtures, window) = (case.integer("heads")?, case.integer("mixtures")?, size(case, "kernel")?);
    if inputs != shape.channels || size(case, "stride")? != Size::new(1, 1) {
        let reason = format!(
            "{inputs} columns of `in.wq`, {} channels of `in.x`, stride {}",
            shape.channels, case.attrs["stride"]
        );
        return Err(Problem::Malformed(reason));
    }
    let options = SasaStemOptions::new(heads, head_dim(case, outputs, heads)?, embeddings)
        .with_inputs(inputs)
        .with_window(window)
        .with_padding(size(case, "padding")?)
        .with_mixtures(mixtures)
        .with_scale(case.number("scale")? as f32);
    options.check()?;
    let wk = case.shaped("wk", &[outputs, inputs])?;
    let wv = case.shaped("wv", &[mixtures, outputs, inputs])?;
    let projections = stacked(&[case.input("wq")?, wk, wv]);
    let row = case.shaped("emb_a", &[embeddings, window.height])?;
    let column = case.shaped("emb_b", &[embeddings, window.width])?;
    let mix = case.shaped("emb_mix", &[mixtures, embeddings])?;
    let out = Nchw { channels: outputs, ..shape };
    let len = out.elements().unwrap_or(0) as usize;
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let element = x.element();
        let (x, projections) = (x.upload(gpu)?, projections.upload(gpu)?);
        let (row, column, mix) = (row.upload(gpu)?, column.upload(gpu)?, mix.upload(gpu)?);
        let y = gpu.buffer("y", len as u64 * element.bytes())?;
        let operator = SasaStem::new(compiler::of(&gpu.device), options, element)?;
        let buffers = SasaStemBuffers {
            x: x.slice(..),
            projections: projections.slice(..),
            row: row.slice(..),
            column: column.slice(..),
            mix: mix.slice(..),
            y: y.slice(..),
        };
        run(gpu, &operator.bind(&gpu.device, shape, buffers)?)?;
        Ok(vec![("y", floats(gpu, &y, element, len)?)])
    });
    let on_gpu = on_gpu.transpose()?;
    let y = reference::sasa_stem(
        shape,
        &options,
        &x.cast::<T>(),
        &projections.cast::<T>(),
        &row.cast::<T>(),
        &column.cast::<T>(),
        &mix.cast::<T>(),
    );
    Ok((on_gpu, vec![("y", wide(y))]))
}

/// Attributes that make no sense are reported, whatever they are; nothing panics.
#[test]
fn strange_attributes_are_reported() {
    let directory = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"));
    for name in [
        "window_attention__mask_rel_h2_k7_small",
        "window_attention__shift_rpb_h2_k3_dil2_natten",
        "window_attention__zero_norel_k3_stride2",
        "sasa_layer__liqi_h4_k3",
        "sasa_stem__leader_k4",
    ] {
        let path = directory.join(format!("{name}.safetensors"));
        let intact = Case::load(&path).unwrap();
        let names: Vec<String> = intact.attrs.as_object().unwrap().keys().cloned().collect();
        for attribute in &names {
            for value in ["null", "0", "2", "-1", "1e300", "4294967295", "4294967296", "\"x\"", "[3]", "[3, 5]", "[]"] {
                let mut case = Case::load(&path).unwrap();
                case.attrs[attribute.as_str()] = serde_json::from_str(value).unwrap();
                let same = case.attrs[attribute.as_str()] == intact.attrs[attribute.as_str()];
                let outcome = case.check(None);
                let passed = outcome.is_ok_and(|report| report.failures.is_empty());
                assert!(!passed || same || attribute == "scale", "{name}: {attribute} = {value}");
            }
        }
    }
}
