use visual_attention::Nchw;

use crate::common::Bench;
use crate::common::by_name::ByName;

/// The second and third stage of the paper's ResNet-50.
pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nchw::new(1, 128, 28, 28), Nchw::new(1, 256, 14, 14)] {
        let head_dim = (shape.channels / 8).to_string();
        let options = [
            ("inputs", shape.channels.to_string()),
            ("heads", "8".into()),
            ("head_dim", head_dim),
            ("window", "7".into()),
            // Noise takes the place of the log-sum-exp: a small scale keeps its exponentials in range.
            ("scale", "0.01".into()),
        ];
        let problem =
            ByName { operator: "sasa_layer_backward", options: &options, shapes: &[("x", shape.into())], without: &[] };
        bench.measure_by_name(&format!("k7 {shape}"), &problem);
    }
}
