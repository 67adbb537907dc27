//! The regions of a picture: their frames and numbers in a picture of the mask, and a table of them.

use std::fmt::Write;

use image::{Rgb, RgbImage};
use visual_attention::reference::AttendedRegions;

const FRAME: Rgb<u8> = Rgb([230, 30, 30]);
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
/// Three columns by five rows of each digit, a row in three bits.
const DIGITS: [[u8; 5]; 10] = [
    [7, 5, 5, 5, 7],
    [2, 6, 2, 2, 7],
    [7, 1, 7, 4, 7],
    [7, 1, 7, 1, 7],
    [5, 5, 7, 1, 1],
    [7, 4, 7, 1, 7],
    [7, 4, 7, 5, 7],
    [7, 1, 1, 2, 2],
    [7, 5, 7, 5, 7],
    [7, 5, 7, 1, 7],
];

/// A region that was found.
pub(crate) struct Region {
    /// xmin, ymin, xmax, ymax, inclusive.
    pub(crate) sides: [i32; 4],
    pub(crate) pixels: usize,
}

/// The regions of one picture, the largest first. If a picture has fewer regions than were asked for, the list is shorter. It always holds
/// the first box.
pub(crate) fn regions(result: &AttendedRegions<f32>) -> Vec<Region> {
    let mut pixels = vec![0; result.boxes.len()];
    for &rank in result.component.iter().filter(|&&rank| rank > 0) {
        pixels[rank as usize - 1] += 1;
    }
    let all = result.boxes.iter().zip(pixels).map(|(&sides, pixels)| Region { sides, pixels });
    all.enumerate().filter(|(index, region)| *index == 0 || region.pixels > 0).map(|(_, region)| region).collect()
}

/// White where only the mask is set, yellow where its largest component is and paler where others are, a red frame just inside each box.
/// Several frames have numbers.
pub(crate) fn mask_with_boxes(height: u32, width: u32, result: &AttendedRegions<f32>, regions: &[Region]) -> RgbImage {
    let mut picture = RgbImage::from_fn(width, height, |x, y| {
        let index = y as usize * width as usize + x as usize;
        Rgb(match (result.component[index], result.mask[index]) {
            (1, _) => [255, 220, 90],
            (2.., _) => [255, 240, 180],
            (0, 1) => [255, 255, 255],
            _ => [0, 0, 0],
        })
    });
    // Wide enough to be seen when a large picture is shown small.
    let frame = i64::from(height.max(width) / 300).max(1);
    // Smaller regions come over larger ones.
    for (index, region) in regions.iter().enumerate() {
        let [xmin, ymin, xmax, ymax] = region.sides.map(i64::from);
        for y in ymin..=ymax {
            for x in xmin..=xmax {
                if (x - xmin).min(xmax - x).min(y - ymin).min(ymax - y) < frame {
                    picture.put_pixel(x as u32, y as u32, FRAME);
                }
            }
        }
        if regions.len() > 1 {
            number(&mut picture, index + 1, [xmin + frame, ymin + frame], frame);
        }
    }
    picture
}

/// A number on a plate of the frame's colour, whose upper left corner is `corner`. What is beyond the picture is left out.
fn number(picture: &mut RgbImage, number: usize, [left, top]: [i64; 2], scale: i64) {
    let text = number.to_string();
    let (columns, rows) = (4 * text.len() as i64 + 1, 7);
    for y in 0..rows * scale {
        for x in 0..columns * scale {
            let (column, row) = (x / scale - 1, y / scale - 1);
            let digit = text.as_bytes().get((column.max(0) / 4) as usize).map(|byte| DIGITS[usize::from(byte - b'0')]);
            let bits = digit.filter(|_| column >= 0 && (0..5).contains(&row)).map_or(0, |digit| digit[row as usize]);
            let set = column % 4 < 3 && (bits >> (2 - column.rem_euclid(4).min(2))) & 1 == 1;
            let [x, y] = [left + x, top + y].map(|place| u32::try_from(place).unwrap_or(u32::MAX));
            if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
                *pixel = if set { PAPER } else { FRAME };
            }
        }
    }
}

/// One line for each region: its number, its box and its pixels.
pub(crate) fn table(regions: &[Region]) -> String {
    let mut text = String::from("region,xmin,ymin,xmax,ymax,pixels\n");
    for (index, Region { sides: [xmin, ymin, xmax, ymax], pixels }) in regions.iter().enumerate() {
        // Writing to a `String` can't fail.
        let _ = writeln!(text, "{},{xmin},{ymin},{xmax},{ymax},{pixels}", index + 1);
    }
    text
}
