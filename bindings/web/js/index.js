// visual-attention on the caller's GPUDevice and GPUBuffers.
export { isSoftware } from './device.js';
export { Operator, load, operators } from './operator.js';
export { Recording, prepare } from './plan.js';
// A class for each operator, which build.sh writes from the crate's own list.
export * from './operators.js';
