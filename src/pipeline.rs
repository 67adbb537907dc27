//! The only file that creates shader modules, pipelines, bind groups and scratch buffers, and that checks what is bound.

use std::sync::OnceLock;

use crate::plan::{self, Part};
use crate::shaders::{Shader, Variant};
use crate::{Error, Nchw, Nhw, Size};

pub(crate) use crate::plan::{MAX_ROUNDS, MAX_TERMS};

/// How a kernel uses a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// How much of a tensor one dispatch needs.
#[derive(Clone, Copy, Debug)]
enum Extent {
    /// So many elements for each unit of the split, see [`plan`].
    Unit(u64),
    /// So many elements in all, whatever the split.
    Whole(u64),
}

/// A tensor that a caller gave, or scratch: what is bound, and how it is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tensor<'a> {
    name: &'static str,
    slice: Option<wgpu::BufferSlice<'a>>,
    extent: Extent,
    element_bytes: u64,
    access: Access,
}

impl<'a> Tensor<'a> {
    /// An input of `unit` elements for each unit of the split.
    pub(crate) fn read(name: &'static str, slice: wgpu::BufferSlice<'a>, unit: u64, element_bytes: u64) -> Self {
        Self { name, slice: Some(slice), extent: Extent::Unit(unit), element_bytes, access: Access::Read }
    }

    /// An output, or scratch, of `unit` elements for each unit of the split.
    pub(crate) fn write(name: &'static str, slice: wgpu::BufferSlice<'a>, unit: u64, element_bytes: u64) -> Self {
        Self { access: Access::Write, ..Self::read(name, slice, unit, element_bytes) }
    }

    /// An output that the caller may leave out: the kernel then has a placeholder, which it must not touch.
    pub(crate) fn write_if(
        name: &'static str,
        slice: Option<wgpu::BufferSlice<'a>>,
        unit: u64,
        element_bytes: u64,
    ) -> Self {
        Self { name, slice, extent: Extent::Unit(unit), element_bytes, access: Access::Write }
    }

    /// An input that the caller may leave out: see [`Self::write_if`].
    pub(crate) fn read_if(
        name: &'static str,
        slice: Option<wgpu::BufferSlice<'a>>,
        unit: u64,
        element_bytes: u64,
    ) -> Self {
        Self { access: Access::Read, ..Self::write_if(name, slice, unit, element_bytes) }
    }

    /// An input of `elements` in all, which every part of a split needs whole: weights and tables.
    pub(crate) fn read_whole(
        name: &'static str,
        slice: wgpu::BufferSlice<'a>,
        elements: u64,
        element_bytes: u64,
    ) -> Self {
        Self { name, slice: Some(slice), extent: Extent::Whole(elements), element_bytes, access: Access::Read }
    }

    /// An input that the caller may leave out, whole for every part: see [`Self::write_if`].
    pub(crate) fn read_whole_if(
        name: &'static str,
        slice: Option<wgpu::BufferSlice<'a>>,
        elements: u64,
        element_bytes: u64,
    ) -> Self {
        Self { name, slice, extent: Extent::Whole(elements), element_bytes, access: Access::Read }
    }

    /// The same with each unit cut into so many equal ones.
    pub(crate) fn cut(self, units: u64) -> Self {
        let extent = match self.extent {
            Extent::Unit(elements) => Extent::Unit(elements / units),
            Extent::Whole(elements) => Extent::Whole(elements),
        };
        Self { extent, ..self }
    }

    /// The same, for a kernel that loads `lanes` elements at once.
    pub(crate) fn by_lanes(self, lanes: u64) -> Self {
        let extent = match self.extent {
            Extent::Unit(elements) => Extent::Unit(elements / lanes),
            Extent::Whole(elements) => Extent::Whole(elements / lanes),
        };
        Self { extent, element_bytes: self.element_bytes * lanes, ..self }
    }

    fn bytes(&self, units: u32) -> Option<u64> {
        match self.extent {
            Extent::Unit(elements) => elements.checked_mul(self.element_bytes)?.checked_mul(u64::from(units)),
            Extent::Whole(elements) => elements.checked_mul(self.element_bytes),
        }
        .filter(|&bytes| bytes <= u64::MAX - 4)
        .map(plan::binding_bytes)
    }

