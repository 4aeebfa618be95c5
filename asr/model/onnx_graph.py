"""The network as an ONNX graph, written node by node.

Tracing would fix what depends on lengths; the operators of ONNX take a sequence's
length, so a batch's padding is never part of it. Frames run along the first axis
inside, as recurrent operators have it; what is beyond a length is unspecified.

Shape letters: B utterances, T input frames, T' output frames, F features a frame,
H hidden size, D directions, V tokens including the blank.

Source: the operators' specification, https://onnx.ai/onnx/operators, opset 17; those of
the domain com.microsoft, for weights of 8 bits, are ONNX Runtime's.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from asr.errors import MissingPackageError
from asr.model.acoustic import AcousticModel
from asr.model.network import Network
from asr.model.onnx_weights import HALF_STEPS, STEPS, layer_weights, quantised
from asr.model.recurrent import RecurrentLayer

#: Numbers of element types in ``onnx.TensorProto``.
_FLOAT, _INT32 = 1, 6

Precision = Literal["float32", "int8"]
Array = npt.NDArray[Any]

#: The first with LayerNormalization.
_OPSET = 17
#: The version of the file format that came with it.
_IR_VERSION = 8


def build_graph(
    model: AcousticModel, precision: Precision, metadata: Mapping[str, str]
) -> bytes:
    """Return the model's network as an ONNX file's content.

    It takes ``features`` (B, T, F), float32, and ``lengths`` (B,), int64, and gives
    ``log_probs`` (B, T', V) and ``output_lengths`` (B,).

    Args:
        model: With weights on any device.
        precision: Of the weights of the recurrent and linear layers.
        metadata: Texts to go with it.

    Raises:
        MissingPackageError: If the package onnx is not installed.
    """
    onnx = _onnx()
    graph = _Graph(onnx)
    with torch.no_grad():
        _network(graph, model.network, precision)
    helper, kinds = onnx.helper, onnx.TensorProto
    features = model.features.size
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "recurrent-asr",
            [
                helper.make_tensor_value_info(
                    "features", kinds.FLOAT, ["B", "T", features]
                ),
                helper.make_tensor_value_info("lengths", kinds.INT64, ["B"]),
            ],
            [
                helper.make_tensor_value_info(
                    "log_probs", kinds.FLOAT, ["B", "S", len(model.tokens)]
                ),
                helper.make_tensor_value_info("output_lengths", kinds.INT64, ["B"]),
            ],
            graph.weights,
        ),
        opset_imports=[
            helper.make_opsetid("", _OPSET),
            helper.make_opsetid("com.microsoft", 1),
        ],
        ir_version=_IR_VERSION,
        producer_name="recurrent-asr",
    )
    helper.set_model_props(made, dict(metadata))
    content: bytes = made.SerializeToString()
    return content


class _Graph:
    """Nodes and weights so far; every method returns the name of what it adds."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def __call__(
        self,
        operator: str,
        *inputs: str,
        outputs: int = 1,
        domain: str = "",
        **about: Any,
    ) -> str:
        """Add a node; return its first output."""
        name = f"{operator}_{len(self.nodes)}"
        names = [name, *(f"{name}_{n}" for n in range(1, outputs))]
        self.nodes.append(
            self._onnx.helper.make_node(
                operator, inputs, names, name=name, domain=domain, **about
            )
        )
        return name

    def weight(self, value: Array | np.generic | torch.Tensor) -> str:
        """Add a constant."""
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().numpy()
        name = f"weight_{len(self.weights)}"
        array = np.asarray(value, order="C")
        self.weights.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def integers(self, *values: int) -> str:
        """Add a constant list of integers."""
        return self.weight(np.array(values, np.int64))

    def rename(self, name: str, wanted: str) -> None:
        """Give an output of the graph its name."""
        self.nodes.append(self._onnx.helper.make_node("Identity", [name], [wanted]))


def _network(graph: _Graph, network: Network, precision: Precision) -> None:
    frames, lengths = _subsampling(graph, network)
    short = graph("Cast", lengths, to=_INT32)  # as recurrent operators want it
    width = network.subsampling.output_size
    for norm, layer in zip(
        network.recurrent.norms, network.recurrent.layers, strict=True
    ):
        assert isinstance(layer, RecurrentLayer)
        outputs = _recurrent(graph, _norm(graph, frames, norm), short, layer, precision)
        if network.recurrent.residual and layer.output_size == width:
            outputs = graph("Add", outputs, frames)
        frames, width = outputs, layer.output_size
    frames = _norm(graph, frames, network.norm)
    # In float32 in any case: it is small, and decides.
    matrix = network.linear.weight.detach().cpu().numpy().T
    product = graph("MatMul", frames, _weight(graph, matrix, 0, precision))
    scores = graph("Add", product, graph.weight(network.linear.bias))
    log_probs = graph("LogSoftmax", scores, axis=2)
    graph.rename(graph("Transpose", log_probs, perm=[1, 0, 2]), "log_probs")
    graph.rename(lengths, "output_lengths")


