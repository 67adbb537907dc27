//! Textures to planes: a picture of a renderer as the input of a network.
//!
//! ```text
//! planes(c, y, x) = (transfer(texel(y, x).c) - mean(c)) / deviation(c)      c = red, green, blue
//! ```
//!
//! The texel is what a shader reads: of `Rgba8Unorm` and `Rgba16Float` the stored number, of `Rgba8UnormSrgb` the linear value that the
//! device decodes. Alpha is not read. The texture is viewed in its own format.
//!
//! | texture | linear values | sRGB-encoded values, as in a picture file |
//! | --- | --- | --- |
//! | `Rgba8UnormSrgb` | [`ColorTransfer::None`] | [`ColorTransfer::LinearToSrgb`] |
//! | `Rgba8Unorm` or `Rgba16Float` that holds encoded values | [`ColorTransfer::SrgbToLinear`] | [`ColorTransfer::None`] |
//! | `Rgba8Unorm` or `Rgba16Float` that holds linear values | [`ColorTransfer::None`] | [`ColorTransfer::LinearToSrgb`] |
//!
//! A device may decode an sRGB texel with an error of half a step of 8 bits. All else is 32-bit arithmetic.
//!
//! Source: IEC 61966-2-1 for the transfer function, and torchvision's `Normalize` for mean and standard deviation.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{ColorNormalization, ColorTransfer, Element, Nchw, TextureToPlanes, TextureToPlanesBuffers, wgpu};
//!
//! let gpu = Gpu::open()?;
//! let picture = gpu.device.create_texture(&wgpu::TextureDescriptor {
//!     label: Some("picture"),
//!     size: wgpu::Extent3d { width: 224, height: 224, depth_or_array_layers: 1 },
//!     mip_level_count: 1,
//!     sample_count: 1,
//!     dimension: wgpu::TextureDimension::D2,
//!     format: wgpu::TextureFormat::Rgba8UnormSrgb,
//!     usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::TEXTURE_BINDING,
//!     view_formats: &[],
//! });
//! let planes = gpu.buffer("planes", 3 * 224 * 224 * 4)?;
//!
//! // A network of torchvision, trained on encoded values.
//! let (transfer, normalization) = (ColorTransfer::LinearToSrgb, ColorNormalization::IMAGENET);
//! let operator = TextureToPlanes::new(&gpu.device, transfer, normalization, Element::F32)?;
//! let buffers = TextureToPlanesBuffers { picture: &picture, layer: 0, planes: planes.slice(..) };
//! let recording = operator.bind(&gpu.device, Nchw::new(1, 3, 224, 224), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! # Batches
//!
//! One `bind` takes one picture. Bind each picture of a batch with a slice that starts at its image: at byte `3 * h * w * bytes * i`
//! for planes of `bytes` bytes per element. The start must be a multiple of `min_storage_buffer_offset_alignment`, 256 by default. Sizes
//! with `h * w` a multiple of 64 are aligned in f32, and of 128 in f16.
//!
//! [`TextureToPlanes::bind`] lists the errors, [`TextureToPlanes::cost`] counts bytes and operations. There is no scratch.
//! [`operators`](crate::operators) has only operators on buffer slices, so it does not list this one. [`PlanesToTexture`] is the way back.
//!
//! Kernel: [`texture_to_planes`](crate::shaders::TEXTURE_TO_PLANES).
//! Reference: [`reference::texture_to_planes`](crate::reference::texture_to_planes).
//!
//! [`PlanesToTexture`]: crate::PlanesToTexture

use super::color::{ColorNormalization, ColorTransfer};
use crate::cost::count;
use crate::kernel::shader::{ELEMENTS, Shader, THREE_CODES, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, resample, tensor};
use crate::{Cost, Element, Error, Nchw, Recording, TensorSpec};

const OP: &str = "texture_to_planes";

params!(Params {
    origin_x: u32,
    origin_y: u32,
    height: u32,
    width: u32,
    mean_red: f32,
    mean_green: f32,
    mean_blue: f32,
    inverse_red: f32,
    inverse_green: f32,
    inverse_blue: f32,
});

pub(crate) const TEXTURE_TO_PLANES: Shader = shader!(
    "texture_to_planes",
    Params,
    ELEMENTS,
    &[group(&["TRANSFER"], THREE_CODES)],
    [picture: TextureLoad, planes: Write],
    ["srgb"],
);

