use visual_attention::{Nchw, Squeeze};

use crate::common::Bench;
use crate::common::by_name::ByName;
use crate::common::unfused::Unfused;

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nchw::new(1, 256, 56, 56), Nchw::new(8, 2048, 7, 7)] {
        for squeeze in [Squeeze::Mean, Squeeze::MeanAndMax] {
            let case = format!("{squeeze:?} {shape}");
            let problem = ByName {
                operator: "global_pool_backward",
                options: &[("squeeze", squeeze.to_string())],
                shapes: &[("features", shape.into())],
                without: &[],
            };
            let measured = bench.measure_by_name(&case, &problem);
            let (len, pixels) = (shape.elements().expect("small"), shape.size().pixels());
            let mean = measured.input("mean_gradient");
            let mut unfused = Unfused::new(&bench.gpu);
            let mut gradient = unfused.each(&format!("a[i / #{pixels}] / {pixels}.0"), &[mean], len);
            if squeeze == Squeeze::MeanAndMax {
                let at = unfused.argmax("f32", measured.input("features"), pixels as u32);
                let numbers = unfused.each_of(["u32", "f32"], "f32(a[i])", &[&at], len / pixels);
                let chosen = format!("select(0.0, b[i / #{pixels}], f32(i % #{pixels}) == a[i / #{pixels}])");
                let of_max = unfused.each(&chosen, &[&numbers, measured.input("max_gradient")], len);
                gradient = unfused.each("a[i] + b[i]", &[&gradient, &of_max], len);
            }
            let expected = measured.expected.get("features_gradient").expect("a reference");
            bench.measure_unfused("global_pool_backward", &case, measured.cost, &unfused, &[(&gradient, expected)]);
        }
    }
}
