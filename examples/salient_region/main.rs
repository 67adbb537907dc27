//! The attended region of a photograph, from features to the cropped picture, in one submission.

#[path = "../filter_bank/mod.rs"]
mod filter_bank;
mod job;
#[path = "../picture/mod.rs"]
mod picture;
mod regions;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use visual_attention::host::Gpu;
use visual_attention::{AttendedRegionOptions, ColorMap, Connectivity, Statistic, ThresholdRule, wgpu};

use filter_bank::FilterBank;
use job::{Features, Job};
use picture::Picture;

/// Finds what stands out in a photograph, as AG-CNN does (Guan et al. 2018, arXiv:1801.09927): an attention map of feature
/// channels, thresholded, its largest connected region, and the picture cropped to it.
///
/// Writes overlay.png (the map as heat over the picture), mask.png (white: the mask; yellow: its largest component; red: the box)
/// and crop.png (the box, stretched to the picture's size as a network would be fed it). Of several regions the boxes have numbers,
/// the crops after the first are `crop_2.png`, `crop_3.png` and so on, and regions.csv has box and pixels of each.
///
/// Without a GPU adapter the CPU references do the same. Exits with 2 where an input can't be used.
#[derive(Parser)]
struct Arguments {
    /// JPEG, PNG, WebP, TIFF or BMP pictures. Default: the bundled photograph of a retina. A picture that is too large for the device's
    /// bindings is reduced.
    pictures: Vec<PathBuf>,
    /// Feature maps of a network instead of the built-in filter bank: a safetensors file with a tensor `features` (or only one
    /// tensor), f32 or f16, [n, c, h, w] or [c, h, w], one image for each picture.
    #[arg(long, value_name = "FILE.safetensors")]
    features: Option<PathBuf>,
    /// The mask holds what exceeds this share of the map's range.
    #[arg(long, default_value_t = 0.7)]
    threshold: f32,
    /// Use Otsu's threshold of each map instead.
    #[arg(long, conflicts_with = "threshold")]
    otsu: bool,
    /// What the map takes over the channels of a pixel.
    #[arg(long, value_enum, default_value = "max-abs")]
    statistic: StatisticName,
    /// Whether pixels touch across edges (4) or across corners too (8).
    #[arg(long, default_value = "8", value_parser = ["4", "8"])]
    connectivity: String,
    /// How many of the mask's connected regions are taken, the largest first.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=99))]
    regions: u32,
    /// Colours of the overlay.
    #[arg(long, value_enum, default_value = "turbo")]
    colors: Colors,
    /// How much of the overlay is heat, 0 to 1.
    #[arg(long, default_value_t = 0.5)]
    opacity: f32,
    /// Where the pictures go; with several inputs, into a folder for each.
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum StatisticName {
    MaxAbs,
    MeanAbs,
    Rms,
    L2,
    Max,
    Mean,
}

#[derive(Clone, Copy, ValueEnum)]
enum Colors {
    Turbo,
    Viridis,
    Grey,
}

impl Arguments {
    fn options(&self) -> AttendedRegionOptions {
        let statistic = match self.statistic {
            StatisticName::MaxAbs => Statistic::MaxAbs,
            StatisticName::MeanAbs => Statistic::MeanAbs,
            StatisticName::Rms => Statistic::Rms,
            StatisticName::L2 => Statistic::L2,
            StatisticName::Max => Statistic::Max,
            StatisticName::Mean => Statistic::Mean,
        };
        let threshold = if self.otsu { ThresholdRule::Otsu } else { ThresholdRule::Value(self.threshold) };
        let connectivity = if self.connectivity == "4" { Connectivity::Four } else { Connectivity::Eight };
        AttendedRegionOptions::default()
            .with_statistic(statistic)
            .with_threshold(threshold)
            .with_connectivity(connectivity)
            .with_regions(self.regions)
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("salient_region: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let bundled = [Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pictures/retina.jpg")];
    let paths = if arguments.pictures.is_empty() { &bundled[..] } else { &arguments.pictures };
    if !(0.0..=1.0).contains(&arguments.opacity) {
        return Err(format!("--opacity is {}, needs 0 to 1", arguments.opacity));
    }
    if !arguments.threshold.is_finite() {
        return Err(format!("--threshold is {}, needs a finite number", arguments.threshold));
    }
    let (gpu, adapter) = match Gpu::open_large() {
        Ok(gpu) => {
            let adapter = format!("adapter: {}", gpu.describe());
            (Some(gpu), adapter)
        }
        Err(error) => (None, format!("{error}: the CPU references do the job")),
    };
    // Everything is read before anything is computed or written.
    let limits = gpu.as_ref().map_or_else(wgpu::Limits::default, |gpu| gpu.device.limits());
    let most_pixels = picture::most_pixels(&limits);
    let pictures = paths.iter().map(|path| Picture::load(path, most_pixels)).collect::<Result<Vec<_>, _>>()?;
    let features = match &arguments.features {
        Some(path) => Features::load(path, pictures.len())?.into_iter().map(Some).collect(),
        None => vec![None; pictures.len()],
    };
    println!("{adapter}");
    let colors = match arguments.colors {
        Colors::Turbo => ColorMap::Turbo,
        Colors::Viridis => ColorMap::Viridis,
        Colors::Grey => ColorMap::Grey,
    };
    let job = Job { gpu: gpu.as_ref(), options: arguments.options(), colors, opacity: arguments.opacity };
    let progress = (pictures.len() > 1).then(|| {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} {eta}");
        let bar = ProgressBar::new(pictures.len() as u64);
        style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
    });
    for (index, ((path, picture), features)) in paths.iter().zip(&pictures).zip(features).enumerate() {
        let say = |line: String| match &progress {
            Some(bar) => bar.suspend(|| println!("{line}")),
            None => println!("{line}"),
        };
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if let Some(bar) = &progress {
            bar.set_message(name.to_string());
        }
        // Two pictures may have one name.
        let folder = if pictures.len() == 1 {
            arguments.out.clone()
        } else {
            arguments.out.join(format!("{}_{name}", index + 1))
        };
        let result = job.run(picture, features).map_err(|message| format!("{}: {message}", path.display()))?;
        let [rows, columns] = picture.original;
        say(format!("{}: {columns} x {rows} pixels", path.display()));
        if picture.reduced_from().is_some() {
            let limit = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size) >> 20;
            let reason = format!("a binding holds {limit} MiB at most");
            say(format!("reduced to {} x {} pixels, box and pictures too: {reason}", picture.width, picture.height));
        }
        for (index, region) in result.regions.iter().enumerate() {
            let [xmin, ymin, xmax, ymax] = region.sides;
            let number = if arguments.regions > 1 { format!(" {}", index + 1) } else { String::new() };
            say(format!("box{number}: columns {xmin} to {xmax}, rows {ymin} to {ymax}"));
        }
        result.report.into_iter().for_each(say);
        let names: Vec<_> = result.pictures.iter().map(|(name, _)| name.trim_end_matches(".png")).collect();
        let written = format!("written: {}", folder.join(format!("{{{}}}.png", names.join(","))).display());
        picture::save_all(&folder, result.pictures.iter().map(|(name, picture)| (&**name, picture.clone())).collect())?;
        say(written);
        if arguments.regions > 1 {
            let table = folder.join("regions.csv");
            std::fs::write(&table, regions::table(&result.regions))
                .map_err(|error| format!("{}: {error}", table.display()))?;
            say(format!("written: {}", table.display()));
        }
        if let Some(bar) = &progress {
            bar.inc(1);
        }
    }
    if let Some(bar) = progress {
        bar.finish_and_clear();
    }
    Ok(())
}
