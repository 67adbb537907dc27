//! The crate in a process whose Vulkan driver fails: for each function of the driver that such a process calls, and each step at
//! which it does, that call fails, once or from then on. Each combination has a process of its own, which must end within five
//! seconds, with the right error, and without a panic that is not in the table of `panics.rs`. What failed once must work again:
//! on the same device after a lack of memory, on a new one after a loss.
//!
//! `layer.rs` is what makes the driver fail, `victim.rs` the process. Skipped where there is no Vulkan adapter, or no Linux.

#[path = "../common/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the suite's, of which this needs a part")]
mod common;
mod layer;
mod panics;
mod victim;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use panics::LISTED;

const LIMIT: Duration = Duration::from_secs(5);
/// Several kernels and a tree of scratch buffers; and the three of a gate.
const OPERATORS: [&str; 2] = ["attended_region F32", "squeeze_excite Mean Scale F32"];

const OUT_OF_HOST_MEMORY: i32 = -1;
const OUT_OF_DEVICE_MEMORY: i32 = -2;
const INITIALIZATION_FAILED: i32 = -3;
const DEVICE_LOST: i32 = -4;
const MEMORY_MAP_FAILED: i32 = -5;

/// What Vulkan allows a function to return.
fn codes(function: &str) -> Vec<i32> {
    let mut codes = vec![OUT_OF_HOST_MEMORY, OUT_OF_DEVICE_MEMORY];
    match function {
        "vkCreateInstance" | "vkEnumeratePhysicalDevices" => codes.push(INITIALIZATION_FAILED),
        "vkCreateDevice" => codes.extend([INITIALIZATION_FAILED, DEVICE_LOST]),
        "vkMapMemory" => codes.push(MEMORY_MAP_FAILED),
        "vkQueueSubmit"
        | "vkQueueWaitIdle"
        | "vkDeviceWaitIdle"
        | "vkGetFenceStatus"
        | "vkGetSemaphoreCounterValue"
        | "vkWaitForFences"
        | "vkWaitSemaphores" => codes.push(DEVICE_LOST),
        _ => {}
    }
    codes
}

/// What the program has to be told. A lack of memory for anything but buffers and queries is the device's end in wgpu.
fn expected(fault: &Fault) -> &'static [&'static str] {
    match (fault.function, fault.phase.as_str()) {
        ("vkCreateInstance" | "vkEnumeratePhysicalDevices", _) => &["NoAdapter"],
        // For each adapter, and once more for the one that is opened.
        ("vkEnumerateDeviceExtensionProperties", _) => &["NoAdapter", "NoDevice"],
        (_, "open") => &["NoDevice"],
        (_, "drop") => &["Ok"],
        // Of the two, wgpu's allocator knows only this one.
        ("vkAllocateMemory", _) if fault.code == OUT_OF_DEVICE_MEMORY => &["OutOfMemory"],
        // A buffer with contents has a second one behind it, which wgpu can't do without.
        ("vkCreateBuffer" | "vkBindBufferMemory", "upload" | "new" | "bind") => &["OutOfMemory", "DeviceLost"],
        ("vkCreateBuffer" | "vkBindBufferMemory" | "vkCreateQueryPool", _) => &["OutOfMemory"],
        _ => &["DeviceLost"],
    }
}

/// One combination.
#[derive(Clone)]
struct Fault {
    operator: &'static str,
    function: &'static str,
    call: u32,
    /// Where in the program that call is.
    phase: String,
    code: i32,
    once: bool,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { operator, function, call, phase, code, once } = self;
        let times = if *once { "once" } else { "lasting" };
        write!(f, "{operator}: {function} number {call}, at {phase}, returns {code}, {times}")
    }
}

/// What became of a process: its words, and whether it came to its end.
struct Story {
    text: String,
    ended: bool,
    time: Duration,
}

impl Story {
    /// The outcome of an attempt: a variant of `Error`, `Ok` or `panicked`, and the rest.
    fn outcome(&self, attempt: &str) -> Option<(&str, &str)> {
        let line = self.text.lines().find_map(|line| line.strip_prefix(attempt)?.strip_prefix(": "))?;
        Some(line.split_once(' ').unwrap_or((line, "")))
    }

    fn panics(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter_map(|line| line.strip_prefix("panic: "))
    }
}

/// Where the layer and the processes' words lie.
struct Workshop {
    folder: PathBuf,
}

