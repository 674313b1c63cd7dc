"""The networks that are trained, and lists of tensors as large models have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

layers = keras.layers


def mlp() -> Any:
    """Three wide dense layers: little time for a lot of numbers in the variables."""
    return keras.Sequential(
        [keras.Input((256,)), *(layers.Dense(512, activation="relu") for _ in range(3)),
         layers.Dense(10)]
    )


def cnn() -> Any:
    """Three convolutions: small variables, large outputs."""
    found = [keras.Input((32, 32, 3))]
    for filters in (16, 32, 64):
        found += [
            layers.Conv2D(filters, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(),
            layers.MaxPooling2D(),
        ]
    return keras.Sequential([*found, layers.Flatten(), layers.Dense(10)])


def transformer() -> Any:
    """Two blocks on short texts: many variables, and short steps."""
    tokens = keras.Input((32,), dtype="int32")
    x = layers.Embedding(1000, 64)(tokens)
    for _ in range(2):
        attended = layers.MultiHeadAttention(4, 16)(x, x)
        x = layers.LayerNormalization()(layers.Add()([x, attended]))
        wide = layers.Dense(64)(layers.Dense(256, activation="gelu")(x))
        x = layers.LayerNormalization()(layers.Add()([x, wide]))
    return keras.Model(tokens, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


NETWORKS: Final[dict[str, tuple[Callable[[], Any], tuple[int, ...], int]]] = {
    "MLP": (mlp, (256,), 128),
    "CNN": (cnn, (32, 32, 3), 64),
    "transformer": (transformer, (32,), 64),
}
"""Network, shape of an example, batch size."""


def compiled(name: str, **settings: Any) -> Any:
    """The network, ready to be trained; equal for equal names."""
    keras.utils.set_random_seed(1)
    model = NETWORKS[name][0]()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, **settings)
    return model


def batches(name: str, steps: int) -> Any:
    """One batch, again and again, `steps` times: no input pipeline is measured."""
    _, shape, size = NETWORKS[name]
    rng = np.random.default_rng(0)
    if name == "transformer":
        x: Any = rng.integers(0, 1000, (size, *shape)).astype("int32")
    else:
        x = rng.normal(size=(size, *shape)).astype("float32")
    return tf.data.Dataset.from_tensors((x, rng.integers(0, 10, size))).repeat(steps)


def _fused_block(width: int) -> list[list[int]]:
    """Shapes of a transformer block with one kernel for queries, keys and values."""
    kernels = [[width, 3 * width], [width, width], [width, 4 * width], [4 * width, width]]
    return [shape for kernel in kernels for shape in (kernel, kernel[1:])] + [[width]] * 4


def _block(width: int) -> list[list[int]]:
    """Shapes of a transformer block with a kernel each."""
    kernels = [[width, width]] * 4 + [[width, 4 * width], [4 * width, width]]
    return [shape for kernel in kernels for shape in (kernel, kernel[1:])] + [[width]] * 4


LISTS: Final = {
    "22.8 M in 146 tensors": [[3644, 384], [256, 384], *_fused_block(384) * 12],
    "108 M in 193 tensors": [[30522, 768], *_block(768) * 12],
}
"""Shapes of all variables of a model."""
