"""Load a TF.js web-format model from disk: ours, the official converter's, or TF.js's own.

Source: tfjs-core ``src/io/types.ts`` (``ModelJSON``) and ``src/io/io_utils.ts``, 4.22. Nothing in the files is trusted.
"""

from __future__ import annotations

import collections
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, cast

from tfjs_magic.artifacts import (
    Artifacts,
    ConversionReport,
    ManifestGroup,
    ModelFormat,
    Quantization,
    TensorInfo,
    WeightSpec,
)
from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.graph.dtypes import dtype_name, result_dtype
from tfjs_magic.graph.refs import Ref, node_of
from tfjs_magic.options import DEFAULT_SHARD_SIZE_BYTES
from tfjs_magic.sources.paths import kind_of, lies_in, place_of
from tfjs_magic.sources.sizes import length_of, parse_json, read_bytes

#: What reading hostile files may provoke.
DAMAGES = (
    *(ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError),
    struct.error,
)
#: Of weights; TF.js refuses others. Source: tfjs-core ``src/io/io_utils.ts`` (``decodeWeight``), 4.22.
_DTYPES = ("float32", "int32", "bool", "complex64", "string")
#: The largest graphs of published models have a third of it.
_MOST_NODES = 100_000
_ITEM_BYTES = {"float32": 4, "int32": 4, "bool": 1, "complex64": 8, "uint8": 1, "uint16": 2, "float16": 2}


def read_tfjs(path: str | Path) -> Artifacts:
    """Read a TF.js model into memory; it has no reference, since the files do not say what they were converted from.

    Args:
        path: A ``model.json``, or the directory that holds one.

    Raises:
        UnsupportedModelError: It is missing, damaged, or points outside its directory.
    """
    given = place_of(path)
    file = given / "model.json" if given.is_dir() else given
    if (kind := kind_of(path)) not in {None, "TensorFlow.js model"}:
        raise UnsupportedModelError(f"'{path}' is a {kind}, no TensorFlow.js model; convert it first.")
    if not file.is_file():
        raise UnsupportedModelError(f"'{file}' does not exist; expected a model.json, or a directory with one.")
    try:
        document = parse_json(read_bytes(file), str(file), kind="TF.js model", numbers_only=True)
        model_format = _format(document)
        groups = _groups(file.parent, document["weightsManifest"])
        read = _graph_signature if model_format == "graph-model" else _layers_signature
        inputs, outputs = read(document)
    except UnsupportedModelError:
        raise
    except DAMAGES as error:
        reason = f"{type(error).__name__}: {error}"
        raise UnsupportedModelError(f"'{file}' is damaged or no TF.js model: {reason}.") from error
    return Artifacts(
        format=model_format,
        inputs=inputs,
        outputs=outputs,
        topology=document["modelTopology"],
        header={key: value for key, value in document.items() if key not in _OWN_KEYS},
        groups=groups,
        report=ConversionReport(
            source=f"TF.js model '{given.name}'",
            reasons=(f"{file.name} says so.",),
            trainable=model_format == "layers-model",
            notes=(_OPTIMIZER_NOTE,) if _has_optimizer(document) else (),
        ),
    )


#: What :class:`Artifacts` writes itself: saved again, the files get our names and sizes.
_OWN_KEYS = frozenset({"format", "modelTopology", "weightsManifest"})
_OPTIMIZER_NOTE = "The state of the optimizer, saved with the model by TF.js, is left out."


def _has_optimizer(document: Mapping[str, Any]) -> bool:
    return any(weight.get("group") == "optimizer" for row in document["weightsManifest"] for weight in row["weights"])


def _format(document: Mapping[str, Any]) -> ModelFormat:
    topology = document["modelTopology"]
    functions = (topology.get("library") or {}).get("function") or ()
    nodes = len(topology.get("node") or ()) + sum(len(function.get("nodeDef") or ()) for function in functions)
    if nodes > _MOST_NODES:
        raise UnsupportedModelError(f"model.json has {nodes} nodes; expected at most {_MOST_NODES} of a model.")
    declared = document.get("format") or ("graph-model" if "node" in topology else "layers-model")
    if declared not in {"graph-model", "layers-model"}:
        raise UnsupportedModelError(f"model.json has format '{declared}'; expected 'graph-model' or 'layers-model'.")
    return cast("ModelFormat", declared)


# ---------------------------------------------------------------------- weights


