//! What Mesa's AMD compiler makes of every shader: registers, spills, workgroup memory, occupancy. It needs the driver of the
//! package mesa-vulkan-drivers and no AMD card.

mod driver;
#[path = "../translate/mod.rs"]
mod translate;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use clap::Parser;
use visual_attention::shaders;

use driver::{Driver, FIGURES};
use translate::label;

const FAMILIES: [&str; 3] = ["gfx1100", "navi21", "vega10"];
const KEYS: [&str; 4] = ["family", "kernel", "variant", "constants"];
/// Figures that should be zero.
const SPILLS: [&str; 3] = ["spilled_sgprs", "spilled_vgprs", "scratch"];
/// Where distributions keep the manifests of Vulkan drivers, see the loader's documentation.
const MANIFESTS: [&str; 4] =
    ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/etc/vulkan/icd.d"];

/// Compiles every pipeline that operators use with Mesa's AMD compiler, for GPUs that need not be there, and prints registers and
/// spills, workgroup memory (lds) and the scratch memory of a wave in bytes, waves that fit a SIMD, bytes and number of
/// instructions, and the compiler's estimate of latency in cycles.
///
/// Exits with 1 where `--check` finds a new spill, with 2 where there is no such driver.
#[derive(Parser)]
struct Arguments {
    /// GPUs, by the names that Mesa takes. Default: gfx1100 (RDNA 3), navi21 (RDNA 2) and vega10 (GCN 5), as far as the driver
    /// knows them.
    #[arg(long, value_delimiter = ',')]
    family: Vec<String>,
    /// Only kernels whose names hold this.
    #[arg(conflicts_with_all = ["check", "write"])]
    kernel: Option<String>,
    /// Fails where a pipeline spills or needs scratch memory, and this file does not say so. Figures of another version of the
    /// driver are not compared.
    #[arg(long, value_name = "TSV")]
    check: Option<PathBuf>,
    /// Compiles one of this many pipelines, spread over all of them.
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "write")]
    every: std::num::NonZeroUsize,
    /// Writes the figures to this file.
    #[arg(long, value_name = "TSV", conflicts_with = "check")]
    write: Option<PathBuf>,
    /// Exits with 0 where there is no such driver.
    #[arg(long)]
    if_present: bool,
    /// The driver's manifest, a JSON file. Default: looked for where distributions keep it.
    #[arg(long, value_name = "JSON")]
    icd: Option<PathBuf>,
    /// Compiles for the GPU that the environment names, and prints the driver's version and the rows.
    #[arg(long, hide = true)]
    child: Option<String>,
}

/// By the values of [`KEYS`].
type Report = BTreeMap<[String; KEYS.len()], [u64; FIGURES.len()]>;

enum Failure {
    /// There is no such driver.
    Absent(String),
    Other(String),
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Other(text)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.child {
        Some(family) => child(family, &arguments).map(|()| true).map_err(Failure::Other),
        None => run(&arguments),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(Failure::Absent(text)) if arguments.if_present => {
            println!("{text}: nothing done");
            ExitCode::SUCCESS
        }
        Err(Failure::Absent(text) | Failure::Other(text)) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
    }
}

