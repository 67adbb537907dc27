//! Numbers as the bytes of a tensor, and back.

use half::f16;
use visual_attention::DType;

/// Numbers as bytes of a tensor, a multiple of four.
pub(crate) fn stored(numbers: &[f32], dtype: DType) -> Vec<u8> {
    match dtype {
        DType::F16 => {
            let mut halves: Vec<_> = numbers.iter().map(|&number| f16::from_f32(number)).collect();
            halves.resize(halves.len().next_multiple_of(2), f16::ZERO);
            bytemuck::cast_slice(&halves).to_vec()
        }
        DType::U32 | DType::I32 => {
            bytemuck::cast_slice(&numbers.iter().map(|&number| number as i32).collect::<Vec<_>>()).to_vec()
        }
        _ => bytemuck::cast_slice(numbers).to_vec(),
    }
}

/// Bytes of a tensor as numbers.
pub(crate) fn widened(bytes: &[u8], dtype: DType) -> Vec<f64> {
    match dtype {
        DType::F32 => bytemuck::pod_collect_to_vec::<u8, f32>(bytes).into_iter().map(f64::from).collect(),
        DType::F16 => bytemuck::pod_collect_to_vec::<u8, f16>(bytes).into_iter().map(f64::from).collect(),
        _ => bytemuck::pod_collect_to_vec::<u8, i32>(bytes).into_iter().map(f64::from).collect(),
    }
}
