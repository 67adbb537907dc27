//! Every operator at one shape, with ordinary inputs and its reference, so that a test can be written once for all of them.

use std::sync::Arc;

use num_traits::Float;
use visual_attention::operators::{self, Arrays, Options, Shapes, Slices};
use visual_attention::{
    Border, DType, Element, Error, Nchw, PositionTables, QueryPosition, Recording, RelativePosition, Role, TensorSpec,
    WindowAttention, WindowAttentionOptions, WindowWeightsBuffers, reference, wgpu,
};

use super::backward;
use super::describing::describing;
use super::problems::{self, Problem, problems};
use super::{Random, compiler, rounded};

/// Binds an opened operator to its inputs and outputs, in the order of the entry.
pub(crate) type Bind = Box<
    dyn Fn(&wgpu::Device, &[wgpu::BufferSlice<'_>], &[wgpu::BufferSlice<'_>]) -> Result<Recording, Error> + Send + Sync,
>;
type Open = Box<dyn Fn(&wgpu::Device) -> Result<Bind, Error> + Send + Sync>;
type Reference<T> = Box<dyn Fn(&[Vec<T>]) -> Vec<Vec<T>> + Send + Sync>;

/// What an input holds.
#[derive(Clone)]
pub(crate) enum Contents {
    Floats(Element, Vec<f32>),
    /// Masks and boxes, which no special float can reach; their reference knows them.
    Words(Vec<u32>),
}

/// How an output is stored, and what its gate is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Maxima and copies: equal to the reference.
    Exact(Element),
    /// Within the gate.
    Near(Element),
    /// Integers.
    Words,
    /// Four bytes to a pixel; the reference gives numbers in 0..1.
    Colors,
}

#[derive(Clone)]
pub(crate) struct Input {
    pub(crate) name: &'static str,
    pub(crate) contents: Contents,
}

pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<(&'static str, usize, Kind)>,
    /// The first output starts as the first input, which is not bound.
    pub(crate) in_place: bool,
    pub(crate) open: Open,
    pub(crate) baseline: Reference<f32>,
    pub(crate) exact: Reference<f64>,
}

/// Any word but 0 is set, be it a sign bit or a NaN.
fn mask(seed: u64, len: usize) -> Vec<u32> {
    let odd = [0, 1, 0x8000_0000, 0, u32::MAX, 0x7fc0_0000, 0, 0x100];
    let mut random = Random::new(seed);
    (0..len).map(|_| odd[random.below(8) as usize]).collect()
}

/// Reversed, beyond every side, at the ends of the integers.
const BOXES: [[i32; 4]; 8] = [
    [3, 2, 1, 0],
    [i32::MIN, i32::MIN, i32::MAX, i32::MAX],
    [i32::MAX, i32::MAX, i32::MIN, i32::MIN],
    [i32::MAX, 0, i32::MAX, 1],
    [-5, -7, -1, -1],
    [1, 1, 2, 2],
    [0, 0, 0, i32::MIN],
    [1_000_000, 1_000_000, 2_000_000, 2_000_000],
];

/// The element type of a tensor of floats.
pub(crate) fn float(dtype: DType) -> Option<Element> {
    match dtype {
        DType::F32 => Some(Element::F32),
        DType::F16 => Some(Element::F16),
        _ => None,
    }
}

/// Ordinary contents of an input.
fn contents(spec: &TensorSpec, random: &mut Random, seed: u64) -> Contents {
    let len = spec.elements().unwrap() as usize;
    match (spec.dtype, float(spec.dtype)) {
        (_, Some(element)) => {
            let mut numbers = rounded(&random.normal(len), element);
            if spec.name.ends_with("norm.variance") {
                numbers.iter_mut().for_each(|value| *value = value.abs());
            }
            Contents::Floats(element, numbers)
        }
        (DType::I32, _) => {
            let boxes = (0..len / 4).flat_map(|image| BOXES[(image + seed as usize) % BOXES.len()]);
            Contents::Words(boxes.map(|side| side as u32).collect())
        }
        _ => Contents::Words(mask(seed, len)),
    }
}

