//! How much memory the gradients of operators that memory limits move, against the least that any implementation moves.

use visual_attention::Role;
use visual_attention::operators::{self, Options, Shapes, Slices};

use crate::common::{self, compiler};

const SHAPE: [u32; 4] = [8, 256, 28, 28];
const REDUCED: u32 = 16;

/// Operator, options, the forward operator's inputs beside the features, and the floor in tensors of the features' size: what must be read
/// and written once, twice where the first pass decides what the second needs.
type Floor = (&'static str, &'static [(&'static str, &'static str)], &'static [(&'static str, &'static [u32])], f64);

#[rustfmt::skip]
const FLOORS: [Floor; 16] = [
    ("attention_map_backward", &[("statistic", "max_abs")], &[], 2.0),
    ("attention_map_backward", &[("statistic", "mean_abs")], &[], 2.0),
    ("channel_scale_backward", &[("epilogue", "scale")], &[], 3.0),
    ("channel_scale_backward", &[("epilogue", "scale_add")], &[], 3.0),
    ("channel_scale_backward", &[("epilogue", "residual")], &[], 5.0),
    ("global_pool_backward", &[("squeeze", "mean")], &[], 1.0),
    ("squeeze_excite_backward", &[("epilogue", "scale")], &[("reduce_weight", &[REDUCED, SHAPE[1]])], 4.0),
    ("squeeze_excite_backward", &[("epilogue", "residual")], &[("reduce_weight", &[REDUCED, SHAPE[1]])], 6.0),
    ("bisenet_backward", &[], &[], 4.0),
    ("eca_backward", &[], &[("weight", &[5])], 4.0),
    ("spatial_gate_backward", &[], &[("weight", &[1, 2, 7, 7])], 4.0),
    ("cbam_backward", &[], &[("reduce_weight", &[REDUCED, SHAPE[1]]), ("spatial_weight", &[1, 2, 7, 7])], 6.0),
    ("scse_backward", &[("combine", "add")], &[("reduce_weight", &[REDUCED, SHAPE[1]])], 6.0),
    ("scse_backward", &[("combine", "max")], &[("reduce_weight", &[REDUCED, SHAPE[1]])], 7.0),
    ("window_pool_backward", &[("pooling", "mean"), ("window", "2,2")], &[], 1.25),
    ("resize_backward", &[("size", "28,28")], &[], 4.0),
];

#[test]
fn gradients_move_little_more_than_they_must() {
    let Some(gpu) = common::gpu() else { return };
    for (name, options, others, floor) in FLOORS {
        let entry = operators::find(name).unwrap_or_else(|| panic!("{name}"));
        let open = || entry.open(compiler::of(&gpu.device), &Options::new(options.iter().copied()));
        let operator = open().unwrap_or_else(|error| panic!("{name}: {error}"));
        let features = entry.example.inputs[0].0;
        let shapes = others.iter().map(|&(name, shape)| (name, shape.to_vec())).chain([(features, SHAPE.to_vec())]);
        let shapes = Shapes::new(shapes);
        let specs = operator.tensors(&shapes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let buffers: Vec<_> = specs
            .iter()
            .filter(|spec| {
                // Every gradient but those of biases and norms, which take no time.
                let small = spec.name.contains("bias") || spec.name.contains("norm");
                !spec.optional || spec.role == Role::Output && !small
            })
            .map(|spec| (spec.name, gpu.buffer(spec.name, spec.bytes().unwrap()).unwrap()))
            .collect();
        let slices = Slices::new(buffers.iter().map(|(name, buffer)| (*name, buffer.slice(..))));
        let recording = operator.bind(&gpu.device, &shapes, &slices).unwrap_or_else(|error| panic!("{name}: {error}"));
        let moved: u64 = recording.dispatches().map(|dispatch| dispatch.cost().bytes).sum();
        let features: u64 = SHAPE.iter().map(|&extent| u64::from(extent)).product();
        let ratio = moved as f64 / (4 * features) as f64 / floor;
        assert!((0.99..1.3).contains(&ratio), "{name} {options:?}: {ratio:.2} times the floor");
    }
}
