#!/usr/bin/env python3
"""Golden cases of the Squeeze-and-Excitation blocks of an ONNX file, for `cargo run --example check_cases -- FOLDER`.

    pip install onnx onnxruntime numpy pillow safetensors
    python tests/golden/from_onnx.py network.onnx picture.png FOLDER [--size HEIGHTxWIDTH]

Finds every block that pools a tensor x [N,C,H,W] over its rows and columns, sends the result through two fully connected layers,
and multiplies x by what comes out (and adds x to the product, in some). ONNX Runtime runs the network on the picture. For each
block one file `squeeze_excite__NETWORK_NUMBER.safetensors` holds its weights, x, and the gate and the output that the block's own
nodes give in float64; the format is in FORMAT.md beside this program. Rows and columns of x beyond the room of a file are left out.

Activations and gates are recognised by their values, however an exporter wrote them. A block that the format cannot express is
named with the reason. Exits with 1 where there is one, and where ONNX Runtime's own result is not the block's.
"""

import argparse
import json
import math
import pathlib
import re
import sys

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator
from PIL import Image, ImageOps
from safetensors.numpy import save_file

# Numbers of x in a file, which then stays below 2 MB with x, the output and the weights of most blocks.
ROOM = 150_000
MOST_BYTES = 2_000_000
# What ONNX Runtime's float32 may be off, in relation to the largest number.
AGREEMENT = 1e-4

LAYERS = ("Conv", "Gemm", "MatMul")
RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Transpose")
# Functions of one number, and of one number and constants.
ELEMENTWISE = (
    "Abs Add Cast Clip Div Elu Erf Exp Gelu HardSigmoid HardSwish LeakyRelu Max Min Mish Mul Neg PRelu Pow Reciprocal Relu Selu Sigmoid Softplus Sqrt Sub Tanh"
).split()
# Where activations are compared.
SAMPLES = np.concatenate([np.linspace(-9, 9, 181), [-60.0, -30.0, -15.0, 15.0, 30.0, 60.0]])


class Inexpressible(Exception):
    """A block that the format has no words for."""


def hard_sigmoid(t, slope=1 / 6):
    return np.clip(slope * t + 0.5, 0, 1)


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


ACTIVATIONS = {
    "identity": lambda t: t,
    "relu": lambda t: np.maximum(t, 0),
    "relu6": lambda t: np.clip(t, 0, 6),
    "silu": lambda t: t * sigmoid(t),
    "hard_swish": lambda t: t * hard_sigmoid(t),
    "sigmoid": sigmoid,
    "hard_sigmoid": hard_sigmoid,
    "tanh": np.tanh,
    "gelu": lambda t: t / 2 * (1 + np.vectorize(math.erf)(t / math.sqrt(2))),
    "gelu_tanh": lambda t: t / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (t + 0.044715 * t**3))),
}


class Network:
    """A graph with its constants, and who takes each tensor."""

    def __init__(self, model):
        self.model = model
        self.constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.takers = {}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
                continue
            if node.input and all(name in self.constants for name in node.input if name) and node.domain in ("", "ai.onnx"):
                # A constant in another shape, which exporters leave to the runtime.
                self.constants.update(zip(node.output, self.evaluate([node], {}, list(node.output), wide=False)))
                continue
            for name in filter(None, node.input):
                self.takers.setdefault(name, []).append(node)

    def variables(self, node):
        """What the node takes that is not constant."""
        return [name for name in node.input if name and name not in self.constants]

    def between(self, start, end):
        """The nodes that lie on a way from one tensor to another, in the file's order."""
        after, before = {start}, {end}
        for node in self.model.graph.node:
            if any(name in after for name in node.input):
                after.update(node.output)
        for node in reversed(self.model.graph.node):
            if any(name in before for name in node.output) and not any(name == start for name in node.output):
                before.update(node.input)
        taken = lambda node: any(name in after for name in node.input) and any(name in before for name in node.output)
        return [node for node in self.model.graph.node if taken(node)]

    def evaluate(self, nodes, feeds, outputs, wide=True):
        """The outputs of these nodes; `wide` with every number that is float32 or float16 in the file in float64."""
        taken = {name for node in nodes for name in node.input}
        widened = lambda array: array.astype(np.float64) if wide and array.dtype in (np.float32, np.float16) else array
        held = [
            onnx.numpy_helper.from_array(widened(self.constants[name]), name)
            for name in sorted(taken)
            if name in self.constants and name not in feeds
        ]
        value = lambda name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, None)
        copies = []
        for node in nodes:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            for attribute in copy.attribute:
                if wide and node.op_type == "Cast" and attribute.name == "to":
                    attribute.i = onnx.TensorProto.DOUBLE
            copies.append(copy)
        graph = onnx.helper.make_graph(copies, "block", [value(name) for name in feeds], [value(name) for name in outputs], held)
        model = onnx.helper.make_model(graph, opset_imports=self.model.opset_import, functions=self.model.functions)
        return ReferenceEvaluator(model).run(None, feeds)


