//! Every operator, with any options, under any limits, bound to any shape: it is refused, or has nothing to do, or its plan
//! keeps the limits and gives the bits of the plan that is not divided.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use visual_attention::host::Gpu;
use visual_attention::wgpu::{self, Limits};
use visual_attention::{
    DispatchBound, Element, Error, Nchw, PositionTables, RelativePosition, WindowAttention, WindowAttentionBuffers,
    WindowAttentionOptions,
};

use crate::common::arbitrary::{self, Draw, KINDS, Pool, device, open};
use crate::common::catalogue::catalogue;
use crate::common::fixture::{Fixture, read};
use crate::common::{self, Random, TestGpu};
use crate::compiler;

/// Devices of low limits, and operators on each.
const ROUNDS: u64 = 10;
const DRAWS: u32 = 16;

/// What became of the calls.
#[derive(Debug, Default)]
struct Tally {
    refused_options: u32,
    refused: u32,
    empty: u32,
    bound: u32,
    dispatches: u32,
}

impl Tally {
    fn tell(&self, test: &str, at_least: u32) {
        let Self { refused_options, refused, empty, bound, dispatches } = self;
        let cases = refused_options + refused + empty + bound;
        eprintln!(
            "planner: {cases} cases, {test}: {bound} bound in {dispatches} dispatches, {empty} empty, {refused} refused, and \
             {refused_options} operators"
        );
        assert!(cases >= at_least && *bound >= at_least / 4, "{self:?}");
    }
}

/// Opens one operator and binds it to each of the shapes that the bytes make.
fn bind(device: &wgpu::Device, pool: &Pool, kind: u32, options: &[u8], shapes: &[Vec<u8>], tally: &mut Tally) {
    let Ok(operator) = open(kind, device, &mut Draw(options)) else {
        tally.refused_options += 1;
        return;
    };
    for bytes in shapes {
        match arbitrary::bind(device, pool, &operator, &mut Draw(bytes)) {
            Some(0) => tally.empty += 1,
            Some(dispatches) => {
                tally.bound += 1;
                tally.dispatches += dispatches;
            }
            None => tally.refused += 1,
        }
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 96)
}

