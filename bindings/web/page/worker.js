// Runs the references. `references.js` calls the functions of `FUNCTIONS`.
import { load } from './visual-attention/operator.js';
import { Golden, Looked, Measured, measuredRows } from './visual-attention/wasm/visual_attention_web.js';

/** What was opened: golden cases and measured rows, by number. */
const open = new Map();
let last = 0;

function keep(object) {
    open.set(last += 1, object);
    return last;
}

const FUNCTIONS = {
    look(request, pixels) {
        const looked = new Looked(request, pixels);
        const found = {
            overlay: looked.overlay(), mask: looked.mask(), component: looked.component(), crop: looked.crop(), box: [...looked.box()],
        };
        looked.free();
        return found;
    },
    openCase(bytes) {
        const golden = new Golden(bytes);
        return { id: keep(golden), steps: JSON.parse(golden.steps()), f16: golden.needsF16() };
    },
    result: (id, step, name, bytes) => open.get(id).result(step, name, bytes),
    check: (id, onGpu) => JSON.parse(open.get(id).check(onGpu)),
    rows: () => measuredRows(),
    openRow(index) {
        const measured = new Measured(index);
        return { id: keep(measured), ...JSON.parse(measured.describe()) };
    },
    /** Bytes of a tensor: of a case `(id, step, name)`, of a row `(id, name)`. */
    contents: (id, ...of) => open.get(id).contents(...of),
    difference: (id, bytes) => open.get(id).difference(bytes) ?? null,
    close(id) {
        open.get(id).free();
        open.delete(id);
    },
};

onmessage = async ({ data: { id, name, values } }) => {
    try {
        await load();
        const value = FUNCTIONS[name](...values);
        // Bytes are handed over, not copied.
        postMessage({ id, value }, value instanceof Uint8Array ? [value.buffer] : []);
    } catch (error) {
        postMessage({ id, error: error.message ?? String(error) });
    }
};
