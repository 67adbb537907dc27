// Runs a plan, which is plain data, on a GPUDevice. This file needs no WebAssembly: a program may keep a plan as JSON.

/** Shader modules and pipelines of each device, by what they are made of. */
const caches = new WeakMap();

function cacheOf(device) {
    if (!caches.has(device)) caches.set(device, { modules: new Map(), pipelines: new Map() });
    return caches.get(device);
}

function once(map, key, make) {
    if (!map.has(key)) map.set(key, make());
    return map.get(key);
}

function layoutOf(device, label, entries) {
    return device.createBindGroupLayout({
        label,
        entries: entries.map(({ binding, type, dynamic }) => ({
            binding,
            visibility: GPUShaderStage.COMPUTE,
            ...(type === 'texture'
                ? { storageTexture: { access: 'write-only', format: 'rgba8unorm', viewDimension: '2d-array' } }
                : { buffer: { type, hasDynamicOffset: Boolean(dynamic) } }),
        })),
    });
}

/** A pipeline with its layout. It is compiled beside the page's thread, once for each device. */
function pipelineOf(device, plan, { label, module, entryPoint, constants, layout }) {
    const { modules, pipelines } = cacheOf(device);
    const code = plan.modules[module];
    const key = JSON.stringify([entryPoint, constants, layout, code]);
    return once(pipelines, key, async () => {
        const group = layoutOf(device, label, layout);
        const compiled = device.createComputePipelineAsync({
            label,
            layout: device.createPipelineLayout({ label, bindGroupLayouts: [group] }),
            compute: { module: once(modules, code, () => device.createShaderModule({ label, code })), entryPoint, constants },
        });
        // A pipeline that failed, for instance on a device that was lost, is tried again.
        return { group, pipeline: await compiled.catch((error) => { pipelines.delete(key); throw error; }) };
    });
}

function scratchBuffer(device, { label, size, uniform, words }) {
    const usage = uniform ? GPUBufferUsage.UNIFORM : GPUBufferUsage.STORAGE;
    const buffer = device.createBuffer({ label, size, usage, mappedAtCreation: Boolean(words) });
    if (words) {
        new Uint32Array(buffer.getMappedRange()).set(words);
        buffer.unmap();
    }
    return buffer;
}

/** Throws what a device reports about `create`. */
async function created(device, create) {
    device.pushErrorScope('validation');
    device.pushErrorScope('out-of-memory');
    let made;
    let scopes;
    try {
        made = create();
    } finally {
        // Popped before anything is awaited: a caller's own scopes are not disturbed.
        scopes = [device.popErrorScope(), device.popErrorScope()];
    }
    const error = (await Promise.all(scopes)).find(Boolean);
    if (error) throw new Error(error.message);
    return made;
}

/** What a plan became on a device: it can be recorded any number of times. */
export class Recording {
    #dispatches;
    #scratch;

    constructor(dispatches, scratch) {
        this.#dispatches = dispatches;
        this.#scratch = scratch;
    }

    /** The number of dispatches. */
    get length() {
        return this.#dispatches.length;
    }

    /**
     * Records every dispatch into a compute pass of the caller's. `textures` has a GPUTexture for each name that the plan takes: it may be
     * another one at every call, as a canvas has.
     */
    record(pass, textures = {}) {
        for (const { pipeline, bindGroup, offsets, workgroups } of this.#dispatches) {
            pass.setPipeline(pipeline);
            pass.setBindGroup(0, bindGroup(textures), offsets);
            pass.dispatchWorkgroups(...workgroups);
        }
    }

    /** Frees parameters and scratch buffers. */
    destroy() {
        for (const buffer of this.#scratch) buffer.destroy();
        this.#dispatches = [];
    }
}

/** Compiles what is missing, and binds the plan to the caller's buffers: `{ name: GPUBuffer }`, or `{ name: { buffer } }`. */
export async function prepare(device, plan, tensors) {
    const pipelines = await Promise.all(plan.pipelines.map((pipeline) => pipelineOf(device, plan, pipeline)));
    return created(device, () => {
        const scratch = plan.buffers.map((buffer) => scratchBuffer(device, buffer));
        const resourceOf = (bound, textures) => {
            if (bound.texture !== undefined) return textures[bound.texture].createView({ dimension: '2d-array' });
            const given = tensors[bound.tensor];
            const buffer = bound.tensor === undefined ? scratch[bound.buffer] : given.buffer ?? given;
            return { buffer, offset: bound.offset ?? 0, size: bound.size };
        };
        const dispatches = plan.dispatches.map(({ pipeline: number, bindings, offsets = [], workgroups }) => {
            const { pipeline, group } = pipelines[number];
            const { label } = plan.pipelines[number];
            const bindGroup = (textures) => device.createBindGroup({
                label,
                layout: group,
                entries: bindings.map((bound) => ({ binding: bound.binding, resource: resourceOf(bound, textures) })),
            });
            // A group without a texture is the same for every recording.
            const fixed = bindings.some((bound) => bound.texture !== undefined) ? null : bindGroup({});
            return { pipeline, bindGroup: fixed ? () => fixed : bindGroup, offsets, workgroups };
        });
        return new Recording(dispatches, scratch);
    });
}
