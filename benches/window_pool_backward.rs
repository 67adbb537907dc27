use visual_attention::{Nchw, Pooling};

use crate::common::Bench;
use crate::common::by_name::ByName;
use crate::common::unfused::Unfused;

pub(crate) fn bench(bench: &mut Bench) {
    for (shape, pooling, k) in
        [(Nchw::new(1, 128, 56, 56), Pooling::Mean, 2u32), (Nchw::new(1, 64, 224, 224), Pooling::Max, 4)]
    {
        let case = format!("{pooling:?} {k} {shape}");
        let problem = ByName {
            operator: "window_pool_backward",
            options: &[("pooling", pooling.to_string()), ("window", k.to_string())],
            shapes: &[("x", shape.into())],
            without: &[],
        };
        let measured = bench.measure_by_name(&case, &problem);
        if pooling == Pooling::Max {
            continue;
        }
        let Nchw { height, width, .. } = shape;
        let (rows, columns) = (height / k, width / k);
        let window = format!("(i / #{} * #{rows} + i % #{} / #{})", height * width, height * width, k * width);
        let share = format!("a[{window} * #{columns} + i % #{width} / #{k}] / {}.0", k * k);
        let mut unfused = Unfused::new(&bench.gpu);
        let gradient = unfused.each(&share, &[measured.input("y_gradient")], shape.elements().expect("small"));
        let expected = measured.expected.get("x_gradient").expect("a reference");
        bench.measure_unfused("window_pool_backward", &case, measured.cost, &unfused, &[(&gradient, expected)]);
    }
}
