//! What this adapter reaches at best, in the same run as everything else: the rate of a large copy and of multiply-adds.

use std::time::{Duration, Instant};

use visual_attention::host::Gpu;
use visual_attention::wgpu::{self, BufferUsages};

use super::clock::Clock;

/// Rounds of `ceiling/fma.wgsl`, and floating-point operations of one: 4 fused multiply-adds of 4 lanes.
const ROUNDS: u32 = 4096;
const FLOPS_OF_A_ROUND: u64 = 4 * 4 * 2;
const REPEATS: usize = 5;
/// A GPU lowers its clocks while a reference is computed on the host, and takes this long to raise them.
const AWAKE: Duration = Duration::from_millis(300);

/// The adapter's own limits, as measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ceilings {
    /// Bytes read and written by a copy, in a second.
    pub(crate) bytes_per_second: f64,
    /// Two for each fused multiply-add.
    pub(crate) flops_per_second: f64,
}

impl Ceilings {
    /// The least time for so much work, if nothing else stood in its way.
    pub(crate) fn floor(&self, cost: visual_attention::Cost) -> Duration {
        let moved = cost.bytes as f64 / self.bytes_per_second;
        let computed = cost.flops as f64 / self.flops_per_second;
        Duration::from_secs_f64(moved.max(computed))
    }
}

/// A copy so large that no cache holds it: the ceiling of memory, and what empties the caches between two measurements.
pub(crate) struct Copy {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    groups: [u32; 2],
    bytes: u64,
}

impl Copy {
    pub(crate) fn new(gpu: &Gpu) -> Self {
        // A GPU's last cache holds up to 256 MiB, less on most; a software adapter runs beside everything else on the machine.
        let most = if software(gpu) { 64 << 20 } else { 256 << 20 };
        let bytes = most.min(gpu.device.limits().max_storage_buffer_binding_size).next_multiple_of(4096);
        let [from_here, to_here] = ["copied", "copy"].map(|label| buffer(gpu, label, bytes));
        let (pipeline, group) = build(gpu, include_str!("../ceiling/copy.wgsl"), &[], &from_here, &to_here);
        let count = (bytes / 16).div_ceil(256) as u32;
        let rows = count.div_ceil(65_535);
        Self { pipeline, group, groups: [count.div_ceil(rows), rows], bytes }
    }

    pub(crate) fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(self.groups[0], self.groups[1], 1);
    }
}

/// Keeps a GPU busy until its clocks are those of work. A software adapter has none of its own.
pub(crate) fn wake(gpu: &Gpu, copy: &Copy) {
    let start = Instant::now();
    while !software(gpu) && start.elapsed() < AWAKE {
        gpu.run(|pass| (0..32).for_each(|_| copy.record(pass))).expect("copies");
        gpu.wait().expect("end of the copies");
    }
}

/// Measures both.
pub(crate) fn measure(gpu: &Gpu, clock: &Clock, copy: &Copy) -> Ceilings {
    let groups = if software(gpu) { 64 } else { 16_384 };
    let invocations = u64::from(groups) * 64;
    // Below 1, so that no chain leaves the normal numbers.
    let factors = vec![0.5f32; invocations as usize * 4];
    let from_here = gpu.upload("factors", &factors).expect("factors");
    let to_here = buffer(gpu, "sums", invocations * 16);
    let constants = [("ROUNDS", f64::from(ROUNDS))];
    let (pipeline, group) = build(gpu, include_str!("../ceiling/fma.wgsl"), &constants, &from_here, &to_here);
    let fma = |pass: &mut wgpu::ComputePass<'_>| {
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(groups, 1, 1);
    };
    let flops = invocations * u64::from(ROUNDS) * FLOPS_OF_A_ROUND;
    wake(gpu, copy);
    Ceilings {
        bytes_per_second: (2 * copy.bytes) as f64 / best(gpu, clock, |pass| copy.record(pass)),
        flops_per_second: flops as f64 / best(gpu, clock, fma),
    }
}

/// The shortest of several runs, the first of which warms up.
fn best(gpu: &Gpu, clock: &Clock, record: impl Fn(&mut wgpu::ComputePass<'_>)) -> f64 {
    let times = (0..=REPEATS).map(|_| clock.time(gpu, None, 1, &record).as_secs_f64());
    times.skip(1).fold(f64::INFINITY, f64::min)
}

pub(crate) fn software(gpu: &Gpu) -> bool {
    gpu.adapter.device_type == wgpu::DeviceType::Cpu
}

fn buffer(gpu: &Gpu, label: &str, bytes: u64) -> wgpu::Buffer {
    gpu.buffer(label, bytes).expect("memory for the ceilings")
}

fn build(
    gpu: &Gpu,
    source: &str,
    constants: &[(&str, f64)],
    from_here: &wgpu::Buffer,
    to_here: &wgpu::Buffer,
) -> (wgpu::ComputePipeline, wgpu::BindGroup) {
    debug_assert!(from_here.usage().contains(BufferUsages::STORAGE));
    let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: wgpu::PipelineCompilationOptions { constants, ..Default::default() },
        cache: None,
    });
    let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: from_here.as_entire_binding() },
            wgpu::BindGroupEntry { binding: 1, resource: to_here.as_entire_binding() },
        ],
    });
    (pipeline, group)
}
