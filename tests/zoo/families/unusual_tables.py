"""Healthy trainings that look odd: tiny data, noisy targets, odd objectives, odd schedules.

They have no sick twin: any warning on one of them is a false alarm. As `forum_images`: written
before the rules met them.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops, regularizers

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, balanced_accuracy, healthy, outputs, r2


def two_dozen_samples(_: bool) -> Training:
    """Twenty-four wines, batches of eight."""
    (x, y), unseen = data.wine()
    model = networks.dense(13, (12,), 3)
    model.compile(keras.optimizers.Adam(1e-2), CROSS_ENTROPY)
    return Training(model, x[:24], y[:24], accuracy(*unseen), unseen, epochs=40, batch_size=8)


def mostly_noise(_: bool) -> Training:
    """The progress of a disease, of which half is chance."""
    seen, unseen = data.diabetes()
    model = networks.dense(10, (8,), 1, None, kernel_regularizer=regularizers.L2(1e-3))
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=25)


def warm_restarts(_: bool) -> Training:
    """SGD with cosine decay and restarts."""
    seen, unseen = data.digits()
    rate: Any = keras.optimizers.schedules.CosineDecayRestarts(0.2, 60, 1.5)
    model = networks.dense(64, (48,), 10)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def one_cycle(_: bool) -> Training:
    """A triangle of rates, high in the middle of the run."""
    seen, unseen = data.digits()
    rate: Any = keras.optimizers.schedules.PiecewiseConstantDecay(
        [40, 80, 120, 160, 200, 240, 280], [0.02, 0.08, 0.15, 0.2, 0.15, 0.08, 0.02, 0.004])
    model = networks.dense(64, (48,), 10)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def three_quantiles(_: bool) -> Training:
    """The tenth, fiftieth and ninetieth percentile of one target, with a pinball loss."""
    (x, y), (xv, yv) = data.friedman()
    levels = np.array([0.1, 0.5, 0.9], "f")

    def pinball(truth: Any, guess: Any) -> Any:
        off = truth - guess
        return ops.mean(ops.maximum(levels * off, (levels - 1) * off))

    model = networks.dense(10, (32,), 3, None)
    model.compile(keras.optimizers.Adam(5e-3), pinball)

    def judge(trained: Any) -> float:
        middle = outputs(trained, xv)[:, 1]
        return 1 - float(np.mean((middle - yv[:, 0]) ** 2) / yv.var())

    return Training(model, x, y, judge, (xv, yv), epochs=15)


def smoothed_labels(_: bool) -> Training:
    """Label smoothing of 0.3: the loss cannot fall below 1."""
    (x, y), (xv, yv) = data.digits()
    model = networks.dense(64, (48,), 10)
    model.compile(keras.optimizers.Adam(3e-3),
                  keras.losses.CategoricalCrossentropy(label_smoothing=0.3))
    one_hot = np.eye(10, dtype="f")
    return Training(model, x, one_hot[y], accuracy(xv, yv), (xv, one_hot[yv]), epochs=8)


def heavy_dropout(_: bool) -> Training:
    """Dropout of 0.6 on wide layers, as it is meant."""
    seen, unseen = data.digits()
    model = keras.Sequential([
        keras.Input((64,)), layers.Dense(256, activation="relu"), layers.Dropout(0.6),
        layers.Dense(256, activation="relu"), layers.Dropout(0.6),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=7)


def one_at_a_time(_: bool) -> Training:
    """Batches of one sample."""
    (x, y), unseen = data.wine()
    model = networks.dense(13, (12,), 3)
    model.compile(keras.optimizers.SGD(0.01), CROSS_ENTROPY)
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=6, batch_size=1)


def mostly_penalty(_: bool) -> Training:
    """An L2 penalty that is most of the loss, on data that need little."""
    seen, unseen = data.cancer()
    model = networks.dense(30, (32, 32), 1, "sigmoid", kernel_regularizer=regularizers.L2(0.01))
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=20)


def mixed_samples(_: bool) -> Training:
    """Mixup: every sample is a mixture of two, and so is its label."""
    (x, y), (xv, yv) = data.digits()
    rng = np.random.default_rng(70)
    share, other = rng.beta(0.4, 0.4, (len(x), 1)), rng.permutation(len(x))
    one_hot = np.eye(10)
    mixed = (share * x + (1 - share) * x[other]).astype("f")
    labels = (share * one_hot[y] + (1 - share) * one_hot[y[other]]).astype("f")
    model = networks.dense(64, (64,), 10)
    model.compile(keras.optimizers.Adam(3e-3), "categorical_crossentropy")
    return Training(model, mixed, labels, accuracy(xv, yv), (xv, one_hot[yv].astype("f")),
                    epochs=10)


def easy_ones_first(_: bool) -> Training:
    """A curriculum: samples near their class first, in batches that are not shuffled."""
    (x, y), unseen = data.digits()
    center = np.stack([x[y == label].mean(0) for label in range(10)])
    order = np.argsort(np.linalg.norm(x - center[y], axis=1))
    model = networks.dense(64, (48,), 10)
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY)
    return Training(model, x[order], y[order], accuracy(*unseen), unseen, epochs=8, shuffle=False)


def rare_but_clear(_: bool) -> Training:
    """One in twelve is positive, and easily told."""
    rng = np.random.default_rng(71)
    y = (rng.random(2000) < 0.08).astype("f")[:, None]
    x = (rng.standard_normal((2000, 6)) + 3 * y).astype("f")
    model = networks.dense(6, (12,), 1, "sigmoid")
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy")
    unseen = x[1600:], y[1600:]
    return Training(model, x[:1600], y[:1600], balanced_accuracy(*unseen), unseen, epochs=8)


def counts(_: bool) -> Training:
    """Counts with a Poisson loss and an exponential output."""
    rng = np.random.default_rng(72)
    x = rng.uniform(-1, 1, (1200, 5)).astype("f")
    rate = np.exp(1.0 + 1.2 * x[:, :1] - 0.8 * x[:, 1:2] * x[:, 2:3])
    y = rng.poisson(rate).astype("f")
    model = networks.dense(5, (24,), 1, "exponential")
    model.compile(keras.optimizers.Adam(3e-3), "poisson")
    return Training(model, x[:1000], y[:1000], r2(x[1000:], y[1000:]), (x[1000:], y[1000:]),
                    epochs=12)


def stars(_: bool) -> Training:
    """Ratings from 1 to 5, predicted as a number; people disagree."""
    rng = np.random.default_rng(73)
    x = rng.standard_normal((1200, 8)).astype("f")
    taste = x[:, :1] - 0.6 * x[:, 1:2] + 0.9 * rng.standard_normal((1200, 1))
    y = np.clip(np.round(3 + taste), 1, 5).astype("f")
    model = networks.dense(8, (16,), 1, None)
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    return Training(model, x[:1000], y[:1000], r2(x[1000:], y[1000:]), (x[1000:], y[1000:]),
                    epochs=12)


def outliers_and_huber(_: bool) -> Training:
    """One target in fifty is off by ten deviations, and a Huber loss does not mind."""
    (x, y), unseen = data.friedman()
    y = y.copy()
    y[::50] += 10
    model = networks.dense(10, (32,), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), keras.losses.Huber())
    return Training(model, x, y, r2(*unseen), unseen, epochs=15)


def margins(_: bool) -> Training:
    """Labels -1 and 1 with a hinge loss and a linear output."""
    (x, y), (xv, yv) = data.cancer()
    model = networks.dense(30, (12,), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), "hinge")

    def judge(trained: Any) -> float:
        return float(np.mean((outputs(trained, xv) > 0) == (yv > 0.5)))

    return Training(model, x, 2 * y - 1, judge, (xv, 2 * yv - 1), epochs=12)


def squares_of_classes(_: bool) -> Training:
    """A squared error on one-hot classes behind a softmax (Brier score)."""
    (x, y), (xv, yv) = data.digits()
    one_hot = np.eye(10, dtype="f")
    model = networks.dense(64, (64,), 10)
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x, one_hot[y], accuracy(xv, yv), (xv, one_hot[yv]), epochs=10)


def self_normalizing(_: bool) -> Training:
    """Six layers of SELU with LeCun's start and alpha dropout."""
    seen, unseen = data.digits()
    hidden = [layer for _ in range(6) for layer in (
        layers.Dense(48, activation="selu", kernel_initializer="lecun_normal"),
        layers.AlphaDropout(0.05))]
    model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=7)


