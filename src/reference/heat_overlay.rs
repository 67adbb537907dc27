use num_traits::Float;

use super::{real, resize};
use crate::{Nchw, Nhw, Sampling};

/// `(1 - opacity) * picture + opacity * color(map)` at each pixel: RGBA in 0..1, `[n, h, w, 4]`, alpha 1, before rounding to 8
/// bits. The map `[n, mh, mw]` is resampled to the size of `pictures [n, 3, h, w]` and clamped to 0..1, NaN counting as 0. Heat
/// between two of the 256 colours blends them.
#[must_use]
pub fn heat_overlay<T: Float>(
    map_shape: Nhw,
    shape: Nchw,
    sampling: Sampling,
    colors: &[[u8; 3]; 256],
    opacity: T,
    map: &[T],
    pictures: &[T],
) -> Vec<T> {
    let planes = Nchw::new(map_shape.batch, 1, map_shape.height, map_shape.width);
    let map = resize(planes, shape.size(), sampling, map);
    let pixels = shape.size().pixels() as usize;
    let mut overlay = Vec::with_capacity(map.len() * 4);
    for (index, &value) in map.iter().enumerate() {
        let heat = if value.is_nan() { T::zero() } else { value.max(T::zero()).min(T::one()) };
        let position = heat * real(255.0);
        let entry = position.to_usize().unwrap_or(0).min(254);
        let share = position - real(entry as f64);
        let picture = index / pixels * 3 * pixels + index % pixels;
        for channel in 0..3 {
            let [low, high] = [entry, entry + 1].map(|entry| real::<T>(f64::from(colors[entry][channel]) / 255.0));
            let color = low * (T::one() - share) + high * share;
            overlay.push(pictures[picture + channel * pixels] * (T::one() - opacity) + color * opacity);
        }
        overlay.push(T::one());
    }
    overlay
}
