//! Any operator with any options, bound to any shape, drawn from bytes: for a property test and for a fuzzer, which share this
//! file. Every `bind` here is given what a careless caller might give.

use visual_attention::operators::{self, Options, Shapes, Slices};
use visual_attention::{
    Activation, AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape, AttentionMap,
    AttentionMapBuffers, BatchNorm, BiSeNetAttention, BiSeNetAttentionBuffers, Border, BoundingBox, BoundingBoxBuffers,
    Cbam, CbamBuffers, CbamOptions, CbamShape, ChannelScale, ChannelScaleBuffers, ColorMap, ColorNormalization,
    ColorTransfer, Connectivity, CropEnd, CropResize, CropResizeBuffers, CropResizeShape, Dense, DenseBuffers,
    DenseShape, Eca, EcaBuffers, EcaShape, Element, Epilogue, Error, GlobalPool, GlobalPoolBuffers, HeatOverlay,
    HeatOverlayBuffers, HeatOverlayShape, HeatOverlayTexture, LabelBuffers, LargestComponent, LargestComponentBuffers,
    Nchw, Ncthw, Nhw, Normalization, Normalize, NormalizeBuffers, PlanesToTexture, PlanesToTextureBuffers,
    PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions, PositionTables, QueryPosition, Recording,
    RelativePosition, Resize, ResizeBuffers, ResizeShape, Sampling, SasaLayer, SasaLayerBuffers, SasaLayerOptions,
    SasaStem, SasaStemBackward, SasaStemBackwardBuffers, SasaStemBuffers, SasaStemOptions, ScSe, ScSeBuffers,
    ScSeCombine, ScSeOptions, ScSeShape, Size, SpatialGate, SpatialGateBuffers, SpatialGateShape, Squeeze,
    SqueezeExcite, SqueezeExciteBuffers, SqueezeExciteOptions, SqueezeExciteShape, Statistic, TextureToPlanes,
    TextureToPlanesBuffers, Threshold, ThresholdBuffers, ThresholdRule, ThresholdShape, WindowAttention,
    WindowAttentionBuffers, WindowAttentionOptions, WindowAxis, WindowWeightsBuffers, wgpu,
};

use super::compiler;
use super::loop_bounds;

/// Numbers drawn from bytes; zeros once those have run out.
pub(crate) struct Draw<'a>(pub(crate) &'a [u8]);

impl Draw<'_> {
    pub(crate) fn byte(&mut self) -> u32 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first.into()
    }

    fn word(&mut self) -> u32 {
        (0..4).fold(0, |word, _| word << 8 | self.byte())
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.byte() as usize % choices.len()]
    }

    fn element(&mut self) -> Element {
        self.of(&[Element::F32, Element::F16])
    }

    /// Mostly small, sometimes near a power of two, sometimes anything.
    pub(crate) fn extent(&mut self) -> u32 {
        match self.byte() {
            0..170 => 1 + self.byte() % 9,
            170..220 => self.byte(),
            220..240 => (1u32 << (self.byte() % 32)).wrapping_add(self.byte() % 3).wrapping_sub(1),
            240..250 => self.word(),
            _ => u32::MAX - self.byte(),
        }
    }

    /// A count of channels, heads or weights: like an extent, but rarely absurd.
    fn count(&mut self) -> u32 {
        if self.byte() < 240 { 1 + self.byte() % 8 } else { self.extent() }
    }

    /// As long as `elements` allow, and often next to where an invocation's loops become too long.
    fn long(&mut self, elements: u64) -> u32 {
        let edge = (32_766 + self.byte() % 3) * self.of(&[1, 2, 4, 8, 16, 32, 64, 128, 256]);
        let any = 1 + self.word() % u32::try_from(elements).unwrap_or(u32::MAX);
        if self.byte().is_multiple_of(2) && u64::from(edge) <= elements { edge } else { any }
    }

    /// Low limits of every kind that plans look at.
    pub(crate) fn limits(&mut self) -> wgpu::Limits {
        let shift = 12 + self.byte() % 8;
        wgpu::Limits {
            max_storage_buffer_binding_size: (1 << shift) + (u64::from(self.byte() % 4) << (shift - 2)),
            max_buffer_size: 1 << (17 + self.byte() % 8),
            max_compute_workgroups_per_dimension: 7 + self.byte() % 33,
            min_storage_buffer_offset_alignment: self.of(&[32, 64, 256]),
            ..Default::default()
        }
    }

    fn nchw(&mut self, pool: &Pool) -> Nchw {
        if pool.long {
            let mut axes = [1; 4];
            axes[self.byte() as usize % 4] = self.long(pool.elements());
            return Nchw::new(axes[0], axes[1], axes[2], axes[3]);
        }
        Nchw::new(self.extent(), self.extent(), self.extent(), self.extent())
    }

    /// A shape with frames. It has these channels, except in one of 16 draws.
    fn ncthw(&mut self, pool: &Pool, channels: u32) -> Ncthw {
        let shape = Ncthw::from(self.with_channels(pool, channels));
        let frames = if self.byte() < 128 { 1 } else { self.count() };
        if self.option() { Ncthw { frames: shape.height, height: frames, ..shape } } else { Ncthw { frames, ..shape } }
    }

    fn size(&mut self, pool: &Pool) -> Size {
        let Nchw { height, width, .. } = self.nchw(pool);
        Size::new(height, width)
    }

    /// With these channels, but for one in 16 draws.
    fn with_channels(&mut self, pool: &Pool, channels: u32) -> Nchw {
        let shape = self.nchw(pool);
        if self.byte() < 16 { shape } else { Nchw { channels, ..shape } }
    }

    fn number(&mut self) -> f32 {
        self.of(&[0.5, 1.0, 0.0, 0.7, -1.0, 1e30, f32::NAN, f32::INFINITY])
    }

    /// Whether something that must be there is there, but for one in 64 draws.
    fn right(&mut self, wanted: bool) -> bool {
        wanted != (self.byte() >= 252)
    }

    fn option(&mut self) -> bool {
        self.byte().is_multiple_of(2)
    }
}

