use visual_attention::{Epilogue, Nchw};

use crate::common::Bench;
use crate::common::by_name::ByName;

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nchw::new(1, 256, 56, 56), Nchw::new(8, 512, 28, 28)] {
        for epilogue in [Epilogue::Scale, Epilogue::Residual] {
            let problem = ByName {
                operator: "spatial_gate_backward",
                options: &[("epilogue", epilogue.to_string())],
                shapes: &[("features", shape.into()), ("weight", vec![1, 2, 7, 7])],
                without: &["gate", "bias"],
            };
            bench.measure_by_name(&format!("{epilogue:?} {shape}"), &problem);
        }
    }
}
