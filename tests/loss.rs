//! The device is lost between any two steps of any operator: an error each time, never a panic, a hang or a report that nobody
//! asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use visual_attention::host::Gpu;
use visual_attention::{AttentionMap, AttentionMapBuffers, Element, Error, Nchw, Recording, Statistic, wgpu};

use crate::common;
use crate::common::catalogue::{Bind, Entry, catalogue};
use crate::common::fixture::stored;
use crate::compiler;

const SHAPE: Nchw = Nchw::new(2, 4, 5, 6);

/// An entry whose every step was done while the device was there.
struct Prepared {
    entry: Entry,
    inputs: Vec<wgpu::Buffer>,
    outputs: Vec<wgpu::Buffer>,
    bind: Bind,
    recording: Recording,
    recorded: wgpu::CommandEncoder,
    finished: wgpu::CommandBuffer,
}

fn whole(buffers: &[wgpu::Buffer]) -> Vec<wgpu::BufferSlice<'_>> {
    buffers.iter().map(|buffer| buffer.slice(..)).collect()
}

fn encoder(device: &wgpu::Device, recording: &Recording) -> wgpu::CommandEncoder {
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    recording.record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
    encoder
}

impl Prepared {
    fn new(gpu: &Gpu, entry: Entry) -> Self {
        let inputs: Vec<_> =
            entry.inputs.iter().map(|input| gpu.upload(input.name, &stored(&input.contents)).unwrap()).collect();
        let outputs: Vec<_> =
            entry.outputs.iter().map(|&(name, len, _)| gpu.buffer(name, len as u64 * 4).unwrap()).collect();
        let bind = gpu.build(|device| (entry.open)(device)).unwrap();
        let recording = gpu.build(|device| bind(device, &whole(&inputs), &whole(&outputs))).unwrap();
        let (recorded, finished) = (encoder(&gpu.device, &recording), encoder(&gpu.device, &recording).finish());
        Self { entry, inputs, outputs, bind, recording, recorded, finished }
    }

    fn bind(&self, device: &wgpu::Device) -> Result<Recording, Error> {
        (self.bind)(device, &whole(&self.inputs), &whole(&self.outputs))
    }
}

#[track_caller]
fn assert_lost<T>(outcome: Result<T, Error>, what: &str) {
    match outcome {
        Err(Error::DeviceLost { .. }) => {}
        Err(other) => panic!("{what}: {other:?}"),
        Ok(_) => panic!("{what}: succeeds on a lost device"),
    }
}

/// A device of the test's own, which will be lost; skipped as [`common::gpu`].
fn doomed() -> Option<Gpu> {
    common::gpu()?;
    Some(Gpu::open().unwrap())
}

fn entries(gpu: &Gpu, shape: Nchw) -> Vec<Entry> {
    let mut entries = catalogue(Element::F32, shape, 1);
    if gpu.has_f16() {
        entries.extend(catalogue(Element::F16, shape, 1));
    }
    entries
}

