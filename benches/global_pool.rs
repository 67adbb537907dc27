use visual_attention::{Element, GlobalPool, GlobalPoolBuffers, Nchw, Squeeze, reference};

use crate::common::unfused::{Join, Unfused};
use crate::common::{Bench, noise, of};

const OPERATOR: &str = "global_pool";

/// One operation for an eager framework, too, but where both are asked for: its baseline is the plain kernel.
pub(crate) fn bench(bench: &mut Bench) {
    for shape in
        [Nchw::new(1, 64, 112, 112), Nchw::new(1, 2048, 7, 7), Nchw::new(8, 2048, 7, 7), Nchw::new(1, 3, 1024, 1024)]
    {
        case(bench, shape, Element::F32);
    }
    for (element, shape) in bench.large(Nchw::new(64, 256, 64, 64)) {
        case(bench, shape, element);
    }
}

fn case(bench: &mut Bench, shape: Nchw, element: Element) {
    let mut values = noise(shape.elements().expect("small"));
    let features = bench.upload(element, &mut values);
    let planes = u64::from(shape.batch * shape.channels);
    let [mean, maximum] = ["mean", "maximum"].map(|label| bench.gpu.buffer(label, planes * 4).expect("pooled"));
    let (expected_mean, expected_maximum) =
        (reference::global_mean(shape, &values), reference::global_max(shape, &values));
    for squeeze in Squeeze::ALL {
        let operator = GlobalPool::new(&bench.gpu.device, squeeze, element).expect("operator");
        let (has_mean, has_maximum) = (squeeze != Squeeze::Max, squeeze != Squeeze::Mean);
        let buffers = GlobalPoolBuffers {
            features: features.slice(..),
            mean: has_mean.then(|| mean.slice(..)),
            max: has_maximum.then(|| maximum.slice(..)),
        };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = of(element, &format!("{squeeze:?} {shape}"));
        if has_mean {
            bench.check(&what, Element::F32, &mean, &expected_mean);
        }
        if has_maximum {
            bench.check(&what, Element::F32, &maximum, &expected_maximum);
        }
        let cost = operator.cost(shape);
        bench.measure(OPERATOR, &what, "fused", cost, |pass| recording.record(pass));
        if element != Element::F32 {
            continue;
        }
        let mut unfused = Unfused::new(&bench.gpu);
        let mean = has_mean.then(|| unfused.rows(Join::Mean, &features, planes));
        let maximum = has_maximum.then(|| unfused.rows(Join::Maximum, &features, planes));
        let ends = [mean.as_ref().zip(Some(&expected_mean[..])), maximum.as_ref().zip(Some(&expected_maximum[..]))];
        let ends: Vec<_> = ends.into_iter().flatten().collect();
        bench.measure_unfused(OPERATOR, &what, cost, &unfused, &ends);
    }
}
