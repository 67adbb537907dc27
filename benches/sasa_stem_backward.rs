use visual_attention::{Element, Nchw, SasaStemBackward, SasaStemBackwardBuffers, SasaStemOptions, reference};

use crate::common::{Bench, noise};

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
}