impl Workshop {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");
        fs::create_dir_all(&folder).unwrap();
        let compiler = std::env::var("RUSTC").unwrap_or("rustc".into());
        let built = Command::new(compiler)
            .args(["--edition", "2024", "--crate-type", "cdylib", "--cap-lints", "allow"])
            // The loader unloads layers with their instance; the counts must outlive it.
            .args(["-C", "link-arg=-Wl,-z,nodelete", "-o"])
            .arg(folder.join("libfault.so"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/layer.rs"))
            .status();
        assert!(built.is_ok_and(|status| status.success()), "rustc does not build the layer");
        let manifest = r#"{
            "file_format_version": "1.0.0",
            "layer": {
                "name": "VK_LAYER_visual_attention_fault", "type": "GLOBAL", "library_path": "./libfault.so",
                "api_version": "1.3.0", "implementation_version": "1", "description": "Makes chosen calls fail"
            }
        }"#;
        fs::write(folder.join("fault.json"), manifest).unwrap();
        Self { folder }
    }

    fn run(&self, job: usize, operator: &str, fault: Option<&Fault>) -> Story {
        let path = self.folder.join(format!("{job}.txt"));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--victim", operator])
            .env("WGPU_BACKEND", "vulkan")
            .env("VK_INSTANCE_LAYERS", "VK_LAYER_visual_attention_fault")
            .env("VK_LAYER_PATH", &self.folder)
            // Mesa's layer that sorts devices crashes on an error.
            .env("NODEVICE_SELECT", "1")
            .stdout(Stdio::null())
            .stderr(File::create(&path).unwrap());
        if let Some(Fault { function, call, code, once, .. }) = fault {
            let times = if *once { "once" } else { "lasting" };
            command.env("VISUAL_ATTENTION_FAULT", format!("{function}:{call}:{code}:{times}"));
        }
        let start = Instant::now();
        let mut child = command.spawn().unwrap();
        let mut ended = false;
        while !ended && start.elapsed() < LIMIT {
            std::thread::sleep(Duration::from_millis(5));
            ended = child.try_wait().unwrap().is_some();
        }
        if !ended {
            child.kill().unwrap();
        }
        let status = child.wait().unwrap();
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let signal = if ended && status.code().is_none() { "panic: a signal: the process was killed\n" } else { "" };
        Story { ended, time: start.elapsed(), text: text + signal }
    }
}

/// The first and the last call of each function in each phase of a process that nothing happens to: those that last beyond it
/// are made of the first.
fn combinations(operator: &'static str, text: &str) -> Vec<Fault> {
    let mut counts = BTreeMap::new();
    let mut spans: Vec<(&'static str, &str, u32, u32)> = Vec::new();
    let mut phase = "";
    for line in text.lines() {
        phase = line.strip_prefix("phase: ").unwrap_or(phase);
        let Some(name) = line.strip_prefix("call: ") else { continue };
        let function = layer::NAMES.iter().copied().find(|&known| known == name).unwrap();
        let count = counts.entry(function).or_insert(0);
        match spans.iter_mut().find(|span| (span.0, span.1) == (function, phase)) {
            Some(span) => span.3 = *count,
            None => spans.push((function, phase, *count, *count)),
        }
        *count += 1;
    }
    let mut faults = Vec::new();
    for (function, phase, first, last) in spans {
        for code in codes(function) {
            let fault = |call, once| Fault { operator, function, call, phase: phase.into(), code, once };
            faults.push(fault(first, true));
            if operator == OPERATORS[0] {
                faults.push(fault(first, false));
                faults.extend((last > first).then(|| fault(last, true)));
            }
        }
    }
    faults
}

/// What is wrong with how a process took its fault.
fn wrong(fault: &Fault, story: &Story, healthy: &str) -> Option<String> {
    if !story.ended {
        return Some(format!("still runs after {LIMIT:?}"));
    }
    if !story.text.lines().any(|line| line.starts_with("fault: ")) {
        return Some("nothing failed".into());
    }
    let listed: Vec<_> = story.panics().map(|panic| (panic, LISTED.iter().find(|listed| listed.is(panic)))).collect();
    if let Some((panic, _)) = listed.iter().find(|(_, listed)| listed.is_none()) {
        return Some(format!("a panic that is not listed: {panic}"));
    }
    let Some((first, message)) = story.outcome("first") else { return Some("it ended before it was told".into()) };
    if !expected(fault).contains(&first) {
        return Some(format!("{first} {message}"));
    }
    // Once more on the same device.
    if let Some((again, message)) = story.outcome("again") {
        let right = match first {
            "OutOfMemory" if fault.once => (again, message) == ("Ok", healthy),
            "DeviceLost" => again == "DeviceLost",
            _ => ["OutOfMemory", "DeviceLost"].contains(&again),
        };
        if !right {
            return Some(format!("{first}, and then again {again} {message}"));
        }
    } else if ["OutOfMemory", "DeviceLost"].contains(&first) {
        return Some("it did not try again".into());
    }
    let excused = listed.iter().any(|(_, listed)| listed.is_some_and(|listed| listed.in_drop));
    match story.outcome("drop") {
        Some(("Ok", _)) => {}
        Some(_) if excused => {}
        None if excused => return None,
        other => return Some(format!("at the end {other:?}")),
    }
    // And on a new device, where the first one is gone.
    if let Some((anew, message)) = story.outcome("anew") {
        let right = if fault.once {
            (anew, message) == ("Ok", healthy)
        } else {
            !["Ok", "panicked", "Refused", "Timeout"].contains(&anew)
        };
        if !right {
            return Some(format!("{first}, and then on a new device {anew} {message}"));
        }
    }
    (!story.text.ends_with("end\n")).then(|| "it did not come to its end".into())
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("--victim") => {
            victim::main(&arguments.next().unwrap());
            return ExitCode::SUCCESS;
        }
        Some("--list") => {
            println!("faults: test");
            return ExitCode::SUCCESS;
        }
        // Cargo gives every test binary the filter.
        Some(filter) if !filter.starts_with('-') && !"faults".contains(filter) => return ExitCode::SUCCESS,
        _ => {}
    }
    if !cfg!(target_os = "linux") {
        eprintln!("SKIPPED faults: only on Linux does the Vulkan loader take a layer that the tests build");
        return ExitCode::SUCCESS;
    }
    let workshop = Workshop::new();
    let healthy: Vec<_> = OPERATORS.iter().map(|operator| workshop.run(0, operator, None)).collect();
    if let Some(("NoAdapter", reason)) = healthy[0].outcome("first") {
        let required = std::env::var_os("VISUAL_ATTENTION_REQUIRE_GPU").is_some_and(|value| value == "1");
        eprintln!("{} faults: no Vulkan adapter: {reason}", if required { "FAILED" } else { "SKIPPED" });
        return ExitCode::from(u8::from(required));
    }
    let hashes: Vec<_> = healthy
        .iter()
        .map(|story| match story.outcome("first") {
            Some(("Ok", hash)) if story.panics().next().is_none() => hash,
            _ => panic!("it fails although nothing happens to it:\n{}", story.text),
        })
        .collect();
    assert!(healthy[0].text.contains("call: vkQueueSubmit"), "the Vulkan loader does not load the layer");
    sweep(&workshop, &healthy, &hashes)
}

