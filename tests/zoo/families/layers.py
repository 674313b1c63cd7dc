"""Faults inside the network: activations, weights at the start, depth, size, regularization."""

from __future__ import annotations

from typing import Any

import keras
from keras import initializers, layers, regularizers

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, r2


def deep_sigmoid_dense(sick: bool) -> Training:
    """Seven sigmoid layers: each passes back a fraction of the gradient."""
    seen, unseen = data.digits()
    model = networks.dense(64, (32,) * 7, 10, activation="sigmoid" if sick else "relu",
                           kernel_initializer="he_normal")
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=9)


def deep_sigmoid_convolutional(sick: bool) -> Training:
    """Five convolutions with sigmoid."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional((8,) * 5, activation="sigmoid" if sick else "relu")
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def linear_dense(sick: bool) -> Training:
    """No activation in two hidden layers: one ring around another cannot be parted linearly."""
    seen, unseen = data.rings()
    model = networks.dense(2, (32, 16), 1, "sigmoid", activation=None if sick else "relu")
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=10)


def linear_spirals(sick: bool) -> Training:
    """Three hidden layers without an activation cannot unwind two spirals."""
    seen, unseen = data.spirals()
    model = networks.dense(2, (48, 48, 48), 1, "sigmoid", activation=None if sick else "gelu")
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=15)


def dead_dense(sick: bool) -> Training:
    """Biases start at -3: no ReLU unit is ever active."""
    seen, unseen = data.digits()
    start = initializers.Constant(-3.0 if sick else 0.0)
    model = networks.dense(64, (64, 32), 10, bias_initializer=start)
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def dead_convolutional(sick: bool) -> Training:
    """Biases of the second convolution start at -5."""
    seen, unseen = data.digits(8, 8, 1)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.Conv2D(16, 3, activation="relu", padding="same",
                          bias_initializer=initializers.Constant(-5.0 if sick else 0.0)),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def zero_dense(sick: bool) -> Training:
    """All weights start at zero: every unit of a layer stays a copy of the others."""
    seen, unseen = data.digits()
    model = networks.dense(64, (64, 32), 10,
                           kernel_initializer="zeros" if sick else "he_normal")
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def constant_convolutional(sick: bool) -> Training:
    """All kernels start at one constant."""
    seen, unseen = data.digits(8, 8, 1)
    start = initializers.Constant(0.01) if sick else "he_normal"
    model = networks.convolutional((16, 16), kernel_initializer=start)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=5)


def large_recurrent(sick: bool) -> Training:
    """Recurrent weights drawn with a deviation of 5 saturate every gate."""
    seen, unseen = data.waves()
    wild = initializers.RandomNormal(stddev=5.0)
    start: dict[str, Any] = (
        {"kernel_initializer": wild, "recurrent_initializer": wild} if sick else {}
    )
    model = networks.recurrent((24, 1), layers.LSTM(16, **start), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=8)


def small_dense(sick: bool) -> Training:
    """Four layers drawn with a deviation of 0.001: signal and gradient vanish on the way."""
    seen, unseen = data.digits()
    start = initializers.RandomNormal(stddev=0.001) if sick else "he_normal"
    model = networks.dense(64, (48,) * 4, 10, kernel_initializer=start)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def large_transformer(sick: bool) -> Training:
    """Dense weights of the blocks are drawn with a deviation of 3."""
    seen, unseen = data.copies()
    start = initializers.RandomNormal(stddev=3.0) if sick else "glorot_uniform"
    model = networks.transformer((10,), 8, words=12, kernel_initializer=start)
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=10)


def penalty_dense(sick: bool) -> Training:
    """An L2 penalty of 0.1 on every layer."""
    seen, unseen = data.digits()
    penalty = regularizers.L2(0.1 if sick else 1e-5)
    model = networks.dense(64, (64, 32), 10, kernel_regularizer=penalty)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def penalty_convolutional(sick: bool) -> Training:
    """An L1 penalty of 0.02 on every kernel."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional(kernel_regularizer=regularizers.L1(0.02 if sick else 1e-6))
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def dropped_dense(sick: bool) -> Training:
    """Three dropouts of 0.6 on layers of 12 units."""
    seen, unseen = data.digits()
    model = keras.Sequential([keras.Input((64,))])
    for _ in range(3):
        model.add(layers.Dense(12, activation="relu"))
        model.add(layers.Dropout(0.6 if sick else 0.0))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12)


