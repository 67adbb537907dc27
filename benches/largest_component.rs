//! Blank masks against the worst ones: long chains, many components, noise at the percolation threshold. The table sets each mask
//! ("version") in relation to the blank one. Noise of few pixels also against components labelled as eager frameworks do it.

use visual_attention::{Connectivity, LargestComponent, LargestComponentBuffers, Nhw, Recording, reference, wgpu};

use crate::common::ceiling::software;
use crate::common::unfused::{Unfused, groups};
use crate::common::{Bench, noise};

const SIDE: u32 = 1024;

pub(crate) fn bench(bench: &mut Bench) {
    let shape = Nhw::new(1, SIDE, SIDE);
    let draw = |set: &dyn Fn(u32, u32) -> bool| -> Vec<u32> {
        (0..SIDE * SIDE).map(|index| u32::from(set(index / SIDE, index % SIDE))).collect()
    };
    let masks = [
        ("fused", draw(&|_, _| false)),
        ("full", draw(&|_, _| true)),
        ("snake", draw(&|y, x| y % 2 == 0 || x == if y % 4 == 1 { SIDE - 1 } else { 0 })),
        ("upright snake", draw(&|y, x| x % 2 == 0 || y == if x % 4 == 1 { SIDE - 1 } else { 0 })),
        ("spiral", spiral()),
        ("checkerboard", draw(&|y, x| (x + y) % 2 == 0)),
        ("noise 0.593", of_density(shape, 0.593)),
        ("noise 0.407", of_density(shape, 0.407)),
    ];
    for connectivity in [Connectivity::Four, Connectivity::Eight] {
        let case = format!("blank mask {connectivity:?} {SIDE}");
        for (version, mask) in &masks {
            measure(bench, connectivity, shape, mask, &case, version);
        }
    }

    let shape = Nhw::new(8, 224, 224);
    let mask = of_density(shape, 0.3);
    let case = format!("noise 0.3 {shape}");
    measure(bench, Connectivity::Eight, shape, &mask, &case, "fused");
    let components = Components::new(bench, shape, &bench.gpu.upload("mask", &mask).expect("mask"));
    let passes = passes(shape, &mask);
    bench.gpu.run(|pass| components.record(pass, passes)).expect("run");
    let actual: Vec<u32> = bench.gpu.read(components.component.slice(..)).expect("component");
    assert!(actual == reference::largest_component(shape, Connectivity::Eight, &mask).component, "{case}, unfused");
    let cost = LargestComponent::new(&bench.gpu.device, Connectivity::Eight).expect("operator").cost(shape);
    bench.measure("largest_component", &case, "unfused", cost, |pass| components.record(pass, passes));

    if !software(&bench.gpu) {
        let shape = Nhw::new(64, SIDE, SIDE);
        measure(bench, Connectivity::Eight, shape, &of_density(shape, 0.407), &format!("noise 0.407 {shape}"), "fused");
    }
}

/// A mask with about this share of its pixels set.
pub(crate) fn of_density(shape: Nhw, density: f32) -> Vec<u32> {
    let random = noise(shape.elements().expect("small"));
    random.iter().map(|&value| u32::from(value * 0.5 + 0.5 < density)).collect()
}

fn measure(bench: &mut Bench, connectivity: Connectivity, shape: Nhw, mask: &[u32], case: &str, version: &str) {
    let operator = LargestComponent::new(&bench.gpu.device, connectivity).expect("operator");
    let input = bench.gpu.upload("mask", mask).expect("mask");
    let component = bench.gpu.buffer("component", input.size()).expect("component");
    let boxes = bench.gpu.buffer("boxes", u64::from(shape.batch) * 16).expect("boxes");
    let buffers = LargestComponentBuffers {
        mask: input.slice(..),
        boxes: boxes.slice(..),
        component: Some(component.slice(..)),
        all: None,
    };
    let recording: Recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
    bench.gpu.run(|pass| recording.record(pass)).expect("run");
    let actual: Vec<u32> = bench.gpu.read(component.slice(..)).expect("component");
    assert!(actual == reference::largest_component(shape, connectivity, mask).component, "{case} {version}");
    bench.measure("largest_component", case, version, operator.cost(shape), |pass| recording.record(pass));
}

/// The largest component, of 8 neighbours, an operation at a time: each pixel's own index as its label, the smallest label of
/// its neighbours again and again, how often each label is found, the most frequent.
pub(crate) struct Components {
    first: Unfused,
    /// To and fro.
    spread: [Unfused; 2],
    largest: Unfused,
    pub(crate) component: wgpu::Buffer,
}

impl Components {
    pub(crate) fn new(bench: &Bench, shape: Nhw, mask: &wgpu::Buffer) -> Self {
        let (len, pixels) = (mask.size() / 4, shape.size().pixels());
        let integers = ["u32", "u32"];
        let [mut first, mut there, mut back, mut largest] = [0; 4].map(|_| Unfused::new(&bench.gpu));
        let own = format!("select(0xffffffffu, i % #{pixels}, a[i] != 0u)");
        let labels = first.each_of(integers, &own, &[mask], len);
        let other = first.tensor(len);
        let (source, sides) = (include_str!("baseline/spread.wgsl"), [shape.height, shape.width]);
        there.kernel(source, &sides, &[&labels, &other], groups(len));
        back.kernel(source, &sides, &[&other, &labels], groups(len));
        let pixels = u32::try_from(pixels).expect("small");
        let counts = largest.count(&labels, pixels, pixels.into());
        let label = largest.argmax("u32", &counts, pixels);
        let component = largest.each_of(integers, &format!("u32(a[i] == b[i / #{pixels}])"), &[&labels, &label], len);
        Self { first, spread: [there, back], largest, component }
    }

    /// An even number of passes ends where the rest reads.
    pub(crate) fn record(&self, pass: &mut wgpu::ComputePass<'_>, passes: usize) {
        self.first.record(pass);
        for at in 0..passes.next_multiple_of(2) {
            self.spread[at % 2].record(pass);
        }
        self.largest.record(pass);
    }
}

/// How far the smallest index of a component is from any of its pixels at most: so often must it spread to its neighbours.
pub(crate) fn passes(shape: Nhw, mask: &[u32]) -> usize {
    let (width, pixels) = (shape.width as usize, shape.size().pixels() as usize);
    let mut most = 0;
    for mask in mask.chunks(pixels) {
        let mut distance = vec![usize::MAX; pixels];
        for first in 0..pixels {
            if mask[first] == 0 || distance[first] != usize::MAX {
                continue;
            }
            distance[first] = 0;
            let mut found = vec![first];
            let mut next = 0;
            while let Some(&pixel) = found.get(next) {
                next += 1;
                most = most.max(distance[pixel]);
                let (row, column) = (pixel / width, pixel % width);
                for r in row.saturating_sub(1)..(row + 2).min(pixels / width) {
                    for c in column.saturating_sub(1)..(column + 2).min(width) {
                        let near = r * width + c;
                        if mask[near] != 0 && distance[near] == usize::MAX {
                            distance[near] = distance[pixel] + 1;
                            found.push(near);
                        }
                    }
                }
            }
        }
    }
    most
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
