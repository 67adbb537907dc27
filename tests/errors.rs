//! Every error through the public API, at least twice, with the names and both figures in its message.

use std::time::{Duration, Instant};

use visual_attention::host::Gpu;
use visual_attention::wgpu::{self, BufferUsages};
use visual_attention::{
    AttendedRegion, AttendedRegionBuffers, AttendedRegionShape, AttentionMap, AttentionMapBuffers, BoundingBox,
    BoundingBoxBuffers, ColorMap, ColorNormalization, ColorTransfer, Connectivity, CropEnd, CropResize,
    CropResizeBuffers, CropResizeShape, Element, Epilogue, Error, GlobalPool, HeatOverlay, HeatOverlayBuffers,
    HeatOverlayShape, HeatOverlayTexture, LargestComponent, Nchw, Nhw, Normalization, Normalize, NormalizeBuffers,
    PlanesToTexture, PlanesToTextureBuffers, Resize, ResizeBuffers, ResizeShape, Sampling, Size, SpatialGate,
    SpatialGateShape, Squeeze, Statistic, TextureToPlanes, TextureToPlanesBuffers, Threshold, ThresholdBuffers,
    ThresholdRule, ThresholdShape, reference,
};

use crate::common::{self, TestGpu};
use crate::compiler;

fn buffer(gpu: &Gpu, bytes: u64, usage: BufferUsages) -> wgpu::Buffer {
    gpu.device.create_buffer(&wgpu::BufferDescriptor { label: None, size: bytes, usage, mapped_at_creation: false })
}

/// The refusal of an attention map over slices of `[offset, bytes]`.
fn attention_map(gpu: &Gpu, shape: Nchw, features: wgpu::BufferSlice<'_>, map: wgpu::BufferSlice<'_>) -> Error {
    let operator = AttentionMap::new(compiler::of(&gpu.device), Statistic::MaxAbs, Element::F32).unwrap();
    operator.bind(&gpu.device, shape, AttentionMapBuffers { features, map }).unwrap_err()
}

fn resize(gpu: &Gpu, shape: Nchw, size: Size, input: wgpu::BufferSlice<'_>, output: wgpu::BufferSlice<'_>) -> Error {
    let operator = Resize::new(compiler::of(&gpu.device), Sampling::HalfPixel, Element::F32).unwrap();
    operator.bind(&gpu.device, ResizeShape { input: shape, output: size }, ResizeBuffers { input, output }).unwrap_err()
}

#[track_caller]
fn assert_says(error: &Error, words: &[&str]) {
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "`{message}` does not say `{word}`");
    }
}

const SHAPE: Nchw = Nchw::new(2, 3, 4, 5);

#[test]
fn buffer_too_small() {
    let Some(gpu) = common::gpu() else { return };
    let (full, short) = (buffer(gpu, 480, BufferUsages::STORAGE), buffer(gpu, 476, BufferUsages::STORAGE));
    let map = buffer(gpu, 160, BufferUsages::STORAGE);
    let error = attention_map(gpu, SHAPE, short.slice(..), map.slice(..));
    assert_eq!(error, Error::BufferTooSmall { op: "attention_map", binding: "features", given: 476, needed: 480 });
    assert_says(&error, &["attention_map", "`features`", "476", "480"]);
    let error = attention_map(gpu, SHAPE, full.slice(..), map.slice(..156));
    assert_eq!(error, Error::BufferTooSmall { op: "attention_map", binding: "map", given: 156, needed: 160 });
}

#[test]
fn missing_usage() {
    let Some(gpu) = common::gpu() else { return };
    let (input, output) = (buffer(gpu, 480, BufferUsages::COPY_SRC), buffer(gpu, 480, BufferUsages::STORAGE));
    let error = attention_map(gpu, SHAPE, input.slice(..), output.slice(..));
    assert!(matches!(error, Error::MissingUsage { op: "attention_map", binding: "features", .. }), "{error}");
    assert_says(&error, &["COPY_SRC", "STORAGE"]);
    let error = resize(gpu, SHAPE, Size::new(1, 1), output.slice(..), input.slice(..));
    assert!(matches!(error, Error::MissingUsage { op: "resize", binding: "output", .. }), "{error}");
}

