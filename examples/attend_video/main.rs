//! Attention over time, one frame at a time: what stands out in a film, from features that look back at the frames before.

#[path = "../filter_bank/mod.rs"]
mod filter_bank;
#[path = "../picture/mod.rs"]
#[expect(dead_code, reason = "the other examples', of which this needs a part")]
mod picture;

mod film;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use visual_attention::host::Gpu;
use visual_attention::{
    AttentionMap, AttentionMapBuffers, Border, ColorMap, Compiler, Element, Error, HeatOverlay, HeatOverlayBuffers,
    HeatOverlayShape, Nchw, Ncthw, Normalization, Normalize, NormalizeBuffers, PointwiseConv, PointwiseConvOptions,
    PositionTables, Recording, Sampling, Size, Statistic, WindowAttention, WindowAttentionBuffers,
    WindowAttentionOptions, WindowAxis, WindowStream, WindowStreamBuffers, WindowStreamOptions, reference,
};

use film::Film;
use filter_bank::FilterBank;

/// Shows what stands out in a film, frame by frame. Every pixel of a frame's features attends to a window of the last frames, with keys and
/// values that stay on the GPU, and a heat map of the result lies over the frame.
///
/// Writes `attend_video.gif`, and `attend_video.png` with six of its frames. Prints the time of a frame, and whether attention over the whole
/// film at once gives the same bits. Without a GPU adapter the CPU references draw it. Exits with 2 where an input can't be used.
#[derive(Parser)]
struct Arguments {
    /// A folder of pictures of one size, in the order of their names, or an animated GIF. Default: a scene that is made here.
    film: Option<PathBuf>,
    /// Frames of a window: the frame itself and those before it.
    #[arg(long, default_value_t = 4)]
    frames: u32,
    /// Keys on each side of the window in a frame.
    #[arg(long, default_value_t = 7)]
    window: u32,
    /// What logits are multiplied by: the larger, the fewer keys share the attention.
    #[arg(long, default_value_t = 12.0)]
    scale: f32,
    /// Where the pictures go.
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("attend_video: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let film = arguments.film.as_deref().map_or_else(|| Ok(Film::scene()), Film::load)?;
    let [_, channels, height, width] = FilterBank::shape(film.height, film.width);
    let features = Nchw::new(1, channels, height, width);
    let around = WindowAxis::new(arguments.window).with_border(Border::Mask);
    let causal = WindowAxis::new(arguments.frames).with_border(Border::Causal);
    let attention = WindowAttentionOptions::volume(1, channels, [causal, around, around]).with_scale(arguments.scale);
    let clip = Ncthw { frames: film.frames.len() as u32, ..Ncthw::from(features) };
    attention.check(clip).map_err(|error| error.to_string())?;
    println!("{} frames of {} x {}, features {features}", film.frames.len(), film.width, film.height);
    let overlays = match Gpu::open_large() {
        Ok(gpu) => {
            println!("adapter: {}", gpu.describe());
            let overlays = on_gpu(&gpu, &film, features, attention).map_err(|error| error.to_string())?;
            costs(&gpu).map_err(|error| error.to_string())?;
            overlays
        }
        Err(error) => {
            println!("{error}: the CPU references do the job");
            on_cpu(&film, features, attention)
        }
    };
    film.save(&arguments.out, &overlays)
}

/// Overlays of all frames, four bytes a pixel.
fn on_gpu(gpu: &Gpu, film: &Film, shape: Nchw, attention: WindowAttentionOptions) -> Result<Vec<Vec<u8>>, Error> {
    let device = &gpu.device;
    let stream = WindowStream::new(device, WindowStreamOptions::new(attention), Element::F32)?;
    let slot_bytes = stream.key_slot_bytes(device, shape)?;
    let bytes = shape.elements().unwrap_or(0) * 4;
    let pictures = Nchw::new(1, 3, film.height, film.width);
    let buffer = |label, bytes| gpu.buffer(label, bytes);
    let (features, y) = (buffer("features", bytes)?, buffer("y", bytes)?);
    let ring = buffer("ring", slot_bytes * u64::from(stream.options().slots))?;
    let map = buffer("map", shape.size().pixels() * 4)?;
    let overlay = buffer("overlay", pictures.size().pixels() * 4)?;
    // Queries, keys and values are the same features.
    let buffers = WindowStreamBuffers {
        q: features.slice(..),
        k: ring.slice(..),
        v: ring.slice(..),
        tables: PositionTables::None,
        y: y.slice(..),
        log_sum_exp: None,
    };
    let attend = stream.bind(device, shape, buffers)?;
    let strongest = AttentionMap::new(device, Statistic::MaxAbs, Element::F32)?;
    let strongest = strongest.bind(device, shape, AttentionMapBuffers { features: y.slice(..), map: map.slice(..) })?;
    let scaled = Normalize::new(device, Normalization::MinMax)?;
    let buffers = NormalizeBuffers { map: map.slice(..), range: None };
    let scaled = scaled.bind(device, shape.plane(), buffers)?;
    let overlays = HeatOverlay::new(device, &ColorMap::Turbo, Sampling::HalfPixel, Element::F32)?;
    let frames: Vec<_> = film.frames.iter().map(|frame| gpu.upload("frame", frame)).collect::<Result<_, _>>()?;
    let drawn: Vec<Recording> = frames
        .iter()
        .map(|frame| {
            let shape = HeatOverlayShape { map: shape.plane(), pictures };
            let buffers =
                HeatOverlayBuffers { map: map.slice(..), pictures: frame.slice(..), overlay: overlay.slice(..) };
            overlays.bind(device, shape, 0.6, buffers)
        })
        .collect::<Result<_, _>>()?;
    let filter_bank = FilterBank::new(device);
    let submit = |t: usize| {
        gpu.submit(|encoder| {
            filter_bank.record(device, encoder, &frames[t], film.height, film.width, &features, None);
            let slot = u64::from(attend.slot(t as u64)) * slot_bytes;
            encoder.copy_buffer_to_buffer(&features, 0, &ring, slot, bytes);
            let mut pass = encoder.begin_compute_pass(&Default::default());
            attend.frame(t as u64).record(&mut pass);
            strongest.record(&mut pass);
            scaled.record(&mut pass);
            drawn[t].record(&mut pass);
        })
    };

    let (mut pictures, mut clip, mut streamed) = (Vec::new(), Vec::new(), Vec::new());
    for t in 0..frames.len() {
        submit(t)?;
        pictures.push(gpu.read::<u8>(overlay.slice(..))?);
        clip.push(gpu.read::<f32>(features.slice(..))?);
        streamed.push(gpu.read::<f32>(y.slice(..))?);
    }
    let start = Instant::now();
    (0..frames.len()).try_for_each(submit)?;
    gpu.wait()?;
    let each = start.elapsed().as_secs_f64() * 1e3 / frames.len() as f64;
    println!("{each:.2} ms a frame, from the picture to its overlay");

    let whole = at_once(gpu, &clip, shape, attention)?;
    let same = whole == streamed;
    println!("attention over the whole film at once gives {} bits", if same { "the same" } else { "OTHER" });
    if !same {
        return Err(Error::Refused { reason: "the stream differs from the whole film".into() });
    }
    Ok(pictures)
}

/// Results of all frames at once, for features of each frame.
fn at_once(
    gpu: &Gpu,
    clip: &[Vec<f32>],
    shape: Nchw,
    attention: WindowAttentionOptions,
) -> Result<Vec<Vec<f32>>, Error> {
    let shape = Ncthw { frames: clip.len() as u32, ..Ncthw::from(shape) };
    let numbers = film::joined(clip, shape);
    let features = gpu.upload("features of all frames", &numbers)?;
    let y = gpu.buffer("y of all frames", numbers.len() as u64 * 4)?;
    let buffers = WindowAttentionBuffers {
        q: features.slice(..),
        k: features.slice(..),
        v: features.slice(..),
        tables: PositionTables::None,
        y: y.slice(..),
        log_sum_exp: None,
    };
    let recording = WindowAttention::new(&gpu.device, attention, Element::F32)?.bind(&gpu.device, shape, buffers)?;
    gpu.run(|pass| recording.record(pass))?;
    Ok(film::parted(&gpu.read(y.slice(..))?, shape))
}

/// The same by the references.
fn on_cpu(film: &Film, shape: Nchw, attention: WindowAttentionOptions) -> Vec<Vec<u8>> {
    let features: Vec<_> = film.frames.iter().map(|frame| FilterBank::on_cpu(frame, film.height, film.width)).collect();
    let clip = Ncthw { frames: features.len() as u32, ..Ncthw::from(shape) };
    let joined = film::joined(&features, clip);
    let y = reference::window_attention(clip, &attention, &joined, &joined, &joined, PositionTables::None).y;
    let pictures = Nchw::new(1, 3, film.height, film.width);
    let overlay = |(y, frame): (Vec<f32>, &Vec<f32>)| -> Vec<u8> {
        let map = reference::attention_map(shape, Statistic::MaxAbs, &y);
        let heat = reference::normalize(shape.plane(), Normalization::MinMax, &map);
        let (plane, colors) = (shape.plane(), ColorMap::Turbo.table());
        let drawn = reference::heat_overlay(plane, pictures, Sampling::HalfPixel, &colors, 0.6, &heat, frame);
        drawn.iter().map(|value| (value * 255.0 + 0.5) as u8).collect()
    };
    film::parted(&y, clip).into_iter().zip(&film.frames).map(overlay).collect()
}

/// What such a layer costs beside a `ConvLSTM` cell (Shi et al. 2015, arXiv:1506.04214), for each pixel of 256 channels.
fn costs(gpu: &Gpu) -> Result<(), Error> {
    let (shape, compiler) = (Nchw::new(1, 256, 64, 64), Compiler::from(&gpu.device).at_first_use());
    let each = |flops: u64| flops as f64 / shape.size().pixels() as f64 / 1e6;
    // Queries, keys and values, then the projection of the result.
    let dense = PointwiseConvOptions::new(256, 256);
    let [three, one] = [3, 1].map(|stack| PointwiseConv::new(compiler, dense.with_stack(stack), Element::F32));
    let projections = three?.cost(shape).flops + one?.cost(shape).flops;
    println!("\nlayer of 256 channels           MFLOP a pixel   state a pixel");
    for (frames, window) in [(4, Size::new(7, 7)), (4, Size::new(3, 3)), (8, Size::new(1, 1))] {
        let options = WindowAttentionOptions::new(4, 64, 1).with_window(window);
        let [_, rows, columns] = options.axes;
        let causal = WindowAxis::new(frames).with_border(Border::Causal);
        let options = WindowAttentionOptions::volume(4, 64, [causal, rows, columns]);
        let stream = WindowStream::new(compiler, WindowStreamOptions::new(options), Element::F32)?;
        let flops = each(stream.cost(shape).flops + projections);
        let state = 2 * u64::from(frames) * 256 * 4;
        println!(
            "attention {frames} x {} x {}             {flops:>10.2}   {state:>7} bytes",
            window.height, window.width
        );
    }
    // Four gates, each a convolution of the input and of the last output.
    let cell = 4 * 2 * 9 * 2 * 256u64 * 256;
    println!("ConvLSTM 3 x 3                  {:>10.2}   {:>7} bytes", cell as f64 / 1e6, 2 * 256 * 4);
    Ok(())
}
