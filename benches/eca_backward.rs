use visual_attention::{Eca, Epilogue, Nchw, Size};

use crate::common::Bench;
use crate::common::by_name::ByName;
use crate::common::unfused::{Join, SIGMOID, SIGMOID_BACKWARD, Unfused};

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nchw::new(1, 256, 56, 56), Nchw::new(8, 2048, 7, 7)] {
        let taps = Eca::taps(shape.channels);
        let problem = ByName {
            operator: "eca_backward",
            options: &[],
            shapes: &[("features", shape.into()), ("weight", vec![taps])],
            // The gate's own upstream gradient.
            without: &["gate"],
        };
        let measured = bench.measure_by_name(&format!("k {taps} {shape}"), &problem);
        let Nchw { batch, channels, .. } = shape;
        let (planes, window) = (u64::from(batch * channels), Size::new(1, taps));
        let vectors = Nchw::new(batch, 1, 1, channels);
        let [features, weight] = ["features", "weight"].map(|name| measured.input(name));

        let mut forward = Unfused::new(&bench.gpu);
        let pooled = forward.rows(Join::Mean, features, planes);
        let logits = forward.conv(&pooled, vectors, weight, window);
        let gate = forward.each(SIGMOID, &[&logits], planes);
        bench.gpu.run(|pass| forward.record(pass)).expect("run");

        let mut unfused = Unfused::new(&bench.gpu);
        let upstream = unfused.upstream(&measured, Epilogue::Scale);
        let [scaled, of_gate] = unfused.scale_backward(features, &gate, &upstream, shape);
        let of_logits = unfused.each(SIGMOID_BACKWARD, &[&of_gate, &gate], planes);
        let turned = unfused.each(&format!("a[#{} - i]", taps - 1), &[weight], taps.into());
        let of_pooled = unfused.conv(&of_logits, vectors, &turned, window);
        let unfolded = unfused.unfold(&pooled, 0..batch, vectors.size(), window, Size::new(0, taps / 2));
        let of_weight = unfused.weighted_sums(&unfolded, &of_logits, batch, channels.into());
        let spread = unfused.mean_backward(&of_pooled, shape);
        let of_features = unfused.add(&scaled, &spread);
        let ends = vec![("features_gradient", of_features), ("weight_gradient", of_weight)];
        bench.measure_composition(&measured, &unfused, &ends);
    }
}