#[test]
fn misaligned_offset() {
    let Some(gpu) = common::gpu() else { return };
    let (input, output) = (buffer(gpu, 1024, BufferUsages::STORAGE), buffer(gpu, 1024, BufferUsages::STORAGE));
    let error = attention_map(gpu, SHAPE, input.slice(4..), output.slice(..));
    let alignment = u64::from(gpu.device.limits().min_storage_buffer_offset_alignment);
    assert_eq!(error, Error::MisalignedOffset { op: "attention_map", binding: "features", offset: 4, alignment });
    let error = attention_map(gpu, SHAPE, input.slice(..), output.slice(12..));
    assert_says(&error, &["attention_map", "`map`", "12", &alignment.to_string()]);
}

#[test]
fn aliased() {
    let Some(gpu) = common::gpu() else { return };
    let one = buffer(gpu, 4096, BufferUsages::STORAGE);
    let error = attention_map(gpu, SHAPE, one.slice(..), one.slice(256..));
    assert_eq!(error, Error::Aliased { op: "attention_map", output: "map", other: "features" });
    let error = resize(gpu, SHAPE, SHAPE.size(), one.slice(..), one.slice(..));
    assert_says(&error, &["resize", "`output`", "`input`"]);
}

#[test]
fn invalid_shape() {
    let Some(gpu) = common::gpu() else { return };
    let (input, output) = (buffer(gpu, 1024, BufferUsages::STORAGE), buffer(gpu, 1024, BufferUsages::STORAGE));
    let error = attention_map(gpu, Nchw::new(1, 0, 4, 5), input.slice(..), output.slice(..));
    assert!(matches!(error, Error::InvalidShape { op: "attention_map", binding: "features", .. }), "{error}");
    assert_says(&error, &["[1, 0, 4, 5]", "channel"]);
    let error = attention_map(gpu, Nchw::new(u32::MAX, u32::MAX, u32::MAX, 7), input.slice(..), output.slice(..));
    assert!(matches!(error, Error::InvalidShape { .. }), "{error}");
    let error = resize(gpu, Nchw::new(1, 1, 0, 5), Size::new(2, 2), input.slice(..), output.slice(..));
    assert_says(&error, &["resize", "[0, 5]"]);
    let operator =
        HeatOverlay::new(compiler::of(&gpu.device), &ColorMap::Turbo, Sampling::HalfPixel, Element::F32).unwrap();
    for pictures in [Nchw::new(1, 4, 2, 2), Nchw::new(2, 3, 2, 2)] {
        let other = buffer(gpu, 1024, BufferUsages::STORAGE);
        let buffers = HeatOverlayBuffers { map: input.slice(..), pictures: other.slice(..), overlay: output.slice(..) };
        let error = operator
            .bind(&gpu.device, HeatOverlayShape { map: Nhw::new(1, 2, 2), pictures }, 0.5, buffers)
            .unwrap_err();
        assert_says(&error, &["heat_overlay", "`pictures`", &pictures.to_string(), "[1, 3, h, w]"]);
    }
    let operator = BoundingBox::new(&gpu.device).unwrap();
    let buffers = BoundingBoxBuffers { mask: input.slice(..), boxes: output.slice(..) };
    let error = operator.bind(&gpu.device, Nhw::new(1, 0, 0), buffers).unwrap_err();
    assert_says(&error, &["bounding_box", "`mask`", "[0, 0]"]);
}

#[test]
fn invalid_parameter() {
    let Some(gpu) = common::gpu() else { return };
    for threshold in [f32::NAN, f32::INFINITY] {
        let error = Threshold::new(compiler::of(&gpu.device), ThresholdRule::Value(threshold), Sampling::HalfPixel)
            .unwrap_err();
        assert!(matches!(error, Error::InvalidParameter { op: "threshold", parameter: "threshold", .. }), "{error}");
        assert_says(&error, &[&threshold.to_string(), "finite"]);
    }
    let storage: Vec<_> = (0..3).map(|_| buffer(gpu, 64, BufferUsages::STORAGE)).collect();
    let operator =
        HeatOverlay::new(compiler::of(&gpu.device), &ColorMap::Grey, Sampling::HalfPixel, Element::F32).unwrap();
    for opacity in [-0.1, 1.5, f32::NAN] {
        let buffers = HeatOverlayBuffers {
            map: storage[0].slice(..),
            pictures: storage[1].slice(..),
            overlay: storage[2].slice(..),
        };
        let error = operator
            .bind(
                &gpu.device,
                HeatOverlayShape { map: Nhw::new(1, 2, 2), pictures: Nchw::new(1, 3, 2, 2) },
                opacity,
                buffers,
            )
            .unwrap_err();
        assert_says(&error, &["heat_overlay", "`opacity`", &opacity.to_string(), "0 to 1"]);
    }
}

