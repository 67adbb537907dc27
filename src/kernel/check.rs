//! Every check of the caller's arguments that an operator makes before any call to wgpu.

use super::tensor::in_place;
use crate::{Error, Ncthw, Nhw, Role, Size, TensorSpec};

/// Checks the buffer slices of an operator, before any call to wgpu. `given` has an entry for each field of the operator's buffers.
pub(crate) fn slices(
    op: &'static str,
    device: &wgpu::Device,
    tensors: &[TensorSpec],
    given: &[(&'static str, Option<wgpu::BufferSlice<'_>>)],
) -> Result<(), Error> {
    let alignment = u64::from(device.limits().min_storage_buffer_offset_alignment);
    let slice_of = |name| given.iter().find(|(given, _)| *given == name).and_then(|&(_, slice)| slice);
    if let Some(&(parameter, _)) =
        given.iter().find(|(name, slice)| slice.is_some() && tensors.iter().all(|tensor| tensor.name != *name))
    {
        return presence(op, parameter, true, false, "the operator as built has no use for it");
    }
    // A slice may be longer than its tensor: only the tensor's bytes count.
    let mut bound = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let binding = tensor.name;
        let Some(needed) = tensor.bytes() else {
            let given = device.limits().max_buffer_size;
            return Err(Error::LimitExceeded { op, limit: binding, needed: u64::MAX, given });
        };
        let Some(slice) = slice_of(binding) else {
            presence(op, binding, false, !tensor.optional, "the operator as built needs it")?;
            continue;
        };
        let usage = slice.buffer().usage();
        if !usage.contains(wgpu::BufferUsages::STORAGE) {
            let given = format!("{usage:?}");
            return Err(Error::MissingUsage { op, binding, given, needed: "BufferUsages::STORAGE" });
        }
        if slice.size() < needed {
            return Err(Error::BufferTooSmall { op, binding, given: slice.size(), needed });
        }
        if slice.offset() % alignment != 0 {
            return Err(Error::MisalignedOffset { op, binding, offset: slice.offset(), alignment });
        }
        bound.push((tensor, slice, slice.offset()..slice.offset() + needed));
    }
    let written = |tensor: &TensorSpec| tensor.role != Role::Input;
    for (index, (output, slice, range)) in bound.iter().enumerate().filter(|(_, (tensor, ..))| written(tensor)) {
        for (other_index, (other, other_slice, other_range)) in bound.iter().enumerate() {
            let both_written_and_seen = written(other) && other_index <= index;
            let replaces = output.in_place_of == Some(other.name) && in_place(*other_slice, *slice);
            if other_index == index || both_written_and_seen || replaces {
                continue;
            }
            let overlap = range.start < other_range.end && other_range.start < range.end;
            if overlap && slice.buffer() == other_slice.buffer() {
                return Err(Error::Aliased { op, output: output.name, other: other.name });
            }
        }
    }
    Ok(())
}

/// What an operator needs of the caller's texture.
pub(crate) struct TextureNeeds {
    /// Any of these.
    pub(crate) formats: &'static [wgpu::TextureFormat],
    pub(crate) size: Size,
    /// The fewest that the texture may have.
    pub(crate) layers: u32,
    pub(crate) usage: wgpu::TextureUsages,
    /// The usage, as wgpu calls it.
    pub(crate) usage_name: &'static str,
}

/// Checks a texture of the caller, before any call to wgpu.
pub(crate) fn texture(
    op: &'static str,
    binding: &'static str,
    texture: &wgpu::Texture,
    needs: &TextureNeeds,
) -> Result<(), Error> {
    let TextureNeeds { formats, size, layers, usage, usage_name } = *needs;
    let fits = formats.contains(&texture.format())
        && texture.dimension() == wgpu::TextureDimension::D2
        && texture.sample_count() == 1
        && (texture.width(), texture.height()) == (size.width, size.height)
        && texture.depth_or_array_layers() >= layers;
    if !fits {
        let formats: Vec<_> = formats.iter().map(|format| format!("{format:?}")).collect();
        return Err(Error::InvalidTexture {
            op,
            binding,
            given: format!(
                "{:?} {:?}, {} by {} of {} layers, {} samples",
                texture.dimension(),
                texture.format(),
                texture.width(),
                texture.height(),
                texture.depth_or_array_layers(),
                texture.sample_count()
            ),
            needed: format!(
                "D2 {}, {} by {} of at least {layers} layers, 1 sample",
                formats.join(" or "),
                size.width,
                size.height
            ),
        });
    }
    if !texture.usage().contains(usage) {
        let given = format!("{:?}", texture.usage());
        return Err(Error::MissingUsage { op, binding, given, needed: usage_name });
    }
    Ok(())
}

