//! The crate in somebody else's program: their device, their encoder, their buffers, their error handling.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use visual_attention::wgpu::{self, util::DeviceExt};
use visual_attention::{
    AttentionMap, AttentionMapBuffers, Element, Nchw, Normalization, Normalize, NormalizeBuffers, Resize,
    ResizeBuffers, ResizeShape, Sampling, Size, Statistic, reference,
};

use crate::common::{self, Random, assert_exact};
use crate::compiler;

/// A device that the crate did not open, with a handler that counts what reaches it.
struct Foreign {
    device: wgpu::Device,
    queue: wgpu::Queue,
    uncaptured: Arc<AtomicUsize>,
}

fn foreign() -> Option<Foreign> {
    // Skipped, or failed, as every other test.
    common::gpu()?;
    pollster::block_on(async {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await.unwrap();
        let (device, queue) = adapter.request_device(&wgpu::DeviceDescriptor::default()).await.unwrap();
        let uncaptured = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&uncaptured);
        device.on_uncaptured_error(Arc::new(move |error| {
            eprintln!("uncaptured: {error}");
            count.fetch_add(1, Ordering::Relaxed);
        }));
        Some(Foreign { device, queue, uncaptured })
    })
}

impl Foreign {
    fn buffer(&self, contents: &[f32]) -> wgpu::Buffer {
        self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("theirs"),
            contents: bytemuck::cast_slice(contents),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        })
    }

    fn read(&self, buffer: &wgpu::Buffer) -> Vec<f32> {
        let found = Arc::new(Mutex::new(None));
        let result = Arc::clone(&found);
        wgpu::util::DownloadBuffer::read_buffer(&self.device, &self.queue, &buffer.slice(..), move |download| {
            *result.lock().unwrap() = Some(bytemuck::pod_collect_to_vec(&download.unwrap()));
        });
        self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        let values = found.lock().unwrap().take();
        values.unwrap()
    }
}

const SHAPE: Nchw = Nchw::new(2, 5, 12, 16);

fn features() -> Vec<f32> {
    Random::new(21).normal(SHAPE.elements().unwrap() as usize)
}

/// Three operators in one pass of a foreign encoder, between the caller's own commands; nothing is submitted behind their back.
#[test]
fn operators_record_into_the_callers_own_pass() {
    let Some(theirs) = foreign() else { return };
    let input = theirs.buffer(&features());
    let map = theirs.buffer(&[f32::NAN; 2 * 12 * 16]);
    let up = theirs.buffer(&[f32::NAN; 2 * 30 * 20]);
    let attention_map = AttentionMap::new(compiler::of(&theirs.device), Statistic::MaxAbs, Element::F32).unwrap();
    let normalize = Normalize::new(compiler::of(&theirs.device), Normalization::MinMax).unwrap();
    let resize = Resize::new(compiler::of(&theirs.device), Sampling::HalfPixel, Element::F32).unwrap();
    let size = Size::new(30, 20);
    let dispatches = [
        attention_map
            .bind(&theirs.device, SHAPE, AttentionMapBuffers { features: input.slice(..), map: map.slice(..) })
            .unwrap(),
        normalize.bind(&theirs.device, SHAPE.plane(), NormalizeBuffers { map: map.slice(..), range: None }).unwrap(),
        resize
            .bind(
                &theirs.device,
                ResizeShape { input: Nchw { channels: 1, ..SHAPE }, output: size },
                ResizeBuffers { input: map.slice(..), output: up.slice(..) },
            )
            .unwrap(),
    ];
    let copy = theirs.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("their copy"),
        size: up.size(),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    });
    let mut encoder = theirs.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.clear_buffer(&copy, 0, None);
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        dispatches.iter().for_each(|recording| recording.record(&mut pass));
    }
    encoder.copy_buffer_to_buffer(&up, 0, &copy, 0, up.size());
    assert!(theirs.read(&map).iter().all(|value| value.is_nan()), "something was submitted before the caller did");
    theirs.queue.submit([encoder.finish()]);

    let expected = reference::attention_map(SHAPE, Statistic::MaxAbs, &features());
    let expected = reference::normalize(SHAPE.plane(), Normalization::MinMax, &expected);
    let expected = reference::resize(Nchw { channels: 1, ..SHAPE }, size, Sampling::HalfPixel, &expected);
    for (a, e) in theirs.read(&copy).iter().zip(&expected) {
        assert!((a - e).abs() < 1e-6, "{a} against {e}");
    }
    assert_eq!(theirs.uncaptured.load(Ordering::Relaxed), 0);
}