fn texture(gpu: &TestGpu, width: u32, format: wgpu::TextureFormat, usage: wgpu::TextureUsages) -> wgpu::Texture {
    gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width, height: 2, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage,
        view_formats: &[],
    })
}

#[test]
fn invalid_texture() {
    let Some(gpu) = common::gpu() else { return };
    let (map, pictures) = (buffer(gpu, 64, BufferUsages::STORAGE), buffer(gpu, 64, BufferUsages::STORAGE));
    let operator =
        HeatOverlay::new(compiler::of(&gpu.device), &ColorMap::Grey, Sampling::HalfPixel, Element::F32).unwrap();
    let bind = |overlay: &wgpu::Texture| {
        let buffers = HeatOverlayTexture { map: map.slice(..), pictures: pictures.slice(..), overlay };
        operator
            .bind_texture(
                &gpu.device,
                HeatOverlayShape { map: Nhw::new(1, 2, 2), pictures: Nchw::new(1, 3, 2, 2) },
                0.5,
                buffers,
            )
            .unwrap_err()
    };
    let (rgba, storage) = (wgpu::TextureFormat::Rgba8Unorm, wgpu::TextureUsages::STORAGE_BINDING);
    let error = bind(&texture(gpu, 3, rgba, storage));
    assert!(matches!(error, Error::InvalidTexture { op: "heat_overlay", binding: "overlay", .. }), "{error}");
    assert_says(&error, &["3 by 2", "2 by 2"]);
    let error = bind(&texture(gpu, 2, wgpu::TextureFormat::R32Float, storage));
    assert_says(&error, &["R32Float", "Rgba8Unorm"]);
    let error = bind(&texture(gpu, 2, rgba, wgpu::TextureUsages::COPY_SRC));
    assert!(matches!(error, Error::MissingUsage { op: "heat_overlay", binding: "overlay", .. }), "{error}");
}

/// What a picture's texture and planes must be, in both directions.
#[test]
fn invalid_picture() {
    let Some(gpu) = common::gpu() else { return };
    let (none, identity) = (ColorTransfer::None, ColorNormalization::NONE);
    let reader = TextureToPlanes::new(compiler::of(&gpu.device), none, identity, Element::F32).unwrap();
    let writer = PlanesToTexture::new(compiler::of(&gpu.device), none, identity, Element::F32).unwrap();
    let planes = buffer(gpu, 1024, BufferUsages::STORAGE);
    let read_into = |shape: Nchw, picture: &wgpu::Texture, layer: u32, planes: wgpu::BufferSlice<'_>| {
        reader.bind(&gpu.device, shape, TextureToPlanesBuffers { picture, layer, planes }).unwrap_err()
    };
    let write = |shape: Nchw, picture: &wgpu::Texture, layer: u32| {
        let buffers = PlanesToTextureBuffers { planes: planes.slice(..), picture, layer };
        writer.bind(&gpu.device, shape, buffers).unwrap_err()
    };
    let read = |shape, picture: &wgpu::Texture, layer| read_into(shape, picture, layer, planes.slice(..));
    let (rgba, srgb) = (wgpu::TextureFormat::Rgba8Unorm, wgpu::TextureFormat::Rgba8UnormSrgb);
    let (storage, sampled) = (wgpu::TextureUsages::STORAGE_BINDING, wgpu::TextureUsages::TEXTURE_BINDING);
    let shape = Nchw::new(1, 3, 2, 2);
    for layer in [1, u32::MAX] {
        let error = read(shape, &texture(gpu, 2, rgba, sampled), layer);
        assert!(matches!(error, Error::InvalidTexture { op: "texture_to_planes", binding: "picture", .. }), "{error}");
        let error = write(shape, &texture(gpu, 2, rgba, storage), layer);
        assert!(matches!(error, Error::InvalidTexture { op: "planes_to_texture", binding: "picture", .. }), "{error}");
        assert_says(&error, &["of 1 layers", &format!("at least {} layers", layer.saturating_add(1))]);
    }
    assert_says(&read(shape, &texture(gpu, 3, srgb, sampled), 0), &["3 by 2", "2 by 2"]);
    assert_says(&write(shape, &texture(gpu, 3, rgba, storage), 0), &["3 by 2", "2 by 2"]);
    let bgra = texture(gpu, 2, wgpu::TextureFormat::Bgra8Unorm, sampled);
    assert_says(&read(shape, &bgra, 0), &["Bgra8Unorm", "Rgba8Unorm or Rgba8UnormSrgb or Rgba16Float"]);
    let error = write(shape, &texture(gpu, 2, srgb, sampled), 0);
    assert_says(&error, &["D2 Rgba8UnormSrgb, 2 by 2", "Rgba8Unorm or Rgba16Float"]);
    let error = read(shape, &texture(gpu, 2, rgba, storage), 0);
    assert_says(&error, &["texture_to_planes", "`picture`", "STORAGE_BINDING", "TextureUsages::TEXTURE_BINDING"]);
    let error = write(shape, &texture(gpu, 2, rgba, sampled), 0);
    assert_says(&error, &["planes_to_texture", "`picture`", "TEXTURE_BINDING", "TextureUsages::STORAGE_BINDING"]);

    let picture = texture(gpu, 2, rgba, storage | sampled);
    for shape in [Nchw::new(2, 3, 2, 2), Nchw::new(1, 4, 2, 2)] {
        assert_says(&read(shape, &picture, 0), &["texture_to_planes", "`planes`", &shape.to_string(), "[1, 3, h, w]"]);
        assert_says(&write(shape, &picture, 0), &["planes_to_texture", "`planes`", &shape.to_string(), "[1, 1, h, w]"]);
    }
    assert!(matches!(read(Nchw::new(1, 1, 2, 2), &picture, 0), Error::InvalidShape { .. }));
    let error = read_into(shape, &picture, 0, planes.slice(48..));
    assert!(matches!(error, Error::MisalignedOffset { binding: "planes", offset: 48, .. }), "{error}");
    let error = read_into(shape, &picture, 0, planes.slice(..44));
    assert!(matches!(error, Error::BufferTooSmall { binding: "planes", given: 44, needed: 48, .. }), "{error}");
}

