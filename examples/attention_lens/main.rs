//! Which neighbours a pixel attends to: windowed attention over a photograph's features, looked at through one query.

#[path = "../filter_bank/mod.rs"]
mod filter_bank;
#[path = "../picture/mod.rs"]
mod picture;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use image::{RgbImage, imageops};
use visual_attention::host::Gpu;
use visual_attention::{
    Border, ColorMap, Element, Error, Nchw, Nhw, PositionTables, QueryPosition, Sampling, Size, WindowAttention,
    WindowAttentionOptions, WindowWeightsBuffers, reference, wgpu,
};

use filter_bank::FilterBank;
use picture::Picture;

/// Longer side of a panel of the picture that is written, in pixels.
const PANEL: u32 = 480;

/// Shows which neighbours one pixel of a photograph attends to, for each head: queries and keys are the picture's own features
/// (centre-surround differences, colour opponents, orientations), so a pixel attends to what looks like it.
///
/// Writes `attention_lens.png`: the photograph once for each head, the window's weights as heat over it, the query as a white cross.
/// Without a GPU adapter the CPU reference draws it. Exits with 2 where an input can't be used.
#[derive(Parser)]
struct Arguments {
    /// A JPEG, PNG, WebP, TIFF or BMP picture. Default: the bundled photograph of a retina.
    picture: Option<PathBuf>,
    /// The query pixel, column and row in the picture. Default: the middle of the attended region that `salient_region` finds in
    /// the bundled photograph, else the picture's.
    #[arg(long, value_name = "X,Y", value_parser = coordinates)]
    at: Option<[u32; 2]>,
    /// Keys on each side of the window, in feature pixels: odd, 1 to 63.
    #[arg(long, default_value_t = 31)]
    window: u32,
    /// Heads: 1, 2, 7 or 14, each having an equal share of the 14 feature channels.
    #[arg(long, default_value_t = 2)]
    heads: u32,
    /// What logits are multiplied by: the larger, the fewer neighbours share the attention.
    #[arg(long, default_value_t = 12.0)]
    scale: f32,
    /// Where the picture goes.
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

fn coordinates(text: &str) -> Result<[u32; 2], String> {
    let parse = |number: &str| number.trim().parse::<u32>().map_err(|error| error.to_string());
    let (x, y) = text.split_once(',').ok_or("needs a column and a row, as in 220,650")?;
    Ok([parse(x)?, parse(y)?])
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("attention_lens: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pictures/retina.jpg");
    let path = arguments.picture.as_ref().unwrap_or(&bundled);
    let picture = Picture::load(path, picture::most_pixels(&wgpu::Limits::default()))?;
    let [rows, columns] = picture.original;
    let [x, y] = arguments.at.unwrap_or(match &arguments.picture {
        None => [235, 653],
        Some(_) => [columns / 2, rows / 2],
    });
    if x >= columns || y >= rows {
        return Err(format!("--at is {x},{y}, needs a pixel of the picture: below {columns},{rows}"));
    }
    let scaled = |at: u32, size: u32, of: u32| (u64::from(at) * u64::from(size) / u64::from(of)) as u32;
    let (x, y) = (scaled(x, picture.width, columns), scaled(y, picture.height, rows));
    if picture.reduced_from().is_some() {
        println!("{} x {} pixels, reduced to {} x {}", columns, rows, picture.width, picture.height);
    }
    let [_, channels, height, width] = FilterBank::shape(picture.height, picture.width);
    if !channels.is_multiple_of(arguments.heads.max(1)) || arguments.heads == 0 {
        return Err(format!("--heads is {}, needs a divisor of {channels}", arguments.heads));
    }
    let shape = Nchw::new(1, channels, height, width);
    let options = WindowAttentionOptions::new(arguments.heads, channels / arguments.heads, arguments.window)
        .with_border(Border::Mask)
        .with_relative(visual_attention::RelativePosition::None)
        .with_scale(arguments.scale);
    options.check(shape).map_err(|error| error.to_string())?;
    if arguments.window > 63 {
        return Err(format!("--window is {}, needs 1 to 63", arguments.window));
    }
    // The feature pixel that the picture's pixel falls into.
    let query = QueryPosition {
        image: 0,
        frame: 0,
        row: scaled(y, height, picture.height),
        column: scaled(x, width, picture.width),
    };

    let weights = match Gpu::open_large() {
        Ok(gpu) => {
            println!("adapter: {}", gpu.describe());
            let (weights, features) =
                on_gpu(&gpu, &picture, shape, options, query).map_err(|error| error.to_string())?;
            let expected = on_cpu(&features, shape, options, query);
            let difference = weights.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("largest difference from the CPU reference: {difference:.1e}");
            weights
        }
        Err(error) => {
            println!("{error}: the CPU reference does the job");
            let features = FilterBank::on_cpu(&picture.planes, picture.height, picture.width);
            on_cpu(&features, shape, options, query)
        }
    };
    let k = arguments.window as usize;
    for (head, weights) in weights.chunks_exact(k * k).enumerate() {
        let strongest = (0..k * k).max_by(|&a, &b| weights[a].total_cmp(&weights[b])).unwrap_or(0);
        let entropy: f32 = weights.iter().filter(|&&weight| weight > 0.0).map(|weight| -weight * weight.ln()).sum();
        println!(
            "head {}: attends to about {:.0} of {} keys, most to the one {:+} columns, {:+} rows away",
            head + 1,
            entropy.exp(),
            k * k,
            (strongest % k) as i64 - (k / 2) as i64,
            (strongest / k) as i64 - (k / 2) as i64,
        );
    }
    picture::save_all(&arguments.out, vec![("attention_lens.png", draw(&picture, shape, query, k, &weights, [x, y]))])?;
    println!("written: {}", arguments.out.join("attention_lens.png").display());
    Ok(())
}

/// The weights `[heads, k*k]` of the query, and the features that they come from.
fn on_gpu(
    gpu: &Gpu,
    picture: &Picture,
    shape: Nchw,
    options: WindowAttentionOptions,
    query: QueryPosition,
) -> Result<(Vec<f32>, Vec<f32>), Error> {
    let photograph = gpu.upload("picture", &picture.planes)?;
    let features = gpu.buffer("features", shape.elements().unwrap_or(0) * 4)?;
    let keys = u64::from(options.heads) * options.keys();
    let weights = gpu.buffer("weights", keys * 4)?;
    // Queries and keys are the same features.
    let buffers = WindowWeightsBuffers {
        q: features.slice(..),
        k: features.slice(..),
        tables: PositionTables::None,
        weights: weights.slice(..),
    };
    let operator = WindowAttention::new(&gpu.device, options, Element::F32)?;
    let recording = operator.bind_weights(&gpu.device, shape, &[query], buffers)?;
    let filter_bank = FilterBank::new(&gpu.device);
    gpu.submit(|encoder| {
        filter_bank.record(&gpu.device, encoder, &photograph, picture.height, picture.width, &features, None);
        recording.record(&mut encoder.begin_compute_pass(&Default::default()));
    })?;
    Ok((gpu.read(weights.slice(..))?, gpu.read(features.slice(..))?))
}

/// The same by the reference, on the part of the features that the window covers: it computes every query of what it is given.
fn on_cpu(features: &[f32], shape: Nchw, options: WindowAttentionOptions, query: QueryPosition) -> Vec<f32> {
    let reach = options.axes[1].keys / 2;
    let span = |at: u32, size: u32| at.saturating_sub(reach)..(at + reach + 1).min(size);
    let (rows, columns) = (span(query.row, shape.height), span(query.column, shape.width));
    let part = Nchw { height: rows.end - rows.start, width: columns.end - columns.start, ..shape };
    let mut values = Vec::new();
    for plane in features.chunks_exact(shape.size().pixels() as usize) {
        for row in rows.clone() {
            let first = (row * shape.width) as usize;
            values.extend_from_slice(&plane[first + columns.start as usize..first + columns.end as usize]);
        }
    }
    let all = reference::window_attention(part, &options, &values, &values, &values, PositionTables::None).weights;
    let keys = options.keys() as usize;
    let pixels = part.size().pixels() as usize;
    let index = ((query.row - rows.start) * part.width + query.column - columns.start) as usize;
    (0..options.heads as usize)
        .flat_map(|head| all[(head * pixels + index) * keys..(head * pixels + index + 1) * keys].iter().copied())
        .collect()
}

/// A panel for each head.
fn draw(picture: &Picture, shape: Nchw, query: QueryPosition, k: usize, weights: &[f32], at: [u32; 2]) -> RgbImage {
    let photograph = picture::from_planes(picture.height, picture.width, &picture.planes);
    let longer = picture.height.max(picture.width);
    let side = |length: u32| (u64::from(length) * u64::from(PANEL) / u64::from(longer)).max(1) as u32;
    let (height, width) = (side(picture.height), side(picture.width));
    let small = imageops::resize(&photograph, width, height, imageops::FilterType::Triangle);
    let planes: Vec<f32> =
        (0..3).flat_map(|channel| small.pixels().map(move |pixel| f32::from(pixel.0[channel]) / 255.0)).collect();

    let heads = weights.len() / (k * k);
    let gap = 8;
    // Rows of four.
    let (across, down) = (heads.min(4) as u32, heads.div_ceil(4) as u32);
    let mut sheet =
        RgbImage::from_pixel(across * (width + gap) - gap, down * (height + gap) - gap, image::Rgb([255; 3]));
    for (head, weights) in weights.chunks_exact(k * k).enumerate() {
        // The window's weights at their pixels, the strongest as 1.
        let strongest = weights.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let mut map = vec![0.0f32; shape.size().pixels() as usize];
        for (entry, weight) in weights.iter().enumerate() {
            let row = i64::from(query.row) + (entry / k) as i64 - (k / 2) as i64;
            let column = i64::from(query.column) + (entry % k) as i64 - (k / 2) as i64;
            if (0..i64::from(shape.height)).contains(&row) && (0..i64::from(shape.width)).contains(&column) {
                map[(row * i64::from(shape.width) + column) as usize] = weight / strongest;
            }
        }
        let panel = Nchw::new(1, 3, height, width);
        let overlay = reference::heat_overlay(
            Nhw::new(1, shape.height, shape.width),
            panel,
            Sampling::HalfPixel,
            &ColorMap::Turbo.table(),
            0.6,
            &map,
            &planes,
        );
        let bytes: Vec<u8> = overlay.iter().map(|value| (value * 255.0 + 0.5) as u8).collect();
        let mut drawn = picture::from_rgba(height, width, &bytes);
        cross(&mut drawn, [at[0], at[1]].map(|at| side(at + 1) - 1), Size::new(height, width));
        let (column, row) = (head as u32 % 4, head as u32 / 4);
        imageops::replace(&mut sheet, &drawn, i64::from(column * (width + gap)), i64::from(row * (height + gap)));
    }
    sheet
}

/// A white cross with a gap at its middle.
fn cross(panel: &mut RgbImage, [x, y]: [u32; 2], size: Size) {
    for offset in (-9i64..=9).filter(|offset| offset.abs() > 3) {
        for (dx, dy) in [(offset, 0), (0, offset)] {
            let (x, y) = (i64::from(x) + dx, i64::from(y) + dy);
            if (0..i64::from(size.width)).contains(&x) && (0..i64::from(size.height)).contains(&y) {
                panel.put_pixel(x as u32, y as u32, image::Rgb([255; 3]));
            }
        }
    }
}
