use visual_attention::Activation;

use crate::common::Bench;
use crate::common::by_name::ByName;
use crate::common::unfused::{Join, RELU, RELU_BACKWARD, Unfused};

/// Both layers of ResNet-50's last stage, and one of its first.
pub(crate) fn bench(bench: &mut Bench) {
    for (inputs, outputs) in [(2048, 128), (128, 2048), (256, 16)] {
        for &batch in bench.batches() {
            let problem = ByName {
                operator: "dense_backward",
                options: &[("activation", Activation::Relu.to_string())],
                shapes: &[("input", vec![batch, inputs]), ("weight", vec![outputs, inputs])],
                without: &["norm.weight", "norm.bias", "norm.mean", "norm.variance"],
            };
            let case = format!("[{batch}, {inputs}] to {outputs}");
            let measured = bench.measure_by_name(&case, &problem);

            // A framework keeps the output, which is zero where the activation is.
            let [input, weight, bias, upstream] =
                ["input", "weight", "bias", "output_gradient"].map(|name| measured.input(name));
            let len = u64::from(batch * outputs);
            let mut forward = Unfused::new(&bench.gpu);
            let output = forward.linear(input, weight, batch);
            let output = forward.each(&format!("a[i] + b[i % #{outputs}]"), &[&output, bias], len);
            let output = forward.each(RELU, &[&output], len);
            bench.gpu.run(|pass| forward.record(pass)).expect("run");

            let mut unfused = Unfused::new(&bench.gpu);
            let upstream = unfused.each(RELU_BACKWARD, &[upstream, &output], len);
            let [of_input, of_weight] = unfused.linear_backward(input, weight, &upstream, batch);
            let mean = unfused.across(Join::Mean, &upstream, batch, outputs.into());
            let of_bias = unfused.each(&format!("a[i] * f32(#{batch})"), &[&mean], outputs.into());
            let expected = |name| measured.expected.get(name).expect("a reference");
            let ends: [(_, &[f32]); 3] = [
                (&of_input, expected("input_gradient")),
                (&of_weight, expected("weight_gradient")),
                (&of_bias, expected("bias_gradient")),
            ];
            bench.measure_unfused("dense_backward", &case, measured.cost, &unfused, &ends);
        }
    }
}