#[test]
fn invalid_color_normalization() {
    let Some(gpu) = common::gpu() else { return };
    let refusal = |normalization| {
        let compiler = || compiler::of(&gpu.device);
        let error = TextureToPlanes::new(compiler(), ColorTransfer::None, normalization, Element::F32).unwrap_err();
        let other = PlanesToTexture::new(compiler(), ColorTransfer::None, normalization, Element::F32).unwrap_err();
        assert_eq!(error.to_string().replace("texture_to_planes", "planes_to_texture"), other.to_string());
        error
    };
    for mean in [f32::NAN, f32::INFINITY] {
        let error = refusal(ColorNormalization { mean: [0.5, mean, 0.5], ..ColorNormalization::NONE });
        assert_says(&error, &["texture_to_planes", "`mean`", &mean.to_string(), "finite"]);
    }
    for deviation in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-39, 3e38] {
        let error = refusal(ColorNormalization { deviation: [1.0, 1.0, deviation], ..ColorNormalization::NONE });
        assert_says(&error, &["texture_to_planes", "`deviation`", "2^-126 to 2^126"]);
    }
}

#[test]
fn missing_feature() {
    if common::gpu().is_none() {
        return;
    }
    let gpu = Gpu::open_with(wgpu::Features::empty(), &wgpu::Limits::default()).unwrap();
    let error = AttentionMap::new(compiler::of(&gpu.device), Statistic::Max, Element::F16).unwrap_err();
    assert_eq!(error, Error::MissingFeature { op: "attention_map", feature: "SHADER_F16" });
    let error =
        CropResize::new(compiler::of(&gpu.device), CropEnd::Inclusive, Sampling::HalfPixel, Element::F16).unwrap_err();
    assert_says(&error, &["crop_resize", "SHADER_F16", "required_features"]);
}

