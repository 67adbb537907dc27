use visual_attention::{
    Border, DispatchBound, Element, Nchw, Ncthw, PositionTables, RelativePosition, WindowAttention,
    WindowAttentionBuffers, WindowAttentionOptions, WindowAxis, WindowStream, WindowStreamBuffers, WindowStreamOptions,
    wgpu,
};

use crate::common::{self, Random, TestGpu, rounded};
use crate::compiler;

fn causal(keys: u32) -> WindowAxis {
    WindowAxis::new(keys).with_border(Border::Causal)
}

/// The bits of elements as they are stored, padded to whole words.
fn stored(numbers: &[f32], element: Element) -> Vec<u8> {
    let mut bytes: Vec<u8> = match element {
        Element::F32 => bytemuck::cast_slice(numbers).to_vec(),
        _ => numbers.iter().flat_map(|&number| half::f16::from_f32(number).to_le_bytes()).collect(),
    };
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Frame `t` of `[n, c, t, h, w]`, as `[n, c, h, w]`.
fn frame_of(numbers: &[f32], shape: Ncthw, t: u32) -> Vec<f32> {
    let pixels = shape.size().pixels() as usize;
    let frames = numbers.chunks_exact(shape.frames as usize * pixels);
    frames.flat_map(|plane| plane[t as usize * pixels..][..pixels].to_vec()).collect()
}

/// Queries, keys and values of all frames.
struct Clip {
    shape: Ncthw,
    element: Element,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    /// One buffer for every table, whose numbers are the tables' first ones.
    table: Vec<f32>,
}

impl Clip {
    fn random(options: &WindowAttentionOptions, shape: Ncthw, element: Element, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut numbers = |len: u64| rounded(&random.normal(len as usize), element);
        let values = Ncthw { channels: options.value_channels(), ..shape };
        let (q, k) = (numbers(shape.elements().unwrap()), numbers(shape.elements().unwrap()));
        Self { shape, element, q, k, v: numbers(values.elements().unwrap()), table: numbers(4096) }
    }

    fn tables<'a>(
        &self,
        options: &WindowAttentionOptions,
        table: &'a wgpu::Buffer,
    ) -> PositionTables<wgpu::BufferSlice<'a>> {
        let [frames, rows, columns] = options.axes.map(|axis| (axis.keys > 1).then(|| table.slice(..)));
        match options.relative {
            RelativePosition::None => PositionTables::None,
            RelativePosition::Bias => PositionTables::Bias(table.slice(..)),
            _ => PositionTables::Axes { frames, rows, columns },
        }
    }

    /// `y` and the log-sum-exps of all frames at once.
    fn at_once(&self, gpu: &TestGpu, options: WindowAttentionOptions) -> [Vec<f32>; 2] {
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, self.element).unwrap();
        let [q, k, v, table] = [&self.q, &self.k, &self.v, &self.table].map(|values| gpu.input(values, self.element));
        let out = options.output(self.shape).elements().unwrap() as usize;
        let y = gpu.output(out, self.element.bytes());
        let log_sum_exp = gpu.output(out / options.value_dim as usize, 4);
        let buffers = WindowAttentionBuffers {
            q: q.slice(..),
            k: k.slice(..),
            v: v.slice(..),
            tables: self.tables(&options, &table),
            y: y.slice(),
            log_sum_exp: Some(log_sum_exp.slice()),
        };
        gpu.recording(&operator.bind(&gpu.device, self.shape, buffers).unwrap());
        [gpu.floats(&y, self.element), gpu.words(&log_sum_exp)]
    }

    /// `y` and the log-sum-exps of the frames of each run, which is a stream that starts anew.
    fn stream(&self, gpu: &TestGpu, options: WindowStreamOptions, runs: &[std::ops::Range<u32>]) -> Vec<[Vec<f32>; 2]> {
        let attention = &options.attention;
        let operator = WindowStream::new(compiler::of(&gpu.device), options, self.element).unwrap();
        let Ncthw { batch, channels, height, width, .. } = self.shape;
        let frame = Nchw::new(batch, channels, height, width);
        let values = Ncthw { channels: attention.value_channels(), ..self.shape };
        let k_slot = operator.key_slot_bytes(&gpu.device, frame).unwrap();
        let v_slot = operator.value_slot_bytes(&gpu.device, frame).unwrap();
        let buffer = |size: u64| {
            let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
            let label = Some("ring");
            gpu.device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false })
        };
        let slots = u64::from(options.slots);
        let (q, k, v) = (buffer(k_slot), buffer(k_slot * slots), buffer(v_slot * slots));
        // What no frame has written must not reach a result.
        for (ring, slot) in [(&k, k_slot), (&v, v_slot)] {
            gpu.queue.write_buffer(ring, 0, &vec![0xff; (slot * slots) as usize]);
        }
        let table = gpu.input(&self.table, self.element);
        let out = (frame.elements().unwrap() / u64::from(channels)) as usize;
        let y = gpu.output(out * attention.value_channels() as usize, self.element.bytes());
        let log_sum_exp = gpu.output(out * attention.heads as usize, 4);
        let buffers = WindowStreamBuffers {
            q: q.slice(..),
            k: k.slice(..),
            v: v.slice(..),
            tables: self.tables(attention, &table),
            y: y.slice(),
            log_sum_exp: Some(log_sum_exp.slice()),
        };
        let recording = operator.bind(&gpu.device, frame, buffers).unwrap();
        let frames = runs.iter().flat_map(|run| run.clone().map(move |t| (t, u64::from(t - run.start))));
        let computed = frames.map(|(t, since)| {
            let slot = u64::from(recording.slot(since));
            let write = |to: &wgpu::Buffer, at: u64, numbers: &[f32], shape: Ncthw| {
                gpu.queue.write_buffer(to, at, &stored(&frame_of(numbers, shape, t), self.element));
            };
            write(&q, 0, &self.q, self.shape);
            write(&k, slot * k_slot, &self.k, self.shape);
            write(&v, slot * v_slot, &self.v, values);
            gpu.recording(recording.frame(since));
            [gpu.floats(&y, self.element), gpu.words(&log_sum_exp)]
        });
        computed.collect()
    }

    /// Frames from `from` on.
    fn rest(&self, options: &WindowAttentionOptions, from: u32) -> Self {
        let values = Ncthw { channels: options.value_channels(), ..self.shape };
        let cut = |numbers: &[f32], shape: Ncthw| -> Vec<f32> {
            let pixels = shape.size().pixels() as usize;
            let planes = numbers.chunks_exact(shape.frames as usize * pixels);
            planes.flat_map(|plane| plane[from as usize * pixels..].to_vec()).collect()
        };
        Self {
            shape: Ncthw { frames: self.shape.frames - from, ..self.shape },
            element: self.element,
            q: cut(&self.q, self.shape),
            k: cut(&self.k, self.shape),
            v: cut(&self.v, values),
            table: self.table.clone(),
        }
    }
}