fn run<T: std::fmt::Debug>(cases: u32, strategy: &impl Strategy<Value = T>, test: impl Fn(T)) {
    let mut runner = TestRunner::new_with_rng(
        Config { cases, max_shrink_iters: 300, failure_persistence: None, ..Config::default() },
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let outcome = runner.run(strategy, |value| {
        test(value);
        Ok(())
    });
    if let Err(error) = outcome {
        match error {
            TestError::Fail(reason, smallest) => panic!("{reason}, for instance with {smallest:?}"),
            TestError::Abort(reason) => panic!("{reason}"),
        }
    }
}

#[test]
fn any_operator_under_any_limits() {
    let tally = RefCell::new(Tally::default());
    let shapes = prop::collection::vec(bytes(), 16);
    run(1100, &(bytes(), 0..KINDS, bytes(), shapes), |(limits, kind, options, shapes)| {
        let (device, _queue) = device(&Draw(&limits).limits());
        let pool = Pool::new(&device, 128 << 10, false);
        bind(&device, &pool, kind, &options, &shapes, &mut tally.borrow_mut());
    });
    tally.into_inner().tell("any operator under any limits", 15_000);
}

/// The longest loops: shapes with one long axis, options near the limits.
#[test]
fn no_invocation_loops_too_long() {
    let (device, _queue) = device(&Limits { max_buffer_size: 64 << 20, ..Limits::default() });
    let pool = Pool::new(&device, 9 << 20, true);
    let tally = RefCell::new(Tally::default());
    let shapes = prop::collection::vec(bytes(), 16);
    run(400, &(0..KINDS, bytes(), shapes), |(kind, options, shapes)| {
        bind(&device, &pool, kind, &options, &shapes, &mut tally.borrow_mut());
    });
    tally.into_inner().tell("no invocation loops too long", 5000);
}

/// Operators of the catalogue over random shapes on a device of low limits: the bits are those of the suite's own device, where
/// nothing is divided, and every element is written between untouched guards.
#[test]
fn divided_work_gives_the_same_bits() {
    let Some(gpu) = common::gpu() else { return };
    let mut random = Random::new(31);
    let [mut same, mut divided, mut refused] = [0; 3];
    for round in 0..ROUNDS {
        let limits = Limits {
            max_storage_buffer_binding_size: u64::from(4096 + 256 * random.below(16)),
            max_compute_workgroups_per_dimension: 7 + random.below(8),
            ..Limits::default()
        };
        let Some(small) = common::gpu_with(&limits) else { return };
        // An image of a few hundred pixels and channels fits 4 KiB or not by chance.
        let long = random.below(4) == 0;
        let height = 1 + random.below(if long { 120 } else { 24 });
        let shape = Nchw::new(1 + random.below(9), 4 + 4 * random.below(2), height, 1 + random.below(24));
        let elements = gpu.elements();
        let entries = catalogue(elements[random.below(elements.len() as u32) as usize], shape, round);
        for _ in 0..DRAWS {
            let entry = &entries[random.below(entries.len() as u32) as usize];
            let what = format!("{} {shape} under {} bytes", entry.name, limits.max_storage_buffer_binding_size);
            let bits = |gpu: &TestGpu| {
                let fixture = Fixture::new(&gpu.device, entry)?;
                let archive = fixture.archive(&gpu.device, 1);
                let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                fixture.record(&mut encoder, &archive, 0);
                gpu.queue.submit([encoder.finish()]);
                let bits = read(&gpu.device, &gpu.queue, &archive);
                fixture.outputs(&bits, &what);
                Ok((bits, fixture.recording.dispatches().len()))
            };
            match bits(&small) {
                Ok((found, dispatches)) => {
                    let (expected, whole) = bits(gpu).unwrap();
                    assert!(found == expected, "{what}: {whole} dispatches and {dispatches} give different bits");
                    same += 1;
                    divided += u32::from(dispatches > whole);
                }
                Err(Error::LimitExceeded { .. } | Error::TooManyRounds { .. }) => refused += 1,
                Err(error) => panic!("{what}: {error}"),
            }
        }
    }
    eprintln!(
        "planner: {} cases, divided work: {same} equal, {divided} of them divided, {refused} refused",
        same + refused
    );
    assert!(divided >= DRAWS * ROUNDS as u32 / 4, "{divided} divided");
}

/// A bound on the work of one dispatch divides it further, down to single workgroups, and gives the same bits.
#[test]
fn bounded_dispatches_give_the_same_bits() {
    let Some(gpu) = common::gpu() else { return };
    let mut random = Random::new(32);
    let [mut alike, mut divided] = [0; 2];
    for round in 0..ROUNDS {
        let shape = Nchw::new(1 + random.below(4), 4 + 4 * random.below(2), 1 + random.below(40), 1 + random.below(40));
        let elements = gpu.elements();
        let entries = catalogue(elements[random.below(elements.len() as u32) as usize], shape, round);
        for _ in 0..DRAWS {
            let entry = &entries[random.below(entries.len() as u32) as usize];
            let work = |random: &mut Random| match random.below(3) {
                0 => u64::MAX,
                _ => 1 << random.below(20),
            };
            let bound = DispatchBound::new(work(&mut random), work(&mut random));
            let what = format!("{} {shape} under {bound:?}", entry.name);
            let run = |bound: DispatchBound| {
                let fixture = compiler::bounded(bound, || Fixture::new(&gpu.device, entry)).unwrap();
                let archive = fixture.archive(&gpu.device, 1);
                let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                fixture.record(&mut encoder, &archive, 0);
                gpu.queue.submit([encoder.finish()]);
                let bits = read(&gpu.device, &gpu.queue, &archive);
                fixture.outputs(&bits, &what);
                (bits, fixture.recording)
            };
            let ((whole, one), (parts, several)) = (run(DispatchBound::NONE), run(bound));
            assert!(whole == parts, "{what}");
            for dispatch in several.dispatches() {
                let cost = dispatch.cost();
                // Labelled components number the nodes of a dispatch, and are not divided further.
                let whole = dispatch.workgroups() == [1; 3]
                    || ["largest_component", "component_labels_roots"]
                        .iter()
                        .any(|kernel| dispatch.label().starts_with(kernel));
                assert!(whole || cost.flops <= bound.flops && cost.bytes <= bound.bytes, "{what}: {dispatch:?}");
            }
            let counts = [&one, &several].map(|recording| recording.dispatches().len());
            *(if counts[0] == counts[1] { &mut alike } else { &mut divided }) += 1;
        }
    }
    eprintln!("planner: {alike} bounds divide nothing, {divided} divide a dispatch");
    assert!(alike > 20 && divided > 40, "{alike} {divided}");
}

/// A recording that is submitted in steps computes what it computes in one submission.
#[test]
fn steps_are_submitted_in_order() {
    let Ok(gpu) = Gpu::open() else { return common::skipped("no adapter") };
    let bound = DispatchBound::new(40_000, u64::MAX);
    let options = WindowAttentionOptions::new(2, 4, 3).with_relative(RelativePosition::None);
    let compiler = compiler::of(&gpu.device).with_dispatch_bound(bound);
    let attention = WindowAttention::new(compiler, options, Element::F32).unwrap();
    let shape = Nchw::new(3, 8, 20, 30);
    let x: Vec<f32> = (0..shape.elements().unwrap()).map(|index| (index % 37) as f32 / 37.0).collect();
    let x = gpu.upload("x", &x).unwrap();
    let run = |submit: &dyn Fn(&visual_attention::Recording)| -> Vec<u32> {
        let y = gpu.buffer("y", shape.elements().unwrap() * 4).unwrap();
        let [q, k, v] = [x.slice(..); 3];
        let tables = PositionTables::None;
        let buffers = WindowAttentionBuffers { q, k, v, tables, y: y.slice(..), log_sum_exp: None };
        let recording = attention.bind(&gpu.device, shape, buffers).unwrap();
        assert!(recording.dispatches().len() > 10, "{}", recording.dispatches().len());
        submit(&recording);
        gpu.read(y.slice(..)).unwrap()
    };
    let whole = run(&|recording| gpu.run(|pass| recording.record(pass)).unwrap());
    for bound in [bound, DispatchBound::NONE, DispatchBound::new(1, 1), DispatchBound::new(100_000, u64::MAX)] {
        assert_eq!(run(&|recording| gpu.run_in_steps(recording, bound).unwrap()), whole);
    }
}
