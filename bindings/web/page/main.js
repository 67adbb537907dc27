// Opens the GPU, and tells the three parts of the page which one there is.
import { Check } from './check/check.js';
import { Gpu } from './gpu.js';
import { Look } from './look/look.js';
import { Measure } from './measure/measure.js';
import { References } from './references.js';

const $ = (id) => document.getElementById(id);

/** What the parts share. `gpu` is null where there is none. */
const page = { gpu: null, references: new References() };
const check = new Check(page);
const parts = [new Look(page), check, new Measure(page)];

function trouble(text) {
    $('trouble').hidden = !text;
    $('trouble').querySelector('p').textContent = text;
}

function changed(gpu) {
    page.gpu = gpu;
    for (const part of parts) part.changed();
}

async function open() {
    trouble('');
    try {
        const gpu = await Gpu.open();
        gpu.device.lost.then(({ message }) => {
            if (page.gpu !== gpu) return;
            $('adapter').textContent = 'No GPU';
            trouble(`The GPU device was lost${message ? `: ${message.trim().replace(/\.?$/, '.')}` : '.'} Until it is opened again, the CPU references do the work.`);
            changed(null);
        });
        $('adapter').textContent = `GPU: ${gpu.describe()}${gpu.has('shader-f16') ? '' : ', without 16-bit floats'}`;
        changed(gpu);
    } catch (error) {
        $('adapter').textContent = 'No GPU';
        trouble(`${error.message} Everything that needs no GPU works: the CPU references do the work.`);
        changed(null);
    }
}

$('retry').addEventListener('click', open);
await open();
// For tests, and for curious people.
globalThis.page = Object.assign(page, { report: () => check.report() });
