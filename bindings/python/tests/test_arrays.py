"""Arrays and tensors: element types, shapes, strides, devices, and what is said of wrong ones."""

import numpy as np
import pytest

import visual_attention as va

RANDOM = np.random.default_rng(3)


def normal(*shape, dtype=np.float32):
    return RANDOM.standard_normal(shape).astype(dtype)


def squeeze_excite(x, w1, w2):
    """NumPy's own."""
    pooled = x.mean((2, 3), dtype=np.float64)
    gate = 1 / (1 + np.exp(-np.maximum(pooled @ w1.T, 0) @ w2.T))
    return x * gate[:, :, None, None]


X, W1, W2 = normal(2, 8, 5, 6), normal(2, 8), normal(8, 2)


def test_a_function_computes_what_numpy_computes():
    np.testing.assert_allclose(va.squeeze_excite(X, W1, W2), squeeze_excite(X, W1, W2), rtol=0, atol=1e-5)


def test_float16_is_stored_and_float32_computed(device):
    if not device.has_float16:
        pytest.skip("no float16")
    # The sum of a plane is beyond float16's 65504.
    x = np.full((1, 2, 64, 64), 100, np.float16)
    mean = va.global_pool(x)
    assert mean.dtype == np.float32
    np.testing.assert_array_equal(mean, [[100, 100]])
    halves = [array.astype(np.float16) for array in (X, W1, W2)]
    result = va.squeeze_excite(*halves)
    assert result.dtype == np.float16
    np.testing.assert_allclose(result, squeeze_excite(*[h.astype(np.float32) for h in halves]), rtol=2e-3, atol=1e-4)


def test_any_strides_are_made_contiguous():
    expected = va.squeeze_excite(X, W1, W2)
    channels_last = np.ascontiguousarray(X.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert not channels_last.flags.c_contiguous
    np.testing.assert_array_equal(va.squeeze_excite(channels_last, np.asfortranarray(W1), W2), expected)
    np.testing.assert_array_equal(va.Tensor(X[:, ::2]).numpy(), X[:, ::2])
    np.testing.assert_array_equal(va.Tensor(X[::-1]).numpy(), X[::-1])
    readonly = X.copy()
    readonly.flags.writeable = False
    np.testing.assert_array_equal(va.squeeze_excite(readonly, W1, W2), expected)


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint32", "int32"])
@pytest.mark.parametrize("shape", [(1,), (3,), (2, 3, 5), (0, 4), ()])
def test_a_tensor_comes_back_as_it_went(dtype, shape):
    array = (10 * RANDOM.standard_normal(shape) + 50).astype(dtype)
    tensor = va.Tensor(array)
    back = tensor.numpy()
    assert (back.dtype, back.shape, tensor.dtype, tensor.shape) == (dtype, shape, dtype, shape)
    np.testing.assert_array_equal(back, array)
    np.testing.assert_array_equal(np.asarray(tensor), array)
    other = (array + 1).astype(dtype)
    tensor.write(other)
    np.testing.assert_array_equal(tensor.numpy(), other)
    assert (tensor.size, tensor.nbytes, tensor.ndim) == (array.size, array.nbytes, array.ndim)


def test_reshaped_tensors_share_memory():
    tensor = va.Tensor(X)
    flat = tensor.reshape(2, -1)
    assert flat.shape == (2, 240)
    flat.write(np.zeros((2, 240), np.float32))
    assert not tensor.numpy().any()
    with pytest.raises(ValueError, match=r"\(2, 8, 5, 6\) has no shape \(7, -1\)"):
        tensor.reshape(7, -1)


def test_an_empty_batch_has_an_empty_result():
    assert va.squeeze_excite(X[:0], W1, W2).shape == (0, 8, 5, 6)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: va.squeeze_excite(X.astype(float), W1, W2), TypeError, "`features` is float64, needs one of float32"),
        (lambda: va.squeeze_excite(X.astype(">f4"), W1, W2), TypeError, "`features` is >f4, needs one of float32"),
        (lambda: va.squeeze_excite(X, W1.astype("f2"), W2), TypeError, "`reduce_weight` is float16, needs float32"),
        (lambda: va.squeeze_excite([1.0], W1, W2), TypeError, "`features` is list, needs a NumPy array"),
        (lambda: va.squeeze_excite(X, W1, W1), ValueError, r"`expand_weight` is \[2, 8\], needs \[8, 2\]"),
        (lambda: va.squeeze_excite(X[0], W1, W2), ValueError, r"`features` is \[8, 5, 6\], needs 4 axes"),
        (lambda: va.squeeze_excite(X, W1), TypeError, "squeeze_excite: missing a required argument: 'expand_weight'"),
        (
            lambda: va.squeeze_excite(X, W1, W2, epilogue="residual"),
            TypeError,
            r"`identity` is missing, needs float32 \[",
        ),
        (lambda: va.squeeze_excite(X, W1, W2, squeeze="median"), ValueError, "`squeeze` is median, needs mean, max"),
        (lambda: va.squeeze_excite(X, W1, W2, squeez="max"), TypeError, "unexpected keyword argument 'squeez'"),
        (
            lambda: va.squeeze_excite(X, W1, W2, want="gates"),
            ValueError,
            "`want` has gates, needs some of gate, output",
        ),
        (lambda: va.resize(X, size=None), TypeError, "`size` is missing, needs height,width"),
        (lambda: va.resize(X, size=(1, 2, 3)), ValueError, "`size` is 1,2,3, needs height,width"),
        (lambda: va.crop_resize(X, np.zeros((2, 4)), size=3), TypeError, "`boxes` is float64"),
        (lambda: va.crop_resize(X, np.zeros((2, 4), "u4"), size=3), TypeError, "`boxes` is uint32, needs int32"),
        (lambda: va.Resize(), TypeError, "missing a required argument: 'size'"),
        (lambda: va.SqueezeExcite(element="float64"), ValueError, "`element` is 'float64', needs float32 or float16"),
        (lambda: va.Tensor(X).write(X[0]), ValueError, r"shape \(8, 5, 6\), the tensor \(2, 8, 5, 6\)"),
        (lambda: va.Tensor(X).write(X.astype("f2")), TypeError, "is float16, the tensor float32"),
        (lambda: va.Tensor.empty((2, 2), "float64"), TypeError, "`dtype` is float64, needs one of"),
        (lambda: va.Tensor(np.zeros(3)), TypeError, "is float64, needs one of"),
        (lambda: va.SqueezeExcite()(va.Tensor(X), W1, W2.astype("f2")), TypeError, "is float16, needs float32"),
        (lambda: va.set_default_device("gpu"), TypeError, "is str, needs Device"),
    ],
)
def test_wrong_arguments_are_named_with_what_is_needed(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_another_device_is_refused_with_both_names(device):
    other = va.Device()
    assert other != device
    tensor = va.Tensor(X, device=other)
    with pytest.raises(ValueError, match=r"`features` is on another device: .*, needs the operator's: "):
        va.SqueezeExcite()(tensor, W1, W2)
    result = va.SqueezeExcite(device=other)(tensor, W1, W2)
    assert result.device == other
    np.testing.assert_array_equal(result.numpy(), va.squeeze_excite(X, W1, W2))
    np.testing.assert_array_equal(va.squeeze_excite(X, W1, W2, device=other), result.numpy())
