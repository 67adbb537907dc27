//! Tests of the tests: `mutants.tsv` lists faults of the kernels, one to a line, each a text of a file under `shaders/` and what
//! stands there instead. Every run of the tests checks the table. With `VISUAL_ATTENTION_MUTANTS` naming the suite's executable
//! each fault is tried, and the suite must notice at least 95 of 100: see `tests/runs/mutants.sh`. Arguments choose some of them.
//!
//! Nothing is compiled again for that. The executable holds the WGSL as it is in the files, so a mutant is a copy of it with the text
//! overwritten by one of the same length.

#[path = "../../examples/translate/mod.rs"]
#[expect(dead_code, reason = "the examples', of which this needs a part")]
mod translate;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use visual_attention::shaders::{self, Shader};

/// For the tests of one operator, and for all of them.
const LIMITS: [Duration; 2] = [Duration::from_secs(600), Duration::from_secs(3600)];
/// As `tests/common/compiler.rs` reads `VISUAL_ATTENTION_VARIANTS`: the adapter's own, and those of a GPU.
const VARIANTS: [Option<&str>; 2] = [None, Some("gpu")];

/// A fault, or a change of a comment.
#[derive(Debug)]
struct Mutant {
    /// Below `shaders/`.
    file: &'static str,
    fault: &'static str,
    /// Why no test can notice it; empty if one has to.
    reason: &'static str,
    /// The file's text, as it is and with the fault.
    right: String,
    wrong: String,
}

impl Mutant {
    fn new(line: &'static str) -> Self {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_default();
        let (file, fault, from, to, reason) = (next(), next(), next(), next(), next());
        let [from, to] = [from, to].map(|text| text.replace("\\n", "\n"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders").join(file);
        let right = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(right.matches(&from).count(), 1, "{file} has `{from}` not once: {fault}");
        assert_ne!(from, to, "{file}: {fault}");
        // What is too long or too short is taken from the first line, a comment, so that others keep their numbers.
        let wrong = right.replacen(&from, &to, 1);
        let (comment, rest) = wrong.split_once('\n').unwrap();
        assert!(comment.starts_with("//") && wrong.is_ascii(), "{file} starts with a line of comment, in ASCII");
        let room = right.len().checked_sub(rest.len() + 1).filter(|&room| room >= 2);
        let room = room.unwrap_or_else(|| panic!("{file} has no room for `{to}`"));
        let wrong = format!("{comment:room$.room$}\n{rest}");
        Self { file, fault, reason, right, wrong }
    }

    fn name(&self) -> String {
        format!("{}: {}", self.file, self.fault)
    }

    /// The kernels that hold the file.
    fn shaders(&self) -> impl Iterator<Item = &'static Shader> {
        shaders::ALL.iter().filter(|shader| shader.wgsl.contains(&self.right))
    }

    /// Invalid WGSL would be noticed by anything that compiles it.
    fn check(&self) {
        assert!(self.shaders().next().is_some(), "{} is part of no kernel as this was built with", self.file);
        for shader in self.shaders() {
            for &variant in shader.variants {
                let wgsl = shader.source(variant).replacen(&self.right, &self.wrong, 1);
                let compiled = translate::parse(&wgsl).and_then(|(module, info)| {
                    shader.constants().iter().try_for_each(|constants| {
                        translate::with_constants(&module, &info, shader.name, constants).map(drop)
                    })
                });
                compiled.unwrap_or_else(|error| panic!("{}, in {variant:?}: {error}", self.name()));
            }
        }
    }

    /// Filters of the tests that are likely to notice it, in two steps: those of the operators that the kernels' headers name as
    /// hosts, and the golden cases; then those of operators made of these, and of every operator divided.
    fn near(&self) -> [BTreeSet<String>; 2] {
        let hosts: BTreeSet<_> = self.shaders().flat_map(hosts).collect();
        let operators = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops")).unwrap();
        let users = operators.map(|entry| entry.unwrap().path()).filter(|path| {
            let text = fs::read_to_string(path).unwrap();
            hosts.iter().any(|host| text.contains(&format!("::{host}::")))
        });
        let users = users.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned() + "::");
        let own = hosts.iter().map(|host| format!("{host}::")).chain(["golden::".to_owned()]).collect::<BTreeSet<_>>();
        let further = users.chain(["places::".to_owned()]).collect::<BTreeSet<_>>();
        let further = &further - &own;
        [own, further]
    }
}

