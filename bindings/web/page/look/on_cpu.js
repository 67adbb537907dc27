// A picture through the CPU references, for machines without a GPU.

const YELLOW = [255, 220, 90];
const RED = [230, 30, 30];

/** The colours of display.wgsl's `mask`. */
function maskPixels({ mask, component, box: [left, top, right, bottom] }, width, height) {
    const pixels = new Uint8ClampedArray(4 * width * height);
    const frame = Math.max(Math.floor(Math.max(width, height) / 300), 1);
    for (let y = 0, index = 0; y < height; y += 1) {
        for (let x = 0; x < width; x += 1, index += 1) {
            const toSide = Math.min(x - left, y - top, right - x, bottom - y);
            const plain = component[index] ? YELLOW : Array(3).fill(255 * mask[index]);
            pixels.set([...(toSide >= 0 && toSide < frame ? RED : plain), 255], 4 * index);
        }
    }
    return pixels;
}

export class LookOnCpu {
    #references;
    #canvases;
    #request;

    constructor(references, canvases) {
        this.#references = references;
        this.#canvases = canvases;
    }

    async prepare(request) {
        this.#request = request;
    }

    async draw(source) {
        const { width, height } = this.#request;
        const picture = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
        picture.drawImage(source, 0, 0);
        const { data } = picture.getImageData(0, 0, width, height);
        const found = await this.#references.call('look', JSON.stringify(this.#request), new Uint8Array(data.buffer));
        const pixels = { overlay: found.overlay, mask: maskPixels(found, width, height), crop: found.crop };
        for (const [name, canvas] of Object.entries(this.#canvases)) {
            Object.assign(canvas, { width, height });
            canvas.getContext('2d').putImageData(new ImageData(new Uint8ClampedArray(pixels[name]), width, height), 0, 0);
        }
        return found.box;
    }

    release() {}
}
