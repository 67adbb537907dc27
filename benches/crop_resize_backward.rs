use visual_attention::Nchw;

use crate::common::Bench;
use crate::common::by_name::ByName;

/// The box is the same in every image. Elementary operations can only scatter, so there is no composition to compare with.
pub(crate) fn bench(bench: &mut Bench) {
    let shape = Nchw::new(8, 3, 256, 256);
    let problem = ByName {
        operator: "crop_resize_backward",
        options: &[("size", "224,224".into())],
        shapes: &[("images", shape.into())],
        without: &[],
    };
    bench.measure_by_name(&shape.to_string(), &problem);
}
