//! Windowed attention, its projections and its stem, and pooling over windows, as data.

use num_traits::Float;

use super::{Arrays, Described, Options, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Border, Cost, Error, Nchw, PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions, Pooling, PositionTables,
    Recording, RelativePosition, SasaLayer, SasaLayerBuffers, SasaLayerOptions, SasaStem, SasaStemBuffers,
    SasaStemOptions, Size, TensorSpec, WindowAttention, WindowAttentionBuffers, WindowAttentionOptions, WindowPool,
    WindowPoolBuffers, reference,
};

/// The options of a window; those that the paper leaves at 1 may be left out.
fn window_options(options: &Options) -> Result<WindowAttentionOptions, Error> {
    let one = Some(Size::new(1, 1));
    let (heads, head_dim) = (options.integer("heads", None)?, options.integer("head_dim", None)?);
    let window = options.size("window", None)?;
    let defaults = WindowAttentionOptions { window, ..WindowAttentionOptions::new(heads, head_dim, 1) };
    Ok(WindowAttentionOptions {
        dilation: options.size("dilation", one)?,
        stride: options.size("stride", one)?,
        border: options.name("border", Border::NAMES, defaults.border)?,
        relative: options.name("relative", RelativePosition::NAMES, defaults.relative)?,
        scale: options.number("scale", Some(defaults.scale))?,
        scale_relative: options.flag("scale_relative", defaults.scale_relative)?,
        ..defaults
    })
}

/// The tables of a relative term, from whatever holds tensors by name.
fn tables<T>(
    relative: RelativePosition,
    mut of: impl FnMut(&'static str) -> Result<T, Error>,
) -> Result<PositionTables<T>, Error> {
    Ok(match relative {
        RelativePosition::None => PositionTables::None,
        RelativePosition::Bias => PositionTables::Bias(of("tables.bias")?),
        RelativePosition::PerHead | RelativePosition::WholeChannel => {
            PositionTables::Factorised { row: of("tables.row")?, column: of("tables.column")? }
        }
    })
}

#[derive(Debug)]
pub(super) struct Attention(WindowAttention);

impl Described for Attention {
    const NAME: &'static str = "window_attention";
    const ABOUT: &'static str = "softmax attention of every query to the keys of the window around it";
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        Ok(Self(WindowAttention::new(compiler, window_options(options)?, options.element()?)?))
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "q")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.0.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = WindowAttentionBuffers {
            q: slices.need(Self::NAME, "q")?,
            k: slices.need(Self::NAME, "k")?,
            v: slices.need(Self::NAME, "v")?,
            tables: tables(self.0.options().relative, |name| slices.need(Self::NAME, name))?,
            y: slices.need(Self::NAME, "y")?,
            log_sum_exp: slices.get("log_sum_exp"),
        };
        self.0.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.0.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let need = |name| inputs.need(Self::NAME, name);
        let tables = tables(self.0.options().relative, need)?;
        let found = reference::window_attention(shape, self.0.options(), need("q")?, need("k")?, need("v")?, tables);
        Ok(Arrays::new([("y", found.y), ("log_sum_exp", found.log_sum_exp)]))
    }
}

#[derive(Debug)]
pub(super) struct Projection {
    operator: PointwiseConv,
    options: PointwiseConvOptions,
}

impl Described for Projection {
    const NAME: &'static str = "pointwise_conv";
    const ABOUT: &'static str = "up to three 1x1 convolutions of one tensor";
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let (inputs, outputs) = (options.integer("inputs", None)?, options.integer("outputs", None)?);
        let defaults = PointwiseConvOptions::new(inputs, outputs);
        let chosen = PointwiseConvOptions {
            groups: options.integer("groups", Some(defaults.groups))?,
            stack: options.integer("stack", Some(defaults.stack))?,
            bias: options.flag("bias", defaults.bias)?,
            ..defaults
        };
        Ok(Self { operator: PointwiseConv::new(compiler, chosen, options.element()?)?, options: chosen })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "x")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = PointwiseConvBuffers {
            x: slices.need(Self::NAME, "x")?,
            weights: slices.need(Self::NAME, "weights")?,
            bias: slices.get("bias"),
            y: ["y[0]", "y[1]", "y[2]"].map(|name| slices.get(name)),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (x, weights) = (inputs.need(Self::NAME, "x")?, inputs.need(Self::NAME, "weights")?);
        let outputs = reference::pointwise_conv(shape, &self.options, x, weights, inputs.get("bias"));
        Ok(Arrays::new(["y[0]", "y[1]", "y[2]"].into_iter().zip(outputs)))
    }
}