/// A device that validates everything and computes nothing. Its error scopes are those of any other.
pub(crate) fn device(limits: &wgpu::Limits) -> (wgpu::Device, wgpu::Queue) {
    wgpu::Device::noop(&wgpu::DeviceDescriptor {
        required_features: wgpu::Features::SHADER_F16,
        required_limits: limits.clone(),
        ..Default::default()
    })
}

/// Buffers to bind, one for each tensor of an operator, and a texture.
pub(crate) struct Pool {
    buffers: Vec<wgpu::Buffer>,
    texture: wgpu::Texture,
    /// Whether shapes have one axis alone, as long as the buffers allow.
    long: bool,
}

impl Pool {
    /// Of buffers of `bytes`.
    pub(crate) fn new(device: &wgpu::Device, bytes: u64, long: bool) -> Self {
        let buffer = |index| {
            // One that can't be bound, but for careless callers.
            let usage = if index == 0 { wgpu::BufferUsages::COPY_DST } else { wgpu::BufferUsages::STORAGE };
            let size = if index == 0 { 64 } else { bytes };
            device.create_buffer(&wgpu::BufferDescriptor { label: Some("any"), size, usage, mapped_at_creation: false })
        };
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("any"),
            size: wgpu::Extent3d { width: 5, height: 3, depth_or_array_layers: 4 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::TEXTURE_BINDING,
            view_formats: &[],
        });
        Self { buffers: (0..20).map(buffer).collect(), texture, long }
    }

    fn elements(&self) -> u64 {
        self.buffers[1].size() / 4
    }

    fn deal(&self) -> Deal<'_> {
        Deal { pool: self, next: 1 }
    }
}

/// Deals out a pool's buffers for one `bind`.
struct Deal<'a> {
    pool: &'a Pool,
    next: usize,
}

