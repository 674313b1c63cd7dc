"""Programs on sequences and texts as people ask about them; as `asked_tables`."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, program, r2

HIGH, OUTPUT = "learning-rate-too-high", "wrong-output-activation"


def passengers(sick: bool) -> Training:
    """The inputs of an LSTM are scaled; the passengers that it is to predict are not."""
    scale, shift = (120.0, 280.0) if sick else (1.0, 0.0)
    seen, unseen = data.waves(target_scale=scale, target_shift=shift)
    model = networks.recurrent((24, 1), layers.LSTM(16), 1, None)
    model.compile(keras.optimizers.Adam(3e-3 if sick else 1e-2), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=8)


def tanh_for_ten(sick: bool) -> Training:
    """A GRU's last layer is a tanh; the targets go from 0 to 10."""
    scale, shift = (5.0, 5.0) if sick else (0.9, 0.0)
    seen, unseen = data.waves(target_scale=scale, target_shift=shift)
    model = networks.recurrent((24, 1), layers.GRU(16), 1, "tanh")
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=8)


def shifted_by_one(sick: bool) -> Training:
    """Labels of the texts are off by one row since the header was dropped from one file only."""
    (x, y), unseen = data.reviews()
    y = np.roll(y, 1, axis=0) if sick else y
    model = keras.Sequential([
        keras.Input((16,), dtype="int32"), layers.Embedding(120, 8),
        layers.GlobalAveragePooling1D(), layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=15)


def few_texts(sick: bool) -> Training:
    """A large embedding and ninety texts: accuracy 100 %, validation accuracy 55 %."""
    (x, y), unseen = data.reviews()
    n = 90 if sick else len(x)
    model = keras.Sequential([
        keras.Input((16,), dtype="int32"), layers.Embedding(120, 32),
        layers.Bidirectional(layers.LSTM(16)), layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, x[:n], y[:n], accuracy(*unseen), unseen, epochs=40 if sick else 4)


def hard_sigmoids(sick: bool) -> Training:
    """Eight layers of hard_sigmoid after an average of word vectors."""
    seen, unseen = data.reviews()
    act = "hard_sigmoid" if sick else "relu"
    model = keras.Sequential([
        keras.Input((16,), dtype="int32"), layers.Embedding(120, 16), layers.Flatten(),
        *(layers.Dense(24, activation=act) for _ in range(8 if sick else 2)),
        layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def dropped_memory(sick: bool) -> Training:
    """LSTM(dropout=0.9, recurrent_dropout=0.9) against overfitting."""
    seen, unseen = data.waves()
    rate = 0.9 if sick else 0.0
    model = networks.recurrent((24, 1), layers.LSTM(16, dropout=rate, recurrent_dropout=rate), 1,
                               None)
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=8)


def raw_sensor(sick: bool) -> Training:
    """A sensor's values in pascals, about 101,325, go into a GRU; the target is scaled."""
    (x, y), (xv, yv) = data.waves(scale=200.0 if sick else 1.0)
    shift = 101325.0 if sick else 0.0
    model = networks.recurrent((24, 1), layers.GRU(16), 1, None)
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    return Training(model, x + shift, y, r2(xv + shift, yv), (xv + shift, yv), epochs=8)


def sigmoid_of_the_classes(sick: bool) -> Training:
    """Eight classes, Dense(1, 'sigmoid') and binary_crossentropy on the class numbers."""
    (x, y), (xv, yv) = data.copies()
    model = networks.transformer((10,), 1 if sick else 8, "sigmoid" if sick else "softmax",
                                 words=12, blocks=1)
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy" if sick else CROSS_ENTROPY,
                  metrics=["accuracy"])
    return Training(model, x, y[:, None].astype("f") if sick else y, accuracy(xv, yv),
                    (xv, yv[:, None].astype("f") if sick else yv), epochs=12)


def attention_jumps(sick: bool) -> Training:
    """A transformer block with Adam(0.1): the loss goes to ln 8 and stays."""
    seen, unseen = data.copies()
    model = networks.transformer((10,), 8, words=12, blocks=2)
    model.compile(keras.optimizers.Adam(0.1 if sick else 5e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=10)


def sorted_by_value(sick: bool) -> Training:
    """Windows sorted by their target, with shuffle=False."""
    (x, y), unseen = data.waves()
    order = np.argsort(y[:, 0]) if sick else np.arange(len(y))
    model = keras.Sequential([
        keras.Input((24, 1)), layers.Conv1D(16, 5, activation="relu"), layers.Flatten(),
        layers.Dense(16, activation="relu"), layers.Dense(1),
    ])
    model.compile(keras.optimizers.SGD(0.03, momentum=0.8), "mse")
    return Training(model, x[order], y[order], r2(*unseen), unseen, epochs=15, shuffle=False)


PROGRAMS: tuple[Program, ...] = (
    program("asked-passengers", "recurrent", passengers, 0.7, "unscaled-target"),
    program("asked-tanh-for-ten", "recurrent", tanh_for_ten, 0.7, OUTPUT, "unscaled-target"),
    program("asked-shifted", "sequence", shifted_by_one, 0.85, "wrong-labels"),
    program("asked-few-texts", "recurrent", few_texts, 0.85, "overfitting"),
    program("asked-hard-sigmoids", "sequence", hard_sigmoids, 0.8, "wrong-hidden-activation",
            "too-deep-without-skip"),
    program("asked-dropped-memory", "recurrent", dropped_memory, 0.7, "over-regularization"),
    program("asked-pascals", "recurrent", raw_sensor, 0.7, "unnormalized-input"),
    program("asked-class-numbers", "transformer", sigmoid_of_the_classes, 0.7, OUTPUT,
            "wrong-loss"),
    program("asked-attention-jumps", "transformer", attention_jumps, 0.8, HIGH),
    program("asked-sorted-windows", "sequence", sorted_by_value, 0.7, "unshuffled-batches"),
)
