//! Cases of windowed attention, its layer and its stem.

use visual_attention::host::Gpu;
use visual_attention::{
    Border, Nchw, Relative, RelativeTables, Size, WindowAttention, WindowAttentionBuffers, WindowAttentionOptions,
    reference, wgpu,
};

use super::{Case, Outputs, Problem, Values, floats, run};

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

fn depth(case: &Case, channels: u32, heads: u32) -> Result<u32, Problem> {
    match channels.checked_rem(heads) {
        Some(0) => Ok(channels / heads),
        _ => Err(Problem::Malformed(format!("attribute `heads` is {}, of {channels} channels", case.attrs["heads"]))),
    }
}

fn options(case: &Case, channels: u32) -> Result<WindowAttentionOptions, Problem> {
    let heads = case.integer("heads")?;
    let relative = match case.text("rel")? {
        "none" => Relative::None,
        "per_head" => Relative::PerHead,
        "whole_channel" => Relative::WholeChannel,
        "rpb" => Relative::Bias,
        _ => return Err(case.unknown("rel")),
    };
    Ok(WindowAttentionOptions {
        heads,
        depth: depth(case, channels, heads)?,
        window: size(case, "kernel")?,
        dilation: size(case, "dilation")?,
        stride: size(case, "stride")?,
        border: match case.text("border")? {
            "zero" => Border::Zero,
            "mask" => Border::Mask,
            "shift" => Border::Shift,
            _ => return Err(case.unknown("border")),
        },
        relative,
        scale: case.number("scale")? as f32,
        // The format multiplies embeddings, and leaves a bias table alone.
        scale_relative: relative != Relative::Bias,
    })
}

fn tables<'a>(case: &'a Case, options: &WindowAttentionOptions) -> Result<RelativeTables<&'a Values>, Problem> {
    let factorised = |half: u32| -> Result<_, Problem> {
        Ok(RelativeTables::Factorised {
            row: case.shaped("rel_row", &[half, options.window.height])?,
            column: case.shaped("rel_col", &[half, options.window.width])?,
        })
    };
    let side = |k: u32| k.saturating_mul(2).saturating_sub(1);
    match options.relative {
        Relative::None => Ok(RelativeTables::None),
        Relative::PerHead => factorised(options.depth / 2),
        Relative::WholeChannel => factorised(options.channels() / 2),
        Relative::Bias => {
            let shape = [options.heads, side(options.window.height), side(options.window.width)];
            Ok(RelativeTables::Bias(case.shaped("rpb", &shape)?))
        }
    }
}

/// The same tables in another form.
fn map<A, B, E>(
    tables: &RelativeTables<A>,
    mut change: impl FnMut(&A) -> Result<B, E>,
) -> Result<RelativeTables<B>, E> {
    Ok(match tables {
        RelativeTables::None => RelativeTables::None,
        RelativeTables::Factorised { row, column } => {
            RelativeTables::Factorised { row: change(row)?, column: change(column)? }
        }
        RelativeTables::Bias(bias) => RelativeTables::Bias(change(bias)?),
    })
}

/// The same tables, borrowed.
fn borrow<A, B: ?Sized>(tables: &RelativeTables<A>, as_ref: impl Fn(&A) -> &B) -> RelativeTables<&B> {
    match tables {
        RelativeTables::None => RelativeTables::None,
        RelativeTables::Factorised { row, column } => {
            RelativeTables::Factorised { row: as_ref(row), column: as_ref(column) }
        }
        RelativeTables::Bias(bias) => RelativeTables::Bias(as_ref(bias)),
    }
}

/// The same tables as slices of whole buffers.
fn slices(tables: &RelativeTables<wgpu::Buffer>) -> RelativeTables<wgpu::BufferSlice<'_>> {
    match tables {
        RelativeTables::None => RelativeTables::None,
        RelativeTables::Factorised { row, column } => {
            RelativeTables::Factorised { row: row.slice(..), column: column.slice(..) }
        }
        RelativeTables::Bias(bias) => RelativeTables::Bias(bias.slice(..)),
    }
}

fn out_shape(options: &WindowAttentionOptions, shape: Nchw) -> (Nchw, usize) {
    let out = options.output(shape.size());
    let out = Nchw::new(shape.batch, options.channels(), out.height, out.width);
    (out, out.elements().unwrap_or(0) as usize)
}

pub(super) fn window_attention(gpu: Option<&Gpu>, case: &Case) -> Result<(Option<Outputs>, Outputs), Problem> {
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
        let operator = WindowAttention::new(&gpu.device, options, element)?;
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
    let wide = map(&tables, |table| Ok::<_, Problem>(table.wide()))?;
    let wide = borrow(&wide, Vec::as_slice);
    let result = reference::window_attention(shape, &options, &q.wide(), &k.wide(), &v.wide(), wide);
    Ok((on_gpu, vec![("y", result.y), ("log_sum_exp", result.log_sum_exp)]))
}
