use visual_attention::{Nchw, Size};

use crate::common::Bench;
use crate::common::by_name::ByName;

/// Enlarged and reduced, and the same size. Elementary operations can only scatter, so there is no composition to compare with.
pub(crate) fn bench(bench: &mut Bench) {
    for (shape, size) in [
        (Nchw::new(8, 3, 28, 28), Size::new(224, 224)),
        (Nchw::new(1, 64, 112, 112), Size::new(56, 56)),
        (Nchw::new(1, 64, 56, 56), Size::new(56, 56)),
    ] {
        let problem = ByName {
            operator: "resize_backward",
            options: &[("size", format!("{},{}", size.height, size.width))],
            shapes: &[("input", shape.into())],
            without: &[],
        };
        bench.measure_by_name(&format!("{shape} to {size}"), &problem);
    }
}
