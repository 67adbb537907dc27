//! Every operator on numbers that break kernels, against its reference; and every operator many times, for one bit pattern.

use std::hash::{DefaultHasher, Hasher};

use visual_attention::{Element, Nchw, wgpu};

use crate::common::backward;
use crate::common::catalogue::{Contents, Entry, Kind, catalogue};
use crate::common::fixture::{Fixture, decoded, read, stored};
use crate::common::{self, Precision, TestGpu, wide};

/// Small enough that a number can stand in every place.
const SMALL: Nchw = Nchw::new(2, 4, 3, 4);
const NAN: f32 = f32::NAN;
/// The largest of the huge numbers that sums can hold many of: f16's largest.
const HUGE: f64 = 65504.0;

/// Repeats of each operator: `VISUAL_ATTENTION_REPEATS`, or 100.
fn repeats() -> usize {
    std::env::var("VISUAL_ATTENTION_REPEATS").map_or(100, |repeats| repeats.parse().unwrap())
}

/// One tensor of an operator with special numbers in it.
struct Case {
    what: String,
    input: usize,
    numbers: Vec<f32>,
    /// Whether sums of it overflow or not by the order of their terms.
    overflows: bool,
    /// The same with its huge numbers off by a few units in the last place, in three ways, one of which may be lucky: how much a
    /// result may owe to rounding.
    nudged: Vec<Vec<f32>>,
}

impl Case {
    fn new(what: String, input: usize, numbers: Vec<f32>) -> Self {
        let huge = |number: f32| number.is_finite() && number.abs() > 1e4;
        let nudge = |way: usize, index: usize, number: f32| {
            let by = if index % 3 == way { -4.0 } else { 4.0 } * f32::EPSILON;
            if huge(number) { number * (1.0 - 8.0 * f32::EPSILON + by) } else { number }
        };
        let ways = if numbers.iter().any(|&number| huge(number)) { 0..3 } else { 0..0 };
        let nudged_way = |way| numbers.iter().enumerate().map(|(index, &number)| nudge(way, index, number)).collect();
        let nudged = ways.map(nudged_way).collect();
        let overflows = numbers.iter().filter(|number| number.is_finite() && number.abs() > 1e38).count() > 1;
        Self { what, input, numbers, overflows, nudged }
    }
}

/// What is put into each tensor in turn.
fn cases(entry: &Entry) -> Vec<Case> {
    let mut cases = Vec::new();
    for (input, tensor) in entry.inputs.iter().enumerate() {
        let Contents::Floats(element, ordinary) = &tensor.contents else { continue };
        let name = tensor.name;
        let mut single = |value: f32, at: usize| {
            let mut numbers = ordinary.clone();
            numbers[at] = value;
            cases.push(Case::new(format!("{value:e} at {at} of {name}"), input, numbers));
        };
        // Every place in f32; every seventh, all lanes of a load among them, in f16 and in gradients, which have many tensors.
        let step = if *element == Element::F16 || entry.name.contains("_backward") { 7 } else { 1 };
        for at in (0..ordinary.len()).step_by(step) {
            single(if at % 2 == 0 { NAN } else { -NAN }, at);
        }
        let tiny = if *element == Element::F16 { 5.960_464_5e-8 } else { 1e-40 };
        let mut values = vec![f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0, tiny, -tiny, 65504.0, -65504.0];
        let largest = if *element == Element::F16 { 65504.0 } else { 3e38 };
        if *element == Element::F32 {
            values.extend([3e38, -3e38]);
        }
        for &value in &values {
            for at in [0, ordinary.len() / 2, ordinary.len() - 1] {
                single(value, at);
            }
        }
        let mut all = |what: &str, number: &dyn Fn(usize) -> f32| {
            cases.push(Case::new(format!("{what} in {name}"), input, (0..ordinary.len()).map(number).collect()));
        };
        for value in [0.0, 0.25, -1.5, NAN, f32::INFINITY, f32::NEG_INFINITY, 65504.0, -65504.0] {
            all(&format!("nothing but {value:e}"), &|_| value);
        }
        for value in [65504.0, largest] {
            all(&format!("{value:e} and -{value:e} in turn"), &|index| if index % 2 == 0 { value } else { -value });
        }
        all("infinities of both signs in turn", &|index| {
            if index % 2 == 0 { f32::INFINITY } else { f32::NEG_INFINITY }
        });
        all("NaN in every other place", &|index| if index % 2 == 0 { NAN } else { ordinary[index] });
    }
    // Mean and maximum go through the second layer as one sum, so that an infinite weight meets no hidden zero alone: the gate
    // saturates where the formula, read to the letter, has 0 * infinity.
    if entry.name.starts_with("squeeze_excite MeanAndMax") || entry.name.starts_with("cbam") {
        cases.retain(|case| {
            entry.inputs[case.input].name != "expand_weight" || case.numbers.iter().all(|number| !number.is_infinite())
        });
    }
    // The layer computes the logits again. With the log-sum-exp of others a softmax has weights of any size, which cancel out.
    if entry.name.starts_with("sasa_layer_backward") {
        cases.retain(|case| entry.inputs[case.input].name != "log_sum_exp");
    }
    // A driver may compute the sum of two gated terms as one product of the gates' sum, which has no 0 * infinity.
    if entry.name.starts_with("scse Add") {
        cases.retain(|case| {
            entry.inputs[case.input].name != "features" || case.numbers.iter().all(|number| !number.is_infinite())
        });
    }
    cases
}

