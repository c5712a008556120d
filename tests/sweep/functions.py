"""Functions and modules that try to break the conversion: names, sharing, control flow, dtypes, sizes, refusals."""

from __future__ import annotations

import functools
import inspect
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tests.sweep.subject import Case, Domain, Subject, drawn
from tfjs_magic.artifacts import Array

F, N, L, B, S = tf.float32, tf.int32, tf.int64, tf.bool, tf.string
_DOMAINS: dict[Any, Domain] = {N: "tokens", L: "tokens", tf.uint8: "tokens", B: "coins", S: "words"}


def cases() -> Iterator[Case]:
    """Yield every case."""
    for name, function, specs in _FUNCTIONS:
        yield Case(name, functools.partial(_subject, function, specs))
    for name, function, specs in _SAVED:
        yield Case(f"SavedModel: {name}", functools.partial(_saved, function, specs))
    for name in sorted(_UNARY):
        for dtype in (F, N)[: 1 if name == "Round" else 2]:  # TensorFlow's own Round gives 0 for every integer
            yield Case(f"{name} of {dtype.name}", functools.partial(_elementwise, name, dtype, 1))
    for name in sorted(_BINARY):
        for dtype in (F, N):
            yield Case(f"{name} of {dtype.name}", functools.partial(_elementwise, name, dtype, 2))


# ---------------------------------------------------------------------- subjects


def _spec(name: str, *shape: int | None, dtype: Any = F) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype, name)


def _x(*shape: int | None, dtype: Any = F) -> list[tf.TensorSpec]:
    return [_spec("x", *shape, dtype=dtype)]


def _feeds(specs: list[tf.TensorSpec]) -> list[dict[str, Array]]:
    return [
        {
            spec.name: drawn(
                spec.name,
                tuple(2 + seed if side is None else side for side in spec.shape),
                spec.dtype.as_numpy_dtype if spec.dtype != S else "object",
                _DOMAINS.get(spec.dtype, "normal"),
                seed,
            )
            for spec in specs
        }
        for seed in (0, 1)
    ]


def _subject(function: Callable[..., Any], specs: list[tf.TensorSpec]) -> Subject:
    tf.random.set_seed(1)
    if isinstance(function, type):
        module = function()
        module.__call__.get_concrete_function(*specs)
        return Subject(module, _feeds(specs), options={"signature": "__call__"})
    return Subject(tf.function(function).get_concrete_function(*specs), _feeds(specs))


def _saved(module: type[tf.Module], specs: list[tf.TensorSpec]) -> Subject:
    """Save it, and forget it: the directory is all there is."""
    tf.random.set_seed(1)
    made = module()
    directory = Path(tempfile.mkdtemp(prefix="tfjs_magic_sweep_"))
    tf.saved_model.save(made, str(directory), signatures=made.__call__.get_concrete_function(*specs))
    return Subject(str(directory), _feeds(specs))


#: What tells kernels apart: signs, halves, zero, values that saturate. TF.js's kernels differ from each other, and from
#: TensorFlow, in NaN and in sums that overflow int32; no conversion can mend that.
_TELLING = {
    F: np.float32([-7.25, -2.5, -1.5, -1.0, -0.5, 0.0, 0.31, 0.5, 0.999, 1.0, 1.5, 2.5, 3.5, 7.0, 20, 85.0]),
    N: np.int32([-100, -7, -4, -3, -1, 1, 2, 3, 5, 8, 100]),
}
_NO_NUMBERS = np.float32([np.inf, -np.inf, np.nan])


def _elementwise(name: str, dtype: Any, arity: int) -> Subject:
    values = np.append(_TELLING[dtype], _NO_NUMBERS) if name.startswith("Is") else _TELLING[dtype]
    columns = [values] if arity == 1 else [x.ravel() for x in np.meshgrid(values, values)]
    op = getattr(tf.raw_ops, name)
    arguments = list(inspect.signature(op).parameters)[:arity]
    specs = [_spec(f"in{i}", None, dtype=dtype) for i in range(arity)]

    def function(*tensors: Any) -> Any:
        return op(**dict(zip(arguments, tensors, strict=True)))

    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    feed = {f"in{i}": column for i, column in enumerate(columns)}
    shifted = {key: np.roll(value, 1 + i) for i, (key, value) in enumerate(feed.items())}
    return Subject(concrete, [feed, shifted], tolerance=1e-4)


