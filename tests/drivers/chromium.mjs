// node chromium.mjs TABLE: compiles every pipeline of the table that `cargo run --example shader_table` writes in Chromium, whose
// WGSL compiler (Tint) refuses more than naga does. 16-bit pipelines are left out where its adapter has no shader-f16.
//
// playwright-core is looked for in the current folder. Ends with 1 where a pipeline fails.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { chromium } = createRequire(join(process.cwd(), 'package.json'))('playwright-core');
const table = JSON.parse(readFileSync(process.argv[2]));

// naga takes this, WebGPU must not: whether the barrier is reached depends on memory.
const refused = {
    label: 'a barrier that not all invocations reach',
    entry_point: 'main',
    wgsl: `@group(0) @binding(0) var<storage, read_write> numbers: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(local_invocation_id) local: vec3<u32>) {
            if numbers[local.x] == 0u { workgroupBarrier(); }
        }`,
    constants: [{}],
};

async function open() {
    const adapter = await navigator.gpu?.requestAdapter();
    if (!adapter) return null;
    const f16 = adapter.features.has('shader-f16');
    globalThis.device = await adapter.requestDevice({ requiredFeatures: f16 ? ['shader-f16'] : [] });
    return { f16, name: `${adapter.info.vendor} ${adapter.info.architecture}` };
}

async function compile({ label, wgsl, entry_point: entryPoint, constants }) {
    const module = device.createShaderModule({ label, code: wgsl });
    const errors = (await module.getCompilationInfo()).messages.filter((message) => message.type === 'error');
    if (errors.length > 0) {
        return constants.map(() => `${label}: ${errors.map(({ lineNum, message }) => `line ${lineNum}: ${message}`)}`);
    }
    const problems = [];
    for (const set of constants) {
        const compute = { module, entryPoint, constants: set };
        await device.createComputePipelineAsync({ label, layout: 'auto', compute })
            .catch((error) => problems.push(`${label} ${JSON.stringify(set)}: ${error.message}`));
    }
    return problems;
}

// A new profile, which is removed with the browser.
const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: [
        '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--disable-quic', '--no-first-run',
        '--disable-background-networking', '--disable-component-update', '--disable-sync',
        ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
    ],
});
try {
    const page = await browser.newPage();
    // WebGPU needs a secure context, which localhost is. The request never leaves the browser.
    await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: '' }));
    await page.goto('http://localhost/');
    const adapter = await page.evaluate(open);
    if (!adapter) throw new Error('Chromium has no WebGPU adapter');
    if ((await page.evaluate(compile, refused)).length === 0) throw new Error(`Chromium took ${refused.label}`);
    const taken = table.filter((module) => adapter.f16 || !module.f16);
    const count = (modules) => modules.reduce((sum, module) => sum + module.constants.length, 0);
    const problems = [];
    for (const module of taken) problems.push(...await page.evaluate(compile, module));
    for (const problem of new Set(problems)) console.error(problem);
    const left = count(table) - count(taken);
    console.log(`${count(taken) - problems.length} of ${count(table)} pipelines compiled by Chromium ${browser.version()} `
        + `on ${adapter.name}, ${problems.length} failed, ${left} left out (no shader-f16 there)`);
    if (problems.length > 0) process.exitCode = 1;
} finally {
    await browser.close();
}
