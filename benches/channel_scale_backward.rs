use visual_attention::{Epilogue, Nchw};

use crate::common::Bench;
use crate::common::by_name::ByName;
use crate::common::unfused::{Join, RELU_BACKWARD, Unfused};

const OPERATOR: &str = "channel_scale_backward";

pub(crate) fn bench(bench: &mut Bench) {
    let mut shapes = vec![Nchw::new(1, 256, 56, 56), Nchw::new(8, 2048, 7, 7)];
    shapes.extend(bench.large(Nchw::new(64, 256, 64, 64)).first().map(|&(_, shape)| shape));
    for shape in shapes {
        for epilogue in [Epilogue::Scale, Epilogue::Residual] {
            let case = format!("{epilogue:?} {shape}");
            let problem = ByName {
                operator: OPERATOR,
                options: &[("epilogue", epilogue.to_string())],
                shapes: &[("features", shape.into())],
                without: &[],
            };
            let measured = bench.measure_by_name(&case, &problem);
            // The mean of the products: the sum divided by the pixels, which the reference's is as well.
            let pixels = shape.size().pixels() as f32;
            let (len, planes) = (shape.elements().expect("small"), u64::from(shape.batch * shape.channels));
            let mut unfused = Unfused::new(&bench.gpu);
            let upstream = measured.input("output_gradient");
            let masked = (epilogue == Epilogue::Residual)
                .then(|| unfused.each(RELU_BACKWARD, &[upstream, measured.input("output")], len));
            let upstream = masked.as_ref().unwrap_or(upstream);
            let products = unfused.each("a[i] * b[i]", &[upstream, measured.input("features")], len);
            let gates = unfused.rows(Join::Mean, &products, planes);
            let features = unfused.scale(upstream, measured.input("gate"), shape);
            let expected = |name| measured.expected.get(name).expect("a reference");
            let means: Vec<f32> = expected("gate_gradient").iter().map(|sum| sum / pixels).collect();
            let mut ends: Vec<(_, &[f32])> = vec![(&features, expected("features_gradient")), (&gates, &means)];
            ends.extend(masked.iter().map(|masked| (masked, expected("identity_gradient").as_slice())));
            bench.measure_unfused(OPERATOR, &case, measured.cost, &unfused, &ends);
        }
    }
}