class Block:
    """From the pooling of x to the product with x."""

    def __init__(self, network, pool, product):
        self.network, self.pool, self.product = network, pool, product
        self.x = pool.input[0]
        self.gate = next(name for name in product.input if name != self.x)
        self.y = product.output[0]
        self.nodes = [pool, *network.between(pool.output[0], self.gate), product]
        takers = network.takers.get(self.y, [])
        self.adds = len(takers) == 1 and takers[0].op_type == "Add" and self.x in takers[0].input
        if self.adds:
            self.nodes.append(takers[0])
            self.y = takers[0].output[0]

    def describe(self):
        """Attributes and weights, in the format's terms."""
        network = self.network
        attrs = {"squeeze": "max" if "Max" in self.pool.op_type else "avg"}
        inner = self.nodes[1 : -2 if self.adds else -1]
        inside = {self.pool.output[0]} | {name for node in inner for name in node.output}
        for node in inner:
            foreign = [name for name in network.variables(node) if name not in inside]
            # A shape that is computed of another tensor changes nothing here.
            if foreign and node.op_type not in ("Reshape", "Expand"):
                raise Inexpressible(f"its gate depends on `{foreign[0]}` too")
            if node.op_type in ("Reshape", "Expand") and foreign:
                raise Inexpressible(f"{node.op_type} takes a shape that is not constant: fold constants first")
            if node.op_type not in (*LAYERS, *RESHAPES, *ELEMENTWISE):
                raise Inexpressible(f"{node.op_type} is neither a layer nor a function of one number")
        layers = [node for node in inner if node.op_type in LAYERS]
        if len(layers) != 2:
            raise Inexpressible(f"{len(layers)} fully connected layer{'' if len(layers) == 1 else 's'} in place of 2")
        tensors, ends = {}, [self.pool.output[0]]
        for number, node in enumerate(layers, 1):
            start, end, weight, bias = self.layer(node)
            if number == 1 and self.function_between(self.pool.output[0], start, weight.shape[1]) is not None:
                raise Inexpressible("a function between the pooling and the first layer")
            ends += [start, end]
            tensors[f"w{number}"] = weight
            if bias is not None:
                tensors[f"b{number}"] = bias
        reduced, channels = tensors["w1"].shape
        if tensors["w2"].shape != (channels, reduced):
            raise Inexpressible(f"layers of {channels} to {reduced} and {tensors['w2'].shape[1]} to {tensors['w2'].shape[0]}")
        activation = self.function_between(ends[2], ends[3], reduced)
        attrs |= named_activation(activation)
        attrs |= named_gate(self.function_between(ends[4], self.gate, channels))
        if self.adds:
            attrs["form"] = "scale_add"
        return attrs, tensors

    def layer(self, node):
        """The tensors before and after it with its bias, its weight [outputs, inputs] and its bias [outputs]."""
        network = self.network
        attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        variable = network.variables(node)
        if len(variable) != 1:
            raise Inexpressible(f"the weight of `{node.name or node.output[0]}` is not constant")
        at = list(node.input).index(variable[0])
        weight = network.constants[node.input[1 - at]].astype(np.float64)
        bias = network.constants[node.input[2]].astype(np.float64).ravel() if len(node.input) > 2 and node.input[2] else None
        if node.op_type == "Conv":
            if attributes.get("group", 1) != 1 or any(side != 1 for side in weight.shape[2:]) or any(attributes.get("pads", ())):
                raise Inexpressible(f"a convolution with weights {list(weight.shape)} and {attributes.get('group', 1)} groups is no fully connected layer")
            weight = weight.reshape(weight.shape[:2])
        elif node.op_type == "Gemm":
            if at != 0 or attributes.get("transA", 0):
                raise Inexpressible("a transposed input of Gemm")
            weight = attributes.get("alpha", 1.0) * (weight if attributes.get("transB", 0) else weight.T)
            bias = None if bias is None else attributes.get("beta", 1.0) * bias
        elif weight.ndim != 2:
            raise Inexpressible(f"a matrix product with {list(weight.shape)}")
        else:
            weight = weight.T if at == 0 else weight
        end = node.output[0]
        outputs = weight.shape[0]
        bias = None if bias is None else np.broadcast_to(bias, outputs)
        # An exporter may have written the bias as an addition of its own, behind a change of shape.
        name = end
        while len(takers := network.takers.get(name, [])) == 1 and (takers[0].op_type == "Add" or takers[0].op_type in RESHAPES):
            taker = takers[0]
            name = taker.output[0]
            if taker.op_type == "Add":
                added = [network.constants[other] for other in taker.input if other in network.constants]
                if len(added) != 1 or added[0].size != outputs or outputs == 1:
                    break
                bias = (0 if bias is None else bias) + added[0].astype(np.float64).ravel()
                end = name
        return variable[0], end, weight, bias

    def function_between(self, start, end, channels):
        """What the nodes between two tensors do to `SAMPLES`; `None` where they only change the shape."""
        nodes = self.network.between(start, end)
        if start == end or all(node.op_type in RESHAPES for node in nodes):
            return None
        elementwise = [node for node in nodes if node.op_type not in RESHAPES]
        results = []
        for first in range(0, len(SAMPLES), channels):
            samples = SAMPLES[first : first + channels]
            padded = np.zeros(channels)
            padded[: len(samples)] = samples
            # Without changes of shape: they may want ranks that this vector does not have.
            renamed = rename(nodes, elementwise)
            feed = padded.reshape(1, channels, 1, 1)
            result = self.network.evaluate(renamed, {start: feed}, [last(renamed)])[0]
            if result.size != channels:
                raise Inexpressible(f"{elementwise[0].op_type} mixes channels")
            results.append(result.ravel()[: len(samples)])
        return np.concatenate(results)


