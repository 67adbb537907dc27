//! Tests of the checker: what it must refuse, and its tolerance.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::Dtype;
use visual_attention::operators::Arrays;

use super::{Case, Gate, Problem, Values, operations, windows};

/// 4e-6 of the largest value, or twice the error of the f32 reference where that is more.
#[test]
fn tolerance_follows_the_f32_reference() {
    let expected = |dtype| Values { shape: vec![3], dtype, numbers: vec![0.5, -8.0, 1.0] };
    let tolerance = |in_f32: &[f64]| Gate::new(&expected(Dtype::F32), in_f32, &[0.5, -8.0, 1.0], false).absolute;
    assert_eq!(tolerance(&[]), 4e-6 * 8.0);
    assert_eq!(tolerance(&[0.5, -8.0, 1.0 + 1e-6]), 4e-6 * 8.0);
    assert!((tolerance(&[0.5, -8.0, 1.0 + 1e-4]) - 2e-4).abs() < 1e-12);
    assert_eq!(tolerance(&[f64::NAN, -8.0, f64::INFINITY]), 4e-6 * 8.0);
    assert_eq!(Gate::new(&expected(Dtype::I32), &[9.0, 9.0, 9.0], &[0.5, -8.0, 1.0], false).absolute, 0.0);
}

fn golden(name: &str) -> Case {
    let path = format!("{}/tests/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
    Case::load(path.as_ref()).unwrap_or_else(|problem| panic!("{name}: {problem}"))
}

/// The smallest case of every operation, and of forms that have code of their own.
fn smallest() -> Vec<String> {
    let forms = [
        "bisenet_arm__attn",
        "bisenet_arm__module_c10",
        "bisenet_ffm__attn_mlp",
        "bisenet_ffm__module_c10",
        "dense__fusion_head_sigmoid",
        "dense__norm_sigmoid",
        "pointwise_conv__grouped_18_to_12_bias",
        "pointwise_conv__qkv_24_to_16",
        "se_residual__basic_given",
        "se_residual__timm_se",
        "squeeze_excite__timm_leaky",
        "squeeze_excite__tv_hardsigmoid",
        "window_attention__mask_rel_h2_k7_small",
        "window_attention__shift_rpb_h2_k3_dil2_natten",
        "window_attention__zero_norel_k3_stride2",
    ];
    let mut names: BTreeSet<String> = forms.map(str::to_owned).into();
    let mut of_operations = BTreeMap::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).unwrap() {
        let entry = entry.unwrap();
        let file = entry.file_name().into_string().unwrap();
        let Some((operation, _)) = file.split_once("__") else { continue };
        let name = file.trim_end_matches(".safetensors").to_owned();
        let found = (entry.metadata().unwrap().len(), name);
        let smallest = of_operations.entry(operation.to_owned()).or_insert_with(|| found.clone());
        *smallest = found.min(smallest.clone());
    }
    assert!(of_operations.len() > 20, "{of_operations:?}");
    names.extend(of_operations.into_values().map(|(_, name)| name));
    names.into_iter().collect()
}

fn passes(case: &Case) -> bool {
    case.check(None).is_ok_and(|report| report.failures.is_empty())
}

/// Attributes that make no sense are reported, whatever they are; nothing panics.
#[test]
fn strange_attributes_are_reported() {
    // Within the tolerance, or read with another attribute only.
    let harmless = ["scale", "bn_eps", "norm_eps", "eps", "base", "threshold", "threshold_u8"];
    for name in &smallest() {
        let intact = golden(name);
        assert!(passes(&intact), "{name}");
        let names: Vec<String> = intact.attrs.as_object().unwrap().keys().cloned().collect();
        for attribute in &names {
            for value in ["null", "0", "2", "-1", "1e300", "4294967295", "4294967296", "\"x\"", "[3]", "[3, 5]", "[]"] {
                let mut case = golden(name);
                case.attrs[attribute.as_str()] = serde_json::from_str(value).unwrap();
                let same = case.attrs[attribute.as_str()] == intact.attrs[attribute.as_str()];
                // One that is not there has a default.
                let harmless = same || value == "null" || harmless.contains(&attribute.as_str());
                assert!(!passes(&case) || harmless, "{name}: {attribute} = {value}");
            }
        }
    }
}

