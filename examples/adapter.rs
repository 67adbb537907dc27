//! Prints the GPU adapter that the other examples use, or why there is none, and exits with 1.

use std::process::ExitCode;

use visual_attention::host::Gpu;

fn main() -> ExitCode {
    match Gpu::open() {
        Ok(gpu) => {
            let f16 = if gpu.has_f16() { "with" } else { "without" };
            println!("{}, {f16} 16-bit floats", gpu.describe());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
    }
}
