//! What several operators say of themselves in the same way.

use num_traits::{Float, ToPrimitive};

use super::options::Reader;
use super::{Arrays, Shapes, Slices};
use crate::reference::{Excitation, GateUpstream, Norm};
use crate::{
    BatchNorm, CbamOptions, DenseShape, Epilogue, Error, Ncthw, PointwiseConvOptions, PositionTables, RelativePosition,
    Squeeze, SqueezeExciteOptions, TensorSpec, WindowAttentionOptions, WindowAxis,
};

/// A mask: set where not 0.
pub(super) fn mask<T: Float>(numbers: &[T]) -> Vec<u32> {
    numbers.iter().map(|number| u32::from(!number.is_zero())).collect()
}

pub(super) fn boxes<T: Float>(numbers: &[T]) -> Vec<[i32; 4]> {
    // A cast that stays within `i32`.
    let signed: Vec<i32> = numbers.iter().map(|number| number.to_f64().unwrap_or(f64::NAN) as i32).collect();
    signed.chunks_exact(4).map(|one| [one[0], one[1], one[2], one[3]]).collect()
}

pub(super) fn floats<T: Float>(values: impl IntoIterator<Item = impl ToPrimitive>) -> Vec<T> {
    values.into_iter().map(|value| T::from(value).unwrap_or_else(T::nan)).collect()
}

/// `PyTorch`'s `BatchNorm2d` has this one.
pub(super) const EPSILON: f32 = 1e-5;

/// A norm that must be there. `names` are weight, bias, mean and variance.
pub(super) fn required_norm<'a>(
    op: &'static str,
    slices: &Slices<'a>,
    [weight, bias, mean, variance]: [&'static str; 4],
    epsilon: f32,
) -> Result<BatchNorm<'a>, Error> {
    Ok(BatchNorm {
        weight: slices.required(op, weight)?,
        bias: slices.required(op, bias)?,
        mean: slices.required(op, mean)?,
        variance: slices.required(op, variance)?,
        epsilon,
    })
}

/// A norm, if any of its tensors is given.
pub(super) fn norm<'a>(
    op: &'static str,
    slices: &Slices<'a>,
    names: [&'static str; 4],
    epsilon: f32,
) -> Result<Option<BatchNorm<'a>>, Error> {
    let given = names.iter().any(|name| slices.get(name).is_some());
    given.then(|| required_norm(op, slices, names, epsilon)).transpose()
}

/// As [`required_norm`], for the reference.
pub(super) fn required_norm_reference<'a, T: Float>(
    op: &'static str,
    inputs: &'a Arrays<T>,
    [weight, bias, mean, variance]: [&'static str; 4],
    epsilon: f32,
) -> Result<Norm<'a, T>, Error> {
    Ok(Norm {
        weight: inputs.required(op, weight)?,
        bias: inputs.required(op, bias)?,
        mean: inputs.required(op, mean)?,
        variance: inputs.required(op, variance)?,
        epsilon: T::from(epsilon).unwrap_or_else(T::nan),
    })
}

/// As [`norm`], for the reference.
pub(super) fn norm_reference<'a, T: Float>(
    op: &'static str,
    inputs: &'a Arrays<T>,
    names: [&'static str; 4],
    epsilon: f32,
) -> Result<Option<Norm<'a, T>>, Error> {
    let given = names.iter().any(|name| inputs.get(name).is_some());
    given.then(|| required_norm_reference(op, inputs, names, epsilon)).transpose()
}

pub(super) fn excitation<'a, T>(op: &'static str, inputs: &'a Arrays<T>) -> Result<Excitation<'a, T>, Error> {
    Ok(Excitation {
        reduce_weight: inputs.required(op, "reduce_weight")?,
        reduce_bias: inputs.optional("reduce_bias"),
        expand_weight: inputs.required(op, "expand_weight")?,
        expand_bias: inputs.optional("expand_bias"),
    })
}

/// The shape of a dense layer.
pub(super) fn dense_shape(op: &'static str, shapes: &Shapes) -> Result<DenseShape, Error> {
    let [batch, inputs] = shapes.axes(op, "input")?;
    let [outputs, _] = shapes.axes(op, "weight")?;
    let second = shapes.get("second").map(|_| shapes.axes(op, "second")).transpose()?;
    Ok(DenseShape { batch, inputs, second_inputs: second.map_or(0, |[_, inputs]: [u32; 2]| inputs), outputs })
}

/// The options of an excitation.
pub(super) fn excite_options(options: &Reader<'_>) -> Result<SqueezeExciteOptions, Error> {
    let defaults = SqueezeExciteOptions::STANDARD;
    Ok(SqueezeExciteOptions {
        squeeze: options.name("squeeze", Squeeze::NAMES, defaults.squeeze)?,
        activation: options.activation("activation", defaults.activation)?,
        gate: options.activation("gate", defaults.gate)?,
        epilogue: epilogue(options)?,
    })
}

/// Output, its gradient, and the gradient of the gate, of an operator that computes the gradients of a gate.
pub(super) fn gate_upstream<'a>(slices: &Slices<'a>) -> [Option<wgpu::BufferSlice<'a>>; 3] {
    ["output", "output_gradient", "gate_gradient"].map(|name| slices.optional(name))
}

/// As [`gate_upstream`], for the reference.
pub(super) fn gate_upstream_reference<T>(inputs: &Arrays<T>) -> GateUpstream<'_, T> {
    let [output, output_gradient, gate_gradient] =
        ["output", "output_gradient", "gate_gradient"].map(|name| inputs.optional(name));
    GateUpstream { output, output_gradient, gate_gradient }
}

/// The width between the layers of an excitation.
pub(super) fn reduced(op: &'static str, shapes: &Shapes) -> Result<u32, Error> {
    shapes.axes(op, "reduce_weight").map(|[reduced, _]: [u32; 2]| reduced)
}

