// node operators.mjs FOLDER: writes the package's operators.js and operators.d.ts, from what the module in FOLDER/wasm says.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = process.argv[2];
const wasm = await import(pathToFileURL(join(folder, 'wasm/visual_attention_web.js')));
wasm.initSync({ module: readFileSync(join(folder, 'wasm/visual_attention_web_bg.wasm')) });

/** Names that the papers write in their own way. */
const WORDS = { bisenet: 'BiSeNet', scse: 'ScSe' };
const className = (name) => name.split('_').map((word) => WORDS[word] ?? word[0].toUpperCase() + word.slice(1)).join('');

function typeOf(values) {
    if (values === 'a number' || values === 'a whole number') return 'number';
    if (values === 'true or false') return 'boolean';
    if (/^[a-z0-9_]+(, [a-z0-9_]+)*$/.test(values)) {
        return values.split(', ').map((name) => (/^\d+$/.test(name) ? `'${name}' | ${name}` : `'${name}'`)).join(' | ');
    }
    return 'string | number | readonly number[]';
}

const classes = JSON.parse(wasm.operators()).map(({ name, about, example }) => {
    const shapes = Object.fromEntries(Object.entries(example.inputs).map(([input, axes]) => [input, axes.map(([, extent]) => extent)]));
    const call = JSON.stringify({ operator: name, options: example.options, shapes });
    return {
        name: className(name), operator: name, about, example,
        options: JSON.parse(wasm.options(call)),
        tensors: JSON.parse(wasm.tensors(call)),
    };
});

const code = classes.map(({ name, operator, about }) => `/** ${about[0].toUpperCase()}${about.slice(1)}. */
export class ${name} extends Operator {
    constructor(device, options) {
        super(device, '${operator}', options);
    }
}
`);
writeFileSync(join(folder, 'operators.js'), `import { Operator } from './operator.js';\n\n${code.join('\n')}`);

const types = classes.map(({ name, about, example, options, tensors }) => {
    const named = tensors.map((tensor) => ` * - \`${tensor.name}\`: ${tensor.role.replace('_', ' ')}${tensor.optional ? ', optional' : ''}, ${tensor.dtype}`);
    const shapes = Object.entries(example.inputs).map(([input, axes]) => `\`${input}\` [${axes.map(([axis]) => axis).join(', ')}]`);
    const option = ({ name: key, values, default: otherwise }) => `    /** ${values}.${otherwise === null ? '' : ` ${otherwise} unless given.`} */
    ${key}${otherwise === null ? '' : '?'}: ${typeOf(values)};`;
    const required = options.some((spec) => spec.default === null);
    return `export type ${name}Options = {
${options.map(option).join('\n')}
};
/**
 * ${about[0].toUpperCase()}${about.slice(1)}.
 *
 * Shapes that decide all others: ${shapes.join('; ')}. Tensors, with the options of its example:
${named.join('\n')}
 */
export class ${name} extends Operator {
    constructor(device: GPUDevice, options${required ? '' : '?'}: ${name}Options);
}
`;
});
writeFileSync(join(folder, 'operators.d.ts'), `import { Operator } from './operator.js';\n\n${types.join('\n')}`);
console.log(`${classes.length} operators`);
