//! Planes to textures: crops, masks and results of a network as textures of a renderer.
//!
//! ```text
//! texel(y, x).c = transfer(planes(c, y, x) * deviation(c) + mean(c))      c = red, green, blue
//! alpha         = 1
//! ```
//!
//! One plane gives grey, with the mean and the deviation of red. `Rgba8Unorm` holds the value clamped to 0..1 and rounded to 8 bits once;
//! NaN becomes 0. `Rgba16Float` holds the value itself, rounded to either of the two nearest 16-bit floats.
//!
//! # sRGB
//!
//! A storage texture can't have an sRGB format. For a renderer that samples one, create the texture as `Rgba8Unorm` with `Rgba8UnormSrgb`
//! among its `view_formats`, and let the operator encode: [`ColorTransfer::LinearToSrgb`], or [`ColorTransfer::None`] for planes that are
//! encoded already. The renderer samples a view of format `Rgba8UnormSrgb` with usage `TEXTURE_BINDING`, and the device decodes.
//! OpenGL has no `view_formats` (`DownlevelFlags::VIEW_FORMATS`): there the renderer's shader decodes.
//!
//! # Precision
//!
//! A byte that [`TextureToPlanes`] read comes back as the same byte, from f32 planes and from f16 planes of encoded values. From f16 planes
//! of linear values that were normalized it comes back within one step.
//!
//! Source: IEC 61966-2-1 for the transfer function, and torchvision's `Normalize` for mean and standard deviation.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{ColorNormalization, ColorTransfer, Element, Nchw, PlanesToTexture, PlanesToTextureBuffers, wgpu};
//!
//! let gpu = Gpu::open()?;
//! let planes = gpu.upload("planes", &vec![0.5f32; 3 * 224 * 224])?;
//! let picture = gpu.device.create_texture(&wgpu::TextureDescriptor {
//!     label: Some("picture"),
//!     size: wgpu::Extent3d { width: 224, height: 224, depth_or_array_layers: 1 },
//!     mip_level_count: 1,
//!     sample_count: 1,
//!     dimension: wgpu::TextureDimension::D2,
//!     format: wgpu::TextureFormat::Rgba8Unorm,
//!     usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::TEXTURE_BINDING,
//!     view_formats: &[wgpu::TextureFormat::Rgba8UnormSrgb],
//! });
//!
//! let (transfer, normalization) = (ColorTransfer::LinearToSrgb, ColorNormalization::NONE);
//! let operator = PlanesToTexture::new(&gpu.device, transfer, normalization, Element::F32)?;
//! let buffers = PlanesToTextureBuffers { planes: planes.slice(..), picture: &picture, layer: 0 };
//! let recording = operator.bind(&gpu.device, Nchw::new(1, 3, 224, 224), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//!
//! // For the renderer.
//! let view = picture.create_view(&wgpu::TextureViewDescriptor {
//!     format: Some(wgpu::TextureFormat::Rgba8UnormSrgb),
//!     usage: Some(wgpu::TextureUsages::TEXTURE_BINDING),
//!     ..Default::default()
//! });
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! One `bind` takes one picture. Bind each image of a batch with a slice that starts at its planes, into a layer or a texture of its own.
//! The slice must start at a multiple of `min_storage_buffer_offset_alignment`, 256 by default.
//!
//! [`PlanesToTexture::bind`] lists the errors, [`PlanesToTexture::cost`] counts bytes and operations. There is no scratch.
//! [`operators`](crate::operators) has only operators on buffer slices, so it does not list this one. [`TextureToPlanes`] is the way back.
//!
//! Kernels: [`planes_to_texture`](crate::shaders::PLANES_TO_TEXTURE), [`planes_to_texture_half`](crate::shaders::PLANES_TO_TEXTURE_HALF).
//! Reference: [`reference::planes_to_texture`](crate::reference::planes_to_texture).
//!
//! [`TextureToPlanes`]: crate::TextureToPlanes

use super::color::{ColorNormalization, ColorTransfer};
use crate::cost::count;
use crate::kernel::shader::{ELEMENTS, Shader, THREE_CODES, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, resample, tensor};
use crate::{Cost, Element, Error, Nchw, Recording, TensorSpec};

const OP: &str = "planes_to_texture";

params!(Params {
    origin_x: u32,
    origin_y: u32,
    height: u32,
    width: u32,
    stride: u32,
    mean_red: f32,
    mean_green: f32,
    mean_blue: f32,
    deviation_red: f32,
    deviation_green: f32,
    deviation_blue: f32,
});

pub(crate) const PLANES_TO_TEXTURE: Shader = shader!(
    "planes_to_texture",
    Params,
    ELEMENTS,
    &[group(&["TRANSFER"], THREE_CODES)],
    [planes: Read, picture: TextureRgba8],
    ["plane_color", "srgb"],
);

pub(crate) const PLANES_TO_TEXTURE_HALF: Shader = shader!(
    "planes_to_texture_half",
    Params,
    ELEMENTS,
    &[group(&["TRANSFER"], THREE_CODES)],
    [planes: Read, picture: TextureRgba16],
    ["plane_color", "srgb"],
);

