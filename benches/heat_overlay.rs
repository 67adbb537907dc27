use visual_attention::{ColorMap, Element, HeatOverlay, HeatOverlayBuffers, Nchw, Nhw, Sampling, reference};

use crate::common::{Bench, noise};

pub(crate) fn bench(bench: &mut Bench) {
    let sampling = Sampling::HalfPixel;
    let operator = HeatOverlay::new(&bench.gpu.device, &ColorMap::Turbo, sampling, Element::F32).expect("operator");
    for (map_shape, shape) in
        [(Nhw::new(8, 7, 7), Nchw::new(8, 3, 224, 224)), (Nhw::new(1, 112, 112), Nchw::new(1, 3, 1024, 1024))]
    {
        let in_range = |len| -> Vec<f32> { noise(len).iter().map(|value| value * 0.5 + 0.5).collect() };
        let heat = in_range(map_shape.elements().expect("small"));
        let colors = in_range(shape.elements().expect("small"));
        let map = bench.gpu.upload("map", &heat).expect("map");
        let pictures = bench.gpu.upload("pictures", &colors).expect("pictures");
        let overlay = bench.gpu.buffer("overlay", shape.plane().elements().expect("small") * 4).expect("overlay");
        let buffers =
            HeatOverlayBuffers { map: map.slice(..), pictures: pictures.slice(..), overlay: overlay.slice(..) };
        let dispatch = operator.bind(&bench.gpu.device, map_shape, shape, 0.5, buffers).expect("dispatch");
        bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
        let table = ColorMap::Turbo.table();
        let expected = reference::heat_overlay(map_shape, shape, sampling, &table, 0.5, &heat, &colors);
        let actual: Vec<u8> = bench.gpu.read(overlay.slice(..)).expect("overlay");
        for (byte, value) in actual.iter().zip(&expected) {
            assert!((f32::from(*byte) - value * 255.0).abs() < 0.51, "{shape}");
        }
        let cost = operator.cost(map_shape, shape);
        bench.measure("heat_overlay", &shape.to_string(), "fused", cost, |pass| dispatch.record(pass));
    }
}
