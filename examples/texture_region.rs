//! A picture as a renderer has it, an sRGB texture, to a crop of its brightest region, a texture again: one submission, no repacking.
//! Prints the region's box and a colour of the crop.

use std::process::ExitCode;

use visual_attention::host::Gpu;
use visual_attention::{
    AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape, ColorNormalization,
    ColorTransfer, Element, Error, Nchw, PlanesToTexture, PlanesToTextureBuffers, Size, TextureToPlanes,
    TextureToPlanesBuffers, ThresholdRule, wgpu,
};

const PICTURE: Nchw = Nchw::new(1, 3, 160, 256);
/// A row of 64 texels has the 256 bytes that a copy of a texture needs.
const CROP: Nchw = Nchw::new(1, 3, 64, 64);
/// The bright part, `(xmin, ymin, xmax, ymax)`, both ends inclusive.
const BRIGHT: [i32; 4] = [60, 40, 149, 99];
const ORANGE: [u8; 4] = [250, 160, 30, 255];

fn main() -> ExitCode {
    match run() {
        Ok((region, color)) => {
            println!("box {region:?}, expected {BRIGHT:?}; colour of the crop {color:?}, expected {ORANGE:?}");
            let near = color.iter().zip(ORANGE).all(|(&given, expected)| given.abs_diff(expected) <= 1);
            if region == BRIGHT && near { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
    }
}

fn run() -> Result<(Vec<i32>, Vec<u8>), Error> {
    let gpu = Gpu::open()?;
    let picture = rendered(&gpu);
    let target = texture(
        &gpu,
        CROP,
        wgpu::TextureFormat::Rgba8Unorm,
        wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_SRC,
    );
    let bytes = |shape: Nchw| 4 * u64::from(shape.channels) * shape.size().pixels();
    let planes = gpu.buffer("planes", bytes(PICTURE))?;
    let map = gpu.buffer("map", bytes(PICTURE) / 3)?;
    let boxes = gpu.buffer("boxes", 16)?;
    let crops = gpu.buffer("crops", bytes(CROP))?;

    // The device decodes sRGB, so that the region is found and the crop is interpolated in linear light.
    let to_planes = TextureToPlanes::new(&gpu.device, ColorTransfer::None, ColorNormalization::NONE, Element::F32)?
        .bind(&gpu.device, PICTURE, TextureToPlanesBuffers { picture: &picture, layer: 0, planes: planes.slice(..) })?;
    // The picture's own colours are the features here. A network's features would take their place.
    let options = AttendedRegionOptions::default().with_threshold(ThresholdRule::Otsu);
    let region = AttendedRegion::new(&gpu.device, options, Element::F32, Element::F32)?.bind(
        &gpu.device,
        AttendedRegionShape { features: PICTURE, images: PICTURE, crop: Size::new(CROP.height, CROP.width) },
        AttendedRegionBuffers {
            features: planes.slice(..),
            images: Some(planes.slice(..)),
            map: map.slice(..),
            map_up: None,
            mask: None,
            component: None,
            boxes: boxes.slice(..),
            count: None,
            crops: Some(crops.slice(..)),
        },
    )?;
    let encode = ColorTransfer::LinearToSrgb;
    let to_texture = PlanesToTexture::new(&gpu.device, encode, ColorNormalization::NONE, Element::F32)?.bind(
        &gpu.device,
        CROP,
        PlanesToTextureBuffers { planes: crops.slice(..), picture: &target, layer: 0 },
    )?;

    let copy = gpu.buffer("copy", 4 * CROP.size().pixels())?;
    gpu.submit(|encoder| {
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            to_planes.record(&mut pass);
            region.record(&mut pass);
            to_texture.record(&mut pass);
        }
        // Only to print a colour. A renderer would sample the texture.
        encoder.copy_texture_to_buffer(
            target.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &copy,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(4 * CROP.width),
                    rows_per_image: None,
                },
            },
            target.size(),
        );
    })?;
    let texels: Vec<u8> = gpu.read(copy.slice(..))?;
    let middle = 4 * (CROP.height / 2 * CROP.width + CROP.width / 2) as usize;
    Ok((gpu.read(boxes.slice(..))?, texels[middle..middle + 4].to_vec()))
}

/// What a renderer would have drawn: an orange rectangle on dark grey.
fn rendered(gpu: &Gpu) -> wgpu::Texture {
    let usage = wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST;
    let picture = texture(gpu, PICTURE, wgpu::TextureFormat::Rgba8UnormSrgb, usage);
    let [left, top, right, bottom] = BRIGHT;
    let (rows, columns) = (top..=bottom, left..=right);
    let texels: Vec<u8> = (0..PICTURE.height as i32)
        .flat_map(|row| (0..PICTURE.width as i32).map(move |column| (row, column)))
        .flat_map(
            |(row, column)| {
                if rows.contains(&row) && columns.contains(&column) { ORANGE } else { [40, 40, 40, 255] }
            },
        )
        .collect();
    gpu.queue.write_texture(
        picture.as_image_copy(),
        &texels,
        wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * PICTURE.width), rows_per_image: None },
        picture.size(),
    );
    picture
}

fn texture(gpu: &Gpu, shape: Nchw, format: wgpu::TextureFormat, usage: wgpu::TextureUsages) -> wgpu::Texture {
    gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("picture"),
        size: wgpu::Extent3d { width: shape.width, height: shape.height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage,
        // The page of `PlanesToTexture` says what a renderer needs that samples an sRGB view.
        view_formats: &[],
    })
}
