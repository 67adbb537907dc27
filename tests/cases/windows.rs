//! Cases of windowed attention, its layer and its stem.

use num_traits::Float;
use visual_attention::host::Gpu;
use visual_attention::{
    Border, Nchw, PositionTables, RelativePosition, SasaLayer, SasaLayerBuffers, SasaLayerOptions, SasaStem,
    SasaStemBuffers, SasaStemOptions, Size, WindowAttention, WindowAttentionBuffers, WindowAttentionOptions, reference,
    wgpu,
};

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

fn options(case: &Case, channels: u32) -> Result<WindowAttentionOptions, Problem> {
    let heads = case.integer("heads")?;
    let relative = match case.text("rel")? {
        "none" => RelativePosition::None,
        "per_head" => RelativePosition::PerHead,
        "whole_channel" => RelativePosition::WholeChannel,
        "rpb" => RelativePosition::Bias,
        _ => return Err(case.unknown("rel")),
    };
    let border = match case.text("border")? {
        "zero" => Border::Zero,
        "mask" => Border::Mask,
        "shift" => Border::Shift,
        _ => return Err(case.unknown("border")),
    };
    Ok(WindowAttentionOptions::new(heads, head_dim(case, channels, heads)?, 1)
        .with_window(size(case, "kernel")?)
        .with_dilation(size(case, "dilation")?)
        .with_stride(size(case, "stride")?)
        .with_border(border)
        .with_relative(relative)
        .with_scale(case.number("scale")? as f32)
        // The format multiplies embeddings, and leaves a bias table alone.
        .with_scale_relative(relative != RelativePosition::Bias))
}

fn tables<'a>(case: &'a Case, options: &WindowAttentionOptions) -> Result<PositionTables<&'a Values>, Problem> {
    let factorised = |half: u32| -> Result<_, Problem> {
        Ok(PositionTables::Factorised {
            row: case.shaped("rel_row", &[half, options.window.height])?,
            column: case.shaped("rel_col", &[half, options.window.width])?,
        })
    };
    let side = |k: u32| k.saturating_mul(2).saturating_sub(1);
    match options.relative {
        RelativePosition::None => Ok(PositionTables::None),
        RelativePosition::PerHead => factorised(options.head_dim / 2),
        RelativePosition::WholeChannel => factorised(options.channels() / 2),
        _ => {
            let shape = [options.heads, side(options.window.height), side(options.window.width)];
            Ok(PositionTables::Bias(case.shaped("rpb", &shape)?))
        }
    }
}

/// The same tables in another form.
fn map<A, B, E>(
    tables: &PositionTables<A>,
    mut change: impl FnMut(&A) -> Result<B, E>,
) -> Result<PositionTables<B>, E> {
    Ok(match tables {
        PositionTables::None => PositionTables::None,
        PositionTables::Factorised { row, column } => {
            PositionTables::Factorised { row: change(row)?, column: change(column)? }
        }
        PositionTables::Bias(bias) => PositionTables::Bias(change(bias)?),
    })
}

/// The same tables, borrowed.
fn borrow<A, B: ?Sized>(tables: &PositionTables<A>, as_ref: impl Fn(&A) -> &B) -> PositionTables<&B> {
    match tables {
        PositionTables::None => PositionTables::None,
        PositionTables::Factorised { row, column } => {
            PositionTables::Factorised { row: as_ref(row), column: as_ref(column) }
        }
        PositionTables::Bias(bias) => PositionTables::Bias(as_ref(bias)),
    }
}

/// The same tables as slices of whole buffers.
fn slices(tables: &PositionTables<wgpu::Buffer>) -> PositionTables<wgpu::BufferSlice<'_>> {
    match tables {
        PositionTables::None => PositionTables::None,
        PositionTables::Factorised { row, column } => {
            PositionTables::Factorised { row: row.slice(..), column: column.slice(..) }
        }
        PositionTables::Bias(bias) => PositionTables::Bias(bias.slice(..)),
    }
}

fn out_shape(options: &WindowAttentionOptions, shape: Nchw) -> (Nchw, usize) {
    let out = options.output(shape.size());
    let out = Nchw::new(shape.batch, options.channels(), out.height, out.width);
    (out, out.elements().unwrap_or(0) as usize)
}

