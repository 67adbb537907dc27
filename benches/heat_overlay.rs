use visual_attention::{
    ColorMap, Element, HeatOverlay, HeatOverlayBuffers, HeatOverlayShape, Nchw, Nhw, Sampling, reference, wgpu,
};

use crate::common::unfused::Unfused;
use crate::common::{Bench, noise, of};

const OPERATOR: &str = "heat_overlay";
const OPACITY: f32 = 0.5;

pub(crate) fn bench(bench: &mut Bench) {
    case(bench, Nhw::new(8, 7, 7), Nchw::new(8, 3, 224, 224), Element::F32);
    case(bench, Nhw::new(1, 112, 112), Nchw::new(1, 3, 1024, 1024), Element::F32);
    for (element, shape) in bench.large(Nchw::new(21, 3, 1024, 1024)) {
        case(bench, Nhw::new(shape.batch, 14, 14), shape, element);
    }
}

fn case(bench: &mut Bench, map_shape: Nhw, shape: Nchw, element: Element) {
    let sampling = Sampling::HalfPixel;
    let operator = HeatOverlay::new(&bench.gpu.device, &ColorMap::Turbo, sampling, element).expect("operator");
    let in_range = |len| -> Vec<f32> { noise(len).iter().map(|value| value * 0.5 + 0.5).collect() };
    let heat = in_range(map_shape.elements().expect("small"));
    let mut colors = in_range(shape.elements().expect("small"));
    let map = bench.gpu.upload("map", &heat).expect("map");
    let pictures = bench.upload(element, &mut colors);
    let overlay = bench.gpu.buffer("overlay", shape.plane().elements().expect("small") * 4).expect("overlay");
    let buffers = HeatOverlayBuffers { map: map.slice(..), pictures: pictures.slice(..), overlay: overlay.slice(..) };
    let recording = operator
        .bind(&bench.gpu.device, HeatOverlayShape { map: map_shape, pictures: shape }, OPACITY, buffers)
        .expect("bind");
    bench.gpu.run(|pass| recording.record(pass)).expect("run");
    let table = ColorMap::Turbo.table();
    let expected = reference::heat_overlay(map_shape, shape, sampling, &table, OPACITY, &heat, &colors);
    let check = |bench: &Bench, overlay: &wgpu::Buffer, what: &str| {
        let actual: Vec<u8> = bench.gpu.read(overlay.slice(..)).expect("overlay");
        for (byte, value) in actual.iter().zip(&expected) {
            assert!((f32::from(*byte) - value * 255.0).abs() < 0.51, "{what}");
        }
    };
    let what = of(element, &shape.to_string());
    check(bench, &overlay, &what);
    let cost = operator.cost(HeatOverlayShape { map: map_shape, pictures: shape });
    bench.measure(OPERATOR, &what, "fused", cost, |pass| recording.record(pass));
    if element != Element::F32 {
        return;
    }
    let mut unfused = Unfused::new(&bench.gpu);
    let table: Vec<f32> = table.iter().flatten().map(|&byte| f32::from(byte) / 255.0).collect();
    let table = bench.gpu.upload("table", &table).expect("table");
    let overlay = blended(&mut unfused, [&map, &pictures, &table], map_shape, shape);
    bench.gpu.run(|pass| unfused.record(pass)).expect("run");
    check(bench, &overlay, &format!("{what}, unfused"));
    bench.measure(OPERATOR, &what, "unfused", cost, |pass| unfused.record(pass));
}

/// The map resized, its entries of the table, their colours, both sides of the blend, their sum, its bytes.
fn blended(
    unfused: &mut Unfused,
    [map, pictures, table]: [&wgpu::Buffer; 3],
    map_shape: Nhw,
    shape: Nchw,
) -> wgpu::Buffer {
    let (pixels, planes, len) = (shape.size().pixels(), shape.plane().elements().expect("small"), pictures.size() / 4);
    let map = unfused.resize(map, shape.batch.into(), map_shape.size(), shape.size());
    let entries = unfused.each("255.0 * clamp(a[i], 0.0, 1.0)", &[&map], planes);
    let entry = format!("a[i / #{} * #{pixels} + i % #{pixels}]", 3 * pixels);
    let channel = format!("i / #{pixels} % 3u");
    let [low, high] = [0, 1].map(|next| format!("b[(min(u32({entry}), 254u) + #{next}) * 3u + {channel}]"));
    let share = format!("{entry} - min(floor({entry}), 254.0)");
    let colors = unfused.each(&format!("mix({low}, {high}, {share})"), &[&entries, table], len);
    let over = unfused.each(&format!("a[i] * {OPACITY}f"), &[&colors], len);
    let under = unfused.each(&format!("a[i] * {}f", 1.0 - OPACITY), &[pictures], len);
    let both = unfused.each("a[i] + b[i]", &[&over, &under], len);
    let [red, green, blue] =
        [0, 1, 2].map(|channel| format!("a[i / #{pixels} * #{} + #{} + i % #{pixels}]", 3 * pixels, channel * pixels));
    unfused.each_of(["f32", "u32"], &format!("pack4x8unorm(vec4({red}, {green}, {blue}, 1.0))"), &[&both], planes)
}
