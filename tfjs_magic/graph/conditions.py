"""What a node has about it that TF.js does not compute rightly: asked by the op check, and by the passes that mend it.

Each is a question about one node of a graph; a row of ``wrong_kernels.json`` asks it by its name. What a single call of
an op shows is measured instead (``ops/kernels.py``).
"""

from __future__ import annotations

import re

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.batches import is_end_of_product
from tfjs_magic.graph.counts import is_counted, is_own_length
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.outputs import MADE
from tfjs_magic.graph.refs import node_of, port_of
from tfjs_magic.graph.regular_expressions import is_alike_in_javascript
from tfjs_magic.graph.tensor_lists import READS, is_shared, users_of_list

_INTEGERS = frozenset("int8 int16 int32 int64 uint8 uint16 uint32 uint64".split())
_FLOATS = frozenset("float16 float32 float64".split())
_LARGEST = 2**24
#: What leaves the numbers where they are.
_VIEWS = frozenset({"ExpandDims", "Identity", "Reshape", "Squeeze"})
_MOST_AXES = 6
#: What puts numbers elsewhere.
_MOVES = frozenset(
    "BroadcastTo Concat ConcatV2 Fill Gather GatherNd GatherV2 MirrorPad Pack Pad PadV2 Reshape Reverse ReverseV2 "
    "ScatterNd Select SelectV2 Slice SparseToDense Split SplitV StridedSlice Tile Transpose".split()
)
_UNKNOWN_DTYPES = frozenset("bfloat16 int16 uint16 uint32 uint64".split())


def always(_: Graph, __: Node) -> bool:
    """Whether it is there at all."""
    return True


def is_channels_first(_: Graph, node: Node) -> bool:
    """Whether its data have the channels before height and width."""
    data_format = node.attrs.get("data_format", b"")
    return isinstance(data_format, bytes) and data_format.startswith(b"NC")


def groups(graph: Graph, node: Node) -> int:
    """Return the number of groups of channels that a convolution works on apart, which only shapes tell; else 1."""
    data, kernel = (graph.shape(ref) for ref in node.inputs[:2])
    if not data or not kernel:
        return 1
    given, taken = data[1 if is_channels_first(graph, node) else -1], kernel[-2]
    return given // taken if given and taken else 1


def is_grouped(graph: Graph, node: Node) -> bool:
    """Whether a convolution works on groups of channels."""
    return groups(graph, node) != 1


def is_dilated(_: Graph, node: Node) -> bool:
    """Whether its kernel has gaps."""
    return not {1}.issuperset(axis_sizes(node, "dilations"))


def steps_and_dilates(graph: Graph, node: Node) -> bool:
    """Whether it has a stride and a dilation other than 1."""
    return is_dilated(graph, node) and not {1}.issuperset(axis_sizes(node, "strides"))


def leaves_data_out(graph: Graph, node: Node) -> bool:
    """Whether padding is SAME and a stride longer than the window, or may be."""
    if node.attrs.get("padding") != b"SAME":
        return False
    strides = axis_sizes(node, "strides")
    rates = axis_sizes(node, "dilations") or (1,) * len(strides)
    kernel = axis_sizes(node, "ksize") or graph.shape(node.inputs[1])
    if kernel is None:
        return True
    axes = zip(strides, kernel, rates, strict=False)
    return any(stride > ((side or 1) - 1) * rate + 1 for stride, side, rate in axes)


def counts_axis_from_back(graph: Graph, node: Node) -> bool:
    """Whether its axis is negative, or may be."""
    axis = graph.constant(node.inputs[1])
    return axis is None or int(axis) < 0


def makes_inner_axis(_: Graph, node: Node) -> bool:
    """Whether the axis that it adds is not the last."""
    return node.attrs.get("axis", -1) != -1


def is_list_shared(graph: Graph, node: Node) -> bool:
    """Whether something else may use, as it was, the list that it changes."""
    return is_shared(graph, node)


