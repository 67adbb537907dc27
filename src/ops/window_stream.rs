//! Attention over time, one frame at a time: for programs that receive their frames one after another.
//!
//! Frame `t` attends to itself and to the frames before it that its window reaches. Their keys and values stay in a ring of slots on the
//! GPU: frame `t` is in slot `t % slots`. The result has the bits of frame `t` of [`WindowAttention`]
//! over all frames at once. In a network with attention it replaces a `ConvLSTM` cell (Shi et al. 2015, arXiv:1506.04214).
//!
//! [`WindowStream::bind`] prepares a recording for every slot and for each of the first frames. A frame then takes no allocation, no write to the
//! queue and no readback. To start anew, count frames from 0 again; the slots need no clearing.
//!
//! ```no_run
//! use visual_attention::{
//!     Border, Element, Nchw, PositionTables, WindowAttentionOptions, WindowAxis, WindowStream, WindowStreamBuffers,
//!     WindowStreamOptions,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! // This frame and the three before it, 7 x 7 pixels of each.
//! let frames = WindowAxis::new(4).with_border(Border::Causal);
//! let pixels = WindowAxis::new(7).with_border(Border::Shift);
//! let attention = WindowAttentionOptions::volume(4, 16, [frames, pixels, pixels]);
//! let stream = WindowStream::new(&gpu.device, WindowStreamOptions::new(attention), Element::F32)?;
//!
//! let shape = Nchw::new(1, 64, 32, 32);
//! let slot = stream.key_slot_bytes(&gpu.device, shape)?;
//! let bytes = slot * u64::from(stream.options().slots);
//! let [k, v] = [gpu.buffer("k", bytes)?, gpu.buffer("v", bytes)?];
//! let [q, y] = [gpu.buffer("q", 64 * 32 * 32 * 4)?, gpu.buffer("y", 64 * 32 * 32 * 4)?];
//! let buffers = WindowStreamBuffers {
//!     q: q.slice(..),
//!     k: k.slice(..),
//!     v: v.slice(..),
//!     tables: PositionTables::None,
//!     y: y.slice(..),
//!     log_sum_exp: None,
//! };
//! let recording = stream.bind(&gpu.device, shape, buffers)?;
//! for t in 0..100 {
//!     // Write the queries to `q`, and keys and values to this slot of `k` and `v`: for instance the outputs of a `PointwiseConv`.
//!     let _first_byte = u64::from(recording.slot(t)) * slot;
//!     gpu.run(|pass| recording.frame(t).record(pass))?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Tables of relative positions need no change over time. Rotary positions are absolute: turn the queries and keys of a frame before they
//! are written. A [`HeadNormRotary`](crate::HeadNormRotary) that turns channels by the frame needs a `bind` for each frame, with
//! [`first`](crate::HeadNormRotaryOptions::first).
//!
//! # Tensors
//!
//! `q [n, heads*d, h, w] -> y [n, heads*dv, h, w]`, one frame each. The rings `k` and `v` have
//! [`slots`](WindowStreamOptions::slots) frames, [`WindowStream::key_slot_bytes`] and [`WindowStream::value_slot_bytes`] apart, so that each
//! slot may be bound as a tensor. [`WindowStream::tensors`] lists the tensors.
//!
//! # Errors and cost
//!
//! A ring must fit a binding of the device. [`WindowStream::cost`] is that of one frame.
//!
//! Kernel [`WINDOW_ATTENTION`](crate::shaders::WINDOW_ATTENTION); reference
//! [`reference::window_attention`](crate::reference::window_attention) over all frames.

use super::window_attention::{
    Border, PositionTables, Ring, WindowAttention, WindowAttentionBuffers, WindowAttentionOptions,
};
use crate::cost::count;
use crate::kernel::check::MAX_EXTENT;
use crate::kernel::{Compiler, Tensor, check};
use crate::{Cost, Element, Error, Nchw, Ncthw, Recording, TensorSpec};

const OP: &str = "window_stream";
/// Most recordings of one stream. More are taken for a mistake.
const MAX_RECORDINGS: u64 = 1 << 12;

/// Options of a [`WindowStream`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct WindowStreamOptions {
    /// The attention. Its axis of frames has [`Border::Causal`], without stride and group.
    pub attention: WindowAttentionOptions,
    /// Frames whose keys and values are kept: at least `dilation * (keys - 1) + 1` of the axis of frames.
    pub slots: u32,
}

