use visual_attention::{Epilogue, Nchw, ScSeCombine};

use crate::common::Bench;
use crate::common::by_name::ByName;

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
                bench.measure_by_name(&format!("{combine:?} {epilogue:?} {shape}"), &problem);
            }
        }
    }
}
