//! What drivers get wrong and this crate can't mend, in one table. A test that is in it must fail on that driver: where the fault has
//! gone, the entry goes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use visual_attention::host::Gpu;
use visual_attention::wgpu::Backend;

struct Fault {
    backend: Backend,
    /// What the driver is called in `Gpu::describe`; empty for all.
    driver: &'static str,
    test: &'static str,
    reason: &'static str,
}

const FAULTS: &[Fault] = &[Fault {
    backend: Backend::Gl,
    driver: "",
    test: "errors::out_of_memory",
    reason: "wgpu-hal 30.0 does not ask for GL_OUT_OF_MEMORY after glBufferStorage (which Mesa raises, as MESA_DEBUG=1 shows), so \
             that a buffer without memory looks like any other",
}];

/// Runs the body of a test that is in the table.
pub(crate) fn with_known_faults(test: &str, gpu: &Gpu, body: impl FnOnce()) {
    let driver = gpu.describe();
    let here =
        |fault: &&Fault| fault.test == test && fault.backend == gpu.adapter.backend && driver.contains(fault.driver);
    assert!(FAULTS.iter().any(|fault| fault.test == test), "{test} has no known fault");
    let Some(fault) = FAULTS.iter().find(here) else { return body() };
    must_fail(test, &driver, fault.reason, body);
    eprintln!("KNOWN FAULT {test}: {}", fault.reason);
}

pub(crate) fn must_fail(test: &str, driver: &str, reason: &str, body: impl FnOnce()) {
    assert!(
        catch_unwind(AssertUnwindSafe(body)).is_err(),
        "{test} no longer fails on {driver}: remove it from tests/common/known_faults.rs ({reason})"
    );
}
