export { isSoftware } from './device.js';
export { Operator, load, operators } from './operator.js';
export type { OperatorDescription, OptionSpec, Options, Shapes, Tensor } from './operator.js';
export { Recording, prepare } from './plan.js';
export type { Plan, Tensors } from './plan.js';
export * from './operators.js';
