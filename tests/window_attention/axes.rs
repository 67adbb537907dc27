//! Windows over frames, rows and columns.

use visual_attention::{
    Border, Element, Ncthw, RelativePosition, WindowAttention, WindowAttentionOptions, WindowAxis, reference,
};

use super::{Inputs, check, run};
use crate::common::{self, Random, wide};
use crate::compiler;

/// An axis with any border, and any other members that go with it.
pub(crate) fn any_axis(random: &mut Random, grouped: bool) -> WindowAxis {
    let border = [Border::Mask, Border::Shift, Border::Causal, Border::Zero][random.below(4) as usize];
    let axis = WindowAxis::new(1 + random.below(7)).with_border(border);
    let axis = axis.with_group(if grouped && random.below(2) == 0 { 1 + random.below(axis.keys) } else { 1 });
    let axis = if border == Border::Shift { axis } else { axis.with_stride([1, 1, 2, 3][random.below(4) as usize]) };
    match random.below(3) {
        0 => axis.with_dilation(1 + random.below(3)),
        1 if matches!(border, Border::Mask | Border::Zero) => axis.with_origin(random.below(9)),
        _ => axis,
    }
}

/// An extent that an axis allows: of a part of a window, or of several windows.
pub(crate) fn any_extent(random: &mut Random, axis: &WindowAxis, most: u32) -> u32 {
    let least = if axis.border == Border::Shift { axis.keys * axis.dilation } else { 1 };
    least + random.below(most.saturating_sub(least).max(3))
}

/// Every option at random, together.
pub(crate) fn any_options(random: &mut Random, seed: u64) -> WindowAttentionOptions {
    let relative = [
        RelativePosition::None,
        RelativePosition::PerHead,
        RelativePosition::WholeChannel,
        RelativePosition::Sum,
        RelativePosition::Bias,
    ][seed as usize % 5];
    // Tables by entry need windows without groups.
    let grouped = !matches!(relative, RelativePosition::PerHead | RelativePosition::WholeChannel);
    let mut axis = || any_axis(random, grouped);
    let none = WindowAxis::new(1);
    let axes = match seed / 5 % 4 {
        0 => [none, none, axis()],
        1 => [none, axis(), axis()],
        2 => [axis(), none, axis()],
        _ => [axis(), axis(), axis()],
    };
    let count = axes.iter().filter(|axis| axis.keys > 1).count().max(1) as u32;
    let (heads, head_dim) = match relative {
        RelativePosition::PerHead => (1 + random.below(3), count * (1 + random.below(4))),
        RelativePosition::WholeChannel => (count * (1 + random.below(2)), 1 + random.below(7)),
        // A longer array in a quarter of the cases.
        _ => (1 + random.below(3), 1 + random.below(if seed % 16 == 3 { 21 } else { 8 })),
    };
    let value_dim = if random.below(3) == 0 { 1 + random.below(19) } else { head_dim };
    WindowAttentionOptions::volume(heads, head_dim, axes)
        .with_value_dim(value_dim)
        .with_relative(relative)
        .with_scale([1.0, 0.353_553_4, -0.7, 0.11][random.below(4) as usize])
        .with_scale_relative(random.below(2) == 0)
}

/// Extents that the options allow. An axis whose windows have one key mostly has one position.
pub(crate) fn any_extents(random: &mut Random, options: &WindowAttentionOptions) -> [u32; 3] {
    let none = WindowAxis::new(1);
    options.axes.map(|axis| if axis == none && random.below(4) > 0 { 1 } else { any_extent(random, &axis, 13) })
}

/// Every option at random, together, over one, two and three axes: 180 sets of options, 6 shapes each.
#[test]
fn random_axes_match_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    let elements = gpu.elements();
    for seed in 0..180u64 {
        let mut random = Random::new(seed);
        let options = any_options(&mut random, seed);
        let element = elements[usize::from(seed % 5 == 4) % elements.len()];
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, element).unwrap();
        for case in 0..6 {
            let [frames, rows, columns] = any_extents(&mut random, &options);
            let shape = Ncthw::new(1 + random.below(2), options.channels(), frames, rows, columns);
            check(gpu, &operator, shape, element, seed * 6 + case);
        }
    }
}

/// Heads of every kind that a GPU divides among invocations, with other heads of the values, and the deepest.
#[test]
fn deep_heads_match_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    let window = [3, 2, 3].map(|keys| WindowAxis::new(keys).with_border(Border::Mask));
    for (seed, (head_dim, value_dim)) in
        (0..).zip([(64, 16), (16, 64), (5, 48), (128, 24), (200, 8), (256, 256), (8, 1024), (1024, 33), (1000, 40)])
    {
        for relative in [RelativePosition::None, RelativePosition::Sum] {
            let options =
                WindowAttentionOptions::volume(1, head_dim, window).with_value_dim(value_dim).with_relative(relative);
            let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
            check(gpu, &operator, Ncthw::new(1, head_dim, 2, 3, 7), Element::F32, seed);
        }
    }
}

