//! Tests of the tests: faults of the kernels, each a text of a file under `shaders/` and what stands there instead. `mutants.tsv` lists
//! some, one to a line; `rules.rs` makes more. Every run of the tests checks that the former compile. With `VISUAL_ATTENTION_MUTANTS`
//! naming the suite's executable each fault is tried, and the suite must notice at least 97 of 100: see `tests/runs/mutants.sh`.
//! `--sample` tries those of `sample.txt`, which are made by rules and noticed within seconds; other arguments those whose name holds one of them.
//!
//! What no test can notice is named with its reason, in the table or in `survivors.tsv`.
//!
//! Nothing is compiled again for that. The executable holds the WGSL as it is in the files, so a mutant is a copy of it with the text
//! overwritten by one of the same length.

mod rules;
#[path = "../../examples/translate/mod.rs"]
#[expect(dead_code, reason = "the examples', of which this needs a part")]
mod translate;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
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
    file: String,
    fault: String,
    /// Why no test can notice it; empty if one has to.
    reason: String,
    /// The file's text, as it is and with the fault.
    right: String,
    wrong: String,
}

impl Mutant {
    /// A line of the table.
    fn new(line: &str) -> Self {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_default();
        let (file, fault, from, to, reason) = (next(), next(), next(), next(), next());
        let [from, to] = [from, to].map(|text| text.replace("\\n", "\n"));
        let right = read(file);
        assert_eq!(right.matches(&from).count(), 1, "{file} has `{from}` not once: {fault}");
        assert_ne!(from, to, "{file}: {fault}");
        let wrong = right.replacen(&from, &to, 1);
        let mutant = Self::of(file, fault.into(), &right, &wrong);
        Self { reason: reason.into(), ..mutant.unwrap_or_else(|| panic!("{file} has no room for `{to}`")) }
    }

    /// The file with the fault, of the same length: what is too long or too short is taken from the first line, a comment, so that others
    /// keep their numbers. `None` where there is no room.
    fn of(file: &str, fault: String, right: &str, wrong: &str) -> Option<Self> {
        let (comment, rest) = wrong.split_once('\n').unwrap();
        assert!(comment.starts_with("//") && wrong.is_ascii(), "{file} starts with a line of comment, in ASCII");
        let room = right.len().checked_sub(rest.len() + 1).filter(|&room| room >= 2)?;
        let wrong = format!("{comment:room$.room$}\n{rest}");
        Some(Self { file: file.into(), fault, reason: String::new(), right: right.into(), wrong })
    }

    /// All faults that the rules make of all files, those that do not compile left out.
    fn by_rules() -> Vec<Self> {
        let survivors: BTreeMap<_, _> = include_str!("survivors.tsv")
            .lines()
            .skip(1)
            .map(|line| line.split_once('\t').unwrap_or_else(|| panic!("survivors.tsv: no reason in {line}")))
            .collect();
        let mut unknown: BTreeSet<_> = survivors.keys().copied().collect();
        let mut all: Vec<Self> = Vec::new();
        for file in files() {
            let right = read(&file);
            let mut names = BTreeMap::<String, u32>::new();
            for rules::Change { rule, range, instead } in rules::changes(&right) {
                let wrong = [&right[..range.start], &instead, &right[range.end..]].concat();
                let line = |text: &str| {
                    let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
                    let end = text[range.start..].find('\n').map_or(text.len(), |at| range.start + at);
                    text[start..end].trim().to_owned()
                };
                let mut fault = format!("{rule}: `{}` for `{}`", line(&wrong), line(&right));
                let times = names.entry(fault.clone()).or_default();
                *times += 1;
                if *times > 1 {
                    fault += &format!(", place {times}");
                }
                let Some(mut mutant) = Self::of(&file, fault, &right, &wrong) else { continue };
                let name = mutant.name();
                if let Some(&reason) = survivors.get(name.as_str()) {
                    unknown.retain(|known| *known != name);
                    mutant.reason = reason.into();
                }
                all.push(mutant);
            }
        }
        assert!(unknown.is_empty(), "survivors.tsv names faults that no rule makes: {unknown:#?}");
        all.retain(|mutant| mutant.compiles().is_ok());
        all
    }

    fn name(&self) -> String {
        format!("{}: {}", self.file, self.fault)
    }

