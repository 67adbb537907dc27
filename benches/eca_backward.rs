use visual_attention::{Eca, Nchw};

use crate::common::Bench;
use crate::common::by_name::ByName;

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
        bench.measure_by_name(&format!("k {taps} {shape}"), &problem);
    }
}