/// `false` where the check fails.
fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let recorded = arguments.check.as_deref().map(read).transpose()?;
    let manifest = arguments.icd.clone().or_else(manifest).ok_or_else(|| {
        let place = MANIFESTS.join(", ");
        Failure::Absent(format!("no radeon_icd.*.json in {place}: install Mesa's Vulkan drivers (mesa-vulkan-drivers)"))
    })?;
    let chosen = arguments.family.iter().map(String::as_str);
    let families: Vec<_> = if arguments.family.is_empty() { FAMILIES.to_vec() } else { chosen.collect() };
    // The driver reads the family once in a process.
    let mut children = Vec::new();
    for family in families {
        let mut child = spawn(family, &manifest, arguments)?;
        let lines = BufReader::new(child.0.stdout.take().ok_or("a child without output".to_owned())?).lines();
        children.push((family, child, lines));
    }
    let mut report = Report::new();
    let mut version = None;
    for (family, mut child, mut lines) in children {
        let Some(first) = lines.next() else {
            let text = format!("the driver of {} does not offer {family}", manifest.display());
            if !arguments.family.is_empty() {
                return Err(Failure::Other(text));
            }
            eprintln!("{text}");
            continue;
        };
        let driver = first.map_err(|error| error.to_string())?;
        if let Some((other, _)) = recorded.as_ref().filter(|(other, _)| *other != driver) {
            println!("the figures are those of {other}, this is {driver}: not compared");
            // Before its output is closed, of which it would complain.
            drop(child);
            return Ok(true);
        }
        version = Some(driver);
        for line in lines {
            let (key, figures) = parse(&line.map_err(|error| error.to_string())?)?;
            report.insert(key, figures);
        }
        let status = child.0.wait().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(Failure::Other(format!("{family}: {status}")));
        }
    }
    let version = version.ok_or_else(|| Failure::Absent(format!("{} offers no GPU", manifest.display())))?;

    if let Some((_, recorded)) = recorded {
        return Ok(check(&report, &recorded));
    }
    if let Some(path) = &arguments.write {
        let lines: String = report.iter().map(|(key, figures)| row(key, figures) + "\n").collect();
        let header = [&KEYS[..], &FIGURES.map(|(column, _)| column)].concat().join("\t");
        std::fs::write(path, format!("# {version}\n{header}\n{lines}"))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    } else {
        print(&version, &report);
    }
    println!("{}", summary(&report));
    Ok(true)
}

/// A process that ends with its owner, who may have seen enough of it.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // Both fail only where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(family: &str, manifest: &Path, arguments: &Arguments) -> Result<Reaped, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(this);
    command.arg("--child").arg(family).args(["--every", &arguments.every.to_string()]).args(&arguments.kernel);
    command.env("RADV_FORCE_FAMILY", family);
    // Two names of one thing: before and since version 1.3.207 of the loader.
    command.env("VK_ICD_FILENAMES", manifest).env("VK_DRIVER_FILES", manifest);
    // What changes the code, or finds it in a cache.
    for name in ["RADV_DEBUG", "RADV_PERFTEST", "ACO_DEBUG", "NIR_DEBUG"] {
        command.env_remove(name);
    }
    command.env("MESA_SHADER_CACHE_DISABLE", "true");
    command.stdout(Stdio::piped()).spawn().map(Reaped).map_err(|error| error.to_string())
}

/// Compiles for one family.
fn child(family: &str, arguments: &Arguments) -> Result<(), String> {
    let driver = Driver::open().map_err(|error| format!("{family}: {error}"))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", driver.version).map_err(|error| error.to_string())?;
    let named = |name: &str| arguments.kernel.as_deref().is_none_or(|part| name.contains(part));
    let mut pipelines = 0;
    for shader in shaders::ALL.iter().filter(|shader| named(shader.name)) {
        for &variant in shader.variants {
            if !driver.takes(variant) {
                eprintln!("{family}: no 16-bit floats for {} {}", shader.name, label(variant));
                continue;
            }
            for constants in shader.constants() {
                pipelines += 1;
                if pipelines % arguments.every != 0 {
                    continue;
                }
                let figures = driver
                    .figures(shader, variant, &constants)
                    .map_err(|error| format!("{family}: {} {variant:?} {constants:?}: {error}", shader.name))?;
                let constants: Vec<_> = constants.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let constants = if constants.is_empty() { "-".to_owned() } else { constants.join(",") };
                let key = [family.to_owned(), shader.name.to_owned(), label(variant), constants];
                writeln!(out, "{}", row(&key, &figures)).map_err(|error| error.to_string())?;
            }
        }
    }
    Ok(())
}