/// Input and output in one buffer of the caller's, as an allocator of theirs would place them; the bytes between stay theirs.
#[test]
fn slices_of_one_big_buffer() {
    let Some(theirs) = foreign() else { return };
    let values = features();
    let (input_at, output_at) = (256, 256 + (values.len() * 4).next_multiple_of(256) + 512);
    let len = 2 * 12 * 16;
    let mut contents = vec![-7.5f32; output_at / 4 + len + 100];
    contents[input_at / 4..input_at / 4 + values.len()].copy_from_slice(&values);
    let arena = theirs.buffer(&contents);
    let operator = AttentionMap::new(compiler::of(&theirs.device), Statistic::MaxAbs, Element::F32).unwrap();
    let buffers = AttentionMapBuffers {
        features: arena.slice(input_at as u64..(input_at + values.len() * 4) as u64),
        map: arena.slice(output_at as u64..(output_at + len * 4) as u64),
    };
    let recording = operator.bind(&theirs.device, SHAPE, buffers).unwrap();
    let mut encoder = theirs.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    recording.record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
    theirs.queue.submit([encoder.finish()]);
    contents[output_at / 4..output_at / 4 + len].copy_from_slice(&reference::attention_map(
        SHAPE,
        Statistic::MaxAbs,
        &values,
    ));
    assert_exact(&theirs.read(&arena), &contents, "arena");
    assert_eq!(theirs.uncaptured.load(Ordering::Relaxed), 0);
}

/// A dispatch can be replayed after its inputs changed, and one operator bound twice, with different shapes, in one encoder.
#[test]
fn dispatches_are_replayed_and_bound_twice() {
    let Some(theirs) = foreign() else { return };
    let operator = AttentionMap::new(compiler::of(&theirs.device), Statistic::Max, Element::F32).unwrap();
    let shapes = [SHAPE, Nchw::new(1, 40, 7, 7)];
    let inputs = shapes.map(|shape| {
        theirs.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("theirs"),
            size: shape.elements().unwrap() * 4,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    });
    let outputs = shapes.map(|shape| theirs.buffer(&vec![f32::NAN; shape.plane().elements().unwrap() as usize]));
    let dispatches: Vec<_> = (0..2)
        .map(|index| {
            let buffers = AttentionMapBuffers { features: inputs[index].slice(..), map: outputs[index].slice(..) };
            operator.bind(&theirs.device, shapes[index], buffers).unwrap()
        })
        .collect();
    for seed in 0..3 {
        let values = shapes.map(|shape| Random::new(seed).normal(shape.elements().unwrap() as usize));
        for (input, values) in inputs.iter().zip(&values) {
            theirs.queue.write_buffer(input, 0, bytemuck::cast_slice(values));
        }
        let mut encoder = theirs.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            dispatches.iter().chain(&dispatches).for_each(|recording| recording.record(&mut pass));
        }
        theirs.queue.submit([encoder.finish()]);
        for ((shape, values), output) in shapes.into_iter().zip(&values).zip(&outputs) {
            let expected = reference::attention_map(shape, Statistic::Max, values);
            assert_exact(&theirs.read(output), &expected, format!("{shape} seed {seed}"));
        }
    }
}

/// Neither a success nor a refusal reaches the caller's error scopes or handler, and after a refusal their encoder still submits.
#[test]
fn error_scopes_stay_empty() {
    let Some(theirs) = foreign() else { return };
    let scopes = [wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal]
        .map(|filter| theirs.device.push_error_scope(filter));
    let (input, map) = (theirs.buffer(&features()), theirs.buffer(&[f32::NAN; 2 * 12 * 16]));
    let operator = AttentionMap::new(compiler::of(&theirs.device), Statistic::MaxAbs, Element::F32).unwrap();
    let mut encoder = theirs.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let buffers = AttentionMapBuffers { features: input.slice(..), map: map.slice(..) };
    let too_large = Nchw { batch: 3, ..SHAPE };
    assert!(operator.bind(&theirs.device, too_large, buffers).is_err());
    assert!(AttentionMap::new(compiler::of(&theirs.device), Statistic::MaxAbs, Element::F16).is_err());
    let recording = operator.bind(&theirs.device, SHAPE, buffers).unwrap();
    recording.record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
    theirs.queue.submit([encoder.finish()]);
    assert_exact(&theirs.read(&map), &reference::attention_map(SHAPE, Statistic::MaxAbs, &features()), "map");
    for scope in scopes.into_iter().rev() {
        assert!(pollster::block_on(scope.pop()).is_none());
    }
    assert_eq!(theirs.uncaptured.load(Ordering::Relaxed), 0);
}

