use visual_attention::{Nchw, Sampling, Size, reference};

use crate::common::Bench;
use crate::common::by_name::ByName;
use crate::common::unfused::Unfused;
use crate::common::unfused::gather::Gather;

/// Enlarged and reduced, and the same size. One operation for a framework, too: its baseline adds up what read each pixel.
pub(crate) fn bench(bench: &mut Bench) {
    for (shape, size) in [
        (Nchw::new(8, 3, 28, 28), Size::new(224, 224)),
        (Nchw::new(1, 64, 112, 112), Size::new(56, 56)),
        (Nchw::new(1, 64, 56, 56), Size::new(56, 56)),
    ] {
        let problem = ByName {
            operator: "resize_backward",
            options: &[("size", format!("{},{}", size.height, size.width))],
            shapes: &[("input", shape.into())],
            without: &[],
        };
        let measured = bench.measure_by_name(&format!("{shape} to {size}"), &problem);
        let readers = readers(bench, shape.size(), size);
        let mut unfused = Unfused::new(&bench.gpu);
        let planes = u64::from(shape.batch * shape.channels);
        let gradient = unfused.gather_sum(measured.input("output_gradient"), &readers, planes);
        bench.measure_composition(&measured, &unfused, &vec![("input_gradient", gradient)]);
    }
}

/// For each pixel of `from` the pixels of `to` that read it, with their weights.
pub(crate) fn readers(bench: &Bench, from: Size, to: Size) -> Gather {
    let (rows, columns) = (weights(from.height, to.height), weights(from.width, to.width));
    let mut lists = Vec::new();
    for row in &rows {
        for column in &columns {
            let pairs = row.iter().flat_map(|a| column.iter().map(move |b| (a, b)));
            lists.push(pairs.map(|(a, b)| (a.0 * to.width + b.0, a.1 * b.1)).collect());
        }
    }
    Gather::new(&bench.gpu, &lists)
}

/// The same along one axis: what becomes of a line that is 1 at one pixel, and 0 elsewhere.
fn weights(from: u32, to: u32) -> Vec<Vec<(u32, f32)>> {
    let mut lines = vec![0.0; (from * from) as usize];
    (0..from).for_each(|pixel| lines[(pixel * (from + 1)) as usize] = 1.0);
    let resized = reference::resize(Nchw::new(1, from, 1, from), Size::new(1, to), Sampling::HalfPixel, &lines);
    let line = |line: &[f32]| (0..to).zip(line.iter().copied()).filter(|(_, weight)| *weight != 0.0).collect();
    resized.chunks_exact(to as usize).map(line).collect()
}
