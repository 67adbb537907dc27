use visual_attention::Nhw;

use crate::common::Bench;
use crate::common::by_name::ByName;

/// The first minimum and maximum have no elementary operation, so there is no composition to compare with.
pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nhw::new(8, 56, 56), Nhw::new(1, 1024, 1024)] {
        let problem =
            ByName { operator: "normalize_backward", options: &[], shapes: &[("map", shape.into())], without: &[] };
        bench.measure_by_name(&shape.to_string(), &problem);
    }
}
