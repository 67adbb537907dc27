"""Modules beside torchvision's and timm's: state dicts load, results and gradients agree."""

import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")
torchvision = pytest.importorskip("torchvision")

from timm.layers import EcaModule as TimmEca  # noqa: E402
from timm.layers import SqueezeExcite as TimmSqueezeExcite  # noqa: E402
from timm.layers.cbam import CbamModule as TimmCbam  # noqa: E402
from timm.models.swin_transformer import SwinTransformerBlock  # noqa: E402
from torch import nn  # noqa: E402

import visual_attention.torch as vt  # noqa: E402


def same(theirs, ours, x, name=lambda name: name):
    """Loads a state dict, and compares results and the gradients of parameters and input."""
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(std=0.5)
        for buffer in theirs.buffers():
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 1.5)
    state = {name(key): value for key, value in theirs.state_dict().items()}
    ours.load_state_dict(state, strict=True)
    theirs, ours = theirs.eval().double(), ours.eval()
    doubles, floats = x.double().requires_grad_(), x.clone().requires_grad_()
    expected, actual = theirs(doubles), ours(floats)
    torch.testing.assert_close(actual.double(), expected, rtol=0, atol=3e-5)
    upstream = torch.randn_like(actual)
    expected.backward(upstream.double()), actual.backward(upstream)
    pairs = [(doubles.grad, floats.grad)]
    of_ours = dict(ours.named_parameters())
    pairs += [(parameter.grad, of_ours[name(key)].grad) for key, parameter in theirs.named_parameters()]
    assert len(pairs) == 1 + len(of_ours)
    for theirs_grad, ours_grad in pairs:
        room = 5e-5 * max(1.0, theirs_grad.abs().max().item())
        torch.testing.assert_close(ours_grad.double(), theirs_grad, rtol=0, atol=room)


@pytest.mark.parametrize("inner", [nn.ReLU, nn.SiLU, nn.GELU, nn.Hardswish])
@pytest.mark.parametrize("outer", [nn.Sigmoid, nn.Hardsigmoid])
def test_torchvision_squeeze_excitation(inner, outer):
    theirs = torchvision.ops.SqueezeExcitation(12, 4, activation=inner, scale_activation=outer)
    same(theirs, vt.SqueezeExcitation(12, 4, activation=inner, scale_activation=outer), torch.randn(3, 12, 7, 5))


@pytest.mark.parametrize("bias", [True, False])
def test_timm_squeeze_excite(bias):
    theirs = TimmSqueezeExcite(16, rd_channels=4, bias=bias)
    same(theirs, vt.SqueezeExcitation(16, 4, bias=bias), torch.randn(2, 16, 6, 7))


@pytest.mark.parametrize(("channels", "size"), [(32, 7), (48, 3)])
def test_timm_cbam(channels, size):
    theirs = TimmCbam(channels, spatial_kernel_size=size)
    same(theirs, vt.CbamModule(channels, spatial_kernel_size=size), torch.randn(2, channels, 9, 8))


@pytest.mark.parametrize("channels", [4, 64, 256])
def test_timm_eca(channels):
    same(TimmEca(channels), vt.EcaModule(channels), torch.randn(2, channels, 5, 6))


class Swin(nn.Module):
    """The attention of a block, with the shift and the mask that the block makes."""

    def __init__(self, shift):
        super().__init__()
        self.block = SwinTransformerBlock(24, (8, 12), num_heads=3, window_size=4, shift_size=shift)
        self.block.norm1 = self.block.norm2 = self.block.mlp = nn.Identity()

    def forward(self, x):
        return self.block._attn(x)


@pytest.mark.parametrize("shift", [0, 2])
def test_timm_swin_attention(shift):
    def name(key):
        return key.removeprefix("block.attn.")

    theirs = Swin(shift)
    theirs.block.attn_mask = theirs.block.attn_mask if shift == 0 else theirs.block.attn_mask.double()
    mask = theirs.block._buffers.pop("attn_mask", None)
    theirs.block.attn_mask = mask
    same(theirs, vt.WindowAttention(24, 3, 4, shift=shift), torch.randn(2, 8, 12, 24), name)


@pytest.mark.parametrize("model", ["seresnet18"])
def test_a_network_with_its_blocks_replaced_has_the_same_logits(model):
    torch.manual_seed(0)
    network = timm.create_model(model, num_classes=10).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = network(x)
        assert vt.replace_squeeze_excite(network) == 8
        assert not any(isinstance(module, TimmSqueezeExcite) for module in network.modules())
        assert sum(isinstance(module, vt.SqueezeExcitation) for module in network.modules()) == 8
        torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4)
    # It trains.
    network.train()(x).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_blocks_that_are_no_such_thing_are_refused():
    model = nn.Sequential(TimmSqueezeExcite(16, rd_channels=4, add_maxpool=True))
    with pytest.raises(TypeError, match="with a norm, a maximum or other convolutions"):
        vt.replace_squeeze_excite(model)
    model = nn.Sequential(torchvision.ops.SqueezeExcitation(8, 2, activation=nn.Mish))
    with pytest.raises(TypeError, match="the activation is Mish, needs one of GELU"):
        vt.replace_squeeze_excite(model)
    with pytest.raises(ValueError, match="needs multiples of the window, 4"):
        vt.WindowAttention(24, 3, 4)(torch.randn(1, 7, 8, 24))
