// The second part of the page: golden cases on this GPU and on the references.
import { Operator, load } from '../visual-attention/operator.js';
import { version } from '../visual-attention/wasm/visual_attention_web.js';

const $ = (id) => document.getElementById(id);
const CASES = new URL('../cases/', import.meta.url);

const exponent = (error) => (error === null ? '' : error === 0 ? '0' : error.toExponential(1));

/** Runs the steps of a case. A gradient reads the buffers that the forward operator wrote. */
async function runSteps(gpu, references, { id, steps }) {
    let before = {};
    for (const [index, { call, tensors }] of steps.entries()) {
        const operator = new Operator(gpu.device, call.operator, call.options);
        const buffers = {};
        for (const { spec, contents } of tensors) {
            const { name } = spec;
            buffers[name] = contents === 'kept' ? before[name]
                : contents === 'output' ? gpu.buffer(name, spec.bytes)
                : gpu.upload(name, await references.call('contents', id, index, name));
        }
        const recording = await operator.bind(call.shapes, buffers);
        gpu.run((pass) => recording.record(pass));
        for (const { spec: { name, role } } of tensors.filter(({ spec }) => spec.role !== 'input')) {
            await references.call('result', id, index, name, await gpu.read(buffers[name]));
        }
        recording.destroy();
        const kept = Object.values(buffers);
        for (const buffer of Object.values(before)) if (!kept.includes(buffer)) buffer.destroy();
        before = buffers;
    }
    for (const buffer of Object.values(before)) buffer.destroy();
}

/** What a case shows: `{ verdict, detail, op, … }`. */
async function checkCase(gpu, references, bytes) {
    let golden;
    try {
        golden = await references.call('openCase', bytes);
        const onGpu = Boolean(gpu) && (!golden.f16 || gpu.has('shader-f16'));
        if (onGpu) await runSteps(gpu, references, golden);
        const report = await references.call('check', golden.id, onGpu);
        const right = report.failures.length === 0;
        const verdict = !right ? 'failed' : onGpu ? 'passed' : 'reference only';
        return { ...report, verdict, detail: right ? '' : report.failures.join('; ') };
    } catch (error) {
        return { op: '', verdict: 'failed', detail: error.message, checked: 0 };
    } finally {
        if (golden) await references.call('close', golden.id);
    }
}

export class Check {
    #page;
    #lines = [];
    #stopped = false;

    constructor(page) {
        this.#page = page;
        $('check-run').addEventListener('click', () => this.#runAll());
        $('check-stop').addEventListener('click', () => { this.#stopped = true; });
        $('check-copy').addEventListener('click', () => navigator.clipboard.writeText(this.report()));
        $('check-files').addEventListener('change', ({ target }) => { this.#runFiles([...target.files]); target.value = ''; });
        const section = $('check');
        section.addEventListener('dragover', (event) => { event.preventDefault(); section.classList.add('dropping'); });
        section.addEventListener('dragleave', () => section.classList.remove('dropping'));
        section.addEventListener('drop', (event) => {
            event.preventDefault();
            section.classList.remove('dropping');
            this.#runFiles([...event.dataTransfer.files]);
        });
    }

    changed() {
        $('check-run').textContent = this.#page.gpu ? 'Check this GPU' : 'Check the references';
    }

    async #runAll() {
        const list = await (await fetch(new URL('list.txt', CASES))).text();
        const bytesOf = async (name) => new Uint8Array(await (await fetch(new URL(name, CASES))).arrayBuffer());
        const names = list.trim().split('\n');
        await this.#run(names.map((name) => ({ name: name.replace(/\.safetensors$/, ''), read: () => bytesOf(name) })));
    }

    async #runFiles(files) {
        await this.#run(files.map((file) => ({ name: file.name, read: async () => new Uint8Array(await file.arrayBuffer()) })));
    }

    async #run(cases) {
        if (cases.length === 0) return;
        this.#begin(cases.length);
        await load();
        for (const { name, read } of cases) {
            if (this.#stopped) break;
            $('check-progress').value = this.#lines.length;
            $('check-summary').textContent = `${this.#lines.length + 1} of ${cases.length}: ${name}`;
            this.#add({ name, ...await checkCase(this.#page.gpu, this.#page.references, await read()) });
        }
        this.#end(cases.length);
    }

    #begin(count) {
        this.#lines = [];
        this.#stopped = false;
        $('check-table').tBodies[0].replaceChildren();
        $('check-table').hidden = false;
        Object.assign($('check-progress'), { hidden: false, max: count, value: 0 });
        this.#busy(true);
    }

    #end(count) {
        this.#busy(false);
        $('check-progress').hidden = true;
        $('check-copy').disabled = false;
        $('check-summary').textContent = this.#summary() + (this.#lines.length < count ? ` Stopped after ${this.#lines.length} of ${count}.` : '');
    }

    #busy(busy) {
        $('check-run').disabled = busy;
        $('check-files').disabled = busy;
        $('check-stop').disabled = !busy;
    }

    #add(line) {
        this.#lines.push(line);
        const row = $('check-table').tBodies[0].insertRow();
        const { name, op, verdict, detail, outputs, gradients, checked } = line;
        const cell = (text, className = '') => Object.assign(row.insertCell(), { textContent: text, className });
        cell(name);
        cell(op);
        cell(detail ? `${verdict}: ${detail}` : verdict, verdict === 'reference only' ? '' : verdict);
        for (const figure of ['gpu', 'reference', 'tolerance']) cell(outputs ? exponent(outputs[figure]) : '', 'number');
        cell(checked ? `${checked}, ${exponent(gradients.gpu ?? gradients.reference)}` : '', 'number');
    }

    #summary() {
        const count = (verdict) => this.#lines.filter((line) => line.verdict === verdict).length;
        const gradients = this.#lines.reduce((sum, { checked }) => sum + checked, 0);
        const alone = count('reference only');
        const why = this.#page.gpu ? 'this GPU has no 16-bit floats' : 'there is no GPU';
        return `${count('passed')} passed, ${count('failed')} failed${alone ? `, ${alone} on the references alone, since ${why}` : ''}; `
            + `${gradients} gradients.`;
    }

    /** The whole report as text, for a bug report. */
    report() {
        const { gpu } = this.#page;
        const limits = gpu ? Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(gpu.device.limits)))
            .filter(([, { get }]) => get).map(([name]) => `${name} ${gpu.device.limits[name]}`) : [];
        const lines = this.#lines.map(({ name, verdict, detail, op, outputs }) => [
            name, op, verdict, detail, outputs && `gpu ${exponent(outputs.gpu)} reference ${exponent(outputs.reference)} tolerance ${exponent(outputs.tolerance)}`,
        ].filter(Boolean).join('\t'));
        return [
            `visual-attention ${version()}: ${this.#summary()}`,
            `browser: ${navigator.userAgent}`,
            `adapter: ${gpu ? gpu.describe() : 'none'}`,
            `features: ${gpu ? [...gpu.device.features].sort().join(' ') : ''}`,
            `limits: ${limits.join(', ')}`,
            ...(gpu?.errors ?? []).map((error) => `device error: ${error}`),
            '', ...lines, '',
        ].join('\n');
    }
}