impl WindowStreamOptions {
    /// As few slots as this attention needs.
    #[must_use]
    pub fn new(attention: WindowAttentionOptions) -> Self {
        let [frames, ..] = attention.axes;
        let slots = frames.keys.saturating_sub(1).saturating_mul(frames.dilation).saturating_add(1);
        Self { attention, slots }
    }

    /// With this number of slots.
    #[must_use]
    pub const fn with_slots(self, slots: u32) -> Self {
        Self { slots, ..self }
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |parameter, given: String, needed: String| {
            Err(Error::InvalidParameter { op: OP, parameter, given, needed })
        };
        self.attention.check_options(OP)?;
        let [frames, ..] = self.attention.axes;
        if frames.border != Border::Causal {
            return refuse("frames.border", frames.border.to_string(), "causal: a stream has no later frames".into());
        }
        for (parameter, value) in [("frames.stride", frames.stride), ("frames.group", frames.group)] {
            if value > 1 {
                return refuse(parameter, value.to_string(), "1 in a stream".into());
            }
        }
        let least = Self::new(self.attention).slots;
        if self.slots < least {
            return refuse(
                "slots",
                self.slots.to_string(),
                format!("at least {least}, the frames that a window spans"),
            );
        }
        // One for each slot, and one for each of the first frames.
        let recordings = u64::from(self.slots) + u64::from(least) - 1;
        if recordings > MAX_RECORDINGS {
            let most = (MAX_RECORDINGS + 1).saturating_sub(least.into());
            return refuse(
                "slots",
                self.slots.to_string(),
                format!("at most {most} beside a window over {least} frames"),
            );
        }
        Ok(())
    }
}

/// Attention over time, one frame at a time; the [page](self) has rule and example.
#[doc(alias = "KV cache")]
#[doc(alias = "ConvLSTM")]
#[derive(Clone, Debug)]
pub struct WindowStream {
    options: WindowStreamOptions,
    attention: WindowAttention,
}

/// Tensors of a [`WindowStream`]; each needs `BufferUsages::STORAGE`. All but the log-sum-exps have the operator's element type.
#[derive(Clone, Copy, Debug)]
pub struct WindowStreamBuffers<'a> {
    /// In: queries of the frame, `[n, heads*d, h, w]`.
    pub q: wgpu::BufferSlice<'a>,
    /// In: the ring of keys. A slot is `[n, heads*d, h, w]`.
    pub k: wgpu::BufferSlice<'a>,
    /// In: the ring of values. A slot is `[n, heads*dv, h, w]`.
    pub v: wgpu::BufferSlice<'a>,
    /// In: the tables of the options' relative term.
    pub tables: PositionTables<wgpu::BufferSlice<'a>>,
    /// Out: `[n, heads*dv, ho, wo]`.
    pub y: wgpu::BufferSlice<'a>,
    /// Out, optional: `[n, heads, ho, wo]` f32, as that of [`WindowAttention`].
    pub log_sum_exp: Option<wgpu::BufferSlice<'a>>,
}

/// What [`WindowStream::bind`] returns: a [`Recording`] for each frame.
#[derive(Clone, Debug)]
pub struct WindowStreamRecording {
    slots: u64,
    /// Recordings of the first frames, which look back less far, and one for each slot.
    frames: Vec<Recording>,
}

impl WindowStreamRecording {
    /// The slot of frame `t` in the rings of keys and values.
    #[must_use]
    pub const fn slot(&self, t: u64) -> u32 {
        // Below `slots`, which is `u32`.
        (t % self.slots) as u32
    }

    /// What computes frame `t`, counted from the start of the stream.
    pub fn frame(&self, t: u64) -> &Recording {
        let first = self.frames.len() as u64 - self.slots;
        let index = if t < first { t } else { first + (t - first) % self.slots };
        &self.frames[index as usize]
    }
}