def dropped_recurrent(sick: bool) -> Training:
    """Dropout of 0.8 on the inputs and on 12 outputs of an LSTM."""
    seen, unseen = data.digits(8, 8)
    rate = 0.8 if sick else 0.0
    model = keras.Sequential(
        [keras.Input((8, 8)), layers.LSTM(12, dropout=rate), layers.Dropout(rate),
         layers.Dense(10, activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(5e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=10)


def masked_dense(sick: bool) -> Training:
    """Eight sigmoid layers whose last is batch-normalized: outputs look fine, gradients do not."""
    seen, unseen = data.digits()
    model = keras.Sequential([keras.Input((64,))])
    for _ in range(8):
        model.add(layers.Dense(32, activation="sigmoid" if sick else "relu"))
    model.add(layers.BatchNormalization())
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.SGD(0.02, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def masked_convolutional(sick: bool) -> Training:
    """Six sigmoid convolutions, the last one batch-normalized."""
    seen, unseen = data.digits(8, 8, 1)
    model = keras.Sequential([keras.Input((8, 8, 1))])
    for _ in range(6):
        model.add(layers.Conv2D(8, 3, padding="same", activation="sigmoid" if sick else "relu"))
    model.add(layers.BatchNormalization())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.Adam(5e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def deep_dense(sick: bool) -> Training:
    """Thirty plain ReLU layers; the twin adds the input of every second one to its output."""
    seen, unseen = data.digits()
    inputs = keras.Input((64,))
    x = layers.Dense(32, activation="relu")(inputs)
    for _ in range(15):
        y = layers.Dense(32)(layers.Dense(32, activation="relu")(x))
        x = layers.ReLU()(y if sick else layers.Add()([x, y]))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(6e-4), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def deep_convolutional(sick: bool) -> Training:
    """Twenty plain convolutions; the twin has skip connections."""
    seen, unseen = data.digits(8, 8, 1)
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    x = layers.MaxPooling2D()(x)
    for _ in range(10):
        y = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
        y = layers.Conv2D(8, 3, padding="same")(y)
        x = layers.ReLU()(y if sick else layers.Add()([x, y]))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))
    model.compile(keras.optimizers.SGD(0.005, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def deep_transformer(sick: bool) -> Training:
    """Six attention blocks without skip connections."""
    seen, unseen = data.digits(8, 8)
    model = networks.transformer((8, 8), 10, blocks=6, width=16, skip=not sick, norm=False)
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def narrow_dense(sick: bool) -> Training:
    """Two hidden units for two spirals that take dozens."""
    seen, unseen = data.spirals()
    units = 2 if sick else 64
    model = networks.dense(2, (units, units), 1, "sigmoid", activation="tanh")
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=20)


def narrow_convolutional(sick: bool) -> Training:
    """All ten classes must pass through one unit."""
    seen, unseen = data.digits(8, 8, 1)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(8, 3, activation="relu"), layers.Flatten(),
         layers.Dense(1 if sick else 32, activation="tanh"),
         layers.Dense(10, activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(5e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def narrow_recurrent(sick: bool) -> Training:
    """A recurrent layer of one unit for ten classes."""
    seen, unseen = data.digits(8, 8)
    model = networks.recurrent((8, 8), layers.GRU(1 if sick else 24), 10)
    model.compile(keras.optimizers.Adam(1e-2), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


HIDDEN, DEAD, START = ("wrong-hidden-activation",), ("dead-relu",), ("poor-initialization",)
REGULAR, DEEP = ("over-regularization",), ("too-deep-without-skip",)
NARROW, MASKED = ("insufficient-capacity",), ("batch-norm-masks-gradients",)

PROGRAMS = (
    Program("deep-sigmoid-dense", "dense", HIDDEN, deep_sigmoid_dense, 0.9),
    Program("deep-sigmoid-convolutional", "convolutional", HIDDEN, deep_sigmoid_convolutional,
            0.9),
    Program("linear-rings-dense", "dense", HIDDEN, linear_dense, 0.93),
    Program("linear-spirals-dense", "dense", HIDDEN, linear_spirals, 0.9),
    Program("dead-dense", "dense", DEAD, dead_dense, 0.9, also=START),
    Program("dead-convolutional", "convolutional", DEAD, dead_convolutional, 0.9, also=START),
    Program("zero-dense", "dense", START, zero_dense, 0.9),
    Program("constant-convolutional", "convolutional", START, constant_convolutional, 0.9),
    Program("large-recurrent", "recurrent", START, large_recurrent, 0.9),
    Program("small-dense", "dense", START, small_dense, 0.9),
    Program("large-transformer", "transformer", START, large_transformer, 0.8),
    Program("penalty-dense", "dense", REGULAR, penalty_dense, 0.9),
    Program("penalty-convolutional", "convolutional", REGULAR, penalty_convolutional, 0.9),
    Program("dropped-dense", "dense", REGULAR, dropped_dense, 0.85),
    Program("dropped-recurrent", "recurrent", REGULAR, dropped_recurrent, 0.85),
    Program("masked-dense", "dense", MASKED, masked_dense, 0.85, also=(*HIDDEN, *DEEP)),
    # In training mode, its loss on unseen data is 0.97 instead of 2.32.
    Program("masked-convolutional", "convolutional", MASKED, masked_convolutional, 0.85,
            also=(*HIDDEN, *DEEP, "batch-norm-statistics")),
    Program("deep-dense", "dense", DEEP, deep_dense, 0.85),
    Program("deep-convolutional", "convolutional", DEEP, deep_convolutional, 0.85),
    Program("deep-transformer", "transformer", DEEP, deep_transformer, 0.85),
    Program("narrow-dense", "dense", NARROW, narrow_dense, 0.9),
    Program("narrow-convolutional", "convolutional", NARROW, narrow_convolutional, 0.9),
    Program("narrow-recurrent", "recurrent", NARROW, narrow_recurrent, 0.85),
)
