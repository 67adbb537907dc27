//! What the benches share: the device, the measurement and the table.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use criterion::Criterion;
use visual_attention::host::{Gpu, Timestamps};
use visual_attention::{Cost, wgpu};

/// Recordings in one submission: enough to hide its cost, few enough for a watchdog.
const RECORDINGS: u64 = 16;

/// One measured row.
struct Row {
    operator: String,
    case: String,
    version: String,
    time: Duration,
    cost: Cost,
}

pub(crate) struct Bench {
    pub(crate) gpu: Gpu,
    criterion: Criterion,
    timestamps: Option<Timestamps>,
    rows: Vec<Row>,
}

impl Bench {
    /// `None`, and a line that says so, where there is no adapter.
    pub(crate) fn open() -> Option<Self> {
        let gpu = match Gpu::open() {
            Ok(gpu) => gpu,
            Err(error) => {
                eprintln!("nothing measured: {error}");
                return None;
            }
        };
        let timestamps = Timestamps::new(&gpu, 1).expect("query set");
        println!("adapter: {}", gpu.describe());
        println!(
            "times are {}",
            if timestamps.is_some() { "the GPU's timestamps" } else { "wall time: no timestamps here" }
        );
        let criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1))
            .configure_from_args();
        Some(Self { gpu, criterion, timestamps, rows: Vec::new() })
    }

    /// Times what `record` records. `version` is "fused" for the operator itself, or the name of a baseline for the same
    /// operator and case, which the table sets in relation to it.
    pub(crate) fn measure(
        &mut self,
        operator: &str,
        case: &str,
        version: &str,
        cost: Cost,
        record: impl Fn(&mut wgpu::ComputePass<'_>),
    ) {
        let gpu = &self.gpu;
        let timestamps = self.timestamps.as_ref();
        let times = RefCell::new(Vec::new());
        let id = format!("{operator}/{case}/{version}");
        self.criterion.bench_function(&id, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut total = Duration::ZERO;
                let mut left = iterations;
                while left > 0 {
                    let recordings = left.min(RECORDINGS);
                    total += time(gpu, timestamps, recordings, &record);
                    left -= recordings;
                }
                times.borrow_mut().push(total / u32::try_from(iterations).unwrap_or(u32::MAX));
                total
            });
        });
        let mut times = times.into_inner();
        times.sort();
        // Nothing was run where a filter left this row out.
        if let Some(&time) = times.get(times.len() / 2) {
            let (operator, case, version) = (operator.to_owned(), case.to_owned(), version.to_owned());
            self.rows.push(Row { operator, case, version, time, cost });
        }
    }

    /// The median of a row that was measured.
    pub(crate) fn median(&self, operator: &str, case: &str, version: &str) -> Option<Duration> {
        let row = self.rows.iter().find(|row| row.operator == operator && row.case == case && row.version == version);
        row.map(|row| row.time)
    }

    /// Prints the table.
    pub(crate) fn finish(self) {
        self.criterion.final_summary();
        println!(
            "\n{:<20} {:<28} {:<12} {:>12} {:>9} {:>9} {:>10}",
            "operator", "case", "version", "median", "GB/s", "GFLOP/s", "vs fused"
        );
        for row in &self.rows {
            let seconds = row.time.as_secs_f64();
            let fused = self
                .rows
                .iter()
                .find(|other| other.operator == row.operator && other.case == row.case && other.version == "fused");
            let ratio = fused.map_or(String::new(), |fused| format!("{:.2}x", seconds / fused.time.as_secs_f64()));
            println!(
                "{:<20} {:<28} {:<12} {:>9.1} us {:>9.2} {:>9.2} {:>10}",
                row.operator,
                row.case,
                row.version,
                seconds * 1e6,
                row.cost.bytes as f64 / seconds / 1e9,
                row.cost.flops as f64 / seconds / 1e9,
                ratio
            );
        }
    }
}

fn time(
    gpu: &Gpu,
    timestamps: Option<&Timestamps>,
    recordings: u64,
    record: &impl Fn(&mut wgpu::ComputePass<'_>),
) -> Duration {
    gpu.wait().expect("idle device");
    let start = Instant::now();
    gpu.submit(|encoder| {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("bench"),
            timestamp_writes: timestamps.and_then(|timestamps| timestamps.writes(0)),
        });
        for _ in 0..recordings {
            record(&mut pass);
        }
        drop(pass);
        if let Some(timestamps) = timestamps {
            timestamps.resolve(encoder);
        }
    })
    .expect("submission");
    gpu.wait().expect("end of the work");
    let wall = start.elapsed();
    match timestamps {
        Some(timestamps) => timestamps.read(gpu).expect("timestamps")[0],
        None => wall,
    }
}

/// `len` numbers in -1..1, the same every time.
pub(crate) fn noise(len: u64) -> Vec<f32> {
    let mut state = 1u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

/// Stops the bench where the GPU's result is not the reference's: no speed of a wrong result is reported.
pub(crate) fn assert_close(what: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0f32, |largest, value| largest.max(value.abs()));
    for (index, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= 1e-5 * scale, "{what}: element {index} is {a}, expected {e}");
    }
}