#[test]
fn limit_exceeded() {
    let Some(gpu) = common::gpu() else { return };
    // Of the device's bindings: a small limit, so that no large buffer is needed.
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 4096, ..wgpu::Limits::default() };
    let small = Gpu::open_with(wgpu::Features::empty(), &limits).unwrap();
    let (input, output) = (buffer(&small, 20_000, BufferUsages::STORAGE), buffer(&small, 4096, BufferUsages::STORAGE));
    let error = attention_map(&small, Nchw::new(2, 100, 4, 5), input.slice(..), output.slice(..));
    assert_eq!(
        error,
        Error::LimitExceeded {
            op: "attention_map",
            limit: "max_storage_buffer_binding_size",
            needed: 8256,
            given: 4096
        }
    );
    assert_says(&error, &["required_limits"]);
    // Of its workgroups.
    let limits = wgpu::Limits { max_compute_invocations_per_workgroup: 128, ..wgpu::Limits::default() };
    let narrow = Gpu::open_with(wgpu::Features::empty(), &limits).unwrap();
    let error = GlobalPool::new(compiler::of(&narrow.device), Squeeze::Mean, Element::F32).unwrap_err();
    assert_says(&error, &["global_pool", "max_compute_invocations_per_workgroup", "256", "128"]);
    // Of the kernels: loops, and 32-bit ratios.
    let (input, output) = (buffer(gpu, 1 << 22, BufferUsages::STORAGE), buffer(gpu, 1 << 22, BufferUsages::STORAGE));
    let error = resize(gpu, Nchw::new(1, 1, 1, 65_521), Size::new(1, 65_519), input.slice(..), output.slice(..));
    assert_says(&error, &["resize", "resampling ratio"]);
    let operator =
        CropResize::new(compiler::of(&gpu.device), CropEnd::Inclusive, Sampling::HalfPixel, Element::F32).unwrap();
    let boxes = buffer(gpu, 64, BufferUsages::STORAGE);
    let buffers = CropResizeBuffers { images: input.slice(..), boxes: boxes.slice(..), crops: output.slice(..) };
    let error = operator
        .bind(&gpu.device, CropResizeShape { images: Nchw::new(1, 1, 1, 65_521), crop: Size::new(1, 65_519) }, buffers)
        .unwrap_err();
    assert_says(&error, &["crop_resize", "2 * input * output"]);
    let operator = Threshold::new(compiler::of(&gpu.device), ThresholdRule::Otsu, Sampling::HalfPixel).unwrap();
    let mask = buffer(gpu, 4 << 24, BufferUsages::STORAGE);
    let large = buffer(gpu, (4 << 24) + 4, BufferUsages::STORAGE);
    let buffers = ThresholdBuffers { map: mask.slice(..), mask: large.slice(..) };
    let error = operator
        .bind(&gpu.device, ThresholdShape { map: Nhw::new(1, 1, 1), mask: Size::new((1 << 24) + 1, 1) }, buffers)
        .unwrap_err();
    assert_says(&error, &["threshold", "Otsu", "16777217", "16777216"]);
}

#[test]
fn device_unavailable_and_lost() {
    if common::gpu().is_none() {
        return;
    }
    let gpu = Gpu::open_with(wgpu::Features::empty(), &wgpu::Limits::default()).unwrap();
    let map = gpu.upload("map", &[0.0f32; 16]).unwrap();
    let operator = Normalize::new(compiler::of(&gpu.device), Normalization::MinMax).unwrap();
    let resize_operator = Resize::new(compiler::of(&gpu.device), Sampling::HalfPixel, Element::F32).unwrap();
    let output = gpu.upload("output", &[0.0f32; 16]).unwrap();
    gpu.device.destroy();
    let error = operator
        .bind(&gpu.device, Nhw::new(1, 4, 4), NormalizeBuffers { map: map.slice(..), range: None })
        .unwrap_err();
    assert_eq!(error, Error::DeviceUnavailable { op: "normalize" });
    let buffers = ResizeBuffers { input: map.slice(..), output: output.slice(..) };
    let error = resize_operator
        .bind(&gpu.device, ResizeShape { input: Nchw::new(1, 1, 4, 4), output: Size::new(2, 2) }, buffers)
        .unwrap_err();
    assert_eq!(error, Error::DeviceUnavailable { op: "resize" });
    for _ in 0..2 {
        for outcome in [
            gpu.upload("late", &[1.0f32]).map(drop),
            gpu.read::<f32>(map.slice(..)).map(drop),
            gpu.buffer("late", 4).map(drop),
            gpu.wait(),
        ] {
            assert!(matches!(outcome, Err(Error::DeviceLost { .. })), "{outcome:?}");
        }
    }
}