/// Every frame has the bits that it has in the whole clip: windows with and without dilation, every relative term, heads that are divided,
/// other heads of the values, several images, slots to spare; and once more after a new start.
#[test]
fn frames_have_the_bits_of_the_whole_clip() {
    let Some(gpu) = common::gpu() else { return };
    let around = |keys, border| WindowAxis::new(keys).with_border(border);
    let volume = WindowAttentionOptions::volume;
    let shift = around(3, Border::Shift);
    let cases = [
        (volume(2, 4, [causal(3), shift, shift]), 0),
        (volume(2, 6, [causal(4).with_dilation(2), shift, shift]).with_relative(RelativePosition::PerHead), 0),
        (
            volume(1, 5, [causal(2), around(4, Border::Mask), around(3, Border::Zero)])
                .with_relative(RelativePosition::Sum),
            3,
        ),
        (
            volume(3, 2, [causal(3), WindowAxis::swin(2, 1), WindowAxis::swin(3, 0)])
                .with_relative(RelativePosition::Bias),
            1,
        ),
        (volume(1, 64, [causal(3), around(1, Border::Mask), around(5, Border::Mask)]).with_value_dim(32), 0),
        (volume(2, 3, [causal(1), shift, shift]), 2),
        (volume(1, 8, [causal(5), around(1, Border::Mask), around(1, Border::Mask)]).with_value_dim(11), 0),
    ];
    for element in gpu.elements() {
        for (seed, (options, spare)) in (0..).zip(cases) {
            let shape = Ncthw::new(2, options.channels(), 12, 5, 7);
            let clip = Clip::random(&options, shape, element, seed);
            let whole = clip.at_once(gpu, options);
            // A stream that starts at frame 5 sees a clip that starts there.
            let rest = clip.rest(&options, 5);
            let late = rest.at_once(gpu, options);
            let stream = WindowStreamOptions::new(options);
            let computed = clip.stream(gpu, stream.with_slots(stream.slots + spare), &[0..12, 5..12]);
            assert_eq!(computed.len(), 12 + 7);
            for (index, found) in (0u32..).zip(&computed) {
                let (all, shape, t) =
                    if index < 12 { (&whole, clip.shape, index) } else { (&late, rest.shape, index - 12) };
                for ((found, all), channels) in found.iter().zip(all).zip([options.value_channels(), options.heads]) {
                    let expected = frame_of(all, Ncthw { channels, ..shape }, t);
                    let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
                    assert!(bits(found) == bits(&expected), "frame {t} of {shape}, {element:?} {options:?}");
                }
            }
        }
    }
}

