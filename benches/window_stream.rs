use visual_attention::{
    Border, Element, Nchw, Ncthw, PositionTables, WindowAttentionOptions, WindowAxis, WindowStream,
    WindowStreamBuffers, WindowStreamOptions, reference,
};

use crate::common::unfused::Unfused;
use crate::common::{Bench, noise};
use crate::window_attention::attend;

/// One frame of a stream that has just filled its slots, and the composition of gathered keys and values.
pub(crate) fn bench(bench: &mut Bench) {
    let pixels = |keys| WindowAxis::new(keys).with_border(Border::Shift);
    for (frames, around, side) in [(4, 7, 28), (4, 3, 56), (8, 1, 56)] {
        let causal = WindowAxis::new(frames).with_border(Border::Causal);
        let options = WindowAttentionOptions::volume(4, 16, [causal, pixels(around), pixels(around)]);
        let frame = Nchw::new(1, options.channels(), side, side);
        let clip = Ncthw { frames, ..Ncthw::from(frame) };
        let [q, k, v] = [0, 1, 2].map(|_| noise(clip.elements().expect("small")));

        // Slot t has frame t.
        let stream = WindowStream::new(&bench.gpu.device, WindowStreamOptions::new(options), Element::F32);
        let stream = stream.expect("operator");
        let slot = (stream.key_slot_bytes(&bench.gpu.device, frame).expect("a shape") / 4) as usize;
        let plane = frame.size().pixels() as usize;
        let len = frame.elements().expect("small") as usize;
        let ring = |numbers: &[f32]| -> Vec<f32> {
            let mut ring = vec![0f32; slot * frames as usize];
            for (at, numbers) in numbers.chunks_exact(plane).enumerate() {
                let (channel, t) = (at / frames as usize, at % frames as usize);
                ring[t * slot + channel * plane..][..plane].copy_from_slice(numbers);
            }
            ring
        };
        let last = |numbers: &[f32]| -> Vec<f32> {
            numbers.chunks_exact(plane * frames as usize).flat_map(|of| of[of.len() - plane..].to_vec()).collect()
        };
        let [q_buffer, k_buffer, v_buffer] =
            [last(&q), ring(&k), ring(&v)].map(|numbers| bench.gpu.upload("input", &numbers).expect("input"));
        let y = bench.gpu.buffer("y", len as u64 * 4).expect("y");
        let buffers = WindowStreamBuffers {
            q: q_buffer.slice(..),
            k: k_buffer.slice(..),
            v: v_buffer.slice(..),
            tables: PositionTables::None,
            y: y.slice(..),
            log_sum_exp: None,
        };
        let recording = stream.bind(&bench.gpu.device, frame, buffers).expect("bind");
        let recording = recording.frame(u64::from(frames) - 1);
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("4x16 {frames}x{around}x{around} {frame}");
        let expected = last(&reference::window_attention(clip, &options, &q, &k, &v, PositionTables::None).y);
        bench.check(&what, Element::F32, &y, &expected);
        let cost = stream.cost(frame);
        bench.measure("window_stream", &what, "fused", cost, |pass| recording.record(pass));

        // For each entry and query, where the key's first channel is in the ring.
        let window = |at: u32| reference::window_entries(at, side, options.axes[1]);
        let entries = options.keys() as u32;
        let mut places = vec![0f32; entries as usize * plane];
        for query in 0..plane {
            let (rows, columns) = (window(query as u32 / side), window(query as u32 % side));
            let keys = (0..frames as usize).flat_map(|t| {
                let pixels = rows.iter().flat_map(|a| columns.iter().map(|b| (a.key, b.key)));
                pixels.map(move |(a, b)| t * slot + a.expect("inside") * side as usize + b.expect("inside"))
            });
            keys.enumerate().for_each(|(entry, place)| places[entry * plane + query] = place as f32);
        }
        let places = bench.gpu.upload("places", &places).expect("places");
        let mut unfused = Unfused::new(&bench.gpu);
        let scaled = unfused.each(&format!("a[i] * {}f", options.scale), &[&q_buffer], len as u64);
        let result = unfused.tensor(len as u64);
        for head in 0..options.heads {
            let gathered = [&k_buffer, &v_buffer].map(|ring| {
                let channel = format!("(#{} + i / #{}) * #{plane}", head * options.head_dim, entries * plane as u32);
                let from = format!("a[{channel} + u32(b[i % #{}])]", entries * plane as u32);
                let count = u64::from(options.head_dim * entries) * plane as u64;
                unfused.each(&from, &[ring, &places], count)
            });
            let tensors = [&scaled, &gathered[0], &gathered[1], &result];
            attend(&mut unfused, tensors, head..head + 1, options.head_dim, entries, plane as u32, None);
        }
        bench.measure_unfused("window_stream", &what, cost, &unfused, &[(&result, &expected)]);
    }
}
