use visual_attention::Nchw;

use crate::common::Bench;
use crate::common::by_name::ByName;
use crate::common::ceiling::software;
use crate::common::unfused::Unfused;

pub(crate) fn bench(bench: &mut Bench) {
    let stages = [Nchw::new(1, 64, 56, 56), Nchw::new(1, 128, 28, 28), Nchw::new(1, 256, 14, 14)];
    // What a GPU needs to be busy.
    let large = (!software(&bench.gpu)).then_some(Nchw::new(8, 256, 56, 56));
    for shape in stages.into_iter().chain(large) {
        let case = format!("q, k, v {shape}");
        let channels = shape.channels.to_string();
        let problem = ByName {
            operator: "pointwise_conv_backward",
            options: &[("inputs", channels.clone()), ("outputs", channels), ("stack", "3".into())],
            shapes: &[("x", shape.into())],
            without: &[],
        };
        let measured = bench.measure_by_name(&case, &problem);
        if shape.batch > 1 {
            continue;
        }
        // One matrix product for each stack: the gradient of its weights is `dy [o, p]` times `x [c, p]`.
        let mut unfused = Unfused::new(&bench.gpu);
        let x = measured.input("x");
        let expected = measured.expected.get("weights_gradient").expect("a reference");
        let names = ["y[0]_gradient", "y[1]_gradient", "y[2]_gradient"];
        let parts: Vec<_> = names
            .into_iter()
            .zip(expected.chunks_exact(expected.len() / 3))
            .map(|(name, expected)| (unfused.linear(measured.input(name), x, shape.channels), expected))
            .collect();
        let ends: Vec<_> = parts.iter().map(|(part, expected)| (part, *expected)).collect();
        let weights = format!("{case}, weights alone");
        bench.measure_unfused("pointwise_conv_backward", &weights, measured.cost, &unfused, &ends);
    }
}
