//! What operators are built from. Nothing here depends on an operator.
//!
//! This file binds kernels; `program.rs` compiles them. No other file creates shader modules, pipelines or bind groups.

pub(crate) mod bound;
pub(crate) mod check;
pub(crate) mod compiler;
pub(crate) mod divide;
pub(crate) mod pipelines;
pub(crate) mod program;
pub(crate) mod recording;
pub(crate) mod resample;
pub(crate) mod rounds;
pub(crate) mod shader;
pub(crate) mod tensor;
pub(crate) mod tuning;
pub(crate) mod window;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use self::bound::DispatchBound;
use self::divide::Part;
use self::program::Program;
use self::shader::{Access, Shader, Variant};
use self::tensor::{Between, Extent};
use crate::cost::{Count, count};
use crate::{Cost, Error};

pub(crate) use self::compiler::Compiler;
pub(crate) use self::program::Build;
pub(crate) use self::recording::Dispatch;
pub(crate) use self::tensor::Tensor;

/// A compiled kernel.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    op: &'static str,
    shader: &'static Shader,
    variant: Variant,
    constants: Vec<(&'static str, f64)>,
    cache: Option<wgpu::PipelineCache>,
    bound: DispatchBound,
    /// The program for inputs and outputs in separate buffers. `new` compiles it, or the first `bind` of a kernel that may never run, unless
    /// another operator of the same [`Pipelines`](pipelines::Pipelines) has.
    separate: Arc<OnceLock<Program>>,
    /// The program for an input and an output in one buffer. WebGPU refuses such bindings, even of separate ranges, unless both
    /// are read-write. The first `bind` with such slices compiles it.
    shared: Arc<OnceLock<Program>>,
}

/// Workgroups of a kernel: `x` by `y` for each of `units`. An operator that reuses scratch computes one range after another.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    pub(crate) units: Range<u32>,
    pub(crate) x: Range<u32>,
    pub(crate) y: Range<u32>,
}

impl Grid {
    fn workgroups(&self) -> u128 {
        let counts = [&self.units, &self.x, &self.y].map(ExactSizeIterator::len);
        counts.into_iter().fold(1, |product, count| product.saturating_mul(count as u128))
    }
}

