//! What an operator does to somebody else's device besides its work: nothing, whether it succeeds or refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use visual_attention::{
    Compiler, Element, GlobalPool, GlobalPoolBuffers, Nchw, Pipelines, Squeeze, SqueezeExcite, SqueezeExciteOptions,
    wgpu,
};

use crate::common::catalogue::{Bind, Entry, catalogue};
use crate::common::fixture::{Fixture, read};
use crate::common::{self, Random};

const SHAPE: Nchw = Nchw::new(2, 4, 5, 6);

/// Each tensor in turn too short, without its usage, misaligned, and each output over another tensor.
fn refusals(entry: &Entry, fixture: &Fixture, device: &wgpu::Device) {
    let unusable = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("unusable"),
        size: 1 << 16,
        usage: wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let large = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("large"),
        size: 1 << 16,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    let inputs: Vec<_> = fixture.inputs.iter().map(|input| input.slice(..)).collect();
    let outputs = fixture.output_slices();
    let (first_input, name) = (usize::from(entry.in_place), &entry.name);
    let refused = |what: &str, inputs: &[wgpu::BufferSlice<'_>], outputs: &[wgpu::BufferSlice<'_>]| {
        assert!((fixture.bind)(device, inputs, outputs).is_err(), "{name}: {what} is not refused");
    };
    for (spoilt, why) in
        [(large.slice(..0x100), "short"), (large.slice(4..), "misaligned"), (unusable.slice(..), "unusable")]
    {
        // 256 bytes are enough for some tensors.
        let enough = |len: u64| why == "short" && len <= 256;
        for at in (first_input..inputs.len()).filter(|&at| !enough(inputs[at].size())) {
            let mut changed = inputs.clone();
            changed[at] = spoilt;
            refused(&format!("{why} {}", entry.inputs[at].name), &changed, &outputs);
        }
        for at in (0..outputs.len()).filter(|&at| !enough(outputs[at].size())) {
            let mut changed = outputs.clone();
            changed[at] = spoilt;
            refused(&format!("{why} {}", entry.outputs[at].0), &inputs, &changed);
        }
    }
    for at in 1..outputs.len() {
        let mut changed = vec![large.slice(..); outputs.len()];
        changed[0] = outputs[0];
        changed[at] = outputs[0];
        refused(&format!("{} over {}", entry.outputs[at].0, entry.outputs[0].0), &inputs, &changed);
    }
}