/// Heads that a GPU divides among invocations, with blocks, causal groups, strides and lines: tiles that end with their group.
#[test]
fn divided_heads_match_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    let with = |keys, border| WindowAxis::new(keys).with_border(border);
    let (blocks, causal) = (WindowAxis::swin(5, 2), with(4, Border::Causal).with_group(3));
    let (mask, shift) = (with(3, Border::Mask), with(3, Border::Shift));
    for (seed, axes) in (0..).zip([
        [WindowAxis::new(1), blocks, blocks],
        [causal, causal, mask],
        [mask, mask, causal],
        [WindowAxis::new(1), WindowAxis::new(1), blocks],
        [WindowAxis::new(1), WindowAxis::new(1), causal.with_dilation(2)],
        [with(2, Border::Causal), WindowAxis::new(1), WindowAxis::new(1)],
        [WindowAxis::new(1), shift.with_dilation(2), mask.with_stride(2).with_dilation(2)],
        [WindowAxis::new(1), WindowAxis::halo(4, 2), WindowAxis::halo(3, 1)],
    ]) {
        for (head_dim, value_dim) in [(32, 32), (20, 64), (40, 24)] {
            let options = WindowAttentionOptions::volume(2, head_dim, axes)
                .with_value_dim(value_dim)
                .with_relative(RelativePosition::Bias);
            let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
            check(gpu, &operator, Ncthw::new(1, 2 * head_dim, 3, 9, 13), Element::F32, seed);
        }
    }
}

/// The keys that a query attends to, by the weights of the reference: attention with equal logits.
fn keys_of(options: &WindowAttentionOptions, shape: Ncthw) -> Vec<Vec<usize>> {
    let positions = (shape.frames * shape.height * shape.width) as usize;
    let zeros = vec![0.0; positions];
    (0..positions)
        .map(|key| {
            let mut values = zeros.clone();
            values[key] = 1.0;
            let tables = visual_attention::PositionTables::None;
            reference::window_attention::<f64>(shape, options, &zeros, &zeros, &values, tables).y
        })
        .enumerate()
        .fold(vec![Vec::new(); positions], |mut keys, (key, y)| {
            y.iter().enumerate().filter(|&(_, &weight)| weight > 0.0).for_each(|(query, _)| keys[query].push(key));
            keys
        })
}

/// Swin's shifted windows are what `torch.roll`, a mask of regions and windows of the rolled image compute: two positions attend to each
/// other if, rolled by the shift, they lie in one window, and in one region of the image.
#[test]
fn shifted_windows_are_rolled_and_masked_windows() {
    for (extent, window, shift) in [(12, 4, 2), (12, 4, 1), (8, 8, 4), (21, 7, 3)] {
        let options = WindowAttentionOptions::line(1, 1, WindowAxis::swin(window, shift));
        let keys = keys_of(&options, Ncthw::new(1, 1, 1, 1, extent));
        // A position of the rolled image, and its region there: before the last window, before the seam, or after it.
        let rolled = |position: u32| (position + extent - shift) % extent;
        let region = |at: u32| u32::from(at >= extent - window) + u32::from(at >= extent - shift);
        for query in 0..extent {
            let expected: Vec<usize> = (0..extent)
                .filter(|&key| {
                    let (a, b) = (rolled(query), rolled(key));
                    a / window == b / window && region(a) == region(b)
                })
                .map(|key| key as usize)
                .collect();
            assert_eq!(keys[query as usize], expected, "query {query} of {extent}, window {window}, shift {shift}");
        }
    }
}

/// `HaloNet`'s queries attend to their block and the halo around it.
#[test]
fn halos_surround_blocks() {
    let (extent, block, halo) = (13u32, 4, 3);
    let axis = WindowAxis::halo(block, halo).with_border(Border::Mask);
    let keys = keys_of(&WindowAttentionOptions::line(1, 1, axis), Ncthw::new(1, 1, 1, 1, extent));
    for query in 0..extent {
        let first = query / block * block;
        let expected: Vec<usize> =
            (first.saturating_sub(halo)..(first + block + halo).min(extent)).map(|key| key as usize).collect();
        assert_eq!(keys[query as usize], expected, "query {query}");
    }
}

