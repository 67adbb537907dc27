use half::f16;
use visual_attention::{
    ColorNormalization, ColorTransfer, Element, Nchw, PlanesToTexture, PlanesToTextureBuffers, Recording, Size,
    reference, wgpu,
};

use crate::common::{self, Random, TestGpu, rounded, wide};
use crate::compiler;
use crate::texture_to_planes::{
    NORMALIZATIONS, RGBA8, RGBA16, SIZES, TRANSFERS, every_byte, fill, planes_of, random_texels, room, shape_of,
    texture,
};

/// The bytes of a layer.
fn stored(gpu: &TestGpu, texture: &wgpu::Texture, layer: u32) -> Vec<u8> {
    let row = texture.width() * texture.format().block_copy_size(None).unwrap();
    let padded = row.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let copy = gpu.buffer("copy", u64::from(padded * texture.height())).unwrap();
    gpu.submit(|encoder| {
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(padded), rows_per_image: None };
        encoder.copy_texture_to_buffer(
            wgpu::TexelCopyTextureInfo { origin: wgpu::Origin3d { x: 0, y: 0, z: layer }, ..texture.as_image_copy() },
            wgpu::TexelCopyBufferInfo { buffer: &copy, layout },
            wgpu::Extent3d { depth_or_array_layers: 1, ..texture.size() },
        );
    })
    .unwrap();
    let bytes = gpu.read::<u8>(copy.slice(..)).unwrap();
    bytes.chunks(padded as usize).flat_map(|line| &line[..row as usize]).copied().collect()
}

/// Writes planes into layer `layer`: the step, and the layer's bytes.
fn write(
    gpu: &TestGpu,
    picture: &wgpu::Texture,
    layer: u32,
    (channels, planes): (u32, &[f32]),
    transfer: ColorTransfer,
    (normalization, element): (ColorNormalization, Element),
) -> (Recording, Vec<u8>) {
    let shape = Nchw::new(1, channels, picture.height(), picture.width());
    let operator = PlanesToTexture::new(compiler::of(&gpu.device), transfer, normalization, element).unwrap();
    let input = gpu.input(planes, element);
    let buffers = PlanesToTextureBuffers { planes: input.slice(..), picture, layer };
    let recording = operator.bind(&gpu.device, shape, buffers).unwrap();
    gpu.recording(&recording);
    (recording, stored(gpu, picture, layer))
}

fn random_planes(shape: Nchw, normalization: ColorNormalization, element: Element) -> Vec<f32> {
    let mut random = Random::new(8);
    let pixels = shape.size().pixels() as usize;
    let planes: Vec<_> = (0..shape.elements().unwrap() as usize)
        .map(|at| {
            let channel = at / pixels;
            (random.range(-0.1, 1.1) - normalization.mean[channel]) / normalization.deviation[channel]
        })
        .collect();
    rounded(&planes, element)
}

