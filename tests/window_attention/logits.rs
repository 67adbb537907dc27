//! Logits that are large, infinite, NaN or alike.

use visual_attention::{
    Border, Element, Nchw, QueryPosition, RelativePosition, WindowAttention, WindowAttentionOptions,
};

use super::{Inputs, run, weights};
use crate::{common, compiler};

/// A constant added to every logit of a head changes its log-sum-exp by as much, and nothing else.
#[test]
fn a_constant_added_to_all_logits_changes_nothing() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 12, 9, 11);
    let options = WindowAttentionOptions::new(3, 4, 5)
        .with_relative(RelativePosition::Bias)
        .with_border(Border::Mask)
        .with_scale_relative(false);
    let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    let mut inputs = Inputs::random(2, &options, shape, Element::F32);
    let before = run(gpu, &operator, shape, Element::F32, &inputs);
    inputs.tables[1].iter_mut().for_each(|bias| *bias += 4.0);
    let after = run(gpu, &operator, shape, Element::F32, &inputs);
    for (a, b) in before.y.iter().zip(&after.y) {
        assert!((a - b).abs() < 1e-5, "{a} and {b}");
    }
    for (a, b) in before.log_sum_exp.iter().zip(&after.log_sum_exp) {
        assert!((a + 4.0 - b).abs() < 1e-5, "{a} and {b}");
    }
}

/// Logits of 300 either way: the softmax is one-hot nearly everywhere, and never NaN.
#[test]
fn large_logits_are_stable() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 8, 12, 13);
    for border in [Border::Zero, Border::Mask, Border::Shift] {
        let options = WindowAttentionOptions::new(2, 4, 5).with_border(border);
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let mut inputs = Inputs::random(3, &options, shape, Element::F32);
        // The tables' part would dwarf the keys otherwise.
        for values in [&mut inputs.q, &mut inputs.k] {
            values.iter_mut().for_each(|value| *value = value.signum() * 8.66);
        }
        let exact = inputs.reference::<f64>(&options, shape);
        let largest = exact.log_sum_exp.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        assert!(largest > 290.0, "{largest}");
        let actual = run(gpu, &operator, shape, Element::F32, &inputs);
        // A logit of 300 is rounded to 2^-15, which is the relative error of its weight.
        for (a, e) in actual.y.iter().zip(&exact.y) {
            assert!((f64::from(*a) - e).abs() < 2e-4, "{a}, expected {e}");
        }
    }
}

/// NaN and +infinity in a logit make the query NaN, and no other query; a query whose every logit is -infinity is zeros.
#[test]
fn special_logits_follow_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 4, 11, 13);
    let pixels = shape.size().pixels() as usize;
    for border in [Border::Zero, Border::Mask, Border::Shift] {
        for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for tensor in 0..3 {
                let options = WindowAttentionOptions::new(2, 2, 3).with_border(border);
                let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
                let mut inputs = Inputs::random(4, &options, shape, Element::F32);
                let values = [&mut inputs.q, &mut inputs.k, &mut inputs.v];
                for (index, values) in values.into_iter().enumerate() {
                    if index == tensor {
                        values[pixels + 5 * 13 + 6] = special;
                    }
                }
                let exact = inputs.reference::<f64>(&options, shape);
                let y = run(gpu, &operator, shape, Element::F32, &inputs).y;
                for (index, (a, e)) in y.iter().zip(&exact.y).enumerate() {
                    let close = (f64::from(*a) - e).abs() < 1e-5;
                    let same = a.is_nan() && e.is_nan() || f64::from(*a) == *e || close;
                    assert!(same, "{border:?} {special} in tensor {tensor}: element {index} is {a}, expected {e}");
                }
            }
        }
    }
    let options = WindowAttentionOptions::new(2, 2, 3).with_relative(RelativePosition::Bias).with_scale_relative(false);
    let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    let mut inputs = Inputs::random(5, &options, shape, Element::F32);
    inputs.tables[1].fill(f32::NEG_INFINITY);
    let outputs = run(gpu, &operator, shape, Element::F32, &inputs);
    assert!(outputs.y.iter().all(|&value| value == 0.0));
    assert!(outputs.log_sum_exp.iter().all(|&value| value == f32::NEG_INFINITY));
    let queries = [QueryPosition { image: 0, frame: 0, row: 3, column: 4 }];
    let rows = weights(gpu, &operator, shape, Element::F32, &inputs, &queries);
    assert!(rows.iter().all(|&value| value == 0.0));
}

/// A finite logit takes part, however low: masks made with the smallest finite number give the mean of what they leave where they
/// mask every key, and only the border rule leaves keys out.
#[test]
fn the_lowest_finite_logits_take_part() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 4, 6, 7);
    let queries = [
        QueryPosition { image: 0, frame: 0, row: 0, column: 0 },
        QueryPosition { image: 0, frame: 0, row: 3, column: 4 },
    ];
    for border in [Border::Zero, Border::Mask, Border::Shift] {
        let options = WindowAttentionOptions::new(2, 2, 3)
            .with_relative(RelativePosition::Bias)
            .with_border(border)
            .with_scale_relative(false);
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        for lowest in [-f32::MAX, -3e38, -2e38, -1.75e38] {
            let mut inputs = Inputs::random(6, &options, shape, Element::F32);
            inputs.q.fill(0.0);
            // All keys of the first head, and all but one of the second.
            inputs.tables[1].fill(lowest);
            inputs.tables[1][25 + 12] = 1.0;
            let exact = inputs.reference::<f64>(&options, shape);
            let outputs = run(gpu, &operator, shape, Element::F32, &inputs);
            for (index, (y, e)) in outputs.y.iter().zip(&exact.y).enumerate() {
                assert!((f64::from(*y) - e).abs() < 1e-5, "{border:?} {lowest}: element {index} is {y}, expected {e}");
            }
            for (y, e) in outputs.log_sum_exp.iter().zip(&exact.log_sum_exp) {
                assert!((f64::from(*y) - e).abs() <= 1e-6 * e.abs(), "{border:?} {lowest}: {y}, expected {e}");
            }
            let rows = weights(gpu, &operator, shape, Element::F32, &inputs, &queries);
            let chosen = queries.iter().flat_map(|query| [0, 42].map(|head| head + query.row * 7 + query.column));
            let expected = chosen.flat_map(|row| exact.weights[row as usize * 9..][..9].to_vec());
            for (y, e) in rows.iter().zip(expected) {
                assert!((f64::from(*y) - e).abs() < 1e-6, "{border:?} {lowest}: weight {y}, expected {e}");
            }
        }
    }
}

/// The sum of a window's values overflows where their mean does not.
#[test]
fn values_near_the_largest_number_have_a_mean() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 4, 9, 9);
    for window in [1, 3, 7] {
        let options = WindowAttentionOptions::new(2, 2, window).with_border(Border::Shift);
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let mut inputs = Inputs::random(7, &options, shape, Element::F32);
        inputs.v.fill(3e38);
        let outputs = run(gpu, &operator, shape, Element::F32, &inputs);
        assert!(outputs.y.iter().all(|y| (y / 3e38 - 1.0).abs() < 1e-5), "window {window}: {:?}", &outputs.y[..9]);
    }
}
