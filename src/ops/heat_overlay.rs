//! Heat overlays: a map in colour over a picture.
//!
//! ```text
//! overlay = (1 - opacity) * picture + opacity * color(m)      red, green and blue, 8 bits each
//! alpha   = 1
//! ```
//!
//! `m` is the map, resampled to the picture's size and clamped to 0..1; NaN counts as 0. Pictures hold values of 0..1. The
//! blending takes them as they are stored: sRGB values give an sRGB overlay.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{ColorMap, Element, HeatOverlay, HeatOverlayBuffers, HeatOverlayShape, Nchw, Nhw, Sampling};
//!
//! let gpu = Gpu::open()?;
//! let shape = HeatOverlayShape { map: Nhw::new(1, 7, 7), pictures: Nchw::new(1, 3, 224, 224) };
//! let map = gpu.upload("map", &vec![0.5f32; 7 * 7])?;
//! let pictures = gpu.upload("pictures", &vec![0.5f32; 3 * 224 * 224])?;
//! let overlay = gpu.buffer("overlay", 224 * 224 * 4)?;
//!
//! let operator = HeatOverlay::new(&gpu.device, &ColorMap::Turbo, Sampling::HalfPixel, Element::F32)?;
//! let buffers =
//!     HeatOverlayBuffers { map: map.slice(..), pictures: pictures.slice(..), overlay: overlay.slice(..) };
//! let recording = operator.bind(&gpu.device, shape, 0.5, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! [`HeatOverlay::bind_texture`] writes a texture instead, which a renderer can sample next. [`HeatOverlay::bind`] lists the
//! errors, [`HeatOverlay::cost`] counts bytes and operations. There is no scratch.
//!
//! Kernels: [`heat_overlay`](crate::shaders::HEAT_OVERLAY), [`heat_overlay_texture`](crate::shaders::HEAT_OVERLAY_TEXTURE).
//! Reference: [`reference::heat_overlay`](crate::reference::heat_overlay).

use crate::color_map::ColorMap;
use crate::cost::count;
use crate::kernel::resample::{Axis, Sampling};
use crate::kernel::shader::{ELEMENTS, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, resample, tensor};
use crate::{Cost, DType, Element, Error, Nchw, Nhw, Recording, Role, TensorSpec};

const OP: &str = "heat_overlay";

params!(axes Params {
    origin_x: u32,
    origin_y: u32,
    map_base: u32,
    pictures_base: u32,
    overlay_base: u32,
    opacity: f32,
    picture_share: f32,
    height: u32,
    width: u32,
});
params!(axes TextureParams {
    origin_x: u32,
    origin_y: u32,
    map_base: u32,
    pictures_base: u32,
    first_layer: u32,
    opacity: f32,
    picture_share: f32,
    height: u32,
    width: u32,
});

pub(crate) const HEAT_OVERLAY: Shader = shader!(
    "heat_overlay",
    Params,
    ELEMENTS,
    &[],
    [map: Read, pictures: Read, colors: Read, overlay: Write],
    ["heat", "sampled_map", "bilinear"],
);

pub(crate) const HEAT_OVERLAY_TEXTURE: Shader = shader!(
    "heat_overlay_texture",
    TextureParams,
    ELEMENTS,
    &[],
    [map: Read, pictures: Read, colors: Read, overlay: Texture],
    ["heat", "sampled_map", "bilinear"],
);

/// Blends a map, in colour, over pictures. The [page of the module](self) has the formula and an example.
#[doc(alias = "heatmap")]
#[doc(alias = "CAM")]
#[derive(Clone, Debug)]
pub struct HeatOverlay {
    element: Element,
    sampling: Sampling,
    colors: wgpu::Buffer,
    to_buffer: Kernel,
    to_texture: Kernel,
}

/// Extents of a [`HeatOverlay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeatOverlayShape {
    /// `[n, mh, mw]`.
    pub map: Nhw,
    /// `[n, 3, h, w]`.
    pub pictures: Nchw,
}

