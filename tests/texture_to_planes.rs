use half::f16;
use visual_attention::{
    ColorNormalization, ColorTransfer, Element, Nchw, Recording, Size, TextureToPlanes, TextureToPlanesBuffers,
    reference, wgpu,
};

use crate::common::{self, Precision, Random, TestGpu, assert_within_tolerance_with_room, wide};
use crate::compiler;

pub(crate) const TRANSFERS: [ColorTransfer; 3] =
    [ColorTransfer::None, ColorTransfer::SrgbToLinear, ColorTransfer::LinearToSrgb];
pub(crate) const NORMALIZATIONS: [ColorNormalization; 2] = [ColorNormalization::NONE, ColorNormalization::IMAGENET];
pub(crate) const RGBA8: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;
pub(crate) const RGBA16: wgpu::TextureFormat = wgpu::TextureFormat::Rgba16Float;
const SRGB: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8UnormSrgb;

/// One pixel, less and more than a workgroup's 64 by 4, and several workgroups.
pub(crate) const SIZES: [Size; 5] =
    [Size::new(1, 1), Size::new(3, 5), Size::new(4, 64), Size::new(5, 65), Size::new(21, 130)];

/// What WGSL allows a power `x^e` of x in 0.04..1 and e = 2.4 or 1/2.4, as a share of the result: `log2` is good to 2^-21 or 3 ULP of at
/// most 4, which is 2^-20.4 and becomes 2^-20 by e and the logarithm of 2; `exp2` of at most 8.4 to 20 ULP, which is 2^-18.7.
pub(crate) const POWER_ROOM: f64 = 3.5e-6;
/// Roundings of f32 in a few steps.
pub(crate) const STEPS_ROOM: f64 = 4.0 / (1u32 << 24) as f64;

/// How far a value up to `largest` may be off after the transfer.
pub(crate) fn room(transfer: ColorTransfer, largest: f64) -> f64 {
    largest * if transfer == ColorTransfer::None { STEPS_ROOM } else { STEPS_ROOM + POWER_ROOM }
}

pub(crate) fn texture(gpu: &TestGpu, format: wgpu::TextureFormat, size: Size, layers: u32) -> wgpu::Texture {
    let storage = if format == SRGB { wgpu::TextureUsages::empty() } else { wgpu::TextureUsages::STORAGE_BINDING };
    gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("picture"),
        size: wgpu::Extent3d { width: size.width, height: size.height, depth_or_array_layers: layers },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING
            | wgpu::TextureUsages::COPY_SRC
            | wgpu::TextureUsages::COPY_DST
            | storage,
        view_formats: &[],
    })
}

/// Writes `[h, w]` texels into a layer.
pub(crate) fn fill(gpu: &TestGpu, texture: &wgpu::Texture, layer: u32, bytes: &[u8]) {
    let texel = texture.format().block_copy_size(None).unwrap();
    gpu.queue.write_texture(
        wgpu::TexelCopyTextureInfo { origin: wgpu::Origin3d { x: 0, y: 0, z: layer }, ..texture.as_image_copy() },
        bytes,
        wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(texture.width() * texel), rows_per_image: None },
        wgpu::Extent3d { depth_or_array_layers: 1, ..texture.size() },
    );
}

/// Random texels, as stored and as numbers. Those of 16 bits lie in -0.5..2.
pub(crate) fn random_texels(format: wgpu::TextureFormat, size: Size) -> (Vec<u8>, Vec<f32>) {
    let mut random = Random::new(3);
    let count = 4 * size.pixels() as usize;
    if format == RGBA16 {
        let halves: Vec<_> = (0..count).map(|_| f16::from_f32(random.range(-0.5, 2.0))).collect();
        (bytemuck::cast_slice(&halves).to_vec(), halves.into_iter().map(f16::to_f32).collect())
    } else {
        let bytes: Vec<_> = (0..count).map(|_| random.range(0.0, 255.99) as u8).collect();
        let numbers = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        (bytes, numbers)
    }
}

pub(crate) fn shape_of(size: Size) -> Nchw {
    Nchw::new(1, 3, size.height, size.width)
}

/// The planes of a layer.
pub(crate) fn planes_of(
    gpu: &TestGpu,
    picture: &wgpu::Texture,
    layer: u32,
    transfer: ColorTransfer,
    normalization: ColorNormalization,
    element: Element,
) -> (Recording, Vec<f32>) {
    let shape = Nchw::new(1, 3, picture.height(), picture.width());
    let operator = TextureToPlanes::new(compiler::of(&gpu.device), transfer, normalization, element).unwrap();
    let output = gpu.output(shape.elements().unwrap() as usize, element.bytes());
    let buffers = TextureToPlanesBuffers { picture, layer, planes: output.slice() };
    let recording = operator.bind(&gpu.device, shape, buffers).unwrap();
    gpu.recording(&recording);
    let planes = gpu.floats(&output, element);
    (recording, planes)
}

#[test]
fn texture_to_planes_matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for format in [RGBA8, RGBA16] {
            for size in SIZES {
                let picture = texture(gpu, format, size, 1);
                let (bytes, texels) = random_texels(format, size);
                fill(gpu, &picture, 0, &bytes);
                // The texels without the rounding of f32.
                let exact: Vec<f64> = match format {
                    RGBA8 => bytes.iter().map(|&byte| f64::from(byte) / 255.0).collect(),
                    _ => wide(&texels),
                };
                for transfer in TRANSFERS {
                    for normalization in NORMALIZATIONS {
                        let (_, actual) = planes_of(gpu, &picture, 0, transfer, normalization, element);
                        let expected = reference::texture_to_planes(size, transfer, normalization, &exact);
                        let baseline = reference::texture_to_planes(size, transfer, normalization, &texels);
                        // 2 in linear light is 4.8, as is its distance from a mean.
                        let largest = if format == RGBA8 { 1.0 } else { 5.0 };
                        let least = normalization.deviation.iter().copied().fold(f32::MAX, f32::min);
                        assert_within_tolerance_with_room(
                            &actual,
                            &expected,
                            &baseline,
                            Precision::from(element),
                            room(transfer, largest) / f64::from(least),
                            format!("{element:?} {format:?} {size} {transfer} {normalization:?}"),
                        );
                    }
                }
            }
        }
    }
}