/// Destroyed before and after `new`, `bind`, recording, finishing, submitting and reading back, through `host` and without it.
#[test]
fn at_every_step_of_every_operator() {
    let Some(gpu) = doomed() else { return };
    let mut prepared: Vec<_> = entries(&gpu, SHAPE).into_iter().map(|entry| Prepared::new(&gpu, entry)).collect();
    let submitted: Vec<_> =
        prepared.iter().map(|prepared| encoder(&gpu.device, &prepared.recording).finish()).collect();
    gpu.queue.submit(submitted);
    // In somebody else's program, what this handler hears of would be a panic.
    let uncaptured = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&uncaptured);
    gpu.device.on_uncaptured_error(Arc::new(move |error| {
        eprintln!("uncaptured: {error}");
        count.fetch_add(1, Ordering::Relaxed);
    }));
    gpu.device.destroy();
    let start = Instant::now();
    for prepared in prepared.drain(..) {
        let name = prepared.entry.name.as_str();
        assert_lost(gpu.upload("late", &[1.0f32]), name);
        assert_lost(gpu.buffer("late", 4), name);
        // On its own, `new` can't tell; what it gives is refused at `bind`.
        assert_lost(gpu.build(|device| (prepared.entry.open)(device)), name);
        let late = match (prepared.entry.open)(&gpu.device) {
            Ok(late) => Some(late),
            // One with a table of its own.
            Err(Error::DeviceUnavailable { .. }) => None,
            Err(error) => panic!("{name}: {error}"),
        };
        for bind in late.iter().chain([&prepared.bind]) {
            match bind(&gpu.device, &whole(&prepared.inputs), &whole(&prepared.outputs)) {
                Err(Error::DeviceUnavailable { op }) => assert!(!op.is_empty(), "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_lost(gpu.build(|device| prepared.bind(device)), name);
        assert_lost(gpu.run(|pass| prepared.recording.record(pass)), name);
        gpu.queue.submit([encoder(&gpu.device, &prepared.recording).finish()]);
        gpu.queue.submit([prepared.recorded.finish()]);
        gpu.queue.submit([prepared.finished]);
        for output in &prepared.outputs {
            assert_lost(gpu.read::<u8>(output.slice(..)), name);
        }
        assert_lost(gpu.wait(), name);
    }
    assert_eq!(uncaptured.load(Ordering::Relaxed), 0);
    // No call waited for anything.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

/// An empty tensor needs nothing of the device, so it does not matter that there is none.
#[test]
fn empty_tensors_do_not_notice() {
    let Some(gpu) = doomed() else { return };
    let entries = entries(&gpu, Nchw { batch: 0, ..SHAPE });
    let opened: Vec<_> = entries
        .iter()
        .map(|entry| {
            let inputs: Vec<_> =
                entry.inputs.iter().map(|input| gpu.upload("input", &stored(&input.contents)).unwrap()).collect();
            let bytes = |len: usize| 4 * len.max(1) as u64;
            let outputs: Vec<_> =
                entry.outputs.iter().map(|&(_, len, _)| gpu.buffer("output", bytes(len)).unwrap()).collect();
            (entry, (entry.open)(&gpu.device).unwrap(), inputs, outputs)
        })
        .collect();
    gpu.device.destroy();
    for (entry, bind, inputs, outputs) in &opened {
        // The gradient of a parameter is a sum over images: zeros for no image, which a dispatch has to write.
        let zeros = entry.outputs.iter().any(|&(_, len, _)| len > 0);
        match bind(&gpu.device, &whole(inputs), &whole(outputs)) {
            Ok(_) | Err(Error::DeviceUnavailable { .. }) if zeros => {}
            Ok(recording) => assert_eq!(recording.dispatches().len(), 0, "{}", entry.name),
            // No query lies in no image.
            Err(Error::InvalidParameter { parameter: "query.image", .. }) => {}
            Err(error) => panic!("{}: {error}", entry.name),
        }
    }
}

/// Work that runs for long on a software driver.
fn long_work(gpu: &Gpu) -> (Recording, wgpu::Buffer) {
    let (input, output) = (gpu.buffer("input", 4 << 22).unwrap(), gpu.buffer("output", 4 << 14).unwrap());
    let operator = AttentionMap::new(compiler::of(&gpu.device), Statistic::Rms, Element::F32).unwrap();
    let buffers = AttentionMapBuffers { features: input.slice(..), map: output.slice(..) };
    (operator.bind(&gpu.device, Nchw::new(1, 256, 128, 128), buffers).unwrap(), output)
}

/// Lost while the device works, and while another thread waits for what it does.
#[test]
fn in_the_middle_of_a_wait() {
    let Some(gpu) = doomed() else { return };
    let (recording, output) = long_work(&gpu);
    gpu.run(|pass| (0..60).for_each(|_| recording.record(pass))).unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| gpu.read::<f32>(output.slice(..)));
        std::thread::sleep(Duration::from_millis(20));
        gpu.device.destroy();
        assert_lost(gpu.wait(), "the thread that destroyed it");
        // It may have had its answer before.
        match reader.join().unwrap() {
            Ok(map) => assert_eq!(map.len(), 1 << 14),
            outcome => assert_lost(outcome, "the thread that waited"),
        }
    });
    // Not its patience of two minutes: it ends with the work.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert_lost(gpu.read::<f32>(output.slice(..)), "afterwards");
}

/// What wgpu reports outside of a call of `host` is not lost, does not panic, and is told once.
#[test]
fn stray_reports_reach_the_next_call() {
    let Some(gpu) = doomed() else { return };
    let invalid = wgpu::BufferDescriptor {
        label: Some("stray"),
        size: 4,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    };
    drop(gpu.device.create_buffer(&invalid));
    match gpu.wait() {
        Err(Error::Refused { reason }) => assert!(reason.contains("stray"), "{reason}"),
        other => panic!("{other:?}"),
    }
    gpu.wait().unwrap();
    let built = gpu.build(|device| {
        drop(device.create_buffer(&invalid));
        Ok(())
    });
    assert!(matches!(&built, Err(Error::Refused { reason }) if reason.contains("stray")), "{built:?}");
    // What the action says itself comes through, too.
    let refusal = Error::DeviceUnavailable { op: "test" };
    assert_eq!(gpu.build(|_| Err::<(), _>(refusal.clone())), Err(refusal));
    gpu.wait().unwrap();
}
