"""A small problem of each operator: the shapes that decide the others, and options.

A gradient takes the problem of its operator.
"""

FEATURES = (2, 4, 6, 7)
PLANE = (2, 6, 7)
WINDOW = {"heads": 2, "head_dim": 2, "window": (3, 5), "scale": 0.75}

#: Operator, a word for the label, shapes, options, inputs that are left out.
PROBLEMS = [
    (
        "attended_region",
        "",
        {"features": FEATURES, "images": (2, 3, 11, 12)},
        {"crop": (5, 4), "threshold": "value:0.5"},
        (),
    ),
    (
        "attended_region",
        "three regions",
        {"features": FEATURES, "images": (2, 3, 11, 12)},
        {"crop": (5, 4), "threshold": "value:0.5", "regions": 3},
        (),
    ),
    *[("attention_map", kind, {"features": FEATURES}, {"statistic": kind}, ()) for kind in ("max_abs", "rms", "mean")],
    ("bisenet", "", {"features": FEATURES}, {}, ("identity",)),
    ("bounding_box", "", {"mask": PLANE}, {}, ()),
    (
        "cbam",
        "",
        {"features": FEATURES, "reduce_weight": (3, 4), "spatial_weight": (1, 2, 3, 3)},
        {},
        ("identity", "spatial_bias"),
    ),
    ("channel_scale", "", {"features": FEATURES}, {}, ("identity",)),
    ("channel_scale", "residual", {"features": FEATURES}, {"epilogue": "residual"}, ()),
    ("component_labels", "", {"mask": PLANE}, {"connectivity": 4}, ()),
    ("crop_resize", "", {"images": FEATURES}, {"size": (5, 4)}, ()),
    ("cross_attention", "", {"q": FEATURES, "k": (2, 4, 5)}, {"heads": 2, "head_dim": 2}, ()),
    ("dense", "with a norm", {"input": (2, 5), "weight": (3, 5)}, {"activation": "silu"}, ("second", "bias")),
    ("dense", "of two inputs", {"input": (2, 5), "second": (2, 4), "weight": (3, 9)}, {}, ("norm",)),
    ("eca", "", {"features": FEATURES, "weight": (3,)}, {}, ("identity",)),
    ("global_pool", "both", {"features": FEATURES}, {"squeeze": "mean_and_max"}, ()),
    ("head_norm_rotary", "", {"x": (2, 8, 5, 6)}, {"heads": 2, "norm": "rms", "split": (0, 2, 2)}, ()),
    ("heat_overlay", "", {"map": PLANE, "pictures": (2, 3, 11, 12)}, {"opacity": 0.5}, ()),
    ("largest_component", "", {"mask": PLANE}, {"connectivity": 4}, ()),
    ("merge_attention", "", {"y1": FEATURES}, {"heads": 2}, ()),
    ("normalize", "", {"map": PLANE}, {}, ()),
    (
        "pointwise_conv",
        "three",
        {"x": FEATURES},
        {"inputs": 4, "outputs": 6, "groups": 2, "stack": 3, "bias": True},
        (),
    ),
    *[
        ("region_measures", order, {"labels": PLANE, "map": PLANE}, {"capacity": 5, "order": order}, ())
        for order in ("raster", "area", "sum")
    ],
    ("resize", "", {"input": FEATURES}, {"size": (9, 5)}, ()),
    ("sasa_layer", "", {"x": FEATURES}, {"inputs": 4, **WINDOW}, ()),
    ("sasa_stem", "", {"x": FEATURES}, {"inputs": 4, "heads": 2, "head_dim": 2, "embeddings": 3}, ()),
    ("scse", "", {"features": FEATURES, "reduce_weight": (3, 4)}, {}, ("identity",)),
    ("spatial_gate", "", {"features": FEATURES, "weight": (1, 2, 3, 3)}, {}, ("identity", "norm")),
    ("squeeze_excite", "", {"features": FEATURES, "reduce_weight": (3, 4)}, {}, ("identity",)),
    (
        "squeeze_excite",
        "residual",
        {"features": FEATURES, "reduce_weight": (3, 4)},
        {"epilogue": "residual", "squeeze": "max", "activation": "hard_swish", "gate": "hard_sigmoid:0.2,0.5"},
        (),
    ),
    ("threshold", "", {"map": PLANE}, {"size": (9, 5), "threshold": "otsu"}, ()),
    *[
        ("window_attention", kind, {"q": FEATURES}, {**WINDOW, "relative": kind, "border": border}, ())
        for kind, border in (("none", "mask"), ("per_head", "zero"), ("bias", "shift"), ("sum", "causal"))
    ],
    (
        "window_attention",
        "video",
        {"q": (1, 4, 3, 5, 6)},
        {**WINDOW, "window": (2, 3, 3), "relative": "sum", "border": ("causal", "mask", "mask")},
        (),
    ),
    ("window_pool", "max", {"x": FEATURES}, {"pooling": "max", "window": (2, 3)}, ()),
    ("window_pool", "mean", {"x": FEATURES}, {"pooling": "mean"}, ()),
]
