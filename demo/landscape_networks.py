"""The networks of the landscape demo: residual ones, the same without skip connections, and data.

As in Li et al. 2018 (arXiv:1712.09913) a network of 20 layers is compared with one of 56, each with
and without its skip connections. Ours are 4 channels wide instead of 16 and see 8 x 8 digits
instead of CIFAR-10, so that the whole comparison takes minutes on two cores.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

WIDTH = 4
BATCH = 128
RATE = 0.05
MOMENTUM = 0.9


def digits(seed: int = 0) -> tuple[Any, Any, Any, Any]:
    """Scikit-learn's 1,797 handwritten digits: training images and labels, test images and labels.
    """
    data = load_digits()
    images = (data.images[..., None] / 16).astype(np.float32)
    return tuple(
        train_test_split(
            images, data.target.astype(np.int32), test_size=400, stratify=data.target,
            random_state=seed,
        )[place]
        for place in (0, 2, 1, 3)
    )


def network(depth: int, skip: bool, seed: int) -> Any:
    """A CIFAR-style residual network of `6 n + 2` layers, or the same without skip connections.

    As in the authors' plain networks, "without" leaves out every shortcut and nothing else.
    """
    blocks = (depth - 2) // 6
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 1))
    x = _convolved(inputs, WIDTH)
    for stage in range(3):
        filters = WIDTH * 2**stage
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            y = _convolved(x, filters, stride)
            y = _convolved(y, filters, activation=False)
            if skip:
                same = stride == 1 and x.shape[-1] == filters
                y = layers.Add()([y, x if same else layers.Conv2D(filters, 1, stride)(x)])
            x = layers.ReLU()(y)
    x = layers.GlobalAveragePooling2D()(x)
    kind = "skip" if skip else "plain"
    model = keras.Model(inputs, layers.Dense(10)(x), name=f"resnet{depth}_{kind}")
    model.compile(
        keras.optimizers.SGD(RATE, momentum=MOMENTUM),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def _convolved(x: Any, filters: int, stride: int = 1, activation: bool = True) -> Any:
    x = layers.Conv2D(
        filters, 3, stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x) if activation else x


def train(model: Any, data: tuple[Any, Any, Any, Any], epochs: int, callbacks: list[Any]) -> None:
    """Train with the rate falling along a cosine to zero, images shuffled in each epoch."""
    steps = epochs * -(-len(data[0]) // BATCH)
    model.optimizer.learning_rate = RATE

    class Cosine(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.step = 0

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            self.model.optimizer.learning_rate.assign(
                RATE * (1 + np.cos(np.pi * self.step / steps)) / 2
            )
            self.step += 1

    model.fit(
        data[0], data[1], batch_size=BATCH, epochs=epochs, verbose=0,
        callbacks=[Cosine(), *callbacks],
    )