impl Kernel {
    /// Compiles for the compiler's device, after checking the limits and features that wgpu does not check.
    pub(crate) fn new(compiler: Compiler<'_>, build: &Build<'_>) -> Result<Self, Error> {
        let Compiler { device, cache, bound, .. } = compiler;
        let Build { op, shader, variant, constants, workgroup, workgroup_bytes } = *build;
        debug_assert!(shader.lists(variant, constants), "{} {variant:?} {constants:?}: not in the table", shader.name);
        if variant.element == crate::Element::F16 && !device.features().contains(wgpu::Features::SHADER_F16) {
            return Err(Error::MissingFeature { op, feature: "SHADER_F16" });
        }
        let count = |access: &[Access]| {
            let count = shader.bindings.iter().filter(|binding| access.contains(&binding.access)).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
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
                count(&[Access::Read, Access::Write]),
                limits.max_storage_buffers_per_shader_stage,
            ),
            (
                "max_storage_textures_per_shader_stage",
                count(&[Access::Texture, Access::TextureRgba8, Access::TextureRgba16]),
                limits.max_storage_textures_per_shader_stage,
            ),
            (
                "max_sampled_textures_per_shader_stage",
                count(&[Access::TextureLoad]),
                limits.max_sampled_textures_per_shader_stage,
            ),
        ] {
            if needed > given {
                return Err(Error::LimitExceeded { op, limit, needed: needed.into(), given: given.into() });
            }
        }
        let place = |read_write| {
            compiler.pipelines.map_or_else(Arc::default, |pipelines| pipelines.place(device, build, read_write))
        };
        let separate = place(false);
        // A kernel without inputs has no binding to make read-write.
        let shared = if count(&[Access::Read]) == 0 { Arc::clone(&separate) } else { place(true) };
        let constants = constants.to_vec();
        let kernel = Self { op, shader, variant, constants, cache: cache.cloned(), bound, separate, shared };
        if !compiler.at_first_use {
            kernel.program(device, false);
        }
        Ok(kernel)
    }

    fn program(&self, device: &wgpu::Device, shared: bool) -> &Program {
        let (program, read_write) = if shared { (&self.shared, true) } else { (&self.separate, false) };
        program.get_or_init(|| {
            let build = Build {
                op: self.op,
                shader: self.shader,
                variant: self.variant,
                constants: &self.constants,
                workgroup: [1; 3],
                workgroup_bytes: 0,
            };
            Program::new(device, &build, self.cache.as_ref(), read_write)
        })
    }

    /// What all of the work moves and computes. `flops` is that of one unit.
    fn work(units: u32, flops: Count, tensors: &[Tensor<'_>]) -> Cost {
        let units = count(u64::from(units));
        let bytes = tensors.iter().filter(|tensor| tensor.slice.is_some()).map(|tensor| match tensor.extent {
            Extent::Unit(_) => units * count(tensor.unit_bytes()),
            Extent::Whole(_) => count(tensor.unit_bytes()),
        });
        Cost::new(bytes.fold(count(0), |sum, bytes| sum + bytes), units * flops, count(0))
    }

    /// Divides the work under the device's limits and the bound of one dispatch, without a call to wgpu that could fail.
    fn plan(&self, device: &wgpu::Device, grid: &Grid, tensors: &[Tensor<'_>], cost: Cost) -> Result<Vec<Part>, Error> {
        debug_assert_eq!(tensors.len(), self.shader.storage().count(), "{}", self.shader.name);
        let of = |whole: bool| -> Vec<u64> {
            let bound = tensors.iter().filter(|tensor| tensor.slice.is_some());
            bound.filter(|t| matches!(t.extent, Extent::Whole(_)) == whole).map(Tensor::unit_bytes).collect()
        };
        let all = grid.workgroups();
        let most = |bound: u64, work: u64| {
            if work <= bound { u128::MAX } else { all.saturating_mul(bound.into()) / u128::from(work) }
        };
        let most_groups = most(self.bound.flops, cost.flops).min(most(self.bound.bytes, cost.bytes)).max(1);
        let most_groups = u64::try_from(most_groups).unwrap_or(u64::MAX);
        let (unit_bytes, whole_bytes) = (of(false), of(true));
        let work = divide::Work {
            units: grid.units.len() as u32,
            groups: [grid.x.len() as u32, grid.y.len() as u32],
            first: [grid.x.start, grid.y.start, grid.units.start],
            unit_bytes: &unit_bytes,
            whole_bytes: &whole_bytes,
            most_groups,
        };
        divide::bounded_parts(work, &device.limits()).map_err(|exceeded| Error::LimitExceeded {
            op: self.op,
            limit: exceeded.limit,
            needed: exceeded.needed,
            given: exceeded.given,
        })
    }

    /// As [`Self::bind_costly`], for a kernel that takes about as long as its tensors take to move.
    pub(crate) fn bind<P: bytemuck::Pod>(
        &self,
        device: &wgpu::Device,
        units: u32,
        groups: [u32; 2],
        tensors: &[Tensor<'_>],
        texture: Option<&wgpu::TextureView>,
        params: impl Fn(&Part) -> P,
    ) -> Result<Vec<Dispatch>, Error> {
        self.bind_costly(device, units, groups, count(0), tensors, texture, params)
    }

    /// As [`Self::bind_grid`], for all units.
    #[expect(clippy::too_many_arguments, reason = "one more than `bind`, which most kernels use")]
    pub(crate) fn bind_costly<P: bytemuck::Pod>(
        &self,
        device: &wgpu::Device,
        units: u32,
        groups: [u32; 2],
        flops: Count,
        tensors: &[Tensor<'_>],
        texture: Option<&wgpu::TextureView>,
        params: impl Fn(&Part) -> P,
    ) -> Result<Vec<Dispatch>, Error> {
        let grid = Grid { units: 0..units, x: 0..groups[0], y: 0..groups[1] };
        self.bind_grid(device, &grid, flops, tensors, texture, params)
    }

    /// Plans the parts and binds each as one dispatch. `flops` are those of one unit, and `params` makes the parameters of a part.
    /// Origins and bases are filled in here, by name.
    pub(crate) fn bind_grid<P: bytemuck::Pod>(
        &self,
        device: &wgpu::Device,
        grid: &Grid,
        flops: Count,
        tensors: &[Tensor<'_>],
        texture: Option<&wgpu::TextureView>,
        params: impl Fn(&Part) -> P,
    ) -> Result<Vec<Dispatch>, Error> {
        let params = |part: &Part| bytemuck::bytes_of(&params(part)).to_vec();
        self.bind_parts(device, grid, flops, tensors, texture, &params)
    }

    /// As [`Self::bind_grid`], with parameters as bytes: compiled once, and not for each type of parameters.
    fn bind_parts(
        &self,
        device: &wgpu::Device,
        grid: &Grid,
        flops: Count,
        tensors: &[Tensor<'_>],
        texture: Option<&wgpu::TextureView>,
        params: &dyn Fn(&Part) -> Vec<u8>,
    ) -> Result<Vec<Dispatch>, Error> {
        let cost = Self::work(grid.units.len() as u32, flops, tensors);
        let parts = self.plan(device, grid, tensors, cost)?;
        let all = grid.workgroups() as f64;
        let limits = device.limits();
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
        let slices = |access| {
            let tensors = self.shader.storage().zip(tensors).filter(move |((_, has), _)| *has == access);
            tensors.filter_map(|(_, tensor)| tensor.slice)
        };
        let shared =
            slices(Access::Write).any(|output| slices(Access::Read).any(|input| output.buffer() == input.buffer()));
        let program = self.program(device, shared);
        // A placeholder is created only if a binding needs it, and it is never read or written. Reads share one. Browsers refuse a
        // buffer that one dispatch binds for writing twice, so each output has its own.
        let mut unread: Option<wgpu::Buffer> = None;
        let mut bound = Vec::with_capacity(tensors.len());
        for ((_, access), tensor) in self.shader.storage().zip(tensors) {
            bound.push(match (tensor.slice, &unread) {
                (Some(slice), _) => Between::Given(slice),
                (None, Some(buffer)) if access == Access::Read => Between::Own(buffer.clone()),
                (None, _) => {
                    let placeholder = tensor::scratch(self.op, device, "placeholder", 16)?;
                    if access == Access::Read {
                        unread = Some(placeholder.clone());
                    }
                    Between::Own(placeholder)
                }
            });
        }

        // Where `Params` has them, in bytes; the same for all parts.
        let origins = [["origin", "origin_x"].as_slice(), &["origin_y"]]
            .map(|names| names.iter().find_map(|name| self.shader.offset_of(name)));
        let base = |(name, _)| (name, self.shader.offset_of(&format!("{name}_base")));
        let bases: Vec<_> = self.shader.storage().map(base).collect();
        let mut dispatches = Vec::with_capacity(parts.len());
        for part in parts {
            let mut params = params(&part);
            let mut set = |offset: Option<usize>, value: u32| {
                if let Some(offset) = offset {
                    params[offset..][..4].copy_from_slice(&value.to_ne_bytes());
                }
            };
            origins.into_iter().zip(part.origin).for_each(|(offset, origin)| set(offset, origin));
            let mut entries = Vec::with_capacity(tensors.len() + 2);
            let slots = self.shader.slots(true);
            for (binding, ((name, offset), (tensor, bound))) in slots.zip(bases.iter().zip(tensors.iter().zip(&bound)))
            {
                let window = match tensor.extent {
                    Extent::Unit(_) => divide::window(&part.units, tensor.unit_bytes(), alignment),
                    Extent::Whole(_) => 0..divide::binding_bytes(tensor.unit_bytes()),
                };
                let first = match tensor.extent {
                    Extent::Unit(_) => u64::from(part.units.start) * tensor.unit_bytes() - window.start,
                    Extent::Whole(_) => 0,
                };
                // `first` is below the alignment, so it fits `u32`.
                let base = (first / tensor.element_bytes) as u32;
                debug_assert!(offset.is_some() || base == 0, "{} has no base for {name}", self.shader.name);
                set(*offset, base);
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
            let uniform = tensor::uniform(self.op, device, self.shader.name, &params)?;
            entries.push(wgpu::BindGroupEntry { binding: 0, resource: uniform.as_entire_binding() });
            entries.extend(self.shader.slots(false).zip(texture).map(|(binding, view)| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::TextureView(view),
            }));
            let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(&tensor::label(self.op, self.shader.name)),
                layout: &program.layout,
                entries: &entries,
            });
            // An estimate: nothing depends on its last digits.
            let share = part.groups.iter().fold(1.0, |product, &count| product * f64::from(count)) / all;
            let of = |work: u64| (work as f64 * share) as u64;
            dispatches.push(Dispatch {
                shader: self.shader,
                cost: Cost { bytes: of(cost.bytes), flops: of(cost.flops), parameters: 0 },
                params,
                pipeline: program.pipeline.clone(),
                bind_group,
                groups: part.groups,
            });
        }
        Ok(dispatches)
    }
}
