// A headless Chromium on a software adapter, and a server for the built page under a sub-path.
import { mkdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const { chromium } = createRequire(path.join(process.env.NPM_FOLDER ?? path.join(root, 'target/npm'), 'package.json'))('playwright-core');

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.png': 'image/png' };
/** Static hosts serve pages under the repository's name. */
const PREFIX = '/some/path/';

export const artefacts = path.join(root, 'target/screenshots');
mkdirSync(artefacts, { recursive: true });

/** Serves dist/page. */
export async function serve() {
    const server = http.createServer((request, response) => {
        const { pathname } = new URL(request.url, 'http://localhost');
        const name = pathname.startsWith(PREFIX) ? pathname.slice(PREFIX.length) || 'index.html' : null;
        try {
            const content = readFileSync(path.join(root, 'dist/page', path.normalize(name)));
            response.writeHead(200, { 'content-type': TYPES[path.extname(name)] ?? 'application/octet-stream' }).end(content);
        } catch {
            response.writeHead(404).end();
        }
    });
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    return { url: `http://127.0.0.1:${server.address().port}${PREFIX}`, close: () => server.close() };
}

/** Nothing asks the network for more; containers have little shared memory. */
const QUIET = [
    '--disable-dev-shm-usage', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
];
/** SwiftShader computes, and draws canvases too: the first two alone leave canvases blank. */
const GPU = [
    '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--use-vulkan=swiftshader', '--enable-features=Vulkan',
    '--use-angle=swiftshader', '--ignore-gpu-blocklist',
];

/** A camera that shows a moving pattern, and leave to use it. */
const CAMERA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

export async function launch() {
    return chromium.launch({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: ['--headless=new', ...QUIET, ...GPU, ...CAMERA, ...(process.getuid() === 0 ? ['--no-sandbox'] : [])],
    });
}
