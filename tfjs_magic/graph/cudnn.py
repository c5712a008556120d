"""Put the loop of an LSTM, a GRU or a simple RNN in the place of cuDNN's kernel, which only GPUs of one maker have.

Given:   CudnnRNN, CudnnRNNV2 or CudnnRNNV3 of one layer that reads forwards, as Keras writes it where it finds a GPU
Result:  the steps one by one, with the weights cut out of ``params``
Refuses: several layers, both directions, projections, sizes that are not known; inside of loops and branches

``params`` holds one matrix (units, features) per gate, one (units, units) per gate, and twice a bias (units,) per gate.
Source: NVIDIA's cuDNN documentation, ``cudnnRNNMode_t``; ``keras/src/backend/tensorflow/rnn.py``.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfjs_magic.graph import grappler
from tfjs_magic.graph.refs import node_of, port_of
from tfjs_magic.graph.trace import GraphDefFunction

_OPS = frozenset({"CudnnRNN", "CudnnRNNV2", "CudnnRNNV3"})


def lower_cudnn(function: GraphDefFunction, *, keep: Sequence[str]) -> GraphDefFunction:
    """Return the function without cuDNN's kernels.

    Args:
        function: The attributes of its graph are edited in place.
        keep: Names of the nodes that must survive with their results.
    """
    bodies = [function.graph_def.node, *(body.node_def for body in function.graph_def.library.function)]
    if not any(node.op in _OPS for nodes in bodies for node in nodes):
        return function
    flat = grappler.optimize(function.graph_def, keep=[*keep, *function.side_effects], lower=False)
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(flat, name="")
        operations = [op for op in graph.get_operations() if op.name not in keep]
        computed = {op.name: _computed(op) for op in operations if op.type in _OPS and _is_single(op)}
        computed |= {op.name: _reversed(op) for op in operations if op.type == "ReverseSequence" and _is_whole(op)}
    graph_def = graph.as_graph_def()
    _replace(graph_def, computed)
    effects = [name for name in function.side_effects if name not in computed]
    return dataclasses.replace(function, graph_def=graph_def, side_effects=effects)


def _replace(graph_def: Any, computed: Mapping[str, tuple[Any, ...]]) -> None:
    """Let what reads a kernel read what was computed instead."""
    for node in list(graph_def.node):
        if node.name in computed:
            graph_def.node.remove(node)
    for node in graph_def.node:
        for i, ref in enumerate(node.input):
            name = node_of(ref.removeprefix("^"))
            if name in computed:
                outputs = computed[name]
                node.input[i] = f"^{outputs[0].op.name}" if ref.startswith("^") else outputs[port_of(ref)].name


# ---------------------------------------------------------------------- what it computes


def _is_single(op: Any) -> bool:
    """Whether it is one layer that reads forwards, whose sizes are known and whose training leaves no trace."""
    attributes = {name: op.get_attr(name) for name in ("rnn_mode", "input_mode", "direction")}
    plain = {"input_mode": b"linear_input", "direction": b"unidirectional"}
    x, h, _, params = (tensor.shape for tensor in op.inputs[:4])
    if attributes["rnn_mode"] not in _STEPS or plain.items() - attributes.items() or None in (x.rank, h.rank):
        return False
    if op.type == "CudnnRNNV3" and op.get_attr("num_proj"):
        return False
    layers, units, features = h[_layer_axis(op)], h[2], x[2]
    if None in (units, features) or layers != 1 or any(port.consumers() for port in op.outputs[3:]):
        return False
    gates = _STEPS[attributes["rnn_mode"]][0]
    return params.rank == 1 and params[0] in {None, gates * units * (features + units + 2)}


def _layer_axis(op: Any) -> int:
    return 0 if _is_time_major(op) else 1


def _is_time_major(op: Any) -> bool:
    return op.type != "CudnnRNNV3" or bool(op.get_attr("time_major"))


def _computed(op: Any) -> tuple[Any, ...]:
    """Compute output, last h and last c, of the shapes that the kernel gives them."""
    with tf.name_scope(f"{op.name}/"):
        x, h, c, params = op.inputs[:4]
        gates, step = _STEPS[op.get_attr("rnn_mode")]
        weights = _weights(params, gates, h.shape[2], x.shape[2])
        axis = _layer_axis(op)
        is_lstm = gates == _LSTM_GATES
        state = tuple(tf.squeeze(tensor, axis) for tensor in ((h, c) if is_lstm else (h,)))
        steps = x if axis == 0 else tf.transpose(x, [1, 0, 2])
        lengths = None if op.type != "CudnnRNNV3" or _is_full(op.inputs[4], x, axis) else op.inputs[4]
        output, state = _over_time(lambda x, state: step(x, state, weights), steps, state, lengths)
        last = [tf.expand_dims(tensor, axis) for tensor in state]
        return (output if axis == 0 else tf.transpose(output, [1, 0, 2]), last[0], last[1] if is_lstm else c)


def _is_whole(op: Any) -> bool:
    """Whether a reversal, which Keras puts before and behind a layer that reads backwards, takes all steps."""
    return op.inputs[0].shape.rank is not None and _is_full(op.inputs[1], op.inputs[0], op.get_attr("seq_dim"))


def _reversed(op: Any) -> tuple[Any, ...]:
    with tf.name_scope(f"{op.name}/"):
        return (tf.reverse(op.inputs[0], [op.get_attr("seq_dim")]),)


def _weights(params: Any, gates: int, units: int, features: int) -> _Weights:
    rows = gates * units
    ends = [0, rows * features, rows * (features + units), rows * (features + units + 1), rows * (features + units + 2)]
    kernel, recurrent, *biases = (tf.slice(params, [i], [j - i]) for i, j in itertools.pairwise(ends))
    kernels = (tf.transpose(tf.reshape(part, [rows, -1])) for part in (kernel, recurrent))
    return _Weights(*kernels, *biases)


class _Weights(NamedTuple):
    """Kernel (features, gates · units), recurrent kernel (units, gates · units) and a bias for the product of each."""

    kernel: Any
    recurrent: Any
    bias: Any
    recurrent_bias: Any


_State = tuple[Any, ...]


def _over_time(step: Callable[[Any, _State], _State], x: Any, state: _State, lengths: Any) -> tuple[Any, _State]:
    """Run over x (time, batch, features); return the outputs (time, batch, units) and the last state.

    Args:
        step: Computes the state from one step of x and the state before; its first tensor is the output.
        x: What is read.
        state: What it starts with.
        lengths: How many steps each sample has, (batch,): afterwards its state stays, and its outputs are 0; or None.
    """
    count = tf.shape(x)[0] if x.shape[0] is None else x.shape[0]
    steps = tf.TensorArray(x.dtype, size=count, element_shape=x.shape[1:]).unstack(x)
    made = tf.TensorArray(x.dtype, size=count, element_shape=state[0].shape)

    def body(time: Any, made: Any, *state: Any) -> tuple[Any, ...]:
        after = step(steps.read(time), state)
        output = after[0]
        if lengths is not None:
            goes_on = tf.expand_dims(time < lengths, 1)
            output = tf.where(goes_on, output, tf.zeros_like(output))
            after = tuple(tf.where(goes_on, new, old) for new, old in zip(after, state, strict=True))
        return (time + 1, made.write(time, output), *after)

    _, made, *last = tf.while_loop(lambda time, *_: time < count, body, (0, made, *state))
    return made.stack(), tuple(last)


def _is_full(lengths: Any, tensor: Any, axis: int) -> bool:
    """Whether all lengths are the size of a tensor, with which Keras fills them."""
    fill = _origin(lengths)
    if fill.op.type != "Fill":
        return False
    if (length := tf.get_static_value(fill.op.inputs[1])) is not None:
        return bool(tensor.shape[axis] == int(length))
    picked = _origin(fill.op.inputs[1])
    if picked.op.type != "StridedSlice" or picked.op.inputs[0].op.type != "Shape":
        return False
    begin, measured = tf.get_static_value(picked.op.inputs[1]), picked.op.inputs[0].op.inputs[0]
    return begin is not None and begin.tolist() == [axis] and _origin(measured) is _origin(tensor)


def _origin(tensor: Any) -> Any:
    """Return the tensor from which one has its sizes in time and batch."""
    while tensor.op.type in {"Identity", "ReverseSequence", *_OPS}:
        tensor = tensor.op.inputs[0]
    return tensor


# ---------------------------------------------------------------------- one step


def _lstm(x: Any, state: _State, w: _Weights) -> _State:
    h, c = state
    sums = tf.nn.bias_add(tf.matmul(x, w.kernel) + tf.matmul(h, w.recurrent), w.bias + w.recurrent_bias)
    i, f, g, o = tf.split(sums, _LSTM_GATES, axis=1)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
    return tf.sigmoid(o) * tf.tanh(c), c


def _gru(x: Any, state: _State, w: _Weights) -> _State:
    (h,) = state
    reset, update, hidden = tf.split(tf.nn.bias_add(tf.matmul(x, w.kernel), w.bias), 3, axis=1)
    reset_h, update_h, hidden_h = tf.split(tf.nn.bias_add(tf.matmul(h, w.recurrent), w.recurrent_bias), 3, axis=1)
    z = tf.sigmoid(update + update_h)
    return (z * h + (1 - z) * tf.tanh(hidden + tf.sigmoid(reset + reset_h) * hidden_h),)


def _simple(activation: Callable[[Any], Any]) -> Callable[..., _State]:
    def step(x: Any, state: _State, w: _Weights) -> _State:
        sums = tf.matmul(x, w.kernel) + tf.matmul(state[0], w.recurrent)
        return (activation(tf.nn.bias_add(sums, w.bias + w.recurrent_bias)),)

    return step


_LSTM_GATES = 4
#: What the kernel calls it → its gates, and one step.
_STEPS: Mapping[bytes, tuple[int, Callable[..., _State]]] = {
    b"lstm": (_LSTM_GATES, _lstm),
    b"gru": (3, _gru),
    b"rnn_relu": (1, _simple(tf.nn.relu)),
    b"rnn_tanh": (1, _simple(tf.tanh)),
}