/// Causal windows attend to the last keys up to their query, and a video's frames are no exception.
#[test]
fn causal_windows_end_at_the_query() {
    let axes =
        [WindowAxis::new(3).with_border(Border::Causal).with_dilation(2), WindowAxis::new(1), WindowAxis::new(1)];
    let keys = keys_of(&WindowAttentionOptions::volume(1, 1, axes), Ncthw::new(1, 1, 8, 1, 1));
    for (query, keys) in keys.iter().enumerate() {
        let expected: Vec<usize> = [4, 2, 0].iter().filter_map(|age| query.checked_sub(*age)).collect();
        assert_eq!(*keys, expected, "frame {query}");
    }
}

/// Later frames do not reach the result of an earlier frame under a causal axis, not even as NaN.
#[test]
fn the_future_does_not_reach_the_past() {
    let Some(gpu) = common::gpu() else { return };
    let causal = WindowAxis::new(3).with_border(Border::Causal);
    let shift = WindowAxis::new(3).with_border(Border::Shift);
    let options = WindowAttentionOptions::volume(2, 4, [causal, shift, shift]);
    let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    let shape = Ncthw::new(1, 8, 5, 4, 6);
    let mut inputs = Inputs::random(8, &options, shape, Element::F32);
    let before = run(gpu, &operator, shape, Element::F32, &inputs).y;
    // The last frame of every channel.
    for values in [&mut inputs.q, &mut inputs.k, &mut inputs.v] {
        values.chunks_exact_mut(5 * 24).for_each(|channel| channel[4 * 24..].fill(f32::NAN));
    }
    let after = run(gpu, &operator, shape, Element::F32, &inputs).y;
    for (before, after) in before.chunks_exact(5 * 24).zip(after.chunks_exact(5 * 24)) {
        assert_eq!(before[..4 * 24], after[..4 * 24]);
        assert!(after[4 * 24..].iter().all(|value| value.is_nan()));
    }
}

/// A value that the border leaves out reaches no result on any axis, not even as 0 * NaN: neither the later queries' own of a causal group,
/// nor those beyond it.
#[test]
fn values_left_out_reach_nothing() {
    let Some(gpu) = common::gpu() else { return };
    let mask = WindowAxis::new(3).with_border(Border::Mask);
    let causal = WindowAxis::new(4).with_border(Border::Causal).with_group(3);
    for axis in 0..3 {
        let mut axes = [mask; 3];
        axes[axis] = causal;
        let options = WindowAttentionOptions::volume(1, 4, axes);
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let shape = Ncthw::new(1, 4, 6, 6, 6);
        for special in [f32::NAN, f32::INFINITY] {
            let mut inputs = Inputs::random(10, &options, shape, Element::F32);
            // The plane at 4 of this axis, the second of its group.
            let at = |position: usize| [position / 36, position / 6 % 6, position % 6][axis];
            for values in [&mut inputs.k, &mut inputs.v] {
                let spoiled = values.iter_mut().enumerate().filter(|(index, _)| at(index % 216) == 4);
                spoiled.for_each(|(_, value)| *value = special);
            }
            let exact = inputs.reference::<f64>(&options, shape).y;
            let y = run(gpu, &operator, shape, Element::F32, &inputs).y;
            for (index, (y, exact)) in y.iter().zip(&exact).enumerate() {
                assert_eq!(y.is_finite(), exact.is_finite(), "axis {axis}, {special}: element {index} is {y}");
                assert!(at(index % 216) >= 4 || y.is_finite(), "axis {axis}, {special}: element {index} is {y}");
            }
        }
    }
}

/// A window that reaches every key is attention over all positions, whatever the axes are.
#[test]
fn windows_over_everything_are_full_attention() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Ncthw::new(1, 6, 3, 4, 5);
    let axes = [3, 4, 5].map(|extent| WindowAxis::new(2 * extent).with_border(Border::Mask));
    let options = WindowAttentionOptions::volume(2, 3, axes);
    let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    let inputs = Inputs::random(9, &options, shape, Element::F32);
    let y = run(gpu, &operator, shape, Element::F32, &inputs).y;
    let (q, k, v) = (wide(&inputs.q), wide(&inputs.k), wide(&inputs.v));
    for head in 0..2 {
        let at = |tensor: &[f64], channel: usize, position: usize| tensor[(head * 3 + channel) * 60 + position];
        for query in 0..60 {
            let dot = |key: usize| (0..3).map(|c| at(&q, c, query) * at(&k, c, key)).sum::<f64>() / 3f64.sqrt();
            let weights: Vec<f64> = (0..60).map(|key| dot(key).exp()).collect();
            let total: f64 = weights.iter().sum();
            for channel in 0..3 {
                let expected = (0..60).map(|key| weights[key] * at(&v, channel, key)).sum::<f64>() / total;
                let actual = f64::from(y[(head * 3 + channel) * 60 + query]);
                assert!((actual - expected).abs() < 1e-5, "{actual}, expected {expected}");
            }
        }
    }
}