#[derive(Debug)]
pub(super) struct Layer {
    operator: SasaLayer,
    options: SasaLayerOptions,
}

impl Described for Layer {
    const NAME: &'static str = "sasa_layer";
    const ABOUT: &'static str = "a layer of Stand-Alone Self-Attention: projections, and windowed attention over them";
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let (inputs, groups) = (options.integer("inputs", None)?, options.integer("groups", Some(1))?);
        let chosen = SasaLayerOptions { inputs, groups, attention: window_options(options)? };
        Ok(Self { operator: SasaLayer::new(compiler, chosen, options.element()?)?, options: chosen })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "x")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = SasaLayerBuffers {
            x: slices.need(Self::NAME, "x")?,
            projections: slices.need(Self::NAME, "projections")?,
            tables: tables(self.options.attention.relative, |name| slices.need(Self::NAME, name))?,
            y: slices.need(Self::NAME, "y")?,
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let need = |name| inputs.need(Self::NAME, name);
        let tables = tables(self.options.attention.relative, need)?;
        let y = reference::sasa_layer(shape, &self.options, need("x")?, need("projections")?, tables);
        Ok(Arrays::new([("y", y)]))
    }
}

#[derive(Debug)]
pub(super) struct Stem {
    operator: SasaStem,
    options: SasaStemOptions,
}

impl Described for Stem {
    const NAME: &'static str = "sasa_stem";
    const ABOUT: &'static str = "the attention stem of Stand-Alone Self-Attention: values mixed by position";
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let chosen = SasaStemOptions {
            inputs: options.integer("inputs", Some(3))?,
            heads: options.integer("heads", None)?,
            head_dim: options.integer("head_dim", None)?,
            window: options.size("window", Some(Size::new(4, 4)))?,
            padding: options.size("padding", Some(Size::new(2, 2)))?,
            mixtures: options.integer("mixtures", Some(4))?,
            embeddings: options.integer("embeddings", None)?,
            scale: options.number("scale", Some(1.0))?,
        };
        Ok(Self { operator: SasaStem::new(compiler, chosen, options.element()?)?, options: chosen })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "x")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let need = |name| slices.need(Self::NAME, name);
        let buffers = SasaStemBuffers {
            x: need("x")?,
            projections: need("projections")?,
            row: need("row")?,
            column: need("column")?,
            mix: need("mix")?,
            y: need("y")?,
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let need = |name| inputs.need(Self::NAME, name);
        let [x, projections, row, column, mix] =
            [need("x")?, need("projections")?, need("row")?, need("column")?, need("mix")?];
        let y = reference::sasa_stem(shape, &self.options, x, projections, row, column, mix);
        Ok(Arrays::new([("y", y)]))
    }
}

#[derive(Debug)]
pub(super) struct Pool {
    operator: WindowPool,
    pooling: Pooling,
    window: Size,
}

impl Described for Pool {
    const NAME: &'static str = "window_pool";
    const ABOUT: &'static str = "mean or maximum over windows side by side";
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let pooling = options.name("pooling", Pooling::NAMES, Pooling::default())?;
        let window = options.size("window", Some(Size::new(2, 2)))?;
        Ok(Self { operator: WindowPool::new(compiler, pooling, window, options.element()?)?, pooling, window })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "x")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (x, y) = (slices.need(Self::NAME, "x")?, slices.need(Self::NAME, "y")?);
        self.operator.bind(device, shape, WindowPoolBuffers { x, y })
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let x = inputs.need(Self::NAME, "x")?;
        Ok(Arrays::new([("y", reference::window_pool(shape, self.pooling, self.window, x))]))
    }
}
