// Uses the package's declarations; tests/runs/web.sh compiles it.
import { AttentionMap, SqueezeExcite, load, operators, prepare, type Plan, type Recording } from 'visual-attention';
import { prepare as alone } from 'visual-attention/plan';

export async function record(device: GPUDevice, features: GPUBuffer, map: GPUBuffer, pass: GPUComputePassEncoder): Promise<Plan> {
    await load(new URL('https://example.com/module.wasm'));
    const attention = new AttentionMap(device, { statistic: 'rms' });
    const shapes = { features: [1, 64, 28, 28] };
    const tensors = { features: { buffer: features, offset: 256 }, map };
    const recording: Recording = await attention.bind(shapes, tensors);
    recording.record(pass);
    const plan = attention.plan(shapes, tensors);
    (await prepare(device, plan, tensors)).destroy();
    (await alone(device, JSON.parse(JSON.stringify(plan)) as Plan, tensors)).record(pass);
    // @ts-expect-error: the operator has no such statistic.
    new AttentionMap(device, { statistic: 'median' });
    // @ts-expect-error: the operator has no such option.
    new SqueezeExcite(device, { squeese: 'mean' });
    const bytes: number | null = attention.tensors(shapes)[0].bytes;
    console.log(bytes, operators().length, attention.cost(shapes).flops);
    return plan;
}
