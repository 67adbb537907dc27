//! What wgpu does itself when a driver fails, and this crate can't keep it from: each of these must still happen, and nothing else
//! may panic. The same table, with reasons, is in `tests/README.md`.

pub(crate) struct Listed {
    /// Crate and file, or the end of the process.
    pub(crate) file: &'static str,
    /// How its message begins.
    pub(crate) message: &'static str,
    /// Whether it ends the drop of the device. `host` makes errors of the others.
    pub(crate) in_drop: bool,
}

impl Listed {
    pub(crate) fn is(&self, panic: &str) -> bool {
        panic.split_once(": ").is_some_and(|(file, message)| file == self.file && message.starts_with(self.message))
    }
}

pub(crate) const LISTED: &[Listed] = &[
    Listed { file: "wgpu src/backend/wgpu_core.rs", message: "Error in Device::poll: ", in_drop: false },
    Listed {
        file: "wgpu-hal src/vulkan/adapter.rs",
        message: "called `Result::unwrap()` on an `Err` value: ERROR_OUT_OF_",
        in_drop: false,
    },
    Listed {
        file: "wgpu-hal src/vulkan/descriptor.rs",
        message: "buckets are not empty, at least one BGL has not been unregistered",
        in_drop: false,
    },
    Listed {
        file: "wgpu-core src/device/queue.rs",
        message: "called `Result::unwrap()` on an `Err` value: OutOfMemory",
        in_drop: false,
    },
    Listed {
        file: "wgpu-core src/device/queue.rs",
        message: "Unexpected error while waiting for queue idle on drop: OutOfMemory",
        in_drop: true,
    },
    Listed { file: "wgpu-hal src/vulkan/command.rs", message: "assertion `left != right` failed", in_drop: true },
    Listed { file: "a signal", message: "the process was killed", in_drop: true },
];
