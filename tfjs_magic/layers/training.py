"""How a compiled Keras model is trained, as tfjs's ``trainingConfig``; left out where TF.js would train otherwise.

Source: tfjs-layers 4.22 ``dist/engine/training.js`` (``loadTrainingConfig``), ``dist/losses.js``; tfjs-core
``src/optimizers``; Keras 3 ``keras/src/optimizers``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from tfjs_magic.layers.keras_objects import fits_json, is_keras_name

_Config = Mapping[str, Any]


class _LeftOutError(Exception):
    """Why TF.js cannot train the model as Keras does; completes "…, since"."""


def training_config(model: Any) -> tuple[dict[str, Any] | None, str]:
    """Return ``trainingConfig``, or None; and a sentence if one is left out.

    Args:
        model: A Keras 3 model, compiled or not.
    """
    if not getattr(model, "compiled", False):
        return None, ""
    try:
        config = {"loss": _losses(model), "metrics": [], "optimizer_config": _optimizer(model.optimizer)}
        compiled = _compiled(model)
        if not fits_json(config):
            raise _LeftOutError("an option of its optimizer is infinite or not a number")
    except _LeftOutError as reason:
        return None, f"How the model is trained is left out, since {reason}: call compile() in TF.js before you train."
    config["metrics"] = [_METRICS[name] for name in _metric_names(compiled) if name in _METRICS]
    return config, ""


def _compiled(model: Any) -> _Config:
    """Return what ``compile`` was given."""
    if getattr(model, "_compile_config", None) is None:
        raise _LeftOutError("Keras does not say how it was compiled")
    try:
        config: _Config = model.get_compile_config() or {}
    except Exception as error:  # Keras asks objects of the user's own, which may raise anything
        name = type(error).__name__
        raise _LeftOutError(f"Keras cannot say how it was compiled ({name} from an object of your own)") from error
    for option in ("loss_weights", "weighted_metrics"):
        if config.get(option):
            raise _LeftOutError(f"TF.js has no {option}")
    return config


# ---------------------------------------------------------------------- losses


def _losses(model: Any) -> str | list[str]:
    loss = model.loss
    if isinstance(loss, Mapping):
        if set(loss) != set(model.output_names):
            raise _LeftOutError("its losses are named otherwise than its outputs")
        loss = [loss[name] for name in model.output_names]
    if isinstance(loss, list | tuple):
        return [_loss(one) for one in loss]
    return _loss(loss)


def _loss(loss: Any) -> str:
    """Return a loss under tfjs's name."""
    if isinstance(loss, str):
        name = _ALIASES.get(loss.lower(), loss)
    elif inspect.isfunction(loss) and is_keras_name(loss.__module__):
        name = loss.__name__
    elif not inspect.isfunction(loss) and is_keras_name(type(loss).__module__):
        name = loss.name if loss.name in _LOSSES else type(loss).__name__
        odd = {key: value for key, value in loss.get_config().items() if value not in _USUAL.get(key, (value,))}
        if odd:
            shown = ", ".join(f"{key}={value!r}" for key, value in odd.items())
            raise _LeftOutError(f"TF.js has no loss '{name}' with {shown}")
    else:
        raise _LeftOutError(f"its loss '{getattr(loss, '__name__', type(loss).__name__)}' is your own")
    if name not in _LOSSES:
        raise _LeftOutError(f"TF.js has no loss '{name}' as Keras computes it")
    return _LOSSES[name]


