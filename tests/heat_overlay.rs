use visual_attention::{
    ColorMap, Element, HeatOverlay, HeatOverlayBuffers, HeatOverlayShape, HeatOverlayTexture, Nchw, Nhw, Recording,
    Sampling, reference, wgpu,
};

use crate::common::{self, Random, TestGpu, rounded, wide};
use crate::compiler;

/// Every byte is the nearest to the reference; where that lies between two, within the rounding of f32, either.
fn assert_rounded(actual: &[u8], expected: &[f64], what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (index, (&byte, value)) in actual.iter().zip(expected).enumerate() {
        let error = (f64::from(byte) - 255.0 * value.clamp(0.0, 1.0)).abs();
        assert!(error <= 0.5 + 2e-4, "{what}: byte {index} is {byte}, expected {}", 255.0 * value);
    }
}

fn inputs(map: Nhw, pictures: Nchw, element: Element) -> (Vec<f32>, Vec<f32>) {
    let mut random = Random::new(11);
    let mut heat: Vec<f32> = (0..map.elements().unwrap()).map(|_| random.range(-0.2, 1.2)).collect();
    heat[0] = f32::NAN;
    let colors: Vec<f32> = (0..pictures.elements().unwrap()).map(|_| random.unit()).collect();
    (heat, rounded(&colors, element))
}

#[test]
fn buffer_matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let custom = ColorMap::Table(Box::new(std::array::from_fn(|level| [level as u8, 255 - level as u8, 7])));
    for element in gpu.elements() {
        for (map, pictures) in [
            (Nhw::new(1, 1, 1), Nchw::new(1, 3, 1, 1)),
            (Nhw::new(2, 7, 7), Nchw::new(2, 3, 50, 33)),
            (Nhw::new(1, 40, 30), Nchw::new(1, 3, 40, 30)),
        ] {
            let (heat, colors) = inputs(map, pictures, element);
            for color_map in [ColorMap::Turbo, ColorMap::Viridis, ColorMap::Grey, custom.clone()] {
                for opacity in [0.0, 0.5, 1.0] {
                    let operator =
                        HeatOverlay::new(compiler::of(&gpu.device), &color_map, Sampling::HalfPixel, element).unwrap();
                    let (map_in, pictures_in) = (gpu.upload("map", &heat).unwrap(), gpu.input(&colors, element));
                    let overlay = gpu.output(pictures.plane().elements().unwrap() as usize, 4);
                    let buffers = HeatOverlayBuffers {
                        map: map_in.slice(..),
                        pictures: pictures_in.slice(..),
                        overlay: overlay.slice(),
                    };
                    gpu.recording(
                        &operator.bind(&gpu.device, HeatOverlayShape { map, pictures }, opacity, buffers).unwrap(),
                    );
                    let table = color_map.table();
                    let expected = reference::heat_overlay(
                        map,
                        pictures,
                        Sampling::HalfPixel,
                        &table,
                        f64::from(opacity),
                        &wide(&heat),
                        &wide(&colors),
                    );
                    let actual: Vec<u32> = gpu.words(&overlay);
                    let what = format!("{element:?} {pictures} opacity {opacity}");
                    assert_rounded(bytemuck::cast_slice(&actual), &expected, &what);
                }
            }
        }
    }
}

/// A device whose bindings hold one of [`drawn`]'s two pictures.
pub(crate) fn dividing(element: Element) -> Option<TestGpu> {
    common::gpu_with(&wgpu::Limits {
        max_compute_workgroups_per_dimension: 1,
        max_storage_buffer_binding_size: 13 * 1024 * element.bytes(),
        ..wgpu::Limits::default()
    })
}

/// Pictures of 192 columns, 2 of them, drawn into a texture: the steps, the layers' bytes, and what they should be. A row of the copy
/// is then a multiple of the 256 bytes that texture copies need, and an image of f16 none of a binding's alignment.
pub(crate) fn drawn(gpu: &TestGpu, element: Element) -> (Recording, Vec<u8>, Vec<f64>) {
    let (map, pictures) = (Nhw::new(2, 9, 5), Nchw::new(2, 3, 21, 192));
    let (heat, colors) = inputs(map, pictures, element);
    let operator = HeatOverlay::new(compiler::of(&gpu.device), &ColorMap::Turbo, Sampling::HalfPixel, element).unwrap();
    let (map_in, pictures_in) = (gpu.upload("map", &heat).unwrap(), gpu.input(&colors, element));
    let texture = gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("overlay"),
        size: wgpu::Extent3d { width: 192, height: 21, depth_or_array_layers: 2 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let buffers = HeatOverlayTexture { map: map_in.slice(..), pictures: pictures_in.slice(..), overlay: &texture };
    let recording = operator.bind_texture(&gpu.device, HeatOverlayShape { map, pictures }, 0.6, buffers).unwrap();
    let copy = gpu.buffer("copy", 2 * 21 * 768).unwrap();
    gpu.submit(|encoder| {
        recording.record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(768), rows_per_image: Some(21) };
        encoder.copy_texture_to_buffer(
            texture.as_image_copy(),
            wgpu::TexelCopyBufferInfo { buffer: &copy, layout },
            texture.size(),
        );
    })
    .unwrap();
    let table = ColorMap::Turbo.table();
    // The opacity that the kernel is given.
    let opacity = f64::from(0.6f32);
    let expected =
        reference::heat_overlay(map, pictures, Sampling::HalfPixel, &table, opacity, &wide(&heat), &wide(&colors));
    (recording, gpu.read::<u8>(copy.slice(..)).unwrap(), expected)
}

/// Each image goes to its own layer, on a device too that has to divide the work; a renderer samples them next.
#[test]
fn texture_holds_what_the_buffer_does() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        let Some(limited) = dividing(element) else { return };
        for gpu in [gpu, &limited] {
            let (_, bytes, expected) = drawn(gpu, element);
            assert_rounded(&bytes, &expected, "texture");
        }
    }
}