/// Whether two numbers are both NaN, the same infinity, or both finite.
fn same_class(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a.is_finite() && b.is_finite()) || a == b
}

/// What is wrong with one output. `baseline` and `exact` are the reference in f32 and in f64, `nudged` the latter for inputs
/// that are a few units in the last place away, and `ordinary` for inputs without special numbers. `name` is that of the entry and
/// of the case.
fn wrong(
    actual: &[f64],
    (kind, name): (Kind, &str),
    baseline: &[f32],
    exact: &[f64],
    nudged: &[&[f64]],
    ordinary: &[f64],
) -> Option<String> {
    assert_eq!((actual.len(), baseline.len()), (exact.len(), exact.len()));
    let precision = match kind {
        Kind::Exact(element) | Kind::Near(element) => Precision::from(element),
        Kind::Words | Kind::Colors => Precision::F32,
    };
    let expected: Vec<(f64, f64)> =
        baseline.iter().zip(exact).map(|(&p, &r)| (precision.round(f64::from(p)), precision.round(r))).collect();
    // It takes exponentials of a saved statistic. If that is another number than the forward operator wrote, weights of a softmax are above 1.
    let weights = ["window_attention_backward", "cross_attention_backward", "sasa_layer_backward"]
        .iter()
        .any(|op| name.starts_with(op));
    // The gate, from numbers of ordinary size: a huge one would make it blind.
    let most = if weights { 1e4 } else { 64.0 };
    let mut gate = 0.0f64;
    let mut size = 1.0f64;
    for (&(p, _), &r) in expected.iter().zip(exact).filter(|((p, r), _)| p.is_finite() && r.abs() < most) {
        let rounding = precision.round(precision.round(r + 0.3) - 0.3) - r;
        gate = gate.max(2.0 * (p - r).abs() + 2.0 * rounding.abs());
        size = size.max(r.abs());
    }
    // As in `room`: a parameter's gradient has few numbers.
    let few = if name.contains("_backward") && exact.len() < 64 { 4.0 } else { 1.0 };
    gate = (few * gate).max(if few > 1.0 {
        backward::room(name, size, exact.len())
    } else {
        backward::room(name, size, 64)
    });
    // A gradient may cancel out numbers beyond that size. What the formula costs among numbers of a size hides nothing of larger ones.
    let sized = |r: f64| {
        let of_size = expected.iter().zip(exact).filter(|((p, other), _)| {
            p.is_finite() && other.is_finite() && (64.0..=2.0 * r.abs()).contains(&other.abs())
        });
        // With tables a key and its position may cancel out, for one number alone.
        let times = if weights { 10.0 } else { 3.0 };
        of_size.fold(0.0f64, |most, (&(p, _), &other)| most.max(times * (p - other).abs()))
    };
    let moved = |index: usize| {
        let each = nudged.iter().map(|nudged| (nudged[index] - exact[index]).abs());
        // NaN stays.
        each.fold(0.0f64, |most, moved| if moved > most || moved.is_nan() { moved } else { most })
    };
    let unit = if precision == Precision::F16 { 2.0f64.powi(-10) } else { 2.0f64.powi(-21) };
    // The sigmoid's derivative has the factor 1 - gate, which loses three bits where the gate is near 1.
    let gates = ["spatial_gate_backward", "cbam_backward", "scse_backward"].iter().any(|op| name.starts_with(op));
    let unit = match precision {
        // WGSL allows an exponential of x 3 + 2|x| ULP, and x is up to 24 here.
        _ if weights => unit + 51.0 * 2.0f64.powi(-23),
        _ if gates => unit + 8.0 * common::EXP_ROOM,
        _ => unit,
    };
    // A product may overflow before another factor makes it smaller.
    let overflown = |y: f64, r: f64| {
        name.contains("_backward") && y.is_infinite() && y.signum() == r.signum() && r.abs() > f64::from(f32::MAX) / 4.0
    };
    // With the finite statistic of other numbers, a table's infinity makes infinite gradients of logits. Those of both signs in one column
    // are NaN once they are added up for the table, where the formula multiplies each one first.
    let of_table = weights && name.contains(" tables.");
    for (index, (&y, &(p, r))) in actual.iter().zip(&expected).enumerate() {
        let near = |kind: Kind| match kind {
            // A driver may take subnormal numbers for zeros.
            Kind::Exact(_) => y == p || (y == 0.0 && p.abs() < f64::from(f32::MIN_POSITIVE)),
            Kind::Words => y == p,
            Kind::Colors => {
                let byte = |value: f64| if value.is_nan() { 0.0 } else { 255.0 * value.clamp(0.0, 1.0) };
                (y - byte(p)).abs() <= 0.5 + 2e-4 || (y - byte(r)).abs() <= 0.5 + 2e-4
            }
            Kind::Near(_) => {
                let moved = moved(index);
                // Where a huge number reaches, its share of the error of a softmax over nine entries.
                // One that all logits of a softmax share cancels out, but not its roundings.
                // The gradient of a softmax over one key cancels out as a whole, and so does its change.
                let shared = !nudged.is_empty() && (weights || exact[index] != ordinary[index]);
                let reached =
                    if moved > 0.0 || shared { 2.0 * (p - r).abs() + common::softmax_room(9, HUGE) } else { 0.0 };
                let cancelled = if name.contains("_backward") && r.abs() >= 64.0 { sized(r) } else { 0.0 };
                !moved.is_finite() || (y - r).abs() <= gate + cancelled + unit * r.abs() + 2.0 * moved + reached
            }
        };
        let right = match kind {
            Kind::Colors => near(kind),
            // The formula overflows in f32 or in f16 and not in f64, or only just: either answer is right.
            _ if !same_class(p, r) => {
                // Sums of both infinities are NaN or either infinity, by the order of their terms.
                let overflows = !p.is_finite() && !r.is_finite() && !y.is_finite();
                same_class(y, p) || same_class(y, r) || overflows
            }
            _ if !p.is_finite() => same_class(y, p) || (of_table && y.is_nan()),
            _ => near(kind) || overflown(y, r),
        };
        if !right {
            return Some(format!("element {index} is {y:e}, expected {p:e} (in f64 {r:e}), gate {gate:e}"));
        }
    }
    None
}

