//! Tensors as kernels bind them: slices of the caller, or scratch buffers.

use super::divide;
use crate::Error;

/// How much of a tensor one dispatch needs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    /// Elements of each unit of the split: see [`divide`].
    Unit(u64),
    /// Elements in all, however the work is split.
    Whole(u64),
}

/// A slice of the caller or a scratch buffer, and how much of the tensor one dispatch needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tensor<'a> {
    pub(crate) slice: Option<wgpu::BufferSlice<'a>>,
    pub(crate) extent: Extent,
    pub(crate) element_bytes: u64,
}

impl<'a> Tensor<'a> {
    /// A tensor of `unit` elements for each unit of the work. If the slice is absent, a placeholder is bound, which the kernel
    /// must not touch.
    pub(crate) fn divided(slice: impl Into<Option<wgpu::BufferSlice<'a>>>, unit: u64, element_bytes: u64) -> Self {
        Self { slice: slice.into(), extent: Extent::Unit(unit), element_bytes }
    }

    /// A tensor of `elements` in all: weights and tables. Every part of a split needs the whole tensor.
    pub(crate) fn whole(slice: impl Into<Option<wgpu::BufferSlice<'a>>>, elements: u64, element_bytes: u64) -> Self {
        Self { slice: slice.into(), extent: Extent::Whole(elements), element_bytes }
    }

    /// Splits each unit into `units` equal ones.
    pub(crate) fn cut(self, units: u64) -> Self {
        let extent = match self.extent {
            Extent::Unit(elements) => Extent::Unit(elements / units),
            Extent::Whole(elements) => Extent::Whole(elements),
        };
        Self { extent, ..self }
    }

    /// Counts in vectors of `lanes` elements, for a kernel that loads vectors.
    pub(crate) fn by_lanes(self, lanes: u64) -> Self {
        let extent = match self.extent {
            Extent::Unit(elements) => Extent::Unit(elements / lanes),
            Extent::Whole(elements) => Extent::Whole(elements / lanes),
        };
        Self { extent, element_bytes: self.element_bytes * lanes, ..self }
    }

    pub(crate) fn unit_bytes(&self) -> u64 {
        match self.extent {
            Extent::Unit(elements) | Extent::Whole(elements) => elements * self.element_bytes,
        }
    }
}

/// Whether an output replaces an input: both start at the same byte of the same buffer.
pub(crate) fn in_place(input: wgpu::BufferSlice<'_>, output: wgpu::BufferSlice<'_>) -> bool {
    input.buffer() == output.buffer() && input.offset() == output.offset()
}

/// The label of an object in another program's capture: the crate, the operator, and the kernel or the tensor.
pub(crate) fn label(op: &str, name: &str) -> String {
    format!("visual_attention::{op}::{name}")
}

/// A view of mip level 0 of the caller's texture, in the texture's own format: of one layer, or an array of all layers.
pub(crate) fn view(op: &str, name: &str, texture: &wgpu::Texture, layer: Option<u32>) -> wgpu::TextureView {
    let (dimension, base_array_layer) = match layer {
        Some(layer) => (wgpu::TextureViewDimension::D2, layer),
        None => (wgpu::TextureViewDimension::D2Array, 0),
    };
    texture.create_view(&wgpu::TextureViewDescriptor {
        label: Some(&label(op, name)),
        dimension: Some(dimension),
        mip_level_count: Some(1),
        base_array_layer,
        array_layer_count: layer.map(|_| 1),
        ..Default::default()
    })
}

/// Size of a buffer that holds `bytes` bytes, if the device can create it.
pub(crate) fn checked_size(op: &'static str, device: &wgpu::Device, bytes: u64) -> Result<u64, Error> {
    let size = divide::binding_bytes(bytes.max(4));
    let given = device.limits().max_buffer_size;
    if size > given {
        return Err(Error::LimitExceeded { op, limit: "max_buffer_size", needed: size, given });
    }
    Ok(size)
}

/// A scratch buffer of the operator. wgpu clears it before its first use.
pub(crate) fn scratch(
    op: &'static str,
    device: &wgpu::Device,
    label: &'static str,
    bytes: u64,
) -> Result<wgpu::Buffer, Error> {
    let size = checked_size(op, device, bytes)?;
    Ok(device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(&self::label(op, label)),
        size,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    }))
}

/// A tensor between two kernels: a slice of the caller, or a scratch buffer of the operator.
pub(crate) enum Between<'a> {
    Given(wgpu::BufferSlice<'a>),
    Own(wgpu::Buffer),
}

impl<'a> Between<'a> {
    /// The caller's slice, or a scratch buffer of `bytes` bytes.
    pub(crate) fn new(
        given: Option<wgpu::BufferSlice<'a>>,
        op: &'static str,
        device: &wgpu::Device,
        label: &'static str,
        bytes: u64,
    ) -> Result<Self, Error> {
        given.map_or_else(|| scratch(op, device, label, bytes).map(Self::Own), |slice| Ok(Self::Given(slice)))
    }

    pub(crate) fn slice(&self) -> wgpu::BufferSlice<'_> {
        match self {
            Self::Given(slice) => *slice,
            Self::Own(buffer) => buffer.slice(..),
        }
    }
}

/// A uniform buffer with its contents, written without the queue.
pub(crate) fn uniform(
    op: &'static str,
    device: &wgpu::Device,
    label: &str,
    contents: &[u8],
) -> Result<wgpu::Buffer, Error> {
    filled(op, device, label, contents, wgpu::BufferUsages::UNIFORM)
}

/// A buffer with its contents, written without the queue. `create_buffer_init` would panic on a lost device.
pub(crate) fn filled(
    op: &'static str,
    device: &wgpu::Device,
    label: &str,
    contents: &[u8],
    usage: wgpu::BufferUsages,
) -> Result<wgpu::Buffer, Error> {
    let size = checked_size(op, device, contents.len() as u64)?;
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(&self::label(op, label)),
        size,
        usage,
        mapped_at_creation: true,
    });
    buffer
        .slice(..)
        .get_mapped_range_mut()
        .map_err(|_| Error::DeviceUnavailable { op })?
        .slice(..contents.len())
        .copy_from_slice(contents);
    buffer.unmap();
    Ok(buffer)
}