/// File stems of the hosts in a kernel's header.
fn hosts(shader: &'static Shader) -> impl Iterator<Item = &'static str> {
    let line = shader.wgsl.lines().find(|line| line.starts_with("// Host")).unwrap();
    line.split("src/ops/").skip(1).filter_map(|host| Some(host.split_once(".rs")?.0))
}

fn table() -> Vec<Mutant> {
    include_str!("mutants.tsv").lines().skip(1).map(Mutant::new).collect()
}

#[derive(Debug, PartialEq)]
enum Outcome {
    /// By the test of that name, or by its time-out.
    Noticed(String),
    TimedOut,
    Passed,
}

/// The suite's executable, and where copies of it lie.
struct Suite {
    folder: PathBuf,
    bytes: Vec<u8>,
}

impl Suite {
    fn new(executable: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
        fs::create_dir_all(&folder).unwrap();
        // A copy, for its permissions: the executable may be built anew in the meantime.
        fs::copy(executable, folder.join("suite")).unwrap_or_else(|error| panic!("{executable}: {error}"));
        Self { bytes: fs::read(folder.join("suite")).unwrap(), folder }
    }

    /// The suite with a fault in it.
    fn with(&self, mutant: &Mutant) -> PathBuf {
        let (right, wrong) = (mutant.right.as_bytes(), mutant.wrong.as_bytes());
        assert_eq!(right.len(), wrong.len());
        let mut bytes = self.bytes.clone();
        let places: Vec<_> =
            bytes.windows(right.len()).enumerate().filter(|(_, text)| *text == right).map(|(at, _)| at).collect();
        assert!(!places.is_empty(), "the suite was built with another {}", mutant.file);
        for at in places {
            bytes[at..at + wrong.len()].copy_from_slice(wrong);
        }
        let path = self.folder.join("mutant");
        // Another file each time: processes of the last one's tests may not have ended.
        let _ = fs::remove_file(&path);
        fs::copy(self.folder.join("suite"), &path).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// Runs tests until one fails.
fn run(executable: &Path, filters: &[String], variants: Option<&str>) -> Outcome {
    let mut command = Command::new(executable);
    command
        .args(filters)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("VISUAL_ATTENTION_REQUIRE_GPU", "1")
        .env("WGPU_BACKEND", std::env::var("WGPU_BACKEND").unwrap_or("vulkan".into()))
        .env_remove("VISUAL_ATTENTION_VARIANTS")
        .envs(variants.map(|variants| ("VISUAL_ATTENTION_VARIANTS", variants)))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let end = Instant::now() + LIMITS[usize::from(filters.is_empty())];
    let mut passed = 0;
    let outcome = loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                let test = line.strip_prefix("test ").unwrap_or_default();
                if let Some(name) = test.strip_suffix(" ... FAILED") {
                    break Outcome::Noticed(name.into());
                }
                passed += usize::from(test.ends_with(" ... ok"));
            }
            Err(RecvTimeoutError::Timeout) => break Outcome::TimedOut,
            Err(RecvTimeoutError::Disconnected) => {
                // Neither is a verdict: a process that a signal ended, or that found no test.
                let status = child.wait().unwrap();
                assert!(status.success() && passed > 0, "{status}, {passed} tests passed, none failed: {filters:?}");
                break Outcome::Passed;
            }
        }
    };
    // It may have ended.
    let _ = child.kill();
    child.wait().unwrap();
    outcome
}

