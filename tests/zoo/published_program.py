"""Builds a Keras program from the facts of a published case. See `zoo.published` for the form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import initializers, layers, ops, regularizers

from zoo.program import Training, accuracy, r2


class Negated(keras.optimizers.Adam):
    """Adam whose gradients are negated."""

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        """Apply the negated gradients."""
        return super().apply([-g for g in grads], trainable_variables)


LOSSES = {
    "sse": lambda y, p: ops.sum(ops.square(y - p)),
    "mse_half": lambda y, p: ops.mean(ops.square(y - p)) / 2,
    "naive_ce_sum": lambda y, p: -ops.sum(y * ops.log(p)),
    "log_raw": lambda y, p: ops.mean(-y * ops.log(p) - (1 - y) * ops.log(1 - p)),
    "broadcast_mse": lambda y, p: ops.mean(ops.square(ops.reshape(y, (-1,)) - p)),
    "ce_regr": "categorical_crossentropy",
}
"""Losses that Keras does not have, or has by another name."""


def build(case: dict[str, Any], path: Path) -> Training:
    """The training that `case` describes, on the arrays of `path`."""
    (x, y), validation = arrays(case["data"], case["loss"], path)
    model = keras.Sequential([keras.Input(x.shape[1:]), *map(_layer, case["layers"])])
    name, *settings = case["optimizer"]
    optimizer: Any
    if name == "sgd":
        rate, momentum = (*settings, 0.0)[:2]
        optimizer = keras.optimizers.SGD(rate, momentum=momentum)
    else:
        optimizer = {"adam": keras.optimizers.Adam, "adam_neg": Negated}[name](*settings)
    model.compile(optimizer, LOSSES.get(case["loss"], case["loss"]))
    unseen = validation or (x, y)
    return Training(
        model, x, y, _judge(case["metric"], *unseen), validation,
        epochs=case["epochs"], batch_size=case["batch_size"],
    )


def _judge(metric: str, x: Any, y: Any) -> Any:
    if metric in ("acc", "binacc"):
        several = y.ndim > 1 and y.shape[1] > 1
        return accuracy(x, y.argmax(axis=1) if several else y)
    return r2(x, y)


def arrays(data: str, loss: str, path: Path) -> tuple[tuple[Any, Any], tuple[Any, Any] | None]:
    """Training and validation arrays of a case."""
    with np.load(path, allow_pickle=False) as file:
        have = {key: file[key].astype("float32") for key in file.files}
    if data.startswith("mnist"):
        return _mnist(data, loss.startswith("sparse"), have)
    validation = (have["xv"], have["yv"]) if "xv" in have else None
    return (have["x"], have["y"]), validation


def _mnist(
    data: str, sparse: bool, have: dict[str, Any]
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    shape = (784,) if "flat" in data else (28, 28, 1)
    x, xv = (have[key].reshape(-1, *shape) for key in ("x", "xv"))
    y, yv = have["y"].ravel(), have["yv"].ravel()
    if "raw" not in data:
        x, xv = x / 255, xv / 255
    if "ylabels255" in data:
        y, xv = y / 255, xv * 255
    if "wronglbl" in data:
        x = x[np.random.default_rng(0).permutation(len(x))]
    if not sparse:
        y, yv = np.eye(10, dtype="f")[y.astype(int)], np.eye(10, dtype="f")[yv.astype(int)]
    return (x, y), (xv, yv)


def _layer(text: str) -> Any:
    *parts, last = text.split(":")
    penalty = regularizers.L2(float(last[3:])) if last.startswith("l2=") else None
    parts = parts if penalty else [*parts, last]
    kind, *rest = [*parts, *[""] * 6][:6]
    if kind == "d":
        kernel, bias = _initial(rest[2])
        return layers.Dense(int(rest[0]), activation=_activation(rest[1]),
                            kernel_initializer=kernel, bias_initializer=bias,
                            kernel_regularizer=penalty)
    if kind == "c":
        kernel, bias = _initial(rest[3])
        return layers.Conv2D(int(rest[0]), int(rest[1]), activation=_activation(rest[2]),
                             kernel_initializer=kernel, bias_initializer=bias,
                             padding=rest[4] or "valid", kernel_regularizer=penalty)
    if kind == "do":
        return layers.Dropout(float(rest[0]))
    if kind == "act":
        return layers.Activation(rest[0])
    return {"mp": layers.MaxPooling2D, "fl": layers.Flatten, "bn": layers.BatchNormalization}[
        kind
    ]()


def _activation(name: str) -> Any:
    if name == "relu_softmax":
        return lambda x: ops.softmax(ops.relu(x))
    return name or None


def _initial(text: str) -> tuple[Any, Any]:
    """Initializers of kernel and bias."""
    if text == "uniform":
        return initializers.RandomUniform(-0.05, 0.05), "zeros"
    if text == "normal":
        return initializers.RandomNormal(0, 0.05), "zeros"
    if text == "normal1":
        return initializers.RandomNormal(0, 1), initializers.RandomNormal(0, 1)
    if text.startswith("tn"):
        spread = float(text[2:])
        return initializers.TruncatedNormal(0, spread), initializers.TruncatedNormal(0, spread)
    if text.startswith("const"):
        value = initializers.Constant(float(text[5:]))
        return value, value
    if text == "c0.1":
        return "glorot_uniform", initializers.Constant(0.1)
    return text or "glorot_uniform", "zeros"