def may_keep_gaps(graph: Graph, node: Node) -> bool:
    """Whether items of a new list, made outside of loops and branches, may never be set and yet be read."""
    users = users_of_list(graph, node)
    if users is None or not any(user.op in READS for user in users):
        return False
    places = [graph.constant(user.inputs[1]) for user in users if user.op == "TensorListSetItem"]
    known = {int(place) for place in places if place is not None}
    return any(place is None for place in places) or known != set(range(len(known)))


def writes_into_operand(graph: Graph, node: Node) -> bool:
    """Whether it updates a tensor that is not a copy made for it."""
    copy = graph.producer(node.inputs[0])
    return copy.op not in {"LogicalOr", "Mul"} or graph.only_consumer(copy.name) is not node


def finds_values_wrongly(graph: Graph, node: Node) -> bool:
    """Whether a count only says which values are there, of a vector, or has weights beside; TF.js then counts."""
    shape, weights = (graph.shape(ref) for ref in node.inputs[::2])
    is_vector = shape is None or len(shape) == 1
    return node.attrs.get("binary_output", False) is True and (is_vector or weights != (0,))


def crops_from_any_image(graph: Graph, node: Node) -> bool:
    """Whether the images that boxes are cut from are not simply one after the other, or may be."""
    images = graph.constant(node.inputs[2])
    return images is None or not np.array_equal(images, np.arange(len(images)))


def counts_one_number(graph: Graph, node: Node) -> bool:
    """Whether what it counts has no axis."""
    return graph.shape(node.inputs[0]) == ()


def draws_from_one_outcome(graph: Graph, node: Node) -> bool:
    """Whether a random choice has one outcome only."""
    shape = graph.shape(node.inputs[0])
    return shape is not None and shape[-1] == 1


def is_band(graph: Graph, node: Node, offsets: Array) -> bool:
    """Whether an op on diagonals takes more than one, or makes matrices that are not just as large as it needs.

    Args:
        graph: Where the node is.
        node: A MatrixDiag, MatrixDiagPart or MatrixSetDiag of any version.
        offsets: Its first and last diagonal, or the one; 0 is the main one.
    """
    if len({*offsets.ravel().tolist()}) != 1:
        return True
    if not re.fullmatch("MatrixDiag(V[23])?", node.op):
        return False
    sizes = [graph.constant(ref) for ref in node.inputs[2:4]]
    rows, columns = (None if size is None else int(size.ravel()[0]) for size in sizes or [np.array(-1)] * 2)
    if rows == columns == -1:
        return False
    length, k = (graph.shape(node.inputs[0]) or (None,))[-1], int(offsets.ravel()[0])
    if length is None or rows is None or columns is None:
        return True
    rows, columns = (
        least if size == -1 else size for size, least in ((rows, length - min(k, 0)), (columns, length + max(k, 0)))
    )
    return not rows == columns == length + abs(k)


def keeps_axes(_: Graph, node: Node) -> bool:
    """Whether a reduction keeps the axes along which it reduces."""
    return node.attrs.get("keep_dims", False) is True


def pads_to_size(_: Graph, node: Node) -> bool:
    """Whether the boxes that are chosen are filled up to a number."""
    return node.attrs.get("pad_to_max_output_size", False) is True


def lacks_an_output(graph: Graph, node: Node) -> bool:
    """Whether an output is used that TF.js does not make."""
    return max(used_outputs(graph, node), default=0) >= MADE.get(node.op, node.outputs)


def used_outputs(graph: Graph, node: Node) -> set[int]:
    """Return which outputs of a node other nodes take, or are public."""
    return graph.used_ports(node.name) | {port_of(ref) for ref in graph.outputs.values() if node_of(ref) == node.name}