    fn unit_bytes(&self) -> u64 {
        match self.extent {
            Extent::Unit(elements) | Extent::Whole(elements) => elements * self.element_bytes,
        }
    }
}

/// Checks everything that a caller can get wrong about the tensors of an operator, before any call to wgpu.
pub(crate) fn check(op: &'static str, device: &wgpu::Device, units: u32, tensors: &[Tensor<'_>]) -> Result<(), Error> {
    let alignment = u64::from(device.limits().min_storage_buffer_offset_alignment);
    for tensor in tensors {
        let Some(needed) = tensor.bytes(units) else {
            return Err(Error::LimitExceeded {
                op,
                limit: tensor.name,
                needed: u64::MAX,
                given: device.limits().max_buffer_size,
            });
        };
        let Some(slice) = tensor.slice else { continue };
        let binding = tensor.name;
        let usage = slice.buffer().usage();
        if !usage.contains(wgpu::BufferUsages::STORAGE) {
            return Err(Error::MissingUsage {
                op,
                binding,
                given: format!("{usage:?}"),
                needed: "BufferUsages::STORAGE",
            });
        }
        if slice.size() < needed {
            return Err(Error::BufferTooSmall { op, binding, given: slice.size(), needed });
        }
        if slice.offset() % alignment != 0 {
            return Err(Error::MisalignedOffset { op, binding, offset: slice.offset(), alignment });
        }
    }
    // Only the bytes that the tensor takes count: a slice may be longer than that.
    let range = |tensor: &Tensor<'_>| {
        let slice = tensor.slice?;
        Some((slice.buffer().clone(), slice.offset(), slice.offset() + tensor.bytes(units)?))
    };
    for (index, output) in tensors.iter().enumerate().filter(|(_, tensor)| tensor.access == Access::Write) {
        for (other_index, other) in tensors.iter().enumerate() {
            let both_written_and_seen = other.access == Access::Write && other_index <= index;
            if other_index == index || both_written_and_seen {
                continue;
            }
            if let (Some(a), Some(b)) = (range(output), range(other))
                && a.0 == b.0
                && a.1 < b.2
                && b.1 < a.2
            {
                return Err(Error::Aliased { op, output: output.name, other: other.name });
            }
        }
    }
    Ok(())
}

/// Refuses a tensor whose byte count leaves `u64`, or that of one image of it where it has none, before any arithmetic is done
/// with it.
pub(crate) fn check_elements(op: &'static str, binding: &'static str, shape: Nchw) -> Result<(), Error> {
    check_count(op, binding, Nchw { batch: shape.batch.max(1), ..shape }.elements(), &shape)
}

/// As [`check_elements`], for a tensor without channels.
pub(crate) fn check_plane(op: &'static str, binding: &'static str, shape: Nhw) -> Result<(), Error> {
    check_count(op, binding, Nhw { batch: shape.batch.max(1), ..shape }.elements(), &shape)
}

fn check_count(
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

/// A 32-bit count that a kernel takes as a parameter.
pub(crate) fn to_u32(op: &'static str, quantity: &'static str, value: u64) -> Result<u32, Error> {
    u32::try_from(value).map_err(|_| Error::LimitExceeded {
        op,
        limit: quantity,
        needed: value,
        given: u64::from(u32::MAX),
    })
}

/// Rounds of an outer loop and of the one in it: what counts is both.
pub(crate) fn nested(outer: u32, inner: u32) -> u64 {
    u64::from(outer) * (1 + u64::from(inner))
}

/// Refuses loops that one invocation would run too often: see [`MAX_ROUNDS`].
pub(crate) fn check_rounds(op: &'static str, needed: u64) -> Result<(), Error> {
    if needed <= MAX_ROUNDS {
        return Ok(());
    }
    Err(Error::LimitExceeded { op, limit: "loop rounds of one invocation", needed, given: MAX_ROUNDS })
}

/// Workgroup of the kernels that write pictures, and the pixels of a row that each of its invocations takes: what depends on the row
/// alone is computed once for them.
pub(crate) const TILE: [u32; 3] = [16, 4, 1];
const TILE_PIXELS: u32 = 4;

/// Workgroups of [`TILE`] that cover a picture.
pub(crate) fn tiles(size: Size) -> [u32; 2] {
    [size.width.div_ceil(TILE[0] * TILE_PIXELS), size.height.div_ceil(TILE[1])]
}

/// Refuses images without pixels where there is something to be computed from them, and axes that `i32` does not hold.
pub(crate) fn check_source(op: &'static str, binding: &'static str, size: Size) -> Result<(), Error> {
    let axis = 1..=i32::MAX as u32;
    if axis.contains(&size.height) && axis.contains(&size.width) {
        return Ok(());
    }
    Err(Error::InvalidShape { op, binding, given: size.to_string(), needed: "1 to 2^31 - 1 rows and columns".into() })
}

/// Refuses NaN and infinities.
pub(crate) fn check_finite(op: &'static str, parameter: &'static str, value: f32) -> Result<f32, Error> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(Error::InvalidParameter { op, parameter, given: value.to_string(), needed: "a finite number".into() })
}

