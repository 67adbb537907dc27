//! The loss as a picture.

use image::{Rgb, RgbImage};

/// The loss from 0 to 1 over the steps: the mean of 10 in each point. The grey line is that of a guess, log 2.
pub(crate) fn curve(losses: &[f32]) -> RgbImage {
    let mut picture = RgbImage::from_pixel(losses.len() as u32, 240, Rgb([255; 3]));
    let row = |loss: f32| 229 - (loss.clamp(0.0, 1.0) * 220.0) as u32;
    for x in 0..picture.width() {
        picture.put_pixel(x, row(0.0) + 1, Rgb([0; 3]));
        picture.put_pixel(x, row(2f32.ln()), Rgb([160; 3]));
    }
    let means: Vec<_> = losses.windows(10).map(|some| row(some.iter().sum::<f32>() / 10.0)).collect();
    for (x, pair) in (9..).zip(means.windows(2)) {
        let (top, bottom) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        (top..=bottom).for_each(|y| picture.put_pixel(x, y, Rgb([200, 30, 30])));
    }
    picture
}