def takes_another_length(graph: Graph, node: Node) -> bool:
    """Whether a Fourier transform takes another length than its data's own, or may."""
    shape, lengths = graph.shape(node.inputs[0]), graph.constant(node.inputs[1])
    if lengths is None:
        return not is_own_length(graph, node)
    side = None if shape is None else shape[-1]
    return side is None or int(lengths[-1]) != (side if node.op == "RFFT" else 2 * (side - 1))


def broadcasts_inner_batch(graph: Graph, node: Node) -> bool:
    """Whether a product of matrices repeats one along a batch axis that is not the first, or may."""
    a, b = (graph.shape(ref) for ref in node.inputs)
    return a is not None and b is not None and not (is_end_of_product(a, b) and is_end_of_product(b, a))


def reduced_axes(graph: Graph, node: Node) -> tuple[int, ...] | None:
    """Return the axes that a reduction takes away, counted from the front; None if they, or the rank, are unknown."""
    shape, axes = graph.shape(node.inputs[0]), graph.constant(node.inputs[1])
    return None if shape is None or axes is None else tuple(int(axis) % len(shape) for axis in axes.ravel())


def may_reduce_nothing(graph: Graph, node: Node) -> bool:
    """Whether a reduction has no value to reduce, or as many as the values of tensors decide."""
    shape, axes = graph.shape(node.inputs[0]), reduced_axes(graph, node)
    if shape is None or axes is None:
        return is_counted(graph, node.inputs[0], by_cuts=False)
    sizes = [shape[axis] for axis in axes]
    if 0 in sizes or None not in sizes:
        return 0 in sizes
    source = graph.producer(node.inputs[0])
    sides = graph.constant(source.inputs[1]) if source.op == "PadV2" else None
    if sides is not None and all(sides[axis].sum() > 0 for axis in axes if shape[axis] is None):
        return False
    return is_counted(graph, node.inputs[0])


def has_vector_condition(graph: Graph, node: Node) -> bool:
    """Whether each value of a Select's condition stands for a whole row, or may."""
    condition, rows = (graph.shape(ref) for ref in node.inputs[:2])
    return condition is None or (len(condition) == 1 and (rows is None or len(rows) > 1))


def takes_booleans(_: Graph, node: Node) -> bool:
    """Whether its data are booleans."""
    return node.attrs.get("T") == "bool"


def takes_floats(_: Graph, node: Node) -> bool:
    """Whether its data are float32."""
    return node.attrs.get("T") == "float32"


def takes_integers(_: Graph, node: Node) -> bool:
    """Whether its data are integers."""
    return node.attrs.get("T") in _INTEGERS


def takes_no_floats(_: Graph, node: Node) -> bool:
    """Whether its data are no floats; TF.js keeps all floats as float32."""
    return node.attrs.get("T") not in _FLOATS


def takes_strings(_: Graph, node: Node) -> bool:
    """Whether its data are texts."""
    return node.attrs.get("T") == "string"


def makes_floats_or_booleans(_: Graph, node: Node) -> bool:
    """Whether it makes anything but integers; TF.js keeps all floats as float32."""
    return node.attrs.get("T") in {"bool", *_FLOATS}


def casts_to_unknown_dtype(_: Graph, node: Node) -> bool:
    """Whether it casts to what the converter does not know."""
    return node.attrs.get("DstT") in _UNKNOWN_DTYPES


def casts_to_booleans(_: Graph, node: Node) -> bool:
    """Whether it makes booleans of numbers."""
    return node.attrs.get("DstT") == "bool" and node.attrs.get("SrcT") != "bool"


def steps_over_integers(graph: Graph, node: Node) -> bool:
    """Whether a slice steps over values that are no floats, or may."""
    return _steps(graph, node) and (takes_integers(graph, node) or takes_booleans(graph, node))


def steps_over_texts(graph: Graph, node: Node) -> bool:
    """Whether a slice steps over texts, or may."""
    return _steps(graph, node) and takes_strings(graph, node)


