"""Operators composed of PyTorch's own, for float64 autograd. Arguments have the operators' names."""

import torch
import torch.nn.functional as F


def activate(name, x):
    return {"none": lambda x: x, "relu": F.relu, "silu": F.silu, "sigmoid": torch.sigmoid, "hard_swish": F.hardswish}[
        name
    ](x)


def finish(features, gate, epilogue, identity=None):
    scaled = features * gate
    return {
        "scale": lambda: scaled,
        "residual": lambda: F.relu(scaled + identity),
        "scale_add": lambda: scaled + features,
    }[epilogue]()


def attention_map(features, statistic="max_abs"):
    return {
        "max_abs": lambda: features.abs().max(1).values,
        "max": lambda: features.max(1).values,
        "mean": lambda: features.mean(1),
        "mean_abs": lambda: features.abs().mean(1),
        "rms": lambda: features.square().mean(1).sqrt(),
    }[statistic]()


def normalize(map):
    low, high = map.amin((1, 2), keepdim=True), map.amax((1, 2), keepdim=True)
    return (map - low) / (high - low)


def resize(input, size):
    return F.interpolate(input, size=size, mode="bilinear", align_corners=False)


def crop_resize(images, boxes, size):
    crops = [
        resize(image[None, :, top : bottom + 1, left : right + 1], size)
        for image, (left, top, right, bottom) in zip(images, boxes.tolist())
    ]
    return torch.cat(crops)


def global_pool(features, squeeze="mean"):
    mean, highest = features.mean((2, 3)), features.amax((2, 3))
    return (mean, highest) if squeeze == "mean_and_max" else mean


def window_pool(x, pooling="mean", window=(2, 2)):
    return (F.avg_pool2d if pooling == "mean" else F.max_pool2d)(x, window)


def dense(input, weight, second=None, bias=None, activation="none"):
    joined = input if second is None else torch.cat([input, second], 1)
    return activate(activation, F.linear(joined, weight, bias))


def channel_scale(features, gate, identity=None, epilogue="scale"):
    return finish(features, gate[:, :, None, None], epilogue, identity)


def _excited(pooled, reduce_weight, expand_weight, reduce_bias, expand_bias, activation):
    return F.linear(activate(activation, F.linear(pooled, reduce_weight, reduce_bias)), expand_weight, expand_bias)


def squeeze_excite(
    features,
    reduce_weight,
    expand_weight,
    reduce_bias=None,
    expand_bias=None,
    identity=None,
    activation="relu",
    epilogue="scale",
):
    logits = _excited(features.mean((2, 3)), reduce_weight, expand_weight, reduce_bias, expand_bias, activation)
    return finish(features, torch.sigmoid(logits)[:, :, None, None], epilogue, identity)


