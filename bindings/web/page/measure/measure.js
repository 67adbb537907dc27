// The third part of the page: the rows of the example `gpu_report` on this GPU.
import { Operator, load } from '../visual-attention/operator.js';
import { measureCeilings } from './ceilings.js';
import { Clock, median } from './clock.js';
import { roofline } from './roofline.js';

const $ = (id) => document.getElementById(id);
const MEASUREMENTS = 5;

class Cancelled extends Error {}

export class Measure {
    #page;
    #cancelled = false;
    #text = '';

    constructor(page) {
        this.#page = page;
        $('measure-run').addEventListener('click', () => this.#run());
        $('measure-cancel').addEventListener('click', () => { this.#cancelled = true; });
        $('measure-copy').addEventListener('click', () => navigator.clipboard.writeText(this.#text));
    }

    changed() {
        const { gpu } = this.#page;
        $('measure-run').disabled = !gpu;
        $('measure-status').textContent = gpu ? new Clock(gpu).describe() : 'There is nothing to measure without a GPU.';
    }

    async #run() {
        const { gpu } = this.#page;
        this.#cancelled = false;
        $('measure-table').tBodies[0].replaceChildren();
        $('roofline').replaceChildren();
        this.#busy(true);
        let ending = '';
        try {
            await load();
            await this.#measure(gpu);
        } catch (error) {
            ending = error instanceof Cancelled ? 'Cancelled. ' : `Stopped: ${error.message} `;
        }
        this.#busy(false);
        if (this.#page.gpu) $('measure-status').textContent = ending + $('measure-status').dataset.heading;
    }

    async #measure(gpu) {
        const { references } = this.#page;
        const clock = new Clock(gpu);
        const count = await references.call('rows');
        this.#progress(0, count + 1, 'ceilings');
        const ceilings = await measureCeilings(gpu, clock);
        const rates = `copy ${(ceilings.bytesPerSecond / 1e9).toFixed(1)} GB/s, multiply-add ${(ceilings.flopsPerSecond / 1e9).toFixed(1)} GFLOP/s`;
        $('measure-status').dataset.heading = `Ceilings measured here: ${rates}. ${clock.describe()}`;
        $('measure-table').hidden = false;
        const rows = [];
        this.#text = `${gpu.describe()}\nceilings: ${rates}\n${clock.describe()}\n`;
        for (let index = 0; index < count; index += 1) {
            if (this.#cancelled) throw new Cancelled();
            const row = await references.call('openRow', index);
            this.#progress(index + 1, count + 1, `${row.call.operator} ${row.case}`);
            const result = await this.#row(gpu, clock, row).finally(() => references.call('close', row.id));
            this.#add(ceilings, row, result);
            if (result.seconds) rows.push({ ...row, ...result });
            if (rows.length > 0) $('roofline').replaceChildren(roofline(ceilings, rows));
        }
    }

    /** Runs a row, compares its result, and times it. */
    async #row(gpu, clock, { id, call, tensors, output, f16 }) {
        const { references } = this.#page;
        if (f16 && !gpu.has('shader-f16')) return { problem: 'this GPU has no 16-bit floats' };
        const contents = (spec) => (spec.role === 'output' ? null : references.call('contents', id, spec.name));
        const buffers = await gpu.buffers(tensors, contents);
        const recording = await new Operator(gpu.device, call.operator, call.options).bind(call.shapes, buffers);
        try {
            const record = (pass) => recording.record(pass);
            gpu.run(record);
            const difference = await references.call('difference', id, await gpu.read(buffers[output]));
            if (difference) return { problem: `wrong: ${difference}` };
            const measure = () => {
                if (this.#cancelled) throw new Cancelled();
                return clock.time(record);
            };
            return { seconds: await median(MEASUREMENTS, measure) / 1e3 };
        } finally {
            recording.destroy();
            for (const buffer of Object.values(buffers)) buffer.destroy();
        }
    }

    #add({ bytesPerSecond, flopsPerSecond }, { call, case: name, cost }, { seconds, problem }) {
        const row = $('measure-table').tBodies[0].insertRow();
        const cell = (text, className = '') => Object.assign(row.insertCell(), { textContent: text, className });
        cell(call.operator);
        cell(name);
        if (problem) {
            Object.assign(cell(problem, problem.startsWith('wrong') ? 'failed' : ''), { colSpan: 4 });
            this.#text += `${call.operator}\t${name}\t${problem}\n`;
            return;
        }
        const least = Math.max(cost.bytes / bytesPerSecond, cost.flops / flopsPerSecond);
        const figures = [
            seconds < 1e-3 ? `${(seconds * 1e6).toFixed(1)} µs` : `${(seconds * 1e3).toFixed(2)} ms`,
            (cost.bytes / seconds / 1e9).toFixed(2),
            (cost.flops / seconds / 1e9).toFixed(2),
            `${((100 * least) / seconds).toFixed(1)} %`,
        ];
        for (const figure of figures) cell(figure, 'number');
        this.#text += `${[call.operator, name, ...figures].join('\t')}\n`;
    }

    #progress(done, all, doing) {
        Object.assign($('measure-progress'), { value: done, max: all });
        $('measure-status').textContent = `${done} of ${all}: ${doing}`;
    }

    #busy(busy) {
        $('measure-progress').hidden = !busy;
        $('measure-run').disabled = busy || !this.#page.gpu;
        $('measure-cancel').disabled = !busy;
        $('measure-copy').disabled = busy || !this.#text;
    }
}
