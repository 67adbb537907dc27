//! Pictures as the operators take them, and back.

use std::path::Path;

use image::{DynamicImage, ImageFormat, RgbImage};

/// A photograph as planes: `[3, height, width]`, red, green, blue in 0..1 as the file stores them.
pub(crate) struct Picture {
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) planes: Vec<f32>,
}

impl Picture {
    /// Reads a JPEG or PNG, told by its content rather than by its name.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let fail = |error: &dyn std::fmt::Display| format!("{}: {}", path.display(), error.to_string().trim_end());
        let reader = image::ImageReader::open(path).map_err(|error| fail(&error))?;
        let reader = reader.with_guessed_format().map_err(|error| fail(&error))?;
        let image = reader.decode().map_err(|error| fail(&error))?.to_rgb8();
        let (width, height) = image.dimensions();
        let channel = |index: usize| image.pixels().map(move |pixel| f32::from(pixel.0[index]) / 255.0);
        Ok(Self { height, width, planes: (0..3).flat_map(channel).collect() })
    }
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
