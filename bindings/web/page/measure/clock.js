// Time of a recording: the GPU's own where it has timestamps, otherwise wall time.

/** A measurement lasts so long, in milliseconds: browsers round timestamps to 0.1 ms. */
const LONG_ENOUGH = 5;
const MOST_REPEATS = 256;

export class Clock {
    #gpu;
    #stamps;

    constructor(gpu) {
        this.#gpu = gpu;
        if (gpu.has('timestamp-query')) {
            const { device } = gpu;
            this.#stamps = {
                querySet: device.createQuerySet({ type: 'timestamp', count: 2 }),
                resolved: device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC }),
            };
        }
    }

    describe() {
        const which = this.#stamps
            ? 'the GPU\'s timestamps, which browsers round to 0.1 ms'
            : 'wall time with submission and wait, since this browser offers no timestamps';
        return `Times are ${which}. Short work is repeated within a measurement, and caches are warm, so that a share may exceed 100 %.`;
    }

    /** Milliseconds of one run of `record`. It is repeated until it lasts long enough to be measured. */
    async time(record) {
        for (let repeats = 1; ; repeats *= 4) {
            const elapsed = await this.#elapsed(record, repeats);
            if (elapsed >= LONG_ENOUGH || repeats >= MOST_REPEATS) return elapsed / repeats;
        }
    }

    async #elapsed(record, repeats) {
        const all = (pass) => { for (let run = 0; run < repeats; run += 1) record(pass); };
        return this.#stamps ? this.#stamped(all) : this.#wall(all);
    }

    async #stamped(record) {
        const { device } = this.#gpu;
        const { querySet, resolved } = this.#stamps;
        const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
        this.#gpu.run(record, { timestampWrites });
        const encoder = device.createCommandEncoder();
        encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
        device.queue.submit([encoder.finish()]);
        const [begin, end] = new BigUint64Array((await this.#gpu.read(resolved)).buffer);
        return Number(end - begin) / 1e6;
    }

    async #wall(record) {
        const { queue } = this.#gpu.device;
        await queue.onSubmittedWorkDone();
        const start = performance.now();
        this.#gpu.run(record);
        await queue.onSubmittedWorkDone();
        return performance.now() - start;
    }
}

export async function median(count, measure) {
    const times = [];
    for (let run = 0; run < count; run += 1) times.push(await measure());
    return times.sort((a, b) => a - b)[Math.floor(count / 2)];
}
