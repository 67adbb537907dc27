// The browser's GPU: opening it, and what the parts of the page do with it.
import { isSoftware } from './visual-attention/device.js';

/** Why there is no GPU, in one sentence. */
export class NoGpu extends Error {}

/** Features that are used where the adapter has them. */
const WANTED = ['shader-f16', 'timestamp-query'];
/** Limits that are raised to the adapter's own. */
const LARGE = ['maxBufferSize', 'maxStorageBufferBindingSize'];

export class Gpu {
    static async open() {
        if (!globalThis.isSecureContext) throw new NoGpu('Browsers offer WebGPU to pages that come over https or from localhost only.');
        if (!navigator.gpu) throw new NoGpu('This browser has no WebGPU. Current versions of Chrome, Edge, Safari and Firefox have it.');
        const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
        if (!adapter) throw new NoGpu('This browser has WebGPU, but found no GPU adapter that it trusts.');
        try {
            const device = await adapter.requestDevice({
                requiredFeatures: WANTED.filter((feature) => adapter.features.has(feature)),
                requiredLimits: Object.fromEntries(LARGE.map((limit) => [limit, adapter.limits[limit]])),
            });
            return new Gpu(adapter, device);
        } catch (error) {
            throw new NoGpu(`The GPU adapter gave no device: ${error.message}`);
        }
    }

    constructor(adapter, device) {
        this.adapter = adapter;
        this.device = device;
        this.software = isSoftware(adapter);
        /** What the device reported outside error scopes. */
        this.errors = [];
        device.addEventListener('uncapturederror', ({ error }) => this.errors.push(error.message));
    }

    has(feature) {
        return this.device.features.has(feature);
    }

    /** One line that names the adapter. */
    describe() {
        const { vendor, architecture, device, description } = this.adapter.info;
        const names = [vendor, architecture, device, description].filter(Boolean).join(' ') || 'an adapter that does not tell its name';
        return this.software ? `${names} (computes on the CPU)` : names;
    }

    buffer(label, size) {
        const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
        return this.device.createBuffer({ label, size, usage });
    }

    upload(label, bytes) {
        const buffer = this.buffer(label, bytes.byteLength);
        this.device.queue.writeBuffer(buffer, 0, bytes);
        return buffer;
    }

    /** Records one compute pass and submits it. */
    run(record, descriptor) {
        const encoder = this.device.createCommandEncoder();
        const pass = encoder.beginComputePass(descriptor);
        record(pass);
        pass.end();
        this.device.queue.submit([encoder.finish()]);
    }

    /** Copies a buffer back, after all submitted work. */
    async read(buffer) {
        const staging = this.device.createBuffer({ size: buffer.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
        const encoder = this.device.createCommandEncoder();
        encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
        this.device.queue.submit([encoder.finish()]);
        try {
            await staging.mapAsync(GPUMapMode.READ);
            return new Uint8Array(staging.getMappedRange().slice(0));
        } finally {
            staging.destroy();
        }
    }

    /** Buffers for an operator's tensors: `contents(spec)` gives bytes, or null for an output. */
    async buffers(specs, contents) {
        const made = {};
        for (const spec of specs) {
            const bytes = await contents(spec);
            made[spec.name] = bytes ? this.upload(spec.name, bytes) : this.buffer(spec.name, spec.bytes);
        }
        return made;
    }
}