def drops_and_steps(graph: Graph, node: Node) -> bool:
    """Whether a slice drops an axis, and steps over values, or may."""
    return node.attrs.get("shrink_axis_mask", 0) != 0 and _steps(graph, node)


def is_no_product(_: Graph, node: Node) -> bool:
    """Whether an Einsum is anything but a product of matrices, or a transposition and a sum."""
    equation = node.attrs["equation"]
    assert isinstance(equation, bytes)
    inputs, _arrow, out = equation.decode().replace(" ", "").partition("->")
    terms = inputs.split(",")
    alone = len(terms) > 1 and any(sum(x in term for term in terms) == 1 and x not in out for x in "".join(terms))
    return alone or "..." in inputs + out or any(len(set(term)) != len(term) for term in terms)


def names_axes_alike(_: Graph, node: Node) -> bool:
    """Whether two labels of an Einsum are the same letter but for the case, which the converter drops."""
    equation = node.attrs["equation"]
    assert isinstance(equation, bytes)
    return len(set(equation.decode())) != len(set(equation.decode().lower()))


def replaces_unlike_javascript(_: Graph, node: Node) -> bool:
    """Whether a regular expression, or what takes its place, may mean something else in JavaScript."""
    pattern, rewrite = node.attrs["pattern"], node.attrs["rewrite"]
    assert isinstance(pattern, bytes)
    assert isinstance(rewrite, bytes)
    return not is_alike_in_javascript(pattern, rewrite, everywhere=node.attrs.get("replace_global", True) is True)


def pads_with_large_integer(graph: Graph, node: Node) -> bool:
    """Whether the integer that it pads with is none of float32, or may be."""
    value = graph.constant(node.inputs[2])
    return takes_integers(graph, node) and (value is None or int(np.float32(value)) != int(value))


def reflects(_: Graph, node: Node) -> bool:
    """Whether an image goes on beyond its edges as its mirror image."""
    return node.attrs.get("fill_mode") == b"REFLECT"


def has_over_six_axes(graph: Graph, node: Node) -> bool:
    """Whether it computes with a tensor of more than six axes, or makes one."""
    if node.op in _VIEWS or node.op in {"Const", "Placeholder"}:
        return False
    tensors = [*node.inputs, *map(node.ref, range(node.outputs))]
    return any(len(graph.shape(ref) or ()) > _MOST_AXES for ref in tensors)


def has_many_axes(graph: Graph, node: Node) -> bool:
    """Whether its first operand has more than four axes."""
    return len(graph.shape(node.inputs[0]) or ()) > 4


def steps_over_many_axes(graph: Graph, node: Node) -> bool:
    """Whether a slice steps over values of more than four axes, or may."""
    return has_many_axes(graph, node) and _steps(graph, node)


def has_choice_of_many_axes(graph: Graph, node: Node) -> bool:
    """Whether the values that a Select chooses from, or its condition, have more than four axes."""
    return any(len(graph.shape(ref) or ()) > 4 for ref in node.inputs)


def accumulates_backwards(_: Graph, node: Node) -> bool:
    """Whether a cumulative op begins at the end."""
    return node.attrs.get("reverse", False) is True


def permutes_no_floats(graph: Graph, node: Node) -> bool:
    """Whether it permutes more than two axes of integers or booleans, or of what was cast from them, or may.

    A reduction permutes, too, but for one along the last axes.
    """
    shape, source = graph.shape(node.inputs[0]), graph.producer(node.inputs[0])
    if shape is not None and (len(shape) <= 2 or not _permutes(graph, node, len(shape))):
        return False
    while source.op in _VIEWS or (source.op == "StridedSlice" and source.attrs.get("new_axis_mask", 0) != 0):
        source = graph.producer(source.inputs[0])
    is_cast = source.op == "Cast" and source.attrs["SrcT"] in {*_INTEGERS, "bool"}
    takes_no_number = node.op in {"All", "Any"}
    return is_cast or takes_no_number or takes_integers(graph, node) or takes_booleans(graph, node)


