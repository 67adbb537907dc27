//! Blank masks against the worst ones: long chains, many components, noise at the percolation threshold. The table sets each mask
//! ("version") in relation to the blank one.

use visual_attention::{Connectivity, LargestComponent, LargestComponentBuffers, Nhw, reference};

use crate::common::{Bench, noise};

const SIDE: u32 = 1024;

pub(crate) fn bench(bench: &mut Bench) {
    let shape = Nhw::new(1, SIDE, SIDE);
    let draw = |set: &dyn Fn(u32, u32) -> bool| -> Vec<u32> {
        (0..SIDE * SIDE).map(|index| u32::from(set(index / SIDE, index % SIDE))).collect()
    };
    let random = noise(u64::from(SIDE * SIDE));
    let noise_of =
        |density: f32| -> Vec<u32> { random.iter().map(|&value| u32::from(value * 0.5 + 0.5 < density)).collect() };
    let masks = [
        ("fused", draw(&|_, _| false)),
        ("full", draw(&|_, _| true)),
        ("snake", draw(&|y, x| y % 2 == 0 || x == if y % 4 == 1 { SIDE - 1 } else { 0 })),
        ("upright snake", draw(&|y, x| x % 2 == 0 || y == if x % 4 == 1 { SIDE - 1 } else { 0 })),
        ("spiral", spiral()),
        ("checkerboard", draw(&|y, x| (x + y) % 2 == 0)),
        ("noise 0.593", noise_of(0.593)),
        ("noise 0.407", noise_of(0.407)),
    ];
    for connectivity in [Connectivity::Four, Connectivity::Eight] {
        let operator = LargestComponent::new(&bench.gpu.device, connectivity).expect("operator");
        let component = bench.gpu.buffer("component", u64::from(SIDE * SIDE) * 4).expect("component");
        let boxes = bench.gpu.buffer("boxes", 16).expect("boxes");
        for (version, mask) in &masks {
            let input = bench.gpu.upload("mask", mask).expect("mask");
            let buffers = LargestComponentBuffers {
                mask: input.slice(..),
                boxes: boxes.slice(..),
                component: Some(component.slice(..)),
                all: None,
            };
            let dispatch = operator.bind(&bench.gpu.device, shape, buffers).expect("dispatch");
            bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
            let actual: Vec<u32> = bench.gpu.read(component.slice(..)).expect("component");
            let expected = reference::largest_component(shape, connectivity, mask);
            assert!(actual == expected.component, "{version} {connectivity:?}");
            let case = format!("blank mask {connectivity:?} {SIDE}");
            let cost = operator.cost(shape);
            bench.measure("largest_component", &case, version, cost, |pass| dispatch.record(pass));
        }
    }
}

/// One pixel wide, inwards: its corners are those of nested squares two pixels apart.
fn spiral() -> Vec<u32> {
    let mut mask = vec![0; (SIDE * SIDE) as usize];
    let (mut top, mut left, mut bottom, mut right) = (0, 0, SIDE - 1, SIDE - 1);
    let mut fill = |rows: std::ops::RangeInclusive<u32>, columns: std::ops::RangeInclusive<u32>| {
        for y in rows {
            for x in columns.clone() {
                mask[(y * SIDE + x) as usize] = 1;
            }
        }
    };
    while top + 4 < bottom && left + 4 < right {
        fill(top..=top, left.saturating_sub(2)..=right);
        fill(top..=bottom, right..=right);
        fill(bottom..=bottom, left..=right);
        fill(top + 2..=bottom, left..=left);
        (top, left, bottom, right) = (top + 2, left + 2, bottom - 2, right - 2);
    }
    mask
}