def rename(nodes, elementwise):
    """The element-wise nodes, each reading what the changes of shape before it read."""
    source, out = {}, []
    for node in nodes:
        inputs = [source.get(name, name) for name in node.input]
        if node not in elementwise:
            source[node.output[0]] = inputs[0]
            continue
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        del copy.input[:]
        copy.input.extend(inputs)
        out.append(copy)
    return out


def last(nodes):
    return nodes[-1].output[0]


def close(values, expected):
    return np.allclose(values, expected, rtol=1e-6, atol=1e-6)


def named_activation(values):
    if values is None:
        return {"activation": "identity"}
    for name, function in ACTIVATIONS.items():
        if close(values, function(SAMPLES)):
            return {"activation": name}
    slope = values[0] / SAMPLES[0]
    if close(values, np.where(SAMPLES < 0, slope * SAMPLES, SAMPLES)):
        return {"activation": "leaky_relu", "slope": float(slope)}
    raise Inexpressible("an activation that the format does not name")


def named_gate(values):
    if values is None:
        raise Inexpressible("no gate: the second layer's sums scale x")
    if close(values, sigmoid(SAMPLES)):
        return {"gate": "sigmoid"}
    if close(values, hard_sigmoid(SAMPLES)):
        return {"gate": "hard_sigmoid"}
    inside = (values > 1e-3) & (values < 1 - 1e-3)
    if inside.sum() > 1:
        slope, offset = np.polyfit(SAMPLES[inside], values[inside], 1)
        if close(values, np.clip(slope * SAMPLES + offset, 0, 1)):
            if abs(offset - 0.5) > 1e-6:
                raise Inexpressible(f"a hard sigmoid with offset {offset:.6g}")
            return {"gate": "hard_sigmoid", "gate_slope": float(slope)}
    raise Inexpressible("a gate that is neither a sigmoid nor a hard sigmoid")


def pools_plane(network, node):
    if node.op_type in ("GlobalAveragePool", "GlobalMaxPool"):
        return True
    if node.op_type not in ("ReduceMean", "ReduceMax"):
        return False
    axes = [list(attribute.ints) for attribute in node.attribute if attribute.name == "axes"]
    if len(node.input) > 1 and node.input[1] in network.constants:
        axes = [network.constants[node.input[1]].tolist()]
    return bool(axes) and sorted(axis % 4 for axis in axes[0]) == [2, 3]


def blocks(network):
    """Every pooled tensor that is multiplied by something that depends on what was pooled."""
    for pool in network.model.graph.node:
        if not pools_plane(network, pool):
            continue
        for product in network.takers.get(pool.input[0], []):
            if product.op_type != "Mul":
                continue
            gate = [name for name in product.input if name != pool.input[0]]
            if gate and network.between(pool.output[0], gate[0]):
                yield Block(network, pool, product)