_UNARY = frozenset(
    {
        *(
            "Abs",
            "Acos",
            "Acosh",
            "Asin",
            "Asinh",
            "Atan",
            "Atanh",
            "Ceil",
            "Cos",
            "Cosh",
            "Elu",
            "Erf",
            "Erfc",
            "Erfinv",
        ),
        *(
            "Exp",
            "Expm1",
            "Floor",
            "Inv",
            "IsFinite",
            "IsInf",
            "IsNan",
            "Lgamma",
            "Digamma",
            "Log",
            "Log1p",
            "Neg",
            "Ndtri",
        ),
        *(
            "Reciprocal",
            "Relu",
            "Relu6",
            "Rint",
            "Round",
            "Rsqrt",
            "Selu",
            "Sigmoid",
            "Sign",
            "Sin",
            "Sinh",
            "Softplus",
        ),
        *("Softsign", "Sqrt", "Square", "Tan", "Tanh", "Invert"),
    }
)
_BINARY = frozenset(
    {
        *("Add", "AddV2", "Atan2", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "DivNoNan", "Equal", "FloorDiv"),
        *("FloorMod", "Greater", "GreaterEqual", "LeftShift", "Less", "LessEqual", "Maximum", "Minimum", "Mod", "Mul"),
        *("MulNoNan", "NotEqual", "Pow", "RealDiv", "RightShift", "SquaredDifference", "Sub", "TruncateDiv"),
        *("TruncateMod", "Xdivy", "Xlogy", "Xlog1py"),
    }
)


# ---------------------------------------------------------------------- modules with weights


def _weights(*shape: int, seed: int = 0) -> tf.Variable:
    return tf.Variable(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


class _SharedConv(tf.Module):
    """One kernel in two convolutions, only one of them normalised; every intermediate has a second consumer."""

    def __init__(self) -> None:
        self.kernel = _weights(3, 3, 2, 4)
        self.scale, self.offset = _weights(4, seed=1), _weights(4, seed=2)
        self.mean, self.variance = _weights(4, seed=3), tf.Variable([0.5, 1.0, 1.5, 2.0])

    @tf.function
    def __call__(self, x: Any) -> Any:
        first, second = (tf.nn.conv2d(y, self.kernel, 1, "SAME") for y in (x, -x))
        normal, *_ = tf.compat.v1.nn.fused_batch_norm(
            first, self.scale, self.offset, self.mean, self.variance, is_training=False
        )
        active = tf.nn.relu(normal)
        return {"active": active, "normal": normal + 1, "first": first * 2, "second": tf.nn.relu6(second)}


class _BranchReads(tf.Module):
    """Variables that only one branch reads."""

    def __init__(self) -> None:
        self.a, self.b = _weights(3), _weights(3, seed=1)

    @tf.function
    def __call__(self, x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0, lambda: x * self.a, lambda: x - self.b)


class _BodyReads(tf.Module):
    """A variable that the body reads, and one that is read before it, too."""

    def __init__(self) -> None:
        self.a, self.b = _weights(3), _weights(3, seed=1)

    @tf.function
    def __call__(self, x: Any) -> Any:
        y = x + self.b
        for _ in tf.range(tf.shape(x)[0]):
            y = tf.tanh(y * self.a + self.b)
        return y


class _WeightsAsOutputs(tf.Module):
    """A variable and a constant leave as they are."""

    def __init__(self) -> None:
        self.a = _weights(40, 30)

    @tf.function
    def __call__(self, x: Any) -> Any:
        return {
            "x": x,
            "weights": self.a,
            "constant": tf.constant([1.5, 2.5]),
            "again": self.a,
            "sum": x + self.a[0, :3],
        }


class _Counter(tf.Module):
    """State that reaches the output."""

    def __init__(self) -> None:
        self.count = tf.Variable(0.0, name="visits")

    @tf.function
    def __call__(self, x: Any) -> Any:
        return x + self.count.assign_add(1.0)


class _CountsAside(tf.Module):
    """State that no output needs."""

    def __init__(self) -> None:
        self.count, self.a = tf.Variable(0.0, name="visits"), _weights(3)

    @tf.function
    def __call__(self, x: Any) -> Any:
        self.count.assign_add(1.0)
        return x * self.a


class _UnusedTable(tf.Module):
    """A table that the function does not read."""

    def __init__(self) -> None:
        rows = tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2])
        self.table, self.a = tf.lookup.StaticHashTable(rows, -1), _weights(3)

    @tf.function
    def __call__(self, x: Any) -> Any:
        return x * self.a


