"""Every class of ``keras.layers``, with every option that changes its graph: made from the signatures, not typed out.

A class is called on the inputs of its family (:func:`_inputs_of`). Its parameters are tried one at a time: a boolean
the other way round, any other with the values in ``VALUES``; the options of a sliding window also in pairs. A parameter
that is in none of the tables fails ``test_every_parameter_is_tried_or_named``, so that a new one is not passed over.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from tests.models import randomised
from tests.sweep.subject import Case, Domain, Subject, feeds_of

layers = keras.layers

#: Not tried: bases and wrappers of other frameworks, and what reads a file.
NO_LAYER = frozenset({"Layer", "Wrapper", "InputLayer", "FlaxLayer", "JaxLayer", "TorchModuleWrapper", "TFSMLayer"})

#: Values of the parameters without a default.
REQUIRED: Mapping[str, Any] = {
    "activation": "tanh",
    "alpha": 0.5,
    "axes": -1,
    "equation": "abcd,de->abce",
    "factor": 0.5,
    "filters": 4,
    "function": lambda x: x * 2 + 1,
    "head_dim": 3,
    "height": 6,
    "height_factor": 0.3,
    "input_dim": 9,
    "kernel_size": 3,
    "key_dim": 3,
    "max_number": 4,
    "n": 3,
    "num_bins": 5,
    "num_heads": 2,
    "num_key_value_heads": 2,
    "num_query_heads": 4,
    "output_dim": 5,
    "output_shape": (None, None, 5),
    "output_size": 3,
    "pool_size": 2,
    "rate": 0.3,
    "scale": 0.5,
    "stddev": 0.3,
    "target_shape": (2, -1),
    "units": 4,
    "width": 5,
    "width_factor": 0.3,
}

#: Values of the parameters with a default; a boolean is tried the other way round by itself.
VALUES: Mapping[str, tuple[Any, ...]] = {
    "alpha": (0.3,),
    "antialias": (True,),
    "attention_axes": ((1,),),
    "axis": (1,),
    "bias_axes": ("e",),
    "center": (False,),
    "crop_to_aspect_ratio": (True,),
    "cropping": (2, ((1, 0), (2, 1)), ((1, 0), (2, 1), (0, 1)), (1, 2)),
    "data_format": ("channels_first",),
    "depth_multiplier": (2,),
    "dilation_rate": (2,),
    "epsilon": (0.1,),
    "fft_length": (64,),
    "fill_value": (2.0,),
    "frame_length": (32,),
    "frame_step": (7,),
    "groups": (1, 2, 4),
    "idf_weights": ([0.5, 0.25, 2.0, 1.5],),
    "interpolation": ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area"),
    "invert": (True,),
    "logit_soft_cap": (2.0,),
    "mag_exp": (1.0,),
    "mask_value": (0.5,),
    "max_freq": (4000.0,),
    "max_tokens": (12,),
    "max_value": (1.0,),
    "mean": (1.5,),
    "merge_mode": ("sum", "mul", "ave", None),
    "mode": ("psd", "angle", "real", "imag", "stft", "magnitude"),
    "negative_slope": (0.2,),
    "num_mel_bins": (12,),
    "num_oov_indices": (0, 2),
    "offset": (-1.5, [0.5, -1.0, 2.0]),
    "oov_method": ("farmhash",),
    "output_mode": ("int", "one_hot", "multi_hot", "count", "tf_idf"),
    "output_padding": (1,),
    "output_sequence_length": (4,),
    "output_shape": ((3,),),
    "padding": ("same", "causal", "valid", 2, ((1, 0), (2, 1)), ((1, 0), (2, 1), (0, 1)), (1, 2)),
    "pool_size": (3,),
    "recurrent_activation": ("hard_sigmoid",),
    "salt": (7,),
    "scaling": ("spectrum", None),
    "score_mode": ("concat",),
    "sequence_length": (64,),
    "sequence_stride": (16,),
    "shared_axes": ((1,), (1, 2)),
    "size": (3, (3, 2), (3, 2, 1)),
    "sliding_window": (2,),
    "split": ("character", None),
    "standardize": ("lower", "strip_punctuation", None),
    "strides": (1, 2, (2, 1), (1, 2, 1)),
    "threshold": (0.5,),
    "top_db": (20.0,),
    "value_dim": (5,),
    "window": ("hamming", "rectangular"),
}

#: Change nothing that inference computes: how weights start, train and are called; randomness; what Keras picks itself.
WITHOUT_EFFECT = re.compile(
    r".*(_initializer|_regularizer|_constraint|_dropout|_dtype|quantization_config)$|^(name|dtype|seed|trainable|"
    r"dropout|weights|noise_shape|momentum|l1|l2|synchronized|renorm.*|power_iterations|lora_.*|gptq_.*|use_cudnn|"
    r"flash_attention|arguments|mask|value_range|backward_layer|autocast|unit_forget_bias|rate|init_.*|encoding|"
    r"mask_token|oov_token|vocabulary|ngrams|bins|clip_limit|tile_grid_size|addition_factor|threshold_factor|"
    r"num_chains|chain_depth|num_ops|.*_factor|factor|scale|sigma|fill_mode|sampling_rate|min_freq|min_power|"
    r"ref_power|variance|input_dim|kernel_size|jit_compile)$"
)

#: What no model.json can hold, and TF.js may take otherwise than Keras.
EDGES: Mapping[str, float] = {"epsilon": math.inf, "mask_value": math.nan, "max_value": math.inf}

#: Tried in pairs where a class has them.
_WINDOW = ("padding", "strides", "dilation_rate", "groups", "output_padding", "depth_multiplier", "use_bias")
_RECURRENT = ("return_sequences", "return_state", "go_backwards", "unroll", "reset_after")

#: Arguments of ``call`` that change the graph.
CALLS: Mapping[str, Any] = {"use_causal_mask": True, "return_attention_scores": True, "reverse": True}

_ACTIVATIONS = ("relu", "gelu", "softmax", None)
_ALL_ACTIVATIONS = frozenset({"Activation", "Dense", "Conv2D", "DepthwiseConv2D"})


def cases() -> Iterator[Case]:
    """Yield every case, in the order of the class names."""
    for layer_class in layer_classes():
        options = [{}, *_single_options(layer_class), *_paired_options(layer_class)]
        seen = set()
        for chosen in options:
            name = f"{layer_class.__name__}({', '.join(f'{k}={_shown(v)}' for k, v in chosen.items())})"
            if name not in seen:
                seen.add(name)
                yield Case(name, functools.partial(_subject, layer_class, chosen))
        for argument, value in CALLS.items():
            if argument in inspect.signature(layer_class.call).parameters:
                call = {argument: value}
                yield Case(
                    f"{layer_class.__name__}()(…, {argument})", functools.partial(_subject, layer_class, {}, call)
                )
        if _has_free_sizes(layer_class):
            yield Case(f"{layer_class.__name__}() of any size", functools.partial(_subject, layer_class, {}, free=True))
        if _takes_mask(layer_class):
            yield Case(f"{layer_class.__name__}() masked", functools.partial(_subject, layer_class, {}, masked=True))
        yield Case(
            f"{layer_class.__name__}(dtype='mixed_float16')",
            functools.partial(_subject, layer_class, {"dtype": "mixed_float16"}),
        )


def layers_model_cases() -> Iterator[Case]:
    """Yield the same cases as layers models."""
    return map(_as_layers_model, cases())


def edge_cases() -> Iterator[Case]:
    """Yield every class on data of one to six axes, and with options that are infinite or not a number."""
    for layer_class in layer_classes():
        usual = len(_inputs_of(layer_class, {})[0].shape)
        for rank in (rank for rank in range(_MOST_AXES) if rank != usual):
            yield Case(f"{layer_class.__name__}() of rank {rank + 1}", functools.partial(_at_rank, layer_class, rank))
        for name in sorted({p.name for p in _parameters(layer_class)} & EDGES.keys()):
            chosen = {name: EDGES[name]}
            yield Case(
                f"{layer_class.__name__}({name}={EDGES[name]})",
                functools.partial(_subject, layer_class, chosen),
            )


def layers_model_edge_cases() -> Iterator[Case]:
    """Yield the same cases as layers models."""
    return map(_as_layers_model, edge_cases())


def _as_layers_model(case: Case) -> Case:
    return Case(case.name, lambda: dataclasses.replace(case.build(), options={"format": "layers"}))


def layer_classes() -> list[type[Any]]:
    """Return the classes of ``keras.layers``, each once."""
    found = {value for value in vars(layers).values() if inspect.isclass(value) and issubclass(value, layers.Layer)}
    return sorted((c for c in found if c.__name__ not in NO_LAYER), key=lambda c: c.__name__)


def untried(layer_class: type[Any]) -> list[str]:
    """Return the parameters that no table knows."""
    known = {
        *REQUIRED,
        *VALUES,
        "activation",
        "layer",
        "layers",
        "cell",
        "cells",
        "dims",
        "num_tokens",
        "bin_boundaries",
    }
    return [
        p.name
        for p in _parameters(layer_class)
        if p.name not in known and not isinstance(p.default, bool) and not WITHOUT_EFFECT.match(p.name)
    ]


# ---------------------------------------------------------------------- options


def _parameters(layer_class: type[Any]) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(layer_class.__init__).parameters.values())[1:]
    return [p for p in parameters if p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY}]


def _single_options(layer_class: type[Any]) -> Iterator[dict[str, Any]]:
    for parameter in _parameters(layer_class):
        for value in _values(layer_class, parameter):
            yield {parameter.name: value}


def _paired_options(layer_class: type[Any]) -> Iterator[dict[str, Any]]:
    parameters = {p.name: p for p in _parameters(layer_class)}
    for names in (_WINDOW, _RECURRENT):
        for first, second in itertools.combinations([name for name in names if name in parameters], 2):
            pairs = itertools.product(_values(layer_class, parameters[first]), _values(layer_class, parameters[second]))
            yield from ({first: one, second: two} for one, two in pairs)


def _values(layer_class: type[Any], parameter: inspect.Parameter) -> Sequence[Any]:
    name, default = parameter.name, parameter.default
    if name == "activation":
        every = layer_class.__name__ in _ALL_ACTIVATIONS
        return [value for value in (_every_activation() if every else _ACTIVATIONS) if value != default]
    if name == "output_mode" and layer_class.__name__ == "TextVectorization":
        return ("multi_hot",)
    if isinstance(default, bool) and not WITHOUT_EFFECT.match(name):
        return [not default]
    if default is inspect.Parameter.empty or WITHOUT_EFFECT.match(name):
        return ()
    rank = _spatial_rank(layer_class)
    fits = [
        v
        for v in VALUES.get(name, ())
        if not isinstance(v, tuple)
        or name in {"axis", "shared_axes"}
        or len(v) == rank
        or name in {"output_shape", "attention_axes"}
    ]
    return [value for value in fits if value != default]


def _every_activation() -> list[str]:
    functions = {name: f for name, f in vars(keras.activations).items() if inspect.isfunction(f)}
    return sorted(functions.keys() - {"get", "serialize", "deserialize"})


def _shown(value: object) -> str:
    return repr(value) if not callable(value) else "…"


# ---------------------------------------------------------------------- inputs


@dataclasses.dataclass(frozen=True)
class _Input:
    shape: tuple[int | None, ...]
    dtype: str = "float32"
    domain: Domain = "normal"


def _family(layer_class: type[Any]) -> str:
    return layer_class.__module__.removeprefix("keras.src.layers.")


def _spatial_rank(layer_class: type[Any]) -> int:
    found = re.search(r"([123])D", layer_class.__name__)
    return int(found[1]) if found else 2


def _has_free_sizes(layer_class: type[Any]) -> bool:
    return _family(layer_class).startswith(
        ("convolutional", "pooling", "reshaping.up", "reshaping.zero", "rnn.", "attention")
    )


def _takes_mask(layer_class: type[Any]) -> bool:
    return bool(getattr(layer_class, "supports_masking", False)) or _family(layer_class).startswith(
        ("rnn.", "attention")
    )


#: Class → its inputs, where those of the family do not fit.
_INPUTS: Mapping[str, list[_Input]] = {
    "CategoryEncoding": [_Input((6,), "int32", "tokens")],
    "Embedding": [_Input((6,), "int32", "tokens")],
    "HashedCrossing": [_Input((1,), "int32", "tokens"), _Input((1,), "int32", "tokens")],
    "Hashing": [_Input((6,), "int32", "tokens")],
    "IntegerLookup": [_Input((6,), "int64", "tokens")],
    "MelSpectrogram": [_Input((400,))],
    "RepeatVector": [_Input((6,))],
    "ReversibleEmbedding": [_Input((6,), "int32", "tokens")],
    "STFTSpectrogram": [_Input((400, 1))],
    "SpatialDropout1D": [_Input((5, 4))],
    "SpatialDropout3D": [_Input((3, 4, 5, 2))],
    "StringLookup": [_Input((6,), "string", "words")],
    "TextVectorization": [_Input((), "string", "words")],
}
_SPATIAL = {1: (9,), 2: (9, 8), 3: (7, 6, 8)}
_RECURRENT_SPATIAL = {1: (9,), 2: (6, 5), 3: (5, 4, 5)}


def _inputs_of(layer_class: type[Any], chosen: Mapping[str, Any]) -> list[_Input]:
    name, family, rank = layer_class.__name__, _family(layer_class), _spatial_rank(layer_class)
    if name == "StringLookup" and chosen.get("invert"):
        return [_Input((6,), "int64", "tokens")]
    if name in _INPUTS:
        return _INPUTS[name]
    if name.startswith("ConvLSTM"):
        return [_Input(_channels_moved((4, *_RECURRENT_SPATIAL[rank], 3), chosen, first=1))]
    if family.startswith(("convolutional", "pooling", "reshaping")) and re.search(r"[123]D", name):
        return [_Input(_channels_moved((*_SPATIAL[rank], 4), chosen))]
    if "image_preprocessing" in family:
        return [_Input(_channels_moved((9, 8, 3), chosen), domain="image")]
    shapes = {"merging": (5, 4), "attention": (3, 5, 6) if "attention_axes" in chosen else (5, 6), "rnn": (6, 4)}
    kind = family.split(".")[0]
    return [_Input(shapes.get(kind, (5, 6, 4)))] * (2 if kind in {"merging", "attention"} else 1)


def _channels_moved(shape: tuple[int, ...], chosen: Mapping[str, Any], first: int = 0) -> tuple[int, ...]:
    if chosen.get("data_format") != "channels_first":
        return shape
    return (*shape[:first], shape[-1], *shape[first:-1])


# ---------------------------------------------------------------------- models


def _subject(
    layer_class: type[Any],
    chosen: Mapping[str, Any],
    call: Mapping[str, Any] | None = None,
    *,
    free: bool = False,
    masked: bool = False,
    rank: int | None = None,
) -> Subject:
    keras.utils.set_random_seed(1)
    rows = _inputs_of(layer_class, chosen)
    if rank is not None:
        rows = [dataclasses.replace(row, shape=(*_SIDES[: rank - 1], *row.shape[-1:])[-rank or 6 :]) for row in rows]
    shapes = [(*(None for _ in row.shape[:-1]), *row.shape[-1:]) if free else row.shape for row in rows]
    inputs = [
        keras.Input(s, dtype=row.dtype, name=f"in{i}") for i, (s, row) in enumerate(zip(shapes, rows, strict=True))
    ]
    layer = _layer(layer_class, chosen)
    tensors = [layers.Masking(0.0)(x) if masked else x for x in inputs]
    family = _family(layer_class)
    if layer_class.__name__.endswith("Cell") or layer_class.__name__ == "StackedRNNCells":
        layer = layers.RNN(layer)
    if family.startswith("attention") and not family.endswith(("multi_head_attention", "grouped_query_attention")):
        outputs = layer(tensors, **(call or {}))
    elif family.startswith("attention"):
        outputs = layer(*tensors, **(call or {}))
    elif layer_class.__name__ == "ReversibleEmbedding" and call:
        outputs = layer(layer(tensors[0]), **call)
    else:
        outputs = layer(tensors if len(tensors) > 1 else tensors[0], **(call or {}))
    model = keras.Model(inputs, outputs)
    tolerance = 2e-2 if chosen.get("dtype") == "mixed_float16" else 1e-5
    feeds = feeds_of({f"in{i}": (row.shape, row.dtype, row.domain) for i, row in enumerate(rows)}, masked=masked)
    return Subject(randomised(model), feeds, tolerance=tolerance, options={"format": "graph"})


#: Sizes of the axes behind the batch where a rank is tried; all but the last, which the class decides.
_SIDES = (4, 3, 2, 3, 2)


#: As many as tensors of TF.js have, with the batch.
_MOST_AXES = 6


def _at_rank(layer_class: type[Any], rank: int) -> Subject:
    dims = {"dims": tuple(range(rank, 0, -1))} if layer_class is layers.Permute else {}
    return _subject(layer_class, dims, rank=rank)


def _layer(layer_class: type[Any], chosen: Mapping[str, Any]) -> Any:
    needed = {p.name: _required(layer_class, p.name) for p in _parameters(layer_class) if p.default is p.empty}
    return layer_class(**{**needed, **_USUAL.get(layer_class.__name__, {}), **chosen})


def _required(layer_class: type[Any], name: str) -> Any:
    special = {
        ("Bidirectional", "layer"): lambda: layers.LSTM(3, return_sequences=True),
        ("SpectralNormalization", "layer"): lambda: layers.Dense(4),
        ("Permute", "dims"): lambda: (3, 1, 2),
        ("RandomPosterization", "factor"): lambda: 4,
    }
    usual = {
        "layer": lambda: layers.Dense(3),
        "layers": lambda: [layers.Rescaling(0.5), layers.CenterCrop(5, 6)],
        "cell": lambda: layers.LSTMCell(4),
        "cells": lambda: [layers.GRUCell(4), layers.LSTMCell(3)],
    }
    make = special.get((layer_class.__name__, name)) or usual.get(name)
    return make() if make is not None else REQUIRED[name]


#: Options with a default that cannot do without a value of ours.
_USUAL: Mapping[str, dict[str, Any]] = {
    "CategoryEncoding": {"num_tokens": 9},
    "Discretization": {"bin_boundaries": [-1.0, 0.0, 0.5]},
    "GroupNormalization": {"groups": 2},
    "IntegerLookup": {"vocabulary": [2, 5, 3, 7]},
    "MelSpectrogram": {"fft_length": 64, "sequence_stride": 32, "num_mel_bins": 8},
    "Normalization": {"mean": 0.5, "variance": 4.0},
    "RandomShear": {"x_factor": 0.3, "y_factor": 0.3},
    "STFTSpectrogram": {"frame_length": 32},
    "StringLookup": {"vocabulary": ["ant", "bee", "cat", "dog"]},
    "TextVectorization": {"vocabulary": ["ant", "bee", "cat", "dog"]},
}
