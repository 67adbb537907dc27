use visual_attention::{Epilogue, Nchw};

use crate::common::Bench;
use crate::common::by_name::ByName;

/// BiSeNet's modules on an image of 1024 x 512: refinement of a stage of the context path, and the fusion.
pub(crate) fn bench(bench: &mut Bench) {
    for (epilogue, shape) in
        [(Epilogue::Scale, Nchw::new(1, 128, 32, 64)), (Epilogue::ScaleAdd, Nchw::new(1, 256, 64, 128))]
    {
        let problem = ByName {
            operator: "bisenet_backward",
            options: &[("epilogue", epilogue.to_string())],
            shapes: &[("features", shape.into())],
            // The gate's own upstream gradient.
            without: &["gate"],
        };
        bench.measure_by_name(&format!("{epilogue:?} {shape}"), &problem);
    }
}