def picture_for(path, session, size):
    given = session.get_inputs()
    if len(given) != 1 or len(given[0].shape) != 4:
        sys.exit(f"the network takes {[(one.name, one.shape) for one in given]}: one tensor [N,C,H,W] is wanted")
    (one,) = given
    fixed = [side if isinstance(side, int) and side > 0 else None for side in one.shape]
    channels = fixed[1] or 3
    height, width = (fixed[2] or size[0], fixed[3] or size[1])
    if channels not in (1, 3):
        sys.exit(f"the network takes {channels} channels: pictures have 1 or 3")
    image = ImageOps.exif_transpose(Image.open(path)).convert("L" if channels == 1 else "RGB").resize((width, height))
    pixels = np.asarray(image, np.float32).reshape(height, width, channels) / 127.5 - 1
    tensor = np.repeat(pixels.transpose(2, 0, 1)[None], fixed[0] or 1, axis=0)
    return {one.name: tensor.astype(np.float16 if "float16" in one.type else np.float32)}


def difference(actual, expected):
    return float(np.abs(actual.astype(np.float64).ravel() - expected.ravel()).max() / max(1.0, np.abs(expected).max()))


def crop(x):
    """As many rows and columns of the middle as a file has room for."""
    batch, channels, height, width = x.shape
    room = max(1, ROOM // (batch * channels))
    rows = min(height, max(1, math.isqrt(room)))
    columns = min(width, max(1, room // rows))
    rows = min(height, max(1, room // columns))
    top, left = (height - rows) // 2, (width - columns) // 2
    return np.ascontiguousarray(x[:, :, top : top + rows, left : left + columns])


def size_of(text):
    if not (match := re.fullmatch(r"(\d+)x(\d+)", text)):
        raise argparse.ArgumentTypeError("rows and columns as in 224x224")
    return int(match[1]), int(match[2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=pathlib.Path)
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--size", type=size_of, default=(224, 224), metavar="HxW", help="of the picture, where the network leaves it open (224x224)")
    parser.add_argument("--licence", default="", help="a note of the network's licence, for the files' `source`")
    arguments = parser.parse_args()

    model = onnx.load(arguments.network)
    network = Network(model)
    found = list(blocks(network))
    if not found:
        sys.exit(f"{arguments.network.name} has no squeeze-and-excitation block")
    wanted = sorted({name for block in found for name in (block.x, block.gate, block.y)})
    given = {one.name for one in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in given)
    # Its warnings are about the file's tidiness.
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    try:
        results = session.run(wanted, picture_for(arguments.picture, session, arguments.size))
    except onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException as error:
        sys.exit(f"{arguments.network.name} does not run at {arguments.size[0]}x{arguments.size[1]} (choose another --size): {error}")
    tensors = dict(zip(wanted, results))

    arguments.folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^A-Za-z0-9]+", "_", arguments.network.stem)
    licence = f" ({arguments.licence})" if arguments.licence else ""
    failed = 0
    for number, block in enumerate(found):
        name = f"squeeze_excite__{stem}_{number}"
        try:
            attrs, weights = block.describe()
            x = tensors[block.x].astype(np.float64)
            gate, y = network.evaluate(block.nodes, {block.x: x}, [block.gate, block.y])
            off = max(difference(tensors[block.gate], gate), difference(tensors[block.y], y))
            if not off <= AGREEMENT:
                raise Inexpressible(f"ONNX Runtime is off by {off:.1e} of the largest number")
            x = crop(x)
            gate, y = network.evaluate(block.nodes, {block.x: x}, [block.gate, block.y])
            case = {f"in.{key}": value for key, value in {"x": x, **weights}.items()}
            case |= {"out.gate": gate.reshape(x.shape[:2]), "out.y": y}
            case = {key: np.ascontiguousarray(value, np.float32) for key, value in case.items()}
            if sum(value.nbytes for value in case.values()) > MOST_BYTES:
                raise Inexpressible(f"its weights alone are {weights['w1'].size * 8 / 1e6:.1f} MB")
        except Inexpressible as reason:
            print(f"{name}: `{block.y}` cannot be expressed: {reason}")
            failed += 1
            continue
        source = (
            f"{arguments.network.name}{licence}: its weights, and its activations for a picture, computed by ONNX Runtime "
            f"{onnxruntime.__version__}; gate and output in float64 from these, ONNX Runtime agrees to {off:.1e}"
        )
        metadata = {"op": "squeeze_excite", "attrs": json.dumps(attrs, sort_keys=True), "source": source}
        metadata |= {"layout": "nchw", "precision": "f64 rounded to f32"}
        save_file(case, arguments.folder / f"{name}.safetensors", metadata=metadata)
        print(f"{name}: {list(x.shape)} reduced to {weights['w1'].shape[0]}, {json.dumps(attrs)}, ONNX Runtime agrees to {off:.1e}")
    print(f"{arguments.network.name}: {len(found)} blocks found, {len(found) - failed} written")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
