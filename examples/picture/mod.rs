//! Pictures as the operators take them, and back.

use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use visual_attention::wgpu;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::options::DecoderOptions;

/// What a decoder may allocate: pictures of 108 megapixels in 16 bits, and a half more.
const MOST_BYTES: u64 = 1 << 30;
const FORMATS: [ImageFormat; 5] =
    [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff, ImageFormat::Bmp];

/// A photograph as planes: `[3, height, width]`, red, green, blue in 0..1 as the file stores them, upright.
pub(crate) struct Picture {
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) planes: Vec<f32>,
    /// Height and width in the file, which are larger where the picture was made to fit.
    pub(crate) original: [u32; 2],
}

impl Picture {
    /// Reads a JPEG, PNG, WebP, TIFF or BMP picture, recognised by its content and not by its name. A picture of more than
    /// `most_pixels` is reduced to as many, its sides alike.
    pub(crate) fn load(path: &Path, most_pixels: u64) -> Result<Self, String> {
        let fail = |error: &dyn std::fmt::Display| format!("{}: {}", path.display(), error.to_string().trim_end());
        let bytes = std::fs::read(path).map_err(|error| fail(&error))?;
        let format = image::guess_format(&bytes).ok().filter(|format| FORMATS.contains(format));
        let format =
            format.ok_or_else(|| fail(&"not a JPEG, PNG, WebP, TIFF or BMP picture, which are those read here"))?;
        if format == ImageFormat::Jpeg {
            check_complete(&bytes).map_err(|error| fail(&error))?;
        }
        let mut reader = ImageReader::with_format(std::io::Cursor::new(&bytes), format);
        let mut limits = Limits::default();
        limits.max_alloc = Some(MOST_BYTES);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(|error| fail(&error))?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut image = DynamicImage::from_decoder(decoder).map_err(|error| fail(&error))?;
        let mut original = [image.height(), image.width()];
        let pixels = u64::from(image.width()) * u64::from(image.height());
        if pixels > most_pixels {
            // Rounded down, so that the product fits too.
            let scale = (most_pixels as f64 / pixels as f64).sqrt();
            let [height, width] = original.map(|side| ((f64::from(side) * scale) as u32).max(1));
            image = image.thumbnail_exact(width, height);
        }
        image.apply_orientation(orientation);
        let image = image.into_rgb8();
        let (width, height) = image.dimensions();
        let on_its_side =
            [Orientation::Rotate90, Orientation::Rotate270, Orientation::Rotate90FlipH, Orientation::Rotate270FlipH];
        if on_its_side.contains(&orientation) {
            original.reverse();
        }
        let channel = |index: usize| image.pixels().map(move |pixel| f32::from(pixel.0[index]) / 255.0);
        Ok(Self { height, width, planes: (0..3).flat_map(channel).collect(), original })
    }

    /// The file's own size, where it was reduced.
    pub(crate) fn reduced_from(&self) -> Option<[u32; 2]> {
        (self.original != [self.height, self.width]).then_some(self.original)
    }
}

/// Pixels of the largest picture whose planes a device under these limits can bind.
pub(crate) fn most_pixels(limits: &wgpu::Limits) -> u64 {
    limits.max_storage_buffer_binding_size.min(limits.max_buffer_size) / 12
}

/// Refuses a JPEG whose data end early: decoders fill what is missing with grey.
fn check_complete(bytes: &[u8]) -> Result<(), String> {
    let options = DecoderOptions::default().set_strict_mode(true).set_max_width(1 << 16).set_max_height(1 << 16);
    JpegDecoder::new_with_options(ZCursor::new(bytes), options)
        .decode()
        .map(drop)
        .map_err(|error| format!("the JPEG is damaged or incomplete: {error}"))
}

/// Planes `[3, height, width]` as a picture.
pub(crate) fn from_planes(height: u32, width: u32, planes: &[f32]) -> RgbImage {
    let pixels = height as usize * width as usize;
    RgbImage::from_fn(width, height, |x, y| {
        let index = y as usize * width as usize + x as usize;
        // The conversion cuts to 0..=255.
        image::Rgb([0, 1, 2].map(|channel| (planes[channel * pixels + index] * 255.0 + 0.5) as u8))
    })
}

/// Bytes of RGBA pixels as a picture, without their alpha.
pub(crate) fn from_rgba(height: u32, width: u32, bytes: &[u8]) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let first = (y as usize * width as usize + x as usize) * 4;
        image::Rgb([bytes[first], bytes[first + 1], bytes[first + 2]])
    })
}

/// Writes all pictures into a folder, or none: each is encoded and written under another name before the first takes its place.
pub(crate) fn save_all(folder: &Path, pictures: Vec<(&str, RgbImage)>) -> Result<(), String> {
    let fail = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(|error| fail(&error))?;
    let mut written = Vec::new();
    let mut write = |name: &str, picture: RgbImage| -> Result<(), String> {
        let unfinished = folder.join(format!(".{name}.unfinished"));
        written.push((unfinished.clone(), folder.join(name)));
        DynamicImage::from(picture).save_with_format(&unfinished, ImageFormat::Png).map_err(|error| fail(&error))
    };
    let outcome = pictures.into_iter().try_for_each(|(name, picture)| write(name, picture));
    if outcome.is_err() {
        for (unfinished, _) in &written {
            // It may not have been created.
            let _ = std::fs::remove_file(unfinished);
        }
        return outcome;
    }
    written.iter().try_for_each(|(unfinished, name)| std::fs::rename(unfinished, name).map_err(|error| fail(&error)))
}
