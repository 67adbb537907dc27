use crate::Nhw;

/// `[xmin, ymin, xmax, ymax]` of the set pixels of each image of `mask [n, h, w]`, all inclusive (AG-CNN, arXiv:1801.09927,
/// Sec. III-B). A mask without a set pixel gives the whole image.
#[must_use]
pub fn bounding_box(shape: Nhw, mask: &[u32]) -> Vec<[i32; 4]> {
    let (height, width) = (shape.height as i32, shape.width as i32);
    let whole = [0, 0, width - 1, height - 1];
    let mut boxes = vec![whole; shape.batch as usize];
    if shape.is_empty() {
        return boxes;
    }
    for (found, image) in boxes.iter_mut().zip(mask.chunks_exact(shape.size().pixels() as usize)) {
        let set = (0..).zip(image).filter(|&(_, &pixel)| pixel != 0).map(|(index, _)| (index % width, index / width));
        let around = set.fold(None, |around: Option<[i32; 4]>, (x, y)| {
            let [xmin, ymin, xmax, ymax] = around.unwrap_or([x, y, x, y]);
            Some([xmin.min(x), ymin.min(y), xmax.max(x), ymax.max(y)])
        });
        *found = around.unwrap_or(whole);
    }
    boxes
}
