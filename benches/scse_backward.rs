use visual_attention::{Epilogue, Nchw, ScSeCombine, Size, wgpu};

use crate::common::Bench;
use crate::common::by_name::{ByName, Ends, Measured};
use crate::common::ceiling::software;
use crate::common::unfused::{Join, SIGMOID, SIGMOID_BACKWARD, Unfused, by_pixel};

/// Decoder stages of a segmentation network, with the paper's reduced widths of r = 2.
const STAGES: [Nchw; 3] = [Nchw::new(1, 64, 112, 112), Nchw::new(1, 256, 56, 56), Nchw::new(1, 512, 14, 14)];

pub(crate) fn bench(bench: &mut Bench) {
    for &batch in bench.batches() {
        for stage in STAGES {
            let shape = Nchw { batch, ..stage };
            for (combine, epilogue) in [
                (ScSeCombine::Add, Epilogue::Scale),
                (ScSeCombine::Max, Epilogue::Scale),
                (ScSeCombine::Add, Epilogue::Residual),
            ] {
                // Among millions of pairs, two products may differ by less than their rounding. The kernel and the reference may then
                // give the gradient to different gates.
                if combine == ScSeCombine::Max && batch > 1 {
                    continue;
                }
                let problem = ByName {
                    operator: "scse_backward",
                    options: &[("combine", combine.to_string()), ("epilogue", epilogue.to_string())],
                    shapes: &[("features", shape.into()), ("reduce_weight", vec![shape.channels / 2, shape.channels])],
                    without: &["reduce_bias", "expand_bias", "spatial_bias"],
                };
                let measured = bench.measure_by_name(&format!("{combine:?} {epilogue:?} {shape}"), &problem);
                // A software adapter takes a minute for the larger compositions.
                if batch > 1 && software(&bench.gpu) {
                    continue;
                }
                let (unfused, ends) = unfused(bench, shape, combine, epilogue, &measured);
                bench.measure_composition(&measured, &unfused, &ends);
            }
        }
    }
}

/// Both gates beside each other. Of [`ScSeCombine::Max`] a framework keeps which product was the larger.
fn unfused(
    bench: &Bench,
    shape: Nchw,
    combine: ScSeCombine,
    epilogue: Epilogue,
    measured: &Measured,
) -> (Unfused, Ends) {
    let Nchw { batch, channels, .. } = shape;
    let pixels = shape.size().pixels();
    let (planes, maps) = (u64::from(batch * channels), u64::from(batch) * pixels);
    let [features, spatial_weight] = ["features", "spatial_weight"].map(|name| measured.input(name));
    let weights = ["reduce_weight", "expand_weight"].map(|name| measured.input(name));
    let len = features.size() / 4;

    let mut forward = Unfused::new(&bench.gpu);
    let pooled = forward.rows(Join::Mean, features, planes);
    let (logits, kept) = forward.excite_kept(pooled, weights, batch);
    let gate = forward.each(SIGMOID, &[&logits], planes);
    let sums = forward.conv(features, shape, spatial_weight, Size::new(1, 1));
    let spatial_gate = forward.each(SIGMOID, &[&sums], maps);
    let larger = (combine == ScSeCombine::Max).then(|| {
        let by_channel = forward.scale(features, &gate, shape);
        let by_pixel = forward.scale_pixels(features, &spatial_gate, shape);
        forward.each("select(0.0, 1.0, a[i] >= b[i])", &[&by_channel, &by_pixel], len)
    });
    bench.gpu.run(|pass| forward.record(pass)).expect("run");

    let mut backward = Unfused::new(&bench.gpu);
    let upstream = backward.upstream(measured, epilogue);
    let mut of_product = |chosen: &str| -> wgpu::Buffer {
        let larger = larger.as_ref();
        larger.map_or(upstream.clone(), |larger| backward.each(chosen, &[&upstream, larger], len))
    };
    let (of_channel, of_spatial) = (of_product("a[i] * b[i]"), of_product("a[i] * (1.0 - b[i])"));
    let [through_channel, of_gate] = backward.scale_backward(features, &gate, &of_channel, shape);
    let of_logits = backward.each(SIGMOID_BACKWARD, &[&of_gate, &gate], planes);
    let [of_pooled, of_reduce, of_expand] = backward.excite_backward(&kept, weights, &of_logits, batch);
    let spread = backward.mean_backward(&of_pooled, shape);
    let [through_spatial, of_gate] = backward.scale_pixels_backward(features, &spatial_gate, &of_spatial, shape);
    let of_sums = backward.each(SIGMOID_BACKWARD, &[&of_gate, &spatial_gate], maps);
    let of_weight = backward.weighted_sums(features, &of_sums, batch, pixels);
    let convolved = format!("a[{}] * b[i / #{pixels} % #{channels}]", by_pixel(shape));
    let convolved = backward.each(&convolved, &[&of_sums, spatial_weight], len);
    let mut of_features = backward.add(&through_channel, &spread);
    for part in [&through_spatial, &convolved] {
        of_features = backward.add(&of_features, part);
    }
    let mut ends = vec![
        ("features_gradient", of_features),
        ("reduce_weight_gradient", of_reduce),
        ("expand_weight_gradient", of_expand),
        ("spatial_weight_gradient", of_weight),
    ];
    ends.extend((epilogue == Epilogue::Residual).then_some(("identity_gradient", upstream)));
    (backward, ends)
}
