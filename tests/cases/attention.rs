//! Cases of the attention map and the attended region.

use visual_attention::host::Gpu;
use visual_attention::{AttentionMap, AttentionMapBuffers, Element, Statistic, reference};

use super::{Case, Outputs, Problem, floats, run};

fn statistic(case: &Case) -> Result<Statistic, Problem> {
    Ok(match case.text("reduce")? {
        "max_abs" => Statistic::MaxAbs,
        "mean_abs" => Statistic::MeanAbs,
        "rms" => Statistic::Rms,
        "l2" => Statistic::L2,
        "max" => Statistic::Max,
        "mean" => Statistic::Mean,
        _ => return Err(case.unknown("reduce")),
    })
}

pub(super) fn attention_map(gpu: Option<&Gpu>, case: &Case) -> Result<(Option<Outputs>, Outputs), Problem> {
    let x = case.input("x")?;
    let shape = x.nchw("x")?;
    let statistic = statistic(case)?;
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let features = x.upload(gpu)?;
        let pixels = x.numbers.len() / shape.channels.max(1) as usize;
        let map = gpu.buffer("map", pixels as u64 * 4)?;
        let operator = AttentionMap::new(&gpu.device, statistic, x.element())?;
        let buffers = AttentionMapBuffers { features: features.slice(..), map: map.slice(..) };
        run(gpu, &operator.bind(&gpu.device, shape, buffers)?)?;
        Ok(vec![("map", floats(gpu, &map, Element::F32, pixels)?)])
    });
    Ok((on_gpu.transpose()?, vec![("map", reference::attention_map(shape, statistic, &x.wide()))]))
}
