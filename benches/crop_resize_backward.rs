use visual_attention::{Nchw, Size};

use crate::common::Bench;
use crate::common::by_name::{BOX, ByName};
use crate::common::unfused::Unfused;
use crate::resize_backward::readers;

/// The box is the same in every image. A framework takes two operations, that of the crop and that of its place in the image.
pub(crate) fn bench(bench: &mut Bench) {
    let shape = Nchw::new(8, 3, 256, 256);
    let problem = ByName {
        operator: "crop_resize_backward",
        options: &[("size", "224,224".into())],
        shapes: &[("images", shape.into())],
        without: &[],
    };
    let measured = bench.measure_by_name(&shape.to_string(), &problem);
    let [left, top, right, bottom] = BOX.map(|place| place as u32);
    let crop = Size::new(bottom - top + 1, right - left + 1);
    let readers = readers(bench, crop, Size::new(224, 224));
    let mut unfused = Unfused::new(&bench.gpu);
    let of_crop =
        unfused.gather_sum(measured.input("crops_gradient"), &readers, u64::from(shape.batch * shape.channels));
    let (pixels, width) = (shape.size().pixels(), shape.width);
    // Above and left of the box they wrap around, and are out of it, too.
    let (row, column) = (format!("(i % #{pixels} / #{width} - #{top})"), format!("(i % #{width} - #{left})"));
    let inside = format!("{row} < #{} && {column} < #{}", crop.height, crop.width);
    let at = format!("i / #{pixels} * #{} + {row} * #{} + {column}", crop.pixels(), crop.width);
    let place = format!("select(0.0, a[select(0u, {at}, {inside})], {inside})");
    let gradient = unfused.each(&place, &[&of_crop], shape.elements().expect("small"));
    bench.measure_composition(&measured, &unfused, &vec![("images_gradient", gradient)]);
}
