"""Golden cases in the words of the operators: options from attributes, and what tensors are called on both sides."""

import json

import numpy as np
from safetensors import safe_open

GATED = {"x": "features", "gate": "gate", "y": "output"}
EXCITATION = {"w1": "reduce_weight", "b1": "reduce_bias", "w2": "expand_weight", "b2": "expand_bias"}
NORM = {"bn_weight": "norm_weight", "bn_bias": "norm_bias", "bn_mean": "norm_mean", "bn_var": "norm_variance"}
REGION = {"x": "features", "image": "images", "bbox": "boxes", "crop": "crops"}
TABLES = {"rel_row": "tables_rows", "rel_col": "tables_columns", "rpb": "tables_bias", "bias": "tables_bias"}
TABLES |= {f"table_{axis}": f"tables_{axis}" for axis in ("frames", "rows", "columns")}
ATTENTION = {"lse": "log_sum_exp", **TABLES}
SAMPLING = {True: "aligned_corners", False: "half_pixel"}


def activation(attributes, name, default):
    text = attributes.get(name, default)
    slope = attributes.get("gate_slope" if name == "gate" else "slope")
    if text == "leaky_relu":
        return f"{text}:{slope}"
    if text == "hard_sigmoid" and slope is not None:
        return f"{text}:{slope},0.5"
    return {"identity": "none"}.get(text, text)


def excitation(attributes, epilogue="scale", squeeze=None):
    squeeze = squeeze or {"avg": "mean"}.get(attributes.get("squeeze", "avg"), attributes.get("squeeze"))
    return {
        "squeeze": squeeze,
        "activation": activation(attributes, "activation", "relu"),
        "gate": activation(attributes, "gate", "sigmoid"),
        "epilogue": attributes.get("form", epilogue),
    }


def window(attributes, inputs):
    heads, kind = attributes["heads"], {"rpb": "bias"}.get(attributes["rel"], attributes["rel"])
    channels = inputs["q"].shape[1] if "q" in inputs else inputs["wq"].shape[0]
    return {
        "heads": heads,
        "head_dim": channels // heads,
        "window": attributes["kernel"],
        "dilation": attributes["dilation"],
        "stride": attributes["stride"],
        "border": attributes["border"],
        "relative": kind,
        "scale": attributes["scale"],
        "scale_relative": kind != "bias",
    }


def axes(attributes, inputs):
    """Windows over frames, rows and columns."""
    parts = attributes["axes"]

    def numbers(name, default):
        return [axis.get(name) or default for axis in parts]

    borders = ["causal" if axis.get("causal") else axis["border"] for axis in parts]
    heads, relative = attributes["heads"], attributes.get("scale_relative")
    return {
        "heads": heads,
        "head_dim": inputs["q"].shape[1] // heads,
        "value_dim": inputs["v"].shape[1] // heads,
        "window": numbers("keys", 1),
        "dilation": numbers("dilation", 1),
        "stride": numbers("stride", 1),
        "group": numbers("group", 1),
        "origin": numbers("origin", 0),
        "border": borders,
        "relative": attributes["rel"],
        "scale": attributes["scale"],
        "scale_relative": relative != 1 or attributes["scale"] == 1,
    }


def threshold(attributes):
    if attributes["quantize"] == "u8":
        return f"level:{attributes['threshold_u8']}"
    return f"value:{attributes['threshold']}"