class _Table(tf.Module):
    def __init__(self) -> None:
        rows = tf.lookup.KeyValueTensorInitializer(["ant", "bee", "cat"], tf.constant([1, 2, 3], tf.int64))
        self.table = tf.lookup.StaticHashTable(rows, -1)

    @tf.function
    def __call__(self, x: Any) -> Any:
        return self.table.lookup(x)


class _IntTable(tf.Module):
    def __init__(self) -> None:
        rows = tf.lookup.KeyValueTensorInitializer(tf.constant([1, 4, 6], L), tf.constant([0.5, 2.5, -1.0]))
        self.table = tf.lookup.StaticHashTable(rows, -7.0)

    @tf.function
    def __call__(self, x: Any) -> Any:
        return self.table.lookup(x)


class _Nested(tf.Module):
    """A shared inner function, called three times, once compiled."""

    def __init__(self) -> None:
        self.kernel, self.bias = _weights(4, 4), _weights(4, seed=1)

    @tf.function(jit_compile=True)
    def inner(self, x: Any) -> Any:
        return tf.nn.relu(x @ self.kernel + self.bias)

    @tf.function
    def middle(self, x: Any) -> Any:
        return self.inner(x) + x

    @tf.function
    def __call__(self, x: Any) -> Any:
        return self.middle(self.inner(x)) - self.inner(-x)


class _Big(tf.Module):
    """A constant that is no variable, captured, and one in a loop."""

    def __init__(self) -> None:
        self.table = tf.constant(np.random.default_rng(5).normal(size=(60, 5)).astype(np.float32))

    @tf.function
    def __call__(self, x: Any) -> Any:
        y = tf.gather(self.table, x)
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y + self.table[i]), (0, y))[1]


class _Transposed(tf.Module):
    """Weights that are multiplied transposed, stacked and sliced."""

    def __init__(self) -> None:
        self.a = _weights(5, 4)

    @tf.function
    def __call__(self, x: Any) -> Any:
        return {
            "t": tf.matmul(x, self.a, transpose_b=True),
            "both": tf.matmul(tf.transpose(x), tf.matmul(x, self.a, transpose_b=True)),
            "batch": tf.matmul(x[:, None], self.a[None], transpose_b=True),
            "adjoint": tf.linalg.matmul(x, self.a, adjoint_b=True),
            "slice": x @ tf.transpose(self.a)[:, 1:3],
        }


# ---------------------------------------------------------------------- control flow


def _loop_in_loop(x: Any) -> Any:
    y = x
    for i in tf.range(3):
        for j in tf.range(i + 1):
            y = y * 0.5 + tf.cast(j, F)
    return y


def _condition_in_loop(x: Any) -> Any:
    y = x
    for i in tf.range(4):
        y = y + 1 if tf.reduce_sum(y) > 0 else y * 2 - tf.cast(i, F)
    return y


def _loop_in_condition(x: Any) -> Any:
    if tf.reduce_sum(x) > 0:
        y = x
        while tf.reduce_sum(y) < 50:
            y = y * 2 + 1
    else:
        y = -x
    return y


def _condition_in_condition(x: Any) -> Any:
    total = tf.reduce_sum(x)
    return tf.cond(total > 0, lambda: tf.cond(total > 1, lambda: x * 2, lambda: x * 3), lambda: -x)


def _early_break(x: Any) -> Any:
    y = tf.zeros_like(x[0])
    for row in x:
        if tf.reduce_sum(row) > 2:
            break
        y += row
    return y


def _grows(x: Any) -> Any:
    found = tf.TensorArray(F, 0, dynamic_size=True)
    for i in tf.range(tf.shape(x)[0]):
        if x[i, 0] > 0:
            found = found.write(found.size(), x[i])
    return {"rows": found.stack(), "size": found.size()}


def _map(x: Any) -> Any:
    return tf.map_fn(lambda row: tf.reduce_sum(row) * row, x)


def _map_pair(x: Any) -> Any:
    return tf.map_fn(lambda row: (row * 2, tf.cast(tf.argmax(row), N)), x, fn_output_signature=(F, N))