impl<'a> Deal<'a> {
    /// Usually a whole buffer of its own; sometimes a part of it, or the buffer of another tensor.
    fn slice(&mut self, draw: &mut Draw<'_>) -> wgpu::BufferSlice<'a> {
        let buffer = &self.pool.buffers[self.next];
        self.next += 1;
        match draw.byte() {
            0..224 => buffer.slice(..),
            224..250 => buffer.slice(draw.of(&[32u64, 64, 256, 1024, 2048])..),
            250 => buffer.slice(draw.of(&[4u64, 8, 12, 250])..),
            251 => buffer.slice(..draw.of(&[4u64, 16, 256, 1024])),
            252 => self.pool.buffers[0].slice(..),
            _ => self.pool.buffers[self.next.saturating_sub(2).max(1)].slice(draw.of(&[0u64, 1024])..),
        }
    }

    /// Where it is wanted, and sometimes where it isn't.
    fn when(&mut self, draw: &mut Draw<'_>, wanted: bool) -> Option<wgpu::BufferSlice<'a>> {
        draw.right(wanted).then(|| self.slice(draw))
    }

    fn maybe(&mut self, draw: &mut Draw<'_>) -> Option<wgpu::BufferSlice<'a>> {
        draw.option().then(|| self.slice(draw))
    }

    fn norm(&mut self, draw: &mut Draw<'_>) -> BatchNorm<'a> {
        BatchNorm {
            weight: self.slice(draw),
            bias: self.slice(draw),
            mean: self.slice(draw),
            variance: self.slice(draw),
            epsilon: if draw.byte() < 240 { 1e-3 } else { draw.number() },
        }
    }

    /// A bias or a norm, or neither; sometimes both.
    fn bias_or_norm(&mut self, draw: &mut Draw<'_>) -> (Option<wgpu::BufferSlice<'a>>, Option<BatchNorm<'a>>) {
        match draw.byte() {
            0..100 => (Some(self.slice(draw)), None),
            100..180 => (None, Some(self.norm(draw))),
            180..250 => (None, None),
            _ => (Some(self.slice(draw)), Some(self.norm(draw))),
        }
    }

    fn tables(
        &mut self,
        draw: &mut Draw<'_>,
        options: &WindowAttentionOptions,
    ) -> PositionTables<wgpu::BufferSlice<'a>> {
        let other = draw.of(&[RelativePosition::None, RelativePosition::Bias, RelativePosition::PerHead]);
        match if draw.right(true) { options.relative } else { other } {
            RelativePosition::None => PositionTables::None,
            RelativePosition::Bias => PositionTables::Bias(self.slice(draw)),
            _ => {
                let [frames, rows, columns] = options.axes.map(|axis| self.when(draw, axis.keys > 1));
                PositionTables::Axes { frames, rows, columns }
            }
        }
    }
}

/// What became of one `bind`.
pub(crate) struct Outcome {
    /// The operator and all that it was given but its buffers.
    what: String,
    /// Rounds of the busiest invocation, if it runs: see [`rounds`].
    rounds: u64,
    result: Result<Recording, Error>,
}

/// An operator that is open, and bound with each call.
pub(crate) type Bound = Box<dyn Fn(&wgpu::Device, &Pool, &mut Draw<'_>) -> Outcome>;

/// Binds and records: how many dispatches, or `None` where that was refused. What wgpu itself says about limits, offsets and
/// sizes is what counts: nothing may reach an error scope.
pub(crate) fn bind(device: &wgpu::Device, pool: &Pool, operator: &Bound, draw: &mut Draw<'_>) -> Option<u32> {
    let scopes = [wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal]
        .map(|filter| device.push_error_scope(filter));
    let Outcome { what, rounds, result } = operator(device, pool, draw);
    if let Ok(recording) = &result {
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        recording.record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
        let _ = encoder.finish();
    }
    for scope in scopes.into_iter().rev() {
        let reported = pollster::block_on(scope.pop());
        assert!(reported.is_none(), "{what} under {:?}: {reported:?}", device.limits());
    }
    let dispatches = result.ok()?.dispatches().len() as u32;
    // GPUs end no loop early.
    let software = device.adapter_info().device_type == visual_attention::wgpu::DeviceType::Cpu;
    assert!(dispatches == 0 || !software || rounds <= loop_bounds::MOST, "{what}: {rounds} rounds of one invocation");
    Some(dispatches)
}

/// How many kinds of operators [`open`] knows.
pub(crate) const KINDS: u32 = 29;

/// The operator of a kind, with options drawn.
pub(crate) fn open(kind: u32, device: &wgpu::Device, draw: &mut Draw<'_>) -> Result<Bound, Error> {
    match kind {
        0..10 => maps(kind, device, draw),
        10..19 => gates(kind, device, draw),
        27.. => textures(kind, device, draw),
        _ => windows(kind - 19, device, draw),
    }
}

/// A bound operator: what is drawn, what it is bound to, and how often it goes round.
macro_rules! bound {
    ($name:literal, $options:expr, |$device:ident, $pool:ident, $draw:ident, $deal:ident| $drawn:expr,
     |$given:pat_param| $rounds:expr, $bind:expr) => {{
        let options = format!("{:?}", $options);
        Ok(Box::new(move |$device: &wgpu::Device, $pool: &Pool, $draw: &mut Draw<'_>| {
            let given = $drawn;
            let what = format!("{} {options} {given:?}", $name);
            let $given = given;
            let mut $deal = $pool.deal();
            Outcome { what, rounds: $rounds, result: $bind }
        }))
    }};
}

fn maps(kind: u32, device: &wgpu::Device, draw: &mut Draw<'_>) -> Result<Bound, Error> {
    let element = draw.element();
    let sampling = draw.of(&[Sampling::HalfPixel, Sampling::AlignedCorners]);
    let connectivity = draw.of(&[Connectivity::Four, Connectivity::Eight]);
    let crop_end = draw.of(&[CropEnd::Inclusive, CropEnd::Exclusive]);
    let normalization = draw.of(&[Normalization::MinMax, Normalization::Max, Normalization::None]);
    let level = ThresholdRule::Level(draw.byte() as u8);
    let threshold = draw.of(&[ThresholdRule::Otsu, level, ThresholdRule::Value(0.5), ThresholdRule::Otsu]);
    let threshold = if draw.right(true) { threshold } else { ThresholdRule::Value(draw.number()) };
    match kind {
        0 => {
            let statistic = draw.of(&Statistic::ALL);
            let operator = AttentionMap::new(compiler::of(device), statistic, element)?;
            bound!(
                "attention_map",
                (statistic, element),
                |device, pool, draw, deal| draw.nchw(pool),
                |shape| loop_bounds::channels(shape),
                {
                    let _ = operator.cost(shape);
                    let buffers = AttentionMapBuffers { features: deal.slice(draw), map: deal.slice(draw) };
                    operator.bind(device, shape, buffers)
                }
            )
        }
        1 => {
            let operator = Normalize::new(compiler::of(device), normalization)?;
            bound!(
                "normalize",
                normalization,
                |device, pool, draw, deal| draw.nchw(pool).plane(),
                |shape| loop_bounds::normalize(shape),
                {
                    let _ = operator.cost(shape);
                    operator.bind(device, shape, NormalizeBuffers { map: deal.slice(draw), range: deal.maybe(draw) })
                }
            )
        }
        2 => {
            let operator = Resize::new(compiler::of(device), sampling, element)?;
            bound!(
                "resize",
                (sampling, element),
                |device, pool, draw, deal| (draw.nchw(pool), draw.size(pool)),
                |(shape, size)| 0,
                {
                    let _ = operator.cost(ResizeShape { input: shape, output: size });
                    let buffers = ResizeBuffers { input: deal.slice(draw), output: deal.slice(draw) };
                    operator.bind(device, ResizeShape { input: shape, output: size }, buffers)
                }
            )
        }
        3 => {
            let operator = Threshold::new(compiler::of(device), threshold, sampling)?;
            let otsu = threshold == ThresholdRule::Otsu;
            bound!(
                "threshold",
                (threshold, sampling),
                |device, pool, draw, deal| (draw.nchw(pool).plane(), draw.size(pool)),
                |(shape, size)| if otsu { loop_bounds::histogram(size) } else { 0 },
                {
                    let _ = operator.cost(ThresholdShape { map: shape, mask: size });
                    let buffers = ThresholdBuffers { map: deal.slice(draw), mask: deal.slice(draw) };
                    operator.bind(device, ThresholdShape { map: shape, mask: size }, buffers)
                }
            )
        }
        4 => {
            let operator = LargestComponent::new(compiler::of(device), connectivity)?;
            bound!(
                "largest_component",
                connectivity,
                |device, pool, draw, deal| draw.nchw(pool).plane(),
                |shape| loop_bounds::largest_component(shape),
                {
                    let _ = (operator.cost(shape), operator.scratch_bytes(shape));
                    let all = draw.option().then(|| LabelBuffers { labels: deal.slice(draw), sizes: deal.slice(draw) });
                    let (mask, boxes, component) = (deal.slice(draw), deal.slice(draw), deal.maybe(draw));
                    operator.bind(device, shape, LargestComponentBuffers { mask, boxes, component, all })
                }
            )
        }
        5 => {
            let operator = BoundingBox::new(device)?;
            bound!(
                "bounding_box",
                (),
                |device, pool, draw, deal| draw.nchw(pool).plane(),
                |shape| loop_bounds::bounding_box(shape),
                {
                    let _ = operator.cost(shape);
                    let buffers = BoundingBoxBuffers { mask: deal.slice(draw), boxes: deal.slice(draw) };
                    operator.bind(device, shape, buffers)
                }
            )
        }
        6 => {
            let operator = CropResize::new(compiler::of(device), crop_end, sampling, element)?;
            bound!(
                "crop_resize",
                (crop_end, sampling, element),
                |device, pool, draw, deal| (draw.nchw(pool), draw.size(pool)),
                |(shape, size)| 0,
                {
                    let _ = operator.cost(CropResizeShape { images: shape, crop: size });
                    let (images, boxes) = (deal.slice(draw), deal.slice(draw));
                    operator.bind(
                        device,
                        CropResizeShape { images: shape, crop: size },
                        CropResizeBuffers { images, boxes, crops: deal.slice(draw) },
                    )
                }
            )
        }
        7 | 8 => {
            let operator = HeatOverlay::new(compiler::of(device), &ColorMap::Turbo, sampling, element)?;
            let to_texture = kind == 8;
            bound!(
                "heat_overlay",
                (sampling, element, to_texture),
                |device, pool, draw, deal| {
                    let any = draw.nchw(pool);
                    let pictures = draw.with_channels(pool, 3);
                    // The texture's own size, for most that go there.
                    let layers = Nchw { batch: pictures.batch % 5, height: 3, width: 5, ..pictures };
                    let pictures = if to_texture && draw.byte() < 192 { layers } else { pictures };
                    let batch = if draw.right(true) { pictures.batch } else { any.batch };
                    (Nhw { batch, ..any.plane() }, pictures, if draw.right(true) { 0.5 } else { draw.number() })
                },
                |(map, pictures, opacity)| 0,
                {
                    let _ = operator.cost(HeatOverlayShape { map, pictures });
                    let (source, picture) = (deal.slice(draw), deal.slice(draw));
                    if to_texture {
                        let buffers = HeatOverlayTexture { map: source, pictures: picture, overlay: &pool.texture };
                        operator.bind_texture(device, HeatOverlayShape { map, pictures }, opacity, buffers)
                    } else {
                        let overlay = deal.slice(draw);
                        let buffers = HeatOverlayBuffers { map: source, pictures: picture, overlay };
                        operator.bind(device, HeatOverlayShape { map, pictures }, opacity, buffers)
                    }
                }
            )
        }
        _ => {
            let statistic = draw.of(&Statistic::ALL);
            let options = AttendedRegionOptions::default()
                .with_statistic(statistic)
                .with_normalization(normalization)
                .with_sampling(sampling)
                .with_threshold(threshold)
                .with_connectivity(connectivity)
                .with_crop_end(crop_end)
                .with_regions(if draw.option() { 1 } else { draw.count() });
            let images = draw.element();
            let operator = AttendedRegion::new(compiler::of(device), options, element, images)?;
            let otsu = threshold == ThresholdRule::Otsu;
            bound!(
                "attended_region",
                (options, element, images),
                |device, pool, draw, deal| {
                    let (features, images) = (draw.nchw(pool), draw.nchw(pool));
                    let batch = if draw.right(true) { features.batch } else { images.batch };
                    (features, Nchw { batch, ..images }, draw.size(pool))
                },
                |(features, images, crop)| {
                    let map = loop_bounds::channels(features).max(loop_bounds::normalize(features.plane()));
                    // The scan of labels is refused where its loops are too long.
                    let mask = loop_bounds::largest_component(images.plane())
                        .max(loop_bounds::by_name("region_measures", &[]));
                    map.max(mask).max(if otsu { loop_bounds::histogram(images.size()) } else { 0 })
                },
                {
                    let _ = operator.cost(AttendedRegionShape { features, images, crop });
                    let buffers = AttendedRegionBuffers {
                        features: deal.slice(draw),
                        map: deal.slice(draw),
                        map_up: deal.maybe(draw),
                        mask: deal.maybe(draw),
                        component: deal.maybe(draw),
                        boxes: deal.slice(draw),
                        images: deal.when(draw, true),
                        crops: deal.maybe(draw),
                        count: deal.maybe(draw),
                    };
                    operator.bind(device, AttendedRegionShape { features, images, crop }, buffers)
                }
            )
        }
    }
}

fn textures(kind: u32, device: &wgpu::Device, draw: &mut Draw<'_>) -> Result<Bound, Error> {
    let element = draw.element();
    let transfer = draw.of(&[ColorTransfer::None, ColorTransfer::SrgbToLinear, ColorTransfer::LinearToSrgb]);
    let one = if draw.right(true) { 1.0 } else { draw.number() };
    let normalization = ColorNormalization { mean: [0.0, one, 0.5], deviation: [1.0, one, 0.5] };
    // The texture's own size and one of its layers, for most.
    let given = |pool: &Pool, draw: &mut Draw<'_>| {
        let any = draw.with_channels(pool, 3);
        let own = Nchw { batch: any.batch % 3, channels: draw.of(&[3, 3, 1, 4]), height: 3, width: 5 };
        (if draw.byte() < 192 { own } else { any }, draw.byte() % 5)
    };
    if kind == 27 {
        let operator = TextureToPlanes::new(compiler::of(device), transfer, normalization, element)?;
        return bound!(
            "texture_to_planes",
            (transfer, normalization, element),
            |device, pool, draw, deal| given(pool, draw),
            |(shape, layer)| 0,
            {
                let _ = operator.cost(shape);
                let buffers = TextureToPlanesBuffers { picture: &pool.texture, layer, planes: deal.slice(draw) };
                operator.bind(device, shape, buffers)
            }
        );
    }
    let operator = PlanesToTexture::new(compiler::of(device), transfer, normalization, element)?;
    bound!(
        "planes_to_texture",
        (transfer, normalization, element),
        |device, pool, draw, deal| given(pool, draw),
        |(shape, layer)| 0,
        {
            let _ = operator.cost(shape);
            let buffers = PlanesToTextureBuffers { planes: deal.slice(draw), picture: &pool.texture, layer };
            operator.bind(device, shape, buffers)
        }
    )
}

fn gates(kind: u32, device: &wgpu::Device, draw: &mut Draw<'_>) -> Result<Bound, Error> {
    let element = draw.element();
    let squeeze = draw.of(&Squeeze::ALL);
    let epilogue = draw.of(&Epilogue::ALL);
    let (activation, gate) = (draw.of(&Activation::ALL), draw.of(&Activation::ALL));
    match kind {
        10 => {
            let operator = GlobalPool::new(compiler::of(device), squeeze, element)?;
            bound!(
                "global_pool",
                (squeeze, element),
                |device, pool, draw, deal| draw.nchw(pool),
                |shape| loop_bounds::pool(shape),
                {
                    let _ = operator.cost(shape);
                    let features = deal.slice(draw);
                    let (mean, maximum) =
                        (deal.when(draw, squeeze != Squeeze::Max), deal.when(draw, squeeze != Squeeze::Mean));
                    operator.bind(device, shape, GlobalPoolBuffers { features, mean, max: maximum })
                }
            )
        }
        11 => {
            let operator = Dense::new(compiler::of(device), activation, element)?;
            bound!(
                "dense",
                (activation, element),
                |device, pool, draw, deal| {
                    let Nchw { batch, channels: inputs, height: outputs, width } = draw.nchw(pool);
                    DenseShape { batch, inputs, second_inputs: if draw.option() { width } else { 0 }, outputs }
                },
                |shape| loop_bounds::dense(shape.inputs, shape.second_inputs, 1),
                {
                    let _ = operator.cost(shape, draw.option());
                    let (bias, norm) = deal.bias_or_norm(draw);
                    let buffers = DenseBuffers {
                        input: deal.slice(draw),
                        second: deal.when(draw, shape.second_inputs > 0),
                        weight: deal.slice(draw),
                        bias,
                        norm,
                        output: deal.slice(draw),
                    };
                    operator.bind(device, shape, buffers)
                }
            )
        }
        12 => {
            let operator = ChannelScale::new(compiler::of(device), epilogue, element)?;
            bound!(
                "channel_scale",
                (epilogue, element),
                |device, pool, draw, deal| draw.nchw(pool),
                |shape| loop_bounds::scale(shape, 0),
                {
                    let _ = operator.cost(shape);
                    let (features, gate) = (deal.slice(draw), deal.slice(draw));
                    let identity = deal.when(draw, epilogue == Epilogue::Residual);
                    let output = if draw.option() { features } else { deal.slice(draw) };
                    operator.bind(device, shape, ChannelScaleBuffers { features, gate, identity, output })
                }
            )
        }
        13 => {
            let options = SqueezeExciteOptions::STANDARD
                .with_squeeze(squeeze)
                .with_activation(activation)
                .with_gate(gate)
                .with_epilogue(epilogue);
            let operator = SqueezeExcite::new(compiler::of(device), options, element)?;
            bound!(
                "squeeze_excite",
                (options, element),
                |device, pool, draw, deal| (draw.nchw(pool), draw.count()),
                |(shape, reduced)| {
                    let layer = loop_bounds::layer(shape, squeeze == Squeeze::MeanAndMax);
                    loop_bounds::pool(shape).max(layer).max(loop_bounds::scale(shape, reduced))
                },
                {
                    let _ = operator.cost(SqueezeExciteShape { features: shape, reduced });
                    let features = deal.slice(draw);
                    let buffers = SqueezeExciteBuffers {
                        features,
                        reduce_weight: deal.slice(draw),
                        reduce_bias: deal.maybe(draw),
                        expand_weight: deal.slice(draw),
                        expand_bias: deal.maybe(draw),
                        identity: deal.when(draw, epilogue == Epilogue::Residual),
                        gate: if epilogue == Epilogue::GateOnly { deal.when(draw, true) } else { deal.maybe(draw) },
                        output: deal.when(draw, epilogue != Epilogue::GateOnly),
                    };
                    operator.bind(device, SqueezeExciteShape { features: shape, reduced }, buffers)
                }
            )
        }
        14 => {
            let operator = BiSeNetAttention::new(compiler::of(device), epilogue, element)?;
            bound!(
                "bisenet",
                (epilogue, element),
                |device, pool, draw, deal| draw.nchw(pool),
                |shape| loop_bounds::pool(shape)
                    .max(loop_bounds::layer(shape, false))
                    .max(loop_bounds::scale(shape, 0)),
                {
                    let _ = operator.cost(shape);
                    let features = deal.slice(draw);
                    let buffers = BiSeNetAttentionBuffers {
                        features,
                        weight: deal.slice(draw),
                        norm: deal.norm(draw),
                        identity: deal.when(draw, epilogue == Epilogue::Residual),
                        gate: if epilogue == Epilogue::GateOnly { deal.when(draw, true) } else { deal.maybe(draw) },
                        output: deal
                            .when(draw, epilogue != Epilogue::GateOnly)
                            .map(|output| if draw.option() { features } else { output }),
                    };
                    operator.bind(device, shape, buffers)
                }
            )
        }
        15 => {
            let operator = SpatialGate::new(compiler::of(device), epilogue, element)?;
            bound!(
                "spatial_gate",
                (epilogue, element),
                |device, pool, draw, deal| (draw.nchw(pool), draw_kernel(draw)),
                |(shape, kernel)| {
                    loop_bounds::channels(shape)
                        .max(loop_bounds::spatial_gate_conv(kernel))
                        .max(loop_bounds::scale(shape, 0))
                },
                {
                    let _ = operator.cost(SpatialGateShape { features: shape, kernel });
                    let (bias, norm) = deal.bias_or_norm(draw);
                    let buffers = SpatialGateBuffers {
                        features: deal.slice(draw),
                        weight: deal.slice(draw),
                        bias,
                        norm,
                        identity: deal.when(draw, epilogue == Epilogue::Residual),
                        gate: if epilogue == Epilogue::GateOnly { deal.when(draw, true) } else { deal.maybe(draw) },
                        output: deal.when(draw, epilogue != Epilogue::GateOnly),
                    };
                    operator.bind(device, SpatialGateShape { features: shape, kernel }, buffers)
                }
            )
        }
        16 => {
            let options = CbamOptions::STANDARD.with_activation(activation).with_gate(gate).with_epilogue(epilogue);
            let operator = Cbam::new(compiler::of(device), options, element)?;
            bound!(
                "cbam",
                (options, element),
                |device, pool, draw, deal| (draw.nchw(pool), draw.count(), draw_kernel(draw)),
                |(shape, reduced, kernel)| {
                    let channel = loop_bounds::layer(shape, true).max(loop_bounds::scale(shape, reduced));
                    let spatial = loop_bounds::channels(shape).max(loop_bounds::spatial_gate_conv(kernel));
                    loop_bounds::pool(shape).max(channel).max(spatial)
                },
                {
                    let _ = operator.cost(CbamShape { features: shape, reduced, kernel });
                    let (spatial_bias, spatial_norm) = deal.bias_or_norm(draw);
                    let buffers = CbamBuffers {
                        features: deal.slice(draw),
                        reduce_weight: deal.slice(draw),
                        reduce_bias: deal.maybe(draw),
                        expand_weight: deal.slice(draw),
                        expand_bias: deal.maybe(draw),
                        spatial_weight: deal.slice(draw),
                        spatial_bias,
                        spatial_norm,
                        identity: deal.when(draw, epilogue == Epilogue::Residual),
                        output: deal.slice(draw),
                    };
                    operator.bind(device, CbamShape { features: shape, reduced, kernel }, buffers)
                }
            )
        }
        17 => {
            let operator = Eca::new(compiler::of(device), epilogue, element)?;
            bound!(
                "eca",
                (epilogue, element),
                |device, pool, draw, deal| (
                    draw.nchw(pool),
                    if draw.right(true) { draw.byte() | 1 } else { draw.extent() }
                ),
                |(shape, taps)| loop_bounds::pool(shape).max(loop_bounds::scale(shape, taps)),
                {
                    let _ = (operator.cost(EcaShape { features: shape, taps }), Eca::taps(shape.channels));
                    let (features, weight) = (deal.slice(draw), deal.slice(draw));
                    let identity = deal.when(draw, epilogue == Epilogue::Residual);
                    let gate = if epilogue == Epilogue::GateOnly { deal.when(draw, true) } else { deal.maybe(draw) };
                    let output = deal.when(draw, epilogue != Epilogue::GateOnly);
                    operator.bind(
                        device,
                        EcaShape { features: shape, taps },
                        EcaBuffers { features, weight, identity, gate, output },
                    )
                }
            )
        }
        _ => {
            let options = ScSeOptions::STANDARD
                .with_combine(draw.of(&[ScSeCombine::Add, ScSeCombine::Max]))
                .with_epilogue(epilogue);
            let operator = ScSe::new(compiler::of(device), options, element)?;
            bound!(
                "scse",
                (options, element),
                |device, pool, draw, deal| (draw.nchw(pool), draw.count()),
                |(shape, reduced)| {
                    let layer = loop_bounds::layer(shape, false).max(loop_bounds::scale(shape, reduced));
                    loop_bounds::pool(shape).max(loop_bounds::channels(shape)).max(layer)
                },
                {
                    let _ = operator.cost(ScSeShape { features: shape, reduced });
                    let features = deal.slice(draw);
                    let buffers = ScSeBuffers {
                        features,
                        reduce_weight: deal.slice(draw),
                        reduce_bias: deal.maybe(draw),
                        expand_weight: deal.slice(draw),
                        expand_bias: deal.maybe(draw),
                        spatial_weight: deal.slice(draw),
                        spatial_bias: deal.maybe(draw),
                        identity: deal.when(draw, epilogue == Epilogue::Residual),
                        output: if draw.option() { features } else { deal.slice(draw) },
                    };
                    operator.bind(device, ScSeShape { features: shape, reduced }, buffers)
                }
            )
        }
    }
}

/// The side of a convolution: odd and at most 127, in seven draws of eight.
fn draw_kernel(draw: &mut Draw<'_>) -> u32 {
    if draw.byte() < 224 { draw.byte() % 64 * 2 + 1 } else { draw.extent() }
}

fn attention(draw: &mut Draw<'_>) -> WindowAttentionOptions {
    let relative = draw.of(&[
        RelativePosition::None,
        RelativePosition::PerHead,
        RelativePosition::WholeChannel,
        RelativePosition::Sum,
        RelativePosition::Bias,
    ]);
    let one = |draw: &mut Draw<'_>| if draw.byte() < 180 { 1 } else { draw.count() };
    let axis = |draw: &mut Draw<'_>| {
        let keys = match draw.byte() {
            0..200 => draw.of(&[1, 2, 3, 4, 5, 7]),
            200..240 => draw.byte(),
            _ => draw.extent(),
        };
        let border = draw.of(&[Border::Zero, Border::Mask, Border::Shift, Border::Causal]);
        let axis = WindowAxis::new(keys).with_border(border).with_dilation(one(draw));
        // Usually what goes with the border and with the other members.
        let stride = if border == Border::Shift && draw.right(true) { 1 } else { one(draw) };
        let group = if draw.byte() < 200 { 1 } else { draw.count() };
        let group = if draw.right(true) { group.min(keys) } else { group };
        let origin = if draw.byte() < 200 || axis.dilation > 1 { 0 } else { draw.count() };
        let origin = if matches!(border, Border::Shift | Border::Causal) && draw.right(true) { 0 } else { origin };
        axis.with_stride(stride).with_group(group).with_origin(origin)
    };
    let heads = draw.count();
    let head_dim = if draw.option() { 2 * draw.count().min(70) } else { draw.count() };
    let frames = if draw.option() { WindowAxis::new(1) } else { axis(draw) };
    WindowAttentionOptions::new(heads, head_dim, 1)
        .with_axes([frames, axis(draw), axis(draw)])
        .with_relative(relative)
        .with_scale(if draw.right(true) { 0.5 } else { draw.number() })
        .with_scale_relative(draw.option())
}

fn windows(kind: u32, device: &wgpu::Device, draw: &mut Draw<'_>) -> Result<Bound, Error> {
    let element = draw.element();
    match kind {
        0 => {
            let options = attention(draw);
            let options = options.with_value_dim(if draw.option() { options.head_dim } else { draw.count() });
            let operator = WindowAttention::new(compiler::of(device), options, element)?;
            bound!(
                "window_attention",
                (options, element),
                |device, pool, draw, deal| draw.ncthw(pool, options.channels()),
                |shape| loop_bounds::window_attention(&options),
                {
                    let _ = operator.cost(shape);
                    let buffers = WindowAttentionBuffers {
                        q: deal.slice(draw),
                        k: deal.slice(draw),
                        v: deal.slice(draw),
                        tables: deal.tables(draw, &options),
                        y: deal.slice(draw),
                        log_sum_exp: deal.maybe(draw),
                    };
                    operator.bind(device, shape, buffers)
                }
            )
        }
        1 => {
            let options = attention(draw);
            let operator = WindowAttention::new(compiler::of(device), options, element)?;
            bound!(
                "window_attention_weights",
                (options, element),
                |device, pool, draw, deal| {
                    let shape = draw.ncthw(pool, options.channels());
                    let out = options.output(shape);
                    let mut inside = |end: u32| if draw.right(true) { draw.word() % end.max(1) } else { draw.extent() };
                    let query = |_| QueryPosition {
                        image: inside(shape.batch),
                        frame: inside(out.frames),
                        row: inside(out.height),
                        column: inside(out.width),
                    };
                    let queries: Vec<_> = (0..shape.width % 12).map(query).collect();
                    (shape, queries)
                },
                |(shape, queries)| loop_bounds::window_attention_weights(&options),
                {
                    let buffers = WindowWeightsBuffers {
                        q: deal.slice(draw),
                        k: deal.slice(draw),
                        tables: deal.tables(draw, &options),
                        weights: deal.slice(draw),
                    };
                    operator.bind_weights(device, shape, &queries, buffers)
                }
            )
        }
        2 | 3 => {
            let groups = draw.count();
            let many =
                |draw: &mut Draw<'_>| if draw.right(true) { groups.wrapping_mul(draw.count()) } else { draw.extent() };
            let options =
                PointwiseConvOptions::new(if kind == 3 { 30_000 + draw.word() % 5000 } else { many(draw) }, many(draw))
                    .with_groups(if kind == 3 { 1 } else { groups })
                    .with_stack(if draw.right(true) { 1 + draw.byte() % 3 } else { draw.extent() })
                    .with_bias(draw.option());
            let operator = PointwiseConv::new(compiler::of(device), options, element)?;
            bound!(
                "pointwise_conv",
                (options, element),
                |device, pool, draw, deal| draw.with_channels(pool, options.inputs),
                |shape| loop_bounds::pointwise_conv(options.inputs, options.groups),
                {
                    let _ = operator.cost(shape);
                    let bias = deal.when(draw, options.bias);
                    let (x, weights) = (deal.slice(draw), deal.slice(draw));
                    let y = [1, 2, 3].map(|stack| deal.when(draw, stack <= options.stack));
                    operator.bind(device, shape, PointwiseConvBuffers { x, weights, bias, y })
                }
            )
        }
        4 => {
            let attention = attention(draw);
            let options = SasaLayerOptions::new(draw.count(), attention).with_groups(draw.of(&[1, 1, 1, 2]));
            let operator = SasaLayer::new(compiler::of(device), options, element)?;
            bound!(
                "sasa_layer",
                (options, element),
                |device, pool, draw, deal| draw.with_channels(pool, options.inputs),
                |shape| {
                    loop_bounds::window_attention(&attention)
                        .max(loop_bounds::pointwise_conv(options.inputs, options.groups))
                },
                {
                    let _ = operator.cost(shape);
                    let tables = deal.tables(draw, &attention);
                    let (x, projections, y) = (deal.slice(draw), deal.slice(draw), deal.slice(draw));
                    let buffers = SasaLayerBuffers { x, projections, tables, y, log_sum_exp: None };
                    operator.bind(device, shape, buffers)
                }
            )
        }
        5 => {
            let side = |draw: &mut Draw<'_>| if draw.byte() < 240 { 1 + draw.byte() % 4 } else { draw.extent() };
            let (inputs, heads, head_dim) = (draw.count(), draw.count(), draw.count());
            let window = if draw.byte() < 224 { Size::new(side(draw), side(draw)) } else { draw_long_window(draw) };
            let (padding, mixtures) = (Size::new(draw.count(), draw.count()), draw.count());
            let options = SasaStemOptions::new(heads, head_dim, draw.count())
                .with_inputs(inputs)
                .with_window(window)
                .with_padding(padding)
                .with_mixtures(mixtures)
                .with_scale(if draw.right(true) { 0.5 } else { draw.number() });
            if draw.option() {
                return stem_backward(device, options, element);
            }
            let operator = SasaStem::new(compiler::of(device), options, element)?;
            bound!(
                "sasa_stem",
                (options, element),
                |device, pool, draw, deal| draw.with_channels(pool, options.inputs),
                |shape| loop_bounds::stem(&options).max(loop_bounds::pointwise_conv(options.inputs, 1)),
                {
                    let _ = operator.cost(shape);
                    let buffers = SasaStemBuffers {
                        x: deal.slice(draw),
                        projections: deal.slice(draw),
                        row: deal.slice(draw),
                        column: deal.slice(draw),
                        mix: deal.slice(draw),
                        y: deal.slice(draw),
                    };
                    operator.bind(device, shape, buffers)
                }
            )
        }
        _ => by_name(device, draw),
    }
}

fn stem_backward(device: &wgpu::Device, options: SasaStemOptions, element: Element) -> Result<Bound, Error> {
    let operator = SasaStemBackward::new(compiler::of(device), options, element)?;
    bound!(
        "sasa_stem_backward",
        (options, element),
        |device, pool, draw, deal| draw.with_channels(pool, options.inputs),
        |shape| loop_bounds::stem_backward(&options),
        {
            let _ = operator.cost(shape);
            let buffers = SasaStemBackwardBuffers {
                x: deal.slice(draw),
                projections: deal.slice(draw),
                row: deal.slice(draw),
                column: deal.slice(draw),
                mix: deal.slice(draw),
                y_gradient: deal.slice(draw),
                x_gradient: deal.maybe(draw),
                projections_gradient: deal.maybe(draw),
                row_gradient: deal.maybe(draw),
                column_gradient: deal.maybe(draw),
                mix_gradient: deal.maybe(draw),
            };
            operator.bind(device, shape, buffers)
        }
    )
}

/// Operators whose options, and the shape of the input named here, decide everything. They need no code of their own.
const BY_NAME: &[(&str, &str)] = &[
    ("bisenet_backward", "features"),
    ("channel_scale_backward", "features"),
    ("component_labels", "mask"),
    ("cross_attention", "q"),
    ("cross_attention_backward", "q"),
    ("head_norm_rotary", "x"),
    ("head_norm_rotary_backward", "x"),
    ("merge_attention", "y1"),
    ("merge_attention_backward", "y1"),
    ("region_measures", "labels"),
    ("window_pool", "x"),
];

fn by_name(device: &wgpu::Device, draw: &mut Draw<'_>) -> Result<Bound, Error> {
    let (name, input) = draw.of(BY_NAME);
    let entry = operators::find(name).expect("an operator of the list");
    let mut options = Vec::new();
    for spec in entry.options(compiler::of(device), &Options::default())? {
        let value = match spec.values.as_str() {
            "a whole number" => draw.count().to_string(),
            "a number" => draw.of(&["0.5", "1", "100", "-1"]).to_owned(),
            axes if axes.ends_with("frames,rows,columns") => {
                let [frames, rows, columns] = [0; 3].map(|_| if draw.option() { 0 } else { draw.count() & !1 });
                format!("{frames},{rows},{columns}")
            }
            "height,width" if draw.option() => format!("{},{}", draw.extent(), draw.extent()),
            "height,width" => {
                let Size { height, width } = draw_long_window(draw);
                format!("{height},{width}")
            }
            names => draw.of(&names.split(", ").collect::<Vec<_>>()).to_owned(),
        };
        options.push((spec.name, value));
    }
    let rounds = loop_bounds::by_name(name, &options);
    let number = |name: &str| {
        let given = options.iter().find(|(option, _)| *option == name);
        given.map(|(_, text)| text.parse::<u32>().expect("a whole number"))
    };
    let (heads, head_dim) = (number("heads"), number("head_dim"));
    let operator = entry.open(compiler::of(device), &Options::new(options.clone()))?;
    bound!(
        "by name",
        (name, options),
        |device, pool, draw, deal| {
            match heads {
                Some(heads) => {
                    let channels = head_dim.unwrap_or_else(|| draw.count()).saturating_mul(heads);
                    draw.with_channels(pool, channels)
                }
                None => draw.nchw(pool),
            }
        },
        |shape| rounds,
        {
            let keys = vec![shape.batch, shape.channels, draw.count()];
            let others = name.starts_with("cross_attention").then_some(("k", keys));
            let first = if matches!(input, "mask" | "labels") { shape.plane().into() } else { shape.into() };
            let shapes = Shapes::new(std::iter::once((input, first)).chain(others));
            operator.tensors(&shapes).and_then(|specs| {
                let _ = operator.cost(&shapes);
                let mut slices = Vec::new();
                for spec in &specs {
                    let wanted = !spec.optional || draw.option();
                    slices.extend(deal.when(draw, wanted).map(|slice| (spec.name, slice)));
                }
                operator.bind(device, &shapes, &Slices::new(slices))
            })
        }
    )
}

/// One column or one row of keys, about as many as an invocation may loop over.
fn draw_long_window(draw: &mut Draw<'_>) -> Size {
    let long = draw.word() % 33_000;
    if draw.option() { Size::new(long, 1) } else { Size::new(1, long) }
}