/// Refuses a slice that the operator has no use for as it was built, and the lack of one that it needs. `reason` is what
/// of the operator decides.
pub(crate) fn check_presence(
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

/// Whether an output takes the place of an input: both start at the same byte of the same buffer.
pub(crate) fn in_place(input: wgpu::BufferSlice<'_>, output: wgpu::BufferSlice<'_>) -> bool {
    input.buffer() == output.buffer() && input.offset() == output.offset()
}

/// What operators are compiled with: the caller's device, and a pipeline cache where the caller keeps one. Every `new` takes
/// a `&wgpu::Device` as well as this.
///
/// A cache spares the driver's compiler on later starts, on the backends that have one (`Features::PIPELINE_CACHE`). It must
/// be of the same device; loading and storing its data is the caller's.
#[derive(Clone, Copy, Debug)]
pub struct Compiler<'a> {
    pub(crate) device: &'a wgpu::Device,
    cache: Option<&'a wgpu::PipelineCache>,
    pub(crate) software: bool,
    /// Loop rounds of one invocation that the adapter is trusted with, whichever variants are compiled for it.
    most_rounds: u64,
}

impl<'a> Compiler<'a> {
    /// Compiles into `cache` and from it.
    #[must_use]
    pub fn with_cache(self, cache: &'a wgpu::PipelineCache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// Compiles the variants of kernels that adapters of this type get, rather than those of the device's own: a software
    /// adapter (`DeviceType::Cpu`) has some without barriers, where a GPU shares the work within workgroups. Results differ by
    /// rounding at most, speed by much. It serves to test on one of them what the other runs.
    #[must_use]
    pub fn with_variants_for(self, device_type: wgpu::DeviceType) -> Self {
        Self { software: device_type == wgpu::DeviceType::Cpu, ..self }
    }

    /// Refuses loops that the adapter would end without an error: see [`MAX_ROUNDS`].
    pub(crate) fn check_rounds(&self, op: &'static str, needed: u64, remedy: &'static str) -> Result<(), Error> {
        if needed <= self.most_rounds {
            return Ok(());
        }
        Err(Error::TooManyRounds { op, needed, given: self.most_rounds, remedy })
    }
}

impl<'a> From<&'a wgpu::Device> for Compiler<'a> {
    fn from(device: &'a wgpu::Device) -> Self {
        let device_type = device.adapter_info().device_type;
        let own = Self { device, cache: None, software: false, most_rounds: plan::most_rounds(device_type) };
        own.with_variants_for(device_type)
    }
}

/// What a kernel is compiled for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Build<'a> {
    /// The operator, for messages.
    pub(crate) op: &'static str,
    pub(crate) shader: &'static Shader,
    pub(crate) variant: Variant,
    /// Values of the overrides.
    pub(crate) constants: &'a [(&'static str, f64)],
    /// Workgroup size, as the overrides set it.
    pub(crate) workgroup: [u32; 3],
    /// Bytes of workgroup memory, as the overrides set them.
    pub(crate) workgroup_bytes: u32,
    /// Access of each storage buffer, from binding 1 on.
    pub(crate) storage: &'a [Access],
    /// Whether an `rgba8unorm` storage texture array follows them.
    pub(crate) texture: bool,
}

