//! Opening a device, uploading, running and reading back, for programs that have no device of their own: examples, tests,
//! tools. The operators need none of it. Only this module submits, polls and blocks.

mod timestamps;

use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use crate::Error;

pub use timestamps::Timestamps;

/// How long [`Gpu::wait`] and [`Gpu::read`] wait unless told otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);

/// A device of our own, with its queue.
#[derive(Debug)]
pub struct Gpu {
    /// The device.
    pub device: wgpu::Device,
    /// Its queue.
    pub queue: wgpu::Queue,
    /// The adapter it came from.
    pub adapter: wgpu::AdapterInfo,
    /// How long to wait for the GPU before [`Error::Timeout`].
    pub timeout: Duration,
    lost: Arc<OnceLock<String>>,
}

impl Gpu {
    /// Opens the adapter that wgpu prefers, with default limits, and with 16-bit floats and timestamps where it has them.
    /// The environment may choose: `WGPU_BACKEND` (`vulkan`, `gl`, `metal`, `dx12`) and `WGPU_ADAPTER_NAME`.
    ///
    /// # Errors
    ///
    /// [`Error::NoAdapter`] or [`Error::NoDevice`].
    pub fn open() -> Result<Self, Error> {
        Self::open_with(wgpu::Features::SHADER_F16 | wgpu::Features::TIMESTAMP_QUERY, &wgpu::Limits::default())
    }

    /// As [`Self::open`], with the adapter's own limits on buffers and bindings instead of the default 256 and 128 MiB.
    ///
    /// # Errors
    ///
    /// [`Error::NoAdapter`] or [`Error::NoDevice`].
    pub fn open_large() -> Result<Self, Error> {
        let features = wgpu::Features::SHADER_F16 | wgpu::Features::TIMESTAMP_QUERY;
        Self::request(features, |adapter| wgpu::Limits {
            max_buffer_size: adapter.max_buffer_size,
            max_storage_buffer_binding_size: adapter.max_storage_buffer_binding_size,
            ..wgpu::Limits::default()
        })
    }

    /// Opens an adapter with those of `features` that it has, and with `limits`.
    ///
    /// # Errors
    ///
    /// [`Error::NoAdapter`], or [`Error::NoDevice`] where the adapter refuses the limits.
    pub fn open_with(features: wgpu::Features, limits: &wgpu::Limits) -> Result<Self, Error> {
        Self::request(features, |_| limits.clone())
    }

    fn request(features: wgpu::Features, limits: impl FnOnce(&wgpu::Limits) -> wgpu::Limits) -> Result<Self, Error> {
        pollster::block_on(async {
            let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
            let adapter = match std::env::var("WGPU_ADAPTER_NAME") {
                Ok(name) => {
                    let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
                    let named =
                        |adapter: &wgpu::Adapter| adapter.get_info().name.to_lowercase().contains(&name.to_lowercase());
                    let missing = || format!("WGPU_ADAPTER_NAME is {name}, and no adapter's name has that in it");
                    adapters.into_iter().find(named).ok_or_else(missing)
                }
                Err(_) => {
                    let options = wgpu::RequestAdapterOptions {
                        power_preference: wgpu::PowerPreference::HighPerformance,
                        ..Default::default()
                    };
                    instance.request_adapter(&options).await.map_err(|error| error.to_string())
                }
            };
            let adapter = adapter.map_err(|reason| Error::NoAdapter { reason })?;
            let (device, queue) = adapter
                .request_device(&wgpu::DeviceDescriptor {
                    label: Some("visual-attention"),
                    required_features: adapter.features() & features,
                    required_limits: limits(&adapter.limits()),
                    ..Default::default()
                })
                .await
                .map_err(|error| Error::NoDevice { reason: error.to_string() })?;
            let lost = Arc::new(OnceLock::new());
            let report = Arc::clone(&lost);
            device.set_device_lost_callback(move |reason, message| {
                // Only the first report counts; it names the cause.
                let _ = report.set(format!("{reason:?}: {message}"));
            });
            Ok(Self { adapter: adapter.get_info(), device, queue, timeout: DEFAULT_TIMEOUT, lost })
        })
    }

    /// One line that names the adapter, its driver and its backend.
    #[must_use]
    pub fn describe(&self) -> String {
        let wgpu::AdapterInfo { name, driver, driver_info, backend, device_type, .. } = &self.adapter;
        format!("{name} ({device_type:?}, {backend:?}, {driver} {driver_info})")
    }

    /// Whether the device was opened with 16-bit floats.
    #[must_use]
    pub fn has_f16(&self) -> bool {
        self.device.features().contains(wgpu::Features::SHADER_F16)
    }

