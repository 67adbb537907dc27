use visual_attention::{
    Element, Nchw, SasaStemBackward, SasaStemBackwardBuffers, SasaStemOptions, Size, reference, wgpu,
};

use crate::common::unfused::attention::Attended;
use crate::common::unfused::gather::Gather;
use crate::common::unfused::windows::readers;
use crate::common::unfused::{Join, Unfused};
use crate::common::{Bench, noise};
use crate::sasa_stem::{Stem, unfolded};

pub(crate) fn bench(bench: &mut Bench) {
    let options = SasaStemOptions::new(8, 8, 16);
    let shape = Nchw::new(1, 3, 56, 56);
    let pixels = shape.size().pixels();
    let lens = [3 * pixels, 6 * 64 * 3, 16 * 4, 16 * 4, 4 * 16];
    let [x, projections, row, column, mix] = lens.map(noise);
    let y_gradient = noise(64 * pixels);
    let inputs = [&x, &projections, &row, &column, &mix, &y_gradient]
        .map(|values| bench.gpu.upload("input", values).expect("input"));
    let outputs = lens.map(|len| bench.gpu.buffer("gradient", len * 4).expect("gradient"));
    let operator = SasaStemBackward::new(&bench.gpu.device, options, Element::F32).expect("operator");
    let buffers = SasaStemBackwardBuffers {
        x: inputs[0].slice(..),
        projections: inputs[1].slice(..),
        row: inputs[2].slice(..),
        column: inputs[3].slice(..),
        mix: inputs[4].slice(..),
        y_gradient: inputs[5].slice(..),
        x_gradient: Some(outputs[0].slice(..)),
        projections_gradient: Some(outputs[1].slice(..)),
        row_gradient: Some(outputs[2].slice(..)),
        column_gradient: Some(outputs[3].slice(..)),
        mix_gradient: Some(outputs[4].slice(..)),
    };
    let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
    bench.gpu.run(|pass| recording.record(pass)).expect("run");
    let what = format!("k4 m4 {shape}");
    let tables = [row.as_slice(), &column, &mix];
    let expected = reference::sasa_stem_backward(shape, &options, &x, &projections, tables, &y_gradient);
    let expected = [expected.x, expected.projections, expected.row, expected.column, expected.mix];
    for (output, expected) in outputs.iter().zip(&expected) {
        bench.check(&what, Element::F32, output, expected);
    }
    let cost = operator.cost(shape);
    bench.measure("sasa_stem_backward", &what, "fused", cost, |pass| recording.record(pass));

    let [x, _, row, column, mix, y_gradient] = inputs.each_ref();
    let weights: Vec<_> =
        projections.chunks_exact(64 * 3).map(|layer| bench.gpu.upload("weights", layer).expect("weights")).collect();
    let mut forward = Unfused::new(&bench.gpu);
    let stem = unfolded(&mut forward, x, &weights, [row, column, mix], shape, &options);
    bench.gpu.run(|pass| forward.record(pass)).expect("run");

    let mut unfused = Unfused::new(&bench.gpu);
    let (of_projected, of_tables) = composed(bench, &mut unfused, &stem, mix, y_gradient, shape.size(), &options);
    let layers: Vec<_> = weights.iter().zip(&of_projected).collect();
    let (of_x, of_weights) = unfused.projections_backward(x, shape, &layers);
    let [of_inputs, of_layers, tables @ ..] = expected.each_ref().map(Vec::as_slice);
    let mut ends = vec![(&of_x, of_inputs)];
    ends.extend(of_weights.iter().zip(of_layers.chunks_exact(64 * 3)));
    ends.extend(of_tables.iter().zip(tables));
    bench.measure_unfused("sasa_stem_backward", &what, cost, &unfused, &ends);
}

/// The gradients of the six projections' outputs and of the three tables.
fn composed(
    bench: &Bench,
    unfused: &mut Unfused,
    stem: &Stem,
    mix: &wgpu::Buffer,
    y_gradient: &wgpu::Buffer,
    size: Size,
    options: &SasaStemOptions,
) -> (Vec<wgpu::Buffer>, [wgpu::Buffer; 3]) {
    let Attended { heads, depth, entries, pixels, .. } = stem.attended;
    let SasaStemOptions { window, padding, mixtures, embeddings, .. } = *options;
    let planes = u64::from(heads * depth);
    let [vertical, horizontal] =
        [(size.height, padding.height), (size.width, padding.width)].map(|(extent, padding)| {
            move |at: u32, entry: u32| (at + entry).checked_sub(padding).filter(|&key| key < extent)
        });
    let place = |entry: u32, query: u32| -> Option<u32> {
        let row = vertical(query / size.width, entry / window.width)?;
        Some(row * size.width + horizontal(query % size.width, entry % window.width)?)
    };
    let places: Vec<f32> = (0..entries)
        .flat_map(|entry| (0..pixels).map(move |query| (entry, query)))
        .map(|(entry, query)| place(entry, query).map_or(-1.0, |key| key as f32))
        .collect();
    let fold = Gather::new(&bench.gpu, &readers(&places, pixels.into()));

    let found = unfused.attend_backward(&stem.attended, y_gradient);
    let of_keys = unfused.gather_sum(&found.keys, &fold, planes);
    let mut of_projected = vec![found.q, of_keys];
    let mut of_shares = Vec::new();
    for (mixture, values) in (0..mixtures).zip(&stem.values) {
        let shared = format!("a[i] * b[#{} + i / #{pixels} % #{entries}]", mixture * entries);
        let of_values = unfused.each(&shared, &[&found.values, &stem.shares], values.size() / 4);
        of_projected.push(unfused.gather_sum(&of_values, &fold, planes));
        let products = unfused.multiply(&found.values, values);
        let sums = unfused.rows(Join::Sum, &products, planes * u64::from(entries));
        of_shares.push(unfused.across(Join::Sum, &sums, heads * depth, entries.into()));
    }
    // Side by side, as the softmax over them has them.
    let joined =
        format!("vec4(a[i % #{entries}], b[i % #{entries}], c[i % #{entries}], d[i % #{entries}])[i / #{entries}]");
    let of_shares: [_; 4] = of_shares.try_into().expect("four mixtures");
    let of_shares = unfused.each(&joined, &of_shares.each_ref(), u64::from(mixtures * entries));
    let of_logits = unfused.softmax_backward(&stem.shares, &of_shares, mixtures, entries);
    let of_mix = unfused.linear(&of_logits, &stem.embedded, mixtures);
    let turned = unfused.transposed(mix, mixtures.into());
    let entries = Nchw::new(1, mixtures, window.height, window.width);
    let of_embedded = unfused.conv(&of_logits, entries, &turned, Size::new(1, 1));
    let of_row = unfused.rows(Join::Sum, &of_embedded, u64::from(embeddings * window.height));
    let of_column = unfused.across(Join::Sum, &of_embedded, window.height, window.width.into());
    (of_projected, [of_row, of_column, of_mix])
}