/// Runs every case of an entry; how many there were.
fn sweep(gpu: &TestGpu, entry: &Entry, failures: &mut Vec<String>) -> usize {
    let cases = cases(entry);
    let fixture = Fixture::new(&gpu.device, entry).unwrap();
    let archive = fixture.archive(&gpu.device, cases.len().max(1));
    let bytes = |input: usize, numbers: &[f32]| {
        let Contents::Floats(element, _) = &entry.inputs[input].contents else { unreachable!("words are not swept") };
        stored(&Contents::Floats(*element, numbers.to_vec()))
    };
    for (run, case) in cases.iter().enumerate() {
        gpu.queue.write_buffer(&fixture.inputs[case.input], 0, &bytes(case.input, &case.numbers));
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        fixture.record(&mut encoder, &archive, run);
        gpu.queue.submit([encoder.finish()]);
        gpu.queue.write_buffer(&fixture.inputs[case.input], 0, &stored(&entry.inputs[case.input].contents));
    }
    let ordinary: Vec<Vec<f32>> = entry
        .inputs
        .iter()
        .map(|input| match &input.contents {
            Contents::Floats(_, numbers) => numbers.clone(),
            Contents::Words(_) => Vec::new(),
        })
        .collect();
    let widened = |inputs: &[Vec<f32>]| inputs.iter().map(|numbers| wide(numbers)).collect::<Vec<_>>();
    let without = (entry.exact)(&widened(&ordinary));
    let archive = read(&gpu.device, &gpu.queue, &archive);
    for (case, run) in cases.iter().zip(archive.chunks_exact(fixture.stride() as usize)) {
        let with = |numbers: &[f32]| {
            let Contents::Floats(element, _) = &entry.inputs[case.input].contents else { unreachable!() };
            let mut inputs = ordinary.clone();
            inputs[case.input] = common::rounded(numbers, *element);
            inputs
        };
        let inputs = with(&case.numbers);
        let (baseline, exact) = ((entry.baseline)(&inputs), (entry.exact)(&widened(&inputs)));
        let nudge = |numbers: &Vec<f32>| {
            let mut inputs = ordinary.clone();
            inputs[case.input].clone_from(numbers);
            (entry.exact)(&widened(&inputs))
        };
        let nudged: Vec<_> = case.nudged.iter().map(nudge).collect();
        let what = format!("{}, {}", entry.name, case.what);
        for (index, output) in fixture.outputs(run, &what).into_iter().enumerate() {
            let (name, _, kind) = entry.outputs[index];
            if case.overflows && matches!(kind, Kind::Near(_)) {
                continue;
            }
            let nudged: Vec<_> = nudged.iter().map(|outputs| outputs[index].as_slice()).collect();
            let actual = decoded(output, kind);
            if let Some(reason) =
                wrong(&actual, (kind, &what), &baseline[index], &exact[index], &nudged, &without[index])
            {
                failures.push(format!("{what}: {name}: {reason}"));
            }
        }
    }
    cases.len()
}