    /// The kernels that hold the file.
    fn shaders(&self) -> impl Iterator<Item = &'static Shader> {
        shaders::ALL.iter().filter(|shader| shader.wgsl.contains(&self.right))
    }

    /// Invalid WGSL would be noticed by anything that compiles it.
    fn compiles(&self) -> Result<(), String> {
        assert!(self.shaders().next().is_some(), "{} is part of no kernel as this was built with", self.file);
        for shader in self.shaders() {
            for &variant in shader.variants {
                let wgsl = shader.source(variant).replacen(&self.right, &self.wrong, 1);
                let compiled = translate::parse(&wgsl).and_then(|(module, info)| {
                    shader.constants().iter().try_for_each(|constants| {
                        translate::with_constants(&module, &info, shader.name, constants).map(drop)
                    })
                });
                compiled.map_err(|error| format!("{}, in {variant:?}: {error}", self.name()))?;
            }
        }
        Ok(())
    }

    /// Filters of the tests that are likely to notice it, in two steps: those of the operators that the kernels' headers name as
    /// hosts, and the golden cases; then those of operators made of these, and of every operator divided.
    fn near(&self) -> [BTreeSet<String>; 2] {
        let hosts: BTreeSet<_> = self.shaders().flat_map(hosts).collect();
        let operators = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops")).unwrap();
        let users = operators.map(|entry| entry.unwrap().path()).filter(|path| {
            let files = match path.is_dir() {
                true => fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect(),
                false => vec![path.clone()],
            };
            let text: String = files.into_iter().map(|file| fs::read_to_string(file).unwrap()).collect();
            hosts.iter().any(|host| text.contains(&format!("::{host}::")))
        });
        let users = users.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned() + "::");
        let own = hosts.iter().map(|host| format!("{host}::")).chain(["golden::".to_owned()]).collect::<BTreeSet<_>>();
        // The tests that all gradients go through.
        let backward = hosts.iter().any(|host| host.ends_with("_backward") || *host == "part_sum");
        let gradients = backward.then(|| "gradients::".to_owned());
        let further = users.chain(["places::".to_owned()]).chain(gradients).collect::<BTreeSet<_>>();
        let further = &further - &own;
        [own, further]
    }
}

