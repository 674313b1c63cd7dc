"""Reads sets of weights from models, lists, `.keras` files, or a run's folder."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from tb_convergence.experiments.loss_landscape.directions import Weights
from tb_convergence.experiments.loss_landscape.path import PathError, trajectory_of
from tb_convergence.training.host.trajectory import FILE, Trajectory, TrajectoryError

ENDINGS: Final = (".keras", ".weights.h5", ".h5")
MOST_CHECKPOINTS: Final = 64
"""Of a folder; of more, every k-th and the last are read."""


def weights_of(source: Any) -> Weights:
    """Trainable weights of a model, of a file, or of a list of arrays.

    Raises:
        PathError: a file that is no model, or something else altogether.
    """
    if isinstance(source, keras.Model):
        return tuple(np.array(v.numpy()) for v in source.trainable_variables)
    if isinstance(source, (str, os.PathLike)):
        return weights_of(model_from_file(source))
    if isinstance(source, (list, tuple)) and all(hasattr(part, "shape") for part in source):
        return tuple(np.asarray(part) for part in source)
    raise PathError(
        f"weights are a {type(source).__name__}; expected a model, a .keras file, or a list of "
        "arrays, one per trainable variable"
    )


def model_from_file(path: str | os.PathLike[str], compiled: bool = False) -> Any:
    """A model from a `.keras` file, in Keras' safe mode: nothing in the file is run as code.

    Raises:
        PathError: it cannot be loaded; the message has Keras' reason.
    """
    try:
        return keras.saving.load_model(os.fspath(path), compile=compiled, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise PathError(
            f"{os.fspath(path)!r} cannot be loaded as a Keras model: {reason}"
        ) from error


def trajectory_from(source: Any, model: Any) -> Trajectory:
    """A path from a `Trajectory`, its file or folder, checkpoints, or `(step, weights)` pairs.

    Args:
        source: what was passed as `path`.
        model: takes the weights of `.weights.h5` files, one after the other, and gets its own
            back.

    Raises:
        PathError: there is no path in it.
    """
    if isinstance(source, Trajectory):
        return source
    if isinstance(source, (str, os.PathLike)):
        place = Path(source)
        if place.is_dir():
            recorded = place / FILE
            if recorded.is_file():
                return _loaded(recorded)
            return _checkpoints(_listed(place), model)
        if place.suffix == ".npz":
            return _loaded(place)
        raise PathError(
            f"{os.fspath(source)!r} is neither a folder with {FILE} or checkpoints nor an .npz file"
        )
    if isinstance(source, Sequence) and source:
        if all(isinstance(item, (str, os.PathLike)) for item in source):
            return _checkpoints([Path(item) for item in source], model)
        if all(isinstance(item, (tuple, list)) and len(item) == 2 for item in source):
            return trajectory_of([(int(step), weights_of(one)) for step, one in source])
    raise PathError(
        f"path is a {type(source).__name__}; expected a run's folder, a trajectory file, a list of "
        "checkpoints, or a list of (step, weights)"
    )


def _loaded(file: Path) -> Trajectory:
    try:
        return Trajectory.load(file)
    except TrajectoryError as error:
        raise PathError(str(error)) from error


def _listed(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.name.endswith(ENDINGS)]
    if not found:
        raise PathError(
            f"{os.fspath(folder)!r} contains neither {FILE} nor checkpoints "
            f"({', '.join(ENDINGS)}). "
            "Train with ConvergenceCallback(..., trajectory=True), or keep checkpoints with "
            "keras.callbacks.ModelCheckpoint"
        )
    return found


def _checkpoints(files: Sequence[Path], model: Any) -> Trajectory:
    ordered = sorted(files, key=lambda path: (_numbers(path.name), path.name))
    stride = -(-len(ordered) // MOST_CHECKPOINTS)
    picked = ordered[::-1][::stride][::-1]
    points = []
    for number, file in enumerate(picked):
        whole = file.name.endswith(".keras")
        weights = weights_of(file) if whole else _from_h5(file, model)
        points.append((number * stride, weights))
    return trajectory_of(points)


def _numbers(name: str) -> tuple[int, ...]:
    """Numbers in a name, so that epoch 10 comes after epoch 9."""
    return tuple(int(part) for part in re.findall(r"\d{1,18}", name))


def _from_h5(file: Path, model: Any) -> Weights:
    own = [np.array(v.numpy()) for v in model.variables]
    try:
        model.load_weights(os.fspath(file))
        return weights_of(model)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise PathError(f"{os.fspath(file)!r} does not fit this model: {reason}") from error
    finally:
        for variable, value in zip(model.variables, own, strict=True):
            variable.assign(value)