#[test]
fn special_numbers_in_every_tensor_of_every_operator() {
    let Some(gpu) = common::gpu() else { return };
    let mut failures = Vec::new();
    let mut count = 0;
    for element in gpu.elements() {
        for entry in catalogue(element, SMALL, 1) {
            count += sweep(gpu, &entry, &mut failures);
        }
    }
    eprintln!("{count} cases");
    let shown = failures.iter().take(40).fold(String::new(), |text, failure| text + "\n" + failure);
    assert!(failures.is_empty(), "{} of {count} cases are wrong:{shown}", failures.len());
}

/// One submission of many runs of each operator; every result is kept and compared. A hash of each result is printed,
/// for `tests/runs/determinism.sh`, which compares processes.
#[test]
fn repeated_runs_give_the_same_bits() {
    let Some(gpu) = common::gpu() else { return };
    let runs = repeats();
    for element in gpu.elements() {
        for entry in catalogue(element, Nchw::new(2, 4, 9, 11), 2) {
            let fixture = Fixture::new(&gpu.device, &entry).unwrap();
            let archive = fixture.archive(&gpu.device, runs);
            let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            (0..runs).for_each(|run| fixture.record(&mut encoder, &archive, run));
            gpu.queue.submit([encoder.finish()]);
            let archive = read(&gpu.device, &gpu.queue, &archive);
            let mut all = archive.chunks_exact(fixture.stride() as usize);
            let first = all.next().unwrap();
            fixture.outputs(first, &entry.name);
            for (run, bits) in all.enumerate() {
                assert!(bits == first, "{}: run {} differs from the first", entry.name, run + 1);
            }
            let mut hasher = DefaultHasher::new();
            hasher.write(first);
            eprintln!("bits: {:016x} {} {runs} runs", hasher.finish(), entry.name);
        }
    }
}
