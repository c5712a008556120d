"""Operations of ``keras.ops`` and Python's operators, where layers compute the same.

A mapping sees an operation as it sees a layer: what its constructor was given are its options, and its operands are
constants, or a :class:`TensorOperand` for each tensor that goes in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.layers.keras_objects import host_array
from tfjs_magic.layers.mapping import FIX_SIZE, LayerMapping, LayerView, TensorOperand
from tfjs_magic.layers.spatial import product
from tfjs_magic.layers.tfjs_layer import (
    UNCHANGED,
    TfjsLayers,
    chain,
    clipped_relu,
    merge,
    multiplied,
    of_input,
    permuted,
    rescaled,
    squared,
    subtracted,
    tfjs,
)

#: A constant of more numbers than this does not belong into JSON.
_MOST_NUMBERS = 10_000


def add(view: LayerView) -> TfjsLayers:
    """Map x + y."""
    constant = _constant_operand(view)
    return _two(view, merge("Add", 0, 1)) if constant is None else rescaled(1.0, _listed(view, constant))


def subtract(view: LayerView) -> TfjsLayers:
    """Map x − y."""
    constant = _constant_operand(view)
    if constant is None:
        return _two(view, subtracted())
    if isinstance(view.operands[0], TensorOperand):
        return rescaled(1.0, (-_constant(view, constant)).tolist())
    return rescaled(-1.0, _listed(view, constant))


def multiply(view: LayerView) -> TfjsLayers:
    """Map x · y."""
    constant = _constant_operand(view)
    return _two(view, merge("Multiply", 0, 1)) if constant is None else rescaled(_listed(view, constant))


def divide(view: LayerView) -> TfjsLayers:
    """Map x / constant."""
    if isinstance(right := view.operands[1], TensorOperand):
        return view.refuse("It divides by a tensor, which no layer of TF.js does.")
    return rescaled((1 / _constant(view, right)).tolist())


def power(view: LayerView) -> TfjsLayers:
    """Map x²."""
    exponent = view.operands[1]
    if not isinstance(exponent, int | float) or exponent != 2:
        view.refuse("It takes another power than 2; layers of TF.js can only square.")
    return squared()


def absolute(_: LayerView) -> TfjsLayers:
    """Map |x| to the larger of x and −x."""
    return merge("Maximum", 0, rescaled(-1.0))


def maximum(view: LayerView) -> TfjsLayers:
    """Map the larger of two, c + relu(x − c) for a constant."""
    if (constant := _constant_operand(view)) is None:
        return _two(view, merge("Maximum", 0, 1))
    if (bound := _number(view, constant)) == 0:
        return clipped_relu()
    return chain(rescaled(1.0, -bound), clipped_relu(), rescaled(1.0, bound))


def minimum(view: LayerView) -> TfjsLayers:
    """Map the smaller of two, c − relu(c − x) for a constant."""
    if (constant := _constant_operand(view)) is None:
        return _two(view, merge("Minimum", 0, 1))
    bound = _number(view, constant)
    return chain(rescaled(-1.0, bound), clipped_relu(), rescaled(-1.0, bound))


def clip(view: LayerView) -> TfjsLayers:
    """Map clip between two numbers."""
    low, high = _number(view, view.value("x_min")), _number(view, view.value("x_max"))
    if low == 0:
        return clipped_relu(high)
    return chain(rescaled(1.0, -low), clipped_relu(high - low), rescaled(1.0, low))


def reshape(view: LayerView) -> TfjsLayers:
    """Map Reshape, ExpandDims, Squeeze and the like: any that leave the batch as it is."""
    view.ignore("newshape", "axis")
    view.takes_integers()
    call = view.calls[0]
    given, made = call.inputs[0], call.outputs[0]
    known = [product(*(size for size in shape[1:] if size is not None)) for shape in (given, made)]
    unknown = [shape[1:].count(None) for shape in (given, made)]
    if not made or given[0] != made[0] or known[0] != known[1] or unknown[0] != unknown[1]:
        return view.refuse(f"It makes {made} of {given}, which does not keep the batch.", "Use keras.layers.Reshape.")
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
        return view.refuse("It moves the batch axis, which TF.js layers cannot.")
    return permuted(axes[1:])


def stack(view: LayerView) -> TfjsLayers:
    """Map Stack to a Concatenate of what got a new dimension."""
    view.takes_integers()
    shape = view.sample()
    axis = view.value("axis") % (len(shape) + 2)
    if axis == 0:
        return view.refuse("It stacks along the batch axis, which TF.js has not.")
    one = view.reshaped(*shape[: axis - 1], 1, *shape[axis - 1 :])
    branches = [of_input(number, one) for number in range(len(view.calls[0].inputs))]
    return merge("Concatenate", *branches, config={"axis": axis})


def average(view: LayerView) -> TfjsLayers:
    """Map Mean over some axes."""
    return _reduced(view, lambda _: tfjs("GlobalAveragePooling1D"))


def largest(view: LayerView) -> TfjsLayers:
    """Map Max over some axes."""
    return _reduced(view, lambda _: tfjs("GlobalMaxPooling1D"))


def smallest(view: LayerView) -> TfjsLayers:
    """Map Min over some axes, −max(−x)."""
    return _reduced(view, lambda _: chain(rescaled(-1.0), tfjs("GlobalMaxPooling1D"), rescaled(-1.0)))


def total(view: LayerView) -> TfjsLayers:
    """Map Sum over some axes: the mean, times how many there are."""

    def counted(values: int | None) -> TfjsLayers:
        if values is None:
            view.refuse("It adds up an unknown number of values.", FIX_SIZE)
        return chain(tfjs("GlobalAveragePooling1D"), rescaled(float(values or 0)))

    return _reduced(view, counted)


def _reduced(view: LayerView, pooled: Callable[[int | None], TfjsLayers]) -> TfjsLayers:
    """Map a reduction over some axes to layers for (values, the rest), given the number of values."""
    shape, axis, keepdims = view.sample(), view.value("axis"), view.value("keepdims")
    axes = [] if axis is None else sorted({one % (len(shape) + 1) for one in np.atleast_1d(axis).tolist()})
    rest = [one for one in range(1, len(shape) + 1) if one not in axes]
    if not axes or 0 in axes or not rest:
        return view.refuse(f"It has axis={axis}; layers of TF.js keep the batch and one more axis.")
    values = product(*(shape[one - 1] for one in axes))
    flat = () if len(shape) == 2 else view.reshaped(values, product(*(shape[one - 1] for one in rest)))
    back = () if len(rest) == 1 and not keepdims else view.reshaped(*view.made())
    return chain(permuted([*axes, *rest]), flat, pooled(values), back)


def matmul(view: LayerView) -> TfjsLayers:
    """Map a product with a constant matrix, or of two batches of matrices."""
    if (constant := _constant_operand(view)) is None:
        if any(len(shape) != 3 for shape in view.calls[0].inputs):
            view.refuse("It multiplies tensors of another rank than 3, which layers of TF.js cannot.")
        return merge("Dot", 0, 1, config={"axes": [2, 1], "normalize": False})
    if constant is view.operands[0] or (matrix := host_array(constant)).ndim != 2:
        return view.refuse("It multiplies by a constant that is no matrix on the right.")
    return multiplied(matrix.astype(np.float32))


def get_item(view: LayerView) -> TfjsLayers:
    """Map x[:, …] with numbers and slices of step 1 to Cropping2D along one axis after the other."""
    view.takes_integers()
    shape, made = view.sample(), view.made()
    key = view.operands[1] if isinstance(view.operands[1], tuple) else (view.operands[1],)
    plain = all(one is None or one is Ellipsis or isinstance(one, int | slice) for one in key)
    if plain and Ellipsis in key:
        place = key.index(Ellipsis)
        whole = (slice(None),) * (len(shape) + 1 - (len(key) - 1 - key.count(None)))
        key = (*key[:place], *whole, *key[place + 1 :])
    if not plain or not key or key[0] != slice(None):
        return view.refuse("It picks from the batch, or with something else than numbers and slices.")
    sizes, parts = list(shape), []
    for axis, one in enumerate(part for part in key[1:] if part is not None):
        size = sizes[axis]
        if one == slice(None):
            continue
        picked = None if size is None else range(size)[one if isinstance(one, slice) else slice(one, one + 1 or None)]
        if size is None or not picked or picked.step != 1:
            return view.refuse("It picks with a step, nothing, or from an axis of unknown size.")
        if len(picked) < size:
            before, after = product(*sizes[:axis]), product(*sizes[axis + 1 :])
            crop = tfjs("Cropping2D", {"cropping": [[0, 0], [picked[0], size - 1 - picked[-1]]]})
            parts += [view.reshaped(before, size, after), crop]
        sizes[axis] = len(picked)
    return chain(*parts, view.reshaped(*made))


def pad(view: LayerView) -> TfjsLayers:
    """Map a padding with zeros to ZeroPadding2D along one axis after the other."""
    view.only("mode", "constant", why="TF.js pads with zeros only")
    value = view.operands[1] if len(view.operands) > 1 else None
    if value is not None and (isinstance(value, TensorOperand) or np.any(host_array(value))):
        view.refuse("It pads with other values than zero.")
    widths = [tuple(pair) for pair in view.value("pad_width")]
    if widths[0] != (0, 0):
        return view.refuse("It pads the batch.")
    sizes, parts = list(view.sample()), []
    for axis, (before, after) in enumerate(widths[1:]):
        if before or after:
            shape = product(*sizes[:axis]), sizes[axis], product(*sizes[axis + 1 :])
            parts += [view.reshaped(*shape), tfjs("ZeroPadding2D", {"padding": [[0, 0], [before, after]]})]
            sizes[axis] = None if sizes[axis] is None else (sizes[axis] or 0) + before + after
    return chain(*parts, view.reshaped(*view.made()))


def cast(view: LayerView) -> TfjsLayers:
    """Map a cast to a float dtype, all of which are float32 in TF.js."""
    view.takes_integers()
    view.only("dtype", "float16", "bfloat16", "float32", "float64", why="TF.js layers compute in float32")
    return rescaled()


def identity(view: LayerView) -> TfjsLayers:
    """Map what changes nothing."""
    view.takes_integers()
    return UNCHANGED


# ---------------------------------------------------------------------- operands


def _constant_operand(view: LayerView) -> Any:
    """Return what a tensor is computed with; None if that is another tensor."""
    constants = [one for one in view.operands[:2] if not isinstance(one, TensorOperand)]
    return constants[0] if constants else None


def _two(view: LayerView, merged: TfjsLayers) -> TfjsLayers:
    """Merge two tensors of the same rank: TF.js lines up shapes of different rank otherwise than NumPy."""
    shapes = view.calls[0].inputs
    if len({len(shape) for shape in shapes}) > 1:
        view.refuse(f"It takes tensors of shapes {' and '.join(map(str, shapes))}, which TF.js lines up otherwise.")
    return merged


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
    array = _constant(view, value)
    if array.size != 1:
        view.refuse("It compares with several constants; layers of TF.js can with one.")
        return 0.0
    return float(array.reshape(()))


OPERATIONS: Mapping[str, LayerMapping] = {
    "Absolute": absolute,
    "Add": add,
    "Amax": largest,
    "Amin": smallest,
    "Cast": cast,
    "Clip": clip,
    "Copy": identity,
    "Divide": divide,
    "ExpandDims": reshape,
    "GetItem": get_item,
    "Matmul": matmul,
    "Max": largest,
    "Maximum": maximum,
    "Mean": average,
    "Min": smallest,
    "Minimum": minimum,
    "Moveaxis": moveaxis,
    "Multiply": multiply,
    "Negative": lambda _: rescaled(-1.0),
    "Pad": pad,
    "Power": power,
    "Reshape": reshape,
    "Square": lambda _: squared(),
    "Squeeze": reshape,
    "Stack": stack,
    "Subtract": subtract,
    "Sum": total,
    "Swapaxes": swapaxes,
    "Transpose": transpose,
    "TrueDivide": divide,
}
