// The CPU references, which run in a worker: the page stays responsive while they compute.

export class References {
    #worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
    #waiting = new Map();
    #last = 0;

    constructor() {
        this.#worker.onmessage = ({ data: { id, value, error } }) => {
            const { resolve, reject } = this.#waiting.get(id);
            this.#waiting.delete(id);
            if (error === undefined) resolve(value); else reject(new Error(error));
        };
        this.#worker.onerror = (event) => {
            for (const { reject } of this.#waiting.values()) reject(new Error(event.message || 'The worker with the references failed.'));
            this.#waiting.clear();
        };
    }

    /** Calls a function of worker.js. Bytes are handed over, so they are gone here. */
    call(name, ...values) {
        const id = this.#last += 1;
        return new Promise((resolve, reject) => {
            this.#waiting.set(id, { resolve, reject });
            this.#worker.postMessage({ id, name, values }, values.filter((value) => value instanceof Uint8Array).map(({ buffer }) => buffer));
        });
    }
}