#[test]
fn no_device() {
    if common::gpu().is_none() {
        return;
    }
    for limits in [
        wgpu::Limits { max_buffer_size: u64::MAX, ..wgpu::Limits::default() },
        wgpu::Limits { max_compute_workgroup_size_x: u32::MAX, ..wgpu::Limits::default() },
    ] {
        let error = Gpu::open_with(wgpu::Features::empty(), &limits).unwrap_err();
        assert!(matches!(error, Error::NoDevice { .. }), "{error}");
        assert_says(&error, &["device"]);
    }
}

/// In processes of their own, whose environment asks for an adapter that there is not.
#[test]
fn no_adapter() {
    let probe = std::env::current_exe().unwrap();
    // The loader's two names of one thing: it looks at the second first.
    let drivers = [("VK_ICD_FILENAMES", "/nonexistent.json"), ("VK_DRIVER_FILES", "/nonexistent.json")];
    for variables in [[("WGPU_ADAPTER_NAME", "no such adapter")].as_slice(), &drivers] {
        let output = std::process::Command::new(&probe)
            .args(["--exact", "errors::adapter_probe", "--nocapture"])
            .envs(variables.iter().copied())
            .env("WGPU_BACKEND", "vulkan")
            .env("VISUAL_ATTENTION_PROBE", "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("probe: no GPU adapter"), "{variables:?}: {text}");
    }
}

/// Only for [`no_adapter`]: says what `Gpu::open` gives in this process's environment.
#[test]
fn adapter_probe() {
    if std::env::var_os("VISUAL_ATTENTION_PROBE").is_some() {
        match Gpu::open() {
            Err(error @ Error::NoAdapter { .. }) => println!("probe: {error}"),
            other => println!("probe: unexpected {other:?}"),
        }
    }
}

/// In a process of its own with little address space, which a software driver takes buffers from.
#[test]
fn out_of_memory() {
    let Some(gpu) = common::gpu() else { return };
    if gpu.adapter.device_type != wgpu::DeviceType::Cpu || !cfg!(target_os = "linux") {
        common::skipped("only a software driver on Linux can be held to an amount of memory");
        return;
    }
    common::with_known_faults("errors::out_of_memory", gpu, || {
        let output = std::process::Command::new("sh")
            .args(["-c", "ulimit -v 8000000; exec \"$0\" --exact errors::memory_probe --nocapture"])
            .arg(std::env::current_exe().unwrap())
            .env("VISUAL_ATTENTION_PROBE", "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            text.matches("probe: out of memory").count(),
            2,
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(text.contains("probe: works on"), "{text}");
    });
}

/// Only for [`out_of_memory`]: takes buffers until there are no more, twice, and then works on.
#[test]
fn memory_probe() {
    if std::env::var_os("VISUAL_ATTENTION_PROBE").is_none() {
        return;
    }
    let gpu = Gpu::open_large().unwrap();
    let size = gpu.device.limits().max_buffer_size / 4;
    let mut held = Vec::new();
    let mut errors = Vec::new();
    while errors.len() < 2 && held.len() < 100 {
        match gpu.buffer("held", size) {
            Ok(buffer) => held.push(buffer),
            Err(error) => errors.push(error),
        }
    }
    for error in errors {
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error:?}");
        println!("probe: {error}");
    }
    held.clear();
    let small = gpu.upload("small", &[5u32]).unwrap();
    assert_eq!(gpu.read::<u32>(small.slice(..)).unwrap(), [5]);
    println!("probe: works on");
}

#[test]
fn refused() {
    let Some(gpu) = common::gpu() else { return };
    let three = gpu.upload("three bytes too many", &[1u32, 2, 3]).unwrap();
    let error = gpu.read::<[u32; 2]>(three.slice(..)).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert_says(&error, &["12 bytes", "8 bytes"]);
    let error = gpu.buffer("too large", gpu.device.limits().max_buffer_size + 4).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    let error = gpu.run(|pass| pass.dispatch_workgroups(1, 1, 1)).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    // And the device goes on.
    assert_eq!(gpu.read::<u32>(three.slice(..)).unwrap(), [1, 2, 3]);
}

/// A wait ends with its limit while the work goes on, which does no harm: the device then does what it is asked.
#[test]
fn timeout() {
    let Some(suite) = common::gpu() else { return };
    if (suite.adapter.backend, suite.adapter.device_type) == (wgpu::Backend::Gl, wgpu::DeviceType::Cpu) {
        common::skipped("a software driver of OpenGL computes during the submission, which leaves nothing to wait for");
        return;
    }
    let mut gpu = Gpu::open().unwrap();
    let shape = Nchw::new(1, 256, 256, 256);
    let (input, output) = (gpu.buffer("input", 4 << 24).unwrap(), gpu.buffer("output", 4 << 16).unwrap());
    let operator = AttentionMap::new(compiler::of(&gpu.device), Statistic::Rms, Element::F32).unwrap();
    let buffers = AttentionMapBuffers { features: input.slice(..), map: output.slice(..) };
    let recording = operator.bind(&gpu.device, shape, buffers).unwrap();
    let patience = std::mem::replace(&mut gpu.timeout, Duration::from_micros(1));
    gpu.run(|pass| (0..60).for_each(|_| recording.record(pass))).unwrap();
    let start = Instant::now();
    for outcome in [gpu.wait(), gpu.wait(), gpu.read::<f32>(output.slice(..)).map(drop)] {
        let error = outcome.unwrap_err();
        assert_eq!(error, Error::Timeout { waited: Duration::from_micros(1) });
        assert_says(&error, &["did not finish within 1µs"]);
    }
    let waited = start.elapsed();
    gpu.timeout = patience;
    gpu.wait().unwrap();
    assert!(waited < start.elapsed() / 2, "three waits took {waited:?}, all of the work {:?}", start.elapsed());
    let features: Vec<_> = (0..SHAPE.elements().unwrap()).map(|index| (index as f32).sin()).collect();
    let (input, output) = (gpu.upload("input", &features).unwrap(), gpu.buffer("output", 160).unwrap());
    let operator = AttentionMap::new(compiler::of(&gpu.device), Statistic::MaxAbs, Element::F32).unwrap();
    let buffers = AttentionMapBuffers { features: input.slice(..), map: output.slice(..) };
    let recording = operator.bind(&gpu.device, SHAPE, buffers).unwrap();
    gpu.run(|pass| recording.record(pass)).unwrap();
    let expected = reference::attention_map(SHAPE, Statistic::MaxAbs, &features);
    assert_eq!(gpu.read::<f32>(output.slice(..)).unwrap(), expected);
}

/// Sizes that leave `u64` where there is no image at all: nothing is multiplied before that is refused.
#[test]
fn absurd_sizes_of_empty_batches() {
    let Some(gpu) = common::gpu() else { return };
    let buffers: Vec<_> = (0..4).map(|_| buffer(gpu, 64, BufferUsages::STORAGE)).collect();
    let [a, b, c, d] = [0, 1, 2, 3].map(|index| buffers[index].slice(..));
    let huge = Nchw::new(0, 3, u32::MAX, u32::MAX);
    let operator =
        HeatOverlay::new(compiler::of(&gpu.device), &ColorMap::Grey, Sampling::HalfPixel, Element::F32).unwrap();
    let overlay = HeatOverlayBuffers { map: a, pictures: b, overlay: c };
    let error = operator
        .bind(&gpu.device, HeatOverlayShape { map: Nhw::new(0, 1, 1), pictures: huge }, 0.5, overlay)
        .unwrap_err();
    assert_says(&error, &["heat_overlay", "`pictures`", &huge.to_string(), "2^60"]);
    let operator =
        AttendedRegion::new(compiler::of(&gpu.device), Default::default(), Element::F32, Element::F32).unwrap();
    let region = AttendedRegionBuffers {
        features: a,
        images: None,
        map: b,
        map_up: None,
        mask: None,
        component: Some(d),
        boxes: c,
        crops: None,
        count: None,
    };
    let error = operator
        .bind(
            &gpu.device,
            AttendedRegionShape { features: huge, images: Nchw::new(0, 1, 1, 1), crop: Size::new(1, 1) },
            region,
        )
        .unwrap_err();
    assert_says(&error, &["attended_region", "`features`", &huge.to_string(), "2^60"]);
    // What is only counted saturates.
    let operator = LargestComponent::new(compiler::of(&gpu.device), Connectivity::Four).unwrap();
    assert_eq!(operator.scratch_bytes(Nhw::new(1, u32::MAX, u32::MAX)), u64::MAX);
    let operator = SpatialGate::new(compiler::of(&gpu.device), Epilogue::Scale, Element::F32).unwrap();
    assert_eq!(
        operator.cost(SpatialGateShape { features: Nchw::new(1, 1, 1, 1), kernel: u32::MAX }).parameters,
        u64::MAX
    );
}