/// Writes a picture's texture as planes of a network. The [page of the module](self) has the formula and an example.
#[doc(alias = "texture")]
#[doc(alias = "ImageNet")]
#[derive(Clone, Debug)]
pub struct TextureToPlanes {
    element: Element,
    normalization: ColorNormalization,
    kernel: Kernel,
}

/// Texture and planes of a [`TextureToPlanes`]; the buffer needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct TextureToPlanesBuffers<'a> {
    /// In: a 2-D texture of `w` by `h`, `Rgba8Unorm`, `Rgba8UnormSrgb` or `Rgba16Float`, with `TextureUsages::TEXTURE_BINDING`. Mip level
    /// 0 is read.
    pub picture: &'a wgpu::Texture,
    /// The layer of the texture that is read; 0 if there is only one. OpenGL reads only textures of one layer.
    pub layer: u32,
    /// Out: `[1, 3, h, w]`, red, green, blue planes, the operator's element type.
    pub planes: wgpu::BufferSlice<'a>,
}

impl TextureToPlanes {
    /// Compiles the kernel for planes of type `element`.
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
        let kernel = Kernel::new(
            compiler.into(),
            &Build {
                op: OP,
                shader: &TEXTURE_TO_PLANES,
                variant: Variant::new(element, 1),
                constants: &[("TRANSFER", transfer.code())],
                workgroup: resample::TILE,
                workgroup_bytes: 0,
            },
        )?;
        Ok(Self { element, normalization, kernel })
    }

    /// The tensors for planes of this shape, `[1, 3, h, w]`. The texture is not among them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        check::elements(OP, "planes", shape)?;
        if shape.channels != 3 || shape.batch > 1 {
            return Err(Error::InvalidShape {
                op: OP,
                binding: "planes",
                given: shape.to_string(),
                needed: "[1, 3, h, w]; bind each image of a batch with a slice of its own".into(),
            });
        }
        Ok(vec![TensorSpec::output("planes", shape, self.element)])
    }

    /// Checks the texture and the slice against the planes' shape, and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for planes of other than one image of three channels.
    /// - [`Error::InvalidTexture`] or [`Error::MissingUsage`] for a texture that is not as [`TextureToPlanesBuffers`] requires.
    /// - [`Error::LimitExceeded`] if the planes exceed a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: TextureToPlanesBuffers<'_>,
    ) -> Result<Recording, Error> {
        let size = shape.size();
        let specs = self.tensors(shape)?;
        let TextureToPlanesBuffers { picture, layer, planes } = buffers;
        check::slices(OP, device, &specs, &[("planes", Some(planes))])?;
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let needs = check::TextureNeeds {
            formats: &[
                wgpu::TextureFormat::Rgba8Unorm,
                wgpu::TextureFormat::Rgba8UnormSrgb,
                wgpu::TextureFormat::Rgba16Float,
            ],
            size,
            layers: layer.saturating_add(1),
            usage: wgpu::TextureUsages::TEXTURE_BINDING,
            usage_name: "TextureUsages::TEXTURE_BINDING",
        };
        check::texture(OP, "picture", picture, &needs)?;
        let all_layers = picture.depth_or_array_layers();
        if all_layers > 1 && device.adapter_info().backend == wgpu::Backend::Gl {
            return Err(Error::InvalidTexture {
                op: OP,
                binding: "picture",
                given: format!("of {all_layers} layers"),
                // wgpu binds the whole array there, and the kernel would read zeros.
                needed: "of 1 layer on OpenGL, which can't bind one layer of an array for reading".into(),
            });
        }
        let view = tensor::view(OP, "picture", picture, Some(layer));
        let ColorNormalization { mean, deviation } = self.normalization;
        let inverse = deviation.map(f32::recip);
        let tensors = [Tensor::divided(planes, 3 * size.pixels(), self.element.bytes())];
        let dispatches = self.kernel.bind(device, 1, resample::tiles(size), &tensors, Some(&view), |_| Params {
            origin_x: 0,
            origin_y: 0,
            height: size.height,
            width: size.width,
            mean_red: mean[0],
            mean_green: mean[1],
            mean_blue: mean[2],
            inverse_red: inverse[0],
            inverse_green: inverse[1],
            inverse_blue: inverse[2],
        })?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes: for each pixel a texel is read, of four bytes as in `Rgba8Unorm`, and three elements are written.
    /// Thirty operations are counted for each pixel.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let pixels = count(shape.plane().elements());
        Cost::new(pixels * count(4 + 3 * self.element.bytes()), pixels * count(30), count(0))
    }
}
