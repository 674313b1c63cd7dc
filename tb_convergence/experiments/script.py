"""Runs a training script unchanged, and is there when it calls `fit`.

`keras.Model.fit` is replaced while the script runs, which reaches every model: also classes that
override `fit` and call `super().fit`. A loop of the user's own and `train_on_batch` are out of
reach; `ran` says how many calls were seen, so that this can be said.
"""

from __future__ import annotations

import functools
import inspect
import os
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras


class StopScriptError(BaseException):
    """Ends the script at a `fit`. No `Exception`: a script's own `except` must not swallow it."""


@dataclass(frozen=True)
class Fit:
    """A call of `fit` as the script makes it.

    Attributes:
        model: compiled.
        arguments: by name, as given; those left out are missing.
        number: of the call, from 1.
        go_on: makes the call, with other arguments if given; its history is what `fit` returns.
    """

    model: Any
    arguments: Mapping[str, Any]
    number: int
    go_on: Callable[..., Any] = field(repr=False)


OnFit = Callable[[Fit], Any]


@contextmanager
def intercepted(on_fit: OnFit) -> Iterator[list[int]]:
    """Replace `fit` of every Keras model until the context ends; yields the count of calls."""
    original = keras.Model.fit
    own = "fit" in vars(keras.Model)
    inside, count = [False], [0]
    signature = inspect.signature(original)

    @functools.wraps(original)
    def fit(self: Any, *arguments: Any, **options: Any) -> Any:
        if inside[0]:  # a fit within a fit, such as an experiment's own
            return original(self, *arguments, **options)
        count[0] += 1
        bound = dict(signature.bind(self, *arguments, **options).arguments)
        bound.pop("self", None)
        inside[0] = True
        try:
            return on_fit(Fit(self, bound, count[0], functools.partial(original, self)))
        finally:
            inside[0] = False

    keras.Model.fit = fit
    try:
        yield count
    finally:
        if own:
            keras.Model.fit = original
        else:
            del keras.Model.fit


def run(command: Sequence[str], on_fit: OnFit) -> tuple[int, int]:
    """Run a script with its arguments, or `-m MODULE ARGS`; its exit status, and calls of `fit`.

    Raises:
        OSError: the script cannot be read.
        Exception: what the script raises.
    """
    before, path = list(sys.argv), list(sys.path)
    with intercepted(on_fit) as count:
        try:
            if command[0] == "-m":
                sys.argv = list(command[1:])
                sys.path.insert(0, os.getcwd())
                runpy.run_module(command[1], run_name="__main__", alter_sys=True)
            else:
                sys.argv = list(command)
                sys.path.insert(0, os.path.dirname(os.path.abspath(command[0])))  # as python does
                runpy.run_path(command[0], run_name="__main__")
        except StopScriptError:
            return 0, count[0]
        except SystemExit as end:
            code = end.code
            return (code if isinstance(code, int) else 0 if code is None else 1), count[0]
        finally:
            sys.argv, sys.path[:] = before, path
    return 0, count[0]


def with_callback(fit: Fit, callback: Any) -> Any:
    """Make the call with one more callback; what `fit` returns."""
    arguments = dict(fit.arguments)
    given = arguments.get("callbacks")
    if isinstance(given, keras.callbacks.CallbackList):
        callback.set_model(fit.model)
        given.append(callback)
    else:
        known = list(given) if isinstance(given, (list, tuple)) else [given] if given else []
        arguments["callbacks"] = [*known, callback]
    return fit.go_on(**arguments)


def is_watched(fit: Fit) -> bool:
    """Whether the script attaches a recorder of ours already."""
    from tb_convergence.training.keras.callback import ConvergenceCallback  # noqa: PLC0415 - heavy

    given = fit.arguments.get("callbacks")
    known = given if isinstance(given, (list, tuple)) else getattr(given, "callbacks", [given])
    return any(isinstance(one, ConvergenceCallback) for one in known)


def record_script(command: Sequence[str], log_dir: str) -> tuple[int, int]:
    """Run a script with a recorder at each `fit`; its exit status, and calls of `fit`.

    The first call is recorded in `log_dir`; calls that train another model in a folder of their
    own beside it, `log_dir-2` and so on.
    """
    from tb_convergence.training.keras.callback import ConvergenceCallback  # noqa: PLC0415 - heavy

    folders: dict[int, str] = {}
    models: list[Any] = []  # kept, so that no other model gets the identity of one that is gone

    def on_fit(fit: Fit) -> Any:
        if is_watched(fit):
            return fit.go_on(**fit.arguments)
        if id(fit.model) not in folders:
            models.append(fit.model)
            folders[id(fit.model)] = log_dir if not folders else f"{log_dir}-{len(folders) + 1}"
        return with_callback(fit, ConvergenceCallback(folders[id(fit.model)]))

    return run(command, on_fit)
