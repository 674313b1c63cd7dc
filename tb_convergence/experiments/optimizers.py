"""Optimizers for experiments: a twin of the user's own, or another one at a given rate.

An experiment never trains with the user's optimizer. Its twin has the same class and settings; so
the user's keeps its slots, its step count, and whether it is built.
"""

from __future__ import annotations

from typing import Any, Final

import keras

from tb_convergence.training.keras import compat

NO_CLIPPING: Final[dict[str, Any]] = {
    "clipnorm": None, "clipvalue": None, "global_clipnorm": None
}

_KEPT: Final = (
    "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps"
)
"""Settings that another class of optimizer takes over."""


class OptimizerError(ValueError):
    """An optimizer that cannot be made again from its configuration."""


def innermost(optimizer: Any) -> Any:
    """The optimizer that makes the updates: within a `LossScaleOptimizer`, the one inside."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def rate_of(optimizer: Any) -> float:
    """The learning rate of the next step; NaN where there is none."""
    try:
        return float(keras.ops.convert_to_numpy(innermost(optimizer).learning_rate))
    except Exception:
        return float("nan")


def has_schedule(optimizer: Any) -> bool:
    """Whether the rate follows a schedule of the optimizer's own, so that it cannot be set."""
    rate = compat.rate_setting(innermost(optimizer))
    return not isinstance(rate, keras.Variable)


def idle(optimizer: Any) -> bool:
    """Whether no step was made with `optimizer`, which was new: `train_step` may use others.

    Not of a `LossScaleOptimizer`, which skips steps whose gradients are not finite.
    """
    return innermost(optimizer) is optimizer and int(optimizer.iterations) == 0


def clips(optimizer: Any) -> bool:
    """Whether gradients are clipped before the update."""
    inner = innermost(optimizer)
    return any(getattr(inner, name, None) is not None for name in NO_CLIPPING)


def twin(optimizer: Any, state: bool = False, /, **changes: Any) -> Any:
    """A new optimizer of the same class and settings, except for `changes`.

    Args:
        optimizer: of the user; left as it is.
        state: give the twin its variables (step count, momentum) too. Without changes only.
        changes: settings, such as `learning_rate=0.1` or `clipnorm=None`.

    Raises:
        OptimizerError: the class cannot be made from its own configuration.
    """
    inner = innermost(optimizer)
    try:
        config = {**inner.get_config(), **changes}
        made = type(inner).from_config(config)
        if inner is not optimizer:
            outer = {k: v for k, v in optimizer.get_config().items() if k != "inner_optimizer"}
            made = type(optimizer)(made, **outer)
    except Exception as error:
        raise OptimizerError(
            f"{type(inner).__name__} cannot be rebuilt from its get_config() "
            f"({type(error).__name__}: {error}); define get_config, or compile the model with an "
            "optimizer of Keras"
        ) from error
    if state and optimizer.built:
        made.build(_trained(optimizer))
        for new, old in zip(made.variables, optimizer.variables, strict=True):
            new.assign(old)
    return made


def described(optimizer: Any) -> tuple[str, str]:
    """Class and settings, without its name and the learning rate, which a sweep sets anew."""
    inner = innermost(optimizer)
    config = {name: value for name, value in inner.get_config().items()
              if name not in ("name", "learning_rate")}
    return type(inner).__name__, repr(config)


def undecayed(optimizer: Any) -> Any:
    """A twin without weight decay; 0 where the class needs a number, as `AdamW` does."""
    try:
        return twin(optimizer, weight_decay=None)
    except OptimizerError:
        return twin(optimizer, weight_decay=0.0)


def unclipped(optimizer: Any) -> Any:
    """A twin that does not clip gradients."""
    return twin(optimizer, **dict.fromkeys(NO_CLIPPING))


def _trained(optimizer: Any) -> list[Any]:
    """The variables an optimizer was built for."""
    return list(compat.own_trainable_variables(innermost(optimizer)))


def other(optimizer: Any, kind: type, learning_rate: float, **changes: Any) -> Any:
    """An optimizer of another class, at `learning_rate`; clipping and weight decay taken over."""
    inner = innermost(optimizer)
    known = inner.get_config()
    kept = {name: known[name] for name in _KEPT if known.get(name) is not None}
    made = kind(learning_rate, **{**kept, **changes})
    return type(optimizer)(made) if inner is not optimizer else made