def _groups(directory: Path, manifest: Sequence[Mapping[str, Any]]) -> tuple[ManifestGroup, ...]:
    """Read the weights, once sizes, names and files are known to fit each other."""
    rows = [([_inside(directory, name) for name in row["paths"]], [*map(_row, row["weights"])]) for row in manifest]
    if twice := _twice(path.name for paths, _ in rows for path in paths):
        raise UnsupportedModelError(f"The manifest names the files {quoted_list(twice)} twice; expected each once.")
    if twice := _twice(spec.name for _, specs in rows for spec, _ in specs):
        raise UnsupportedModelError(f"The manifest names the weights {quoted_list(twice)} twice; expected each once.")
    for paths, specs in rows:
        least = sum(_least_bytes(spec) for spec, _ in specs)
        exact = all(spec.dtype != "string" for spec, _ in specs)
        held = sum(map(length_of, paths))
        if least > held or (exact and least != held):
            raise UnsupportedModelError(
                f"The files {quoted_list(path.name for path in paths)} hold {held} bytes; the manifest describes "
                f"{'' if exact else 'at least '}{least}."
            )
    return tuple(_group(paths, specs, i) for i, (paths, specs) in enumerate(rows, start=1))


def _twice(names: Iterable[str]) -> set[str]:
    return {name for name, count in collections.Counter(names).items() if count > 1}


def _group(paths: Sequence[Path], rows: Sequence[tuple[WeightSpec, bool]], index: int) -> ManifestGroup:
    data = memoryview(b"".join(path.read_bytes() for path in paths))
    specs, parts, offset = [], [], 0
    for spec, kept in rows:
        length = _byte_length(spec, data[offset:])
        if offset + length > data.nbytes:
            raise UnsupportedModelError(
                f"Weight '{spec.name}' ends at byte {offset + length}; its files hold {data.nbytes}."
            )
        if kept:
            specs.append(spec)
            parts.append(data[offset : offset + length])
        offset += length
    if offset != data.nbytes:
        raise UnsupportedModelError(f"The files hold {data.nbytes} bytes; the manifest describes {offset}.")
    size = paths[0].stat().st_size if paths else DEFAULT_SHARD_SIZE_BYTES
    return ManifestGroup(tuple(specs), tuple(parts), max(size, 1), index)