/// A stream whose work is divided, down to single workgroups, has the same bits.
#[test]
fn divided_streams_have_the_same_bits() {
    let Some(gpu) = common::gpu() else { return };
    let mask = WindowAxis::new(3).with_border(Border::Mask);
    let options = WindowAttentionOptions::volume(3, 4, [causal(3), mask, mask]).with_value_dim(10);
    let options = options.with_relative(RelativePosition::Bias);
    let clip = Clip::random(&options, Ncthw::new(2, options.channels(), 5, 9, 30), Element::F32, 7);
    let stream = || clip.stream(gpu, WindowStreamOptions::new(options), &[0..3, 0..5]);
    let whole = stream();
    let divided = compiler::bounded(DispatchBound::new(1, 1), stream);
    assert!(whole == divided);
}

#[test]
fn slots_take_turns() {
    let Some(gpu) = common::gpu() else { return };
    let options = WindowAttentionOptions::volume(1, 4, [causal(3).with_dilation(2), causal(1), causal(1)]);
    let stream = WindowStream::new(compiler::of(&gpu.device), WindowStreamOptions::new(options), Element::F32).unwrap();
    assert_eq!(stream.options().slots, 5);
    let shape = Nchw::new(1, 4, 3, 3);
    // Slots may be bound as tensors.
    let slot = stream.key_slot_bytes(&gpu.device, shape).unwrap();
    assert_eq!(slot % u64::from(gpu.device.limits().min_storage_buffer_offset_alignment), 0);
    assert!(slot >= 4 * 9 * 4);
    let specs = stream.tensors(&gpu.device, shape).unwrap();
    assert_eq!(specs[1].shape, [5, (slot / 4) as u32]);
    let [ring, other, y] = [0, 1, 2].map(|_| gpu.upload("ring", &vec![0f32; slot as usize / 4 * 5]).unwrap());
    let buffers = WindowStreamBuffers {
        q: other.slice(..),
        k: ring.slice(..),
        v: ring.slice(..),
        tables: PositionTables::None,
        y: y.slice(..),
        log_sum_exp: None,
    };
    let recording = stream.bind(&gpu.device, shape, buffers).unwrap();
    assert_eq!([0, 4, 5, 13].map(|t| recording.slot(t)), [0, 4, 0, 3]);
    // The first four frames look back less far, and all others come round.
    let parameters = |t| recording.frame(t).dispatches().next().unwrap().params();
    for t in 4..40 {
        assert_eq!(parameters(t), parameters(t + 5));
        assert_ne!(parameters(t), parameters(t + 1));
    }
    assert_ne!(parameters(1), parameters(6));
    // Choosing the recording of a frame allocates nothing.
    let allocations = allocation_counter::measure(|| {
        (0..100).for_each(|t| {
            std::hint::black_box((recording.frame(t), recording.slot(t)));
        });
    });
    assert_eq!(allocations.count_total, 0);
    let bytes = stream.cost(shape).bytes;
    assert_eq!(bytes, 4 * (2 * 3 + 2) * 36, "keys and values of three frames, queries and results of one");
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let one = WindowAxis::new(1);
    let refused = |options: WindowStreamOptions, words: &[&str]| {
        let error = WindowStream::new(compiler::of(&gpu.device), options, Element::F32).map(|_| ()).unwrap_err();
        let error = error.to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    let over = |frames| WindowStreamOptions::new(WindowAttentionOptions::volume(1, 4, [frames, one, one]));
    refused(over(WindowAxis::new(3)), &["window_stream", "frames.border", "zero", "causal"]);
    refused(over(causal(3).with_stride(2)), &["frames.stride", "2", "1 in a stream"]);
    refused(over(causal(3).with_group(2)), &["frames.group", "2", "1 in a stream"]);
    refused(over(causal(3)).with_slots(2), &["slots", "2", "at least 3"]);
    refused(over(causal(3)).with_slots(5000), &["slots", "5000", "at most 4094"]);
    let stream = WindowStream::new(compiler::of(&gpu.device), over(causal(3)), Element::F32).unwrap();
    let buffer = gpu.upload("x", &[0f32; 512]).unwrap();
    let y = gpu.upload("y", &[0f32; 512]).unwrap();
    let buffers = WindowStreamBuffers {
        q: buffer.slice(..),
        k: buffer.slice(..256),
        v: buffer.slice(..),
        tables: PositionTables::None,
        y: y.slice(..),
        log_sum_exp: None,
    };
    let error = stream.bind(&gpu.device, Nchw::new(1, 4, 4, 4), buffers).unwrap_err().to_string();
    assert!(["window_stream", "`k`", "256", "768"].iter().all(|word| error.contains(word)), "{error}");
    let error = stream.bind(&gpu.device, Nchw::new(1, 5, 4, 4), buffers).unwrap_err().to_string();
    assert!(["window_stream", "4 channels"].iter().all(|word| error.contains(word)), "{error}");
}
