//! A program that outlives its device. A driver that is reset or updated, a card that is unplugged, a computer that wakes up: all of
//! them lose the device, and with it every buffer, pipeline and operator that was made with it. Here the device is destroyed in the
//! middle of a frame, between its submission and its readback; the program builds everything anew and gets the same bits.

use visual_attention::host::Gpu;
use visual_attention::{
    AttentionMap, AttentionMapBuffers, Element, Error, Nchw, Normalization, Normalize, NormalizeBuffers, Recording,
    Statistic, wgpu,
};

const SHAPE: Nchw = Nchw::new(1, 64, 28, 28);

/// Everything that dies with the device, in one place, made by one function from what does not: here, the features.
struct Session {
    gpu: Gpu,
    map: wgpu::Buffer,
    dispatches: [Recording; 2],
}

impl Session {
    fn open(features: &[f32]) -> Result<Self, Error> {
        let gpu = Gpu::open()?;
        let features = gpu.upload("features", features)?;
        let map = gpu.buffer("map", u64::from(SHAPE.height * SHAPE.width) * 4)?;
        // Within `build`, a driver that fails to compile or to allocate is an error here rather than at the next call.
        let dispatches = gpu.build(|device| {
            let attention_map = AttentionMap::new(device, Statistic::MaxAbs, Element::F32)?;
            let normalize = Normalize::new(device, Normalization::MinMax)?;
            let buffers = AttentionMapBuffers { features: features.slice(..), map: map.slice(..) };
            Ok([
                attention_map.bind(device, SHAPE, buffers)?,
                normalize.bind(device, SHAPE.plane(), NormalizeBuffers { map: map.slice(..), range: None })?,
            ])
        })?;
        Ok(Self { gpu, map, dispatches })
    }

    /// One frame; `accident` happens to the device in the middle of it.
    fn frame(&self, accident: impl FnOnce(&wgpu::Device)) -> Result<Vec<f32>, Error> {
        self.gpu.run(|pass| self.dispatches.iter().for_each(|dispatch| dispatch.record(pass)))?;
        accident(&self.gpu.device);
        self.gpu.read(self.map.slice(..))
    }
}

fn main() -> Result<(), Error> {
    let elements = SHAPE.channels * SHAPE.height * SHAPE.width;
    let features: Vec<_> = (0..elements).map(|index| (index as f32 * 0.37).sin()).collect();
    let mut session = match Session::open(&features) {
        Ok(session) => session,
        Err(error @ Error::NoAdapter { .. }) => {
            println!("nothing to show: {error}");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    println!("{}", session.gpu.describe());
    let expected = session.frame(|_| ())?;
    for frame in 1..=5 {
        let outcome = session.frame(|device| {
            if frame == 3 {
                device.destroy();
            }
        });
        let map = match outcome {
            Ok(map) => map,
            // Only this one error calls for a new device. After `OutOfMemory` and `Timeout` the old one still works.
            Err(error @ Error::DeviceLost { .. }) => {
                println!("frame {frame}: {error}; once more on a new one");
                // Where this fails, a program would wait and try again: a driver that is being reset takes its time.
                session = Session::open(&features)?;
                session.frame(|_| ())?
            }
            Err(error) => return Err(error),
        };
        let same = map.iter().map(|value| value.to_bits()).eq(expected.iter().map(|value| value.to_bits()));
        assert!(same, "frame {frame} differs from the first");
        println!("frame {frame}: {} values, the same bits as before", map.len());
    }
    Ok(())
}
