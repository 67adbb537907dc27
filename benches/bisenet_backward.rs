use visual_attention::{Epilogue, Nchw};

use crate::common::Bench;
use crate::common::by_name::ByName;
use crate::common::unfused::{Join, SIGMOID, SIGMOID_BACKWARD, Unfused};

/// BiSeNet's modules on an image of 1024 x 512: refinement of a stage of the context path, and the fusion.
pub(crate) fn bench(bench: &mut Bench) {
    for (epilogue, shape) in
        [(Epilogue::Scale, Nchw::new(1, 128, 32, 64)), (Epilogue::ScaleAdd, Nchw::new(1, 256, 64, 128))]
    {
        let problem = ByName {
            operator: "bisenet_backward",
            options: &[("epilogue", epilogue.to_string())],
            shapes: &[("features", shape.into())],
            // The gate's own upstream gradient.
            without: &["gate"],
        };
        let measured = bench.measure_by_name(&format!("{epilogue:?} {shape}"), &problem);
        let channels = u64::from(shape.channels);
        let [features, weight, factor, bias, mean, variance] =
            ["features", "weight", "norm.weight", "norm.bias", "norm.mean", "norm.variance"]
                .map(|name| measured.input(name));

        let mut forward = Unfused::new(&bench.gpu);
        let pooled = forward.rows(Join::Mean, features, channels);
        let sums = forward.linear(&pooled, weight, 1);
        let normal = forward.each("(a[i] - b[i]) / sqrt(c[i] + 1e-5)", &[&sums, mean, variance], channels);
        let logits = forward.each("a[i] * b[i] + c[i]", &[&normal, factor, bias], channels);
        let gate = forward.each(SIGMOID, &[&logits], channels);
        bench.gpu.run(|pass| forward.record(pass)).expect("run");

        let mut unfused = Unfused::new(&bench.gpu);
        let upstream = unfused.upstream(&measured, epilogue);
        let [scaled, of_gate] = unfused.scale_backward(features, &gate, &upstream, shape);
        // With one image it is that of the norm's bias, too.
        let of_logits = unfused.each(SIGMOID_BACKWARD, &[&of_gate, &gate], channels);
        let of_factor = unfused.multiply(&of_logits, &normal);
        let of_sums = unfused.each("a[i] * b[i] / sqrt(c[i] + 1e-5)", &[&of_logits, factor, variance], channels);
        let [of_pooled, of_weight] = unfused.linear_backward(&pooled, weight, &of_sums, 1);
        let spread = unfused.mean_backward(&of_pooled, shape);
        let mut of_features = unfused.add(&scaled, &spread);
        if epilogue == Epilogue::ScaleAdd {
            of_features = unfused.add(&of_features, &upstream);
        }
        let ends = vec![
            ("features_gradient", of_features),
            ("weight_gradient", of_weight),
            ("norm.weight_gradient", of_factor),
            ("norm.bias_gradient", of_logits),
        ];
        bench.measure_composition(&measured, &unfused, &ends);
    }
}
