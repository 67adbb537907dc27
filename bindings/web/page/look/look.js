// The first part of the page: a picture, and what stands out in it.
import initialize, * as module from './wasm/visual_attention_web.js';
import { Camera } from './camera.js';
import { LookOnCpu } from './on_cpu.js';
import { LookOnGpu } from './on_gpu.js';

const $ = (id) => document.getElementById(id);
const NAMES = ['overlay', 'mask', 'crop'];
/** Larger pictures are made smaller: those that a CPU reference takes seconds for, and more pixels than a page shows. */
const MOST_PIXELS = { gpu: 2_000_000, cpu: 250_000 };

/** A picture's pixels as the file stores them, upright. */
async function decode(blob, most) {
    const options = { colorSpaceConversion: 'none', premultiplyAlpha: 'none', imageOrientation: 'from-image' };
    const bitmap = await createImageBitmap(blob, options);
    const scale = Math.sqrt(most / (bitmap.width * bitmap.height));
    if (scale >= 1) return bitmap;
    const side = (length) => Math.max(Math.floor(length * scale), 1);
    const size = { resizeWidth: side(bitmap.width), resizeHeight: side(bitmap.height), resizeQuality: 'high' };
    return createImageBitmap(bitmap, size);
}

export class Look {
    #page;
    /** The small module, which has this part alone. */
    #loaded = initialize({ module_or_path: new URL('wasm/visual_attention_web_bg.wasm', import.meta.url) });
    #controls = $('look-controls');
    #camera = new Camera($('look-camera'), (text) => this.#say(text));
    /** The file that is shown, and its pixels. */
    #blob;
    #bitmap;
    #view;
    /** Whether something changed since the last drawing began, and whether one is going on. */
    #stale = false;
    #drawing = false;

    constructor(page) {
        this.#page = page;
        this.#loaded.then(() => { $('version').textContent = module.version(); });
        this.#controls.addEventListener('submit', (event) => event.preventDefault());
        this.#controls.addEventListener('input', ({ target }) => { if (target.name) this.#update(); });
        $('look-file').addEventListener('change', ({ target }) => { this.#show(target.files[0]); target.value = ''; });
        $('look-sample').addEventListener('click', () => this.#sample());
        $('look-camera').addEventListener('click', () => this.#camera.toggle(() => this.#update()));
        document.addEventListener('paste', ({ clipboardData }) => this.#show(clipboardData.files[0]));
        const section = $('look');
        section.addEventListener('dragover', (event) => { event.preventDefault(); section.classList.add('dropping'); });
        section.addEventListener('dragleave', () => section.classList.remove('dropping'));
        section.addEventListener('drop', (event) => {
            event.preventDefault();
            section.classList.remove('dropping');
            this.#show(event.dataTransfer.files[0]);
        });
    }

    /** There is another GPU, or none. */
    async changed() {
        this.#view?.release();
        // A canvas that had one kind of context can't have another.
        const fresh = NAMES.map((name) => {
            const canvas = $(name).cloneNode();
            $(name).replaceWith(canvas);
            return [name, canvas];
        });
        const canvases = Object.fromEntries(fresh);
        const { gpu, references } = this.#page;
        this.#view = gpu ? new LookOnGpu(gpu, module, canvases) : new LookOnCpu(references, canvases);
        await this.#show(this.#blob ?? await this.#sampleFile());
    }

    async #sampleFile() {
        return (await fetch(new URL('coffee.png', import.meta.url))).blob();
    }

    async #sample() {
        this.#show(await this.#sampleFile());
    }

    async #show(blob) {
        if (!blob) return;
        this.#camera.stop();
        try {
            const most = this.#page.gpu ? MOST_PIXELS.gpu : MOST_PIXELS.cpu;
            [this.#bitmap, this.#blob] = [await decode(blob, most), blob];
        } catch {
            this.#say(`${blob.name ?? 'This'} is not a picture that this browser can read, or it is damaged.`, true);
            return;
        }
        await this.#update();
    }

    #request(source) {
        const { statistic, threshold, otsu, connectivity, colors, opacity } = this.#controls.elements;
        threshold.disabled = otsu.checked;
        this.#controls.elements.level.value = otsu.checked ? 'Otsu' : Number(threshold.value).toFixed(2);
        return {
            width: source.videoWidth ?? source.width,
            height: source.videoHeight ?? source.height,
            statistic: statistic.value,
            threshold: otsu.checked ? 'otsu' : `value:${threshold.value}`,
            connectivity: connectivity.value,
            colors: colors.value,
            opacity: Number(opacity.value),
        };
    }

    /** Draws what is asked for last. Changes that come while a drawing goes on are drawn together after it. */
    async #update() {
        this.#stale = true;
        if (this.#drawing) return;
        this.#drawing = true;
        while (this.#stale || this.#camera.running) {
            this.#stale = false;
            const view = this.#view;
            try {
                await this.#draw(view);
            } catch (error) {
                if (view === this.#view) this.#say(`Not drawn: ${error.message}`, true);
                this.#camera.stop();
            }
            if (this.#camera.running) await new Promise(requestAnimationFrame);
        }
        this.#drawing = false;
    }

    async #draw(view) {
        const source = this.#camera.frame() ?? this.#bitmap;
        if (!source) return;
        const request = this.#request(source);
        const start = performance.now();
        await this.#loaded;
        await view.prepare(request);
        const prepared = performance.now();
        const [left, top, right, bottom] = await view.draw(source);
        const where = this.#page.gpu ? 'on the GPU' : 'on the CPU references';
        const times = `prepared in ${Math.round(prepared - start)} ms, drawn in ${Math.round(performance.now() - prepared)} ms ${where}`;
        this.#say(`Box ${left}, ${top} to ${right}, ${bottom} of ${request.width} x ${request.height} pixels; ${times}.`);
        document.documentElement.dataset.drawn = Number(document.documentElement.dataset.drawn ?? 0) + 1;
    }

    #say(text, wrong = false) {
        $('look-status').textContent = text;
        $('look-status').classList.toggle('error', wrong);
    }
}
