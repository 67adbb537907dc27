use visual_attention::{Epilogue, Nchw};

use crate::common::Bench;
use crate::common::by_name::ByName;
use crate::common::unfused::Unfused;
use crate::common::unfused::gates::SpatialLayer;

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nchw::new(1, 256, 56, 56), Nchw::new(8, 512, 28, 28)] {
        for epilogue in [Epilogue::Scale, Epilogue::Residual] {
            let problem = ByName {
                operator: "spatial_gate_backward",
                options: &[("epilogue", epilogue.to_string())],
                shapes: &[("features", shape.into()), ("weight", vec![1, 2, 7, 7])],
                without: &["gate", "bias"],
            };
            let measured = bench.measure_by_name(&format!("{epilogue:?} {shape}"), &problem);
            let norm = ["norm.weight", "norm.bias", "norm.mean", "norm.variance"].map(|name| measured.input(name));
            let (features, layer) =
                (measured.input("features"), SpatialLayer { weight: measured.input("weight"), norm });
            let mut forward = Unfused::new(&bench.gpu);
            let kept = forward.spatial(features, &layer, shape);
            bench.gpu.run(|pass| forward.record(pass)).expect("run");

            let mut unfused = Unfused::new(&bench.gpu);
            let upstream = unfused.upstream(&measured, epilogue);
            let found = unfused.spatial_backward(features, &kept, &layer, &upstream, shape);
            let mut ends = vec![
                ("features_gradient", found.features),
                ("weight_gradient", found.weight),
                ("norm.weight_gradient", found.norm_weight),
                ("norm.bias_gradient", found.norm_bias),
            ];
            ends.extend((epilogue == Epilogue::Residual).then_some(("identity_gradient", upstream)));
            bench.measure_composition(&measured, &unfused, &ends);
        }
    }
}
