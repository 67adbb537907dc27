// A roofline plot: work for each byte against the rate of work, both logarithmic, under the two ceilings.

const [WIDTH, HEIGHT] = [900, 480];
const MARGIN = { left: 70, right: 20, top: 20, bottom: 50 };

function element(name, attributes, text = '') {
    const made = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
}

/** Powers of ten within a range. */
function powers([low, high]) {
    const first = Math.ceil(Math.log10(low));
    return Array.from({ length: Math.max(Math.floor(Math.log10(high)) - first + 1, 0) }, (_, index) => 10 ** (first + index));
}

/** An SVG of the rows that compute something. */
export function roofline({ bytesPerSecond, flopsPerSecond }, rows) {
    const points = rows.filter(({ cost }) => cost.flops > 0 && cost.bytes > 0).map(({ call, case: name, cost, seconds }) => ({
        name: `${call.operator} ${name}`, x: cost.flops / cost.bytes, y: cost.flops / seconds / 1e9,
    }));
    const roof = (intensity) => Math.min(intensity * bytesPerSecond, flopsPerSecond) / 1e9;
    const ridge = flopsPerSecond / bytesPerSecond;
    const xs = [Math.min(ridge / 10, ...points.map(({ x }) => x / 2)), Math.max(ridge * 10, ...points.map(({ x }) => x * 2))];
    const ys = [Math.min(roof(xs[0]), ...points.map(({ y }) => y / 2)), Math.max(roof(xs[1]), ...points.map(({ y }) => y)) * 2];
    const scale = (value, [low, high], from, to) => from + (Math.log(value / low) / Math.log(high / low)) * (to - from);
    const x = (value) => scale(value, xs, MARGIN.left, WIDTH - MARGIN.right);
    const y = (value) => scale(value, ys, HEIGHT - MARGIN.bottom, MARGIN.top);

    const svg = element('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': 'Roofline plot of the measured rows' });
    for (const power of powers(xs)) {
        svg.append(element('line', { class: 'axis', x1: x(power), x2: x(power), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }));
        svg.append(element('text', { x: x(power), y: HEIGHT - MARGIN.bottom + 18, 'text-anchor': 'middle' }, String(power)));
    }
    for (const power of powers(ys)) {
        svg.append(element('line', { class: 'axis', x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: y(power), y2: y(power) }));
        svg.append(element('text', { x: MARGIN.left - 8, y: y(power) + 4, 'text-anchor': 'end' }, String(power)));
    }
    const line = [xs[0], ridge, xs[1]].map((at) => `${x(at)},${y(roof(at))}`).join(' ');
    svg.append(element('polyline', { class: 'roof', points: line }));
    const [slope, flat] = [Math.sqrt(xs[0] * ridge), Math.sqrt(ridge * xs[1])];
    const roofName = (at, text, anchor) => element('text', { x: x(at) - 8, y: y(roof(at)) - 8, 'text-anchor': anchor }, text);
    svg.append(roofName(slope, `copy ${(bytesPerSecond / 1e9).toFixed(1)} GB/s`, 'end'));
    svg.append(roofName(flat, `multiply-add ${(flopsPerSecond / 1e9).toFixed(1)} GFLOP/s`, 'middle'));
    for (const point of points) {
        const circle = element('circle', { cx: x(point.x), cy: y(point.y), r: 5 });
        circle.append(element('title', {}, `${point.name}: ${point.y.toPrecision(3)} GFLOP/s`));
        svg.append(circle);
    }
    // Names beside their points, moved down where they would overlap.
    const below = { left: -Infinity, right: -Infinity };
    for (const point of [...points].sort((a, b) => y(a.y) - y(b.y))) {
        const side = x(point.x) > WIDTH / 2 ? 'right' : 'left';
        const [beside, anchor] = side === 'right' ? [-10, 'end'] : [10, 'start'];
        below[side] = Math.max(y(point.y) + 4, below[side] + 15);
        svg.append(element('text', { class: 'name', x: x(point.x) + beside, y: below[side], 'text-anchor': anchor }, point.name));
    }
    svg.append(element('text', { x: WIDTH / 2, y: HEIGHT - 10, 'text-anchor': 'middle' }, 'FLOP for each byte that must move'));
    const middle = HEIGHT / 2;
    svg.append(element('text', { x: 16, y: middle, 'text-anchor': 'middle', transform: `rotate(-90 16 ${middle})` }, 'GFLOP/s'));
    return svg;
}
