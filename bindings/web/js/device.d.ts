/// <reference types="@webgpu/types" />
/** Whether an adapter computes on the CPU. */
export function isSoftware(adapter: { info?: GPUAdapterInfo }): boolean;
/** What an operator looks at of a GPUDevice, as JSON. */
export function deviceRequest(device: GPUDevice): string;
