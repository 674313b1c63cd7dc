"""Networks as people write them; the programs change one thing of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

CROSS_ENTROPY = "sparse_categorical_crossentropy"


class Positions(layers.Layer):
    """Adds a learned vector to each place of a sequence `[batch, length, width]`."""

    def build(self, shape: Any) -> None:
        self.vectors = self.add_weight(shape=shape[1:], initializer="uniform", name="vectors")

    def call(self, x: Any) -> Any:
        return x + self.vectors


def dense(
    features: int, hidden: Sequence[int], outputs: int, output: str | None = "softmax", **each: Any
) -> Any:
    """Dense layers; `each` goes to the hidden ones, ReLU unless it says otherwise."""
    each = {"activation": "relu", **each}
    return keras.Sequential(
        [
            keras.Input((features,)),
            *(layers.Dense(units, **each) for units in hidden),
            layers.Dense(outputs, activation=output),
        ]
    )


def convolutional(
    filters: Sequence[int] = (16, 32), outputs: int = 10, output: Any = "softmax", **each: Any
) -> Any:
    """3 x 3 convolutions on 8 x 8 images, one pooling after the first."""
    each = {"activation": "relu", "padding": "same", **each}
    first, *others = filters
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(first, 3, **each),
            layers.MaxPooling2D(),
            *(layers.Conv2D(count, 3, **each) for count in others),
            layers.Flatten(),
            layers.Dense(outputs, activation=output),
        ]
    )


def recurrent(
    shape: tuple[int, int], cell: Any, outputs: int, output: str | None = "softmax"
) -> Any:
    """One recurrent layer and a dense one."""
    return keras.Sequential(
        [keras.Input(shape), cell, layers.Dense(outputs, activation=output)]
    )


def transformer(
    shape: tuple[int, ...],
    outputs: int,
    output: Any = "softmax",
    *,
    words: int | None = None,
    width: int = 24,
    blocks: int = 2,
    skip: bool = True,
    norm: bool = True,
    **each: Any,
) -> Any:
    """Attention blocks with skip connections and normalization before each part.

    `words` makes the input an index into an embedding; positions are learned either way. `each`
    goes to the dense layers of the blocks.
    """
    each = {"activation": "gelu", **each}
    inputs = keras.Input(shape, dtype="int32" if words else "float32")
    x = layers.Embedding(words, width)(inputs) if words else layers.Dense(width)(inputs)
    x = Positions()(x)
    for _ in range(blocks):
        y = layers.LayerNormalization()(x) if norm else x
        y = layers.MultiHeadAttention(2, width // 2)(y, y)
        x = layers.Add()([x, y]) if skip else y
        y = layers.LayerNormalization()(x) if norm else x
        y = layers.Dense(width)(layers.Dense(2 * width, **each)(y))
        x = layers.Add()([x, y]) if skip else y
    return keras.Model(inputs, layers.Dense(outputs, activation=output)(
        layers.GlobalAveragePooling1D()(x)))
