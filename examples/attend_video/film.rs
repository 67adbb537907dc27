//! Films as frames of planes, and back.

use std::f32::consts::TAU;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use image::codecs::gif::{GifDecoder, GifEncoder, Repeat};
use image::{AnimationDecoder, Delay, DynamicImage, Frame, RgbImage, imageops};
use visual_attention::Ncthw;

use super::picture::{self, Picture};

/// The longer side of a frame: larger ones are reduced.
const LONGER_SIDE: u32 = 480;
/// Most frames that are read.
const MOST_FRAMES: usize = 256;
/// Frames of the scene that is made here.
const SCENE: u32 = 24;
/// Milliseconds from one frame of the animation to the next.
const DELAY: u32 = 120;

/// Frames `[3, height, width]` of red, green and blue in 0..1.
pub(crate) struct Film {
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) frames: Vec<Vec<f32>>,
}

impl Film {
    /// A folder of pictures, or an animated GIF.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let fail = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let pictures = if path.is_dir() {
            let mut files = std::fs::read_dir(path)
                .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>())
                .map_err(|error| fail(&error))?;
            files.retain(|file| file.is_file());
            files.sort();
            let pictures = files.iter().take(MOST_FRAMES).map(|file| {
                let Picture { height, width, planes, .. } = Picture::load(file, 1 << 24)?;
                Ok(picture::from_planes(height, width, &planes))
            });
            pictures.collect::<Result<Vec<_>, String>>()?
        } else {
            let file = File::open(path).map_err(|error| fail(&error))?;
            let decoder = GifDecoder::new(BufReader::new(file));
            let decoder = decoder.map_err(|_| fail(&"neither a folder of pictures nor an animated GIF"))?;
            let frames = decoder.into_frames().take(MOST_FRAMES);
            let pictures = frames.map(|frame| frame.map(|frame| DynamicImage::from(frame.into_buffer()).into_rgb8()));
            pictures.collect::<Result<Vec<_>, _>>().map_err(|error| fail(&error))?
        };
        let Some(first) = pictures.first() else { return Err(fail(&"no picture")) };
        if let Some(other) = pictures.iter().position(|picture| picture.dimensions() != first.dimensions()) {
            return Err(fail(&format!("picture {} is of another size than the first", other + 1)));
        }
        Ok(Self::of(&pictures))
    }

    /// A ball that rolls over a meadow, and one that goes on and off.
    pub(crate) fn scene() -> Self {
        let picture = |t: u32| {
            let angle = TAU * t as f32 / SCENE as f32;
            let ball = [160.0 + 105.0 * angle.cos(), 120.0 + 70.0 * angle.sin()];
            RgbImage::from_fn(320, 240, |x, y| {
                let (x, y) = (x as f32, y as f32);
                let within = |[cx, cy]: [f32; 2], radius: f32| (x - cx).hypot(y - cy) < radius;
                // Grass: waves of several directions, which stay where they are.
                let waves = (x * 0.31 + y * 0.17).sin() + (x * 0.13 - y * 0.29).sin() + (x * 0.07 + y * 0.41).sin();
                let shade = 1.0 + 0.08 * waves;
                let [red, green, blue] = match () {
                    () if within(ball, 14.0) => [235.0, 70.0, 40.0],
                    () if within([160.0, 120.0], 12.0) && t / 6 % 2 == 1 => [240.0, 230.0, 90.0],
                    () => [70.0 * shade, 120.0 * shade, 60.0 * shade],
                };
                image::Rgb([red as u8, green as u8, blue as u8])
            })
        };
        Self::of(&(0..SCENE).map(picture).collect::<Vec<_>>())
    }

    fn of(pictures: &[RgbImage]) -> Self {
        let (width, height) = pictures[0].dimensions();
        let longer = width.max(height).max(LONGER_SIDE);
        let side = |length: u32| (u64::from(length) * u64::from(LONGER_SIDE) / u64::from(longer)).max(1) as u32;
        let (width, height) = (side(width), side(height));
        let planes = |picture: &RgbImage| -> Vec<f32> {
            let small = imageops::resize(picture, width, height, imageops::FilterType::Triangle);
            (0..3).flat_map(|channel| small.pixels().map(move |pixel| f32::from(pixel.0[channel]) / 255.0)).collect()
        };
        Self { height, width, frames: pictures.iter().map(planes).collect() }
    }

    /// Writes the animation, and a sheet of six frames.
    pub(crate) fn save(&self, folder: &Path, overlays: &[Vec<u8>]) -> Result<(), String> {
        let fail = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
        let pictures: Vec<_> =
            overlays.iter().map(|bytes| picture::from_rgba(self.height, self.width, bytes)).collect();
        let gap = 8;
        let sheet =
            RgbImage::from_pixel(3 * (self.width + gap) - gap, 2 * (self.height + gap) - gap, image::Rgb([255; 3]));
        let sheet = (0..6).fold(sheet, |mut sheet, panel| {
            let picture = &pictures[panel * pictures.len() / 6];
            let (column, row) = (panel as u32 % 3, panel as u32 / 3);
            let place = [column * (self.width + gap), row * (self.height + gap)].map(i64::from);
            imageops::replace(&mut sheet, picture, place[0], place[1]);
            sheet
        });
        picture::save_all(folder, vec![("attend_video.png", sheet)])?;
        let unfinished = folder.join(".attend_video.gif.unfinished");
        let animation = folder.join("attend_video.gif");
        let write = || -> image::ImageResult<()> {
            let mut encoder = GifEncoder::new_with_speed(BufWriter::new(File::create(&unfinished)?), 10);
            encoder.set_repeat(Repeat::Infinite)?;
            for picture in &pictures {
                let pixels = DynamicImage::from(picture.clone()).into_rgba8();
                encoder.encode_frame(Frame::from_parts(pixels, 0, 0, Delay::from_numer_denom_ms(DELAY, 1)))?;
            }
            drop(encoder);
            Ok(std::fs::rename(&unfinished, &animation)?)
        };
        write().map_err(|error| fail(&error))?;
        println!("written: {}", animation.display());
        Ok(())
    }
}

/// Frames `[c, h, w]` as one tensor `[c, t, h, w]`.
pub(crate) fn joined(frames: &[Vec<f32>], shape: Ncthw) -> Vec<f32> {
    let pixels = shape.size().pixels() as usize;
    let planes = (0..shape.channels as usize).flat_map(|channel| frames.iter().map(move |frame| (channel, frame)));
    planes.flat_map(|(channel, frame)| frame[channel * pixels..][..pixels].iter().copied()).collect()
}

/// The frames of a tensor `[c, t, h, w]`.
pub(crate) fn parted(numbers: &[f32], shape: Ncthw) -> Vec<Vec<f32>> {
    let pixels = shape.size().pixels() as usize;
    let frames = shape.frames as usize;
    let of =
        |t: usize| numbers.chunks_exact(frames * pixels).flat_map(move |plane| plane[t * pixels..][..pixels].to_vec());
    (0..frames).map(|t| of(t).collect()).collect()
}
