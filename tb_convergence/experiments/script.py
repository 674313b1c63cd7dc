"""Runs an unchanged training script and intercepts its calls of `fit`.

`keras.Model.fit` is replaced while the script runs, which reaches every model: also classes that
override `fit` and call `super().fit`. It cannot intercept a custom loop or `train_on_batch`. `ran`
returns the number of calls that were seen, so that the command can say so.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras


class ScriptFailedError(Exception):
    """The script raised an exception of its own, which is the `__cause__`.

    Attributes:
        calls: of `fit` that were seen before.
    """

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.calls = calls

    def report(self) -> str:
        """The traceback as Python prints it, from the script on; ours and `runpy`'s are left out.
        """
        cause = self.__cause__
        assert cause is not None
        trace = cause.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename in _ABOVE:
            trace = trace.tb_next
        return "".join(traceback.format_exception(type(cause), cause, trace))


_ABOVE = (__file__, runpy.__file__, "<frozen runpy>")


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


class _NoNotebook:
    """Stands for IPython in a script that was exported from a notebook: its magics do nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **options: None


@contextmanager
def _notebook_calls() -> Iterator[None]:
    """`get_ipython` exists while a script runs, as in the notebook it may come from."""
    if hasattr(builtins, "get_ipython"):
        yield
        return
    builtins.get_ipython = _NoNotebook  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del builtins.get_ipython  # type: ignore[attr-defined]


def run(command: Sequence[str], on_fit: OnFit) -> tuple[int, int]:
    """Run a script with its arguments, or `-m MODULE ARGS`; its exit status, and calls of `fit`.

    Raises:
        ScriptFailedError: the script raises an exception.
    """
    before, path, folder = list(sys.argv), list(sys.path), os.getcwd()
    with intercepted(on_fit) as count, _notebook_calls():
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
            if code is not None and not isinstance(code, int):
                sys.stderr.write(f"{code}\n")  # as Python does
            return (code if isinstance(code, int) else 0 if code is None else 1), count[0]
        except Exception as error:
            raise ScriptFailedError(count[0]) from error
        finally:
            sys.argv, sys.path[:] = before, path
            os.chdir(folder)  # the script may have left it
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
    """Whether the script already attaches one of our recorders."""
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

    if "://" not in log_dir:
        log_dir = os.path.abspath(log_dir)  # the script may change the directory
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
