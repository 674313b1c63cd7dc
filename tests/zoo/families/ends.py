"""Faults of the end of the network: output activation and loss.

A softmax before a loss with from_logits=True is none of them: Keras 3 finds the logits behind it,
and trains the same.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, r2


def relu_output_dense(sick: bool) -> Training:
    """A ReLU output cannot be negative; half of the targets are."""
    seen, unseen = data.friedman()
    model = networks.dense(10, (32, 32), 1, "relu" if sick else None)
    model.compile(keras.optimizers.Adam(2e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=10)


def cut_logits_convolutional(sick: bool) -> Training:
    """ReLU between the last kernel and the softmax."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional((16, 32), 10, "relu" if sick else None)
    model.add(layers.Softmax())
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=5)


def sigmoid_output_recurrent(sick: bool) -> Training:
    """A sigmoid output for values between -1 and 1."""
    seen, unseen = data.waves()
    model = networks.recurrent((24, 1), layers.GRU(16), 1, "sigmoid" if sick else None)
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=8)


def single_softmax_dense(sick: bool) -> Training:
    """A softmax over one unit is always 1."""
    seen, unseen = data.rings()
    model = networks.dense(2, (32,), 1, "softmax" if sick else "sigmoid")
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def bare_logits_dense(sick: bool) -> Training:
    """No activation at the end, and a cross-entropy that expects probabilities."""
    seen, unseen = data.digits()
    model = networks.dense(64, (64,), 10, None if sick else "softmax")
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def broadcast_dense(sick: bool) -> Training:
    """Targets [N] against predictions [N, 1]: the difference is a matrix of all pairs."""
    seen, unseen = data.friedman()
    model = networks.dense(10, (32, 32), 1, None)

    def error(y: Any, p: Any) -> Any:
        y = keras.ops.reshape(y, (-1,)) if sick else y
        return keras.ops.mean(keras.ops.square(y - p))

    model.compile(keras.optimizers.Adam(2e-3), error)
    return Training(model, *seen, r2(*unseen), unseen, epochs=10)


def one_class_recurrent(sick: bool) -> Training:
    """A categorical cross-entropy over one unit is always 0."""
    seen, unseen = data.reviews()
    model = keras.Sequential(
        [keras.Input((16,), dtype="int32"), layers.Embedding(120, 8), layers.GRU(8),
         layers.Dense(1, activation="sigmoid")]
    )
    model.compile(keras.optimizers.Adam(1e-2),
                  "categorical_crossentropy" if sick else "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def squared_classes_convolutional(sick: bool) -> Training:
    """Squared error between ten probabilities and the number of the class, 0 to 9."""
    seen, unseen = data.digits(8, 8, 1)
    seen = (seen[0], seen[1][:, None].astype("f"))
    model = networks.convolutional()
    model.compile(keras.optimizers.Adam(1e-3), "mse" if sick else CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), None, epochs=6)


def entropy_regression_dense(sick: bool) -> Training:
    """A binary cross-entropy for a number that is no probability."""
    seen, unseen = data.friedman()
    model = networks.dense(10, (32, 32), 1, None)
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy" if sick else "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=10)


OUTPUT, LOSS = ("wrong-output-activation",), ("wrong-loss",)
EITHER = ("wrong-loss", "wrong-output-activation")
"""A pair that does not fit can be mended at either end."""

PROGRAMS = (
    Program("relu-output-dense", "dense", OUTPUT, relu_output_dense, 0.7),
    Program("cut-logits-convolutional", "convolutional", OUTPUT, cut_logits_convolutional, 0.93,
            also=("dead-relu",)),
    Program("sigmoid-output-recurrent", "recurrent", OUTPUT, sigmoid_output_recurrent, 0.9),
    Program("single-softmax-dense", "dense", OUTPUT, single_softmax_dense, 0.93, also=LOSS),
    Program("bare-logits-dense", "dense", EITHER, bare_logits_dense, 0.9),
    Program("broadcast-dense", "dense", LOSS, broadcast_dense, 0.7),
    Program("one-class-recurrent", "recurrent", EITHER, one_class_recurrent, 0.8),
    Program("squared-classes-convolutional", "convolutional", EITHER,
            squared_classes_convolutional, 0.9),
    Program("entropy-regression-dense", "dense", EITHER, entropy_regression_dense, 0.7),
)