/// The tensor with one entry more or less along an axis, with another axis, or of integers.
fn strange(values: &Values) -> Vec<Values> {
    let mut all = Vec::new();
    for axis in 0..values.shape.len() {
        for extent in [values.shape[axis] - 1, values.shape[axis] + 1] {
            let mut shape = values.shape.clone();
            shape[axis] = extent;
            let mut numbers = values.numbers.clone();
            numbers.resize(shape.iter().product(), 0.5);
            all.push(Values { shape, dtype: values.dtype, numbers });
        }
    }
    for shape in [[values.shape.as_slice(), &[1]].concat(), vec![values.numbers.len()], Vec::new()] {
        let numbers = values.numbers[..shape.iter().product()].to_vec();
        all.push(Values { shape, dtype: values.dtype, numbers });
    }
    let dtype = if values.dtype == Dtype::F32 { Dtype::U8 } else { Dtype::F32 };
    all.push(Values { dtype, ..values.clone() });
    all.retain(|strange| strange.shape != values.shape || strange.dtype != values.dtype);
    all
}

/// So are tensors of other shapes and types, tensors that lack, and tensors that no operator takes.
#[test]
fn strange_tensors_are_reported() {
    for name in &smallest() {
        let intact = golden(name);
        let inputs: Vec<String> = intact.tensors.keys().filter(|name| name.starts_with("in.")).cloned().collect();
        for input in &inputs {
            for values in strange(&intact.tensors[input]) {
                let what = format!("{name}: {input} is {:?} {:?}", values.dtype, values.shape);
                let mut case = golden(name);
                case.tensors.insert(input.clone(), values);
                assert!(!passes(&case), "{what}");
            }
            let mut case = golden(name);
            case.tensors.remove(input);
            assert!(!passes(&case), "{name} without {input}");
        }
        let mut case = golden(name);
        let tensor = case.tensors[&inputs[0]].clone();
        case.tensors.insert("in.other".to_owned(), tensor);
        assert!(!passes(&case), "{name} with another tensor");
    }
}

/// A gradient that is wrong, or that no operator computes, fails its case. So does one that nothing flows into.
#[test]
fn gradients_are_compared() {
    let changed = |change: fn(&mut Case)| {
        let mut case = golden("attention_map__max_abs_c3");
        change(&mut case);
        case.check(None)
    };
    let report = changed(|_| ()).unwrap();
    assert_eq!((report.checked, report.unchecked, report.failures.len()), (1, 0, 0));
    let failures = |change| changed(change).unwrap().failures;
    let wrong = failures(|case| case.tensors.get_mut("grad.x").unwrap().numbers[5] += 0.01);
    assert!(wrong.len() == 1 && wrong[0].contains("gradient of `x`: 1 of"), "{wrong:?}");
    let other = failures(|case| {
        let gradient = case.tensors["grad.x"].clone();
        case.tensors.insert("grad.y".into(), gradient);
    });
    assert!(other.len() == 1 && other[0].contains("gradient of `y`: not computed"), "{other:?}");
    let malformed: [fn(&mut Case); 4] = [
        |case| drop(case.tensors.remove("grad_out.map")),
        |case| drop(case.tensors.remove("grad.x")),
        |case| case.tensors.get_mut("grad_out.map").unwrap().numbers.truncate(5),
        |case| {
            let upstream = case.tensors["grad_out.map"].clone();
            case.tensors.insert("grad_out.other".into(), upstream);
        },
    ];
    for (index, change) in malformed.into_iter().enumerate() {
        assert!(matches!(changed(change), Err(Problem::Malformed(_))), "{index}");
    }
}

/// Matrices that an operator takes as one tensor are apart in a case, and outputs of one operator may be one tensor there.
#[test]
fn stacked_tensors_are_taken_apart() {
    let case = golden("sasa_stem__leader_k4");
    let call = windows::sasa_stem(&case).unwrap_or_else(|problem| panic!("{problem}"));
    let (_, stack) = call.inputs.iter().find(|(name, _)| *name == "projections").unwrap();
    let numbers: Vec<f64> = stack.cast();
    let parts = call.outputs(&case, &Arrays::new([("projections_gradient", numbers.clone())]), "_gradient");
    assert_eq!(parts.len(), 3);
    for name in ["wq", "wk", "wv"] {
        assert_eq!(parts[name], case.input(name).unwrap().cast::<f64>(), "{name}");
    }
    // One number too many is not lost.
    let longer = Arrays::new([("projections_gradient", [numbers, vec![0.0]].concat())]);
    let parts = call.outputs(&case, &longer, "_gradient");
    assert_eq!(parts["wv"].len(), case.input("wv").unwrap().numbers.len() + 1);
    let outputs = ["y[0]", "y[1]", "y[2]"].into_iter().zip([vec![1.0], vec![2.0], vec![3.0]]);
    let case = golden("pointwise_conv__qkv_24_to_16");
    let call = operations::operation("pointwise_conv").unwrap().0(&case).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!(call.outputs(&case, &Arrays::new(outputs), "")["y"], [1.0, 2.0, 3.0]);
}
