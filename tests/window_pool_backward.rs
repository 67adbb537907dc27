use crate::common;
use crate::common::backward::run;

/// Rows and columns that fill no window have no gradient; of equal maxima the first takes it, row by row.
#[test]
fn windows_take_what_is_theirs() {
    let Some(gpu) = common::gpu() else { return };
    let shapes: &[(&str, &[u32])] = &[("x", &[1, 1, 3, 5])];
    let x = [1.0, 2.0, 7.0, 7.0, 9.0, 2.0, 0.0, f32::NAN, 7.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0];
    let inputs = [("x", x.as_slice()), ("y_gradient", &[4.0, 8.0])];
    let gradient = |pooling| {
        let options = [("pooling", pooling), ("window", "2,2")];
        run(gpu, "window_pool_backward", &options, shapes, &inputs).get("x_gradient").unwrap().clone()
    };
    assert_eq!(gradient("mean"), [1.0, 1.0, 2.0, 2.0, 0.0, 1.0, 1.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(gradient("max"), [0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

/// A window larger than the image leaves everything out.
#[test]
fn an_image_smaller_than_a_window_has_gradients_of_zero() {
    let Some(gpu) = common::gpu() else { return };
    let options = [("pooling", "max"), ("window", "4,4")];
    let inputs: &[(_, &[f32])] = &[("x", &[5.0; 18]), ("y_gradient", &[])];
    let found = run(gpu, "window_pool_backward", &options, &[("x", &[1, 2, 3, 3])], inputs);
    assert_eq!(found.get("x_gradient").unwrap(), &[0.0; 18]);
}
