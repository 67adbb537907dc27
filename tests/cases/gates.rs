//! Cases of the channel and spatial gates, and of the layers that they are made of.

use std::borrow::Cow;

use super::call::{Call, Names, Texts, texts};
use super::convolution::{self, Convolution};
use super::{Case, Problem};

/// The two layers of an excitation.
const EXCITATION: [(&str, &str); 4] =
    [("reduce_weight", "w1"), ("reduce_bias", "b1"), ("expand_weight", "w2"), ("expand_bias", "b2")];
/// Features, and what becomes of them.
const GATED: [(&str, &str); 3] = [("features", "x"), ("gate", "gate"), ("output", "y")];
const NORM: [(&str, &str); 4] =
    [("norm.weight", "bn_weight"), ("norm.bias", "bn_bias"), ("norm.mean", "bn_mean"), ("norm.variance", "bn_var")];

/// An activation with its slope.
fn activation(case: &Case, name: &str, default: &str) -> Result<String, Problem> {
    const KNOWN: [&str; 12] = [
        "none",
        "identity",
        "relu",
        "relu6",
        "leaky_relu",
        "silu",
        "hard_swish",
        "sigmoid",
        "hard_sigmoid",
        "tanh",
        "gelu",
        "gelu_tanh",
    ];
    let text = if case.attrs[name].is_null() { default.to_owned() } else { case.one_of(name, &KNOWN)? };
    // Of a gate the slope is `gate_slope`; an activation that has none takes none.
    let slope = if name == "gate" { "gate_slope" } else { "slope" };
    let given = !case.attrs[slope].is_null();
    Ok(match text.as_str() {
        "leaky_relu" => format!("{text}:{}", case.number(slope)? as f32),
        "hard_sigmoid" if given => format!("{text}:{},0.5", case.number(slope)? as f32),
        _ if given => return Err(case.unknown(slope)),
        "identity" => "none".into(),
        _ => text,
    })
}

/// The activations of an excitation.
fn activations(case: &Case) -> Result<Texts, Problem> {
    Ok(texts([("activation", activation(case, "activation", "relu")?), ("gate", activation(case, "gate", "sigmoid")?)]))
}

fn squeeze(case: &Case) -> Result<String, Problem> {
    if case.attrs["squeeze"].is_null() {
        return Ok("mean".into());
    }
    let squeeze = case.one_of("squeeze", &["avg", "max", "mean_and_max"])?;
    Ok(if squeeze == "avg" { "mean".into() } else { squeeze })
}

fn epsilon(case: &Case, name: &str) -> Result<(String, f64), Problem> {
    let epsilon = case.number(name)?;
    if epsilon < 0.0 || !(epsilon as f32).is_finite() {
        return Err(case.unknown(name));
    }
    Ok(((epsilon as f32).to_string(), epsilon))
}

fn norm(case: &Case, name: &str) -> Result<Texts, Problem> {
    Ok(texts([("norm_epsilon", epsilon(case, name)?.0)]))
}

/// Squeeze-and-Excitation in any form.
fn excite<'a>(case: &'a Case, squeeze: String, epilogue: &str, identity: &Names) -> Result<Call<'a>, Problem> {
    let options = [activations(case)?, texts([("squeeze", squeeze), ("epilogue", epilogue.into())])].concat();
    Call::new(case, "squeeze_excite", options, &[&GATED, EXCITATION.as_slice(), identity].concat())
}

pub(super) fn squeeze_excite(case: &Case) -> Result<Call<'_>, Problem> {
    let scale = case.attrs["form"].is_null();
    let epilogue = if scale { "scale".into() } else { case.one_of("form", &["scale", "scale_add"])? };
    excite(case, squeeze(case)?, &epilogue, &[])
}

pub(super) fn cbam_channel(case: &Case) -> Result<Call<'_>, Problem> {
    excite(case, "mean_and_max".into(), "scale", &[])
}

pub(super) fn se_residual(case: &Case) -> Result<Call<'_>, Problem> {
    case.input("identity")?;
    let identity = [("identity", "identity")];
    if case.one_of("gate_source", &["squeeze_excite", "input"])? == "squeeze_excite" {
        return excite(case, squeeze(case)?, "residual", &identity);
    }
    let options = texts([("epilogue", "residual".into())]);
    Call::new(case, "channel_scale", options, &[GATED.as_slice(), &identity].concat())
}

