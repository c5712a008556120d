"""Operations of ``keras.ops`` and Python's operators, where layers compute the same.

A mapping sees an operation as it sees a layer: what its constructor was given are its options, and its operands are
constants, or a :class:`Port` for each tensor that goes in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.layers.activation_functions import (
    COMPOSED_ACTIVATIONS,
    TFJS_ACTIVATIONS,
    celu,
    elu,
    gelu_by_tanh,
    hard_shrink,
    relu_of,
    soft_shrink,
)
from tfjs_magic.layers.activations import softmax
from tfjs_magic.layers.mapping import LayerView, Port, host_array
from tfjs_magic.layers.merging import concatenate
from tfjs_magic.layers.spatial import product
from tfjs_magic.layers.tfjs_layer import (
    TfjsLayer,
    TfjsLayers,
    activated,
    chain,
    clipped_relu,
    merge,
    multiplied,
    permuted,
    rescaled,
)

_IDENTITY: TfjsLayers = (activated("linear"),)
#: A constant of more numbers than this does not belong into JSON.
_MOST_NUMBERS = 10_000


def add(view: LayerView) -> TfjsLayers:
    """Map x + y."""
    left, right = _operands(view)
    if isinstance(left, Port) and isinstance(right, Port):
        return _merged(view, "Add", 0, 1)
    return (rescaled(1.0, _listed(view, right if isinstance(left, Port) else left)),)


def subtract(view: LayerView) -> TfjsLayers:
    """Map x − y."""
    left, right = _operands(view)
    if isinstance(left, Port) and isinstance(right, Port):
        return _merged(view, "Add", 0, (TfjsLayer("Rescaling", {"scale": -1.0, "offset": 0.0}, inputs=(1,)),))
    if isinstance(left, Port):
        return (rescaled(1.0, (-_constant(view, right)).tolist()),)
    return (rescaled(-1.0, _listed(view, left)),)


def multiply(view: LayerView) -> TfjsLayers:
    """Map x · y."""
    left, right = _operands(view)
    if isinstance(left, Port) and isinstance(right, Port):
        return _merged(view, "Multiply", 0, 1)
    return (rescaled(_listed(view, right if isinstance(left, Port) else left)),)


def divide(view: LayerView) -> TfjsLayers:
    """Map x / constant."""
    _, right = _operands(view)
    if isinstance(right, Port):
        view.refuse("It divides by a tensor, which no layer of TF.js does.")
        return ()
    return (rescaled((1 / _constant(view, right)).tolist()),)


def power(view: LayerView) -> TfjsLayers:
    """Map x²."""
    exponent = view.operands[1]
    if isinstance(exponent, Port) or not isinstance(exponent, int | float) or exponent != 2:
        view.refuse(f"It takes the power {exponent!r}; layers of TF.js can only square.")
    return square(view)


def square(_: LayerView) -> TfjsLayers:
    """Map x²."""
    return (TfjsLayer("Multiply", inputs=(0, 0)),)


def absolute(_: LayerView) -> TfjsLayers:
    """Map |x| to the larger of x and −x."""
    return merge("Maximum", 0, rescaled(-1.0))


def negative(_: LayerView) -> TfjsLayers:
    """Map −x."""
    return (rescaled(-1.0),)


def maximum(view: LayerView) -> TfjsLayers:
    """Map the larger of two, c + relu(x − c) for a constant."""
    left, right = _operands(view)
    if isinstance(left, Port) and isinstance(right, Port):
        return _merged(view, "Maximum", 0, 1)
    bound = _number(view, right if isinstance(left, Port) else left)
    if bound == 0:
        return (clipped_relu(None),)
    return chain(rescaled(1.0, -bound), clipped_relu(None), rescaled(1.0, bound))


def minimum(view: LayerView) -> TfjsLayers:
    """Map the smaller of two, c − relu(c − x) for a constant."""
    left, right = _operands(view)
    if isinstance(left, Port) and isinstance(right, Port):
        return _merged(view, "Minimum", 0, 1)
    bound = _number(view, right if isinstance(left, Port) else left)
    return chain(rescaled(-1.0, bound), clipped_relu(None), rescaled(-1.0, bound))


def clip(view: LayerView) -> TfjsLayers:
    """Map clip between two numbers."""
    low, high = _number(view, view.value("x_min")), _number(view, view.value("x_max"))
    if low == 0:
        return (clipped_relu(high),)
    return chain(rescaled(1.0, -low), clipped_relu(high - low), rescaled(1.0, low))


def activation(name: str) -> Callable[[LayerView], TfjsLayers]:
    """Map an activation without options."""

    def mapping(view: LayerView) -> TfjsLayers:
        if name in TFJS_ACTIVATIONS:
            return (activated(TFJS_ACTIVATIONS[name]),)
        channels = view.sample()[-1]
        if channels is None:
            view.refuse("It has an unknown number of channels.", "Give the Input a fixed size.")
        return COMPOSED_ACTIVATIONS[name](channels or 0)

    return mapping


def gelu(view: LayerView) -> TfjsLayers:
    """Map GELU, exact or by its approximation with tanh."""
    return gelu_by_tanh() if view.value("approximate") else (activated("gelu"),)


def with_option(form: Callable[[float], TfjsLayers], option: str) -> Callable[[LayerView], TfjsLayers]:
    """Map an activation with one option."""
    return lambda view: form(view.value(option))


def leaky_relu(view: LayerView) -> TfjsLayers:
    """Map leaky ReLU."""
    return (TfjsLayer("LeakyReLU", {"alpha": view.value("negative_slope")}),)


def relu(view: LayerView) -> TfjsLayers:
    """Map ``keras.activations.relu`` with its options."""
    return relu_of(view.value("max_value"), view.value("negative_slope") or 0.0, view.value("threshold") or 0.0)


def log_softmax(view: LayerView) -> TfjsLayers:
    """Map log-softmax over the last axis."""
    view.only("axis", -1, len(view.sample()), why="TF.js has it along the last axis only")
    return (activated("log_softmax"),)


def reshape(view: LayerView) -> TfjsLayers:
    """Map Reshape, ExpandDims, Squeeze and the like: any that leave the batch as it is."""
    view.ignore("newshape", "axis")
    view.takes_integers()
    call = view.calls[0]
    given, made = call.inputs[0], call.outputs[0]
    known = [product(*(size for size in shape[1:] if size is not None)) for shape in (given, made)]
    unknown = [shape[1:].count(None) for shape in (given, made)]
    if not made or given[0] != made[0] or known[0] != known[1] or unknown[0] != unknown[1]:
        view.refuse(f"It makes {made} of {given}, which does not keep the batch.", "Use keras.layers.Reshape.")
        return ()
    return view.reshaped(*made[1:])


def transpose(view: LayerView) -> TfjsLayers:
    """Map Transpose, of all but the batch."""
    axes = view.value("axes")
    return _permuted(view, list(axes) if axes else list(range(len(view.calls[0].inputs[0])))[::-1])


def swapaxes(view: LayerView) -> TfjsLayers:
    """Map Swapaxes."""
    rank = len(view.calls[0].inputs[0])
    axes = list(range(rank))
    one, other = view.value("axis1"), view.value("axis2")
    axes[one], axes[other] = axes[other], axes[one]
    return _permuted(view, axes)


def moveaxis(view: LayerView) -> TfjsLayers:
    """Map Moveaxis."""
    rank = len(view.calls[0].inputs[0])
    moved = np.moveaxis(np.empty(range(2, rank + 2)), view.value("source"), view.value("destination")).shape
    return _permuted(view, [size - 2 for size in moved])


def _permuted(view: LayerView, axes: Sequence[int]) -> TfjsLayers:
    view.takes_integers()
    axes = [axis % len(axes) for axis in axes]
    if axes[0] != 0:
        view.refuse("It moves the batch axis, which TF.js layers cannot.")
        return ()
    return permuted(axes[1:]) or _IDENTITY


def stack(view: LayerView) -> TfjsLayers:
    """Map Stack to a Concatenate of what got a new dimension."""
    view.takes_integers()
    shape = view.sample()
    axis = view.value("axis") % (len(shape) + 2)
    if axis == 0:
        view.refuse("It stacks along the batch axis, which TF.js has not.")
        return ()
    (one,) = view.reshaped(*shape[: axis - 1], 1, *shape[axis - 1 :])
    branches = [TfjsLayer("Reshape", one.config, inputs=(port,)) for port in range(len(view.calls[0].inputs))]
    return merge("Concatenate", *branches, config={"axis": axis})


def reduction(class_name: str, *, counted: bool = False) -> Callable[[LayerView], TfjsLayers]:
    """Map Mean, Max or Sum over some axes to global pooling of (their values, the rest); a sum is a counted mean."""

    def mapping(view: LayerView) -> TfjsLayers:
        view.ignore("initial", "dtype")
        shape, axis = view.sample(), view.value("axis")
        axes = [] if axis is None else sorted({one % (len(shape) + 1) for one in np.atleast_1d(axis).tolist()})
        rest = [one for one in range(1, len(shape) + 1) if one not in axes]
        if not axes or 0 in axes or not rest:
            view.refuse(f"It has axis={axis}; layers of TF.js keep the batch and one more axis.")
            return ()
        sizes = [shape[one - 1] for one in rest]
        values = product(*(shape[one - 1] for one in axes))
        flat: TfjsLayers = ()
        if len(shape) != 2:
            flat = view.reshaped(values, product(*sizes))
        back = () if len(rest) == 1 and not view.value("keepdims") else view.reshaped(*view.made())
        view.ignore("keepdims")
        pooled = chain(permuted([*axes, *rest]), flat, TfjsLayer(class_name))
        if not counted:
            return chain(pooled, back)
        if values is None:
            view.refuse("It adds up an unknown number of values.", "Give the Input a fixed size.")
        return chain(pooled, rescaled(float(values or 0)), back)

    return mapping


def matmul(view: LayerView) -> TfjsLayers:
    """Map a product with a constant matrix, or of two batches of matrices."""
    left, right = _operands(view)
    if isinstance(left, Port) and isinstance(right, Port):
        if any(len(shape) != 3 for shape in view.calls[0].inputs):
            view.refuse("It multiplies tensors of another rank than 3, which layers of TF.js cannot.")
        return (TfjsLayer("Dot", {"axes": [2, 1], "normalize": False}, inputs=(left.number, right.number)),)
    if not isinstance(left, Port) or (matrix := host_array(right)).ndim != 2:
        view.refuse("It multiplies by a constant that is no matrix on the right.")
        return ()
    return (multiplied(matrix.astype(np.float32)),)


def get_item(view: LayerView) -> TfjsLayers:
    """Map x[:, …] with numbers and slices of step 1 to Cropping2D along one axis after the other."""
    view.takes_integers()
    shape, made = view.sample(), view.made()
    key = view.operands[1] if isinstance(view.operands[1], tuple) else (view.operands[1],)
    if Ellipsis in key:
        place = key.index(Ellipsis)
        whole = (slice(None),) * (len(shape) + 1 - (len(key) - 1 - key.count(None)))
        key = (*key[:place], *whole, *key[place + 1 :])
    if not key or key[0] != slice(None) or any(one is not None and not isinstance(one, int | slice) for one in key):
        view.refuse("It picks from the batch, or with something else than numbers and slices.")
        return ()
    sizes, parts = list(shape), []
    for axis, one in enumerate(part for part in key[1:] if part is not None):
        size = sizes[axis]
        if one == slice(None):
            continue
        picked = None if size is None else range(size)[one if isinstance(one, slice) else slice(one, one + 1 or None)]
        if size is None or not picked or picked.step != 1:
            view.refuse("It picks with a step, nothing, or from an axis of unknown size.")
            return ()
        if len(picked) < size:
            before, after = product(*sizes[:axis]), product(*sizes[axis + 1 :])
            crop = TfjsLayer("Cropping2D", {"cropping": [[0, 0], [picked[0], size - 1 - picked[-1]]]})
            parts += [view.reshaped(before, size, after), (crop,)]
        sizes[axis] = len(picked)
    return chain(*parts, view.reshaped(*made))


def pad(view: LayerView) -> TfjsLayers:
    """Map a padding with zeros to ZeroPadding2D along one axis after the other."""
    view.only("mode", "constant", why="TF.js pads with zeros only")
    value = view.operands[1] if len(view.operands) > 1 else None
    if value is not None and (isinstance(value, Port) or np.any(host_array(value))):
        view.refuse("It pads with other values than zero.")
    widths = [tuple(pair) for pair in view.value("pad_width")]
    if widths[0] != (0, 0):
        view.refuse("It pads the batch.")
        return ()
    sizes, parts = list(view.sample()), []
    for axis, (before, after) in enumerate(widths[1:]):
        if before or after:
            shape = product(*sizes[:axis]), sizes[axis], product(*sizes[axis + 1 :])
            parts += [view.reshaped(*shape), (TfjsLayer("ZeroPadding2D", {"padding": [[0, 0], [before, after]]}),)]
            sizes[axis] = None if sizes[axis] is None else (sizes[axis] or 0) + before + after
    return chain(*parts, view.reshaped(*view.made()))


def cast(view: LayerView) -> TfjsLayers:
    """Map a cast to a float dtype, all of which are float32 in TF.js."""
    view.takes_integers()
    view.only("dtype", "float16", "bfloat16", "float32", "float64", why="TF.js layers compute in float32")
    return (rescaled(),)


def identity(view: LayerView) -> TfjsLayers:
    """Map what changes nothing."""
    view.takes_integers()
    return _IDENTITY


# ---------------------------------------------------------------------- operands


def _operands(view: LayerView) -> tuple[Any, Any]:
    left, right = view.operands[:2]
    return left, right


def _merged(view: LayerView, class_name: str, *branches: int | TfjsLayers) -> TfjsLayers:
    """Merge two tensors of the same rank: TF.js lines up shapes of different rank otherwise than NumPy."""
    shapes = view.calls[0].inputs
    if len({len(shape) for shape in shapes}) > 1:
        view.refuse(f"It takes tensors of shapes {' and '.join(map(str, shapes))}, which TF.js lines up otherwise.")
    return merge(class_name, *branches)


def _constant(view: LayerView, value: Any) -> Array:
    """Return a constant as float64; it may not make the result larger than the tensor."""
    array = np.asarray(host_array(value), np.float64)
    if array.size > _MOST_NUMBERS:
        view.refuse(f"It takes a constant of {array.size} numbers; TF.js layers hold constants in JSON.")
    if view.calls[0].inputs[0] != view.calls[0].outputs[0]:
        view.refuse("It takes a constant with more dimensions than the tensor has.")
    if array.ndim >= len(view.calls[0].inputs[0]):
        array = array[0] if array.shape[0] == 1 else array
        if array.ndim >= len(view.calls[0].inputs[0]):
            view.refuse("It takes a constant for each sample of a batch.")
    return array


def _listed(view: LayerView, value: Any) -> Any:
    return _constant(view, value).tolist()


def _number(view: LayerView, value: Any) -> float:
    array = np.asarray(host_array(value))
    if array.size != 1:
        view.refuse("It compares with several constants; layers of TF.js can with one.")
        return 0.0
    return float(array.reshape(()))


OPERATIONS: Mapping[str, Callable[[LayerView], TfjsLayers]] = {
    "Absolute": absolute,
    "Add": add,
    "Amax": reduction("GlobalMaxPooling1D"),
    "Cast": cast,
    "Celu": with_option(celu, "alpha"),
    "Clip": clip,
    "Concatenate": concatenate,
    "Copy": identity,
    "Divide": divide,
    "Elu": with_option(elu, "alpha"),
    "ExpandDims": reshape,
    "Gelu": gelu,
    "GetItem": get_item,
    "HardShrink": with_option(hard_shrink, "threshold"),
    "HardSigmoid": activation("hard_sigmoid"),
    "HardSilu": activation("hard_silu"),
    "HardTanh": activation("hard_tanh"),
    "LeakyRelu": leaky_relu,
    "LogSigmoid": activation("log_sigmoid"),
    "LogSoftmax": log_softmax,
    "Matmul": matmul,
    "Max": reduction("GlobalMaxPooling1D"),
    "Maximum": maximum,
    "Mean": reduction("GlobalAveragePooling1D"),
    "Minimum": minimum,
    "Moveaxis": moveaxis,
    "Multiply": multiply,
    "Negative": negative,
    "Pad": pad,
    "Power": power,
    "ReLU": relu,
    "Relu": activation("relu"),
    "Relu6": activation("relu6"),
    "Reshape": reshape,
    "Selu": activation("selu"),
    "Sigmoid": activation("sigmoid"),
    "Silu": activation("silu"),
    "SoftShrink": with_option(soft_shrink, "threshold"),
    "Softmax": softmax,
    "Softplus": activation("softplus"),
    "Softsign": activation("softsign"),
    "Square": square,
    "Squeeze": reshape,
    "Stack": stack,
    "Subtract": subtract,
    "Sum": reduction("GlobalAveragePooling1D", counted=True),
    "Swapaxes": swapaxes,
    "Tanh": activation("tanh"),
    "TanhShrink": activation("tanh_shrink"),
    "Transpose": transpose,
    "TrueDivide": divide,
}