def _inside(directory: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    target = directory / name
    if ".." in parts or PurePosixPath(name).is_absolute() or not lies_in(target, directory):
        raise UnsupportedModelError(f"The manifest names '{name}', which is outside the model's directory.")
    if not target.is_file():
        raise UnsupportedModelError(f"The manifest names '{name}', which is not in '{directory}'.")
    return target


def _row(row: Mapping[str, Any]) -> tuple[WeightSpec, bool]:
    """Return a weight's row, and whether it is one of the model's, not the optimizer's."""
    name, shape, dtype = row["name"], row["shape"], row["dtype"]
    whole = isinstance(shape, list) and all(type(size) is int and 0 <= size < 2**31 for size in shape)
    if not isinstance(name, str) or not whole or dtype not in _DTYPES:
        raise UnsupportedModelError(
            f"Weight {name!r} has shape {shape!r} and dtype {dtype!r}; expected a name, whole numbers, and one of "
            f"{', '.join(_DTYPES)}."
        )
    return WeightSpec(name, tuple(shape), dtype, _quantization(name, dtype, row)), row.get("group") != "optimizer"


def _quantization(name: str, dtype: str, row: Mapping[str, Any]) -> Quantization | None:
    if (given := row.get("quantization")) is None:
        return None
    stored, scale, low = given["dtype"], given.get("scale"), given.get("min")
    if stored == "float16" and dtype == "float32":
        return Quantization("float16")
    numbers = all(type(one) in {int, float} and math.isfinite(one) for one in (scale, low))
    if stored not in {"uint8", "uint16"} or dtype not in {"float32", "int32"} or not numbers or scale <= 0:
        raise UnsupportedModelError(
            f"Weight '{name}' of dtype {dtype} is quantized as {dict(given)}; expected float32 as float16, or float32 "
            "or int32 as uint8 or uint16 with a positive 'scale' and a 'min'."
        )
    return Quantization(stored, float(scale), float(low))


def _least_bytes(spec: WeightSpec) -> int:
    """Return how many bytes a weight has, of texts at least: each begins with its length."""
    return math.prod(spec.shape) * (4 if spec.dtype == "string" else _item_bytes(spec))


def _item_bytes(spec: WeightSpec) -> int:
    return _ITEM_BYTES[spec.quantization.dtype if spec.quantization else spec.dtype]


def _byte_length(spec: WeightSpec, rest: memoryview) -> int:
    count = math.prod(spec.shape)
    if spec.dtype != "string":
        return count * _item_bytes(spec)
    offset = 0
    for _ in range(count):
        offset += 4 + int(struct.unpack_from("<I", rest, offset)[0])
    return offset


# ---------------------------------------------------------------------- inputs and outputs


def graph_signature(topology: Mapping[str, Any], header: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rows of the inputs and the outputs by name, as TF.js finds them.

    Without a signature every placeholder is an input, and every result that no node uses an output.
    """
    signature = (header.get("userDefinedMetadata") or {}).get("signature") or header.get("signature") or {}
    nodes = topology["node"]
    by_name = {node["name"]: node for node in nodes}
    inputs = {name: row for name, row in (signature.get("inputs") or {}).items() if "resourceId" not in row}
    if not inputs:
        inputs = {node["name"]: _placeholder(node) for node in nodes if node["op"] == "Placeholder"}
    outputs = {
        name: {"dtype": _result_dtype(by_name.get(node_of(row.get("name", name)), {})), **row}
        for name, row in (signature.get("outputs") or {}).items()
    }
    if not outputs:
        used = {node_of(Ref(ref.removeprefix("^"))) for node in nodes for ref in node.get("input") or ()}
        ends = [node for node in nodes if node["name"] not in used and node["op"] not in _NO_RESULTS]
        outputs = {node["name"]: {"name": node["name"], "dtype": _result_dtype(node)} for node in ends}
    return inputs, outputs


_NO_RESULTS = frozenset({"Const", "Placeholder", "NoOp", "Assert"})
_PREDICATES = frozenset(
    {
        *("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr", "LogicalNot"),
        *("LogicalXor", "All", "Any", "IsNan", "IsInf", "IsFinite"),
    }
)


def _placeholder(node: Mapping[str, Any]) -> dict[str, Any]:
    attrs = node["attr"]
    shape = attrs.get("shape", {}).get("shape", {"unknownRank": True})
    return {"name": node["name"], "dtype": attrs["dtype"]["type"], "tensorShape": shape}


def _result_dtype(node: Mapping[str, Any]) -> Any:
    if node.get("op") in _PREDICATES:
        return "DT_BOOL"
    return (
        result_dtype({key: row["type"] for key, row in (node.get("attr") or {}).items() if "type" in row}) or "DT_FLOAT"
    )


def _graph_signature(document: Mapping[str, Any]) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    inputs, outputs = graph_signature(document["modelTopology"], document)
    return tuple(map(_info, inputs, inputs.values())), tuple(map(_info, outputs, outputs.values()))


def _info(name: str, row: Mapping[str, Any]) -> TensorInfo:
    shape = row.get("tensorShape", {"unknownRank": True})  # the converter 1.x wrote names only
    dims = tuple(int(d.get("size", 0)) for d in shape.get("dim") or ())
    known = None if shape.get("unknownRank") else tuple(None if size < 0 else size for size in dims)
    dtype = dtype_name(row.get("dtype", 0))
    if dtype in {"bool", "string"}:
        return TensorInfo(name, str(dtype), known)
    kinds = {"float": "float32", "bfloat": "float32", "complex": "complex64"}
    return TensorInfo(name, kinds.get(dtype.rstrip("0123456789"), "int32"), known)


def _layers_signature(document: Mapping[str, Any]) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    topology = document["modelTopology"]
    model = topology.get("model_config", topology)
    config = model["config"]
    if isinstance(config, list) or "input_layers" not in config:  # Sequential
        layers = config if isinstance(config, list) else config["layers"]
        return (_input(layers[0]),), (TensorInfo(layers[-1]["config"]["name"], "float32", None),)
    layers = {layer.get("name", layer["config"]["name"]): layer for layer in config["layers"]}
    inputs = tuple(_input(layers[name]) for name in _names(config["input_layers"]))
    return inputs, tuple(TensorInfo(name, "float32", None) for name in _names(config["output_layers"]))


def _names(refs: Sequence[Any]) -> list[str]:
    return [refs[0]] if refs and isinstance(refs[0], str) else [ref[0] for ref in refs]


def _input(layer: Mapping[str, Any]) -> TensorInfo:
    config = layer["config"]
    if "layers" in config:  # a nested model takes its own first layer's input
        return _input(config["layers"][0])
    shape = config.get("batch_input_shape") or config.get("batch_shape")
    dims = None if shape is None else tuple(None if size is None else int(size) for size in shape)
    dtype = config.get("dtype")
    return TensorInfo(config["name"], dtype if dtype in {"int32", "bool", "string"} else "float32", dims)