/// All combinations, several at once, and the summary.
fn sweep(workshop: &Workshop, healthy: &[Story], hashes: &[&str]) -> ExitCode {
    let faults: Vec<_> =
        OPERATORS.iter().zip(healthy).flat_map(|(operator, story)| combinations(operator, &story.text)).collect();
    let next = AtomicUsize::new(0);
    let stories = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from).min(4) {
            scope.spawn(|| {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    let Some(fault) = faults.get(job) else { break };
                    let story = workshop.run(job, fault.operator, Some(fault));
                    stories.lock().unwrap().push((fault, story));
                }
            });
        }
    });
    let stories = stories.into_inner().unwrap();

    let mut failures = 0;
    for (fault, story) in &stories {
        let operator = OPERATORS.iter().position(|&operator| operator == fault.operator).unwrap();
        if let Some(reason) = wrong(fault, story, hashes[operator]) {
            failures += 1;
            eprintln!("FAILED {fault}: {reason}");
        }
    }
    // Other drivers are called otherwise: there the table only excuses.
    let complete = healthy[0].text.contains("adapter: llvmpipe");
    for listed in LISTED {
        if !stories.iter().any(|(_, story)| story.panics().any(|panic| listed.is(panic))) {
            let verdict = if complete { "FAILED" } else { "note:" };
            failures += usize::from(complete);
            eprintln!("{verdict} no process panicked any more in {}: {}", listed.file, listed.message);
        }
    }
    let mut variants = BTreeMap::new();
    for (_, story) in &stories {
        *variants.entry(story.outcome("first").map_or("none", |(variant, _)| variant)).or_insert(0) += 1;
    }
    let variants: Vec<_> = variants.iter().map(|(variant, count)| format!("{count} {variant}")).collect();
    let functions: std::collections::BTreeSet<_> = faults.iter().map(|fault| fault.function).collect();
    let recovered = |attempt| {
        stories.iter().filter(move |(_, story)| story.outcome(attempt).is_some_and(|(variant, _)| variant == "Ok"))
    };
    println!(
        "{} combinations of {} functions, {failures} failed; told: {}; {} went on with the same device, {} with a new one; {} \
         panics of wgpu's own listed; slowest {:.1} s",
        stories.len(),
        functions.len(),
        variants.join(", "),
        recovered("again").count(),
        recovered("anew").count(),
        LISTED.len(),
        stories.iter().map(|(_, story)| story.time).max().unwrap_or_default().as_secs_f32(),
    );
    ExitCode::from(u8::from(failures > 0))
}