/// Every byte in every channel, with alpha of no effect.
pub(crate) fn every_byte() -> (Size, Vec<u8>) {
    let texel = |value: u8| [value, 255 - value, value.wrapping_mul(77), value ^ 0x5a];
    (Size::new(4, 64), (0..=255).flat_map(texel).collect())
}

/// A device decodes with an error of at most half a step of 8 bits, so that every byte is the nearest again after encoding.
#[test]
fn texture_to_planes_of_srgb_is_linear() {
    let Some(gpu) = common::gpu() else { return };
    let (size, bytes) = every_byte();
    let picture = texture(gpu, SRGB, size, 1);
    fill(gpu, &picture, 0, &bytes);
    for element in gpu.elements() {
        let (_, linear) = planes_of(gpu, &picture, 0, ColorTransfer::None, ColorNormalization::NONE, element);
        let (_, encoded) = planes_of(gpu, &picture, 0, ColorTransfer::LinearToSrgb, ColorNormalization::NONE, element);
        for (index, texel) in bytes.chunks(4).enumerate() {
            for (channel, &byte) in texel[..3].iter().enumerate() {
                let at = channel * size.pixels() as usize + index;
                let again = 255.0 * reference::transferred(ColorTransfer::LinearToSrgb, f64::from(linear[at]));
                let by_kernel = 255.0 * f64::from(encoded[at]);
                // The half step, and the rounding of 16 bits.
                for (what, value) in [("decoded", again), ("encoded again", by_kernel)] {
                    let error = (value - f64::from(byte)).abs();
                    assert!(error < 0.63, "{element:?}, {byte} of channel {channel} is {value} {what}");
                }
            }
        }
    }
}

/// An image of a batch by the slice's offset, from one layer of several. Nothing else is written.
#[test]
fn texture_to_planes_of_a_layer_into_an_image_of_a_batch() {
    let Some(gpu) = common::gpu() else { return };
    let size = Size::new(8, 16);
    let picture = texture(gpu, RGBA8, size, 3);
    for layer in 0..3 {
        fill(gpu, &picture, layer, &[50 * layer as u8 + 5; 4].repeat(size.pixels() as usize));
    }
    for element in gpu.elements() {
        let output = gpu.output(3 * 3 * 128, element.bytes());
        let before = gpu.floats(&output, element);
        let operator =
            TextureToPlanes::new(compiler::of(&gpu.device), ColorTransfer::None, ColorNormalization::NONE, element)
                .unwrap();
        let image = 3 * 128 * element.bytes();
        let planes = output.slice().slice(image..2 * image);
        let buffers = TextureToPlanesBuffers { picture: &picture, layer: 2, planes };
        if gpu.device.adapter_info().backend == wgpu::Backend::Gl {
            let error = operator.bind(&gpu.device, shape_of(size), buffers).unwrap_err();
            assert!(error.to_string().contains("of 3 layers, needs of 1 layer on OpenGL"), "{error}");
            continue;
        }
        gpu.recording(&operator.bind(&gpu.device, shape_of(size), buffers).unwrap());
        let after = gpu.floats(&output, element);
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&after[..384]), bits(&before[..384]), "{element:?}: the image before");
        assert_eq!(bits(&after[768..]), bits(&before[768..]), "{element:?}: the image after");
        let near = |value: &f32| (255.0 * value - 105.0).abs() < 0.06;
        assert!(after[384..768].iter().all(near), "{element:?}: {:?}", &after[384..388]);
    }
}

/// A device that computes one workgroup in a dispatch.
pub(crate) fn dividing() -> Option<TestGpu> {
    common::gpu_with(&wgpu::Limits { max_compute_workgroups_per_dimension: 1, ..wgpu::Limits::default() })
}

/// Planes of a picture of several workgroups: the steps, and the planes.
pub(crate) fn read(gpu: &TestGpu, element: Element) -> (Recording, Vec<f32>) {
    let size = Size::new(9, 130);
    let picture = texture(gpu, RGBA16, size, 1);
    fill(gpu, &picture, 0, &random_texels(RGBA16, size).0);
    planes_of(gpu, &picture, 0, ColorTransfer::SrgbToLinear, ColorNormalization::IMAGENET, element)
}

#[test]
fn texture_to_planes_of_nothing_records_nothing() {
    let Some(gpu) = common::gpu() else { return };
    let picture = texture(gpu, RGBA8, Size::new(1, 1), 1);
    let operator =
        TextureToPlanes::new(compiler::of(&gpu.device), ColorTransfer::None, ColorNormalization::NONE, Element::F32)
            .unwrap();
    let planes = gpu.buffer("planes", 16).unwrap();
    let buffers = TextureToPlanesBuffers { picture: &picture, layer: 0, planes: planes.slice(..) };
    let recording = operator.bind(&gpu.device, Nchw::new(0, 3, 4, 4), buffers).unwrap();
    assert_eq!(recording.dispatches().len(), 0);
}