#: Operator, names of tensors where they differ, options.
CASES = {
    "attended_region": (
        "attended_region",
        REGION,
        lambda a, i: {
            "statistic": a["reduce"],
            "threshold": threshold(a),
            "connectivity": a["connectivity"],
            "crop": a["image_size"],
            "crop_end": a["crop_end"],
            "sampling": SAMPLING[a["align_corners"]],
        },
    ),
    "attention_map": ("attention_map", {"x": "features"}, lambda a, i: {"statistic": a["reduce"]}),
    "cbam": (
        "cbam",
        {**GATED, **EXCITATION, "w": "spatial_weight", **{key: f"spatial_{value}" for key, value in NORM.items()}},
        lambda a, i: {
            "activation": activation(a, "activation", "relu"),
            "gate": activation(a, "gate", "sigmoid"),
            "norm_epsilon": a["bn_eps"],
        },
    ),
    "cbam_channel": ("squeeze_excite", {**GATED, **EXCITATION}, lambda a, i: excitation(a, squeeze="mean_and_max")),
    "cbam_spatial": ("spatial_gate", {**GATED, "w": "weight", **NORM}, lambda a, i: {"norm_epsilon": a["bn_eps"]}),
    "crop_resize": (
        "crop_resize",
        REGION | {"image": "images"},
        lambda a, i: {"size": a["size"], "crop_end": a["crop_end"], "sampling": SAMPLING[a["align_corners"]]},
    ),
    "dense": (
        "dense",
        {"norm_var": "norm_variance"},
        lambda a, i: (
            {"activation": activation(a, "activation", "none")}
            | ({"norm_epsilon": a["norm_eps"]} if "norm_eps" in a else {})
        ),
    ),
    "eca": ("eca", GATED, lambda a, i: {}),
    "global_pool": ("global_pool", {"x": "features"}, lambda a, i: {"squeeze": a.get("squeeze", "mean_and_max")}),
    "head_norm_rotary": (
        "head_norm_rotary",
        {},
        lambda a, i: {
            "heads": a["heads"],
            "norm": a["norm"],
            "epsilon": a["eps"],
            "scale": a["scale"],
            "split": a["split"],
            "base": a["base"],
        },
    ),
    "component_labels": ("component_labels", {}, lambda a, i: {"connectivity": a["connectivity"]}),
    "largest_component": ("largest_component", {"bbox": "boxes"}, lambda a, i: {"connectivity": a["connectivity"]}),
    "merge_attention": (
        "merge_attention",
        {"lse": "log_sum_exp", "lse1": "log_sum_exp1", "lse2": "log_sum_exp2"},
        lambda a, i: {"heads": a["heads"]},
    ),
    "normalize": ("normalize", {}, lambda a, i: {"normalization": a["normalization"]}),
    "pointwise_conv": (
        "pointwise_conv",
        {},
        lambda a, i: {
            "inputs": i["x"].shape[1],
            "outputs": i["weights"].shape[1],
            "groups": a["groups"],
            "stack": a["stack"],
            "bias": "bias" in i,
        },
    ),
    "resize": (
        "resize",
        {"x": "input", "y": "output"},
        lambda a, i: {"size": a["size"], "sampling": SAMPLING[a["align_corners"]]},
    ),
    "sasa_layer": (
        "sasa_layer",
        TABLES,
        lambda a, i: {"inputs": i["x"].shape[1], "groups": a["proj_groups"], **window(a, i)},
    ),
    "scse": (
        "scse",
        {**GATED, **EXCITATION, "ws": "spatial_weight", "bs": "spatial_bias"},
        lambda a, i: {"combine": a["combine"]},
    ),
    "se_residual": ("squeeze_excite", {**GATED, **EXCITATION}, lambda a, i: excitation(a, "residual")),
    "squeeze_excite": ("squeeze_excite", {**GATED, **EXCITATION}, lambda a, i: excitation(a)),
    "window_attention": ("window_attention", ATTENTION, window),
    "window_attention_nd": ("window_attention", ATTENTION, axes),
    "window_pool": ("window_pool", {}, lambda a, i: {"pooling": a["pooling"], "window": a["window"]}),
}


class Case:
    """One file: an operator with its options, and its tensors by Python's names."""

    def __init__(self, path):
        with safe_open(path, "np") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        self.attributes = json.loads(metadata["attrs"])
        op = metadata["op"]
        self.known = op in CASES
        if not self.known:
            return
        self.operator, names, options = CASES[op]
        own = {name.removeprefix("in."): array for name, array in tensors.items() if name.startswith("in.")}
        self.options = options(self.attributes, own)
        if op == "se_residual" and self.attributes["gate_source"] == "input":
            self.operator, self.options = "channel_scale", {"epilogue": "residual"}

        def of(prefix):
            given = {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}
            return self._joined({names.get(name, name): array for name, array in given.items()})

        self.inputs, self.outputs = of("in."), of("out.")
        self.upstream, self.gradients = of("grad_out."), of("grad.")

    def _joined(self, tensors):
        """Tensors that are one at the operator."""
        parts = [tensors.pop(name) for name in ("wq", "wk", "wv") if name in tensors]
        if parts:
            tensors["projections"] = np.stack(parts)
        if "mask" in tensors:
            tensors["mask"] = tensors["mask"].astype(np.uint32)
        if self.operator == "pointwise_conv" and "y" in tensors:
            tensors |= {f"y{index}": part for index, part in enumerate(tensors.pop("y"))}
        return tensors
