use visual_attention::{Element, Nchw, SasaStem, SasaStemBuffers, SasaStemOptions, Size, reference, wgpu};

use crate::common::unfused::Unfused;
use crate::common::unfused::attention::Attended;
use crate::common::{Bench, noise};
use crate::window_attention::attend;

pub(crate) fn bench(bench: &mut Bench) {
    let options = SasaStemOptions::new(8, 8, 16);
    let shape = Nchw::new(1, 3, 112, 112);
    let [values, weights, row, column, mix] =
        [shape.elements().expect("small"), 6 * 64 * 3, 16 * 4, 16 * 4, 4 * 16].map(noise);
    let buffers =
        [&values, &weights, &row, &column, &mix].map(|values| bench.gpu.upload("input", values).expect("input"));
    let [x, projections, row_buffer, column_buffer, mix_buffer] = &buffers;
    let y = bench.gpu.buffer("y", 64 * shape.size().pixels() * 4).expect("y");
    let operator = SasaStem::new(&bench.gpu.device, options, Element::F32).expect("operator");
    let buffers = SasaStemBuffers {
        x: x.slice(..),
        projections: projections.slice(..),
        row: row_buffer.slice(..),
        column: column_buffer.slice(..),
        mix: mix_buffer.slice(..),
        y: y.slice(..),
    };
    let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
    bench.gpu.run(|pass| recording.record(pass)).expect("run");
    let what = format!("k4 m4 {shape}");
    let expected = reference::sasa_stem(shape, &options, &values, &weights, &row, &column, &mix);
    bench.check(&what, Element::F32, &y, &expected);
    let cost = operator.cost(shape);
    bench.measure("sasa_stem", &what, "fused", cost, |pass| recording.record(pass));

    let mut unfused = Unfused::new(&bench.gpu);
    let projections: Vec<_> =
        weights.chunks_exact(64 * 3).map(|weights| bench.gpu.upload("weights", weights).expect("weights")).collect();
    let Stem { y, .. } =
        unfolded(&mut unfused, x, &projections, [row_buffer, column_buffer, mix_buffer], shape, &options);
    bench.measure_unfused("sasa_stem", &what, cost, &unfused, &[(&y, &expected)]);
}

/// The output, and what the gradients need of the forward pass.
pub(crate) struct Stem {
    pub(crate) y: wgpu::Buffer,
    /// Its values are mixed.
    pub(crate) attended: Attended,
    /// The values of each mixture, unfolded.
    pub(crate) values: Vec<wgpu::Buffer>,
    /// The sums of the embeddings, `[e, entries]`.
    pub(crate) embedded: wgpu::Buffer,
    /// The share of each mixture, `[m, entries]`.
    pub(crate) shares: wgpu::Buffer,
}

/// Projections, keys and each mixture's values unfolded, the softmax of the embeddings' sums, the values mixed, attention.
pub(crate) fn unfolded(
    unfused: &mut Unfused,
    x: &wgpu::Buffer,
    projections: &[wgpu::Buffer],
    [row, column, mix]: [&wgpu::Buffer; 3],
    shape: Nchw,
    options: &SasaStemOptions,
) -> Stem {
    let SasaStemOptions { heads, head_dim, window, padding, mixtures, embeddings, .. } = *options;
    let (entries, pixels) = (window.pixels() as u32, shape.size().pixels() as u32);
    let planes = heads * head_dim;
    let mut projected = projections.iter().map(|weight| unfused.conv(x, shape, weight, Size::new(1, 1)));
    let q = projected.next().expect("q");
    let others: Vec<_> = projected.collect();
    let unfold = |tensor| unfused.unfold(tensor, 0..planes, shape.size(), window, padding);
    let mut others = others.iter().map(unfold);
    let keys = others.next().expect("keys");
    let values: Vec<_> = others.collect();

    let entry = format!("i % #{entries}");
    let of_row = format!("a[i / #{entries} * #{} + {entry} / #{}]", window.height, window.width);
    let of_column = format!("b[i / #{entries} * #{0} + {entry} % #{0}]", window.width);
    let embedded = unfused.each(&format!("{of_row} + {of_column}"), &[row, column], u64::from(embeddings * entries));
    let shares = unfused.conv(&embedded, Nchw::new(1, embeddings, window.height, window.width), mix, Size::new(1, 1));
    unfused.softmax(&shares, mixtures, entries);

    let entry = format!("i / #{pixels} % #{entries}");
    let terms = ["b", "c", "d", "e"].iter().zip(0..mixtures);
    let terms: Vec<_> = terms.map(|(name, m)| format!("{name}[i] * a[#{} + {entry}]", m * entries)).collect();
    let inputs: Vec<_> = std::iter::once(&shares).chain(&values).collect();
    let mixed = unfused.each(&terms.join(" + "), &inputs, keys.size() / 4);

    let y = unfused.tensor(shape.elements().expect("small") / u64::from(shape.channels) * u64::from(planes));
    let weights = attend(unfused, [&q, &keys, &mixed, &y], 0..heads, head_dim, entries, pixels, None);
    let attended = Attended { q, keys, values: mixed, weights, heads, depth: head_dim, entries, pixels };
    Stem { y, attended, values, embedded, shares }
}
