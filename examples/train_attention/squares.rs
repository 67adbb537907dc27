//! The task: which of two squares moves? An image holds two frames of a filled and a hollow square. From the first to the second frame one of
//! them moves by one pixel, to the left or to the right. The label is 1 if that is the filled one.

pub(crate) const BATCH: u32 = 16;
pub(crate) const SIDE: u32 = 12;
const SQUARE: u32 = 4;

/// Numbers that are the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(end)) as u32
    }

    /// Between -1 and 1.
    pub(crate) fn symmetric(&mut self) -> f32 {
        self.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Images `[BATCH, 3, SIDE, SIDE]` and their labels. The third channel is 1: projections have no bias, and this takes its place.
    pub(crate) fn images(&mut self) -> (Vec<f32>, Vec<f32>) {
        let mut images = vec![0.0; (BATCH * 3 * SIDE * SIDE) as usize];
        let mut labels = Vec::new();
        for image in images.chunks_exact_mut((3 * SIDE * SIDE) as usize) {
            image[(2 * SIDE * SIDE) as usize..].fill(1.0);
            let [filled, moving, to_the_right] = [self.below(2), self.below(2), self.below(2)];
            let gap = self.below(SIDE - 2 * SQUARE);
            let left = self.below(SIDE - 2 * SQUARE - gap);
            for square in 0..2 {
                let (top, left) = (self.below(SIDE - SQUARE + 1), left + square * (SQUARE + gap));
                for frame in 0..2 {
                    let left = left + if square == moving { u32::from(frame == to_the_right) } else { square };
                    for (y, x) in (0..SQUARE).flat_map(|y| (0..SQUARE).map(move |x| (y, x))) {
                        let on_the_edge = [0, SQUARE - 1].contains(&x) || [0, SQUARE - 1].contains(&y);
                        let at = (frame * SIDE + top + y) * SIDE + left + x;
                        image[at as usize] = f32::from(u8::from(square == filled || on_the_edge));
                    }
                }
            }
            labels.push(f32::from(u8::from(moving == filled)));
        }
        (images, labels)
    }
}
