use visual_attention::{Nchw, Statistic};

use crate::common::Bench;
use crate::common::by_name::ByName;
use crate::common::unfused::{Join, Unfused};

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nchw::new(1, 256, 56, 56), Nchw::new(8, 512, 28, 28), Nchw::new(8, 2048, 7, 7)] {
        for statistic in [Statistic::MaxAbs, Statistic::Rms] {
            let case = format!("{statistic:?} {shape}");
            let problem = ByName {
                operator: "attention_map_backward",
                options: &[("statistic", statistic.to_string())],
                shapes: &[("features", shape.into())],
                without: &[],
            };
            let measured = bench.measure_by_name(&case, &problem);
            let (len, pixels) = (shape.elements().expect("small"), shape.size().pixels());
            let map = format!("b[i / #{} * #{pixels} + i % #{pixels}]", pixels * u64::from(shape.channels));
            let [x, map_of, upstream] = ["features", "map", "map_gradient"].map(|name| measured.input(name));
            let mut unfused = Unfused::new(&bench.gpu);
            let gradient = if statistic == Statistic::MaxAbs {
                // The largest magnitudes again, as the drawn map is none of these features.
                let magnitudes = unfused.each("abs(a[i])", &[x], len);
                let largest = unfused.across(Join::Maximum, &magnitudes, shape.channels, pixels);
                // Of equal magnitudes the first channel has the gradient.
                let channel = format!("f32(i / #{pixels} % #{})", shape.channels);
                let ranks = format!("select(-1e9, -{channel}, a[i] == {map})");
                let ranks = unfused.each(&ranks, &[&magnitudes, &largest], len);
                let first = unfused.across(Join::Maximum, &ranks, shape.channels, pixels);
                let mask = unfused.each(&format!("select(0.0, 1.0, a[i] == {map})"), &[&ranks, &first], len);
                let signs = unfused.each("sign(a[i])", &[x], len);
                let signs = unfused.each("a[i] * b[i]", &[&signs, &mask], len);
                unfused.each(&format!("a[i] * {map}"), &[&signs, upstream], len)
            } else {
                let factors = unfused.each(
                    &format!("a[i] / (b[i] * {}.0)", shape.channels),
                    &[upstream, map_of],
                    len / u64::from(shape.channels),
                );
                unfused.each(&format!("a[i] * {map}"), &[x, &factors], len)
            };
            let expected = measured.expected.get("features_gradient").expect("a reference");
            bench.measure_unfused("attention_map_backward", &case, measured.cost, &unfused, &[(&gradient, expected)]);
        }
    }
}