/// A compiled kernel.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    op: &'static str,
    shader: &'static Shader,
    variant: Variant,
    constants: Vec<(&'static str, f64)>,
    storage: Vec<Access>,
    texture: bool,
    cache: Option<wgpu::PipelineCache>,
    separate: Program,
    /// WebGPU refuses one buffer as input and output of a dispatch, in different ranges too, unless both are read-write.
    /// Compiled at the first `bind` that has such slices.
    shared: std::sync::Arc<OnceLock<Program>>,
}

#[derive(Clone, Debug)]
struct Program {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

impl Kernel {
    /// Compiles for `device`, after checking the limits and features that wgpu would not.
    pub(crate) fn new(compiler: Compiler<'_>, build: &Build<'_>) -> Result<Self, Error> {
        let Compiler { device, cache, .. } = compiler;
        let Build { op, shader, variant, constants, workgroup, workgroup_bytes, storage, texture } = *build;
        debug_assert!(shader.lists(variant, constants), "{} {variant:?} {constants:?}: not in the table", shader.name);
        if variant.element == crate::Element::F16 && !device.features().contains(wgpu::Features::SHADER_F16) {
            return Err(Error::MissingFeature { op, feature: "SHADER_F16" });
        }
        let limits = device.limits();
        let invocations = workgroup.iter().product();
        for (limit, needed, given) in [
            ("max_compute_invocations_per_workgroup", invocations, limits.max_compute_invocations_per_workgroup),
            ("max_compute_workgroup_size_x", workgroup[0], limits.max_compute_workgroup_size_x),
            ("max_compute_workgroup_size_y", workgroup[1], limits.max_compute_workgroup_size_y),
            ("max_compute_workgroup_size_z", workgroup[2], limits.max_compute_workgroup_size_z),
            ("max_compute_workgroup_storage_size", workgroup_bytes, limits.max_compute_workgroup_storage_size),
            (
                "max_storage_buffers_per_shader_stage",
                u32::try_from(storage.len()).unwrap_or(u32::MAX),
                limits.max_storage_buffers_per_shader_stage,
            ),
            ("max_storage_textures_per_shader_stage", u32::from(texture), limits.max_storage_textures_per_shader_stage),
        ] {
            if needed > given {
                return Err(Error::LimitExceeded { op, limit, needed: needed.into(), given: given.into() });
            }
        }
        let mut kernel = Self {
            op,
            shader,
            variant,
            constants: constants.to_vec(),
            storage: storage.to_vec(),
            texture,
            cache: cache.cloned(),
            separate: Program::new(device, build, cache, false),
            shared: std::sync::Arc::default(),
        };
        // A kernel that only writes has nothing to make read-write.
        if !storage.contains(&Access::Read) {
            kernel.shared = std::sync::Arc::new(OnceLock::from(kernel.separate.clone()));
        }
        Ok(kernel)
    }

    fn program(&self, device: &wgpu::Device, shared: bool) -> &Program {
        if !shared {
            return &self.separate;
        }
        self.shared.get_or_init(|| {
            let build = Build {
                op: self.op,
                shader: self.shader,
                variant: self.variant,
                constants: &self.constants,
                workgroup: [1; 3],
                workgroup_bytes: 0,
                storage: &self.storage,
                texture: self.texture,
            };
            Program::new(device, &build, self.cache.as_ref(), true)
        })
    }