pub(super) fn window_attention<T: Float>(
    gpu: Option<&Gpu>,
    case: &Case,
) -> Result<(Option<Outputs>, Outputs), Problem> {
    let q = case.input("q")?;
    let shape = q.nchw("q")?;
    let axes = [shape.batch, shape.channels, shape.height, shape.width];
    let (k, v) = (case.shaped("k", &axes)?, case.shaped("v", &axes)?);
    let options = options(case, shape.channels)?;
    let tables = tables(case, &options)?;
    options.check(shape)?;
    let (_, len) = out_shape(&options, shape);
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let element = q.element();
        let [q, k, v] = [q.upload(gpu)?, k.upload(gpu)?, v.upload(gpu)?];
        let tables = map(&tables, |table| table.upload(gpu))?;
        let y = gpu.buffer("y", len as u64 * element.bytes())?;
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, element)?;
        let buffers = WindowAttentionBuffers {
            q: q.slice(..),
            k: k.slice(..),
            v: v.slice(..),
            tables: slices(&tables),
            y: y.slice(..),
            log_sum_exp: None,
        };
        run(gpu, &operator.bind(&gpu.device, shape, buffers)?)?;
        Ok(vec![("y", floats(gpu, &y, element, len)?)])
    });
    let on_gpu = on_gpu.transpose()?;
    let cast = map(&tables, |table| Ok::<_, Problem>(table.cast::<T>()))?;
    let cast = borrow(&cast, Vec::as_slice);
    let result = reference::window_attention(shape, &options, &q.cast::<T>(), &k.cast::<T>(), &v.cast::<T>(), cast);
    Ok((on_gpu, vec![("y", wide(result.y)), ("log_sum_exp", wide(result.log_sum_exp))]))
}

/// Matrices one after another.
fn stacked(matrices: &[&Values]) -> Values {
    let numbers = matrices.iter().flat_map(|matrix| matrix.numbers.iter().copied()).collect();
    Values { shape: Vec::new(), dtype: matrices[0].dtype, numbers }
}

pub(super) fn sasa_layer<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Result<(Option<Outputs>, Outputs), Problem> {
    let x = case.input("x")?;
    let shape = x.nchw("x")?;
    let [outputs, group_inputs] = case.input("wq")?.axes("wq")?;
    let groups = case.integer("proj_groups")?;
    if groups.checked_mul(group_inputs) != Some(shape.channels) || outputs.checked_rem(groups) != Some(0) {
        return Err(Problem::Malformed(format!(
            "`in.wq` is [{outputs}, {group_inputs}], with proj_groups {groups} and {} channels of `in.x`",
            shape.channels
        )));
    }
    let matrix = |name| case.shaped(name, &[outputs, group_inputs]);
    let projections = stacked(&[matrix("wq")?, matrix("wk")?, matrix("wv")?]);
    let options = SasaLayerOptions::new(shape.channels, options(case, outputs)?).with_groups(groups);
    let tables = tables(case, &options.attention)?;
    options.check(shape)?;
    let (_, len) = out_shape(&options.attention, shape);
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let element = x.element();
        let (x, projections) = (x.upload(gpu)?, projections.upload(gpu)?);
        let tables = map(&tables, |table| table.upload(gpu))?;
        let y = gpu.buffer("y", len as u64 * element.bytes())?;
        let operator = SasaLayer::new(compiler::of(&gpu.device), options, element)?;
        let buffers = SasaLayerBuffers {
            x: x.slice(..),
            projections: projections.slice(..),
            tables: slices(&tables),
            y: y.slice(..),
        };
        run(gpu, &operator.bind(&gpu.device, shape, buffers)?)?;
        Ok(vec![("y", floats(gpu, &y, element, len)?)])
    });
    let on_gpu = on_gpu.transpose()?;
    let cast = map(&tables, |table| Ok::<_, Problem>(table.cast::<T>()))?;
    let y =
        reference::sasa_layer(shape, &options, &x.cast::<T>(), &projections.cast::<T>(), borrow(&cast, Vec::as_slice));
    Ok((on_gpu, vec![("y", wide(y))]))
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