def _subsampling(graph: _Graph, network: Network) -> tuple[str, str]:
    """Add the convolutions; return frames (T', B, C F') and lengths (B,)."""
    lengths = "lengths"
    images = graph("Unsqueeze", "features", graph.integers(1))
    one, two = graph.integers(1), graph.integers(2)
    zero = graph.weight(np.float32(0))
    for convolution in network.subsampling.convolutions:
        assert isinstance(convolution, nn.Conv2d) and convolution.bias is not None
        # (B, 1) lengths beside (T,) positions.
        size = graph("Gather", graph("Shape", images), graph.weight(np.int64(2)))
        positions = graph(
            "Range", graph.weight(np.int64(0)), size, graph.weight(np.int64(1))
        )
        inside = graph("Less", positions, graph("Unsqueeze", lengths, one))
        inside = graph("Unsqueeze", inside, graph.integers(1, 3))
        images = graph("Where", inside, images, zero)
        images = graph(
            "Conv",
            images,
            graph.weight(convolution.weight),
            graph.weight(convolution.bias),
            kernel_shape=[3, 3],
            strides=[2, 2],
            pads=[1, 1, 1, 1],
        )
        images = graph("Relu", images)
        lengths = graph("Div", graph("Add", lengths, one), two)
    frames = graph("Transpose", images, perm=[2, 0, 1, 3])
    return graph("Reshape", frames, graph.integers(0, 0, -1)), lengths


def _norm(graph: _Graph, frames: str, norm: nn.Module) -> str:
    if not isinstance(norm, nn.LayerNorm):
        return frames
    weight, bias = graph.weight(norm.weight), graph.weight(norm.bias)
    return graph("LayerNormalization", frames, weight, bias, epsilon=norm.eps)


def _recurrent(
    graph: _Graph,
    frames: str,
    lengths: str,
    layer: RecurrentLayer,
    precision: Precision,
) -> str:
    """Add a recurrent layer, (T', B, ·) -> (T', B, D H)."""
    weights = layer_weights(layer)
    about: dict[str, Any] = {
        "direction": "forward" if layer.backwards is None else "bidirectional",
        "hidden_size": layer.forwards.hidden_size,
        **weights.about,
    }
    bias = graph.weight(weights.bias)
    if precision == "int8" and weights.operator == "LSTM":
        # (D, gates, ·) -> (D, ·, gates), as that operator has them.
        (w, w_scale), (r, r_scale) = (
            quantised(part.transpose(0, 2, 1), 1, HALF_STEPS)
            for part in (weights.of_input, weights.of_state)
        )
        states = graph(
            "DynamicQuantizeLSTM",
            *(frames, graph.weight(w), graph.weight(r), bias, lengths, "", "", ""),
            *(graph.weight(w_scale), graph.weight(np.zeros_like(w_scale, w.dtype))),
            *(graph.weight(r_scale), graph.weight(np.zeros_like(r_scale, r.dtype))),
            domain="com.microsoft",
            **about,
        )
    else:
        parts = (weights.of_input, weights.of_state)
        names = [_weight(graph, part, 2, precision) for part in parts]
        states = graph(weights.operator, frames, *names, bias, lengths, **about)
    # (T', D, B, H) -> (T', B, D H)
    states = graph("Transpose", states, perm=[0, 2, 1, 3])
    return graph("Reshape", states, graph.integers(0, 0, -1))


def _weight(graph: _Graph, part: Array, axis: int, precision: Precision) -> str:
    """Add weights that are multiplied in float32: 8 bits are spread out on loading.

    Args:
        graph: Where to.
        part: The weights.
        axis: The one that shares a scale.
        precision: As which they are stored.
    """
    if precision == "float32":
        return graph.weight(part)
    small, scale = quantised(part, axis, STEPS)
    spread = graph("Cast", graph.weight(small), to=_FLOAT)
    return graph("Mul", spread, graph.weight(np.expand_dims(scale, axis)))


def _onnx() -> Any:
    try:
        import onnx
    except ImportError:
        raise MissingPackageError(
            "exporting needs the package onnx: pip install 'recurrent-asr[export]'"
        ) from None
    return onnx