    /// Divides the work under the device's limits, without a call to wgpu that could fail.
    pub(crate) fn plan(
        &self,
        device: &wgpu::Device,
        units: u32,
        groups: [u32; 2],
        tensors: &[Tensor<'_>],
    ) -> Result<Vec<Part>, Error> {
        debug_assert_eq!(tensors.len(), self.storage.len(), "{}", self.shader.name);
        let of = |whole: bool| -> Vec<u64> {
            let bound = tensors.iter().filter(|tensor| tensor.slice.is_some());
            bound.filter(|t| matches!(t.extent, Extent::Whole(_)) == whole).map(Tensor::unit_bytes).collect()
        };
        let work = plan::Work { units, groups, unit_bytes: &of(false), whole_bytes: &of(true) };
        plan::parts(&work, &device.limits()).map_err(|exceeded| Error::LimitExceeded {
            op: self.op,
            limit: exceeded.limit,
            needed: exceeded.needed,
            given: exceeded.given,
        })
    }

    /// Plans and binds: one step for each part. `params` is given each part and, for every tensor in order, the element
    /// of its binding that the part's first unit starts at.
    pub(crate) fn bind<P: bytemuck::Pod>(
        &self,
        device: &wgpu::Device,
        units: u32,
        groups: [u32; 2],
        tensors: &[Tensor<'_>],
        texture: Option<&wgpu::TextureView>,
        params: impl Fn(&Part, &[u32]) -> P,
    ) -> Result<Vec<Dispatch>, Error> {
        let parts = self.plan(device, units, groups, tensors)?;
        let limits = device.limits();
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
        let shared = tensors.iter().filter(|tensor| tensor.access == Access::Write).any(|output| {
            let inputs = tensors.iter().filter(|tensor| tensor.access == Access::Read);
            inputs
                .filter_map(|input| input.slice)
                .any(|input| output.slice.is_some_and(|output| output.buffer() == input.buffer()))
        });
        let program = self.program(device, shared);
        // Not created unless a binding needs it; it is never read or written. One buffer can't be bound for reading and for
        // writing in the same dispatch, so each access has its own.
        let mut placeholders: [Option<wgpu::Buffer>; 2] = [None, None];
        let mut bound = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            let placeholder = &mut placeholders[usize::from(tensor.access == Access::Write)];
            bound.push(match (tensor.slice, &*placeholder) {
                (Some(slice), _) => Between::Given(slice),
                (None, Some(buffer)) => Between::Own(buffer.clone()),
                (None, None) => Between::Own(placeholder.insert(scratch(self.op, device, "placeholder", 16)?).clone()),
            });
        }

        let mut dispatches = Vec::with_capacity(parts.len());
        for part in parts {
            let mut bases = Vec::with_capacity(tensors.len());
            let mut entries = Vec::with_capacity(tensors.len() + 2);
            for (binding, (tensor, bound)) in (1..).zip(tensors.iter().zip(&bound)) {
                let window = match tensor.extent {
                    Extent::Unit(_) => plan::window(&part.units, tensor.unit_bytes(), alignment),
                    Extent::Whole(_) => 0..plan::binding_bytes(tensor.unit_bytes()),
                };
                let first = match tensor.extent {
                    Extent::Unit(_) => u64::from(part.units.start) * tensor.unit_bytes() - window.start,
                    Extent::Whole(_) => 0,
                };
                // Below the alignment, so it fits.
                bases.push((first / tensor.element_bytes) as u32);
                let resource = match bound {
                    Between::Given(slice) => wgpu::BufferBinding {
                        buffer: slice.buffer(),
                        offset: slice.offset() + window.start,
                        size: wgpu::BufferSize::new(window.end - window.start),
                    },
                    Between::Own(placeholder) => placeholder.as_entire_buffer_binding(),
                };
                entries.push(wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(resource) });
            }
            let params = params(&part, &bases);
            let params = bytemuck::bytes_of(&params);
            let uniform = uniform(self.op, device, self.shader.name, params)?;
            entries.push(wgpu::BindGroupEntry { binding: 0, resource: uniform.as_entire_binding() });
            if let Some(view) = texture {
                let binding = entries.len() as u32;
                entries.push(wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::TextureView(view) });
            }
            let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(&label(self.op, self.shader.name)),
                layout: &program.layout,
                entries: &entries,
            });
            dispatches.push(Dispatch {
                shader: self.shader,
                params: params.to_vec(),
                pipeline: program.pipeline.clone(),
                bind_group,
                groups: part.groups,
            });
        }
        Ok(dispatches)
    }
}