def accumulated(_: bool) -> Training:
    """Gradients of four batches are added up before each update."""
    seen, unseen = data.digits()
    model = networks.dense(64, (48,), 10)
    model.compile(keras.optimizers.Adam(5e-3, gradient_accumulation_steps=4), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12)


def distilled(_: bool) -> Training:
    """A small network learns the soft answers of a large one, by their divergence."""
    (x, y), (xv, yv) = data.digits()
    keras.utils.set_random_seed(74)
    teacher = networks.dense(64, (64,), 10)
    teacher.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    teacher.fit(x, y, epochs=8, verbose=0)
    soft, unseen = outputs(teacher, x).astype("f"), outputs(teacher, xv).astype("f")
    model = networks.dense(64, (24,), 10)
    model.compile(keras.optimizers.Adam(5e-3), "kl_divergence")
    return Training(model, x, soft, accuracy(xv, yv), (xv, unseen), epochs=10)


def two_tasks(_: bool) -> Training:
    """A class and a number from one trunk, the losses weighted 1 and 0.2."""
    (x, y), (xv, yv) = data.digits()
    inputs = keras.Input((64,))
    trunk = layers.Dense(48, activation="silu")(inputs)
    model = keras.Model(inputs, {"kind": layers.Dense(10, activation="softmax", name="kind")(trunk),
                                 "ink": layers.Dense(1, name="ink")(trunk)})
    model.compile(keras.optimizers.Adam(3e-3), {"kind": CROSS_ENTROPY, "ink": "mse"},
                  loss_weights={"kind": 1.0, "ink": 0.2})

    def both(images: Any, labels: Any) -> dict[str, Any]:
        return {"kind": labels, "ink": images.mean(axis=1, keepdims=True) * 5}

    def judge(trained: Any) -> float:
        return float(np.mean(np.asarray(trained(xv)["kind"]).argmax(1) == yv))

    return Training(model, x, both(x, y), judge, (xv, both(xv, yv)), epochs=8)


