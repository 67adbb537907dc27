/// <reference types="@webgpu/types" />
import type { Plan, Recording, Tensors } from './plan.js';

/** Options by name. Sizes and axes are arrays of numbers. */
export type Options = Record<string, string | number | boolean | readonly number[] | undefined>;
/** Shapes of inputs by name, slowest axis first. */
export type Shapes = Record<string, readonly number[]>;

/** One tensor of an operator. All are dense, the last axis fastest. */
export interface Tensor {
    name: string;
    shape: number[];
    dtype: 'f32' | 'f16' | 'u32' | 'i32';
    role: 'input' | 'output' | 'in_place';
    optional: boolean;
    /** The input that this output may replace. */
    inPlaceOf: string | null;
    /** Fewest bytes of a buffer for it. */
    bytes: number | null;
}

export interface OptionSpec {
    name: string;
    values: string;
    /** `null` for an option that must be given. */
    default: string | null;
}

export interface OperatorDescription {
    name: string;
    about: string;
    example: {
        options: Record<string, string>;
        /** Name and extent of each axis. */
        inputs: Record<string, [string, number][]>;
        optional: string[];
    };
}

/** Loads the WebAssembly module, once. `source` is its URL or its bytes, where it does not lie beside this package. */
export function load(source?: string | URL | Request | BufferSource | WebAssembly.Module): Promise<unknown>;
/** Every operator of the crate. */
export function operators(): OperatorDescription[];

/** An operator with its options, for one device. */
export class Operator {
    readonly device: GPUDevice;
    readonly name: string;
    /** Throws for options that the operator does not take. `load()` must have ended. */
    constructor(device: GPUDevice, name: string, options?: Options);
    options(): OptionSpec[];
    /** Every tensor for inputs of these shapes: what to allocate. */
    tensors(shapes: Shapes): Tensor[];
    cost(shapes: Shapes): { bytes: number; flops: number; parameters: number };
    /** What the plain CPU reference computes, in f64. */
    reference(shapes: Shapes, inputs: Record<string, ArrayLike<number>>): Record<string, Float64Array>;
    /** The WGSL and what to do with it, as plain data. Throws what the operator refuses. */
    plan(shapes: Shapes, tensors: Tensors): Plan;
    /** Checks shapes and buffers, compiles what is missing, and binds. */
    bind(shapes: Shapes, tensors: Tensors): Promise<Recording>;
}
