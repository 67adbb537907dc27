//! Hours of an embedder's program in a minute or two: mixed operators over varying shapes, bound and dropped again and again in one
//! process, whose memory and handles must stay what they are after the warm-up. Also a little of everything in every run of the
//! tests; `VISUAL_ATTENTION_SOAK` sets the number of dispatches.

#[path = "../common/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the suite's, of which this needs a part")]
mod common;

use std::sync::Arc;

use visual_attention::host::Gpu;
use visual_attention::{Element, Nchw};

use common::Random;
use common::catalogue::{Bind, Entry, catalogue};
use common::fixture::Fixture;

const DISPATCHES: u64 = 6_000;
const SAMPLES: u64 = 40;
/// Recordings of what was bound, before it is dropped.
const RECORDINGS: u64 = 4;
// Two heads of an even head_dim each: channels that divide by 4.
const SHAPES: [Nchw; 4] =
    [Nchw::new(1, 4, 7, 7), Nchw::new(2, 8, 8, 12), Nchw::new(3, 16, 14, 5), Nchw::new(1, 64, 28, 28)];
/// Bytes of resident memory for each dispatch: 1 MiB for 100,000.
const SLOPE: f64 = (1 << 20) as f64 / 100_000.0;

fn main() {
    let Some(gpu) = common::gpu() else { return };
    let dispatches =
        std::env::var("VISUAL_ATTENTION_SOAK").map_or(DISPATCHES, |count| count.parse().expect("a number"));
    let opened: Vec<(Entry, Arc<Bind>)> = SHAPES
        .into_iter()
        .flat_map(|shape| gpu.elements().into_iter().flat_map(move |element: Element| catalogue(element, shape, 1)))
        .map(|entry| {
            let bind = Arc::new((entry.open)(&gpu.device).expect("operator"));
            (entry, bind)
        })
        .collect();
    // Some kernels are compiled at the first `bind` that needs them.
    for (entry, bind) in &opened {
        let shared = Arc::clone(bind);
        Fixture::with(Box::new(move |d, i, o| shared(d, i, o)), &gpu.device, entry).expect("fixture");
    }
    let mut random = Random::new(1);
    let (mut done, mut samples, mut handles) = (0, Vec::new(), Vec::new());
    while done < dispatches {
        let (entry, bind) = &opened[random.below(opened.len() as u32) as usize];
        let shared = Arc::clone(bind);
        let fixture = Fixture::with(Box::new(move |d, i, o| shared(d, i, o)), &gpu.device, entry).expect("fixture");
        gpu.run(|pass| (0..RECORDINGS).for_each(|_| fixture.recording.record(pass))).expect("run");
        done += RECORDINGS * fixture.recording.dispatches().len() as u64;
        drop(fixture);
        if done >= dispatches * (samples.len() as u64 + 1) / SAMPLES {
            gpu.wait().expect("end of the work");
            samples.push((done as f64, resident_bytes()));
            handles.push(alive(gpu));
        }
    }
    // The first half warms up: drivers and allocators keep pools that grow to what was once needed.
    let half = samples.len() / 2;
    let slope = slope(&samples[half..]);
    println!(
        "soak: {done} dispatches of {} operators and shapes; resident memory {:+.3} MiB for 100,000; handles {}",
        opened.len(),
        slope * 100_000.0 / f64::from(1 << 20),
        handles[half]
    );
    assert!(handles[half..].iter().all(|now| *now == handles[half]), "handles are not flat: {:?}", &handles[half..]);
    // In a short run one page of a pool is more than the slope allows.
    assert!(slope <= SLOPE || dispatches < 100_000, "memory grows by {slope} bytes for each recording: {samples:?}");
}

/// What wgpu holds for this device, once everything is done.
fn alive(gpu: &Gpu) -> String {
    let hal = gpu.device.get_internal_counters().hal;
    format!(
        "{} buffers, {} bind groups, {} pipelines, {} memory blocks",
        hal.buffers.read(),
        hal.bind_groups.read(),
        hal.compute_pipelines.read(),
        hal.memory_allocations.read(),
    )
}

/// 0 where the system does not tell.
fn resident_bytes() -> f64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/statm") else { return 0.0 };
    let pages: f64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0.0);
    pages * 4096.0
}

/// Of the line of least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let along: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    along / points.iter().map(|point| (point.0 - x) * (point.0 - x)).sum::<f64>()
}