PROGRAMS: tuple[Program, ...] = (
    healthy("unusual-two-dozen", "dense", two_dozen_samples, 0.8),
    healthy("unusual-mostly-noise", "table", mostly_noise, 0.3),
    healthy("unusual-warm-restarts", "dense", warm_restarts, 0.85),
    healthy("unusual-one-cycle", "dense", one_cycle, 0.85),
    healthy("unusual-quantiles", "table", three_quantiles, 0.6),
    healthy("unusual-smoothed-labels", "dense", smoothed_labels, 0.85),
    healthy("unusual-heavy-dropout", "dense", heavy_dropout, 0.85),
    healthy("unusual-one-at-a-time", "dense", one_at_a_time, 0.85),
    healthy("unusual-mostly-penalty", "dense", mostly_penalty, 0.9),
    healthy("unusual-mixup", "dense", mixed_samples, 0.85),
    healthy("unusual-curriculum", "dense", easy_ones_first, 0.85),
    healthy("unusual-rare-but-clear", "table", rare_but_clear, 0.85),
    healthy("unusual-counts", "table", counts, 0.4),
    healthy("unusual-stars", "table", stars, 0.3),
    healthy("unusual-outliers", "table", outliers_and_huber, 0.6),
    healthy("unusual-margins", "table", margins, 0.9),
    healthy("unusual-brier", "dense", squares_of_classes, 0.85),
    healthy("unusual-selu", "dense", self_normalizing, 0.85),
    healthy("unusual-accumulated", "dense", accumulated, 0.85),
    healthy("unusual-distilled", "dense", distilled, 0.85),
    healthy("unusual-two-tasks", "dense", two_tasks, 0.85),
)
