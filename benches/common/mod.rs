//! What the benches share: the device, the measurement and the report.

pub(crate) mod by_name;
pub(crate) mod ceiling;
pub(crate) mod clock;
pub(crate) mod report;
pub(crate) mod unfused;

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use visual_attention::host::Gpu;
use visual_attention::{Cost, Element, Nchw, wgpu};

use ceiling::{Ceilings, Copy};
use clock::{Clock, PASSES};
use report::{Report, Row};
use unfused::Unfused;

/// Bytes of the tensors that are to show a kernel's rate alone.
const LARGE: u64 = 256 << 20;

/// Where `cargo bench` leaves its table, and the plot beside it.
const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench/operators");

pub(crate) struct Bench {
    pub(crate) gpu: Gpu,
    criterion: Criterion,
    clock: Clock,
    copy: Copy,
    ceilings: Ceilings,
    rows: Vec<Row>,
}

impl Bench {
    /// `None`, and a line that says so, where there is no adapter.
    pub(crate) fn open() -> Option<Self> {
        let gpu = match Gpu::open_large() {
            Ok(gpu) => gpu,
            Err(error) => {
                eprintln!("nothing measured: {error}");
                return None;
            }
        };
        let clock = Clock::new(&gpu);
        let copy = Copy::new(&gpu);
        println!("adapter: {}\ntimes are {}", gpu.describe(), clock.describe());
        let ceilings = ceiling::measure(&gpu, &clock, &copy);
        let criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1))
            .configure_from_args();
        Some(Self { gpu, criterion, clock, copy, ceilings, rows: Vec::new() })
    }

    /// Batches that the shapes of a paper are measured at: a software adapter takes minutes for what a GPU does in milliseconds.
    pub(crate) fn batches(&self) -> &'static [u32] {
        if ceiling::software(&self.gpu) { &[1, 8] } else { &[1, 8, 64] }
    }

    /// Large tensors to measure with, of this shape in f32 and of twice the images in f16: none on a software adapter.
    pub(crate) fn large(&self, shape: Nchw) -> Vec<(Element, Nchw)> {
        let wanted = !ceiling::software(&self.gpu);
        let fits = LARGE + (LARGE >> 4) <= self.gpu.device.limits().max_storage_buffer_binding_size;
        if wanted && !fits {
            println!("no large tensors: they take more than a storage binding of this device may have");
        }
        let twice = Nchw { batch: shape.batch * 2, ..shape };
        let tensors = [(Element::F32, shape), (Element::F16, twice)];
        let has = |element| element == Element::F32 || self.gpu.has_f16();
        tensors.into_iter().filter(|&(element, _)| wanted && fits && has(element)).collect()
    }

    /// Uploads `values`, which become what they are as `element`.
    pub(crate) fn upload(&self, element: Element, values: &mut [f32]) -> wgpu::Buffer {
        if element == Element::F32 {
            return self.gpu.upload("tensor", values).expect("tensor");
        }
        let halves: Vec<half::f16> = values.iter().map(|&value| half::f16::from_f32(value)).collect();
        for (value, half) in values.iter_mut().zip(&halves) {
            *value = half.to_f32();
        }
        self.gpu.upload("tensor", &halves).expect("tensor")
    }

    /// Stops where `buffer` is not as `expected`: see [`assert_close`]. Halves may be half a unit in their last place off, too.
    pub(crate) fn check(&self, what: &str, element: Element, buffer: &wgpu::Buffer, expected: &[f32]) {
        let actual: Vec<f32> = match element {
            Element::F32 => self.gpu.read(buffer.slice(..)).expect("result"),
            _ => {
                let halves: Vec<half::f16> = self.gpu.read(buffer.slice(..)).expect("result");
                halves.into_iter().map(half::f16::to_f32).collect()
            }
        };
        let room = if element == Element::F32 { 1e-5 } else { 1e-5 + f32::powi(2.0, -11) };
        assert_within(what, room, &actual, expected);
    }

    /// Checks and times the composition of elementary operations that ends in these tensors.
    pub(crate) fn measure_unfused(
        &mut self,
        operator: &str,
        case: &str,
        cost: Cost,
        unfused: &Unfused,
        ends: &[(&wgpu::Buffer, &[f32])],
    ) {
        self.gpu.run(|pass| unfused.record(pass)).expect("run");
        for (end, expected) in ends {
            self.check(&format!("{case}, unfused"), Element::F32, end, expected);
        }
        self.measure(operator, case, "unfused", cost, |pass| unfused.record(pass));
    }

    /// Times what `record` records, with the caches full of something else, after a warm-up. `version` is "fused" for the
    /// operator itself, or the name of a baseline for the same operator and case, which the table sets in relation to it.
    pub(crate) fn measure(
        &mut self,
        operator: &str,
        case: &str,
        version: &str,
        cost: Cost,
        record: impl Fn(&mut wgpu::ComputePass<'_>),
    ) {
        let Self { gpu, clock, copy, criterion, rows, .. } = self;
        let most = if ceiling::software(gpu) { 1 } else { PASSES };
        let times = RefCell::new(Vec::new());
        ceiling::wake(gpu, copy);
        let mut group = criterion.benchmark_group(operator);
        group.sampling_mode(SamplingMode::Flat).bench_function(format!("{case}/{version}"), |bencher| {
            bencher.iter_custom(|iterations| {
                // Filling the caches takes longer than most kernels, so a few recordings stand for all that Criterion asks for.
                let recordings = u32::try_from(iterations).unwrap_or(u32::MAX).min(most);
                let time = clock.time(gpu, Some(copy), recordings, &record);
                times.borrow_mut().push(time);
                Duration::from_secs_f64(time.as_secs_f64() * iterations as f64)
            });
        });
        group.finish();
        let mut times = times.into_inner();
        times.sort();
        // Nothing was run where a filter left this row out.
        if let Some(&time) = times.get(times.len() / 2) {
            let (operator, case, version) = (operator.to_owned(), case.to_owned(), version.to_owned());
            rows.push(Row { operator, case, version, time, cost });
        }
    }

    /// The median of a row that was measured.
    pub(crate) fn median(&self, operator: &str, case: &str, version: &str) -> Option<Duration> {
        let row = self.rows.iter().find(|row| row.operator == operator && row.case == case && row.version == version);
        row.map(|row| row.time)
    }

    /// Prints the table, and writes it and the plot.
    pub(crate) fn finish(self) {
        self.criterion.final_summary();
        if self.rows.is_empty() {
            return;
        }
        let heading = vec![self.gpu.describe(), format!("times are {}, caches flushed", self.clock.describe())];
        let report = Report { heading, ceilings: self.ceilings, rows: self.rows };
        println!("\n{}", report.table());
        match report.write(Path::new(REPORT)) {
            Ok(()) => println!("{REPORT}.tsv and .svg written"),
            Err(error) => eprintln!("{REPORT} not written: {error}"),
        }
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
    assert_within(what, 1e-5, actual, expected);
}

fn assert_within(what: &str, room: f32, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0f32, |largest, value| largest.max(value.abs()));
    for (index, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= room * scale, "{what}: element {index} is {a}, expected {e}");
    }
}

/// The name of a case: halves have theirs in front.
pub(crate) fn of(element: Element, case: &str) -> String {
    if element == Element::F32 { case.to_owned() } else { format!("f16 {case}") }
}