def _scan(x: Any) -> Any:
    return tf.scan(lambda carry, row: carry * 0.5 + row, x)


def _fold(x: Any) -> Any:
    return tf.foldl(lambda carry, row: tf.tanh(carry + row), x, tf.zeros(3))


def _array_of_parts(x: Any) -> Any:
    parts = tf.TensorArray(F, 3).unstack(x)
    return {"concat": parts.concat(), "second": parts.read(1), "gather": parts.gather([2, 0])}


def _switch(x: Any) -> Any:
    index = tf.cast(tf.abs(x[0, 0]) * 3, N)
    return tf.switch_case(index, [lambda: x, lambda: x * 2, lambda: -x, lambda: x + 1])


def _case(x: Any) -> Any:
    total = tf.reduce_sum(x)
    return tf.case([(total > 2, lambda: x * 2), (total < -1, lambda: x * 3)], default=lambda: x - 1)


def _many_variables(x: Any) -> Any:
    def body(i: Any, a: Any, b: Any, c: Any) -> Any:
        return i + 1, b, a + tf.cast(i, F), tf.concat([c[1:], a[:1]], 0)

    return tf.while_loop(lambda i, *_: i < 5, body, (0, x, x * 2, -x))[1:]


def _branch_constants(x: Any) -> Any:
    return tf.cond(tf.reduce_sum(x) > 0, lambda: (x, tf.constant(1)), lambda: (tf.zeros_like(x), tf.constant(2)))


# ---------------------------------------------------------------------- the rest


def _assertions(x: Any) -> Any:
    tf.debugging.assert_less(x, 100.0, message="too large")
    tf.print("sum", tf.reduce_sum(x))
    checked = tf.debugging.check_numerics(x, "NaN")
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(x < 90), [x])]):
        return tf.identity(checked) * 2


class _Pair(NamedTuple):
    zebra: Any
    apple: Any


def _structures(x: Any) -> Any:
    return {"z": [x, x + 1], "a": _Pair(x * 2, {"deep": x * 3})}


def _slices(x: Any) -> dict[str, Any]:
    return {
        "ellipsis": x[..., 1],
        "newaxis": x[:, tf.newaxis, 1:3],
        "negative": x[-1, ::-1],
        "steps": x[:, 1:6:2, ::-1],
        "reversed": x[:, 4:1:-1],
        "empty": tf.concat([x[:, 3:3], x], 1),
        "dynamic": x[:, : tf.shape(x)[0]],
        "shrink": x[0, 1, 2],
    }


def _integers(x: Any) -> dict[str, Any]:
    return {
        "div": x // -3,
        "mod": x % -3,
        "truncated": tf.truncatediv(x, -3),
        "true": x / 4,
        "power": x**2,
        "mean": tf.reduce_mean(x),
        "shifted": tf.bitwise.left_shift(x, 2),
        "cast": tf.cast(tf.cast(x, F) * -0.7, N),
        "bool": tf.cast(x - 3, B),
    }


def _specials(x: Any) -> dict[str, Any]:
    return {
        "nan": tf.math.is_nan(tf.math.log(x)),
        "inf": 1 / tf.nn.relu(x),
        "where": tf.where(x > 0, x, tf.constant(np.nan)),
        "maximum": tf.maximum(tf.math.sqrt(x), 0.5),
        "clip": tf.clip_by_value(x / 0.0, -3, 3),
        "constant": x * tf.constant([np.inf, -np.inf, 1e38]),
        "argmax": tf.argmax(x, 1),
        "minus": 1 / (-0.0 * tf.abs(x)),
    }


def _one_hots(x: Any) -> dict[str, Any]:
    return {
        "float": tf.one_hot(x, 9),
        "int": tf.one_hot(x, 9, dtype=N),
        "bool": tf.one_hot(x, 9, on_value=True, off_value=False, dtype=B),
        "values": tf.one_hot(x, 5, 2.5, -1.0),
        "first": tf.one_hot(x, 9, axis=0),
        "middle": tf.one_hot(x, 9, axis=1),
    }


