//! Opens a device, uploads, runs and reads back, for programs that have no device of their own: examples, tests, tools. The
//! operators do not need this module. Only this module submits, polls and blocks.

mod timestamps;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use crate::{Cost, DispatchBound, Error, Recording};

pub use timestamps::Timestamps;

/// The initial [`Gpu::timeout`]: how long [`Gpu::wait`] and [`Gpu::read`] wait.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);

/// A device with its queue.
///
/// No failure of the driver or the device makes a call hang: a lost device, a lack of memory and work that does not end are
/// errors. Build operators through [`Self::build`] to get such errors at once. If wgpu reports an error of another call on
/// `device` or `queue`, the next call here returns it.
///
/// wgpu panics if a driver fails while a device is opened, written to or waited for. The calls here turn such a panic into an
/// error. A panic hook still sees the panic, and a program that is built with `panic = "abort"` ends.
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
    /// The first error outside the error scopes of this module.
    uncaptured: Arc<Mutex<Option<Error>>>,
}

impl Gpu {
    /// Opens the adapter that wgpu prefers, with default limits, and with 16-bit floats and timestamps if it has them. The
    /// environment variables `WGPU_BACKEND` (`vulkan`, `gl`, `metal`, `dx12`) and `WGPU_ADAPTER_NAME` choose another.
    ///
    /// # Errors
    ///
    /// [`Error::NoAdapter`] or [`Error::NoDevice`].
    pub fn open() -> Result<Self, Error> {
        Self::open_with(wgpu::Features::SHADER_F16 | wgpu::Features::TIMESTAMP_QUERY, &wgpu::Limits::default())
    }

    /// Like [`Self::open`], with the adapter's own limits on buffers and bindings instead of the default 256 and 128 MiB.
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

    /// Opens an adapter with `limits`, and with the part of `features` that it has.
    ///
    /// # Errors
    ///
    /// [`Error::NoAdapter`], or [`Error::NoDevice`] if the adapter refuses the limits.
    pub fn open_with(features: wgpu::Features, limits: &wgpu::Limits) -> Result<Self, Error> {
        Self::request(features, |_| limits.clone())
    }

