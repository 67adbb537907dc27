//! The mixture of the attention stem, which the stem and its gradient compute from the embeddings.

use bytemuck::Zeroable;

use crate::kernel::shader::{ELEMENTS, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor};
use crate::{Element, Error, Size};

params!(Params { origin: u32, mixtures: u32, embeddings: u32, window_height: u32, window_width: u32 });

pub(crate) const SASA_STEM_MIXTURE: Shader = shader!(
    "sasa_stem_mixture",
    Params,
    ELEMENTS,
    &[],
    [row: Read, column: Read, mix_table: Read, mixture: Write],
    [],
);

/// Extents of the embeddings, and their type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Embeddings {
    pub(crate) window: Size,
    pub(crate) mixtures: u32,
    pub(crate) embeddings: u32,
    pub(crate) element: Element,
}

impl Embeddings {
    /// A table of embeddings for `entries` rows, columns or mixtures.
    pub(crate) fn table<'a>(&self, slice: wgpu::BufferSlice<'a>, entries: u32) -> Tensor<'a> {
        Tensor::whole(slice, u64::from(self.embeddings) * u64::from(entries), self.element.bytes())
    }

    /// The embeddings of rows, columns and mixtures.
    pub(crate) fn tables<'a>(&self, [row, column, mix]: [wgpu::BufferSlice<'a>; 3]) -> [Tensor<'a>; 3] {
        [self.table(row, self.window.height), self.table(column, self.window.width), self.table(mix, self.mixtures)]
    }

    /// Elements of the mixture.
    pub(crate) fn weights(&self) -> u64 {
        u64::from(self.mixtures) * self.window.pixels()
    }
}

/// The kernel.
#[derive(Clone, Debug)]
pub(crate) struct Mixture(Kernel);

impl Mixture {
    pub(crate) fn new(op: &'static str, compiler: Compiler<'_>, element: Element) -> Result<Self, Error> {
        let build = Build {
            op,
            shader: &SASA_STEM_MIXTURE,
            variant: Variant::new(element, 1),
            constants: &[],
            workgroup: [64, 1, 1],
            workgroup_bytes: 0,
        };
        Ok(Self(Kernel::new(compiler, &build)?))
    }

    /// Computes the mixture `[m, kh, kw]` from the embeddings of rows, columns and mixtures. It fits a buffer of the device.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        extents: Embeddings,
        tables: [wgpu::BufferSlice<'_>; 3],
        mixture: wgpu::BufferSlice<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let [row, column, mix] = extents.tables(tables);
        let tensors = [row, column, mix, Tensor::divided(mixture, extents.weights(), 4)];
        // The mixture fits a buffer, so the number of its workgroups fits `u32`.
        let groups = [extents.window.pixels().div_ceil(64) as u32, 1];
        self.0.bind(device, 1, groups, &tensors, None, |_| Params {
            mixtures: extents.mixtures,
            embeddings: extents.embeddings,
            window_height: extents.window.height,
            window_width: extents.window.width,
            ..Zeroable::zeroed()
        })
    }
}
