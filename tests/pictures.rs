//! How the examples read pictures: upright, whole or not at all, of any size.

use std::path::PathBuf;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageEncoder, ImageFormat, Rgb, RgbImage};

use crate::picture::Picture;

/// A file that is gone with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, contents: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("visual-attention-{}-{name}", std::process::id()));
        std::fs::write(&path, contents).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn load(name: &str, contents: &[u8], most_pixels: u64) -> Result<Picture, String> {
    let file = File::new(name, contents);
    Picture::load(&file.0, most_pixels)
}

/// 48 x 32 pixels in four flat quarters: red and green above, blue and white below.
fn quarters() -> RgbImage {
    RgbImage::from_fn(48, 32, |x, y| {
        Rgb(match (x < 24, y < 16) {
            (true, true) => [250, 10, 10],
            (false, true) => [10, 250, 10],
            (true, false) => [10, 10, 250],
            (false, false) => [250, 250, 250],
        })
    })
}

/// The EXIF block of a file with this orientation and nothing else.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}

fn jpeg(orientation: Option<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    if let Some(orientation) = orientation {
        encoder.set_exif_metadata(exif(orientation)).unwrap();
    }
    let picture = quarters();
    encoder.write_image(picture.as_raw(), 48, 32, image::ExtendedColorType::Rgb8).unwrap();
    bytes
}

/// The colours of the four quarters, from the upper left by rows.
fn colours(picture: &Picture) -> [&'static str; 4] {
    let (height, width) = (picture.height as usize, picture.width as usize);
    let pixels = height * width;
    [(1, 1), (1, 3), (3, 1), (3, 3)].map(|(row, column)| {
        let at = row * height / 4 * width + column * width / 4;
        match [0, 1, 2].map(|channel| picture.planes[channel * pixels + at] > 0.5) {
            [true, false, false] => "red",
            [false, true, false] => "green",
            [false, false, true] => "blue",
            [true, true, true] => "white",
            _ => "another",
        }
    })
}

#[test]
fn are_upright() {
    // What the standard says of the eight orientations.
    let upright = ["red", "green", "blue", "white"];
    let expected = [
        (None, upright),
        (Some(1), upright),
        (Some(2), ["green", "red", "white", "blue"]),
        (Some(3), ["white", "blue", "green", "red"]),
        (Some(4), ["blue", "white", "red", "green"]),
        (Some(5), ["red", "blue", "green", "white"]),
        (Some(6), ["blue", "red", "white", "green"]),
        (Some(7), ["white", "green", "blue", "red"]),
        (Some(8), ["green", "white", "red", "blue"]),
    ];
    for (orientation, expected) in expected {
        for most_pixels in [u64::MAX, 600] {
            let picture = load("orientation.jpg", &jpeg(orientation), most_pixels).unwrap();
            assert_eq!(colours(&picture), expected, "{orientation:?}");
            let on_its_side = orientation.is_some_and(|orientation| orientation > 4);
            assert_eq!(picture.original, if on_its_side { [48, 32] } else { [32, 48] }, "{orientation:?}");
        }
    }
}

#[test]
fn are_whole_or_refused() {
    let whole = jpeg(None);
    assert!(load("whole.jpg", &whole, u64::MAX).is_ok());
    for share in [3, 5, 9] {
        let cut = &whole[..whole.len() * share / 10];
        let error = load("cut.jpg", cut, u64::MAX).map(|_| ()).unwrap_err();
        assert!(error.contains("incomplete") && error.lines().count() == 1, "{error}");
    }
    // The photographs that come with the examples, cut in their middle.
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pictures");
    for name in ["retina.jpg", "salient_region.jpg", "coffee.png"] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        assert!(load(name, &bytes, u64::MAX).is_ok(), "{name}");
        assert!(load(name, &bytes[..bytes.len() / 2], u64::MAX).is_err(), "half of {name}");
    }
}

#[test]
fn are_read_in_five_formats() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff, ImageFormat::Bmp] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        DynamicImage::from(quarters()).write_to(&mut bytes, format).unwrap();
        // The content counts, not the name.
        let picture =
            load("picture.dat", bytes.get_ref(), u64::MAX).unwrap_or_else(|error| panic!("{format:?}: {error}"));
        assert_eq!(colours(&picture), ["red", "green", "blue", "white"], "{format:?}");
    }
    for other in [b"GIF89a\x01\0\x01\0\0\0\0;".as_slice(), b"no picture at all", b""] {
        let error = load("other.jpg", other, u64::MAX).map(|_| ()).unwrap_err();
        assert!(error.contains("JPEG, PNG, WebP, TIFF or BMP"), "{error}");
    }
}

#[test]
fn are_reduced_to_what_fits() {
    let picture = load("large.jpg", &jpeg(None), 48 * 32).unwrap();
    assert_eq!((picture.height, picture.width, picture.reduced_from()), (32, 48, None));
    for most_pixels in [48 * 32 - 1, 1000, 100, 6, 1] {
        let picture = load("large.jpg", &jpeg(None), most_pixels).unwrap();
        let pixels = u64::from(picture.height * picture.width);
        assert!((1..=most_pixels).contains(&pixels), "{pixels} of {most_pixels}");
        assert_eq!(picture.reduced_from(), Some([32, 48]));
        assert_eq!(picture.planes.len() as u64, 3 * pixels);
    }
}