/// Calls `check` for each type, and lists their names.
macro_rules! checked {
    ($($ty:ty),* $(,)?) => {{
        fn check<T: Send + Sync>() {}
        $(check::<$ty>();)*
        [$(stringify!($ty)),*].map(|name| name.split(['<', ' ']).next().unwrap_or_default())
    }};
}

#[test]
fn everything_is_send_and_sync() {
    use visual_attention::host::{Gpu, Timestamps};
    use visual_attention::operators::{Arrays, Entry, Operator, OptionSpec, Options, Shapes, Slices};
    use visual_attention::reference::{
        AttendedRegions, Components, CrossAttentionGradients, CrossAttentionResult, Excitation,
        HeadNormRotaryGradients, Layer, MergeAttentionGradients, Norm, PointwiseConvGradients, SasaLayerGradients,
        SasaLayerSaved, SasaStemGradients, WindowAttentionGradients, WindowAttentionResult, WindowAttentionSaved,
        WindowEntry,
    };
    use visual_attention::shaders::{Member, Overrides, Shader, Variant};
    use visual_attention::*;

    let names = checked![
        ColorMap,
        Cost,
        Element,
        Error,
        AttendedRegion,
        AttendedRegionBuffers<'_>,
        AttendedRegionOptions,
        AttentionMap,
        AttentionMapBuffers<'_>,
        AttentionMapBackward,
        AttentionMapBackwardBuffers<'_>,
        Statistic,
        BiSeNetAttention,
        BiSeNetAttentionBuffers<'_>,
        BiSeNetAttentionBackward,
        BiSeNetAttentionBackwardBuffers<'_>,
        BoundingBox,
        BoundingBoxBuffers<'_>,
        Cbam,
        CbamBuffers<'_>,
        CbamBackward,
        CbamBackwardBuffers<'_>,
        CbamOptions,
        SpatialGate,
        SpatialGateBuffers<'_>,
        SpatialGateBackward,
        SpatialGateBackwardBuffers<'_>,
        ChannelScale,
        ChannelScaleBuffers<'_>,
        ChannelScaleBackward,
        ChannelScaleBackwardBuffers<'_>,
        Epilogue,
        CropEnd,
        CropResize,
        CropResizeBuffers<'_>,
        CropResizeBackward,
        CropResizeBackwardBuffers<'_>,
        Activation,
        BatchNorm<'_>,
        CrossAttention,
        CrossAttentionBuffers<'_>,
        CrossAttentionBackward,
        CrossAttentionBackwardBuffers<'_>,
        CrossAttentionOptions,
        CrossAttentionShape,
        Dense,
        DenseBuffers<'_>,
        DenseBackward,
        DenseBackwardBuffers<'_>,
        DenseShape,
        Eca,
        EcaBuffers<'_>,
        EcaBackward,
        EcaBackwardBuffers<'_>,
        GlobalPool,
        GlobalPoolBuffers<'_>,
        GlobalPoolBackward,
        GlobalPoolBackwardBuffers<'_>,
        Squeeze,
        HeadNorm,
        HeadNormRotary,
        HeadNormRotaryBuffers<'_>,
        HeadNormRotaryOptions,
        HeadNormRotaryBackward,
        HeadNormRotaryBackwardBuffers<'_>,
        HeatOverlay,
        HeatOverlayBuffers<'_>,
        HeatOverlayTexture<'_>,
        ColorNormalization,
        ColorTransfer,
        PlanesToTexture,
        PlanesToTextureBuffers<'_>,
        TextureToPlanes,
        TextureToPlanesBuffers<'_>,
        ComponentLabels,
        ComponentLabelsBuffers<'_>,
        Connectivity,
        LabelBuffers<'_>,
        LargestComponent,
        LargestComponentBuffers<'_>,
        RegionMeasures,
        RegionMeasuresBuffers<'_>,
        RegionMeasuresOptions,
        RegionOrder,
        MergeAttention,
        MergeAttentionBuffers<'_>,
        MergeAttentionBackward,
        MergeAttentionBackwardBuffers<'_>,
        Normalization,
        Normalize,
        NormalizeBuffers<'_>,
        NormalizeBackward,
        NormalizeBackwardBuffers<'_>,
        PointwiseConv,
        PointwiseConvBuffers<'_>,
        PointwiseConvBackward,
        PointwiseConvBackwardBuffers<'_>,
        PointwiseConvOptions,
        Resize,
        ResizeBuffers<'_>,
        ResizeBackward,
        ResizeBackwardBuffers<'_>,
        SasaLayer,
        SasaLayerBuffers<'_>,
        SasaLayerBackward,
        SasaLayerBackwardBuffers<'_>,
        SasaLayerOptions,
        SasaStem,
        SasaStemBuffers<'_>,
        SasaStemOptions,
        SasaStemBackward,
        SasaStemBackwardBuffers<'_>,
        ScSe,
        ScSeBuffers<'_>,
        ScSeBackward,
        ScSeBackwardBuffers<'_>,
        ScSeCombine,
        ScSeOptions,
        SqueezeExcite,
        SqueezeExciteBuffers<'_>,
        SqueezeExciteBackward,
        SqueezeExciteBackwardBuffers<'_>,
        SqueezeExciteOptions,
        Threshold,
        ThresholdBuffers<'_>,
        ThresholdRule,
        Border,
        QueryPosition,
        RelativePosition,
        PositionTables<f32>,
        WindowAttention,
        WindowAttentionBackward,
        WindowAttentionBackwardBuffers<'_>,
        WindowAttentionBuffers<'_>,
        WindowAttentionOptions,
        WindowAxis,
        WindowStream,
        WindowStreamBuffers<'_>,
        WindowStreamOptions,
        WindowStreamRecording,
        WindowWeightsBuffers<'_>,
        Pooling,
        WindowPool,
        WindowPoolBuffers<'_>,
        WindowPoolBackward,
        WindowPoolBackwardBuffers<'_>,
        Compiler<'_>,
        Pipelines,
        Recording,
        Dispatch,
        DispatchBound,
        Sampling,
        Nchw,
        Ncthw,
        Nhw,
        Size,
        AttendedRegionShape,
        SpatialGateShape,
        CbamShape,
        CropResizeShape,
        EcaShape,
        HeatOverlayShape,
        ResizeShape,
        ScSeShape,
        SqueezeExciteShape,
        ThresholdShape,
        DType,
        Role,
        TensorSpec,
        UnknownName,
    ];
    let _ = checked![
        Box<dyn Operator>,
        Entry,
        OptionSpec,
        Options,
        Shapes,
        Slices<'_>,
        Arrays<f32>,
        Gpu,
        Timestamps,
        Member,
        Overrides,
        Shader,
        Variant,
        AttendedRegions<f32>,
        Components,
        Excitation<'_, f32>,
        Layer<'_, f32>,
        Norm<'_, f32>,
        PointwiseConvGradients<f32>,
        MergeAttentionGradients<f32>,
        HeadNormRotaryGradients<f32>,
        CrossAttentionGradients<f32>,
        SasaStemGradients<f32>,
        SasaLayerGradients<f32>,
        SasaLayerSaved<'_, f32>,
        CrossAttentionResult<f32>,
        WindowAttentionGradients<f32>,
        WindowAttentionResult<f32>,
        WindowAttentionSaved<'_, f32>,
        WindowEntry,
    ];
    // All that the front page exports.
    let front_page =
        include_str!("../src/lib.rs").lines().filter(|line| line.starts_with("pub use") || line.starts_with("    "));
    let exported =
        front_page.filter(|line| !line.contains("wgpu;")).flat_map(|line| line.split(|c: char| !c.is_alphanumeric()));
    let exported = exported.filter(|word| word.starts_with(char::is_uppercase));
    let missing: Vec<_> = exported.filter(|name| !names.contains(name)).collect();
    assert!(missing.is_empty(), "not checked: {missing:?}");
}