impl WindowStream {
    /// Compiles for tensors of type `element`.
    ///
    /// # Errors
    ///
    /// As [`WindowAttention::new`], and:
    ///
    /// - [`Error::InvalidParameter`]: an axis of frames that is not causal, or has a stride or a group; fewer slots than a window
    ///   spans frames; more than 4,096 slots and frames of a window together.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: WindowStreamOptions,
        element: Element,
    ) -> Result<Self, Error> {
        options.check()?;
        let attention = WindowAttention::new_within(OP, compiler.into(), options.attention, element, element)?;
        Ok(Self { options, attention })
    }

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &WindowStreamOptions {
        &self.options
    }

    /// Bytes from one slot of the keys to the next, for frames of this shape. Every slot may be bound as a tensor of its own.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn key_slot_bytes(&self, device: &wgpu::Device, shape: Nchw) -> Result<u64, Error> {
        self.slot_bytes(device, shape, self.options.attention.channels())
    }

    /// As [`Self::key_slot_bytes`], for the values.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn value_slot_bytes(&self, device: &wgpu::Device, shape: Nchw) -> Result<u64, Error> {
        self.slot_bytes(device, shape, self.options.attention.value_channels())
    }

    fn slot_bytes(&self, device: &wgpu::Device, shape: Nchw, channels: u32) -> Result<u64, Error> {
        self.attention.tensors(shape)?;
        let elements = Nchw { channels, ..shape }.elements().unwrap_or(u64::MAX);
        let alignment = u64::from(device.limits().min_storage_buffer_offset_alignment);
        Ok(elements.saturating_mul(self.attention.inner().bytes()).next_multiple_of(alignment))
    }

    /// The tensors of one [`Self::bind`]. `shape` is that of a frame of `q`. `k` and `v` are rings: `[slots, elements of a slot]`.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, device: &wgpu::Device, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        let mut specs = self.attention.tensors(shape)?;
        let bytes = self.attention.inner().bytes();
        let slots = [self.key_slot_bytes(device, shape)?, self.value_slot_bytes(device, shape)?];
        for (spec, slot) in specs[1..3].iter_mut().zip(slots) {
            let elements = check::to_u32(OP, "elements of a slot", slot / bytes)?;
            *spec = TensorSpec::input(spec.name, [self.options.slots, elements], self.attention.inner());
        }
        Ok(specs)
    }

    /// Checks the buffers against the shape of a frame of `q`, and binds them. `k` and `v` hold [`WindowStreamOptions::slots`] frames
    /// each, [`Self::key_slot_bytes`] and [`Self::value_slot_bytes`] apart.
    ///
    /// # Errors
    ///
    /// As [`WindowAttention::bind`], and [`Error::LimitExceeded`]: a ring exceeds a binding of the device.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: WindowStreamBuffers<'_>,
    ) -> Result<WindowStreamRecording, Error> {
        let WindowStreamBuffers { q, k, v, tables, y, log_sum_exp } = buffers;
        let buffers = WindowAttentionBuffers { q, k, v, tables, y, log_sum_exp };
        let specs = self.tensors(device, shape)?;
        let options = &self.options.attention;
        let tables = options.table_slices(OP, buffers.tables)?;
        let slots = self.options.slots;
        let first = WindowStreamOptions::new(*options).slots - 1;
        let count = first + slots;
        if shape.is_empty() {
            let frames = vec![Recording::default(); count as usize];
            return Ok(WindowStreamRecording { slots: slots.into(), frames });
        }
        let mut given = vec![
            ("q", Some(buffers.q)),
            ("k", Some(buffers.k)),
            ("v", Some(buffers.v)),
            ("y", Some(buffers.y)),
            ("log_sum_exp", buffers.log_sum_exp),
        ];
        given.extend(tables);
        check::slices(OP, device, &specs, &given)?;
        // Frames of keys are addressed in 32 bits.
        let [keys, values] = [1, 2].map(|at| specs[at].elements().unwrap_or(u64::MAX));
        check::to_u32(OP, "elements of a ring", keys.max(values))?;
        options.check_shape(OP, Ncthw { frames: count, ..Ncthw::from(shape) })?;
        let bytes = self.attention.inner().bytes();
        let slot_elements = [1, 2].map(|at: usize| specs[at].shape[1]);
        let frames = (0..count).map(|frame| {
            let rings = [Tensor::whole(buffers.k, keys, bytes), Tensor::whole(buffers.v, values, bytes)];
            let ring = Ring { frame, slots, slot_elements };
            let shape = Ncthw::from(shape);
            self.attention.dispatches(device, shape, &buffers, tables, rings, Some(ring)).map(Recording::new)
        });
        Ok(WindowStreamRecording { slots: slots.into(), frames: frames.collect::<Result<_, _>>()? })
    }

    /// What one frame moves and computes, once all frames of a window have been written.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let attention = &self.options.attention;
        let earlier = count(u64::from(attention.axes[0].keys.saturating_sub(1)));
        let channels = count(u64::from(attention.channels())) + count(u64::from(attention.value_channels()));
        let frame = count(u64::from(shape.batch)) * channels * count(shape.size().pixels());
        let bytes = earlier * frame * count(self.attention.inner().bytes());
        self.attention.cost(shape) + Cost::new(bytes, count(0), count(0))
    }
}

// A stream counts its frames in the axis that the kernel takes.
const _: () = assert!(MAX_RECORDINGS < MAX_EXTENT);
