// The page, driven as a person would: `node --test tests/page.test.mjs`, after build.sh.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { artefacts, launch, serve } from './browser.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const coffee = path.join(root, 'examples/pictures/coffee.png');

let server, browser, page;
const problems = [];

before(async () => {
    server = await serve();
    browser = await launch();
    page = await open(browser);
});

after(async () => {
    await browser?.close();
    server?.close();
});

async function open(inBrowser, size = { width: 1200, height: 1000 }, prepare = () => {}) {
    const opened = await inBrowser.newPage({ viewport: size });
    opened.on('pageerror', (error) => problems.push(error.message));
    opened.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
    // Tasks of the page's thread that take longer than 50 ms.
    await opened.addInitScript(() => {
        globalThis.longTasks = [];
        new PerformanceObserver((list) => {
            for (const { duration, startTime } of list.getEntries()) globalThis.longTasks.push([Math.round(startTime), Math.round(duration)]);
        }).observe({ type: 'longtask', buffered: true });
    });
    await prepare(opened);
    await opened.goto(server.url);
    return opened;
}

const text = (selector) => page.textContent(selector);
const drawings = () => page.evaluate(() => Number(document.documentElement.dataset.drawn ?? 0));

/** Does `action`, and waits for the drawing after it. */
async function drawnAfter(action, timeout = 60_000) {
    const seen = await drawings();
    await action();
    await page.waitForFunction((count) => Number(document.documentElement.dataset.drawn ?? 0) > count, seen, { timeout });
}

/** RGBA pixels of a picture that the browser decodes. */
async function decode(url) {
    const bytes = await page.evaluate(async (source) => {
        const bitmap = await createImageBitmap(await (await fetch(source)).blob());
        const copy = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
        copy.drawImage(bitmap, 0, 0);
        const { data } = copy.getImageData(0, 0, bitmap.width, bitmap.height);
        let text = '';
        for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
        return btoa(text);
    }, url);
    return Buffer.from(bytes, 'base64');
}

/** RGBA pixels of a canvas, as the browser shows them. */
async function pixels(name) {
    return decode(await page.evaluate(async (id) => {
        // A canvas that kernels write is shown at the next frame.
        await new Promise(requestAnimationFrame);
        return document.getElementById(id).toDataURL();
    }, name));
}

/** Drops a file onto a part of the page. */
async function drop(selector, name, bytes) {
    const transfer = await page.evaluateHandle(([file, content]) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], file));
        return data;
    }, [name, bytes.toString('base64')]);
    await page.dispatchEvent(selector, 'drop', { dataTransfer: transfer });
}

test('the first picture comes soon', { timeout: 120_000 }, async () => {
    await page.waitForFunction(() => document.documentElement.dataset.drawn, null, { timeout: 90_000 });
    assert.match(await text('#adapter'), /^GPU: .*swiftshader/i);
    assert.match(await text('#look-status'), /^Box \d+, \d+ to \d+, \d+ of 600 x 400 pixels; .* on the GPU\.$/);
    const first = await page.evaluate(() => performance.now());
    await page.screenshot({ path: path.join(artefacts, 'look.png'), fullPage: true });
    // Compiled pipelines are kept by the page, so a second drawing shows what the first would take without compiling.
    const start = Date.now();
    await drawnAfter(() => page.click('#look-sample'));
    const again = Date.now() - start;
    console.log(`first picture ${Math.round(first)} ms after the page, ${again} ms once compiled; long tasks ${JSON.stringify(await page.evaluate(() => globalThis.longTasks))}`);
    assert.ok(again < 2000, `${again} ms`);
});

