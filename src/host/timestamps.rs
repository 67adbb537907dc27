//! GPU time of compute passes.

use std::time::Duration;

use super::Gpu;
use crate::Error;

/// A begin and an end timestamp for each of several compute passes.
#[derive(Debug)]
pub struct Timestamps {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    passes: u32,
    nanoseconds_per_tick: f64,
}

impl Timestamps {
    /// Timestamps for `passes` passes. `None` if the device has no timestamp queries, or if one query set can't hold the passes.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`], [`Error::DeviceLost`].
    pub fn new(gpu: &Gpu, passes: u32) -> Result<Option<Self>, Error> {
        let fits = (1..=wgpu::QUERY_SET_MAX_QUERIES / 2).contains(&passes);
        if !fits || !gpu.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Ok(None);
        }
        gpu.guarded(|| {
            Some(Self {
                queries: gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some("timestamps"),
                    ty: wgpu::QueryType::Timestamp,
                    count: passes * 2,
                }),
                resolved: gpu.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("timestamps"),
                    size: u64::from(passes) * 16,
                    usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                    mapped_at_creation: false,
                }),
                passes,
                nanoseconds_per_tick: f64::from(gpu.queue.get_timestamp_period()),
            })
        })
    }

    /// The timestamps that pass number `pass` writes; `None` from `passes` on.
    #[must_use]
    pub fn writes(&self, pass: u32) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        (pass < self.passes).then(|| wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(pass * 2),
            end_of_pass_write_index: Some(pass * 2 + 1),
        })
    }

    /// Records the copy of all timestamps, after the passes.
    pub fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.queries, 0..self.passes * 2, &self.resolved, 0);
    }

    /// GPU time of each pass, once the encoder has been submitted. Every pass must have run.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the driver returns only zeros, or a pass that ends before it begins; otherwise as [`Gpu::read`].
    pub fn read(&self, gpu: &Gpu) -> Result<Vec<Duration>, Error> {
        let ticks: Vec<u64> = gpu.read(self.resolved.slice(..))?;
        if ticks.iter().all(|&tick| tick == 0) {
            return Err(Error::Refused { reason: "the driver's timestamps are all zero".into() });
        }
        ticks
            .chunks_exact(2)
            .map(|pass| {
                let ticks = pass[1].checked_sub(pass[0]).ok_or_else(|| Error::Refused {
                    reason: "a timestamp at the end of a pass is before the one at its beginning".into(),
                })?;
                Ok(Duration::from_nanos((ticks as f64 * self.nanoseconds_per_tick) as u64))
            })
            .collect()
    }
}
