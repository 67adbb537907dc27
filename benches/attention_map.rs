use visual_attention::{AttentionMap, AttentionMapBuffers, Element, Nchw, Statistic, reference};

use crate::common::unfused::{Join, Unfused};
use crate::common::{Bench, noise, of};

const OPERATOR: &str = "attention_map";

pub(crate) fn bench(bench: &mut Bench) {
    let stages = [
        Nchw::new(1, 64, 112, 112),
        Nchw::new(1, 256, 56, 56),
        Nchw::new(1, 512, 28, 28),
        Nchw::new(1, 1024, 14, 14),
        Nchw::new(1, 2048, 7, 7),
    ];
    for &batch in bench.batches() {
        for stage in stages {
            case(bench, Nchw { batch, ..stage }, Element::F32);
        }
    }
    for (element, shape) in bench.large(Nchw::new(64, 256, 64, 64)) {
        case(bench, shape, element);
    }
}

fn case(bench: &mut Bench, shape: Nchw, element: Element) {
    let mut values = noise(shape.elements().expect("small"));
    let features = bench.upload(element, &mut values);
    let (len, planes, pixels) = (values.len() as u64, shape.plane().elements().expect("small"), shape.size().pixels());
    let map = bench.gpu.buffer("map", planes * 4).expect("map");
    for statistic in [Statistic::MaxAbs, Statistic::Rms] {
        let operator = AttentionMap::new(&bench.gpu.device, statistic, element).expect("operator");
        let buffers = AttentionMapBuffers { features: features.slice(..), map: map.slice(..) };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = of(element, &format!("{statistic:?} {shape}"));
        let expected = reference::attention_map(shape, statistic, &values);
        bench.check(&what, Element::F32, &map, &expected);
        let cost = operator.cost(shape);
        bench.measure(OPERATOR, &what, "fused", cost, |pass| recording.record(pass));
        if element != Element::F32 {
            continue;
        }
        let mut unfused = Unfused::new(&bench.gpu);
        let map = if statistic == Statistic::MaxAbs {
            let magnitudes = unfused.each("abs(a[i])", &[&features], len);
            unfused.across(Join::Maximum, &magnitudes, shape.channels, pixels)
        } else {
            let squares = unfused.each("a[i] * a[i]", &[&features], len);
            let means = unfused.across(Join::Mean, &squares, shape.channels, pixels);
            unfused.each("sqrt(a[i])", &[&means], planes)
        };
        bench.measure_unfused(OPERATOR, &what, cost, &unfused, &[(&map, &expected)]);
    }
}