impl Program {
    fn new(device: &wgpu::Device, build: &Build<'_>, cache: Option<&wgpu::PipelineCache>, shared: bool) -> Self {
        let label = label(build.op, build.shader.name);
        let label = Some(label.as_str());
        let buffer = |ty| wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None };
        let mut types = vec![buffer(wgpu::BufferBindingType::Uniform)];
        types.extend(
            build.storage.iter().map(|&access| {
                buffer(wgpu::BufferBindingType::Storage { read_only: access == Access::Read && !shared })
            }),
        );
        if build.texture {
            types.push(wgpu::BindingType::StorageTexture {
                access: wgpu::StorageTextureAccess::WriteOnly,
                format: wgpu::TextureFormat::Rgba8Unorm,
                view_dimension: wgpu::TextureViewDimension::D2Array,
            });
        }
        let entries: Vec<_> = (0..)
            .zip(types)
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty,
                count: None,
            })
            .collect();
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let shader = build.shader;
        let source = if shared { shader.shared_source(build.variant) } else { shader.source(build.variant) };
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(build.shader.name),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: build.constants,
                // Every kernel writes its workgroup memory before it reads it.
                zero_initialize_workgroup_memory: false,
            },
            cache,
        });
        Self { pipeline, layout }
    }
}

/// What an object is called in a stranger's capture: the crate, the operator, and the kernel or the tensor.
pub(crate) fn label(op: &str, name: &str) -> String {
    format!("visual_attention::{op}::{name}")
}

/// A storage buffer of the operator's own. wgpu clears it before its first use.
pub(crate) fn scratch(
    op: &'static str,
    device: &wgpu::Device,
    label: &'static str,
    bytes: u64,
) -> Result<wgpu::Buffer, Error> {
    let size = plan::binding_bytes(bytes.max(4));
    let given = device.limits().max_buffer_size;
    if size > given {
        return Err(Error::LimitExceeded { op, limit: "max_buffer_size", needed: size, given });
    }
    Ok(device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(&self::label(op, label)),
        size,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    }))
}

/// A tensor between two kernels: the caller's, or scratch of the operator's own.
pub(crate) enum Between<'a> {
    Given(wgpu::BufferSlice<'a>),
    Own(wgpu::Buffer),
}

impl<'a> Between<'a> {
    /// Scratch of `bytes` bytes unless the caller gives the tensor.
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

/// A uniform with its contents, written without the queue.
fn uniform(op: &'static str, device: &wgpu::Device, label: &str, contents: &[u8]) -> Result<wgpu::Buffer, Error> {
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
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(&self::label(op, label)),
        size: plan::binding_bytes(contents.len() as u64),
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

/// One dispatch of a [`Recording`](crate::Recording).
#[derive(Clone, Debug)]
pub struct Dispatch {
    shader: &'static Shader,
    params: Vec<u8>,
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    groups: [u32; 3],
}

impl Dispatch {
    /// The kernel: the stem of its file under `shaders/`, its entry point, and the last part of its label in GPU debuggers, which is
    /// `visual_attention::operator::kernel`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.shader.name
    }

    /// The kernel's parameters by name, as bits, for debugging: what one dispatch of divided work differs in from the next.
    #[must_use]
    pub fn params(&self) -> Vec<(&'static str, u32)> {
        let members = self.shader.params.iter();
        members.map(|member| (member.name, bytemuck::pod_read_unaligned(&self.params[member.offset..][..4]))).collect()
    }

    /// Records this dispatch alone, for instance into a pass of its own with timestamps. Steps must keep their order.
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        let [x, y, z] = self.groups;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// An operator bound to buffers and checked: what `bind` returns. It can be recorded any number of times, in any encoder of
/// its device, and it keeps its scratch alive. Two submissions of it at once on one queue are in order, as wgpu orders them.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    dispatches: Vec<Dispatch>,
}

impl Recording {
    pub(crate) fn new(dispatches: Vec<Dispatch>) -> Self {
        Self { dispatches }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.dispatches.extend(other.dispatches);
    }

    /// Records every step into the caller's pass. Never fails and allocates nothing of its own. It sets the pass's pipeline
    /// and bind group 0, and restores neither.
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        for dispatch in &self.dispatches {
            dispatch.record(pass);
        }
    }

    /// The dispatches in order. An operator over an empty tensor has none.
    #[must_use]
    pub fn dispatches(&self) -> impl ExactSizeIterator<Item = &Dispatch> {
        self.dispatches.iter()
    }
}
