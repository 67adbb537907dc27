//! Every golden case under `tests/golden`, on the GPU and on the reference.

use crate::{cases, common};

fn run(ops: &[&str]) {
    let Some(gpu) = common::gpu() else { return };
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            ops.iter().any(|op| name.split_once("__").is_some_and(|(case_op, _)| case_op == *op))
        })
        .collect();
    paths.sort();
    let mut checked = std::collections::BTreeSet::new();
    let (mut gradients, mut unchecked) = (0, 0);
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let case = cases::Case::load(&path).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        if case.needs_f16() && !gpu.has_f16() {
            common::skipped(&format!("{name}, the adapter has no 16-bit floats"));
            continue;
        }
        let report = case.check(Some(&**gpu)).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        assert!(report.outputs.gpu.is_some() && report.gradients.gpu.is_some(), "{name}");
        assert!(report.failures.is_empty(), "{name}: {:#?}", report.failures);
        gradients += report.checked;
        unchecked += report.unchecked;
        checked.insert(case.op);
    }
    eprintln!("{gradients} gradients checked, {unchecked} left unchecked");
    assert_eq!(checked.iter().map(String::as_str).collect::<Vec<_>>(), ops, "an operator without a case");
}

#[test]
fn attention() {
    run(&["attended_region", "attention_map", "largest_component"]);
}

#[test]
fn gates() {
    run(&["bisenet_arm", "bisenet_ffm", "cbam", "cbam_channel", "cbam_spatial", "se_residual", "squeeze_excite"]);
}

#[test]
fn parts() {
    run(&[
        "crop_resize",
        "dense",
        "eca",
        "global_pool",
        "normalize",
        "pointwise_conv",
        "resize",
        "scse",
        "window_pool",
    ]);
}

#[test]
fn windows() {
    run(&["head_norm_rotary", "merge_attention", "sasa_layer", "sasa_stem", "window_attention", "window_attention_nd"]);
}

/// An attribute or a value that the runner does not know is named; the case is not computed without it.
#[test]
fn unknown_attributes_are_unsupported() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (file, name, value) in [
        ("squeeze_excite__tv_hardsigmoid.safetensors", "gate_slop", serde_json::json!(0.2)),
        ("squeeze_excite__tv_hardsigmoid.safetensors", "gate", serde_json::json!("softer_sigmoid")),
        ("global_pool__c3_61x67.safetensors", "squeez", serde_json::json!("mean")),
        ("global_pool__c3_61x67.safetensors", "squeeze", serde_json::json!("median")),
    ] {
        let mut case = cases::Case::load(&golden.join(file)).unwrap();
        case.attrs[name] = value;
        match case.check(None) {
            Err(cases::Problem::Unsupported(what)) => assert!(what.contains(&format!("`{name}`")), "{what}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}
