use half::f16;
use visual_attention::{
    ColorNormalization, ColorTransfer, Cost, Element, Nchw, TextureToPlanes, TextureToPlanesBuffers, reference, wgpu,
};

use crate::common::unfused::Unfused;
use crate::common::{Bench, noise, of};

const OPERATOR: &str = "texture_to_planes";
const TRANSFER: ColorTransfer = ColorTransfer::SrgbToLinear;
const NORMALIZATION: ColorNormalization = ColorNormalization::IMAGENET;

pub(crate) fn bench(bench: &mut Bench) {
    case(bench, Nchw::new(1, 3, 224, 224), Element::F32);
    case(bench, Nchw::new(1, 3, 1024, 1024), Element::F32);
    for (element, shape) in bench.large(Nchw::new(1, 3, 2048, 2048)) {
        // One picture, whatever the adapter's memory.
        case(bench, Nchw { batch: 1, ..shape }, element);
    }
}

fn case(bench: &mut Bench, shape: Nchw, element: Element) {
    let pixels = shape.size().pixels();
    let bytes: Vec<u8> = noise(4 * pixels).iter().map(|value| (value * 127.0 + 128.0) as u8).collect();
    let picture = picture(&bench.gpu.device, shape, wgpu::TextureUsages::TEXTURE_BINDING);
    bench.gpu.queue.write_texture(
        picture.as_image_copy(),
        &bytes,
        wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * shape.width), rows_per_image: None },
        picture.size(),
    );
    let planes = bench.gpu.buffer("planes", 3 * pixels * element.bytes()).expect("planes");
    let operator = TextureToPlanes::new(&bench.gpu.device, TRANSFER, NORMALIZATION, element).expect("operator");
    let buffers = TextureToPlanesBuffers { picture: &picture, layer: 0, planes: planes.slice(..) };
    let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
    bench.gpu.run(|pass| recording.record(pass)).expect("run");
    let texels: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let expected = reference::texture_to_planes(shape.size(), TRANSFER, NORMALIZATION, &texels);
    let what = of(element, &shape.to_string());
    let actual: Vec<f32> = match element {
        Element::F32 => bench.gpu.read(planes.slice(..)).expect("planes"),
        _ => bench.gpu.read::<f16>(planes.slice(..)).expect("planes").into_iter().map(f16::to_f32).collect(),
    };
    check(&what, &actual, &expected);
    let cost = operator.cost(shape);
    bench.measure(OPERATOR, &what, "fused", cost, |pass| recording.record(pass));
    if element == Element::F32 {
        unfused(bench, &what, cost, pixels, &texels, &expected);
    }
}

/// From interleaved numbers in a buffer, where a program without the operator would have copied its texture: decoded, split into planes,
/// normalized.
fn unfused(bench: &mut Bench, what: &str, cost: Cost, pixels: u64, texels: &[f32], expected: &[f32]) {
    let texels = bench.gpu.upload("texels", texels).expect("texels");
    let mut unfused = Unfused::new(&bench.gpu);
    let decoded = "select(pow((a[i] + 0.055) / 1.055, 2.4), a[i] / 12.92, a[i] <= 0.04045)";
    let linear = unfused.each(decoded, &[&texels], 4 * pixels);
    let planes = unfused.each(&format!("a[i % #{pixels} * 4u + i / #{pixels}]"), &[&linear], 3 * pixels);
    let ColorNormalization { mean, deviation } = NORMALIZATION;
    let table = bench.gpu.upload("table", &[mean, deviation].concat()).expect("table");
    let normalized = format!("(a[i] - b[i / #{pixels}]) / b[3u + i / #{pixels}]");
    let normalized = unfused.each(&normalized, &[&planes, &table], 3 * pixels);
    bench.gpu.run(|pass| unfused.record(pass)).expect("run");
    check(&format!("{what}, unfused"), &bench.gpu.read::<f32>(normalized.slice(..)).expect("planes"), expected);
    bench.measure(OPERATOR, what, "unfused", cost, |pass| unfused.record(pass));
}

fn check(what: &str, actual: &[f32], expected: &[f32]) {
    for (actual, expected) in actual.iter().zip(expected) {
        // 16-bit floats up to 2.64 are 2^-9 apart.
        assert!((actual - expected).abs() < 2e-3, "{what}: {actual}, expected {expected}");
    }
}

/// A texture of a picture.
pub(crate) fn picture(device: &wgpu::Device, shape: Nchw, usage: wgpu::TextureUsages) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some("picture"),
        size: wgpu::Extent3d { width: shape.width, height: shape.height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: usage | wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    })
}
