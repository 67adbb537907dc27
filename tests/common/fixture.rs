//! An entry of the catalogue on a device, whoever opened it.

use std::sync::mpsc;

use half::f16;
use visual_attention::wgpu::{self, BufferUsages, util::DeviceExt};
use visual_attention::{Element, Error, Recording};

use super::catalogue::{Bind, Contents, Entry, Kind};
use super::guards::{self, POISON};

/// As offsets in buffers are counted.
const GUARD: u64 = guards::GUARD as u64;

pub(crate) struct Fixture {
    pub(crate) bind: Bind,
    pub(crate) inputs: Vec<wgpu::Buffer>,
    outputs: Vec<(wgpu::Buffer, u64)>,
    poison: Option<wgpu::Buffer>,
    in_place: bool,
    pub(crate) recording: Recording,
}

impl Kind {
    fn bytes(self) -> u64 {
        match self {
            Self::Exact(element) | Self::Near(element) => element.bytes(),
            Self::Words | Self::Colors => 4,
        }
    }
}

/// What a tensor looks like in memory, padded to whole words.
pub(crate) fn stored(contents: &Contents) -> Vec<u8> {
    let mut bytes: Vec<u8> = match contents {
        Contents::Floats(Element::F32, numbers) => bytemuck::cast_slice(numbers).to_vec(),
        Contents::Floats(_, numbers) => {
            numbers.iter().flat_map(|&number| f16::from_f32(number).to_le_bytes()).collect()
        }
        Contents::Words(words) => bytemuck::cast_slice(words).to_vec(),
    };
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn buffer(device: &wgpu::Device, contents: &[u8]) -> wgpu::Buffer {
    device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: Some("theirs"),
        contents,
        usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
    })
}

impl Fixture {
    pub(crate) fn new(device: &wgpu::Device, entry: &Entry) -> Result<Self, Error> {
        Self::with((entry.open)(device)?, device, entry)
    }

    /// With an operator that is open already.
    pub(crate) fn with(bind: Bind, device: &wgpu::Device, entry: &Entry) -> Result<Self, Error> {
        let inputs: Vec<_> = entry.inputs.iter().map(|input| buffer(device, &stored(&input.contents))).collect();
        let outputs: Vec<_> = entry
            .outputs
            .iter()
            .map(|&(_, len, kind)| {
                let bytes = len as u64 * kind.bytes();
                (buffer(device, &POISON.repeat(guards::words(bytes as usize))), bytes)
            })
            .collect();
        let largest = outputs.iter().map(|(buffer, _)| buffer.size()).max().unwrap();
        let poison = (!entry.in_place).then(|| buffer(device, &POISON.repeat((largest / 4) as usize)));
        let slices: Vec<_> = inputs.iter().map(|input| input.slice(..)).collect();
        let recording = bind(device, &slices, &outputs.iter().map(slice).collect::<Vec<_>>())?;
        Ok(Self { bind, inputs, outputs, poison, in_place: entry.in_place, recording })
    }

    pub(crate) fn output_slices(&self) -> Vec<wgpu::BufferSlice<'_>> {
        self.outputs.iter().map(slice).collect()
    }

    /// Bytes of all outputs with their guards.
    pub(crate) fn stride(&self) -> u64 {
        self.outputs.iter().map(|(buffer, _)| buffer.size()).sum()
    }

    /// Room for the results of `runs`.
    pub(crate) fn archive(&self, device: &wgpu::Device, runs: usize) -> wgpu::Buffer {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("archive"),
            size: self.stride() * runs as u64,
            usage: BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    /// Outputs as they start, the operator, and what it wrote into the `run`-th place of the archive.
    pub(crate) fn record(&self, encoder: &mut wgpu::CommandEncoder, archive: &wgpu::Buffer, run: usize) {
        for (output, _) in &self.outputs {
            if let Some(poison) = &self.poison {
                encoder.copy_buffer_to_buffer(poison, 0, output, 0, output.size());
            }
        }
        if self.in_place {
            encoder.copy_buffer_to_buffer(&self.inputs[0], 0, &self.outputs[0].0, GUARD, self.inputs[0].size());
        }
        self.recording.record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
        let mut at = self.stride() * run as u64;
        for (output, _) in &self.outputs {
            encoder.copy_buffer_to_buffer(output, 0, archive, at, output.size());
            at += output.size();
        }
    }

    /// The outputs of one run, without their guards, which must be whole.
    #[track_caller]
    pub(crate) fn outputs<'a>(&self, run: &'a [u8], what: &str) -> Vec<&'a [u8]> {
        let mut rest = run;
        self.outputs
            .iter()
            .map(|(buffer, bytes)| {
                let (output, after) = rest.split_at(buffer.size() as usize);
                rest = after;
                guards::inside(output, *bytes as usize, what)
            })
            .collect()
    }
}

fn slice((buffer, bytes): &(wgpu::Buffer, u64)) -> wgpu::BufferSlice<'_> {
    buffer.slice(GUARD..GUARD + bytes.next_multiple_of(4))
}

/// Bytes of an output as numbers; integers as they are.
pub(crate) fn decoded(bytes: &[u8], kind: Kind) -> Vec<f64> {
    let wide = |words: Vec<f32>| words.into_iter().map(f64::from).collect();
    match kind {
        Kind::Exact(Element::F32) | Kind::Near(Element::F32) => wide(bytemuck::pod_collect_to_vec(bytes)),
        Kind::Exact(_) | Kind::Near(_) => {
            bytes.chunks_exact(2).map(|pair| f16::from_le_bytes([pair[0], pair[1]]).to_f64()).collect()
        }
        Kind::Words => bytemuck::pod_collect_to_vec::<_, i32>(bytes).into_iter().map(f64::from).collect(),
        Kind::Colors => bytes.iter().map(|&byte| f64::from(byte)).collect(),
    }
}

/// A buffer's bytes, whichever thread polls the device meanwhile.
pub(crate) fn read(device: &wgpu::Device, queue: &wgpu::Queue, buffer: &wgpu::Buffer) -> Vec<u8> {
    let (done, outcome) = mpsc::channel();
    wgpu::util::DownloadBuffer::read_buffer(device, queue, &buffer.slice(..), move |download| {
        done.send(download.unwrap().to_vec()).unwrap();
    });
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    outcome.recv().unwrap()
}