/// Writes planes into a picture's texture. The [page of the module](self) has the formula and an example.
#[doc(alias = "texture")]
#[derive(Clone, Debug)]
pub struct PlanesToTexture {
    element: Element,
    normalization: ColorNormalization,
    to_rgba8: Kernel,
    to_rgba16: Kernel,
}

/// Planes and texture of a [`PlanesToTexture`]; the buffer needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct PlanesToTextureBuffers<'a> {
    /// In: `[1, 3, h, w]`, red, green, blue planes, or `[1, 1, h, w]`, the operator's element type.
    pub planes: wgpu::BufferSlice<'a>,
    /// Out: a 2-D texture of `w` by `h`, `Rgba8Unorm` or `Rgba16Float`, with `TextureUsages::STORAGE_BINDING`. Mip level 0 is written.
    pub picture: &'a wgpu::Texture,
    /// The layer of the texture that is written; 0 if there is only one.
    pub layer: u32,
}

impl PlanesToTexture {
    /// Prepares the kernels for planes of type `element`, which were normalized as `normalization` says. `transfer` is applied to the
    /// values after the normalization is undone.
    ///
    /// The kernel of each format is compiled by the first `bind` that needs it.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for means that are not finite, and for deviations that are not from 2^-126 to 2^126.
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        transfer: ColorTransfer,
        normalization: ColorNormalization,
        element: Element,
    ) -> Result<Self, Error> {
        normalization.check(OP)?;
        let compiler = compiler.into();
        let kernel = |shader: &'static Shader| {
            Kernel::new(
                // Most programs use only one of the two.
                compiler.at_first_use(),
                &Build {
                    op: OP,
                    shader,
                    variant: Variant::new(element, 1),
                    constants: &[("TRANSFER", transfer.code())],
                    workgroup: resample::TILE,
                    workgroup_bytes: 0,
                },
            )
        };
        let (to_rgba8, to_rgba16) = (kernel(&PLANES_TO_TEXTURE)?, kernel(&PLANES_TO_TEXTURE_HALF)?);
        Ok(Self { element, normalization, to_rgba8, to_rgba16 })
    }

    /// The tensors for planes of this shape, `[1, 3, h, w]` or `[1, 1, h, w]`. The texture is not among them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        check::elements(OP, "planes", shape)?;
        if ![1, 3].contains(&shape.channels) || shape.batch > 1 {
            return Err(Error::InvalidShape {
                op: OP,
                binding: "planes",
                given: shape.to_string(),
                needed: "[1, 3, h, w] or [1, 1, h, w]; bind each image of a batch with a slice of its own".into(),
            });
        }
        Ok(vec![TensorSpec::input("planes", shape, self.element)])
    }

    /// Checks the slice and the texture against the planes' shape, and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for planes of other than one image of one or three channels.
    /// - [`Error::InvalidTexture`] or [`Error::MissingUsage`] for a texture that is not as [`PlanesToTextureBuffers`] requires.
    /// - [`Error::LimitExceeded`] if the planes exceed a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: PlanesToTextureBuffers<'_>,
    ) -> Result<Recording, Error> {
        let size = shape.size();
        let specs = self.tensors(shape)?;
        let PlanesToTextureBuffers { planes, picture, layer } = buffers;
        check::slices(OP, device, &specs, &[("planes", Some(planes))])?;
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let needs = check::TextureNeeds {
            formats: &[wgpu::TextureFormat::Rgba8Unorm, wgpu::TextureFormat::Rgba16Float],
            size,
            layers: layer.saturating_add(1),
            usage: wgpu::TextureUsages::STORAGE_BINDING,
            usage_name: "TextureUsages::STORAGE_BINDING",
        };
        check::texture(OP, "picture", picture, &needs)?;
        let view = tensor::view(OP, "picture", picture, Some(layer));
        let kernel = if picture.format() == wgpu::TextureFormat::Rgba8Unorm { &self.to_rgba8 } else { &self.to_rgba16 };
        let grey = shape.channels == 1;
        let stride = if grey { 0 } else { check::to_u32(OP, "pixels of a plane", size.pixels())? };
        let of = |values: [f32; 3]| if grey { [values[0]; 3] } else { values };
        let (mean, deviation) = (of(self.normalization.mean), of(self.normalization.deviation));
        let tensors = [Tensor::divided(planes, u64::from(shape.channels) * size.pixels(), self.element.bytes())];
        let dispatches = kernel.bind(device, 1, resample::tiles(size), &tensors, Some(&view), |_| Params {
            origin_x: 0,
            origin_y: 0,
            height: size.height,
            width: size.width,
            stride,
            mean_red: mean[0],
            mean_green: mean[1],
            mean_blue: mean[2],
            deviation_red: deviation[0],
            deviation_green: deviation[1],
            deviation_blue: deviation[2],
        })?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes: the planes are read, and for each pixel a texel is written, of four bytes as in `Rgba8Unorm`. Thirty
    /// operations are counted for each pixel.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let pixels = count(shape.plane().elements());
        let bytes = pixels * count(4) + count(shape.elements()) * count(self.element.bytes());
        Cost::new(bytes, pixels * count(30), count(0))
    }
}