/// Error scopes stay empty, the handler and the lost callback stay theirs, and an encoder in which everything was refused once
/// still does the caller's own work and ours.
#[test]
fn nothing_reaches_the_callers_error_handling() {
    if common::gpu().is_none() {
        return;
    }
    let (device, queue) = pollster::block_on(async {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await.unwrap();
        adapter.request_device(&wgpu::DeviceDescriptor::default()).await.unwrap()
    });
    let (uncaptured, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count_uncaptured, count_lost) = (Arc::clone(&uncaptured), Arc::clone(&lost));
    device.on_uncaptured_error(Arc::new(move |error| {
        eprintln!("uncaptured: {error}");
        count_uncaptured.fetch_add(1, Ordering::Relaxed);
    }));
    device.set_device_lost_callback(move |_, _| {
        count_lost.fetch_add(1, Ordering::Relaxed);
    });
    let theirs = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("theirs"),
        size: 64,
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    });
    for entry in catalogue(Element::F32, SHAPE, 1) {
        let name = &entry.name;
        let scopes = [wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal]
            .map(|filter| device.push_error_scope(filter));
        let fixture = Fixture::new(&device, &entry).unwrap();
        let archive = fixture.archive(&device, 2);
        let alone = {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            fixture.record(&mut encoder, &archive, 0);
            encoder
        };
        queue.write_buffer(&theirs, 0, &[7; 64]);
        queue.submit([alone.finish()]);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.clear_buffer(&theirs, 0, Some(32));
        refusals(&entry, &fixture, &device);
        fixture.record(&mut encoder, &archive, 1);
        refusals(&entry, &fixture, &device);
        encoder.clear_buffer(&theirs, 48, None);
        queue.submit([encoder.finish()]);
        let after = read(&device, &queue, &theirs);
        assert_eq!(after, [[0; 16], [0; 16], [7; 16], [0; 16]].concat(), "{name}: the caller's own work");
        let archive = read(&device, &queue, &archive);
        let (first, second) = archive.split_at(fixture.stride() as usize);
        assert!(first == second, "{name}: after refusals the result is another");
        for scope in scopes.into_iter().rev() {
            let reported = pollster::block_on(scope.pop());
            assert!(reported.is_none(), "{name}: {reported:?} in the caller's scope");
        }
        assert_eq!(uncaptured.load(Ordering::Relaxed), 0, "{name}");
    }
    // The device has no 16-bit floats.
    let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
    for entry in catalogue(Element::F16, SHAPE, 1) {
        assert!((entry.open)(&device).is_err(), "{}", entry.name);
    }
    assert!(pollster::block_on(scope.pop()).is_none());
    assert_eq!((uncaptured.load(Ordering::Relaxed), lost.load(Ordering::Relaxed)), (0, 0));
    // Both are still theirs: an error of the caller's own, and a loss, arrive.
    let _ = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("refused by wgpu"),
        size: 4,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    assert_eq!(uncaptured.load(Ordering::Relaxed), 1);
    device.destroy();
    let _ = device.poll(wgpu::PollType::Poll);
    assert_eq!(lost.load(Ordering::Relaxed), 1);
}

/// wgpu keeps what is recorded in lists that grow by doubling, which is all that may be allocated: of 256 recordings in a pass
/// few meet a list that is full, and the others allocate nothing.
#[test]
fn recording_allocates_nothing() {
    let Some(gpu) = common::gpu() else { return };
    for entry in catalogue(Element::F32, SHAPE, 1) {
        let fixture = Fixture::new(&gpu.device, &entry).unwrap();
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        let allocating = (0..256)
            .filter(|_| allocation_counter::measure(|| fixture.recording.record(&mut pass)).count_total > 0)
            .count();
        assert!(allocating <= 16, "{}: {allocating} of 256 recordings allocate", entry.name);
    }
}

/// What is compiled with a cache of the caller's gives the same bits. That the cache gets as far as wgpu is seen by one of another
/// device, which it refuses; software drivers keep nothing in theirs.
#[test]
#[expect(unsafe_code, reason = "wgpu trusts whoever gives a cache its first contents; here there are none")]
fn a_pipeline_cache_is_used_and_changes_nothing() {
    if common::gpu().is_none() {
        return;
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).unwrap();
    if !adapter.features().contains(wgpu::Features::PIPELINE_CACHE) {
        eprintln!("SKIPPED: this adapter has no pipeline caches");
        return;
    }
    let descriptor = wgpu::DeviceDescriptor { required_features: wgpu::Features::PIPELINE_CACHE, ..Default::default() };
    let open = || pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    let ((device, queue), (other, _)) = (open(), open());
    let empty = wgpu::PipelineCacheDescriptor { label: None, data: None, fallback: false };
    let cache = unsafe { device.create_pipeline_cache(&empty) };

    let values = Random::new(1).normal(SHAPE.elements().unwrap() as usize);
    let buffer = |usage| {
        device.create_buffer(&wgpu::BufferDescriptor { label: None, size: 1 << 13, usage, mapped_at_creation: false })
    };
    let features = buffer(wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST);
    queue.write_buffer(&features, 0, bytemuck::cast_slice(&values));
    let pooled = |compiler: Compiler<'_>| {
        let mean = buffer(wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
        let pool = GlobalPool::new(compiler, Squeeze::Mean, Element::F32).unwrap();
        let buffers = GlobalPoolBuffers { features: features.slice(..), mean: Some(mean.slice(..)), max: None };
        let recording = pool.bind(&device, SHAPE, buffers).unwrap();
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        recording.record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
        queue.submit([encoder.finish()]);
        read(&device, &queue, &mean)
    };
    assert!(pooled(Compiler::from(&device).with_cache(&cache)) == pooled((&device).into()));

    let scope = other.push_error_scope(wgpu::ErrorFilter::Validation);
    let _ = GlobalPool::new(Compiler::from(&other).with_cache(&cache), Squeeze::Mean, Element::F32).unwrap();
    assert!(pollster::block_on(scope.pop()).is_some(), "the cache was not used");
}