def _reductions(x: Any) -> dict[str, Any]:
    return {
        "none": tf.reduce_sum(x, []),
        "all": tf.reduce_prod(x),
        "negative": tf.reduce_max(x, [-1, 0], keepdims=True),
        "std": tf.math.reduce_std(x, 1),
        "norm": tf.norm(x, axis=[0, 2]),
        "logsumexp": tf.reduce_logsumexp(x, -2),
        "any": tf.reduce_any(x > 1, 0),
        "euclidean": tf.math.reduce_euclidean_norm(x, 1),
        "cumsum": tf.cumsum(x, 1, exclusive=True, reverse=True),
        "cumprod": tf.math.cumprod(x, -2, exclusive=True),
        "cumlogsumexp": tf.math.cumulative_logsumexp(x, 1),
    }


def _shapes(x: Any) -> dict[str, Any]:
    shape = tf.shape(x)
    return {
        "shape": shape,
        "size": tf.size(x),
        "rank": tf.rank(x),
        "fill": tf.fill([shape[0], 2], 1.5),
        "range": tf.range(0, shape[0] * 2, 2),
        "tile": tf.tile(x, [1, shape[0]]),
        "broadcast": tf.broadcast_to(x[:, :1], shape),
        "reshape": tf.reshape(x, [-1, shape[0]]),
        "grid": tf.meshgrid(tf.range(shape[0]), tf.range(3))[0],
        "linspace": tf.linspace(0.0, 1.0, 5) * x[0, 0],
        "eye": tf.eye(shape[0]),
    }


_EINSUMS = (
    "bij,bjk->bik",
    "bhid,bhjd->bhij",
    "ij,jk->ki",
    "bi,bi->b",
    "bi,bj->bij",
    "abc,cd->abd",
    "ijk->kji",
    "ij->j",
    "ii->i",
    "...ij,jk->...ik",
    "bi,->bi",
    "abc,abd->cd",
)


def _einsum(equation: str) -> tuple[str, Callable[..., Any], list[tf.TensorSpec]]:
    sizes = dict(zip("abcdhijk", (None, 3, 4, 5, 2, 3, 4, 3), strict=True)) | {"b": 3}
    if equation == "ii->i":
        sizes["i"] = 3
    terms = equation.split("->", maxsplit=1)[0].split(",")
    specs = [
        _spec(f"in{i}", *([2, 3] if "..." in term else []), *(sizes[letter] for letter in term if letter != "."))
        for i, term in enumerate(terms)
    ]
    return f"tf.einsum('{equation}')", lambda *tensors: tf.einsum(equation, *tensors), specs


