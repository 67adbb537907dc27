//! The process in which a driver's function fails: a program that opens a device, builds an operator, binds, runs and reads back,
//! does so again on the same device after an error, and once more on a new device if that one is lost.
//!
//! It writes what happens to standard error, between the lines of the layer, whose order there is part of what they say.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use visual_attention::host::{Gpu, Timestamps};
use visual_attention::{Element, Error, Nchw, wgpu};

use crate::common::catalogue::{Bind, Contents, Entry, Kind, catalogue};
use crate::common::fixture::{decoded, stored};
use crate::common::{EXP_ROOM, Precision, check_exact, check_tolerance_with_room};

const SHAPE: Nchw = Nchw::new(2, 4, 5, 6);

fn phase(name: &str) {
    eprintln!("phase: {name}");
}

pub(crate) fn main(operator: &str) {
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload().downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| info.payload().downcast_ref::<&str>().copied()).unwrap_or_default();
        let message = text.lines().collect::<Vec<_>>().join(" ");
        eprintln!("panic: {}: {message}", place(info.location().map_or("", |location| location.file())));
    }));
    let entry = catalogue(Element::F32, SHAPE, 1).into_iter().find(|entry| entry.name == operator).unwrap();
    let mut gpu = None;
    let mut failed = !report("first", || {
        phase("open");
        let opened = gpu.insert(Gpu::open()?);
        opened.timeout = Duration::from_secs(2);
        eprintln!("adapter: {}", opened.describe());
        work(opened, &entry)
    });
    if let Some(gpu) = &gpu
        && failed
    {
        failed = !report("again", || work(gpu, &entry));
    }
    phase("drop");
    report("drop", || {
        drop(gpu);
        Ok(0)
    });
    if failed {
        report("anew", || work(&Gpu::open()?, &entry));
    }
    eprintln!("end");
}

/// A crate without its version and a file in it, wherever that lies.
fn place(file: &str) -> String {
    let Some((folder, file)) = file.rsplit_once("/src/") else { return file.to_owned() };
    let name = folder.rsplit('/').next().unwrap_or_default();
    let name = name.rsplit_once('-').filter(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()));
    format!("{} src/{file}", name.map_or("here", |(name, _)| name))
}

/// Writes a hash of the result's bits, or the error's variant and message.
fn report(attempt: &str, action: impl FnOnce() -> Result<u64, Error>) -> bool {
    let outcome = match catch_unwind(AssertUnwindSafe(action)) {
        Ok(Ok(hash)) => format!("Ok {hash:x}"),
        Ok(Err(error)) => {
            let variant = format!("{error:?}");
            let variant = variant.split([' ', '{']).next().unwrap_or_default();
            format!("{variant} {}", error.to_string().lines().collect::<Vec<_>>().join(" "))
        }
        Err(_) => "panicked".to_owned(),
    };
    eprintln!("{attempt}: {outcome}");
    outcome.starts_with("Ok")
}

/// The operator from its inputs to its results, which must be right.
fn work(gpu: &Gpu, entry: &Entry) -> Result<u64, Error> {
    phase("upload");
    let inputs: Vec<_> =
        entry.inputs.iter().map(|input| gpu.upload(input.name, &stored(&input.contents))).collect::<Result<_, _>>()?;
    let outputs: Vec<_> =
        entry.outputs.iter().map(|&(name, len, _)| gpu.buffer(name, len as u64 * 4)).collect::<Result<_, _>>()?;
    // The operators' tensors fit the first memory that wgpu takes; this one needs memory of its own.
    drop(gpu.buffer("large", 64 << 20)?);
    drop(Timestamps::new(gpu, 1)?);
    phase("new");
    let bind = gpu.build(|device| (entry.open)(device))?;
    // Twice, since later rounds make other calls than the first.
    let results = bind_and_run(gpu, &bind, &inputs, &outputs)?;
    assert!(bind_and_run(gpu, &bind, &inputs, &outputs)? == results, "the second round gives other results");
    phase("upload");
    drop(gpu.upload("late", &[0u32])?);
    check(entry, &results);
    let mut hasher = DefaultHasher::new();
    results.hash(&mut hasher);
    Ok(hasher.finish())
}

fn bind_and_run(
    gpu: &Gpu,
    bind: &Bind,
    inputs: &[wgpu::Buffer],
    outputs: &[wgpu::Buffer],
) -> Result<Vec<Vec<u8>>, Error> {
    phase("bind");
    let recording = gpu.build(|device| {
        let inputs: Vec<_> = inputs.iter().map(|input| input.slice(..)).collect();
        let outputs: Vec<_> = outputs.iter().map(|output| output.slice(..)).collect();
        bind(device, &inputs, &outputs)
    })?;
    phase("submit");
    gpu.run(|pass| recording.record(pass))?;
    phase("wait");
    gpu.wait()?;
    phase("read");
    outputs.iter().map(|output| gpu.read(output.slice(..))).collect()
}

/// Panics unless the results are those of the reference.
fn check(entry: &Entry, results: &[Vec<u8>]) {
    let numbers = |contents: &Contents| match contents {
        Contents::Floats(_, numbers) => numbers.clone(),
        Contents::Words(_) => unreachable!("no input of these operators"),
    };
    let inputs: Vec<_> = entry.inputs.iter().map(|input| numbers(&input.contents)).collect();
    let wide: Vec<Vec<f64>> = inputs.iter().map(|input| input.iter().copied().map(f64::from).collect()).collect();
    let (baseline, exact) = ((entry.baseline)(&inputs), (entry.exact)(&wide));
    for (index, &(name, _, kind)) in entry.outputs.iter().enumerate() {
        let actual = decoded(&results[index], kind);
        let checked = match kind {
            Kind::Near(_) => {
                let actual: Vec<_> = actual.iter().map(|&value| value as f32).collect();
                check_tolerance_with_room(&actual, &exact[index], &baseline[index], Precision::F32, EXP_ROOM)
            }
            _ => check_exact(&actual, &exact[index]),
        };
        if let Err(message) = checked {
            panic!("{name}: {message}");
        }
    }
}