pub(super) fn epilogue(options: &Reader<'_>) -> Result<Epilogue, Error> {
    options.name("epilogue", Epilogue::NAMES, Epilogue::default())
}

/// The options of a window; those that the paper leaves at 1 may be left out.
pub(super) fn window_options(options: &Reader<'_>) -> Result<WindowAttentionOptions, Error> {
    let (heads, head_dim) = (options.integer("heads", None)?, options.integer("head_dim", None)?);
    let window = options.axes("window", [1; 3], true)?;
    let (dilation, stride) = (options.axes("dilation", [1; 3], false)?, options.axes("stride", [1; 3], false)?);
    let (group, origin) = (options.axes("group", [1; 3], false)?, options.axes("origin", [0; 3], false)?);
    let border = options.borders("border")?;
    let axes = [0, 1, 2].map(|axis| {
        WindowAxis::new(window[axis])
            .with_dilation(dilation[axis])
            .with_stride(stride[axis])
            .with_group(group[axis])
            .with_origin(origin[axis])
            .with_border(border[axis])
    });
    let defaults = WindowAttentionOptions::new(heads, head_dim, 1).with_axes(axes);
    Ok(defaults
        .with_relative(options.name("relative", RelativePosition::NAMES, defaults.relative)?)
        .with_scale(options.number("scale", Some(defaults.scale))?)
        .with_scale_relative(options.flag("scale_relative", defaults.scale_relative)?))
}

/// The tables of a relative term, from whatever holds tensors by name.
pub(super) fn tables<T>(
    options: &WindowAttentionOptions,
    mut of: impl FnMut(&'static str) -> Result<T, Error>,
) -> Result<PositionTables<T>, Error> {
    Ok(match options.relative {
        RelativePosition::None => PositionTables::None,
        RelativePosition::Bias => PositionTables::Bias(of("tables.bias")?),
        RelativePosition::PerHead | RelativePosition::WholeChannel | RelativePosition::Sum => {
            // One table for each axis whose windows have more than one key.
            let mut table = |axis: usize, name| (options.axes[axis].keys > 1).then(|| of(name)).transpose();
            PositionTables::Axes {
                frames: table(0, "tables.frames")?,
                rows: table(1, "tables.rows")?,
                columns: table(2, "tables.columns")?,
            }
        }
    })
}

/// A shape `[n, c, t, h, w]`, of which images leave out `t`, and lines leave out `t` and `h`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Positions {
    pub(super) shape: Ncthw,
    absent: usize,
}

impl Positions {
    pub(super) fn of(op: &'static str, shapes: &Shapes, binding: &'static str) -> Result<Self, Error> {
        let given = shapes.get(binding).map(Vec::as_slice);
        let (shape, absent) = match given {
            Some(&[n, c, t, h, w]) => ([n, c, t, h, w], 0),
            Some(&[n, c, h, w]) => ([n, c, 1, h, w], 1),
            Some(&[n, c, w]) => ([n, c, 1, 1, w], 2),
            other => {
                let given = other.map_or("no shape".into(), |shape| format!("{shape:?}"));
                let needed = "3, 4 or 5 axes".into();
                return Err(Error::InvalidShape { op, binding, given, needed });
            }
        };
        Ok(Self { shape: shape.into(), absent })
    }

    /// The tensors with as many axes as the input that was given.
    pub(super) fn specs(self, specs: Vec<TensorSpec>) -> Vec<TensorSpec> {
        specs.into_iter().map(|spec| self.without_absent_axes(spec)).collect()
    }

    // Tables of the axes and weights of a head have none of these axes.
    fn without_absent_axes(self, mut spec: TensorSpec) -> TensorSpec {
        match spec.name {
            "tables.frames" | "tables.rows" | "tables.columns" | "weight" | "weight_gradient" => {}
            "tables.frames_gradient" | "tables.rows_gradient" | "tables.columns_gradient" => {}
            // A window of several frames, in an image, keeps its table.
            "tables.bias" | "tables.bias_gradient" if spec.shape[1..=self.absent].iter().any(|&extent| extent > 1) => {}
            "tables.bias" | "tables.bias_gradient" => drop(spec.shape.drain(1..=self.absent)),
            _ => drop(spec.shape.drain(2..2 + self.absent)),
        }
        spec
    }
}

/// A gate, and the output that all epilogues but one have.
pub(super) fn gated<T>(epilogue: Epilogue, (gate, output): (Vec<T>, Vec<T>)) -> Arrays<T> {
    let output = (epilogue != Epilogue::GateOnly).then_some(("output", output));
    Arrays::new(std::iter::once(("gate", gate)).chain(output))
}

pub(super) fn projection(options: &Reader<'_>) -> Result<PointwiseConvOptions, Error> {
    let (inputs, outputs) = (options.integer("inputs", None)?, options.integer("outputs", None)?);
    let defaults = PointwiseConvOptions::new(inputs, outputs);
    Ok(defaults
        .with_groups(options.integer("groups", Some(defaults.groups))?)
        .with_stack(options.integer("stack", Some(defaults.stack))?)
        .with_bias(options.flag("bias", defaults.bias)?))
}

/// The options of CBAM, and the epsilon of its norm.
pub(super) fn cbam_options(options: &Reader<'_>) -> Result<(CbamOptions, f32), Error> {
    let defaults = CbamOptions::STANDARD;
    let chosen = defaults
        .with_activation(options.activation("activation", defaults.activation)?)
        .with_gate(options.activation("gate", defaults.gate)?)
        .with_epilogue(epilogue(options)?);
    Ok((chosen, options.number("norm_epsilon", Some(EPSILON))?))
}