    /// A buffer with `contents`, that operators can read and write and that can be read back.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`], [`Error::DeviceLost`], or [`Error::Refused`] beyond the device's `max_buffer_size`.
    pub fn upload<T: bytemuck::Pod>(&self, label: &str, contents: &[T]) -> Result<wgpu::Buffer, Error> {
        use wgpu::BufferUsages;
        self.guarded(|| {
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
            // An empty tensor still needs a buffer to be named.
            let bytes: &[u8] = if contents.is_empty() { &[0; 4] } else { bytemuck::cast_slice(contents) };
            crate::pipeline::filled("upload", &self.device, label, bytes, usage)
        })?
    }

    /// A cleared buffer of `bytes`, rounded up to 4, for outputs.
    ///
    /// # Errors
    ///
    /// As [`Self::upload`].
    pub fn buffer(&self, label: &str, bytes: u64) -> Result<wgpu::Buffer, Error> {
        use wgpu::BufferUsages;
        self.guarded(|| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: crate::plan::binding_bytes(bytes.max(4)),
                usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })
    }

    /// Records one compute pass and submits it, without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] where wgpu refuses what was recorded; [`Error::OutOfMemory`], [`Error::DeviceLost`].
    pub fn run(&self, record: impl FnOnce(&mut wgpu::ComputePass<'_>)) -> Result<(), Error> {
        self.submit(|encoder| record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default())))
    }

    /// Records an encoder and submits it, without waiting.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub fn submit(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) -> Result<(), Error> {
        self.guarded(|| {
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            record(&mut encoder);
            self.queue.submit([encoder.finish()]);
        })
    }

    /// Waits for everything that was submitted.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] after [`Self::timeout`]; [`Error::DeviceLost`].
    pub fn wait(&self) -> Result<(), Error> {
        self.check_lost()?;
        let poll = wgpu::PollType::Wait { submission_index: None, timeout: Some(self.timeout) };
        let polled = self.device.poll(poll);
        self.check_lost()?;
        match polled {
            Ok(_) => Ok(()),
            Err(wgpu::PollError::Timeout) => Err(Error::Timeout { waited: self.timeout }),
            Err(error) => Err(Error::Refused { reason: error.to_string() }),
        }
    }

    /// Copies a slice back, after everything that was submitted. Its buffer needs `BufferUsages::COPY_SRC`; its offset and
    /// size must be multiples of 4 bytes and of `T`.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] for a slice that can't be copied; [`Error::Timeout`], [`Error::OutOfMemory`],
    /// [`Error::DeviceLost`].
    pub fn read<T: bytemuck::Pod>(&self, slice: wgpu::BufferSlice<'_>) -> Result<Vec<T>, Error> {
        let size = slice.size();
        if size % size_of::<T>() as u64 != 0 {
            let reason = format!("{size} bytes are not a whole number of elements of {} bytes", size_of::<T>());
            return Err(Error::Refused { reason });
        }
        let staging = self.guarded(|| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("readback"),
                size,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        self.submit(|encoder| encoder.copy_buffer_to_buffer(slice.buffer(), slice.offset(), &staging, 0, size))?;
        let (mapped, outcome) = mpsc::sync_channel(1);
        self.guarded(|| {
            staging.slice(..).map_async(wgpu::MapMode::Read, move |outcome| {
                // Nobody listens any more once the wait has failed.
                let _ = mapped.send(outcome);
            });
        })?;
        self.wait()?;
        // Another thread that polls the device may have taken the callback, and be about to call it.
        match outcome.recv_timeout(self.timeout) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(Error::Refused { reason: error.to_string() }),
            Err(_) => return Err(Error::Timeout { waited: self.timeout }),
        }
        let view =
            staging.slice(..).get_mapped_range().map_err(|error| Error::Refused { reason: error.to_string() })?;
        Ok(bytemuck::pod_collect_to_vec(&view))
    }

    /// wgpu tells of a loss only to the callback, and only once it polls. A buffer that can't be mapped tells at once.
    fn check_lost(&self) -> Result<(), Error> {
        if let Some(reason) = self.lost.get() {
            return Err(Error::DeviceLost { reason: reason.clone() });
        }
        let probe = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("probe"),
            size: 4,
            usage: wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        });
        match probe.slice(..).get_mapped_range_mut() {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::DeviceLost { reason: "it gives no buffers any more".into() }),
        }
    }

    /// Runs `action` and turns whatever wgpu reports of it into an error, rather than a call to the uncaptured-error handler.
    fn guarded<R>(&self, action: impl FnOnce() -> R) -> Result<R, Error> {
        self.check_lost()?;
        let filters = [wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation];
        let scopes = filters.map(|filter| self.device.push_error_scope(filter));
        let result = action();
        // Innermost first. On native backends the outcome is there at once.
        let mut reported = None;
        for scope in scopes.into_iter().rev() {
            reported = pollster::block_on(scope.pop()).or(reported);
        }
        self.check_lost()?;
        match reported {
            None => Ok(result),
            Some(wgpu::Error::OutOfMemory { source }) => Err(Error::OutOfMemory { reason: source.to_string() }),
            Some(error) => Err(Error::Refused { reason: error.to_string() }),
        }
    }
}
