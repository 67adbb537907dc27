use visual_attention::Activation;

use crate::common::Bench;
use crate::common::by_name::ByName;

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
            bench.measure_by_name(&format!("[{batch}, {inputs}] to {outputs}"), &problem);
        }
    }
}