    fn request(features: wgpu::Features, limits: impl FnOnce(&wgpu::Limits) -> wgpu::Limits) -> Result<Self, Error> {
        let adapter = caught(|| pollster::block_on(Self::adapter())).unwrap_or_else(Err);
        let adapter = adapter.map_err(|reason| Error::NoAdapter { reason })?;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("visual-attention"),
            required_features: adapter.features() & features,
            required_limits: limits(&adapter.limits()),
            ..Default::default()
        };
        let device = caught(|| pollster::block_on(adapter.request_device(&descriptor)));
        let device = device.and_then(|device| device.map_err(|error| error.to_string()));
        let (device, queue) = device.map_err(|reason| {
            // If a device fails half-way through its creation, wgpu leaves the threads of the driver behind. Dropping the last
            // adapter would unload the driver under those threads and crash. So this adapter is leaked.
            std::mem::forget(adapter.clone());
            Error::NoDevice { reason }
        })?;
        let lost = Arc::new(OnceLock::new());
        let report = Arc::clone(&lost);
        device.set_device_lost_callback(move |reason, message| {
            // Only the first report counts; it names the cause.
            let _ = report.set(format!("{reason:?}: {message}"));
        });
        let uncaptured = Arc::new(Mutex::new(None));
        let report = Arc::clone(&uncaptured);
        // wgpu's own handler panics.
        device.on_uncaptured_error(Arc::new(move |error| {
            report.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reported(error));
        }));
        Ok(Self { adapter: adapter.get_info(), device, queue, timeout: DEFAULT_TIMEOUT, lost, uncaptured })
    }

    async fn adapter() -> Result<wgpu::Adapter, String> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let Ok(name) = std::env::var("WGPU_ADAPTER_NAME") else {
            let options = wgpu::RequestAdapterOptions {
                power_preference: wgpu::PowerPreference::HighPerformance,
                ..Default::default()
            };
            return instance.request_adapter(&options).await.map_err(|error| error.to_string());
        };
        let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
        let named = |adapter: &wgpu::Adapter| adapter.get_info().name.to_lowercase().contains(&name.to_lowercase());
        let missing = || format!("WGPU_ADAPTER_NAME is {name}, and no adapter's name has that in it");
        adapters.into_iter().find(named).ok_or_else(missing)
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

    /// Runs `action`, which calls the `new` or `bind` of operators, and returns what wgpu reports meanwhile as an error. An
    /// operator alone can't detect that the driver failed to compile it, or had no memory for its scratch buffers.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`], [`Error::DeviceLost`], or what `action` returns.
    pub fn build<R>(&self, action: impl FnOnce(&wgpu::Device) -> Result<R, Error>) -> Result<R, Error> {
        // With the first upload after a submission wgpu begins a command buffer, and panics if it can't. This upload makes it
        // panic here, where the panic is caught, rather than in a `bind` of `action`.
        drop(self.upload("first", &[0u32])?);
        self.guarded(|| action(&self.device))?
    }

    /// A buffer with `contents`. Operators can read and write it, and it can be read back.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`], [`Error::DeviceLost`], or [`Error::Refused`] beyond the device's `max_buffer_size`.
    pub fn upload<T: bytemuck::Pod>(&self, label: &str, contents: &[T]) -> Result<wgpu::Buffer, Error> {
        use wgpu::BufferUsages;
        let uploaded = self.guarded(|| {
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
            // An empty tensor still needs a buffer.
            let bytes: &[u8] = if contents.is_empty() { &[0; 4] } else { bytemuck::cast_slice(contents) };
            caught(|| crate::kernel::tensor::filled("upload", &self.device, label, bytes, usage))
        })?;
        uploaded.unwrap_or_else(|reason| Err(self.panicked(reason)))
    }

    /// Replaces the numbers from byte `offset` of a buffer on, after all work that was submitted before. The buffer needs
    /// `BufferUsages::COPY_DST`. The offset and the bytes of `contents` must be multiples of 4.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] for contents that the buffer does not hold; [`Error::OutOfMemory`], [`Error::DeviceLost`].
    pub fn write<T: bytemuck::Pod>(&self, buffer: &wgpu::Buffer, offset: u64, contents: &[T]) -> Result<(), Error> {
        let written =
            self.guarded(|| caught(|| self.queue.write_buffer(buffer, offset, bytemuck::cast_slice(contents))))?;
        written.map_err(|reason| self.panicked(reason))
    }

    /// The error of a panic in wgpu, after which the state of its device is not reliable.
    fn panicked(&self, reason: String) -> Error {
        self.device.destroy();
        Error::DeviceLost { reason }
    }

    /// A cleared buffer of `bytes` bytes, rounded up to a multiple of 4, for outputs.
    ///
    /// # Errors
    ///
    /// As [`Self::upload`].
    pub fn buffer(&self, label: &str, bytes: u64) -> Result<wgpu::Buffer, Error> {
        use wgpu::BufferUsages;
        self.guarded(|| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: crate::kernel::divide::binding_bytes(bytes.max(4)),
                usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })
    }

    /// Records one compute pass and submits it, without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if wgpu refuses what was recorded; [`Error::OutOfMemory`], [`Error::DeviceLost`].
    pub fn run(&self, record: impl FnOnce(&mut wgpu::ComputePass<'_>)) -> Result<(), Error> {
        self.submit(|encoder| record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default())))
    }

    /// Records the dispatches of a recording and submits them, without waiting. Each submission does no more work than `bound`, or has one
    /// dispatch, so that other programs get their turn in between. [`DispatchBound::of`] the adapter's type is a bound that suits it.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub fn run_in_steps(&self, recording: &Recording, bound: DispatchBound) -> Result<(), Error> {
        let mut dispatches = recording.dispatches().peekable();
        while dispatches.peek().is_some() {
            let mut done = Cost::default();
            self.run(|pass| {
                while let Some(dispatch) = dispatches.next_if(|next| {
                    let with = done + next.cost();
                    done == Cost::default() || with.flops <= bound.flops && with.bytes <= bound.bytes
                }) {
                    dispatch.record(pass);
                    done += dispatch.cost();
                }
            })?;
        }
        Ok(())
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

    /// Waits for all submitted work.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] after [`Self::timeout`]; [`Error::DeviceLost`].
    pub fn wait(&self) -> Result<(), Error> {
        self.wait_for(self.timeout)
    }

    /// Like [`Self::wait`], with another time limit. A program that must react to its user meanwhile waits in short slices.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] after `timeout`; [`Error::DeviceLost`].
    pub fn wait_for(&self, timeout: Duration) -> Result<(), Error> {
        self.check()?;
        let poll = wgpu::PollType::Wait { submission_index: None, timeout: Some(timeout) };
        let polled = catch_unwind(AssertUnwindSafe(|| self.device.poll(poll)));
        self.check()?;
        match polled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(wgpu::PollError::Timeout)) => Err(Error::Timeout { waited: timeout }),
            Ok(Err(error)) => Err(Error::Refused { reason: error.to_string() }),
            // The device is not lost: a callback of the caller panicked.
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Copies a slice back, after all submitted work. Its buffer needs `BufferUsages::COPY_SRC`. Its offset and size must be
    /// multiples of 4 bytes, and its size a whole number of `T`.
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
        // Some drivers block in a submission until earlier ones are done, without a timeout. So this waits first.
        self.wait()?;
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
                // After a failed wait there is no receiver.
                let _ = mapped.send(outcome);
            });
        })?;
        self.wait()?;
        // Another thread that polls the device may have taken the callback without having called it yet.
        let outcome = outcome.recv_timeout(self.timeout).map_err(|_| Error::Timeout { waited: self.timeout })?;
        // If the driver can't map the buffer, the device is lost.
        self.check()?;
        outcome.map_err(|error| Error::Refused { reason: error.to_string() })?;
        let view =
            staging.slice(..).get_mapped_range().map_err(|error| Error::Refused { reason: error.to_string() })?;
        Ok(bytemuck::pod_collect_to_vec(&view))
    }

    /// Fails if the device is lost, or with the first error that was reported outside this module's scopes since the last check.
    fn check(&self) -> Result<(), Error> {
        if let Some(reason) = self.lost.get() {
            return Err(Error::DeviceLost { reason: reason.clone() });
        }
        // After `destroy`, wgpu calls only the callback, and only once the device is polled and idle. So a buffer without a
        // usage is created as a probe, which takes no memory. A live device reports it as a validation error, and a lost device ignores it.
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        drop(self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("probe"),
            size: 4,
            usage: wgpu::BufferUsages::empty(),
            mapped_at_creation: false,
        }));
        if pollster::block_on(scope.pop()).is_none() {
            return Err(Error::DeviceLost { reason: "it was destroyed".into() });
        }
        self.uncaptured.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    /// Runs `action`, and returns what wgpu reports meanwhile as an error, instead of calling the uncaptured-error handler.
    fn guarded<R>(&self, action: impl FnOnce() -> R) -> Result<R, Error> {
        self.check()?;
        let filters = [wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation];
        let scopes = filters.map(|filter| self.device.push_error_scope(filter));
        let result = action();
        // The innermost scope ends first. On native backends the outcome is available at once. An out-of-memory error is kept
        // over the others, which it causes.
        let mut first = None;
        for scope in scopes.into_iter().rev() {
            first = pollster::block_on(scope.pop()).or(first);
        }
        self.check()?;
        first.map_or(Ok(result), |error| Err(reported(error)))
    }
}

/// Calls wgpu, and returns the message if it panics, as it does on some errors of drivers. No code of the caller may run in `call`.
fn caught<R>(call: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("wgpu panicked: {}", text.unwrap_or("without a message"))
    })
}

fn reported(error: wgpu::Error) -> Error {
    match error {
        wgpu::Error::OutOfMemory { source } => Error::OutOfMemory { reason: source.to_string() },
        error => Error::Refused { reason: error.to_string() },
    }
}
