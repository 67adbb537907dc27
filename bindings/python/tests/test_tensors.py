"""Operators that are kept: chains on the device, outputs in given tensors, threads, signals, forks."""

import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest

import visual_attention as va

RANDOM = np.random.default_rng(5)
X = RANDOM.standard_normal((2, 16, 14, 14)).astype(np.float32)
W1 = RANDOM.standard_normal((4, 16)).astype(np.float32)
W2 = RANDOM.standard_normal((16, 4)).astype(np.float32)


def test_a_chain_stays_on_the_device():
    excite, attention, normalize = va.SqueezeExcite(), va.AttentionMap(statistic="mean"), va.Normalize()
    resize, threshold = va.Resize(size=28), va.Threshold(size=28, threshold="value:0.5")
    x, w1, w2 = va.Tensor(X), va.Tensor(W1), va.Tensor(W2)
    for _ in range(3):
        normalized = normalize(attention(excite(x, w1, w2)))
        up = resize(normalized.reshape(2, 1, 14, 14))
        mask = threshold(normalized)
    single = va.normalize(va.attention_map(va.squeeze_excite(X, W1, W2), statistic="mean"))
    np.testing.assert_array_equal(normalized.numpy(), single)
    np.testing.assert_array_equal(up.numpy(), va.resize(single[:, None], size=28))
    np.testing.assert_array_equal(mask.numpy(), va.threshold(single, size=28, threshold="value:0.5"))


def test_the_input_of_an_operator_in_place_is_kept():
    maps = va.Tensor(np.abs(X[:, 0]))
    normalize = va.Normalize()
    result = normalize(maps)
    np.testing.assert_array_equal(maps.numpy(), np.abs(X[:, 0]))
    same = normalize(maps, out={"map": maps})
    assert same is maps
    np.testing.assert_array_equal(maps.numpy(), result.numpy())


def test_outputs_go_where_they_are_wanted():
    excite, x, target = va.SqueezeExcite(), va.Tensor(X), va.Tensor.empty(X.shape)
    assert excite(x, W1, W2, out={"output": target}) is target
    expected = va.squeeze_excite(X, W1, W2)
    np.testing.assert_array_equal(target.numpy(), expected)
    # In place of the features.
    excite(x, W1, W2, out={"output": x})
    np.testing.assert_array_equal(x.numpy(), expected)
    results = excite(va.Tensor(X), W1, W2, want=["gate"])
    assert results.gate.shape == (2, 16) and results.output.shape == X.shape
    with pytest.raises(ValueError, match=r"`out` has float32 \[1\] for `output`, needs float32 \[2, 16, 14, 14\]"):
        excite(x, W1, W2, out={"output": va.Tensor.empty((1,))})
    with pytest.raises(ValueError, match="`out` has outptu"):
        excite(x, W1, W2, out={"outptu": target})
    with pytest.raises(ValueError, match="overlaps"):
        excite(x, W1, W2, want="gate", out={"gate": _alias(x)})


def _alias(tensor):
    """A tensor of the gate's shape in the memory of another one."""
    return va.Tensor._of(tensor._buffer, (2, 16), tensor.dtype)


def test_results_are_not_overwritten_by_later_calls():
    excite, x = va.SqueezeExcite(), va.Tensor(X)
    first = excite(x, W1, W2)
    second = excite(va.Tensor(2 * X), W1, W2)
    np.testing.assert_array_equal(first.numpy(), va.squeeze_excite(X, W1, W2))
    np.testing.assert_array_equal(second.numpy(), va.squeeze_excite(2 * X, W1, W2))


def test_memory_comes_back():
    """Results that are dropped leave their memory to later ones."""
    resource = pytest.importorskip("resource")
    attention, x = va.AttentionMap(), va.Tensor(np.ones((1, 2, 2048, 2048), np.float32))
    for _ in range(3):
        result = attention(x)
    result.numpy()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(60):
        result = attention(x)
    assert (result.numpy() == 1).all()
    # In KiB. Sixty maps have 960 MiB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10
    attention.clear()


def test_threads_share_operators():
    excite, errors = va.SqueezeExcite(), []
    expected = {scale: va.squeeze_excite(scale * X, W1, W2) for scale in range(1, 5)}

    def work(scale):
        try:
            for _ in range(20):
                on_device = excite(va.Tensor(scale * X), W1, W2)
                np.testing.assert_array_equal(on_device.numpy(), expected[scale])
                np.testing.assert_array_equal(va.squeeze_excite(scale * X, W1, W2), expected[scale])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(scale,)) for scale in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def long_work():
    """A second on a software driver."""
    conv = va.PointwiseConv(inputs=512, outputs=512)
    return conv, va.Tensor(np.ones((1, 512, 64, 64), np.float32)), va.Tensor(np.ones((1, 512, 512), np.float32))


def test_the_lock_is_released_while_the_device_works(device):
    conv, x, weights = long_work()
    device.wait()
    conv(x, weights).numpy()
    counted, done = [], threading.Event()

    def count():
        while not done.is_set():
            counted.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    start = time.perf_counter()
    conv(x, weights).numpy()
    end = time.perf_counter()
    done.set()
    thread.join()
    between = [at for at in counted if start < at < end]
    gaps = np.diff([start, *between, end])
    # With the lock held there would be one gap, as long as the call.
    assert gaps.max() < max(0.5 * (end - start), 0.05), (gaps.max(), end - start)


def test_ctrl_c_ends_a_wait(device):
    conv, x, weights = long_work()
    conv(x, weights).numpy()
    results = [conv(x, weights) for _ in range(6)]
    whole = time.perf_counter()
    timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        results[-1].numpy()
        pytest.skip("the work was done before the signal")
    except KeyboardInterrupt:
        assert time.perf_counter() - whole < 5
    finally:
        timer.join()
        device.wait()
    np.testing.assert_array_equal(results[-1].numpy(), np.full((1, 512, 64, 64), 512, np.float32))


def _in_a_fork(queue, tensor):
    try:
        tensor.numpy()
        queue.put("no error")
    except RuntimeError as error:
        queue.put(str(error))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_is_refused_its_parents_device():
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_in_a_fork, args=(queue, va.Tensor(X)))
    process.start()
    text = queue.get(timeout=60)
    process.join(60)
    assert f"opened in process {os.getpid()}" in text and "spawn" in text


def test_a_timeout_is_an_error():
    device = va.Device(timeout=0.0)
    conv = va.PointwiseConv(inputs=512, outputs=512, device=device)
    x, weights = np.ones((1, 512, 64, 64), np.float32), np.ones((1, 512, 512), np.float32)
    on_device = va.Tensor(x, device=device), va.Tensor(weights, device=device)
    results = [conv(*on_device) for _ in range(3)]
    with pytest.raises(TimeoutError, match="did not finish"):
        results[-1].numpy()
    with pytest.raises(ValueError, match="`timeout` is -1"):
        va.Device(timeout=-1)


def test_costs_and_representations(device):
    excite = va.SqueezeExcite(squeeze="max")
    flops, moved = excite.cost(features=X.shape, reduce_weight=W1.shape)
    assert flops > 0 and moved >= 2 * X.nbytes
    assert "squeeze=max" in repr(excite) and device.name in repr(va.Tensor(X)) and device.name in repr(device)