/// What the first operator has compiled, the second takes: wgpu counts the device's pipelines.
#[test]
fn operators_share_pipelines() {
    if common::gpu().is_none() {
        return;
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).unwrap();
    let open = || pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())).unwrap().0;
    let (device, other) = (open(), open());
    let count = |device: &wgpu::Device| device.get_internal_counters().hal.compute_pipelines.read();
    // wgpu has pipelines of its own.
    let own = count(&other);
    let shared = Pipelines::default();
    let compile = |device: &wgpu::Device, options| {
        let compiler = Compiler::from(device).with_pipelines(&shared);
        SqueezeExcite::new(compiler, options, Element::F32).unwrap()
    };
    let gate = compile(&device, SqueezeExciteOptions::STANDARD);
    let first = count(&device);
    assert!(first > own, "wgpu does not count pipelines");
    let _second = compile(&device, SqueezeExciteOptions::STANDARD);
    assert_eq!(count(&device), first);
    // Pipelines outlive the operator that compiled them.
    drop(gate);
    let compiler = Compiler::from(&device).with_pipelines(&shared);
    let _pool = GlobalPool::new(compiler, Squeeze::Mean, Element::F32).unwrap();
    assert_eq!(count(&device), first);
    // Another kernel's variant is another pipeline.
    let _maximum = GlobalPool::new(compiler, Squeeze::Max, Element::F32).unwrap();
    assert!(count(&device) > first);
    assert_eq!(count(&other), own);
    let _other = compile(&other, SqueezeExciteOptions::STANDARD);
    assert_eq!(count(&other), first);
}

/// 2,000 operations, bound, recorded and submitted by 8 threads at once, on inputs that differ; each result is the one that its
/// operator gives alone.
#[test]
fn eight_threads_share_a_device() {
    let Some(gpu) = common::gpu() else { return };
    let (device, queue) = (&gpu.device, &gpu.queue);
    let entries: Vec<Entry> = gpu
        .elements()
        .into_iter()
        .flat_map(|element| (0..2).flat_map(move |seed| catalogue(element, SHAPE, seed)))
        .collect();
    let opened: Vec<(Vec<u8>, Arc<Bind>)> = entries
        .iter()
        .map(|entry| {
            let fixture = Fixture::new(device, entry).unwrap();
            let archive = fixture.archive(device, 1);
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            fixture.record(&mut encoder, &archive, 0);
            queue.submit([encoder.finish()]);
            (read(device, queue, &archive), Arc::new(fixture.bind))
        })
        .collect();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (entries, opened) = (&entries, &opened);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for operation in 0..250 {
                    let index = random.below(entries.len() as u32) as usize;
                    let (entry, (expected, bind)) = (&entries[index], &opened[index]);
                    let shared = Arc::clone(bind);
                    let fixture = Fixture::with(Box::new(move |d, i, o| shared(d, i, o)), device, entry).unwrap();
                    let archive = fixture.archive(device, 1);
                    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                    fixture.record(&mut encoder, &archive, 0);
                    queue.submit([encoder.finish()]);
                    let actual = read(device, queue, &archive);
                    assert!(actual == *expected, "{}: thread {thread}, operation {operation}", entry.name);
                }
            });
        }
    });
}
