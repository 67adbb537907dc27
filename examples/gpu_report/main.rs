//! What one's own GPU does: adapter, features, limits, its ceilings, and for a short list of shapes the time of each operator,
//! its rates and its share of the ceiling. Every result is checked against the CPU reference before it is timed.
//!
//! `cargo run --release --example gpu_report`, in under a minute; `-- --write report` leaves `report.tsv` and a roofline plot,
//! `report.svg`.

#[path = "../../benches/common/ceiling.rs"]
mod ceiling;
#[path = "../../benches/common/clock.rs"]
mod clock;
#[path = "../../benches/common/report.rs"]
mod report;
mod rows;
mod run;
#[path = "../../tests/cases/stored.rs"]
mod stored;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use visual_attention::Error;
use visual_attention::host::Gpu;

use ceiling::Copy;
use clock::{Clock, PASSES};
use report::{Report, Row};
use run::Bound;

/// Measurements of each case; the table has their median.
const MEASUREMENTS: usize = 5;

/// Measures this machine's GPU with the operators of visual attention, each checked against its reference.
///
/// Exits with 1 where a result is wrong, with 2 where there is no adapter. `WGPU_ADAPTER_NAME` and `WGPU_BACKEND` choose one.
#[derive(Parser)]
struct Arguments {
    /// Writes the table to STEM.tsv and a roofline plot to STEM.svg.
    #[arg(long, value_name = "STEM")]
    write: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let gpu = match Gpu::open_large() {
        Ok(gpu) => gpu,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match measure(&gpu, &arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("{wrong} of {} results are wrong", rows::rows().len());
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
    }
}

/// The number of wrong results.
fn measure(gpu: &Gpu, arguments: &Arguments) -> Result<usize, Error> {
    describe(gpu);
    let clock = Clock::new(gpu);
    let copy = Copy::new(gpu);
    let mut list = rows::rows();
    list.retain(|row| gpu.has_f16() || !row.is_f16());
    let bar = ProgressBar::new(list.len() as u64 + 1);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.set_message("ceilings");
    let ceilings = ceiling::measure(gpu, &clock, &copy);
    let (mut rows, mut wrong) = (Vec::new(), 0);
    for row in list {
        bar.inc(1);
        bar.set_message(format!("{} {}", row.operator, row.case));
        let bound = Bound::new(gpu, &row)?;
        gpu.run(|pass| bound.recording.record(pass))?;
        if let Some(difference) = bound.difference(gpu, &row)? {
            bar.println(format!("WRONG: {} {}: {difference}", row.operator, row.case));
            wrong += 1;
            continue;
        }
        ceiling::wake(gpu, &copy);
        let recordings = if ceiling::software(gpu) { 1 } else { PASSES };
        let mut times: Vec<_> = (0..MEASUREMENTS)
            .map(|_| clock.time(gpu, Some(&copy), recordings, &|pass: &mut _| bound.recording.record(pass)))
            .collect();
        times.sort();
        rows.push(Row {
            operator: row.operator.into(),
            case: row.case,
            version: "fused".into(),
            time: times[MEASUREMENTS / 2],
            cost: bound.cost,
        });
    }
    bar.finish_and_clear();
    let heading = vec![gpu.describe(), format!("times are {}, caches flushed", clock.describe())];
    let report = Report { heading, ceilings, rows };
    println!("{}\nevery result was checked against the CPU reference", report.table());
    if let Some(stem) = &arguments.write {
        let written =
            report.write(stem).map_err(|error| Error::Refused { reason: format!("{}: {error}", stem.display()) });
        written?;
    }
    Ok(wrong)
}

fn describe(gpu: &Gpu) {
    let limits = gpu.device.limits();
    println!("adapter    {}", gpu.describe());
    println!("features   {}", gpu.device.features());
    println!(
        "limits     buffers {} MiB, storage bindings {} MiB, {} storage buffers, workgroups of {} invocations and {} KiB",
        limits.max_buffer_size >> 20,
        limits.max_storage_buffer_binding_size >> 20,
        limits.max_storage_buffers_per_shader_stage,
        limits.max_compute_invocations_per_workgroup,
        limits.max_compute_workgroup_storage_size >> 10,
    );
}
