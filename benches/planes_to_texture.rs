use visual_attention::{
    ColorNormalization, ColorTransfer, Cost, Element, Nchw, PlanesToTexture, PlanesToTextureBuffers, reference, wgpu,
};

use crate::common::unfused::Unfused;
use crate::common::{Bench, noise, of};
use crate::texture_to_planes::picture;

const OPERATOR: &str = "planes_to_texture";
const TRANSFER: ColorTransfer = ColorTransfer::LinearToSrgb;
const NORMALIZATION: ColorNormalization = ColorNormalization::IMAGENET;

pub(crate) fn bench(bench: &mut Bench) {
    case(bench, Nchw::new(1, 3, 224, 256), Element::F32);
    case(bench, Nchw::new(1, 3, 1024, 1024), Element::F32);
    for (element, shape) in bench.large(Nchw::new(1, 3, 2048, 2048)) {
        case(bench, Nchw { batch: 1, ..shape }, element);
    }
}

fn case(bench: &mut Bench, shape: Nchw, element: Element) {
    let pixels = shape.size().pixels();
    let mut numbers = noise(3 * pixels);
    let planes = bench.upload(element, &mut numbers);
    let picture = picture(&bench.gpu.device, shape, wgpu::TextureUsages::STORAGE_BINDING);
    let operator = PlanesToTexture::new(&bench.gpu.device, TRANSFER, NORMALIZATION, element).expect("operator");
    let buffers = PlanesToTextureBuffers { planes: planes.slice(..), picture: &picture, layer: 0 };
    let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
    let copy = bench.gpu.buffer("copy", 4 * pixels).expect("copy");
    // The widths are multiples of the 64 texels that a copied row needs.
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * shape.width), rows_per_image: None };
    bench
        .gpu
        .submit(|encoder| {
            recording.record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
            let target = wgpu::TexelCopyBufferInfo { buffer: &copy, layout };
            encoder.copy_texture_to_buffer(picture.as_image_copy(), target, picture.size());
        })
        .expect("run");
    let expected = reference::planes_to_texture(shape, TRANSFER, NORMALIZATION, &numbers);
    let what = of(element, &shape.to_string());
    check(bench, &copy, &expected, &what);
    let cost = operator.cost(shape);
    bench.measure(OPERATOR, &what, "fused", cost, |pass| recording.record(pass));
    if element == Element::F32 {
        unfused(bench, &what, cost, &planes, &expected);
    }
}

/// Into a buffer of packed texels, which a program without the operator would copy to its texture: normalization undone, encoded, packed.
fn unfused(bench: &mut Bench, what: &str, cost: Cost, planes: &wgpu::Buffer, expected: &[f32]) {
    let pixels = expected.len() as u64 / 4;
    let mut unfused = Unfused::new(&bench.gpu);
    let ColorNormalization { mean, deviation } = NORMALIZATION;
    let table = bench.gpu.upload("table", &[mean, deviation].concat()).expect("table");
    let linear = format!("a[i] * b[3u + i / #{pixels}] + b[i / #{pixels}]");
    let linear = unfused.each(&linear, &[planes, &table], 3 * pixels);
    let encoded = "select(1.055 * pow(max(a[i], 0.0), 1.0 / 2.4) - 0.055, a[i] * 12.92, a[i] <= 0.0031308)";
    let encoded = unfused.each(encoded, &[&linear], 3 * pixels);
    let packed = format!("pack4x8unorm(vec4(a[i], a[i + #{pixels}], a[i + #{}], 1.0))", 2 * pixels);
    let texels = unfused.each_of(["f32", "u32"], &packed, &[&encoded], pixels);
    bench.gpu.run(|pass| unfused.record(pass)).expect("run");
    check(bench, &texels, expected, &format!("{what}, unfused"));
    bench.measure(OPERATOR, what, "unfused", cost, |pass| unfused.record(pass));
}

fn check(bench: &Bench, texels: &wgpu::Buffer, expected: &[f32], what: &str) {
    let actual: Vec<u8> = bench.gpu.read(texels.slice(..)).expect("texels");
    for (byte, value) in actual.iter().zip(expected) {
        let error = (f32::from(*byte) - 255.0 * value.clamp(0.0, 1.0)).abs();
        assert!(error < 0.52, "{what}: {byte}, expected {}", 255.0 * value);
    }
}
