"""Faults of the data: scale, gaps, order, balance, labels."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, balanced_accuracy, r2


def raw_dense(sick: bool) -> Training:
    """Chemical measurements in their own units, from 0.1 to 1,680."""
    seen, unseen = data.wine(raw=sick)
    model = networks.dense(13, (16,), 3)
    model.compile(keras.optimizers.SGD(0.1), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=40, batch_size=16)


def raw_convolutional(sick: bool) -> Training:
    """Pixels from 0 to 255 instead of 0 to 1, with plain SGD."""
    seen, unseen = data.digits(8, 8, 1, scale=255.0 if sick else 1.0)
    model = networks.convolutional()
    model.compile(keras.optimizers.SGD(0.1), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def raw_recurrent(sick: bool) -> Training:
    """Sensor readings in thousands saturate every gate of an LSTM."""
    seen, unseen = data.waves(scale=2000.0 if sick else 1.0)
    model = networks.recurrent((24, 1), layers.LSTM(16), 1, None)
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=10)


def gaps_dense(sick: bool) -> Training:
    """A measurement is missing (NaN) in two samples of a hundred; the twin has its median there."""
    (x, y), unseen = data.cancer()
    x[np.random.default_rng(1).random(len(x)) < 0.02, 3] = np.nan if sick else np.median(x[:, 3])
    model = networks.dense(30, (16,), 1, "sigmoid")
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=15, batch_size=16)


def gaps_convolutional(sick: bool) -> Training:
    """Three images hold an infinite pixel, from a division by zero."""
    (x, y), unseen = data.digits(8, 8, 1)
    x[[200, 700, 1100], 4, 4] = np.inf if sick else 0.0
    model = networks.convolutional()
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=5)


def gaps_recurrent(sick: bool) -> Training:
    """A sensor that was silent writes NaN into ten series."""
    (x, y), unseen = data.waves()
    x[100:110, 5:9] = np.nan if sick else 0.0
    model = networks.recurrent((24, 1), layers.GRU(16), 1, None)
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    return Training(model, x, y, r2(*unseen), unseen, epochs=8)


def target_dense(sick: bool) -> Training:
    """Prices around 250,000 as target of a network that starts at 0."""
    scale, shift = (80000.0, 250000.0) if sick else (1.0, 0.0)
    seen, unseen = data.friedman(scale=scale, shift=shift)
    model = networks.dense(10, (32, 32), 1, None)
    model.compile(keras.optimizers.Adam(2e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=10)


def target_recurrent(sick: bool) -> Training:
    """A series of levels around 1,000 is to be predicted as it stands."""
    scale, shift = (150.0, 1000.0) if sick else (1.0, 0.0)
    seen, unseen = data.waves(target_scale=scale, target_shift=shift)
    model = networks.recurrent((24, 1), layers.LSTM(16), 1, None)
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=10)


def target_convolutional(sick: bool) -> Training:
    """Ink of an image in milligrams (about 20,000), with SGD."""
    (x, _), (xv, _) = data.digits(8, 8, 1)
    scale, shift = (4000.0, 20000.0) if sick else (1.0, 0.0)

    def ink(images: np.ndarray) -> np.ndarray:
        weight = images.reshape(-1, 64) @ np.linspace(0, 1, 64) - 9.5
        return (weight[:, None] / 1.9 * scale + shift).astype("f")

    model = networks.convolutional((8, 8), 1, None)
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return Training(model, x, ink(x), r2(xv, ink(xv)), (xv, ink(xv)), epochs=8)


def shuffled_labels_dense(sick: bool) -> Training:
    """Images were sorted, their labels were not: they do not belong together."""
    (x, y), unseen = data.digits()
    y = np.random.default_rng(2).permutation(y) if sick else y
    model = networks.dense(64, (64, 32), 10)
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=10)


def shuffled_target_dense(sick: bool) -> Training:
    """The target column was joined in another order."""
    (x, y), unseen = data.friedman()
    y = np.random.default_rng(3).permutation(y) if sick else y
    model = networks.dense(10, (16,), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x, y, r2(*unseen), unseen, epochs=15)


def scaled_labels_convolutional(sick: bool) -> Training:
    """Labels were divided by 9 together with the pixels: all but the last become class 0."""
    (x, y), unseen = data.digits(8, 8, 1)
    y = (y / 9).astype("f") if sick else y.astype("f")
    model = networks.convolutional()
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=5)


def shuffled_labels_transformer(sick: bool) -> Training:
    """Sequences and classes are out of step by one."""
    (x, y), unseen = data.copies()
    y = np.roll(y, 1) if sick else y
    model = networks.transformer((10,), 8, words=12)
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=10)


def rare_dense(sick: bool) -> Training:
    """Two positives in a hundred, so that no is nearly always right; the twin has half."""
    seen, unseen = data.rare(0.02 if sick else 0.5)
    model = networks.dense(8, (16,), 1, "sigmoid")
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy")
    return Training(model, *seen, balanced_accuracy(*unseen), unseen, epochs=8)


def rare_convolutional(sick: bool) -> Training:
    """Blurred eights against the rest, where only 14 of 1,300 are eights."""
    (x, y), (xv, yv) = data.digits(8, 8, 1)
    rng = np.random.default_rng(4)
    eight, other = np.flatnonzero(y == 8), np.flatnonzero(y != 8)
    chosen = eight[:14] if sick else rng.choice(eight, len(other))
    order = rng.permutation(np.concatenate([chosen, other]))
    blur = 0.35

    def seen(images: np.ndarray) -> np.ndarray:
        return (images + blur * rng.standard_normal(images.shape)).astype("f")

    def label(classes: np.ndarray) -> np.ndarray:
        return (classes == 8).astype("f")[:, None]

    unseen = (seen(xv), label(yv))
    model = networks.convolutional((8, 8), 1, "sigmoid")
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    return Training(model, seen(x[order]), label(y[order]), balanced_accuracy(*unseen), unseen,
                    epochs=6)


def sorted_dense(sick: bool) -> Training:
    """Samples are sorted by class and not shuffled: each batch teaches one class."""
    (x, y), unseen = data.digits()
    order = np.argsort(y, kind="stable")
    model = networks.dense(64, (64, 32), 10)
    model.compile(keras.optimizers.SGD(0.1), CROSS_ENTROPY)
    return Training(model, x[order], y[order], accuracy(*unseen), unseen, epochs=8,
                    shuffle=not sick)


def sorted_convolutional(sick: bool) -> Training:
    """Images come folder by folder, one class after the other."""
    (x, y), unseen = data.digits(8, 8, 1)
    order = np.argsort(y, kind="stable")
    model = networks.convolutional((8, 16))
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY)
    return Training(model, x[order], y[order], accuracy(*unseen), unseen, epochs=6,
                    shuffle=not sick)


def sorted_recurrent(sick: bool) -> Training:
    """Sequences are read from one file per class, one after the other."""
    (x, y), unseen = data.digits(8, 8)
    order = np.argsort(y, kind="stable")
    model = networks.recurrent((8, 8), layers.GRU(24), 10)
    model.compile(keras.optimizers.Adam(5e-3), CROSS_ENTROPY)
    return Training(model, x[order], y[order], accuracy(*unseen), unseen, epochs=6,
                    shuffle=not sick)


RAW, GAPS, TARGET = ("unnormalized-input",), ("non-finite-input",), ("unscaled-target",)
LABELS, RARE, SORTED = ("wrong-labels",), ("class-imbalance",), ("unshuffled-batches",)

PROGRAMS = (
    Program("raw-dense", "dense", RAW, raw_dense, 0.93),
    Program("raw-convolutional", "convolutional", RAW, raw_convolutional, 0.9,
            also=("learning-rate-too-high",)),
    Program("raw-recurrent", "recurrent", RAW, raw_recurrent, 0.9),
    Program("gaps-dense", "dense", GAPS, gaps_dense, 0.93),
    Program("gaps-convolutional", "convolutional", GAPS, gaps_convolutional, 0.93),
    Program("gaps-recurrent", "recurrent", GAPS, gaps_recurrent, 0.9),
    Program("target-dense", "dense", TARGET, target_dense, 0.7),
    Program("target-recurrent", "recurrent", TARGET, target_recurrent, 0.9),
    Program("target-convolutional", "convolutional", TARGET, target_convolutional, 0.8,
            also=("learning-rate-too-high",)),
    Program("shuffled-labels-dense", "dense", LABELS, shuffled_labels_dense, 0.93),
    Program("shuffled-target-dense", "dense", LABELS, shuffled_target_dense, 0.7),
    Program("scaled-labels-convolutional", "convolutional", LABELS, scaled_labels_convolutional,
            0.93),
    Program("shuffled-labels-transformer", "transformer", LABELS, shuffled_labels_transformer,
            0.8),
    Program("rare-dense", "dense", RARE, rare_dense, 0.7),
    Program("rare-convolutional", "convolutional", RARE, rare_convolutional, 0.75),
    Program("sorted-dense", "dense", SORTED, sorted_dense, 0.9),
    Program("sorted-convolutional", "convolutional", SORTED, sorted_convolutional, 0.9),
    Program("sorted-recurrent", "recurrent", SORTED, sorted_recurrent, 0.85),
)
