// A picture on the GPU, from upload to canvas: only the box comes back.
import { deviceRequest } from '../visual-attention/device.js';
import { prepare } from '../visual-attention/plan.js';

/** The page's own kernels, compiled for one device. */
class Display {
    static async open(device) {
        const code = await (await fetch(new URL('display.wgsl', import.meta.url))).text();
        const module = device.createShaderModule({ label: 'display', code });
        const compile = (entryPoint) => device.createComputePipelineAsync({ label: entryPoint, layout: 'auto', compute: { module, entryPoint } });
        const [planes, mask, crop] = await Promise.all(['planes', 'mask', 'crop'].map(compile));
        return new Display(device, { planes, mask, crop });
    }

    constructor(device, pipelines) {
        this.device = device;
        this.pipelines = pipelines;
    }

    record(pass, name, resources, [width, height]) {
        const pipeline = this.pipelines[name];
        const entries = resources.map((resource, binding) => ({ binding, resource }));
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, this.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
        pass.dispatchWorkgroups(Math.ceil(width / 8), Math.ceil(height / 8));
    }
}

/** Canvases whose pixels kernels write. */
function contextsOf(device, canvases) {
    const of = ([name, canvas]) => {
        const context = canvas.getContext('webgpu');
        context.configure({ device, format: 'rgba8unorm', usage: GPUTextureUsage.STORAGE_BINDING, alphaMode: 'opaque' });
        return [name, context];
    };
    return Object.fromEntries(Object.entries(canvases).map(of));
}

export class LookOnGpu {
    #gpu;
    #module;
    #contexts;
    #display;
    #size = [0, 0];
    #texture;
    #buffers = {};
    #recording;
    #request;

    /** `module` makes plans, `canvases` are the page's three. */
    constructor(gpu, module, canvases) {
        this.#gpu = gpu;
        this.#module = module;
        this.#contexts = contextsOf(gpu.device, canvases);
        this.#display = Display.open(gpu.device);
    }

    /** Prepares for pictures of this size and these options. Pipelines that are there already are not compiled again. */
    async prepare(request) {
        const text = JSON.stringify(request);
        if (text === this.#request) return;
        const plan = JSON.parse(this.#module.look(text, deviceRequest(this.#gpu.device)));
        this.#resize([request.width, request.height], plan.tensors);
        const before = this.#recording;
        this.#recording = await prepare(this.#gpu.device, plan, this.#buffers);
        before?.destroy();
        await this.#display;
        this.#request = text;
    }

    #resize([width, height], tensors) {
        if (this.#size[0] === width && this.#size[1] === height) return;
        this.release();
        this.#size = [width, height];
        const usage = GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST | GPUTextureUsage.RENDER_ATTACHMENT;
        this.#texture = this.#gpu.device.createTexture({ label: 'picture', size: [width, height], format: 'rgba8unorm', usage });
        for (const [name, bytes] of tensors) this.#buffers[name] = this.#gpu.buffer(name, bytes);
        for (const { canvas } of Object.values(this.#contexts)) Object.assign(canvas, { width, height });
    }

    /** Uploads the picture and draws all three canvases. Returns the box. */
    async draw(source) {
        const { device } = this.#gpu;
        const display = await this.#display;
        const whole = (name) => ({ buffer: this.#buffers[name] });
        const textures = Object.fromEntries(Object.entries(this.#contexts).map(([name, context]) => [name, context.getCurrentTexture()]));
        device.queue.copyExternalImageToTexture({ source }, { texture: this.#texture }, this.#size);
        this.#gpu.run((pass) => {
            display.record(pass, 'planes', [this.#texture.createView(), whole('picture')], this.#size);
            this.#recording.record(pass, textures);
            const mask = [whole('mask'), whole('component'), whole('boxes'), textures.mask.createView()];
            display.record(pass, 'mask', mask, this.#size);
            display.record(pass, 'crop', [whole('crops'), textures.crop.createView()], this.#size);
        });
        return [...new Int32Array((await this.#gpu.read(this.#buffers.boxes)).buffer)];
    }

    release() {
        this.#texture?.destroy();
        for (const buffer of Object.values(this.#buffers)) buffer.destroy();
        this.#buffers = {};
    }
}