#[test]
fn planes_to_texture_matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for (size, channels) in SIZES.into_iter().flat_map(|size| [(size, 3), (size, 1)]) {
            let shape = Nchw::new(1, channels, size.height, size.width);
            let pictures = [RGBA8, RGBA16].map(|format| texture(gpu, format, size, 1));
            for transfer in TRANSFERS {
                for normalization in NORMALIZATIONS {
                    let planes = random_planes(shape, normalization, element);
                    let expected = reference::planes_to_texture(shape, transfer, normalization, &wide(&planes));
                    let what = format!("{element:?} {shape} {transfer} {normalization:?}");
                    for picture in &pictures {
                        let given = (channels, planes.as_slice());
                        let (_, texels) = write(gpu, picture, 0, given, transfer, (normalization, element));
                        // 1.1 decoded is 1.24. Twice: the sum with a mean rounds before the transfer.
                        let room = 2.0 * room(transfer, 1.25);
                        if picture.format() == RGBA8 {
                            assert_eq!(texels.len(), expected.len(), "{what}");
                            for (at, (&byte, value)) in texels.iter().zip(&expected).enumerate() {
                                let error = (f64::from(byte) - 255.0 * value.clamp(0.0, 1.0)).abs();
                                // Between two bytes either is right, within the rounding of f32. Encoding magnifies it by up to 12.92.
                                assert!(error <= 0.5 + 13.0 * 255.0 * room, "{what}: {at} is {byte}, not {value}");
                            }
                        } else {
                            let halves: Vec<f16> = bytemuck::pod_collect_to_vec(&texels);
                            assert_eq!(halves.len(), expected.len(), "{what}");
                            for (at, (half, value)) in halves.iter().zip(&expected).enumerate() {
                                // Either neighbour: less than a step of 2^-10 of the number.
                                let error = (half.to_f64() - value).abs();
                                let step = (value.abs() / 1024.0).max(6e-8);
                                assert!(error <= step + 13.0 * room, "{what}: {at} is {half}, not {value}");
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Texture, planes, texture: every byte comes back, for planes of 16 bits too. Near linear 0 a 16-bit number around -2 is within 2^-10,
/// which times a deviation of 0.229 and a slope of 12.92 is 0.74 of a byte: there each byte is within one step.
#[test]
fn planes_to_texture_gives_every_byte_back() {
    let Some(gpu) = common::gpu() else { return };
    let (size, bytes) = every_byte();
    let (from, to) = (texture(gpu, RGBA8, size, 1), texture(gpu, RGBA8, size, 1));
    fill(gpu, &from, 0, &bytes);
    let opaque: Vec<u8> = bytes.chunks(4).flat_map(|texel| [texel[0], texel[1], texel[2], 255]).collect();
    let back = [
        (ColorTransfer::None, ColorTransfer::None),
        (ColorTransfer::SrgbToLinear, ColorTransfer::LinearToSrgb),
        (ColorTransfer::LinearToSrgb, ColorTransfer::SrgbToLinear),
    ];
    for element in gpu.elements() {
        for (there, back) in back {
            for normalization in NORMALIZATIONS {
                let (_, planes) = planes_of(gpu, &from, 0, there, normalization, element);
                let (_, texels) = write(gpu, &to, 0, (3, &planes), back, (normalization, element));
                let coarse = element == Element::F16
                    && there == ColorTransfer::SrgbToLinear
                    && normalization != ColorNormalization::NONE;
                let steps = texels.iter().zip(&opaque).map(|(a, e)| a.abs_diff(*e)).max();
                assert_eq!(texels.len(), opaque.len());
                assert!(steps <= Some(u8::from(coarse)), "{element:?} {there} {normalization:?}: {steps:?} steps");
            }
        }
    }
}

/// An sRGB texture, decoded by the device and encoded by the kernel: each byte within one step.
#[test]
fn planes_to_texture_encodes_what_an_srgb_texture_decodes() {
    let Some(gpu) = common::gpu() else { return };
    let (size, bytes) = every_byte();
    let from = texture(gpu, wgpu::TextureFormat::Rgba8UnormSrgb, size, 1);
    // Its sRGB views are for a renderer. OpenGL has none.
    let has_view_formats = gpu.device.adapter_info().backend != wgpu::Backend::Gl;
    let view_formats: &[_] = if has_view_formats { &[wgpu::TextureFormat::Rgba8UnormSrgb] } else { &[] };
    let to = gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("picture"),
        size: from.size(),
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: RGBA8,
        usage: wgpu::TextureUsages::STORAGE_BINDING
            | wgpu::TextureUsages::TEXTURE_BINDING
            | wgpu::TextureUsages::COPY_SRC,
        view_formats,
    });
    fill(gpu, &from, 0, &bytes);
    for element in gpu.elements() {
        let (_, planes) = planes_of(gpu, &from, 0, ColorTransfer::None, ColorNormalization::NONE, element);
        let options = (ColorNormalization::NONE, element);
        let (_, texels) = write(gpu, &to, 0, (3, &planes), ColorTransfer::LinearToSrgb, options);
        for (actual, expected) in texels.chunks(4).zip(bytes.chunks(4)) {
            let near = actual[..3].iter().zip(expected).all(|(a, e)| a.abs_diff(*e) <= 1);
            assert!(near && actual[3] == 255, "{element:?}: {actual:?}, not {expected:?}");
        }
    }
    // As the docs say that a renderer gets it.
    if has_view_formats {
        let _view = to.create_view(&wgpu::TextureViewDescriptor {
            format: Some(wgpu::TextureFormat::Rgba8UnormSrgb),
            usage: Some(wgpu::TextureUsages::TEXTURE_BINDING),
            ..Default::default()
        });
    }
    gpu.run(|_| ()).unwrap();
}

/// A number of 16 bits is stored as it is, and read back as it is.
#[test]
fn planes_to_texture_of_halves_gives_every_bit_back() {
    let Some(gpu) = common::gpu() else { return };
    let size = Size::new(5, 65);
    let (from, to) = (texture(gpu, RGBA16, size, 1), texture(gpu, RGBA16, size, 1));
    let (bytes, texels) = random_texels(RGBA16, size);
    fill(gpu, &from, 0, &bytes);
    for element in gpu.elements() {
        let (_, planes) = planes_of(gpu, &from, 0, ColorTransfer::None, ColorNormalization::NONE, element);
        let options = (ColorNormalization::NONE, element);
        let (_, bytes) = write(gpu, &to, 0, (3, &planes), ColorTransfer::None, options);
        let halves: Vec<f16> = bytemuck::pod_collect_to_vec(&bytes);
        for (actual, expected) in halves.chunks(4).zip(texels.chunks(4)) {
            assert_eq!(actual[..3].iter().map(|half| half.to_f32()).collect::<Vec<_>>(), expected[..3], "{element:?}");
            assert_eq!(actual[3].to_f32(), 1.0, "{element:?}: alpha");
        }
    }
}

/// NaN is 0, and numbers outside 0..1 are clamped. Only the given layer is written.
#[test]
fn planes_to_texture_clamps_and_leaves_other_layers() {
    let Some(gpu) = common::gpu() else { return };
    let size = Size::new(1, 3);
    let planes = [f32::NAN, -3.0, 7.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1.0, 0.0, 0.5];
    for element in gpu.elements() {
        for transfer in TRANSFERS {
            let picture = texture(gpu, RGBA8, size, 3);
            for layer in 0..3 {
                fill(gpu, &picture, layer, &[9; 12]);
            }
            let options = (ColorNormalization::NONE, element);
            let (_, texels) = write(gpu, &picture, 1, (3, &planes), transfer, options);
            let half = match transfer {
                ColorTransfer::SrgbToLinear => 55,
                ColorTransfer::LinearToSrgb => 188,
                _ => 128,
            };
            let expected = [0, 255, 255, 255, 0, 0, 0, 255, 255, 0, half, 255];
            assert_eq!(texels, expected, "{element:?} {transfer}");
            for layer in [0, 2] {
                assert_eq!(stored(gpu, &picture, layer), [9; 12], "{element:?} layer {layer}");
            }
        }
    }
}

/// Textures of several workgroups, one of each format: the steps, and the texels.
pub(crate) fn written(gpu: &TestGpu, element: Element) -> [(Recording, Vec<u8>); 2] {
    let shape = shape_of(Size::new(9, 130));
    [RGBA8, RGBA16].map(|format| {
        let picture = texture(gpu, format, shape.size(), 1);
        let planes = random_planes(shape, ColorNormalization::IMAGENET, element);
        let options = (ColorNormalization::IMAGENET, element);
        write(gpu, &picture, 0, (3, &planes), ColorTransfer::LinearToSrgb, options)
    })
}