fn manifest() -> Option<PathBuf> {
    let files = MANIFESTS.iter().filter_map(|directory| std::fs::read_dir(directory).ok()).flatten().flatten();
    // A machine may have the drivers of two architectures.
    let name = format!("radeon_icd.{}.json", std::env::consts::ARCH);
    let mut found: Vec<_> = files
        .map(|entry| entry.path())
        .filter(|path| {
            let file = path.file_name().and_then(|file| file.to_str());
            file.is_some_and(|file| file == name || file == "radeon_icd.json")
        })
        .collect();
    found.sort();
    found.into_iter().next()
}

fn row(key: &[String], figures: &[u64]) -> String {
    let figures = figures.iter().map(u64::to_string);
    key.iter().cloned().chain(figures).collect::<Vec<_>>().join("\t")
}

fn parse(line: &str) -> Result<([String; KEYS.len()], [u64; FIGURES.len()]), String> {
    let bad = || format!("not a row of figures: {line}");
    let cells: Vec<_> = line.split('\t').collect();
    let (key, figures) = cells.split_at_checked(KEYS.len()).ok_or_else(bad)?;
    let figures: Result<Vec<u64>, _> = figures.iter().map(|cell| cell.parse()).collect();
    let key: Vec<_> = key.iter().map(|&cell| cell.to_owned()).collect();
    let figures = figures.map_err(|_| bad())?.try_into().map_err(|_| bad())?;
    Ok((key.try_into().map_err(|_| bad())?, figures))
}

/// The driver's version and the rows of a file that `--write` wrote.
fn read(path: &Path) -> Result<(String, Report), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| line.strip_prefix("# "));
    let version = version.ok_or_else(|| format!("{}: no line with the driver's version", path.display()))?;
    let rows: Result<_, _> = lines.skip(1).map(parse).collect();
    Ok((version.to_owned(), rows?))
}

/// What spills or is scratch memory, where there was none before.
fn spills(figures: &[u64; FIGURES.len()], before: Option<&[u64; FIGURES.len()]>) -> Option<String> {
    let text: Vec<_> = (0..FIGURES.len())
        .filter(|&index| SPILLS.contains(&FIGURES[index].0))
        .filter(|&index| figures[index] > 0 && before.is_none_or(|before| before[index] == 0))
        .map(|index| format!("{} {}", FIGURES[index].0, figures[index]))
        .collect();
    (!text.is_empty()).then(|| text.join(", "))
}

fn check(report: &Report, recorded: &Report) -> bool {
    let mut passed = true;
    for (key, figures) in report {
        if let Some(text) = spills(figures, recorded.get(key)) {
            eprintln!("{}: {text}", key.join(" "));
            passed = false;
        }
    }
    let unknown = report.keys().filter(|key| !recorded.contains_key(*key)).count();
    if unknown > 0 {
        println!("{unknown} pipelines are not in the file: write it anew");
    }
    println!("{}, {}", summary(report), if passed { "none more than recorded" } else { "some more than recorded" });
    passed
}

fn summary(report: &Report) -> String {
    let spilling = report.values().filter(|figures| spills(figures, None).is_some()).count();
    format!("{} pipelines, {spilling} of which spill or need scratch memory", report.len())
}

fn print(version: &str, report: &Report) {
    println!("{version}");
    let header = [&KEYS[..], &FIGURES.map(|(column, _)| column)].concat().into_iter().map(str::to_owned).collect();
    let rows = report.iter().map(|(key, figures)| row(key, figures).split('\t').map(str::to_owned).collect());
    let table: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let widths: Vec<_> =
        (0..table[0].len()).map(|column| table.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    for row in &table {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            line += &if column < KEYS.len() { format!("{cell:<width$}  ") } else { format!("{cell:>width$}  ") };
        }
        println!("{}", line.trim_end());
    }
}
