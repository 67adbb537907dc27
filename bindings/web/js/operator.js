// An operator by name, on the caller's GPUDevice and GPUBuffers.
import initialize, * as wasm from './wasm/visual_attention_web.js';
import { deviceRequest } from './device.js';
import { prepare } from './plan.js';

let loading;

/** Loads the WebAssembly module, once. `source` is its URL or its bytes, where it does not lie beside this file. */
export function load(source = new URL('./wasm/visual_attention_web_bg.wasm', import.meta.url)) {
    // A load that failed may be tried again.
    loading ??= initialize({ module_or_path: source }).catch((error) => { loading = undefined; throw error; });
    return loading;
}

/** The text that the module takes: numbers, booleans and arrays are written as Rust does. */
function texts(options = {}) {
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

/** Every operator of the crate: name, one line, and a small problem with the names of its axes. */
export const operators = () => JSON.parse(wasm.operators());

/** An operator with its options, for one device. */
export class Operator {
    #request;

    /** `name` is one of `operators()`. `load()` must have ended. Throws for options that the operator does not take. */
    constructor(device, name, options = {}) {
        this.device = device;
        this.name = name;
        this.#request = { operator: name, options: texts(options) };
        wasm.options(JSON.stringify(this.#request));
    }

    #call(shapes) {
        return JSON.stringify({ ...this.#request, shapes });
    }

    /** Every option: name, values, default. */
    options() {
        return JSON.parse(wasm.options(JSON.stringify(this.#request)));
    }

    /** Every tensor for inputs of these shapes: name, shape, dtype, role, whether it is optional, and its bytes. */
    tensors(shapes) {
        return JSON.parse(wasm.tensors(this.#call(shapes)));
    }

    /** Bytes that must move, and floating-point operations, of one run. */
    cost(shapes) {
        return JSON.parse(wasm.cost(this.#call(shapes)));
    }

    /** What the plain CPU reference computes in f64. It takes its time: a worker is the place for it. */
    reference(shapes, inputs) {
        const given = new wasm.Arrays();
        for (const [name, numbers] of Object.entries(inputs)) given.add(name, Float64Array.from(numbers));
        const computed = wasm.reference(this.#call(shapes), given);
        const outputs = Object.fromEntries(computed.names().map((name) => [name, computed.take(name)]));
        given.free();
        computed.free();
        return outputs;
    }

    /** The plan for these slices of the caller's buffers, as plain data. Throws what the operator refuses. */
    plan(shapes, tensors) {
        const buffers = [];
        const slice = (given) => {
            const { buffer, offset = 0, size = buffer.size - offset } = given.buffer ? given : { buffer: given };
            if (!buffers.includes(buffer)) buffers.push(buffer);
            return { buffer: buffers.indexOf(buffer), bytes: buffer.size, usage: buffer.usage, offset, size };
        };
        const slices = Object.fromEntries(Object.entries(tensors).map(([name, given]) => [name, slice(given)]));
        return JSON.parse(wasm.plan(this.#call(shapes), deviceRequest(this.device), JSON.stringify(slices)));
    }

    /** Checks shapes and buffers, compiles what is missing, and binds: a Recording. */
    async bind(shapes, tensors) {
        return prepare(this.device, this.plan(shapes, tensors), tensors);
    }
}