fn kind(problem: &Problem, spec: &TensorSpec) -> Kind {
    match float(spec.dtype) {
        Some(element) if problem.exact.contains(&spec.name) => Kind::Exact(element),
        Some(element) => Kind::Near(element),
        None if problem.operator == "heat_overlay" => Kind::Colors,
        None => Kind::Words,
    }
}

/// An input's name and type, and its words if it holds any.
type Known = (&'static str, DType, Option<Vec<u32>>);

fn reference_of<T: Float + 'static>(
    operator: impl Fn(&Shapes, &Arrays<T>) -> Result<Arrays<T>, Error>,
    shapes: &Shapes,
    inputs: &[Known],
    outputs: &[&'static str],
    x: &[Vec<T>],
) -> Vec<Vec<T>> {
    let number = |dtype: DType, word: u32| match dtype {
        DType::I32 => T::from(word as i32).unwrap(),
        _ => T::from(word).unwrap(),
    };
    let named = inputs.iter().zip(x).map(|((name, dtype, words), numbers)| {
        let words = words.as_ref().map(|words| words.iter().map(|&word| number(*dtype, word)).collect());
        (*name, words.unwrap_or_else(|| numbers.clone()))
    });
    let found = operator(shapes, &Arrays::new(named)).unwrap();
    outputs.iter().map(|name| found.get(name).unwrap().to_vec()).collect()
}

/// `None` where the operator refuses the shape: a shifted window larger than the image.
fn entry(problem: &Problem, element: Element, random: &mut Random, seed: u64) -> Option<Entry> {
    let options = Options::new(problems::options(problem, element));
    let described = operators::find(problem.operator).unwrap();
    let operator = Arc::new(described.open(describing(), &options).unwrap());
    let shapes = Shapes::new(problem.shapes.iter().map(|(name, shape)| (*name, shape.clone())));
    let mut specs = operator.tensors(&shapes).ok()?;
    specs.retain(|spec| !problem.lacks(spec.name));
    let read: Vec<_> = specs.iter().filter(|spec| spec.role != Role::Output).cloned().collect();
    let written: Vec<_> = specs.iter().filter(|spec| spec.role != Role::Input).cloned().collect();
    let in_place = read.iter().any(|spec| spec.role == Role::InPlace);
    let inputs: Vec<_> =
        read.iter().map(|spec| Input { name: spec.name, contents: contents(spec, random, seed) }).collect();
    let mut inputs = inputs;
    backward::save(problem, element, &shapes, &mut inputs);
    let outputs: Vec<_> =
        written.iter().map(|spec| (spec.name, spec.elements().unwrap() as usize, kind(problem, spec))).collect();

    let words = |input: &Input| match &input.contents {
        Contents::Words(words) => Some(words.clone()),
        Contents::Floats(..) => None,
    };
    let known: Vec<_> = read.iter().zip(&inputs).map(|(spec, input)| (spec.name, spec.dtype, words(input))).collect();
    let names: Vec<_> = outputs.iter().map(|&(name, ..)| name).collect();
    let (again, again_shapes, again_known, again_names) =
        (operator.clone(), shapes.clone(), known.clone(), names.clone());
    let baseline: Reference<f32> = Box::new(move |x| {
        reference_of(|shapes, inputs| again.reference_f32(shapes, inputs), &again_shapes, &again_known, &again_names, x)
    });
    let (bound_names, bound_shapes) = (names.clone(), shapes.clone());
    let exact: Reference<f64> = Box::new(move |x| {
        reference_of(|shapes, inputs| operator.reference_f64(shapes, inputs), &shapes, &known, &names, x)
    });
    let read_names: Vec<_> = read.iter().map(|spec| (spec.name, spec.role == Role::Input)).collect();
    let open: Open = Box::new(move |device| {
        let operator = described.open(compiler::of(device), &options)?;
        let (read, written, shapes) = (read_names.clone(), bound_names.clone(), bound_shapes.clone());
        let bind: Bind = Box::new(move |device, i, o| {
            let inputs = read.iter().zip(i).filter(|((_, bound), _)| *bound).map(|((name, _), slice)| (*name, *slice));
            let outputs = written.iter().zip(o).map(|(name, slice)| (*name, *slice));
            operator.bind(device, &shapes, &Slices::new(inputs.chain(outputs)))
        });
        Ok(bind)
    });
    let name = format!("{} {element:?}", problem.label);
    Some(Entry { name, inputs, outputs, in_place, open, baseline, exact })
}

/// Every operator with every option that has a kernel or a branch of its own, over `shape`: an even number of channels.
pub(crate) fn catalogue(element: Element, shape: Nchw, seed: u64) -> Vec<Entry> {
    catalogue_of(element, shape, seed, |_| true)
}

/// The entry of one problem, with random numbers of its own; `None` where the operator refuses the shape.
pub(crate) fn entry_of(problem: &Problem, element: Element, seed: u64) -> Option<Entry> {
    entry(problem, element, &mut Random::new(seed).of(&problem.label), seed)
}

/// The entries whose label is `wanted`. Each has random numbers of its own, so they do not depend on the others.
pub(crate) fn catalogue_of(element: Element, shape: Nchw, seed: u64, wanted: impl Fn(&str) -> bool) -> Vec<Entry> {
    let all = problems(shape).into_iter().filter(|problem| problem.generic || element == Element::F32);
    let all = all.filter(|problem| wanted(&problem.label));
    let mut all: Vec<_> = all.filter_map(|problem| entry_of(&problem, element, seed)).collect();
    for &(name, relative) in RelativePosition::NAMES {
        let label = format!("window_attention_weights {name}");
        if wanted(&label) {
            all.push(weights(element, shape, relative, &mut Random::new(seed).of(&label)));
        }
    }
    all
}

/// Tables of an attention over images.
fn tables<T: Copy>(relative: RelativePosition, x: &[T]) -> PositionTables<T> {
    match relative {
        RelativePosition::None => PositionTables::None,
        RelativePosition::Bias => PositionTables::Bias(x[0]),
        _ => PositionTables::rows_and_columns(x[0], x[1]),
    }
}

/// The weights of the chosen queries of the first image, for both heads.
fn chosen<T: Float>(
    shape: Nchw,
    options: &WindowAttentionOptions,
    queries: [(u32, u32); 2],
    x: &[Vec<T>],
) -> Vec<Vec<T>> {
    let borrowed: Vec<_> = x[2..].iter().map(Vec::as_slice).collect();
    let tables = tables(options.relative, &borrowed);
    let all = reference::window_attention(shape, options, &x[0], &x[1], &x[1], tables).weights;
    let plane = shape.size().pixels() as usize;
    let rows = queries.into_iter().flat_map(|(row, column)| {
        let pixel = (row * shape.width + column) as usize;
        [pixel * 9, (plane + pixel) * 9]
    });
    vec![rows.flat_map(|first| all[first..first + 9].to_vec()).collect()]
}

/// The weights of one query in the middle and one in a corner: what `WindowAttention` computes beside its output.
fn weights(element: Element, shape: Nchw, relative: RelativePosition, random: &mut Random) -> Entry {
    let options = WindowAttentionOptions::new(2, shape.channels / 2, 3)
        .with_border(Border::Mask)
        .with_relative(relative)
        .with_scale(0.75);
    let specs = WindowAttention::new(describing(), options, element).unwrap().weights_tensors(shape, 2).unwrap();
    let read = specs.iter().filter(|spec| spec.role == Role::Input);
    let inputs = read.map(|spec| Input { name: spec.name, contents: contents(spec, random, 0) }).collect();
    let queries = [(0, 0), (shape.height / 2, shape.width / 2)];

    Entry {
        name: format!("window_attention_weights {relative:?} {element:?}"),
        inputs,
        outputs: vec![("weights", 2 * 2 * 9, Kind::Near(Element::F32))],
        in_place: false,
        open: Box::new(move |device| {
            let operator = WindowAttention::new(compiler::of(device), options, element)?;
            let bind: Bind = Box::new(move |device, i, o| {
                let queries = queries.map(|(row, column)| QueryPosition { image: 0, frame: 0, row, column });
                let tables = tables(relative, &i[2..]);
                let buffers = WindowWeightsBuffers { q: i[0], k: i[1], tables, weights: o[0] };
                operator.bind_weights(device, shape, &queries, buffers)
            });
            Ok(bind)
        }),
        baseline: Box::new(move |x| chosen(shape, &options, queries, x)),
        exact: Box::new(move |x| chosen(shape, &options, queries, x)),
    }
}
