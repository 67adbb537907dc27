//! Any operator under any limits: `new`, then `bind` to a few shapes. A panic is a crash, and so is anything that wgpu reports.

#![no_main]

#[path = "../../tests/common/arbitrary.rs"]
mod arbitrary;
#[path = "../../tests/common/compiler.rs"]
#[expect(dead_code, reason = "the suite's, of which this needs a part")]
mod compiler;
#[path = "../../tests/common/loop_bounds.rs"]
mod loop_bounds;

use std::sync::OnceLock;

use arbitrary::{Draw, KINDS, Pool, bind, device, open};
use libfuzzer_sys::fuzz_target;
use visual_attention::wgpu::{Device, Limits, Queue};

/// Too large to be made anew for every input.
static LARGE: OnceLock<(Device, Queue, Pool)> = OnceLock::new();

fn few(device: &Device, pool: &Pool, mut draw: Draw<'_>) {
    let Ok(operator) = open(draw.byte() % KINDS, device, &mut draw) else { return };
    while !draw.0.is_empty() {
        bind(device, pool, &operator, &mut draw);
    }
}

fuzz_target!(|data: &[u8]| {
    let mut draw = Draw(data);
    if draw.byte().is_multiple_of(4) {
        let (device, _, pool) = LARGE.get_or_init(|| {
            let (device, queue) = device(&Limits { max_buffer_size: 64 << 20, ..Limits::default() });
            let pool = Pool::new(&device, 9 << 20, true);
            (device, queue, pool)
        });
        few(device, pool, draw);
    } else {
        let (device, _queue) = device(&draw.limits());
        few(&device, &Pool::new(&device, 64 << 10, false), draw);
    }
});
