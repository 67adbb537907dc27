use visual_attention::{Epilogue, Nchw};

use crate::common::Bench;
use crate::common::by_name::ByName;

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
                bench.measure_by_name(&format!("{epilogue:?} {shape}"), &problem);
            }
        }
    }
}
