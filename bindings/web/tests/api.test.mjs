// The package: every operator and every gradient in Chromium, on buffers of the test's own, against the references. The problems are those of
// the Python bindings. Plans go through JSON first, so that nothing but data reaches the device.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { launch, serve } from './browser.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const listing = 'import json, problems; print(json.dumps(problems.PROBLEMS))';
const problems = JSON.parse(execFileSync('python3', ['-c', listing], { cwd: path.join(root, 'bindings/python/tests'), encoding: 'utf8' }))
    .map(([name, label, shapes, options, without]) => ({ name, label, shapes, options, without }));

let server, browser, page;

before(async () => {
    server = await serve();
    browser = await launch();
    page = await browser.newPage();
    await page.route('**/empty.html', (route) => route.fulfill({ contentType: 'text/html', body: '' }));
    await page.goto(`${server.url}empty.html`);
    const found = await page.evaluate(setUp, `${server.url}visual-attention/index.js`);
    const gradients = problems.map((problem) => ({ ...problem, name: `${problem.name}_backward` }));
    problems.push(...gradients.filter(({ name }) => found.includes(name)));
    assert.deepEqual([...new Set(problems.map(({ name }) => name))].sort(), found.sort(), 'every operator has a problem');
});

after(async () => {
    await browser?.close();
    server?.close();
});

/** In the page: loads the package and opens a device. Returns the names of the operators. */
async function setUp(url) {
    const api = await import(url);
    await api.load();
    const adapter = await navigator.gpu.requestAdapter();
    const device = await adapter.requestDevice();
    let state = 1;
    const uniform = () => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return (state >>> 8) / 2 ** 24; };
    const normal = () => Math.fround(Array.from({ length: 6 }, uniform).reduce((sum, value) => sum + value - 0.5, 0) * Math.SQRT2);
    Object.assign(globalThis, { api, device, normal });
    return api.operators().map(({ name }) => name);
}