#: Short names of Keras.
_ALIASES: Mapping[str, str] = {
    "kld": "kl_divergence",
    "logcosh": "log_cosh",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_logarithmic_error",
}
#: Keras's loss → tfjs's. Hinge and its square read labels of 0 and 1 otherwise; the others are not in tfjs.
_LOSSES: Mapping[str, str] = {
    **{name: name for name in ("binary_crossentropy", "categorical_crossentropy", "categorical_hinge", "poisson")},
    **{name: name for name in ("mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error")},
    **{name: name for name in ("mean_squared_logarithmic_error", "sparse_categorical_crossentropy")},
    "cosine_similarity": "cosine_proximity",
    "kl_divergence": "kullback_leibler_divergence",
    "log_cosh": "logcosh",
}
#: Options of Keras's losses → the values that tfjs computes.
_USUAL: Mapping[str, tuple[Any, ...]] = {
    "axis": (-1,),
    "from_logits": (False,),
    "ignore_class": (None,),
    "label_smoothing": (0.0,),
    "reduction": ("sum_over_batch_size",),
}
#: Keras's metrics → tfjs's; others are left out in silence, since they change no weight.
_METRICS: Mapping[str, str] = {
    "acc": "accuracy",
    "accuracy": "accuracy",
    "mae": "mae",
    "mse": "mse",
}


def _metric_names(compiled: _Config) -> list[str]:
    metrics = compiled.get("metrics")
    return [name for name in metrics if isinstance(name, str)] if isinstance(metrics, list) else []


# ---------------------------------------------------------------------- optimizers


def _optimizer(optimizer: Any) -> dict[str, Any]:
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of loss scaling, which only keeps float16 in range
    name = type(inner).__name__
    if not is_keras_name(type(inner).__module__) or name not in _OPTIMIZERS:
        raise _LeftOutError(f"TF.js has no optimizer '{name}'")
    config = inner.get_config()
    if not isinstance(config["learning_rate"], float):
        raise _LeftOutError("TF.js has no schedule of learning rates")
    if odd := [key for key, value in config.items() if key != "name" and not isinstance(value, Real | None)]:
        raise _LeftOutError(f"the option {odd[0]} of its optimizer is no number")
    for option in _EXTRAS:
        if config.get(option):
            raise _LeftOutError(f"TF.js has no {option}")
    class_name, options = _OPTIMIZERS[name](config)
    return {"class_name": class_name, "config": {"learning_rate": config["learning_rate"], **options}}


#: What Keras's optimizers may do besides.
_EXTRAS = (
    *("weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema", "amsgrad", "centered"),
    "gradient_accumulation_steps",
)
#: What tfjs adds to a sum of squares, where it takes no option for that.
_EPSILON = 1e-7
_SMALL = 1e-6


def _sgd(config: _Config) -> tuple[str, dict[str, Any]]:
    if not config["momentum"]:
        return "SGD", {}
    return "Momentum", {"momentum": config["momentum"], "use_nesterov": config["nesterov"]}


def _adam(config: _Config) -> tuple[str, dict[str, Any]]:
    """Tfjs adds epsilon to the corrected moment, Keras to the plain one: the same only where it is small."""
    if config["epsilon"] > _SMALL:
        raise _LeftOutError(f"TF.js's Adam uses epsilon={config['epsilon']} otherwise in its first steps")
    return "Adam", {key: config[key] for key in ("beta_1", "beta_2", "epsilon")}


def _adamax(config: _Config) -> tuple[str, dict[str, Any]]:
    return "Adamax", {**{key: config[key] for key in ("beta_1", "beta_2", "epsilon")}, "decay": 0.0}


def _rmsprop(config: _Config) -> tuple[str, dict[str, Any]]:
    return "RMSProp", {"decay": config["rho"], **{key: config[key] for key in ("momentum", "epsilon")}}


def _adagrad(config: _Config) -> tuple[str, dict[str, Any]]:
    if config["epsilon"] != _EPSILON:
        raise _LeftOutError(f"TF.js has Adagrad with epsilon={_EPSILON} only")
    return "Adagrad", {"initial_accumulator_value": config["initial_accumulator_value"]}


#: Not Adadelta: tfjs divides by the sum of squares before the step instead of after it.
_OPTIMIZERS: Mapping[str, Callable[[_Config], tuple[str, dict[str, Any]]]] = {
    "Adagrad": _adagrad,
    "Adam": _adam,
    "Adamax": _adamax,
    "RMSprop": _rmsprop,
    "SGD": _sgd,
}
