//! One device for the whole suite, and outputs between guard bands.

use std::sync::OnceLock;

use half::f16;
use visual_attention::host::Gpu;
use visual_attention::{Element, Recording, wgpu};

use super::compiler;
use super::guards::{self, GUARD, POISON};

/// What [`Gpu::open`] asks for.
const FEATURES: wgpu::Features = wgpu::Features::SHADER_F16.union(wgpu::Features::TIMESTAMP_QUERY);

pub(crate) struct TestGpu(Gpu);

impl std::ops::Deref for TestGpu {
    type Target = Gpu;

    fn deref(&self) -> &Gpu {
        &self.0
    }
}

/// The suite's device, or `None` where there is no adapter: the test is then skipped and says so, unless
/// `VISUAL_ATTENTION_REQUIRE_GPU=1`.
pub(crate) fn gpu() -> Option<&'static TestGpu> {
    static GPU: OnceLock<Option<TestGpu>> = OnceLock::new();
    let gpu = GPU.get_or_init(|| match Gpu::open_with(FEATURES, &compiler::shared_limits()) {
        Ok(gpu) => {
            eprintln!("adapter: {}", gpu.describe());
            compiler::share(&gpu.device);
            Some(TestGpu(gpu))
        }
        Err(error) => {
            let required = std::env::var_os("VISUAL_ATTENTION_REQUIRE_GPU").is_some_and(|value| value == "1");
            assert!(!required, "VISUAL_ATTENTION_REQUIRE_GPU=1, but {error}");
            None
        }
    });
    if gpu.is_none() {
        skipped("no GPU adapter");
    }
    gpu.as_ref()
}

/// Whether loops have a bound there.
pub(crate) fn is_software(gpu: &TestGpu) -> bool {
    gpu.device.adapter_info().device_type == wgpu::DeviceType::Cpu
}

/// Says that the running test, or a part of it, has nothing to run on.
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED {}: {why}", std::thread::current().name().unwrap_or("a test"));
}

/// A device of the test's own under lower limits; skipped as [`gpu`].
pub(crate) fn gpu_with(limits: &wgpu::Limits) -> Option<TestGpu> {
    let features = gpu()?.device.features();
    Some(TestGpu(Gpu::open_with(features, limits).unwrap()))
}

/// An output buffer, poisoned, between two guards.
pub(crate) struct Output {
    buffer: wgpu::Buffer,
    bytes: usize,
}

impl Output {
    pub(crate) fn slice(&self) -> wgpu::BufferSlice<'_> {
        let start = GUARD as u64;
        self.buffer.slice(start..start + self.bytes.next_multiple_of(4) as u64)
    }
}

impl TestGpu {
    /// The element types that the device has; what is left out is said.
    pub(crate) fn elements(&self) -> Vec<Element> {
        if self.has_f16() {
            return vec![Element::F32, Element::F16];
        }
        skipped("the 16-bit half, the adapter has no 16-bit floats");
        vec![Element::F32]
    }

    /// A tensor, stored as `element`.
    pub(crate) fn input(&self, values: &[f32], element: Element) -> wgpu::Buffer {
        match element {
            Element::F32 => self.upload("input", values).unwrap(),
            _ => {
                let mut halves: Vec<_> = values.iter().map(|&value| f16::from_f32(value)).collect();
                if halves.len() % 2 == 1 {
                    halves.push(f16::ZERO);
                }
                self.upload("input", &halves).unwrap()
            }
        }
    }

    /// Room for `len` elements of `bytes` bytes.
    pub(crate) fn output(&self, len: usize, bytes: u64) -> Output {
        let bytes = len * bytes as usize;
        Output { buffer: self.upload("output", &vec![POISON; guards::words(bytes)]).unwrap(), bytes }
    }

    /// An output that holds numbers already, for operators that work in place.
    pub(crate) fn filled(&self, values: &[f32], element: Element) -> Output {
        let contents: Vec<u8> = match element {
            Element::F32 => bytemuck::cast_slice(values).to_vec(),
            _ => values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect(),
        };
        let mut bytes: Vec<u8> = POISON.repeat(guards::words(contents.len()));
        bytes[GUARD..GUARD + contents.len()].copy_from_slice(&contents);
        Output { buffer: self.upload("output", &bytes).unwrap(), bytes: contents.len() }
    }

    pub(crate) fn recording(&self, recording: &Recording) {
        self.run(|pass| recording.record(pass)).unwrap();
    }

    /// The output's words, after checking that the guards are untouched.
    pub(crate) fn words<T: bytemuck::Pod>(&self, output: &Output) -> Vec<T> {
        let bytes: Vec<u8> = self.read(output.buffer.slice(..)).unwrap();
        bytemuck::pod_collect_to_vec(guards::inside(&bytes, output.bytes, "output"))
    }

    /// The output's numbers, stored as `element`.
    pub(crate) fn floats(&self, output: &Output, element: Element) -> Vec<f32> {
        match element {
            Element::F32 => self.words(output),
            _ => self.words::<f16>(output).into_iter().map(f16::to_f32).collect(),
        }
    }
}

/// `values` as they are once stored as `element`.
pub(crate) fn rounded(values: &[f32], element: Element) -> Vec<f32> {
    match element {
        Element::F32 => values.to_vec(),
        _ => values.iter().map(|&value| f16::from_f32(value).to_f32()).collect(),
    }
}