/// Refuses a tensor whose byte count overflows `u64`, before any arithmetic with its size. An empty batch counts as one image.
pub(crate) fn elements(
    op: &'static str,
    binding: &'static str,
    shape: impl Into<Ncthw> + std::fmt::Display + Copy,
) -> Result<(), Error> {
    let frames = shape.into();
    count(op, binding, Ncthw { batch: frames.batch.max(1), ..frames }.elements(), &shape)
}

/// Like [`elements`], for a tensor without channels.
pub(crate) fn plane(op: &'static str, binding: &'static str, shape: Nhw) -> Result<(), Error> {
    count(op, binding, Nhw { batch: shape.batch.max(1), ..shape }.elements(), &shape)
}

fn count(
    op: &'static str,
    binding: &'static str,
    elements: Option<u64>,
    shape: &dyn std::fmt::Display,
) -> Result<(), Error> {
    // 16 bytes is the widest element that a kernel loads at once.
    if elements.is_some_and(|count| count <= u64::MAX / 16) {
        return Ok(());
    }
    Err(Error::InvalidShape { op, binding, given: shape.to_string(), needed: "fewer than 2^60 elements".into() })
}

/// Converts a count that a kernel takes as a 32-bit parameter.
pub(crate) fn to_u32(op: &'static str, quantity: &'static str, value: u64) -> Result<u32, Error> {
    u32::try_from(value).map_err(|_| Error::LimitExceeded {
        op,
        limit: quantity,
        needed: value,
        given: u64::from(u32::MAX),
    })
}

/// Refuses source images without pixels, and axes longer than `i32::MAX`. Callers skip this check if there is nothing to compute.
pub(crate) fn source(op: &'static str, binding: &'static str, size: Size) -> Result<(), Error> {
    let axis = 1..=i32::MAX as u32;
    if axis.contains(&size.height) && axis.contains(&size.width) {
        return Ok(());
    }
    Err(Error::InvalidShape { op, binding, given: size.to_string(), needed: "1 to 2^31 - 1 rows and columns".into() })
}

/// Most channels of a head.
const MAX_HEAD_DIM: u32 = 1024;

/// Refuses heads of an attention whose channels have no meaning, are too many, or whose number overflows.
pub(crate) fn heads(op: &'static str, heads: u32, head_dim: u32, value_dim: u32) -> Result<(), Error> {
    let refuse = |parameter, given: u32, needed: String| {
        Err(Error::InvalidParameter { op, parameter, given: given.to_string(), needed })
    };
    if heads == 0 {
        return refuse("heads", 0, "at least 1".into());
    }
    for (parameter, dim) in [("head_dim", head_dim), ("value_dim", value_dim)] {
        if dim == 0 || dim > MAX_HEAD_DIM {
            return refuse(parameter, dim, format!("1 to {MAX_HEAD_DIM}"));
        }
        if heads.checked_mul(dim).is_none() {
            return refuse("heads", heads, format!("at most {} heads of {parameter} {dim}", u32::MAX / dim));
        }
    }
    Ok(())
}

/// Refuses NaN and infinities.
pub(crate) fn finite(op: &'static str, parameter: &'static str, value: f32) -> Result<f32, Error> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(Error::InvalidParameter { op, parameter, given: value.to_string(), needed: "a finite number".into() })
}

/// Checks that an optional slice is given exactly when the operator needs it. `reason` says why it is needed or not taken.
pub(crate) fn presence(
    op: &'static str,
    parameter: &'static str,
    given: bool,
    wanted: bool,
    reason: &str,
) -> Result<(), Error> {
    if given == wanted {
        return Ok(());
    }
    let text = |present| if present { "a slice" } else { "none" };
    let needed = format!("{} ({reason})", text(wanted));
    Err(Error::InvalidParameter { op, parameter, given: text(given).into(), needed })
}

/// Largest extent of kernels with windows. They compute positions in `i32`, and the sum of two positions must fit.
pub(crate) const MAX_EXTENT: u64 = 1 << 30;

/// Converts an extent that was checked against [`MAX_EXTENT`], for a kernel.
pub(crate) const fn signed(extent: u32) -> i32 {
    extent as i32
}