/// With the adapter's own variants of the kernels, then with those of a GPU.
fn run_all(executable: &Path, filters: &[String]) -> Outcome {
    VARIANTS
        .into_iter()
        .map(|variants| run(executable, filters, variants))
        .find(|outcome| *outcome != Outcome::Passed)
        .unwrap_or(Outcome::Passed)
}

fn try_all(suite: &Suite, mutants: &[Mutant], whole: bool) -> ExitCode {
    // As it is the suite passes, even overwritten: otherwise what follows would mean nothing.
    let harmless = Mutant::new("attention_map.wgsl\tnone\t// Attention map of\t// An attention map of");
    let near: BTreeSet<_> = mutants.iter().flat_map(Mutant::near).flatten().collect();
    let filters = if whole { Vec::new() } else { near.into_iter().collect() };
    let start = Instant::now();
    let outcome = run_all(&suite.with(&harmless), &filters);
    assert_eq!(outcome, Outcome::Passed, "the suite fails without a fault");
    println!("without a fault: passed in {:.0} s", start.elapsed().as_secs_f64());

    let (mut timed_out, mut survivors) = (0, Vec::new());
    let mut notice = |mutant: &Mutant, outcome: Outcome, start: Instant, rest: &str| {
        let told = match &outcome {
            Outcome::Noticed(test) => format!("noticed by {test}"),
            Outcome::TimedOut => "noticed by time-out".into(),
            Outcome::Passed => rest.into(),
        };
        println!("{}: {told}, {:.0} s", mutant.name(), start.elapsed().as_secs_f64());
        timed_out += usize::from(outcome == Outcome::TimedOut);
        outcome == Outcome::Passed
    };
    for mutant in mutants {
        let start = Instant::now();
        let executable = suite.with(mutant);
        let steps = mutant.near().map(Vec::from_iter);
        let outcomes = steps.iter().map(|filters| run_all(&executable, filters));
        let outcome = outcomes.into_iter().find(|outcome| *outcome != Outcome::Passed).unwrap_or(Outcome::Passed);
        if notice(mutant, outcome, start, "not yet noticed") {
            survivors.push(mutant);
        }
    }
    survivors.retain(|mutant| {
        let start = Instant::now();
        let outcome = run_all(&suite.with(mutant), &[]);
        notice(mutant, outcome, start, "survived")
    });

    let noticed = mutants.len() - survivors.len();
    let share = 100.0 * noticed as f64 / mutants.len() as f64;
    let files: BTreeSet<_> = mutants.iter().map(|mutant| mutant.file).collect();
    let named = |mutant: &&Mutant| format!("{} ({})", mutant.name(), mutant.reason);
    let names: Vec<_> = survivors.iter().map(named).collect();
    let names = if names.is_empty() { "none".into() } else { names.join("; ") };
    println!(
        "mutants: {} faults in {} shaders, {noticed} noticed ({share:.1} %), of them {timed_out} by time-out; survivors: {names}",
        mutants.len(),
        files.len()
    );
    let unexplained = survivors.iter().filter(|mutant| mutant.reason.is_empty()).count();
    let explained = mutants.iter().filter(|mutant| !mutant.reason.is_empty()).count();
    ExitCode::from(u8::from(share < 95.0 || unexplained > 0 || explained + unexplained != survivors.len()))
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        println!("mutants: test");
        return ExitCode::SUCCESS;
    }
    let mut mutants = table();
    let Ok(executable) = std::env::var("VISUAL_ATTENTION_MUTANTS") else {
        // Cargo gives every test binary the filter.
        let filtered = |argument: &String| !argument.starts_with('-') && !"mutants".contains(argument.as_str());
        if !arguments.iter().any(filtered) {
            mutants.iter().for_each(Mutant::check);
        }
        return ExitCode::SUCCESS;
    };
    if !arguments.is_empty() {
        mutants.retain(|mutant| arguments.iter().any(|argument| mutant.name().contains(argument.as_str())));
    }
    try_all(&Suite::new(&executable), &mutants, arguments.is_empty())
}
