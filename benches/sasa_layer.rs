use visual_attention::{
    Element, Nchw, PositionTables, SasaLayer, SasaLayerBuffers, SasaLayerOptions, Size, WindowAttentionOptions,
    reference,
};

use crate::common::unfused::Unfused;
use crate::common::{Bench, noise};
use crate::window_attention::unfolded;

pub(crate) fn bench(bench: &mut Bench) {
    // The second and third stage of the paper's ResNet-50.
    for shape in [Nchw::new(1, 128, 28, 28), Nchw::new(1, 256, 14, 14)] {
        let head_dim = shape.channels / 8;
        let options = SasaLayerOptions::new(shape.channels, WindowAttentionOptions::new(8, head_dim, 7));
        let values = noise(shape.elements().expect("small"));
        // Small, so that the softmax is not one-hot.
        let small = |len: u64| -> Vec<f32> { noise(len).iter().map(|number| number * 0.1).collect() };
        let weights = small(3 * u64::from(shape.channels * shape.channels));
        let table = small(u64::from(head_dim) / 2 * 7);
        let x = bench.gpu.upload("x", &values).expect("x");
        let projections = bench.gpu.upload("projections", &weights).expect("projections");
        let table_buffer = bench.gpu.upload("tables", &table).expect("tables");
        let y = bench.gpu.buffer("y", values.len() as u64 * 4).expect("y");
        let operator = SasaLayer::new(&bench.gpu.device, options, Element::F32).expect("operator");
        let buffers = SasaLayerBuffers {
            x: x.slice(..),
            projections: projections.slice(..),
            tables: PositionTables::rows_and_columns(table_buffer.slice(..), table_buffer.slice(..)),
            y: y.slice(..),
            log_sum_exp: None,
        };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("k7 {shape}");
        let tables = PositionTables::rows_and_columns(table.as_slice(), table.as_slice());
        let expected = reference::sasa_layer(shape, &options, &values, &weights, tables).y;
        bench.check(&what, Element::F32, &y, &expected);
        let cost = operator.cost(shape);
        bench.measure("sasa_layer", &what, "fused", cost, |pass| recording.record(pass));

        let mut unfused = Unfused::new(&bench.gpu);
        let projected: Vec<_> = weights
            .chunks_exact(weights.len() / 3)
            .map(|weights| {
                let weights = bench.gpu.upload("weights", weights).expect("weights");
                unfused.conv(&x, shape, &weights, Size::new(1, 1))
            })
            .collect();
        let [q, key, value] = [0, 1, 2].map(|at: usize| &projected[at]);
        let both = Some([&table_buffer, &table_buffer]);
        let y = unfolded(bench, &mut unfused, [q, key, value], shape, &options.attention, both);
        bench.measure_unfused("sasa_layer", &what, cost, &unfused, &[(&y, &expected)]);
    }
}