pub(super) fn bisenet_arm(case: &Case) -> Result<Call<'_>, Problem> {
    bisenet(case, false)
}

pub(super) fn bisenet_ffm(case: &Case) -> Result<Call<'_>, Problem> {
    bisenet(case, true)
}

fn bisenet(case: &Case, fusion: bool) -> Result<Call<'_>, Problem> {
    let module = case.one_of("scope", &["attention", "module"])? == "module";
    let before = if module { Some(Convolution::new(case, fusion, epsilon(case, "bn_eps")?.1)?) } else { None };
    let mut inputs: std::collections::BTreeMap<_, _> =
        case.inputs().map(|(name, values)| (name, Cow::Borrowed(values))).collect();
    let mut names = GATED;
    if let Some(before) = &before {
        inputs.retain(|name, _| !convolution::INPUTS.contains(name));
        inputs.insert("f", Cow::Owned(before.features()));
        names[0].1 = "f";
    }
    let layers = fusion && !case.attrs["form"].is_null() && case.one_of("form", &["conv_bn", "mlp"])? == "mlp";
    let epilogue = texts([("epilogue", if fusion { "scale_add" } else { "scale" }.into())]);
    let mut call = if layers {
        Call::of(inputs, "squeeze_excite", epilogue, &[names.as_slice(), &EXCITATION].concat())?
    } else {
        let names = [names.as_slice(), &[("weight", "w")], &NORM].concat();
        Call::of(inputs, "bisenet", [epilogue, norm(case, "bn_eps")?].concat(), &names)?
    };
    call.before = before;
    Ok(call)
}

/// What `kernel` says of CBAM's convolution, if anything, is its side.
fn check_kernel(case: &Case) -> Result<(), Problem> {
    let [.., side] = case.input("w")?.axes::<4>("w")?;
    if case.attrs["kernel"].is_null() || case.integer("kernel")? == side {
        return Ok(());
    }
    Err(case.unknown("kernel"))
}

pub(super) fn cbam_spatial(case: &Case) -> Result<Call<'_>, Problem> {
    check_kernel(case)?;
    let names = [GATED.as_slice(), &[("weight", "w")], &NORM].concat();
    Call::new(case, "spatial_gate", norm(case, "bn_eps")?, &names)
}

pub(super) fn cbam(case: &Case) -> Result<Call<'_>, Problem> {
    check_kernel(case)?;
    let spatial = [
        ("spatial_weight", "w"),
        ("spatial_norm.weight", "bn_weight"),
        ("spatial_norm.bias", "bn_bias"),
        ("spatial_norm.mean", "bn_mean"),
        ("spatial_norm.variance", "bn_var"),
    ];
    let names = [&GATED, EXCITATION.as_slice(), &spatial].concat();
    Call::new(case, "cbam", [activations(case)?, norm(case, "bn_eps")?].concat(), &names)
}

pub(super) fn scse(case: &Case) -> Result<Call<'_>, Problem> {
    let options = texts([("combine", case.one_of("combine", &["add", "max"])?)]);
    let spatial = [("spatial_weight", "ws"), ("spatial_bias", "bs")];
    Call::new(case, "scse", options, &[&GATED, EXCITATION.as_slice(), &spatial].concat())
}

pub(super) fn eca(case: &Case) -> Result<Call<'_>, Problem> {
    let [taps] = case.input("weight")?.axes("weight")?;
    if !case.attrs["taps"].is_null() && case.integer("taps")? != taps {
        return Err(case.unknown("taps"));
    }
    Call::new(case, "eca", Texts::new(), &[GATED.as_slice(), &[("weight", "weight")]].concat())
}

pub(super) fn dense(case: &Case) -> Result<Call<'_>, Problem> {
    let mut options = texts([("activation", activation(case, "activation", "none")?)]);
    if case.optional("norm_weight").is_some() {
        if case.optional("bias").is_some() {
            return Err(Problem::Unsupported("a bias beside a batch norm".into()));
        }
        options.extend(norm(case, "norm_eps")?);
    }
    let names = [
        ("input", "input"),
        ("second", "second"),
        ("weight", "weight"),
        ("bias", "bias"),
        ("norm.weight", "norm_weight"),
        ("norm.bias", "norm_bias"),
        ("norm.mean", "norm_mean"),
        ("norm.variance", "norm_var"),
        ("output", "output"),
    ];
    Call::new(case, "dense", options, &names)
}
