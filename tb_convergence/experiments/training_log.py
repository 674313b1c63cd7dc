"""Saves finished trainings to disk, so that an interrupted experiment continues.

One line of JSON for each training, appended as soon as it is finished; a line that was cut short is
ignored. A training is reused only where everything that decides its outcome is the same: the
program (model, loss, optimizer), its weights, the samples, the change, the seed, and the steps.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

import tb_convergence
from tb_convergence.experiments.budget import Budget
from tb_convergence.experiments.loss_landscape.journal import fingerprint
from tb_convergence.experiments.sample import Sample
from tb_convergence.experiments.state import all_variables, values_of
from tb_convergence.training.keras import compat

HEADER: Final = "tb_convergence trainings"
SCHEMA: Final = 1


class TrainingLogError(ValueError):
    """The file does not contain trainings; the message says what to do."""


class TrainingLog:
    """Trainings by key. Without a path they are remembered in memory alone.

    Args:
        path: file to append to; made with the first training.
        identity: of the program and its samples, see `identity_of`.

    Attributes:
        restored: trainings that were not made again.

    Raises:
        TrainingLogError: the file is something else.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, identity: str = "") -> None:
        self._path = None if path is None else Path(path)
        self._identity = identity
        self._known: dict[str, dict[str, Any]] = {}
        self._due: set[str] = set()
        self.restored = 0
        if self._path is not None:
            self._load(self._path)

    def _load(self, path: Path) -> None:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise TrainingLogError(
                f"finished trainings cannot be kept in {str(path)!r} ({error.strerror}): name "
                "another file or folder") from error
        except UnicodeDecodeError as error:
            raise TrainingLogError(_foreign(path)) from error
        header = json.dumps({"kind": HEADER, "schema": SCHEMA})
        if len(lines) == 1 and 8 < len(lines[0]) < len(header) and header.startswith(lines[0]):
            with suppress(OSError):  # a disk that filled up leaves part of the first line
                path.unlink()
            return
        if lines and _document(lines[0]).get("kind") != HEADER:
            raise TrainingLogError(_foreign(path))
        for line in lines[1:]:
            entry = _document(line)
            if isinstance(entry.get("key"), str):
                self._known[entry["key"]] = entry
                self._due.add(entry["key"])

    def get(self, *parts: object, budget: Budget | None = None, training: bool = True
            ) -> dict[str, Any] | None:
        """What is known of the training that `parts` describe; None if it is to be made.

        Args:
            budget: is charged for a training from before the interruption, once.
            training: False for what is remembered beside trainings.
        """
        key = self._key(parts)
        found = self._known.get(key)
        if key in self._due:
            self._due.remove(key)
            self.restored += training
            if budget is not None:
                budget.spend(int(self._known[key].get("steps", 0)))
        return found

    def put(self, entry: Mapping[str, Any], *parts: object) -> None:
        """Keep a finished training; a disk that is full costs the log, not the experiment."""
        key = self._key(parts)
        self._known[key] = {"key": key, **entry}
        if self._path is None:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                if not file.tell():
                    file.write(json.dumps({"kind": HEADER, "schema": SCHEMA}) + "\n")
                # A line that was cut short by a kill must not swallow this one.
                file.write(_line(self._known[key], torn=not _ends_a_line(self._path)))

    def remove(self) -> None:
        """The experiment is finished: the file is no longer needed."""
        if self._path is not None:
            with suppress(OSError):  # such as a file that another program holds open
                self._path.unlink(missing_ok=True)

    def _key(self, parts: tuple[object, ...]) -> str:
        return fingerprint([SCHEMA, self._identity, *parts])


def _line(entry: Mapping[str, Any], torn: bool) -> str:
    text = json.dumps(entry, default=_plain)
    return f"\n{text}\n" if torn else f"{text}\n"


def _plain(value: Any) -> Any:
    return value.tolist()  # arrays and NumPy's numbers


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        if not file.tell():
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _document(line: str) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        found = json.loads(line)
        if isinstance(found, dict):
            return found
    return {}


def _foreign(path: Path) -> str:
    return (f"{str(path)!r} contains something other than trainings, so it is not overwritten: "
            "name a new file")


def identity_of(model: Any, *samples: Sample | None) -> str:
    """Digest of everything that determines the result of a training of `model` on `samples`.

    Names of layers do not count: a model that is built again in one process has others.
    """
    parts: list[object] = [tb_convergence.__version__, keras.__version__, tf.__version__]
    parts += _program(model)
    parts += values_of(all_variables(model))
    for sample in samples:
        if sample is not None:
            parts += [np.asarray(one) for one in tf.nest.flatten(sample.parts) if one is not None]
            parts += [sample.batch_size, sample.shuffled]
        parts.append("end of sample")
    return fingerprint(parts)


def _program(model: Any) -> Iterator[object]:
    names: dict[str, str] = {}
    for place, layer in enumerate(compat.every_layer(model)):
        names.setdefault(layer.name, f"layer {place}")
        yield _written(type(layer))
        yield from (_written(value) for _, value in sorted(vars(layer).items())
                    if inspect.isfunction(value))
    yield from (_written(one) for one in tf.nest.flatten(model.loss))
    described: tuple[Callable[[], Any], ...] = (
        model.get_config, model.get_compile_config, model.optimizer.get_config)
    for config in described:
        with suppress(Exception):  # a class of the user's own without get_config
            yield repr(_anonymous(config(), names))


def _written(value: Any) -> str:
    """Name of a function or class, and its source where it is the user's own; else its form."""
    if not (inspect.isfunction(value) or inspect.isclass(value)):
        value = type(value)
    name = f"{value.__module__}.{value.__qualname__}"
    if value.__module__.split(".")[0] in ("builtins", "keras", "tensorflow"):
        return name
    with suppress(OSError, TypeError):
        name += inspect.getsource(value)
    return name


def _anonymous(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _anonymous(value[key], names) for key in sorted(value, key=str)
                if key not in ("name", "shared_object_id")}
    if isinstance(value, (list, tuple)):
        return [_anonymous(item, names) for item in value]
    if isinstance(value, str):
        return names.get(value, value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return getattr(value, "__qualname__", type(value).__qualname__)
