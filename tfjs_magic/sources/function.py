"""Functions and modules in memory: what they compute becomes one graph model."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfjs_magic.errors import UnsupportedModelError, quoted_list, reason_of
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.inside import starting_inside
from tfjs_magic.sources.source import FunctionSource
from tfjs_magic.sources.tensors import default_signature, dims, unique_names, wanted_shape
from tfjs_magic.sources.traced import leaves, traced_source

_CONCRETE = tf.types.experimental.ConcreteFunction
_POLYMORPHIC = tf.types.experimental.PolymorphicFunction


def function_source(function: Any, options: ConvertOptions, description: str | None = None) -> FunctionSource:
    """Take a ``tf.function`` or a concrete function, from its inputs on or from tensors inside it.

    Args:
        function: Taken as it is if it is concrete, else its one trace.
        options: ``inputs`` and, for a function that is not traced, their types.
        description: For messages and the report; by default the function's name.

    Raises:
        UnsupportedModelError: Its inputs are unknown, or an input or output is no tensor that TF.js has.
    """
    return starting_inside(whole_function_source(function, options, description), options.inputs)


def whole_function_source(
    function: Any, options: ConvertOptions, description: str | None = None, *, owner: object = None
) -> FunctionSource:
    """Take a ``tf.function`` or a concrete function from its inputs on, whatever else ``inputs=`` names.

    Args:
        function: Taken as it is if it is concrete, else its one trace.
        options: ``inputs`` and, for a function that is not traced, their types.
        description: For messages and the report; by default the function's name.
        owner: Kept alive with the source: what a function of a loaded SavedModel reads.

    Raises:
        UnsupportedModelError: Its inputs are unknown, or an input or output is no tensor that TF.js has.
    """
    description = description or f"Function '{_name(function)}'"
    concrete = function if isinstance(function, _CONCRETE) else _concrete(function, options, description)
    signature = concrete.structured_input_signature
    rows = list(_named_inputs(concrete, signature))
    given = [leaf for _, leaf in rows]
    if bad := [name for name, leaf in rows if not isinstance(leaf, tf.TensorSpec)]:
        raise UnsupportedModelError(
            f"{description} takes ragged or sparse inputs {quoted_list(bad)}; expected dense tensors.", stage="trace"
        )
    names = unique_names([name for name, _ in rows])
    specs = {
        name: tf.TensorSpec(wanted_shape(name, dims(leaf), options.inputs), leaf.dtype)
        for name, leaf in zip(names, given, strict=True)
    }

    def run(tensors: Sequence[Any], _: object = owner) -> Any:  # the default keeps the owner alive
        args, keywords = _filled(signature, iter(tensors))
        return concrete(*args, **keywords)

    return traced_source(run, specs, description=description)


def module_source(module: Any, options: ConvertOptions, what: str | None = None) -> FunctionSource:
    """Take a ``tf.Module``, or what ``tf.saved_model.load`` gave: one of its signatures or functions.

    Args:
        module: What has them.
        options: ``signature`` names one of them.
        what: For messages and the report; by default its kind.

    Raises:
        UnsupportedModelError: It has no function of that name, or several and none is the obvious one.
    """
    if what is None:
        kind = "tf.Module" if isinstance(module, tf.Module) else "object"
        loaded = isinstance(getattr(module, "signatures", None), Mapping)
        what = "loaded SavedModel" if loaded else f"{kind} '{type(module).__name__}'"
    candidates = {**_functions(module), **_signatures(module)}
    if not candidates:
        raise UnsupportedModelError(
            f"The {what} has no tf.function, so it does not say what to convert. Decorate one method with "
            "@tf.function(input_signature=[…])."
        )
    name = options.signature or _obvious(module, candidates, options)
    if name is None or name not in candidates:
        found = f"no signature or function '{name}'" if name else "several functions and none is the obvious one"
        raise UnsupportedModelError(
            f"The {what} has {found}; it has {quoted_list(candidates)}. Name one with signature=."
        )
    part = "signature" if name in _signatures(module) else "function"
    return function_source(candidates[name], options, f"{what[0].upper()}{what[1:]}, {part} '{name}'")


# ---------------------------------------------------------------------- which function


def _concrete(function: Any, options: ConvertOptions, description: str) -> Any:
    """Return the one trace that the user can mean."""
    if function.input_signature is not None:
        return function.get_concrete_function()
    wanted = options.inputs or {}
    if wanted and all(isinstance(spec, tf.TensorSpec) for spec in wanted.values()):
        try:
            return function.get_concrete_function(**wanted)
        except Exception as error:  # TensorFlow raises whatever the user's code provokes
            reason = reason_of(error, end=True)
            msg = f"{description} cannot be traced with inputs={quoted_list(wanted)}: {type(error).__name__}: {reason}."
            raise UnsupportedModelError(msg, stage="trace") from error
    traces = _traces(function)
    if len(traces) == 1:
        return traces[0]
    found = f"it was traced {len(traces)} times" if traces else "it was never traced and has no input_signature"
    raise UnsupportedModelError(
        f"{description} does not say what its inputs are: {found}. Pass inputs={{name: tf.TensorSpec(shape, dtype)}}, "
        "or its get_concrete_function(…)."
    )


def _traces(function: Any) -> list[Any]:
    listed = function._list_all_concrete_functions_for_serialization()  # noqa: SLF001 - none is public; TF 2.21
    return list(listed)


def _name(function: Any) -> str:
    name = getattr(function, "__name__", None) or getattr(function, "name", "")
    text = name.decode() if isinstance(name, bytes) else str(name)
    return re.sub(r"^__inference_(.+)_\d+$", r"\1", text)


def _signatures(module: Any) -> Mapping[str, Any]:
    found = getattr(module, "signatures", None)
    return found if isinstance(found, Mapping) else {}


def _functions(module: Any) -> dict[str, Any]:
    """Return the methods and attributes that are functions of TensorFlow, by name; runs no property."""
    kinds = (_POLYMORPHIC, _CONCRETE)
    names = sorted({*dir(type(module)), *vars(module)})
    found = [name for name in names if isinstance(inspect.getattr_static(module, name, None), kinds)]
    return {name: getattr(module, name) for name in found}


def _obvious(module: Any, candidates: Mapping[str, Any], options: ConvertOptions) -> str | None:
    signatures = _signatures(module)
    if signatures:
        return default_signature(signatures)
    if "__call__" in candidates or len(candidates) == 1:
        return "__call__" if "__call__" in candidates else next(iter(candidates))
    ready = [name for name, function in candidates.items() if _is_ready(function)]
    return ready[0] if len(ready) == 1 and not options.inputs else None


def _is_ready(function: Any) -> bool:
    return isinstance(function, _CONCRETE) or function.input_signature is not None or len(_traces(function)) == 1


# ---------------------------------------------------------------------- names


def _named_inputs(concrete: Any, signature: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and spec of every tensor, in the order in which TensorFlow flattens the arguments."""
    args, keywords = signature
    parameters = list(concrete.function_type.parameters)
    offset = 1 if parameters and parameters[0] == "self" else 0
    named = [
        (parameters[i] if i < len(parameters) else f"args_{i - offset}", arg) for i, arg in enumerate(args, offset)
    ]
    for path, spec in leaves(*named, *sorted(keywords.items())):
        if isinstance(spec, tf.TypeSpec):
            own = getattr(spec, "name", None)
            automatic = re.sub(r"[^A-Za-z0-9_.]", "_", "_".join(path))
            yield ("/".join(path) if own in (None, automatic) else own), spec


def _filled(node: Any, tensors: Iterator[Any]) -> Any:
    """Put the tensors in the places of the specs, in the order of :func:`_named_inputs`."""
    if isinstance(node, tf.TypeSpec):
        return next(tensors)
    if isinstance(node, Mapping):
        filled = {key: _filled(node[key], tensors) for key in sorted(node)}
        return {key: filled[key] for key in node}
    if isinstance(node, (list, tuple)):
        items = [_filled(child, tensors) for child in node]
        return type(node)(*items) if hasattr(node, "_fields") else type(node)(items)
    return node
