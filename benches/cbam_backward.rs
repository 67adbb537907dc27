use visual_attention::{Epilogue, Nchw};

use crate::common::Bench;
use crate::common::by_name::{ByName, Ends, Measured};
use crate::common::unfused::gates::SpatialLayer;
use crate::common::unfused::{Join, SIGMOID, SIGMOID_BACKWARD, Unfused};

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nchw::new(1, 256, 56, 56), Nchw::new(8, 512, 28, 28)] {
        for epilogue in [Epilogue::Scale, Epilogue::Residual] {
            let problem = ByName {
                operator: "cbam_backward",
                options: &[("epilogue", epilogue.to_string())],
                shapes: &[
                    ("features", shape.into()),
                    ("reduce_weight", vec![shape.channels / 16, shape.channels]),
                    ("spatial_weight", vec![1, 2, 7, 7]),
                ],
                without: &["reduce_bias", "expand_bias", "spatial_bias"],
            };
            let measured = bench.measure_by_name(&format!("{epilogue:?} {shape}"), &problem);
            let (unfused, ends) = unfused(bench, shape, epilogue, &measured);
            bench.measure_composition(&measured, &unfused, &ends);
        }
    }
}

/// Both gates one after the other, backwards.
fn unfused(bench: &Bench, shape: Nchw, epilogue: Epilogue, measured: &Measured) -> (Unfused, Ends) {
    let (batch, pixels) = (shape.batch, shape.size().pixels());
    let planes = u64::from(batch * shape.channels);
    let features = measured.input("features");
    let weights = ["reduce_weight", "expand_weight"].map(|name| measured.input(name));
    let norm = ["weight", "bias", "mean", "variance"].map(|name| measured.input(&format!("spatial_norm.{name}")));
    let layer = SpatialLayer { weight: measured.input("spatial_weight"), norm };

    let mut forward = Unfused::new(&bench.gpu);
    let first = forward.first_of_rows(features, pixels);
    let [(of_mean, mean), (of_maximum, maximum)] = [Join::Mean, Join::Maximum].map(|join| {
        let pooled = forward.rows(join, features, planes);
        forward.excite_kept(pooled, weights, batch)
    });
    let logits = forward.add(&of_mean, &of_maximum);
    let gate = forward.each(SIGMOID, &[&logits], planes);
    let scaled = forward.scale(features, &gate, shape);
    let kept = forward.spatial(&scaled, &layer, shape);
    bench.gpu.run(|pass| forward.record(pass)).expect("run");

    let mut backward = Unfused::new(&bench.gpu);
    let upstream = backward.upstream(measured, epilogue);
    let spatial = backward.spatial_backward(&scaled, &kept, &layer, &upstream, shape);
    let [of_features, of_gate] = backward.scale_backward(features, &gate, &spatial.features, shape);
    let of_logits = backward.each(SIGMOID_BACKWARD, &[&of_gate, &gate], planes);
    let [of_mean, reduce, expand] = backward.excite_backward(&mean, weights, &of_logits, batch);
    let [of_maximum, more_reduce, more_expand] = backward.excite_backward(&maximum, weights, &of_logits, batch);
    let of_reduce = backward.add(&reduce, &more_reduce);
    let of_expand = backward.add(&expand, &more_expand);
    let spread = backward.mean_backward(&of_mean, shape);
    let chosen = backward.maximum_backward(&of_maximum, &first, pixels);
    let of_features = backward.add(&of_features, &spread);
    let mut ends = vec![
        ("features_gradient", backward.add(&of_features, &chosen)),
        ("reduce_weight_gradient", of_reduce),
        ("expand_weight_gradient", of_expand),
        ("spatial_weight_gradient", spatial.weight),
        ("spatial_norm.weight_gradient", spatial.norm_weight),
        ("spatial_norm.bias_gradient", spatial.norm_bias),
    ];
    ends.extend((epilogue == Epilogue::Residual).then_some(("identity_gradient", upstream)));
    (backward, ends)
}
