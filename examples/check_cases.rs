//! Runs golden cases on the GPU and on the CPU reference, and prints a line for each.
//!
//! A case is a `.safetensors` file with inputs, attributes and what a public implementation computed from them; the format is
//! described in `tests/golden/FORMAT.md`. Dump one from PyTorch to check your own GPU with it.

#[path = "../tests/cases/mod.rs"]
mod cases;
#[path = "../tests/common/compiler.rs"]
#[expect(dead_code, reason = "the suite's, of which this needs a part")]
mod compiler;
#[path = "../tests/common/describing.rs"]
mod describing;
#[path = "../tests/cases/on_gpu.rs"]
mod on_gpu;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use visual_attention::host::Gpu;

use cases::run::Runner;
use cases::{Case, Errors, Problem};

/// Checks golden cases on this machine's GPU and on the CPU reference.
///
/// Prints for each case: verdict, file, operator, largest error of the GPU, of the reference in f64 and of the reference in f32,
/// and tolerance; then how many gradients were checked, and the same figures of them; then the attributes. The tolerance is 4e-6 of the largest expected value, or of 1, and twice the error
/// of the f32 reference where that is more. Exits with 0 only when every case passes, with 1 when one fails, with 2 when a path can't be read.
#[derive(Parser)]
struct Arguments {
    /// Case files, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Skip cases whose operator, or one of whose attributes, this crate does not have.
    #[arg(long)]
    allow_unsupported: bool,
    /// Let the references alone decide where there is no GPU adapter.
    #[arg(long)]
    allow_no_gpu: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let files = match find(&arguments.paths) {
        Ok(files) => files,
        Err(message) => {
            eprintln!("check_cases: {message}");
            return ExitCode::from(2);
        }
    };
    let gpu = match Gpu::open() {
        Ok(gpu) => {
            println!("adapter: {}", gpu.describe());
            Some(gpu)
        }
        Err(error) if arguments.allow_no_gpu => {
            println!("{error}: the references alone are checked");
            None
        }
        Err(error) => {
            eprintln!("check_cases: {error}; with --allow-no-gpu the references alone are checked");
            return ExitCode::from(2);
        }
    };
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut gradients = (0, 0);
    for file in files {
        match check(gpu.as_ref(), &file, arguments.allow_unsupported, &mut gradients) {
            Verdict::Passed => passed += 1,
            Verdict::Failed => failed += 1,
            Verdict::Skipped => skipped += 1,
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped; {}", counted(gradients));
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

enum Verdict {
    Passed,
    Failed,
    Skipped,
}

fn check(gpu: Option<&Gpu>, file: &Path, allow_unsupported: bool, gradients: &mut (usize, usize)) -> Verdict {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let report = Case::load(file).and_then(|case| {
        let report = case.check(gpu.map(|gpu| gpu as &dyn Runner))?;
        Ok((case, report))
    });
    let (case, report) = match report {
        Ok(checked) => checked,
        Err(problem @ Problem::Unsupported(_)) if allow_unsupported => {
            println!("{}", one_line(format!("skip {name}: {problem}")));
            return Verdict::Skipped;
        }
        Err(problem) => {
            println!("{}", one_line(format!("FAIL {name}: {problem}")));
            return Verdict::Failed;
        }
    };
    let verdict = if report.failures.is_empty() { "ok  " } else { "FAIL" };
    *gradients = (gradients.0 + report.checked, gradients.1 + report.unchecked);
    let of_gradients = match (report.checked, report.unchecked) {
        (0, 0) => String::new(),
        (0, _) => counted((0, report.unchecked)),
        (checked, unchecked) => format!("{} {}", counted((checked, unchecked)), figures(&report.gradients)),
    };
    let line = format!("{verdict} {name}: {} {} {of_gradients} {}", case.op, figures(&report.outputs), case.attrs);
    println!("{}", one_line(line));
    for failure in &report.failures {
        println!("       {failure}");
    }
    if report.failures.is_empty() { Verdict::Passed } else { Verdict::Failed }
}

/// How many gradients were checked, and how many were not.
fn counted((checked, unchecked): (usize, usize)) -> String {
    let unchecked = if unchecked > 0 { format!(", {unchecked} unchecked") } else { String::new() };
    format!("gradients {checked} checked{unchecked}")
}

fn figures(errors: &Errors) -> String {
    let Errors { gpu, reference, baseline, gate } = errors;
    let on_gpu = gpu.map_or("not run".into(), |error| format!("{error:.2e}"));
    format!("gpu {on_gpu} reference {reference:.2e}, in f32 {baseline:.2e}, tolerance {gate:.1e}")
}

/// Whatever a file or a driver says, it can't look like another case's verdict.
fn one_line(text: String) -> String {
    text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The files that the paths name, those of a folder in order.
fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            // A file that can't be read is said here, rather than as a failed case.
            std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut found: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
            .collect();
        if found.is_empty() {
            return Err(format!("{}: no .safetensors file in this folder", path.display()));
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}