test('a dropped picture has the box and the pixels of the native program', { timeout: 300_000 }, async () => {
    const folder = path.join(artefacts, 'native');
    const printed = execFileSync('cargo', ['run', '--quiet', '--example', 'salient_region', '--', coffee, '--out', folder], { cwd: root, encoding: 'utf8' });
    await drawnAfter(async () => drop('#look', 'coffee.png', readFileSync(coffee)));
    const [, left, top, right, bottom] = (await text('#look-status')).match(/^Box (\d+), (\d+) to (\d+), (\d+)/);
    assert.match(printed, new RegExp(`columns ${left} to ${right}, rows ${top} to ${bottom}\\b`));
    for (const name of ['overlay', 'mask', 'crop']) {
        const own = await pixels(name);
        const native = await decode(`data:image/png;base64,${readFileSync(path.join(folder, `${name}.png`), 'base64')}`);
        assert.equal(own.length, native.length, name);
        let [worst, differing] = [0, 0];
        for (let at = 0; at < own.length; at += 1) {
            const difference = Math.abs(own[at] - native[at]);
            worst = Math.max(worst, difference);
            differing += Number(difference > 1);
        }
        console.log(`${name}: largest difference ${worst} of 255, ${differing} of ${own.length} numbers beyond 1`);
        // A threshold may fall on another side for a few pixels of the mask.
        assert.ok(name === 'mask' ? differing < 40 : worst <= 1, `${name}: ${worst}, ${differing}`);
    }
});

test('controls act at once', { timeout: 120_000 }, async () => {
    const before = await text('#look-status');
    const overlay = await pixels('overlay');
    await drawnAfter(() => page.check('[name=otsu]'));
    assert.equal(await text('[name=level]'), 'Otsu');
    assert.notEqual((await text('#look-status')).split(';')[0], before.split(';')[0]);
    for (const [name, value] of [['statistic', 'rms'], ['connectivity', '4'], ['colors', 'viridis']]) {
        await drawnAfter(() => page.selectOption(`[name=${name}]`, value));
    }
    assert.ok(overlay.compare(await pixels('overlay')) !== 0);
    await drawnAfter(() => page.uncheck('[name=otsu]'));
    await drawnAfter(() => page.fill('[name=threshold]', '0.4'));
    assert.equal(await text('[name=level]'), '0.40');
});

test('a broken picture is said to be one, and the page goes on', async () => {
    await drop('#look', 'broken.png', readFileSync(coffee).subarray(0, 400));
    await page.waitForSelector('#look-status.error');
    assert.match(await text('#look-status'), /^broken\.png is not a picture/);
    await drawnAfter(() => page.click('#look-sample'));
    assert.equal(await page.locator('#look-status.error').count(), 0);
});

test('frames of a camera are drawn until it is switched off', { timeout: 120_000 }, async () => {
    const seen = await drawings();
    await page.click('#look-camera');
    await page.waitForFunction((count) => Number(document.documentElement.dataset.drawn) > count + 4, seen, { timeout: 100_000 });
    assert.match(await text('#look-status'), /of 640 x 480 pixels; .* on the GPU\.$/);
    const first = await pixels('overlay');
    await drawnAfter(async () => {});
    assert.ok(first.compare(await pixels('overlay')) !== 0, 'the pattern moves');
    await page.screenshot({ path: path.join(artefacts, 'camera.png') });
    await page.click('#look-camera');
    assert.equal(await page.getAttribute('#look-camera', 'aria-pressed'), 'false');
    await page.click('#look-sample');
    // The last frame may still be on its way.
    await page.waitForFunction(() => document.querySelector('#look-status').textContent.includes('of 600 x 400 pixels'), null, { timeout: 20_000 });
});

test('all golden cases pass', { timeout: 500_000 }, async () => {
    await page.evaluate(() => { globalThis.longTasks.length = 0; });
    await page.click('#check-run');
    await page.waitForSelector('#check-copy:enabled', { timeout: 480_000 });
    const summary = await text('#check-summary');
    const long = await page.evaluate(() => globalThis.longTasks);
    console.log(`check: ${summary} Long tasks: ${JSON.stringify(long)}`);
    writeFileSync(path.join(artefacts, 'check.txt'), await page.evaluate(() => globalThis.page.report()));
    await page.locator('#check').screenshot({ path: path.join(artefacts, 'check.png') });
    const [, passed, failed, alone] = summary.match(/^(\d+) passed, (\d+) failed(?:, (\d+) on the references alone)?/);
    const cases = readFileSync(path.join(root, 'bindings/web/dist/page/cases/list.txt'), 'utf8').trim().split('\n').length;
    assert.equal(Number(failed), 0);
    assert.equal(Number(passed) + Number(alone ?? 0), cases);
});