/// Tensors of a [`HeatOverlay`] into a buffer; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct HeatOverlayBuffers<'a> {
    /// In: `[n, mh, mw]` f32, 0..1.
    pub map: wgpu::BufferSlice<'a>,
    /// In: `[n, 3, h, w]`, red, green, blue planes, 0..1, the operator's element type.
    pub pictures: wgpu::BufferSlice<'a>,
    /// Out: `[n, h, w]` of four bytes, red first.
    pub overlay: wgpu::BufferSlice<'a>,
}

/// Tensors of a [`HeatOverlay`] into a texture; each buffer needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct HeatOverlayTexture<'a> {
    /// In: `[n, mh, mw]` f32, 0..1.
    pub map: wgpu::BufferSlice<'a>,
    /// In: `[n, 3, h, w]`, red, green, blue planes, 0..1, the operator's element type.
    pub pictures: wgpu::BufferSlice<'a>,
    /// Out: a 2-D `Rgba8Unorm` texture of `w` by `h` and at least `n` layers, with `TextureUsages::STORAGE_BINDING`. Image `i` is
    /// written to layer `i` of mip level 0.
    pub overlay: &'a wgpu::Texture,
}

impl HeatOverlay {
    /// Prepares the kernels for pictures of type `element`. `sampling` gives the positions in a map of another size.
    ///
    /// Each of the two kernels is compiled by the first `bind` that needs it.
    ///
    /// # Errors
    ///
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::DeviceUnavailable`] on a lost device.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        color_map: &ColorMap,
        sampling: Sampling,
        element: Element,
    ) -> Result<Self, Error> {
        let compiler = compiler.into();
        let kernel = |shader: &'static Shader| {
            Kernel::new(
                // Most programs use only one of the two.
                compiler.at_first_use(),
                &Build {
                    op: OP,
                    shader,
                    variant: Variant::new(element, 1),
                    constants: &[],
                    workgroup: resample::TILE,
                    workgroup_bytes: 0,
                },
            )
        };
        let colors = color_map.table().map(|[red, green, blue]| [red, green, blue, u8::MAX]);
        Ok(Self {
            element,
            sampling,
            to_buffer: kernel(&HEAT_OVERLAY)?,
            to_texture: kernel(&HEAT_OVERLAY_TEXTURE)?,
            colors: tensor::filled(
                OP,
                compiler.device,
                "colors",
                bytemuck::cast_slice(&colors),
                wgpu::BufferUsages::STORAGE,
            )?,
        })
    }

    /// The positions that the operator was built with.
    #[must_use]
    pub const fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// The tensors for this shape, in the order in which `bind` checks them. [`Self::bind_texture`] takes a texture as the last.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: HeatOverlayShape) -> Result<Vec<TensorSpec>, Error> {
        let HeatOverlayShape { map, pictures } = shape;
        check::plane(OP, "map", map)?;
        check::elements(OP, "pictures", pictures)?;
        if pictures.channels != 3 || pictures.batch != map.batch {
            return Err(Error::InvalidShape {
                op: OP,
                binding: "pictures",
                given: pictures.to_string(),
                needed: format!("[{}, 3, h, w]", map.batch),
            });
        }
        Ok(vec![
            TensorSpec::input("map", map, Element::F32),
            TensorSpec::input("pictures", pictures, self.element),
            TensorSpec::output("overlay", pictures.plane(), DType::U32),
        ])
    }

    /// Checks the buffers against the shapes and binds them. `opacity` is 0 for the picture alone, 1 for the heat alone.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for pictures of other than three channels, for a batch that is not the map's, and for a map
    ///   without pixels.
    /// - [`Error::InvalidParameter`] for an opacity outside 0..=1.
    /// - [`Error::LimitExceeded`] if one picture exceeds a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: HeatOverlayShape,
        opacity: f32,
        buffers: HeatOverlayBuffers<'_>,
    ) -> Result<Recording, Error> {
        let HeatOverlayShape { map, pictures } = shape;
        let size = pictures.size();
        let specs = self.tensors(shape)?;
        let [map_in, pictures_in, colors] = self.inputs(shape, opacity, buffers.map, buffers.pictures)?;
        let tensors = [map_in, pictures_in, colors, Tensor::divided(buffers.overlay, size.pixels(), 4)];
        let HeatOverlayBuffers { map: maps, pictures: images, overlay } = buffers;
        let given = [("map", Some(maps)), ("pictures", Some(images)), ("overlay", Some(overlay))];
        check::slices(OP, device, &specs, &given)?;
        if pictures.is_empty() {
            return Ok(Recording::default());
        }
        let axes = self.axes(map, pictures)?;
        let groups = resample::tiles(size);
        let dispatches = self.to_buffer.bind(device, pictures.batch, groups, &tensors, None, |_| Params {
            opacity,
            picture_share: 1.0 - opacity,
            height: size.height,
            width: size.width,
            ..Params::resampling(axes)
        })?;
        Ok(Recording::new(dispatches))
    }

    /// Like [`Self::bind`], into a texture that a renderer can sample next.
    ///
    /// # Errors
    ///
    /// As [`Self::bind`], and [`Error::InvalidTexture`] or [`Error::MissingUsage`] for a texture that is not as
    /// [`HeatOverlayTexture`] requires.
    pub fn bind_texture(
        &self,
        device: &wgpu::Device,
        shape: HeatOverlayShape,
        opacity: f32,
        buffers: HeatOverlayTexture<'_>,
    ) -> Result<Recording, Error> {
        let HeatOverlayShape { map, pictures } = shape;
        let size = pictures.size();
        let mut specs = self.tensors(shape)?;
        specs.retain(|spec| spec.role == Role::Input);
        let tensors = self.inputs(shape, opacity, buffers.map, buffers.pictures)?;
        check::slices(OP, device, &specs, &[("map", Some(buffers.map)), ("pictures", Some(buffers.pictures))])?;
        if pictures.is_empty() {
            return Ok(Recording::default());
        }
        let axes = self.axes(map, pictures)?;
        let texture = buffers.overlay;
        let needs = check::TextureNeeds {
            formats: &[wgpu::TextureFormat::Rgba8Unorm],
            size,
            layers: pictures.batch,
            usage: wgpu::TextureUsages::STORAGE_BINDING,
            usage_name: "TextureUsages::STORAGE_BINDING",
        };
        check::texture(OP, "overlay", texture, &needs)?;
        let view = tensor::view(OP, "overlay", texture, None);
        let groups = resample::tiles(size);
        let bind = |part: &crate::kernel::divide::Part| TextureParams {
            first_layer: part.units.start,
            opacity,
            picture_share: 1.0 - opacity,
            height: size.height,
            width: size.width,
            ..TextureParams::resampling(axes)
        };
        let dispatches = self.to_texture.bind(device, pictures.batch, groups, &tensors, Some(&view), bind)?;
        Ok(Recording::new(dispatches))
    }

    fn inputs<'a>(
        &'a self,
        shape: HeatOverlayShape,
        opacity: f32,
        map_slice: wgpu::BufferSlice<'a>,
        pictures_slice: wgpu::BufferSlice<'a>,
    ) -> Result<[Tensor<'a>; 3], Error> {
        let HeatOverlayShape { map, pictures } = shape;
        if !(0.0..=1.0).contains(&opacity) {
            return Err(Error::InvalidParameter {
                op: OP,
                parameter: "opacity",
                given: opacity.to_string(),
                needed: "0 to 1".into(),
            });
        }
        Ok([
            Tensor::divided(map_slice, map.size().pixels(), 4),
            Tensor::divided(pictures_slice, 3 * pictures.size().pixels(), self.element.bytes()),
            Tensor::whole(self.colors.slice(..), 256, 4),
        ])
    }

    fn axes(&self, map: Nhw, pictures: Nchw) -> Result<[Axis; 2], Error> {
        check::source(OP, "map", map.size())?;
        Axis::both(OP, map.size(), pictures.size(), self.sampling)
    }

    /// What one run moves and computes. Map and pictures are read once, and each pixel is written as four bytes. Thirty operations
    /// are counted for each pixel.
    #[must_use]
    pub fn cost(&self, shape: HeatOverlayShape) -> Cost {
        let HeatOverlayShape { map, pictures } = shape;
        let pixels = count(pictures.plane().elements());
        let read = pixels * count(3 * self.element.bytes()) + count(map.elements()) * count(4);
        Cost::new(read + pixels * count(4), pixels * count(30), count(0))
    }
}
