//! Time of what a compute pass records: the GPU's own where it has timestamps, otherwise wall time.

use std::time::{Duration, Instant};

use visual_attention::host::{Gpu, Timestamps};
use visual_attention::wgpu;

use super::ceiling::Copy;

/// Passes that one submission may hold: few enough for a watchdog.
pub(crate) const PASSES: u32 = 8;

pub(crate) struct Clock(Option<Timestamps>);

impl Clock {
    pub(crate) fn new(gpu: &Gpu) -> Self {
        Self(Timestamps::new(gpu, PASSES).expect("query set"))
    }

    pub(crate) fn describe(&self) -> &'static str {
        match self.0 {
            Some(_) => "the GPU's timestamps",
            None => "wall time with submission and wait, for want of timestamps",
        }
    }

    /// Mean time of `recordings` of a pass, up to [`PASSES`]. With `flush` each of them finds the caches full of something else.
    pub(crate) fn time(
        &self,
        gpu: &Gpu,
        flush: Option<&Copy>,
        recordings: u32,
        record: &impl Fn(&mut wgpu::ComputePass<'_>),
    ) -> Duration {
        match &self.0 {
            Some(timestamps) => stamped(gpu, timestamps, flush, recordings, record),
            None => wall(gpu, flush, recordings, record),
        }
    }
}

fn stamped(
    gpu: &Gpu,
    timestamps: &Timestamps,
    flush: Option<&Copy>,
    recordings: u32,
    record: &impl Fn(&mut wgpu::ComputePass<'_>),
) -> Duration {
    let used = recordings.clamp(1, PASSES);
    let pass = |label, timestamp_writes| wgpu::ComputePassDescriptor { label: Some(label), timestamp_writes };
    gpu.submit(|encoder| {
        for at in 0..PASSES {
            // Every pass of the set has to be written; those beyond `used` are empty.
            if let (Some(flush), true) = (flush, at < used) {
                flush.record(&mut encoder.begin_compute_pass(&pass("flush", None)));
            }
            let mut pass = encoder.begin_compute_pass(&pass("timed", timestamps.writes(at)));
            if at < used {
                record(&mut pass);
            }
        }
        timestamps.resolve(encoder);
    })
    .expect("submission");
    // The last cell of a driver's clock that stands still would make any speed infinite: `read` refuses all zeros.
    let times = timestamps.read(gpu).expect("timestamps");
    times[..used as usize].iter().sum::<Duration>() / used
}

fn wall(gpu: &Gpu, flush: Option<&Copy>, recordings: u32, record: &impl Fn(&mut wgpu::ComputePass<'_>)) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..recordings {
        if let Some(flush) = flush {
            gpu.run(|pass| flush.record(pass)).expect("flush");
        }
        gpu.wait().expect("idle device");
        let start = Instant::now();
        gpu.run(|pass| record(pass)).expect("submission");
        gpu.wait().expect("end of the work");
        total += start.elapsed();
    }
    total / recordings
}