def eca(features, weight):
    logits = F.conv1d(features.mean((2, 3))[:, None], weight[None, None], padding=len(weight) // 2)[:, 0]
    return features * torch.sigmoid(logits)[:, :, None, None]


def spatial_gate(features, weight, bias=None):
    planes = torch.cat([features.amax(1, keepdim=True), features.mean(1, keepdim=True)], 1)
    return features * torch.sigmoid(F.conv2d(planes, weight, bias, padding=weight.shape[-1] // 2))


def cbam(features, reduce_weight, expand_weight, spatial_weight, reduce_bias=None, expand_bias=None, spatial_bias=None):
    logits = sum(
        _excited(pooled, reduce_weight, expand_weight, reduce_bias, expand_bias, "relu")
        for pooled in (features.mean((2, 3)), features.amax((2, 3)))
    )
    return spatial_gate(features * torch.sigmoid(logits)[:, :, None, None], spatial_weight, spatial_bias)


def scse(features, reduce_weight, expand_weight, spatial_weight, reduce_bias=None, expand_bias=None, spatial_bias=None):
    channel = squeeze_excite(features, reduce_weight, expand_weight, reduce_bias, expand_bias)
    logits = torch.einsum("nchw,c->nhw", features, spatial_weight)[:, None]
    return channel + features * torch.sigmoid(logits + (0 if spatial_bias is None else spatial_bias))


def bisenet(features, weight, norm_weight, norm_bias, norm_mean, norm_variance):
    logits = F.batch_norm(F.linear(features.mean((2, 3)), weight), norm_mean, norm_variance, norm_weight, norm_bias)
    return features * torch.sigmoid(logits)[:, :, None, None]


def pointwise_conv(x, weights, bias=None, groups=1, **_):
    parts = [
        F.conv2d(x, weight[:, :, None, None], None if bias is None else bias[index], groups=groups)
        for index, weight in enumerate(weights)
    ]
    return tuple(parts)


def cross_attention(q, k, v, heads, head_dim):
    n, _, h, w = q.shape

    def split(x):
        return x.reshape(n, heads, -1, x[0, 0].numel()).transpose(2, 3)

    attended = F.scaled_dot_product_attention(split(q), split(k), split(v))
    return attended.transpose(2, 3).reshape(n, -1, h, w)


def merge_attention(y1, log_sum_exp1, y2, log_sum_exp2, heads):
    both = torch.logaddexp(log_sum_exp1, log_sum_exp2)
    first, second = (
        (log - both).exp().repeat_interleave(y1.shape[1] // heads, 1) for log in (log_sum_exp1, log_sum_exp2)
    )
    return first * y1 + second * y2


def head_norm_rotary(x, weight, heads, norm="rms", split=(0, 0, 0), epsilon=1e-6, base=10000.0):
    n, _, height, width = x.shape
    t = x.reshape(n, heads, -1, height, width)
    t = t * torch.rsqrt(t.square().mean(2, keepdim=True) + epsilon) * weight[:, None, None]
    channels, at = list(t.unbind(2)), 0
    rows, columns = torch.arange(height, dtype=x.dtype)[:, None], torch.arange(width, dtype=x.dtype)
    for positions, share in zip((torch.zeros(1, dtype=x.dtype), rows, columns), split):
        for pair in range(0, share, 2):
            angle = positions * base ** (-pair / share)
            left, right = channels[at : at + 2]
            channels[at : at + 2] = left * angle.cos() - right * angle.sin(), left * angle.sin() + right * angle.cos()
            at += 2
    return torch.stack(channels, 2).reshape(x.shape)


def sasa_layer(x, projections, tables_rows, tables_columns, heads, head_dim, window, scale, **_):
    """Zeros surround the image. Half of the channels know the row of a key, the others its column."""
    rows, columns = window
    n, _, height, width = x.shape
    q, k, v = pointwise_conv(x, projections)

    def neighbours(x):
        unfolded = F.unfold(x, window, padding=(rows // 2, columns // 2))
        return unfolded.reshape(n, heads, head_dim, rows * columns, height * width)

    places = torch.cat([tables_rows[:, :, None].expand(-1, -1, columns), tables_columns[:, None].expand(-1, rows, -1)])
    keys = neighbours(k) + places.reshape(1, 1, head_dim, rows * columns, 1)
    weights = (scale * (q.reshape(n, heads, head_dim, 1, -1) * keys).sum(2)).softmax(2)
    return (weights[:, :, None] * neighbours(v)).sum(3).reshape(n, -1, height, width)


def sasa_stem(x, projections, row, column, mix, heads, head_dim, **_):
    n, _, height, width = x.shape
    window, padding = (row.shape[1], column.shape[1]), 2
    q, k, *values = pointwise_conv(x, projections)
    mixture = ((mix @ row)[:, :, None] + (mix @ column)[:, None]).softmax(0)

    def neighbours(x):
        # Windows of an even size begin two pixels before the query, and end one after it.
        unfolded = F.unfold(F.pad(x, (padding, window[1] - 1 - padding, padding, window[0] - 1 - padding)), window)
        return unfolded.reshape(n, heads, head_dim, window[0] * window[1], height * width)

    weights = (q.reshape(n, heads, head_dim, 1, -1) * neighbours(k)).sum(2).softmax(2)
    mixed = sum(share.reshape(-1, 1) * neighbours(value) for share, value in zip(mixture, values))
    return (weights[:, :, None] * mixed).sum(3).reshape(n, -1, height, width)


def window_attention(
    q, k, v, tables_bias=None, heads=1, head_dim=1, window=3, scale=1.0, border="mask", relative="none"
):
    """Around each query, on images; what lies outside takes no part."""
    rows, columns = window
    n, _, height, width = q.shape
    size = height * width

    def neighbours(x):
        unfolded = F.unfold(x, window, padding=(rows // 2, columns // 2))
        return unfolded.reshape(n, heads, head_dim, rows * columns, size)

    inside = F.unfold(torch.ones_like(q[:1, :1]), window, padding=(rows // 2, columns // 2)).reshape(1, 1, -1, size)
    logits = scale * (q.reshape(n, heads, head_dim, 1, size) * neighbours(k)).sum(2)
    if relative == "bias":
        # Offsets of the window are the middle of the table.
        middle = tables_bias[:, rows // 2 : rows // 2 + rows, columns // 2 : columns // 2 + columns]
        logits = logits + scale * middle.reshape(1, heads, -1, 1)
    weights = logits.masked_fill(inside == 0, -torch.inf).softmax(2)
    return (weights[:, :, None] * neighbours(v)).sum(3).reshape(n, -1, height, width)
