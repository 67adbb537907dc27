use visual_attention::operators::Arrays;
use visual_attention::{Nchw, PositionTables, SasaLayerOptions, Size, WindowAttentionOptions, reference};

use crate::common::by_name::ByName;
use crate::common::unfused::Unfused;
use crate::common::unfused::windows::Windows;
use crate::common::{Bench, noise};

/// The second and third stage of the paper's ResNet-50.
pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nchw::new(1, 128, 28, 28), Nchw::new(1, 256, 14, 14)] {
        // A small scale, so that the softmax of noise is not one-hot.
        let (head_dim, scale) = (shape.channels / 8, 0.01);
        let options = [
            ("inputs", shape.channels.to_string()),
            ("heads", "8".into()),
            ("head_dim", head_dim.to_string()),
            ("window", "7".into()),
            ("scale", scale.to_string()),
        ];
        let problem =
            ByName { operator: "sasa_layer_backward", options: &options, shapes: &[("x", shape.into())], without: &[] };
        let layer =
            SasaLayerOptions::new(shape.channels, WindowAttentionOptions::new(8, head_dim, 7).with_scale(scale));
        let numbers = noise(shape.elements().expect("small"));
        let weights = noise(3 * u64::from(shape.channels * shape.channels));
        let table = noise(u64::from(head_dim) / 2 * 7);
        let tables = PositionTables::rows_and_columns(table.as_slice(), &table);
        let output = reference::sasa_layer(shape, &layer, &numbers, &weights, tables);
        let given = Arrays::new([("y", output.y), ("log_sum_exp", output.log_sum_exp)]);
        let measured = bench.measure_with(&format!("k7 {shape}"), &problem, &given);

        let x = measured.input("x");
        let projections: Vec<_> = weights
            .chunks_exact(weights.len() / 3)
            .map(|weights| bench.gpu.upload("weights", weights).expect("weights"))
            .collect();
        let mut forward = Unfused::new(&bench.gpu);
        let projected: Vec<_> =
            projections.iter().map(|weights| forward.conv(x, shape, weights, Size::new(1, 1))).collect();
        bench.gpu.run(|pass| forward.record(pass)).expect("run");
        let inputs = [0, 1, 2].map(|at: usize| &projected[at]);
        let tables = PositionTables::rows_and_columns(measured.input("tables.rows"), measured.input("tables.columns"));
        let windows = Windows::new(bench, shape.into(), &layer.attention, inputs, tables).expect("small");

        let mut unfused = Unfused::new(&bench.gpu);
        let (of_projected, of_tables) = windows.backward(&mut unfused, measured.input("y_gradient"));
        let layers: Vec<_> = projections.iter().zip(&of_projected).collect();
        let (of_x, of_weights) = unfused.projections_backward(x, shape, &layers);
        let expected = |name| measured.expected.get(name).expect("a reference").as_slice();
        let mut ends = vec![(&of_x, expected("x_gradient"))];
        let expected_weights = expected("projections_gradient");
        ends.extend(of_weights.iter().zip(expected_weights.chunks_exact(weights.len() / 3)));
        ends.extend(of_tables.iter().map(|(name, table)| (table, expected(name))));
        bench.measure_unfused("sasa_layer_backward", &format!("k7 {shape}"), measured.cost, &unfused, &ends);
    }
}
