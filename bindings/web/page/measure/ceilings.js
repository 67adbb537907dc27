// What this adapter reaches at best: the rate of a large copy and of multiply-adds, with the kernels that the crate's benches use.

/** Rounds of fma.wgsl, and floating-point operations of one: 4 fused multiply-adds of 4 lanes. */
const ROUNDS = 4096;
const FLOPS_OF_A_ROUND = 4 * 4 * 2;
const REPEATS = 5;

async function build(gpu, file, constants, from, to) {
    const { device } = gpu;
    const code = await (await fetch(new URL(file, import.meta.url))).text();
    const module = device.createShaderModule({ label: file, code });
    const pipeline = await device.createComputePipelineAsync({ label: file, layout: 'auto', compute: { module, constants } });
    const entries = [from, to].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    return (...workgroups) => (pass) => {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...workgroups);
    };
}

async function best(clock, record) {
    let least = Infinity;
    // The first warms up.
    for (let run = 0; run <= REPEATS; run += 1) {
        const time = await clock.time(record);
        if (run > 0) least = Math.min(least, time);
    }
    return least / 1e3;
}

/** Bytes and floating-point operations per second. */
export async function measureCeilings(gpu, clock) {
    const most = (gpu.software ? 64 : 256) * 2 ** 20;
    const bytes = Math.floor(Math.min(most, gpu.device.limits.maxStorageBufferBindingSize) / 4096) * 4096;
    const count = bytes / 16 / 256;
    const rows = Math.ceil(count / 65535);
    const groups = gpu.software ? 64 : 16384;
    // Below 1, so that no chain leaves the normal numbers.
    const factors = gpu.upload('factors', new Float32Array(groups * 64 * 4).fill(0.5));
    const buffers = [gpu.buffer('copied', bytes), gpu.buffer('copy', bytes), factors, gpu.buffer('sums', groups * 64 * 16)];
    const copy = await build(gpu, 'copy.wgsl', {}, buffers[0], buffers[1]);
    const fma = await build(gpu, 'fma.wgsl', { ROUNDS }, buffers[2], buffers[3]);
    const ceilings = {
        bytesPerSecond: (2 * bytes) / await best(clock, copy(Math.ceil(count / rows), rows)),
        flopsPerSecond: (groups * 64 * ROUNDS * FLOPS_OF_A_ROUND) / await best(clock, fma(groups)),
    };
    for (const buffer of buffers) buffer.destroy();
    return ceilings;
}