def _permutes(graph: Graph, node: Node, rank: int) -> bool:
    """Whether an op permutes axes; one that works along the last ones need not."""
    if node.op in {"BatchToSpaceND", "Transpose"}:
        return True
    axes = graph.constant(node.inputs[1])
    if axes is None:
        return True
    places = {int(axis) % rank for axis in axes.ravel()}
    return places != set(range(rank - len(places), rank))


def is_masked_by_a_huge_number(graph: Graph, node: Node) -> bool:
    """Whether its operand is chosen, in part, from finite numbers beyond -1e20."""
    return masked_by(graph, graph.producer(node.inputs[0])) is not None


def masked_by(graph: Graph, choice: Node) -> int | None:
    """Return which operand of a choice holds finite numbers beyond -1e20."""
    if choice.op in {"Select", "SelectV2"} and choice.attrs.get("T") == "float32":
        for place in (1, 2):
            mask = graph.constant(choice.inputs[place])
            if mask is not None and ((mask < -1e20) & np.isfinite(mask)).any():
                return place
    return None


def may_be_masked_as_a_whole(graph: Graph, node: Node) -> bool:
    """Whether it takes the largest, or smallest, of values that are chosen, in part, from such beyond ∓1e20."""
    choice, sign = graph.producer(node.inputs[0]), 1 if node.op == "Min" else -1
    if choice.op not in {"Select", "SelectV2"} or not takes_floats(graph, choice):
        return False
    masks = (graph.constant(ref) for ref in choice.inputs[1:])
    return any(mask is not None and bool((sign * mask > 1e20).any()) for mask in masks)


def finds_in_five_axes(graph: Graph, node: Node) -> bool:
    """Whether each place that it reads or writes is one in more than four axes."""
    places = graph.shape(node.inputs[0 if node.op == "ScatterNd" else 1])
    return places is not None and (places[-1] or 0) > 4


def meets_large_integer(graph: Graph, node: Node) -> bool:
    """Whether it computes with a constant integer beyond 2^24, from where on float32 leaves numbers out.

    What is only moved may be one that float32 has.
    """
    if node.attrs.get("T", node.attrs.get("Tparams")) not in _INTEGERS:
        return False
    values = [value.astype(np.int64) for ref in node.inputs if (value := graph.constant(ref)) is not None]
    if node.op in _MOVES:
        return any((value != value.astype(np.float32)).any() for value in values)
    return any((np.abs(value) > _LARGEST).any() for value in values)


def counts_without_float_weights(graph: Graph, node: Node) -> bool:
    """Whether it counts anything but the float weights of one example."""
    counts = graph.shape(node.inputs[2]) == (0,) or node.attrs.get("binary_output") is True
    return counts or not takes_floats(graph, node) or not takes_vector(graph, node)


def takes_vector(graph: Graph, node: Node) -> bool:
    """Whether its first operand has one axis."""
    shape = graph.shape(node.inputs[0])
    return shape is not None and len(shape) == 1


def meets_vector(graph: Graph, node: Node) -> bool:
    """Whether one operand is a vector of more than one value, and the other one has more than four axes."""
    a, b = (graph.shape(ref) for ref in node.inputs[:2])
    return any(
        one is not None and other is not None and len(one) == 1 and one != (1,) and len(other) > 4
        for one, other in ((a, b), (b, a))
    )


def axis_sizes(node: Node, key: str) -> tuple[int, ...]:
    """Return an attribute's number for each axis between the first and the last, batch and channels; none if absent."""
    value = node.attrs.get(key)
    return tuple(int(size) for size in value[1:-1]) if isinstance(value, tuple) else ()  # type: ignore[arg-type]


def _steps(graph: Graph, node: Node) -> bool:
    """Whether a slice steps over values, or may."""
    strides = graph.constant(node.inputs[3])
    return strides is None or bool((strides != 1).any())
