use visual_attention::{Epilogue, Nchw};

use crate::common::Bench;
use crate::common::by_name::{ByName, Ends, Measured};
use crate::common::unfused::{Join, SIGMOID, SIGMOID_BACKWARD, Unfused};

/// ResNet-50's four stages, with the reduced widths of r = 16.
const STAGES: [Nchw; 4] =
    [Nchw::new(1, 256, 56, 56), Nchw::new(1, 512, 28, 28), Nchw::new(1, 1024, 14, 14), Nchw::new(1, 2048, 7, 7)];

pub(crate) fn bench(bench: &mut Bench) {
    for &batch in bench.batches() {
        for stage in STAGES {
            let shape = Nchw { batch, ..stage };
            for epilogue in [Epilogue::Scale, Epilogue::Residual] {
                let problem = ByName {
                    operator: "squeeze_excite_backward",
                    options: &[("epilogue", epilogue.to_string())],
                    shapes: &[("features", shape.into()), ("reduce_weight", vec![shape.channels / 16, shape.channels])],
                    // The gate's own upstream gradient.
                    without: &["gate", "reduce_bias", "expand_bias"],
                };
                let case = format!("{epilogue:?} {shape}");
                let measured = bench.measure_by_name(&case, &problem);
                let (unfused, ends) = unfused(bench, shape, epilogue, &measured);
                bench.measure_composition(&measured, &unfused, &ends);
            }
        }
    }
}

/// As a framework does it, which keeps pooled vectors, hidden vectors and gates of the forward pass. Returns every gradient by name.
fn unfused(bench: &Bench, shape: Nchw, epilogue: Epilogue, measured: &Measured) -> (Unfused, Ends) {
    let planes = u64::from(shape.batch * shape.channels);
    let features = measured.input("features");
    let weights = ["reduce_weight", "expand_weight"].map(|name| measured.input(name));

    let mut forward = Unfused::new(&bench.gpu);
    let pooled = forward.rows(Join::Mean, features, planes);
    let (logits, kept) = forward.excite_kept(pooled, weights, shape.batch);
    let gate = forward.each(SIGMOID, &[&logits], planes);
    bench.gpu.run(|pass| forward.record(pass)).expect("run");

    let mut backward = Unfused::new(&bench.gpu);
    let upstream = backward.upstream(measured, epilogue);
    let [scaled, of_gate] = backward.scale_backward(features, &gate, &upstream, shape);
    let of_logits = backward.each(SIGMOID_BACKWARD, &[&of_gate, &gate], planes);
    let [of_pooled, of_reduce, of_expand] = backward.excite_backward(&kept, weights, &of_logits, shape.batch);
    let spread = backward.mean_backward(&of_pooled, shape);
    let mut ends = vec![
        ("features_gradient", backward.add(&scaled, &spread)),
        ("reduce_weight_gradient", of_reduce),
        ("expand_weight_gradient", of_expand),
    ];
    ends.extend((epilogue == Epilogue::Residual).then_some(("identity_gradient", upstream)));
    (backward, ends)
}
