"""Programs on sequences as people post them on forums: prices, sentiment, tagging, triplets.

As `forum_images`: labels frozen before the first diagnosis.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, outputs, program, r2

HIGH, LOW = "learning-rate-too-high", "learning-rate-too-low"


def prices_of_a_coin(sick: bool) -> Training:
    """An LSTM reads prices about 60,000 and is to tell the next; only a flat line comes out."""
    scale, shift = (4000.0, 60000.0) if sick else (1.0, 0.0)
    (x, y), (xv, yv) = data.waves(scale=scale, target_scale=scale, target_shift=shift)
    model = networks.recurrent((24, 1), layers.LSTM(16), 1, None)
    model.compile("adam", "mse")
    if not sick:
        model.compile(keras.optimizers.Adam(1e-2), "mse")
    return Training(model, x + shift, y, r2(xv + shift, yv), (xv + shift, yv), epochs=6)


def relu_in_the_cell(sick: bool) -> Training:
    """LSTM(activation='relu') over 120 steps: the loss is nan, or jumps."""
    rng = np.random.default_rng(61)
    x = rng.standard_normal((500, 120, 2)).astype("f") + 1
    y = (x[:, -20:, 0].mean(axis=1) > 1).astype("f")[:, None]
    model = keras.Sequential([
        keras.Input((120, 2)), layers.SimpleRNN(24, activation="relu" if sick else "tanh")
        if sick else layers.GRU(24), layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9) if sick
                  else keras.optimizers.Adam(5e-3), "binary_crossentropy")
    unseen = x[400:], y[400:]
    return Training(model, x[:400], y[:400], accuracy(*unseen), unseen, epochs=10, batch_size=16)


def sentiment_at_a_half(sick: bool) -> Training:
    """Adam(0.5) on an embedding and an LSTM: the accuracy stays at 50 %."""
    seen, unseen = data.reviews()
    model = keras.Sequential([
        keras.Input((16,), dtype="int32"), layers.Embedding(120, 8), layers.LSTM(12),
        layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(keras.optimizers.Adam(0.5 if sick else 5e-3), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def tags_and_padding(sick: bool) -> Training:
    """Sentences of up to three words are padded to 60; nearly every tag is the padding's."""
    length = 60 if sick else 3
    rng = np.random.default_rng(62)
    words = np.zeros((500, length), "i")
    for row in words:
        n = rng.integers(1, 4)
        row[:n] = rng.integers(1, 40, n)
    tags = np.where(words > 0, 1 + (words * 7 + np.roll(words, 1, axis=1)) % 5, 0)
    model = keras.Sequential([
        keras.Input((length,), dtype="int32"), layers.Embedding(40, 12),
        layers.Conv1D(24, 3, padding="same", activation="relu"),
        layers.Dense(6, activation="softmax"),
    ])
    model.compile(keras.optimizers.SGD(0.1) if sick else keras.optimizers.Adam(1e-2),
                  CROSS_ENTROPY)
    unseen = words[400:], tags[400:]

    def judge(trained: Any) -> float:
        guess = outputs(trained, unseen[0]).argmax(-1)
        return float((guess == unseen[1])[unseen[1] > 0].mean())

    return Training(model, words[:400], tags[:400], judge, unseen, epochs=8 if sick else 40)


def twenty_sigmoid_convolutions(sick: bool) -> Training:
    """Fourteen convolutions with sigmoid in a row, after a figure in a thesis."""
    (x, y), (xv, yv) = data.waves()
    rises, later = (y > x[:, -1]).astype("f"), (yv > xv[:, -1]).astype("f")
    model = keras.Sequential([
        keras.Input((24, 1)),
        *(layers.Conv1D(8, 3, padding="same", activation="sigmoid" if sick else "relu")
          for _ in range(14 if sick else 3)),
        layers.Flatten(), layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(keras.optimizers.Adam(1e-3 if sick else 3e-3), "binary_crossentropy")
    return Training(model, x, rises, accuracy(xv, later), (xv, later), epochs=5)


def windows_of_another_day(sick: bool) -> Training:
    """Windows were shuffled before the targets were cut: each has the value of another day."""
    (x, y), unseen = data.waves()
    if sick:
        x = x[np.random.default_rng(63).permutation(len(x))]
    model = networks.recurrent((24, 1), layers.GRU(16), 1, None)
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    return Training(model, x, y, r2(*unseen), unseen, epochs=7)


def plain_descent_on_attention(sick: bool) -> Training:
    """A transformer with SGD(0.0001): after an hour the loss is still ln 8."""
    seen, unseen = data.copies()
    model = networks.transformer((10,), 8, words=12, blocks=1)
    model.compile(keras.optimizers.SGD(1e-4) if sick else keras.optimizers.Adam(5e-3),
                  CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6 if sick else 12)


class Triplet(layers.Layer):
    """Squared distances `[B, 2]` of an anchor to a digit of its class and to one of another."""

    def call(self, anchor: Any, same: Any, other: Any) -> Any:
        return ops.stack([ops.sum(ops.square(anchor - one), axis=1) for one in (same, other)], 1)


def _triplets(n: int, seed: int) -> list[np.ndarray]:
    (x, y), _ = data.digits()
    rng = np.random.default_rng(seed)
    first = rng.integers(0, len(x), n)
    pick = [[rng.choice(np.flatnonzero((y == y[a]) == s)) for a in first] for s in (True, False)]
    return [x[first], x[np.array(pick[0])], x[np.array(pick[1])]]


def triplets_collapse(sick: bool) -> Training:
    """Adam(1) on a triplet loss: all embeddings end in one point, the loss is the margin."""
    seen, unseen = _triplets(1000, 64), _triplets(300, 65)
    tower = keras.Sequential([keras.Input((64,)), layers.Dense(32, activation="relu"),
                              layers.Dense(8)])
    parts = [keras.Input((64,)) for _ in range(3)]
    model = keras.Model(parts, Triplet()(*(tower(part) for part in parts)))

    def margin(_: Any, d: Any) -> Any:
        return ops.mean(ops.maximum(d[:, 0] - d[:, 1] + 1.0, 0.0))

    model.compile(keras.optimizers.Adam(1.0 if sick else 2e-3), margin)

    def judge(trained: Any) -> float:
        d = np.asarray(trained(unseen), np.float64)
        return float(np.mean(d[:, 0] < d[:, 1])) if np.isfinite(d).all() else 0.0

    none = np.zeros((1000, 1), "f"), np.zeros((300, 1), "f")
    return Training(model, seen, none[0], judge, (unseen, none[1]), epochs=6)


PROGRAMS: tuple[Program, ...] = (
    program("forum-coin", "recurrent", prices_of_a_coin, 0.6, "unscaled-target",
            "unnormalized-input"),
    program("forum-relu-cell", "recurrent", relu_in_the_cell, 0.75, "wrong-hidden-activation",
            HIGH),
    program("forum-sentiment", "recurrent", sentiment_at_a_half, 0.85, HIGH),
    program("forum-tagging", "sequence", tags_and_padding, 0.5, "class-imbalance",
            also=(LOW, "optimizer-mismatch")),
    program("forum-sigmoid-convolutions", "convolutional", twenty_sigmoid_convolutions, 0.75,
            "wrong-hidden-activation", "too-deep-without-skip"),
    program("forum-another-day", "recurrent", windows_of_another_day, 0.8, "wrong-labels"),
    program("forum-attention", "transformer", plain_descent_on_attention, 0.8, LOW,
            "optimizer-mismatch"),
    program("forum-triplets", "contrastive", triplets_collapse, 0.9, HIGH,
            also=("constant-loss", "dead-relu")),
)
