use visual_attention::{Element, Nchw, SasaStem, SasaStemBuffers, SasaStemOptions, Size, reference};

use crate::common::{Bench, assert_close, noise};

pub(crate) fn bench(bench: &mut Bench) {
    let options = SasaStemOptions {
        inputs: 3,
        heads: 8,
        depth: 8,
        window: Size::new(4, 4),
        padding: Size::new(2, 2),
        mixtures: 4,
        embeddings: 16,
        scale: 1.0,
    };
    let shape = Nchw::new(1, 3, 112, 112);
    let [values, weights, row, column, mix] =
        [shape.elements().expect("small"), 6 * 64 * 3, 16 * 4, 16 * 4, 4 * 16].map(noise);
    let buffers =
        [&values, &weights, &row, &column, &mix].map(|values| bench.gpu.upload("input", values).expect("input"));
    let y = bench.gpu.buffer("y", 64 * shape.size().pixels() * 4).expect("y");
    let operator = SasaStem::new(&bench.gpu.device, options, Element::F32).expect("operator");
    let [x, projections, row_buffer, column_buffer, mix_buffer] = &buffers;
    let buffers = SasaStemBuffers {
        x: x.slice(..),
        projections: projections.slice(..),
        row: row_buffer.slice(..),
        column: column_buffer.slice(..),
        mix: mix_buffer.slice(..),
        y: y.slice(..),
    };
    let dispatch = operator.bind(&bench.gpu.device, shape, buffers).expect("dispatch");
    bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
    let what = format!("k4 m4 {shape}");
    let expected = reference::sasa_stem(shape, &options, &values, &weights, &row, &column, &mix);
    assert_close(&what, &bench.gpu.read::<f32>(y.slice(..)).expect("y"), &expected);
    bench.measure("sasa_stem", &what, "fused", operator.cost(shape), |pass| dispatch.record(pass));
}