test('a file that is no case fails as one', { timeout: 60_000 }, async () => {
    const wrong = readFileSync(path.join(root, 'tests/golden/attention_map__max_abs_c3.safetensors'));
    // The last number of the last tensor.
    wrong.writeFloatLE(wrong.readFloatLE(wrong.length - 4) + 1, wrong.length - 4);
    for (const [name, bytes, said] of [['broken.safetensors', Buffer.from('no case'), /not a case/], ['wrong.safetensors', wrong, /beyond/]]) {
        await drop('#check', name, bytes);
        await page.waitForFunction(() => !document.querySelector('#check-run').disabled && document.querySelector('#check-table tbody tr'));
        assert.match(await text('#check-summary'), /^0 passed, 1 failed/);
        assert.match(await text('#check-table tbody'), said);
    }
});

test('every row is measured, and a run can be cancelled', { timeout: 500_000 }, async () => {
    await page.evaluate(() => { globalThis.longTasks.length = 0; });
    await page.click('#measure-run');
    await page.waitForSelector('#measure-table tbody tr', { timeout: 120_000 });
    await page.click('#measure-cancel');
    await page.waitForSelector('#measure-run:enabled', { timeout: 120_000 });
    assert.match(await text('#measure-status'), /^Cancelled\./);
    await page.click('#measure-run');
    await page.waitForSelector('#measure-run:enabled', { timeout: 480_000 });
    console.log(`measure: ${await text('#measure-status')} Long tasks: ${JSON.stringify(await page.evaluate(() => globalThis.longTasks))}`);
    await page.locator('#measure').screenshot({ path: path.join(artefacts, 'measure.png') });
    const rows = await page.locator('#measure-table tbody tr').allTextContents();
    assert.equal(rows.length, 11);
    for (const row of rows) assert.match(row, /[\d.]+ (µs|ms).*%$|no 16-bit floats$/);
    assert.ok(await page.locator('#roofline circle').count() >= 9);
});

test('a lost device is said to be lost, the references go on, and the GPU can be opened again', { timeout: 120_000 }, async () => {
    await drawnAfter(() => page.evaluate(() => globalThis.page.gpu.device.destroy()));
    assert.match(await text('#trouble p'), /^The GPU device was lost/);
    assert.match(await text('#look-status'), /on the CPU references\.$/);
    await page.screenshot({ path: path.join(artefacts, 'lost.png'), fullPage: true });
    await drawnAfter(() => page.click('#retry'));
    assert.match(await text('#look-status'), /on the GPU\.$/);
    assert.equal(await page.locator('#trouble').isVisible(), false);
});

for (const [what, offered, said] of [['WebGPU', false, /has no WebGPU/], ['an adapter', true, /found no GPU adapter/]]) {
    test(`a browser without ${what} says so, and offers the references`, { timeout: 120_000 }, async () => {
        const on = page;
        const replace = (kept) => Object.defineProperty(Navigator.prototype, 'gpu', { value: kept ? { requestAdapter: async () => null } : undefined });
        page = await open(browser, { width: 420, height: 900 }, (opened) => opened.addInitScript(replace, offered));
        try {
            await page.emulateMedia({ colorScheme: 'dark' });
            await page.waitForFunction(() => document.documentElement.dataset.drawn, null, { timeout: 60_000 });
            assert.match(await text('#trouble p'), said);
            assert.match(await text('#look-status'), /on the CPU references\.$/);
            assert.equal(await page.isDisabled('#measure-run'), true);
            await page.setInputFiles('#check-files', path.join(root, 'tests/golden/attention_map__max_abs_c3.safetensors'));
            await page.waitForSelector('#check-copy:enabled');
            assert.match(await text('#check-summary'), /^0 passed, 0 failed, 1 on the references alone, since there is no GPU/);
            await page.screenshot({ path: path.join(artefacts, 'without_gpu.png'), fullPage: true });
        } finally {
            await page.close();
            page = on;
        }
    });
}

test('nothing else went wrong', () => {
    assert.deepEqual(problems, []);
});
