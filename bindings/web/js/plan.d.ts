/// <reference types="@webgpu/types" />
/** A buffer with usage STORAGE, or a part of one. */
export type Slice = GPUBuffer | { buffer: GPUBuffer; offset?: number; size?: number };
/** Slices by the names of an operator's tensors. */
export type Tensors = Record<string, Slice>;

/** WGSL, and what to do with it: everything that a program needs to run an operator without Rust. */
export interface Plan {
    /** WGSL. */
    modules: string[];
    pipelines: {
        label: string;
        module: number;
        entryPoint: string;
        /** Values of the overrides. */
        constants: Record<string, number>;
        /** The bindings of group 0. `texture` is an array of `rgba8unorm` that is written. */
        layout: { binding: number; type: 'uniform' | 'storage' | 'read-only-storage' | 'texture'; dynamic?: boolean }[];
    }[];
    /** Parameters and scratch. `words` are the contents; a buffer without them starts at zero. */
    buffers: { label: string; size: number; uniform: boolean; words?: number[] }[];
    dispatches: {
        pipeline: number;
        /** One of a buffer of the plan, a tensor and a texture of the caller's. Offsets count from the start of the GPUBuffer. */
        bindings: { binding: number; buffer?: number; tensor?: string; texture?: string; offset?: number; size?: number }[];
        /** Dynamic offsets. */
        offsets?: number[];
        workgroups: [number, number, number];
    }[];
}

/** A plan on a device. */
export class Recording {
    /** The number of dispatches. */
    readonly length: number;
    /** Records every dispatch into a compute pass of the caller's. */
    record(pass: GPUComputePassEncoder, textures?: Record<string, GPUTexture>): void;
    /** Frees parameters and scratch buffers. */
    destroy(): void;
}

/** Compiles what is missing, and binds the plan to the caller's buffers. */
export function prepare(device: GPUDevice, plan: Plan, tensors: Tensors): Promise<Recording>;