_FUNCTIONS: list[tuple[str, Callable[..., Any], list[tf.TensorSpec]]] = [
    ("names that collide", lambda a, b: {"a": b, "b": a + b}, [_spec("a", None, 3), _spec("b", None, 3)]),
    ("input called Const", lambda x: x + tf.constant([1.0, 2, 3], name="Const"), [_spec("Const", None, 3)]),
    ("input passed on, twice", lambda x: {"one": x, "two": x, "three": tf.identity(x)}, _x(None, 3)),
    ("constants only beside", lambda x: {"x": x, "c": tf.constant(3), "t": tf.constant([True])}, _x(None, 3)),
    ("structured outputs", _structures, _x(None, 3)),
    ("shared conv with one batch norm", _SharedConv, _x(None, 6, 5, 2)),
    ("variables read in branches", _BranchReads, _x(None, 3)),
    ("variables read in a loop", _BodyReads, _x(None, 3)),
    ("weights as outputs", _WeightsAsOutputs, _x(None, 3)),
    ("variable written and read", _Counter, _x(None, 3)),
    ("variable written aside", _CountsAside, _x(None, 3)),
    ("unused table", _UnusedTable, _x(None, 3)),
    ("string table", _Table, _x(None, dtype=S)),
    ("integer table", _IntTable, _x(None, dtype=L)),
    ("nested functions, compiled", _Nested, _x(None, 4)),
    ("large constant in a loop", _Big, _x(None, dtype=N)),
    ("transposed weights", _Transposed, _x(3, 4)),
    ("loop in a loop", _loop_in_loop, _x(None, 3)),
    ("condition in a loop", _condition_in_loop, _x(None, 3)),
    ("loop in a condition", _loop_in_condition, _x(None, 3)),
    ("condition in a condition", _condition_in_condition, _x(None, 3)),
    ("early break", _early_break, _x(None, 3)),
    ("array that grows", _grows, _x(None, 3)),
    ("tf.map_fn", _map, _x(None, 3)),
    ("tf.map_fn, static", _map, _x(4, 3)),
    ("tf.map_fn with two results", _map_pair, _x(None, 3)),
    ("tf.scan", _scan, _x(None, 3)),
    ("tf.foldl", _fold, _x(None, 3)),
    ("TensorArray parts", _array_of_parts, _x(3, 4)),
    ("tf.switch_case", _switch, _x(None, 3)),
    ("tf.case", _case, _x(None, 3)),
    ("loop that swaps its variables", _many_variables, _x(None, 3)),
    ("branches with constants", _branch_constants, _x(None, 3)),
    ("assertions and prints", _assertions, _x(None, 3)),
    ("slices", _slices, _x(3, 7, 5)),
    ("integer arithmetic", _integers, _x(None, dtype=N)),
    ("NaN and infinity", _specials, _x(None, 3)),
    ("infinite bounds", lambda x: tf.clip_by_value(x, -np.inf, np.inf), _x(None, 3)),
    ("an attribute that is NaN", lambda x: tf.nn.leaky_relu(x, np.nan), _x(None, 3)),
    ("one hot", _one_hots, _x(None, 4, dtype=N)),
    ("reductions", _reductions, _x(2, 3, 4)),
    ("dynamic shapes", _shapes, _x(None, 3)),
    ("rank 0", lambda x: {"y": x * 2, "v": tf.stack([x, x + 1])}, _x()),
    ("empty tensors", lambda x: tf.concat([x[:0], x, x[:, :3][:0]], 0), _x(None, 3)),
    ("unknown rank", lambda x: tf.nn.relu(x) + 1, [tf.TensorSpec(None, F, "x")]),
    ("strings passed on", lambda x: {"x": x, "same": tf.equal(x, "ant")}, _x(None, dtype=S)),
    ("string operations", lambda x: tf.strings.join([x, "!"]), _x(None, dtype=S)),
    ("int64 in, int64 out", lambda x: x * 2 + tf.constant(5, L), _x(None, dtype=L)),
    ("int64 beyond int32", lambda x: x + tf.constant(2**40, L), _x(None, dtype=L)),
    ("uint8 image", lambda x: tf.cast(x, F) / 255 - 0.5, _x(None, 4, 4, 3, dtype=tf.uint8)),
    ("uint8 arithmetic", lambda x: x * tf.constant(100, tf.uint8), _x(None, dtype=tf.uint8)),
    ("integers to uint8", lambda x: tf.cast(tf.cast(x * 100 - 300, tf.uint8), F), _x(None, 3, dtype=N)),
    ("float64", lambda x: tf.cast(tf.cast(x, tf.float64) * np.pi, F), _x(None, 3)),
    (
        "bool in, bool out",
        lambda x: {"not": ~x, "any": tf.reduce_any(x, 1), "sum": tf.reduce_sum(tf.cast(x, N))},
        _x(None, 3, dtype=B),
    ),
    ("spectrum", lambda x: tf.abs(tf.signal.rfft(x)), _x(None, 16)),
    ("spectrum of any length", lambda x: tf.abs(tf.signal.rfft(x)), _x(None, None)),
    ("complex output", lambda x: tf.complex(x, 2 * x), _x(None, 3)),
    (
        "gathers",
        lambda x: {
            "batch": tf.gather(x, [[1, 0], [2, 2]], batch_dims=1),
            "axis": tf.gather(x, [2, 0], axis=-1),
            "nd": tf.gather_nd(x, [[0, 1], [1, 2]]),
        },
        _x(2, 3, 4),
    ),
    (
        "scatters",
        lambda x: {
            "update": tf.tensor_scatter_nd_update(x, [[1]], [[9.0, 9, 9]]),
            "add": tf.tensor_scatter_nd_add(x, [[0], [0]], tf.ones((2, 3))),
            "new": tf.scatter_nd([[4], [1]], x[:2], [5, 3]),
        },
        _x(3, 3),
    ),
    ("gather out of range", lambda x: tf.gather(tf.constant([1.0, 2, 3]), x), _x(None, dtype=N)),
    (
        "sorting",
        lambda x: {"top": tf.math.top_k(x, 2), "sort": tf.sort(x, direction="DESCENDING"), "arg": tf.argsort(x)},
        _x(None, 5),
    ),
    ("ties", lambda x: {"arg": tf.argmax(tf.round(x), 1), "top": tf.math.top_k(tf.round(x), 3).indices}, _x(None, 6)),
    (
        "selection",
        lambda x: {
            "where": tf.where(x > 0),
            "mask": tf.boolean_mask(x, x > 0),
            "unique": tf.unique(tf.cast(x[0], N))[0],
        },
        _x(None, 5),
    ),
    ("vector condition (Select)", lambda x: tf.raw_ops.Select(condition=x[:, 0] > 0, x=x, y=-x), _x(None, 5)),
    (
        "segments",
        lambda x: {"sum": tf.math.segment_sum(x, [0, 0, 2]), "unsorted": tf.math.unsorted_segment_sum(x, [2, 0, 2], 4)},
        _x(3, 2),
    ),
    (
        "roll, reverse, mask",
        lambda x: {"roll": tf.roll(x, 2, 1), "reverse": tf.reverse(x, [-1]), "mask": tf.sequence_mask([1, 3], 5)},
        _x(None, 5),
    ),
    ("reverse sequence", lambda x: tf.reverse_sequence(x, [1, 3], 1), _x(2, 5)),
    (
        "paddings",
        lambda x: {mode: tf.pad(x, [[0, 0], [2, 1], [1, 2]], mode) for mode in ("CONSTANT", "REFLECT", "SYMMETRIC")},
        _x(None, 4, 5),
    ),
    ("rounding", lambda x: {"round": tf.round(x * 2) / 2, "rint": tf.math.rint(x), "floor": tf.floor(-x)}, _x(None, 5)),
    (
        "diagonals",
        lambda x: {
            "diag": tf.linalg.diag(x),
            "part": tf.linalg.diag_part(x[:, None] * x[:, :, None]),
            "set": tf.linalg.set_diag(x[:, None] * x[:, :, None], x),
            "trace": tf.linalg.trace(x[:, None] * x[:, :, None]),
        },
        _x(2, 4),
    ),
    ("band", lambda x: {"lower": tf.linalg.band_part(x, -1, 0), "band": tf.linalg.band_part(x, 1, 2)}, _x(None, 4, 5)),
    ("band of any size", lambda x: tf.linalg.band_part(x, -1, 0), _x(None, None, None)),
    ("inverse", tf.linalg.inv, _x(3, 3)),
    ("determinant", tf.linalg.det, _x(3, 3)),
    (
        "resizes",
        lambda x: {m: tf.image.resize(x, (7, 5), m) for m in ("bilinear", "nearest", "bicubic", "area", "lanczos3")},
        _x(2, 4, 6, 3),
    ),
    ("resize to a smaller size, antialiased", lambda x: tf.image.resize(x, (3, 2), antialias=True), _x(2, 9, 7, 3)),
    ("resize, any size", lambda x: tf.image.resize(x, tf.shape(x)[1:3] * 2), _x(None, None, None, 3)),
    (
        "v1 resizes",
        lambda x: {
            "corners": tf.compat.v1.image.resize_bilinear(x, (7, 5), align_corners=True),
            "plain": tf.compat.v1.image.resize_nearest_neighbor(x, (7, 5)),
        },
        _x(2, 4, 6, 3),
    ),
    (
        "colours",
        lambda x: {
            "gray": tf.image.rgb_to_grayscale(x),
            "contrast": tf.image.adjust_contrast(x, 2.0),
            "flip": tf.image.flip_left_right(x),
            "rot": tf.image.rot90(x),
        },
        _x(2, 4, 6, 3),
    ),
    ("HSV", tf.image.rgb_to_hsv, _x(2, 4, 6, 3)),
    (
        "crops",
        lambda x: tf.image.crop_and_resize(x, [[0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]], [0, 1], (3, 4)),
        _x(2, 5, 6, 3),
    ),
    (
        "non-max suppression",
        lambda x: tf.image.non_max_suppression(tf.stack([x[0], x[0], x[0] + 1, x[0] + 1], 1), x[1], 3),
        _x(2, 6),
    ),
    (
        "space and depth",
        lambda x: {
            "s2d": tf.nn.space_to_depth(x, 2),
            "d2s": tf.nn.depth_to_space(x, 2),
            "s2b": tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]),
        },
        _x(2, 4, 6, 4),
    ),
    (
        "patches",
        lambda x: tf.image.extract_patches(x, [1, 2, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1], "VALID"),
        _x(2, 4, 6, 3),
    ),
    (
        "pools",
        lambda x: {
            "argmax": tf.nn.max_pool_with_argmax(x, 2, 2, "SAME"),
            "same": tf.nn.avg_pool2d(x, 3, 2, "SAME"),
            "wide": tf.nn.max_pool2d(x, (1, 3), 1, "VALID"),
        },
        _x(2, 5, 6, 3),
    ),
    (
        "explicit padding",
        lambda x: tf.nn.conv2d(x, tf.ones((3, 3, 2, 3)), 2, [[0, 0], [2, 1], [0, 1], [0, 0]]),
        _x(None, 6, 5, 2),
    ),
    (
        "dilated convolutions",
        lambda x: {
            "conv": tf.nn.conv2d(x, tf.reshape(tf.range(54.0), (3, 3, 2, 3)) / 50, 1, "SAME", dilations=2),
            "depth": tf.nn.depthwise_conv2d(
                x, tf.reshape(tf.range(36.0), (3, 3, 2, 2)) / 50, [1, 1, 1, 1], "VALID", dilations=[2, 2]
            ),
        },
        _x(None, 7, 6, 2),
    ),
    (
        "dilated transposed convolution",
        lambda x: tf.nn.conv2d_transpose(
            x, tf.reshape(tf.range(54.0), (3, 3, 3, 2)) / 50, (2, 9, 8, 3), 1, "VALID", dilations=2
        ),
        _x(2, 5, 4, 2),
    ),
    ("local response normalisation", lambda x: tf.nn.local_response_normalization(x, 2, 0.5, 0.3, 0.7), _x(2, 4, 5, 6)),
    (
        "losses",
        lambda x, y: {
            "soft": tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(y), x),
            "sparse": tf.nn.sparse_softmax_cross_entropy_with_logits([0, 2], x),
            "sigmoid": tf.nn.sigmoid_cross_entropy_with_logits(tf.nn.sigmoid(y), x),
        },
        [_spec("x", 2, 4), _spec("y", 2, 4)],
    ),
    (
        "bins",
        lambda x: {"bins": tf.math.bincount(x, minlength=9), "search": tf.searchsorted([1, 3, 5], x)},
        _x(6, dtype=N),
    ),
    ("buckets", lambda x: tf.raw_ops.Bucketize(input=x, boundaries=[-1.0, 0.0, 1.0]), _x(None, 3)),
    ("histogram", lambda x: tf.histogram_fixed_width(x, [-1.0, 1.0], 5), _x(8)),
    (
        "sums of many",
        lambda x, y: {"add_n": tf.add_n([x, y, x * y]), "accumulate": tf.math.accumulate_n([x, y])},
        [_spec("x", None, 3), _spec("y", None, 3)],
    ),
    (
        "permutation",
        lambda x: {
            "inverse": tf.math.invert_permutation(tf.argsort(x)),
            "fixed": tf.gather(x, tf.math.invert_permutation([2, 0, 1])),
        },
        _x(3),
    ),
    ("numpy function", lambda x: tf.numpy_function(np.sin, [x], F), _x(None, 3)),
    ("ragged inside", lambda x: tf.RaggedTensor.from_tensor(x, padding=0.0).to_tensor(), _x(None, 3)),
    ("ragged output", lambda x: tf.RaggedTensor.from_row_splits(x, [0, 1, 3]), _x(3)),
    ("custom gradient", tf.custom_gradient(lambda x: (tf.math.log1p(tf.exp(x)), lambda dy: dy)), _x(None, 3)),
    ("gradient inside", lambda x: tf.gradients(tf.reduce_sum(tf.tanh(x) ** 2), x)[0], _x(None, 3)),
    *map(_einsum, _EINSUMS),
]

_SAVED: list[tuple[str, type[tf.Module], list[tf.TensorSpec]]] = [
    ("shared conv with one batch norm", _SharedConv, _x(None, 6, 5, 2)),
    ("variables read in branches", _BranchReads, _x(None, 3)),
    ("variables read in a loop", _BodyReads, _x(None, 3)),
    ("variable written and read", _Counter, _x(None, 3)),
    ("unused table", _UnusedTable, _x(None, 3)),
    ("string table", _Table, _x(None, dtype=S)),
    ("integer table", _IntTable, _x(None, dtype=L)),
    ("nested functions, compiled", _Nested, _x(None, 4)),
    ("large constant in a loop", _Big, _x(None, dtype=N)),
]