/// File stems of the hosts in a kernel's header.
fn hosts(shader: &'static Shader) -> impl Iterator<Item = &'static str> {
    let line = shader.wgsl.lines().find(|line| line.starts_with("// Host")).unwrap();
    line.split("src/ops/").skip(1).filter_map(|host| host.split(['.', '/']).next())
}

/// The text of a file below `shaders/`.
fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `shaders/`, in order.
fn files() -> Vec<String> {
    let of = |folder: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders").join(folder);
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        entries
            .filter(|name| name.ends_with(".wgsl") && name != "prelude.wgsl")
            .map(|name| format!("{folder}{name}"))
            .collect::<Vec<_>>()
    };
    let mut files = [of(""), of("shared/")].concat();
    files.sort();
    files
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

/// What earlier runs found, kept between them: a fault that was noticed is not tried again, one that was not only by another suite.
struct Verdicts {
    path: PathBuf,
    noticed: BTreeMap<u64, String>,
    survived: BTreeSet<(u64, u64)>,
    suite: u64,
}

impl Verdicts {
    fn load(suite: &Suite) -> Self {
        let mut verdicts = Self {
            path: suite.folder.join("verdicts.tsv"),
            noticed: BTreeMap::new(),
            survived: BTreeSet::new(),
            suite: hash(&suite.bytes),
        };
        let text = fs::read_to_string(&verdicts.path).unwrap_or_default();
        for line in text.lines() {
            let mut fields = line.split('\t');
            let mut number = || fields.next().and_then(|field| u64::from_str_radix(field, 16).ok());
            let (Some(mutant), Some(by)) = (number(), number()) else { continue };
            match fields.next() {
                Some("survived") => drop(verdicts.survived.insert((mutant, by))),
                Some(told) => drop(verdicts.noticed.insert(mutant, told.into())),
                None => {}
            }
        }
        verdicts
    }

    /// What is known of it: the test that noticed it, or nothing where it survived.
    fn known(&self, mutant: &Mutant) -> Option<Outcome> {
        let key = hash((&mutant.file, &mutant.wrong));
        if let Some(told) = self.noticed.get(&key) {
            return Some(if told == "time-out" { Outcome::TimedOut } else { Outcome::Noticed(told.clone()) });
        }
        self.survived.contains(&(key, self.suite)).then_some(Outcome::Passed)
    }

    fn keep(&self, mutant: &Mutant, outcome: &Outcome) {
        let told = match outcome {
            Outcome::Noticed(test) => test,
            Outcome::TimedOut => "time-out",
            Outcome::Passed => "survived",
        };
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&self.path).unwrap();
        writeln!(file, "{:016x}\t{:016x}\t{told}", hash((&mutant.file, &mutant.wrong)), self.suite).unwrap();
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
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

/// How much of the suite is run: what is likely to notice a fault, and then all of it.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    /// The suite has just passed, and a survivor of what is likely has survived.
    Sample,
    Some,
    All,
}

fn try_all(suite: &Suite, mutants: &[Mutant], scope: Scope) -> ExitCode {
    let verdicts = Verdicts::load(suite);
    if scope != Scope::Sample {
        // As it is the suite passes, even overwritten: otherwise what follows would mean nothing.
        let harmless = Mutant::new("attention_map.wgsl\tnone\t// Attention map of\t// An attention map of");
        let near: BTreeSet<_> = mutants.iter().flat_map(Mutant::near).flatten().collect();
        let filters = if scope == Scope::All { Vec::new() } else { near.into_iter().collect() };
        let start = Instant::now();
        let outcome = run_all(&suite.with(&harmless), &filters);
        assert_eq!(outcome, Outcome::Passed, "the suite fails without a fault");
        println!("without a fault: passed in {:.0} s", start.elapsed().as_secs_f64());
    }

    let (mut timed_out, mut survivors) = (0, Vec::new());
    for mutant in mutants {
        let start = Instant::now();
        let known = if scope == Scope::Sample { None } else { verdicts.known(mutant) };
        let outcome = known.unwrap_or_else(|| {
            let executable = suite.with(mutant);
            let mut dispatches = mutant.near().map(Vec::from_iter).to_vec();
            if scope != Scope::Sample {
                dispatches.push(Vec::new());
            }
            let outcomes = dispatches.iter().map(|filters| run_all(&executable, filters));
            let outcome = outcomes.into_iter().find(|outcome| *outcome != Outcome::Passed).unwrap_or(Outcome::Passed);
            if scope != Scope::Sample {
                verdicts.keep(mutant, &outcome);
            }
            let told = match &outcome {
                Outcome::Noticed(test) => format!("noticed by {test}"),
                Outcome::TimedOut => "noticed by time-out".into(),
                Outcome::Passed => "survived".into(),
            };
            println!("{}: {told}, {:.0} s", mutant.name(), start.elapsed().as_secs_f64());
            outcome
        });
        timed_out += usize::from(outcome == Outcome::TimedOut);
        if outcome == Outcome::Passed {
            survivors.push(mutant);
        }
    }

    let noticed = mutants.len() - survivors.len();
    let explained = survivors.iter().filter(|mutant| !mutant.reason.is_empty()).count();
    let unexplained = survivors.len() - explained;
    // What no input can show is no fault.
    let share = 100.0 * noticed as f64 / (mutants.len() - explained).max(1) as f64;
    let files: BTreeSet<_> = mutants.iter().map(|mutant| &mutant.file).collect();
    for mutant in &survivors {
        let reason = if mutant.reason.is_empty() { "NO REASON" } else { &mutant.reason };
        println!("survivor: {} ({reason})", mutant.name());
    }
    println!(
        "mutants: {} faults in {} shaders, {noticed} noticed, of them {timed_out} by time-out; {explained} that no input can show; \
         {share:.1} % of the others noticed",
        mutants.len(),
        files.len()
    );
    let noticed_all_the_same = mutants.iter().filter(|mutant| !mutant.reason.is_empty()).count() - explained;
    ExitCode::from(u8::from(share < 97.0 || unexplained > 0 || noticed_all_the_same > 0))
}

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        println!("mutants: test");
        return ExitCode::SUCCESS;
    }
    let Ok(executable) = std::env::var("VISUAL_ATTENTION_MUTANTS") else {
        // Cargo gives every test binary the filter.
        let filtered = |argument: &String| !argument.starts_with('-') && !"mutants".contains(argument.as_str());
        if !arguments.iter().any(filtered) {
            rules::check();
            let made = Mutant::by_rules().len();
            assert!(made >= 600, "the rules make {made} faults that compile");
            table().iter().for_each(|mutant| mutant.compiles().unwrap());
        }
        return ExitCode::SUCCESS;
    };
    let ruled = Mutant::by_rules();
    let suite = Suite::new(&executable);
    if arguments.iter().any(|argument| argument == "--sample") {
        let names: BTreeSet<_> = include_str!("sample.txt").lines().collect();
        let sample: Vec<_> = ruled.into_iter().filter(|mutant| names.contains(mutant.name().as_str())).collect();
        let found: BTreeSet<_> = sample.iter().map(Mutant::name).collect();
        let gone: Vec<_> = names.iter().filter(|name| !found.contains(**name)).collect();
        assert!(
            gone.is_empty(),
            "sample.txt names faults that no rule makes any more; put others in their place: {gone:#?}"
        );
        return try_all(&suite, &sample, Scope::Sample);
    }
    arguments.retain(|argument| !argument.starts_with('-'));
    let mut mutants: Vec<_> = table().into_iter().chain(ruled).collect();
    if !arguments.is_empty() {
        mutants.retain(|mutant| arguments.iter().any(|argument| mutant.name().contains(argument.as_str())));
    }
    try_all(&suite, &mutants, if arguments.is_empty() { Scope::All } else { Scope::Some })
}