/** In the page: runs one problem. Returns what is wrong, in words. */
async function run({ name, shapes, options, without }) {
    const { api: { Operator, prepare }, device, normal } = globalThis;
    const wrong = [];
    const left = (tensor) => {
        const base = tensor.replace(/_gradient$/, '');
        return without.some((one) => base === one || (one === 'norm' && /norm\.[^.]*$/.test(base)));
    };
    const numbersOf = ({ name: tensor, shape, dtype }) => {
        const numbers = Array.from({ length: shape.reduce((product, axis) => product * axis, 1) }, normal);
        if (tensor === 'boxes') return numbers.map((_, index) => [1, 0, 4, 3][index % 4]);
        if (dtype === 'u32') return numbers.map((number) => Number(number > 0));
        if (tensor.endsWith('variance')) return numbers.map((number) => Math.fround(Math.abs(number) + 0.5));
        if (tensor === 'map' || tensor === 'pictures') return numbers.map((number) => Math.abs(number) % 1);
        return numbers;
    };
    const operator = new Operator(device, name, options);
    const specs = operator.tensors(shapes).filter((spec) => !left(spec.name));
    const inputs = Object.fromEntries(specs.filter(({ role }) => role !== 'output').map((spec) => [spec.name, numbersOf(spec)]));
    if (name.endsWith('_backward')) {
        // Some inputs of a gradient are what the forward operator wrote.
        const forward = new Operator(device, name.replace(/_backward$/, ''), options);
        const own = forward.tensors(shapes).filter((spec) => !left(spec.name) && spec.role !== 'output');
        const given = Object.fromEntries(own.map((spec) => [spec.name, inputs[spec.name] ?? numbersOf(spec)]));
        const computed = Object.entries(forward.reference(shapes, given)).filter(([tensor]) => tensor in inputs);
        Object.assign(inputs, Object.fromEntries(computed.map(([tensor, numbers]) => [tensor, [...numbers].map(Math.fround)])));
    }
    const expected = operator.reference(shapes, inputs);

    const Numbers = { f32: Float32Array, i32: Int32Array, u32: Uint32Array };
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    // Every tensor is a part of a buffer.
    const offset = 256;
    const tensors = {};
    for (const { name: tensor, dtype, bytes } of specs) {
        const buffer = device.createBuffer({ size: offset + bytes + 4, usage });
        const size = Math.max(bytes, 4);
        device.queue.writeBuffer(buffer, 0, new Float32Array((offset + bytes + 4) / 4).fill(NaN));
        if (inputs[tensor]) device.queue.writeBuffer(buffer, offset, Numbers[dtype].from(inputs[tensor]));
        tensors[tensor] = { buffer, offset, size };
    }
    const plan = JSON.parse(JSON.stringify(operator.plan(shapes, tensors)));
    const recording = await prepare(device, plan, tensors);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    recording.record(pass);
    pass.end();
    const outputs = specs.filter(({ role, name: tensor }) => role !== 'input' && expected[tensor]);
    if (outputs.length === 0) wrong.push('it has no output');
    const read = outputs.map(({ name: tensor, bytes }) => {
        const staging = device.createBuffer({ size: bytes + 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
        encoder.copyBufferToBuffer(tensors[tensor].buffer, offset, staging, 0, bytes + 4);
        return staging;
    });
    device.pushErrorScope('validation');
    device.queue.submit([encoder.finish()]);
    const refused = await device.popErrorScope();
    if (refused) return [refused.message];
    for (const [index, { name: tensor, dtype }] of outputs.entries()) {
        await read[index].mapAsync(GPUMapMode.READ);
        const all = name === 'heat_overlay' ? new Uint8Array(read[index].getMappedRange()) : new Numbers[dtype](read[index].getMappedRange());
        const guard = name === 'heat_overlay' ? 4 : 1;
        const exact = name === 'heat_overlay' ? expected[tensor].map((value) => 255 * value) : expected[tensor];
        const actual = all.subarray(0, all.length - guard);
        const largest = exact.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
        const room = name === 'heat_overlay' ? 0.51 : dtype === 'f32' ? 3e-5 * largest : 0;
        if (actual.length !== exact.length) wrong.push(`${tensor}: ${actual.length} numbers, expected ${exact.length}`);
        // NaN is within no room.
        const at = exact.findIndex((value, element) => !(Math.abs(actual[element] - value) <= room));
        if (at >= 0) wrong.push(`${tensor}: element ${at} is ${actual[at]}, expected ${exact[at]}`);
        read[index].destroy();
    }
    recording.destroy();
    for (const { buffer } of Object.values(tensors)) buffer.destroy();
    return wrong;
}

test('every operator and every gradient is right on the caller\'s buffers', { timeout: 300_000 }, async (context) => {
    for (const problem of problems) {
        await context.test(`${problem.name} ${problem.label}`, async () => assert.deepEqual(await page.evaluate(run, problem), []));
    }
});

test('what an operator refuses is an error that says what to change', async () => {
    const errors = await page.evaluate(async () => {
        const { api: { AttentionMap, Operator, SqueezeExcite }, device } = globalThis;
        const storage = device.createBuffer({ size: 1024, usage: GPUBufferUsage.STORAGE });
        const uniform = device.createBuffer({ size: 1024, usage: GPUBufferUsage.UNIFORM });
        const said = async (action) => {
            try { await action(); return 'nothing'; } catch (error) { return error.message; }
        };
        const map = new AttentionMap(device, { statistic: 'rms' });
        const shapes = { features: [1, 4, 4, 4] };
        return {
            operator: await said(() => new Operator(device, 'atention_map')),
            option: await said(() => new AttentionMap(device, { statistik: 'rms' })),
            value: await said(() => new SqueezeExcite(device, { squeeze: 'median' })),
            usage: await said(() => map.bind(shapes, { features: uniform, map: storage })),
            size: await said(() => map.bind({ features: [1, 400, 4, 4] }, { features: storage, map: storage })),
            tensor: await said(() => map.bind(shapes, { features: storage })),
        };
    });
    assert.match(errors.operator, /no operator `atention_map`/);
    assert.match(errors.option, /statistik/);
    assert.match(errors.value, /median.*mean/);
    assert.match(errors.usage, /STORAGE/);
    assert.match(errors.size, /features/);
    assert.match(errors.tensor, /map/);
});

test('recordings of equal plans share pipelines, and record anew after a change of the buffers\' contents', async () => {
    const { created, sums } = await page.evaluate(async () => {
        const { api: { GlobalPool } } = globalThis;
        const { device } = globalThis;
        const create = device.createComputePipelineAsync.bind(device);
        let count = 0;
        device.createComputePipelineAsync = (descriptor) => { count += 1; return create(descriptor); };
        const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
        const features = device.createBuffer({ size: 2 * 64 * 4, usage });
        const mean = device.createBuffer({ size: 8, usage });
        const pool = new GlobalPool(device, { squeeze: 'mean' });
        const first = await pool.bind({ features: [1, 2, 8, 8] }, { features, mean });
        const before = count;
        await pool.bind({ features: [1, 2, 8, 8] }, { features, mean });
        const results = [];
        for (const value of [1, 3]) {
            device.queue.writeBuffer(features, 0, new Float32Array(128).fill(value));
            const staging = device.createBuffer({ size: 8, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
            const encoder = device.createCommandEncoder();
            const pass = encoder.beginComputePass();
            first.record(pass);
            pass.end();
            encoder.copyBufferToBuffer(mean, 0, staging, 0, 8);
            device.queue.submit([encoder.finish()]);
            await staging.mapAsync(GPUMapMode.READ);
            results.push(...new Float32Array(staging.getMappedRange()));
        }
        return { created: count - before, sums: results };
    });
    assert.equal(created, 0);
    assert.deepEqual(sums, [1, 1, 3, 3]);
});

test('an output may replace its input', async () => {
    const [apart, inPlace] = await page.evaluate(async () => {
        const { api: { SqueezeExcite }, device, normal } = globalThis;
        const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
        const gate = new SqueezeExcite(device);
        const shapes = { features: [2, 4, 5, 3], reduce_weight: [2, 4] };
        const numbers = { features: 120, reduce_weight: 8, expand_weight: 8 };
        for (const name of Object.keys(numbers)) numbers[name] = Float32Array.from({ length: numbers[name] }, normal);
        const results = [];
        for (const own of [true, false]) {
            const upload = ([name, values]) => {
                const buffer = device.createBuffer({ size: values.byteLength, usage });
                device.queue.writeBuffer(buffer, 0, values);
                return [name, buffer];
            };
            const tensors = Object.fromEntries(Object.entries(numbers).map(upload));
            tensors.output = own ? device.createBuffer({ size: 480, usage }) : tensors.features;
            const recording = await gate.bind(shapes, tensors);
            const staging = device.createBuffer({ size: 480, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
            const encoder = device.createCommandEncoder();
            const pass = encoder.beginComputePass();
            recording.record(pass);
            pass.end();
            encoder.copyBufferToBuffer(tensors.output, 0, staging, 0, 480);
            device.queue.submit([encoder.finish()]);
            await staging.mapAsync(GPUMapMode.READ);
            results.push([...new Float32Array(staging.getMappedRange())]);
        }
        return results;
    });
    assert.ok(apart.some((value) => value !== 0));
    assert.deepEqual(inPlace, apart);
});

test('npm packs every file that the package needs', () => {
    const packed = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json'], { cwd: path.join(root, 'bindings/web/dist/package'), encoding: 'utf8' }));
    const names = packed[0].files.map((file) => file.path);
    for (const name of ['index.js', 'index.d.ts', 'operators.js', 'operators.d.ts', 'plan.js', 'plan.d.ts', 'device.js', 'device.d.ts',
        'wasm/visual_attention_web.js', 'wasm/visual_attention_web_bg.wasm', 'README.md', 'LICENSE-MIT', 'LICENSE-APACHE']) {
        assert.ok(names.includes(name), name);
    }
    assert.ok(!readFileSync(path.join(root, 'bindings/web/dist/package/index.js'), 'utf8').includes('../'));
});

test('modules keep their sizes', () => {
    const dist = path.join(root, 'bindings/web/dist');
    // The second holds every operator with its references, and is loaded when it is needed.
    for (const [folder, most, mostSmall] of [['page/look/wasm', 700_000, 300_000], ['package/wasm', 2_400_000, 780_000]]) {
        const module = readFileSync(path.join(dist, folder, 'visual_attention_web_bg.wasm'));
        assert.ok(module.length <= most, `${folder}: ${module.length} bytes`);
        const small = gzipSync(module, { level: 9 }).length;
        assert.ok(small <= mostSmall, `${folder}: ${small} bytes with gzip`);
    }
});
