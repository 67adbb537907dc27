use visual_attention::operators::Arrays;
use visual_attention::{Nhw, Normalization, reference};

use crate::common::by_name::ByName;
use crate::common::unfused::{Join, Unfused};
use crate::common::{Bench, noise};

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nhw::new(8, 56, 56), Nhw::new(1, 1024, 1024)] {
        let problem =
            ByName { operator: "normalize_backward", options: &[], shapes: &[("map", shape.into())], without: &[] };
        let numbers = noise(shape.elements().expect("small"));
        let map = reference::normalize(shape, Normalization::MinMax, &numbers);
        let given = Arrays::new([("map", map), ("range", reference::map_range(shape, &numbers))]);
        let measured = bench.measure_with(&shape.to_string(), &problem, &given);

        // The operator has changed its own in place.
        let upstream = bench.gpu.upload("map_gradient", &numbers).expect("tensor");
        let (map, images) = (measured.input("map"), u64::from(shape.batch));
        let (len, pixels) = (map.size() / 4, shape.size().pixels());
        let mut forward = Unfused::new(&bench.gpu);
        let range = forward.each("a[i * 2u + 1u] - a[i * 2u]", &[measured.input("range")], images);
        let negative = forward.each("-a[i]", &[map], len);
        let [highest, lowest] = [map, &negative].map(|map| forward.first_of_rows(map, pixels));
        bench.gpu.run(|pass| forward.record(pass)).expect("run");

        // A difference and a quotient, whose gradients go to the minimum and the maximum as well.
        let mut unfused = Unfused::new(&bench.gpu);
        let of_above = unfused.each(&format!("a[i] / b[i / #{pixels}]"), &[&upstream, &range], len);
        let products = unfused.multiply(&of_above, map);
        let [of_all, of_range] = [&of_above, &products].map(|tensor| unfused.rows(Join::Sum, tensor, images));
        let of_minimum = unfused.each("b[i] - a[i]", &[&of_all, &of_range], images);
        let of_maximum = unfused.each("-a[i]", &[&of_range], images);
        let of_minimum = unfused.maximum_backward(&of_minimum, &lowest, pixels);
        let of_maximum = unfused.maximum_backward(&of_maximum, &highest, pixels);
        let gradient = unfused.add(&of_above, &of_minimum);
        let gradient = unfused.add(&gradient, &of_maximum);
        bench.measure_composition(&measured, &unfused, &vec![("map_gradient", gradient)]);
    }
}
