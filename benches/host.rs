//! What operators cost on the host: `new` cold, `bind` and `record` for each dispatch.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use visual_attention::{Element, Nchw, wgpu};

use crate::common::Bench;
use crate::suite::catalogue::catalogue;
use crate::suite::fixture::Fixture;

const SHAPE: Nchw = Nchw::new(2, 16, 14, 14);
const REPEATS: usize = 50;

#[derive(Default)]
struct Cost {
    new: Duration,
    first: Duration,
    bind: Vec<Duration>,
    record: Vec<Duration>,
}

pub(crate) fn bench(bench: &Bench) {
    if !std::env::args().skip(1).all(|argument| argument.starts_with('-') || argument == "host") {
        return;
    }
    let device = &bench.gpu.device;
    // One entry of each operator: its name is the first word.
    let mut costs = BTreeMap::new();
    for entry in catalogue(Element::F32, SHAPE, 1) {
        let operator = entry.name.split(' ').next().unwrap_or_default().to_owned();
        if costs.contains_key(&operator) {
            continue;
        }
        let start = Instant::now();
        let opened = (entry.open)(device).expect("operator");
        let new = start.elapsed();
        let fixture = Fixture::with(opened, device, &entry).expect("fixture");
        let start = Instant::now();
        bench.gpu.run(|pass| fixture.recording.record(pass)).expect("run");
        bench.gpu.wait().expect("end of the work");
        let mut cost = Cost { new, first: start.elapsed(), ..Cost::default() };
        let inputs: Vec<_> = fixture.inputs.iter().map(|input| input.slice(..)).collect();
        let outputs = fixture.output_slices();
        let dispatches = u32::try_from(fixture.recording.dispatches().len().max(1)).expect("few");
        for _ in 0..REPEATS {
            let start = Instant::now();
            let bound = (fixture.bind)(device, &inputs, &outputs).expect("bind");
            cost.bind.push(start.elapsed() / dispatches);
            drop(bound);
        }
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        for _ in 0..REPEATS {
            let start = Instant::now();
            fixture.recording.record(&mut pass);
            cost.record.push(start.elapsed() / dispatches);
        }
        drop(pass);
        bench.gpu.queue.submit([encoder.finish()]);
        bench.gpu.wait().expect("end of the work");
        costs.insert(operator, cost);
    }
    println!("\non the host: median of {REPEATS} for each recording; `new` and the first run cold\n");
    println!("{:<20} {:>10} {:>12} {:>10} {:>10}", "operator", "new", "first run", "bind", "record");
    let mut together = Duration::ZERO;
    for (operator, cost) in &mut costs {
        together += cost.new;
        println!(
            "{operator:<20} {:>7.2} ms {:>9.2} ms {:>7.2} us {:>7.2} us",
            cost.new.as_secs_f64() * 1e3,
            cost.first.as_secs_f64() * 1e3,
            median(&mut cost.bind).as_secs_f64() * 1e6,
            median(&mut cost.record).as_secs_f64() * 1e6
        );
    }
    println!("{:<20} {:>7.2} ms", "together", together.as_secs_f64() * 1e3);
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}
