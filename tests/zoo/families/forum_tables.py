"""Programs on tables as people post them on forums: churn, fraud, salaries, odd targets.

As `forum_images`: labels frozen before the first diagnosis.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, balanced_accuracy, outputs, program, r2

HIGH, LOW = "learning-rate-too-high", "learning-rate-too-low"


def _customers(n: int, seed: int, positives: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Age, tenure, balance, salary, products, active; and who leaves."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 6))
    score = 1.6 * z[:, 0] - 1.2 * z[:, 2] + 1.2 * z[:, 4] * z[:, 5]
    leaves = score > np.quantile(score, 1 - positives)
    x = z * (10, 3, 60000, 55000, 0.6, 0.5) + (39, 5, 76000, 100000, 1.5, 0.5)
    return x, leaves.astype("f")[:, None]


def _scaled(seen: np.ndarray, unseen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, std = seen.mean(0), seen.std(0)
    return ((seen - mean) / std).astype("f"), ((unseen - mean) / std).astype("f")


def churn(sick: bool) -> Training:
    """Balances and salaries in dollars beside the number of products, with Adam."""
    (x, y), (xv, yv) = _customers(1500, 1), _customers(400, 2)
    x, xv = (x.astype("f"), xv.astype("f")) if sick else _scaled(x, xv)
    model = networks.dense(6, (16, 16), 1, "sigmoid")
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, x, y, accuracy(xv, yv), (xv, yv), epochs=10)


def fraud(sick: bool) -> Training:
    """One payment in a hundred is fraud; the accuracy is 99 % and no fraud is found."""
    (x, y), (xv, yv) = data.rare(0.01 if sick else 0.4)
    model = networks.dense(8, (24, 12), 1, "sigmoid")
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, x, y, balanced_accuracy(xv, yv), (xv, yv), epochs=10)


def salaries(sick: bool) -> Training:
    """Salaries in dollars as the target of SGD(0.01): the loss is nan after a few steps."""
    (x, y), (xv, yv) = data.friedman()
    scale, shift = 40_000.0, 95_000.0
    target, of = (y * scale + shift, (1.0, 0.0)) if sick else (y, (scale, shift))
    model = networks.dense(10, (24,), 1, None)
    model.compile(keras.optimizers.SGD(0.01), "mse")
    truth = yv * scale + shift
    return Training(model, x, target, r2(xv, truth, *of),
                    (xv, truth if sick else yv), epochs=12)


def half_a_logarithm(sick: bool) -> Training:
    """A log-loss of one's own forgets the term of the negatives: -mean(y log p)."""
    seen, unseen = data.cancer()

    def log_loss(y: Any, p: Any) -> Any:
        p = ops.clip(p, 1e-7, 1 - 1e-7)
        positives = y * ops.log(p)
        return -ops.mean(positives if sick else positives + (1 - y) * ops.log(1 - p))

    model = networks.dense(30, (16,), 1, "sigmoid")
    model.compile(keras.optimizers.Adam(5e-3), log_loss)
    return Training(model, *seen, balanced_accuracy(*unseen), unseen, epochs=12)


def never_below_zero(sick: bool) -> Training:
    """A standardized measurement comes out of a ReLU."""
    seen, unseen = data.friedman()
    model = networks.dense(10, (32, 16), 1, "relu" if sick else None)
    model.compile(keras.optimizers.Adam(3e-3), "mae")
    return Training(model, *seen, r2(*unseen), unseen, epochs=10)


def empty_cells(sick: bool) -> Training:
    """Empty cells of a spreadsheet were read as NaN."""
    (x, y), unseen = data.cancer()
    if sick:
        x = x.copy()
        x[::41, 3] = np.nan
    model = networks.dense(30, (16,), 1, "sigmoid")
    model.compile("adam", "binary_crossentropy")
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=10)


def sorted_by_outcome(sick: bool) -> Training:
    """A table sorted by its outcome is cut into batches as it is."""
    (x, y), unseen = data.cancer()
    order = np.argsort(y[:, 0], kind="stable")
    model = networks.dense(30, (16,), 1, "sigmoid")
    model.compile(keras.optimizers.SGD(0.3), "binary_crossentropy")
    return Training(model, x[order], y[order], accuracy(*unseen), unseen, epochs=7,
                    shuffle=not sick, batch_size=16)


def decay_per_step(sick: bool) -> Training:
    """A decay of 0.9 that was meant for epochs counts steps."""
    seen, unseen = data.digits()
    rate: Any = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.9 if sick else 0.9995)
    model = networks.dense(64, (32,), 10)
    model.compile(keras.optimizers.SGD(rate), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def all_ones(sick: bool) -> Training:
    """kernel_initializer='ones', as a lesson on initializers had it."""
    seen, unseen = data.wine()
    model = networks.dense(13, (16, 16), 3, activation="tanh",
                           kernel_initializer="ones" if sick else "glorot_uniform")
    model.compile(keras.optimizers.Adam(5e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=25)


def deep_and_straight(sick: bool) -> Training:
    """Three dense layers whose activation was forgotten, for rings."""
    seen, unseen = data.rings()
    model = keras.Sequential([
        keras.Input((2,)), *(layers.Dense(24, activation=None if sick else "elu")
                             for _ in range(3)),
        layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def grower_as_a_number(sick: bool) -> Training:
    """Which of three growers made a wine is predicted as 0, 1 or 2 with mae."""
    (x, y), (xv, yv) = data.wine()
    order = np.array([1, 2, 0])  # neighbors in number are none in taste
    y, yv = order[y], order[yv]
    model = networks.dense(13, (4,), 1 if sick else 3, None if sick else "softmax")
    model.compile(keras.optimizers.Adam(1e-2), "mae" if sick else CROSS_ENTROPY)

    def judge(trained: Any) -> float:
        out = outputs(trained, xv)
        return float(np.mean((np.rint(out[:, 0]) if sick else out.argmax(1)) == yv))

    return Training(model, x, y, judge, (xv, yv), epochs=12, batch_size=16)


def stopped_at_once(sick: bool) -> Training:
    """epochs=1, as in the example, on a table of 1,200 rows."""
    seen, unseen = data.friedman()
    model = networks.dense(10, (32,), 1, None)
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=1 if sick else 30)


def pinball_reversed(sick: bool) -> Training:
    """The two sides of a pinball loss are exchanged: it rewards any distance."""
    seen, unseen = data.friedman()

    def pinball(y: Any, p: Any) -> Any:
        off = y - p
        return ops.mean((ops.minimum if sick else ops.maximum)(0.5 * off, -0.5 * off))

    model = networks.dense(10, (32,), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), pinball)
    return Training(model, *seen, r2(*unseen), unseen, epochs=10)


def clipped_to_nothing(sick: bool) -> Training:
    """clipvalue=1e-5 'against exploding gradients'."""
    seen, unseen = data.wine()
    clip = 1e-5 if sick else 1.0
    model = networks.dense(13, (16,), 3)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9, clipvalue=clip), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=25)


def tanh_for_a_probability(sick: bool) -> Training:
    """tanh in the last layer with binary_crossentropy."""
    seen, unseen = data.cancer()
    model = networks.dense(30, (16,), 1, "tanh" if sick else "sigmoid")
    model.compile(keras.optimizers.SGD(0.05), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=10)


PROGRAMS: tuple[Program, ...] = (
    program("forum-churn", "table", churn, 0.75, "unnormalized-input", also=("dead-relu", HIGH)),
    program("forum-fraud", "table", fraud, 0.6, "class-imbalance"),
    program("forum-salaries", "table", salaries, 0.6, "unscaled-target", also=(HIGH,)),
    program("forum-half-a-logarithm", "table", half_a_logarithm, 0.9, "wrong-loss"),
    program("forum-never-below-zero", "table", never_below_zero, 0.6, "wrong-output-activation"),
    program("forum-empty-cells", "table", empty_cells, 0.9, "non-finite-input"),
    program("forum-sorted-by-outcome", "table", sorted_by_outcome, 0.9, "unshuffled-batches"),
    program("forum-decay-per-step", "table", decay_per_step, 0.8, LOW, also=("too-few-steps",)),
    program("forum-all-ones", "table", all_ones, 0.9, "poor-initialization"),
    program("forum-deep-and-straight", "table", deep_and_straight, 0.9,
            "wrong-hidden-activation", "insufficient-capacity"),
    program("forum-grower", "table", grower_as_a_number, 0.9, "wrong-loss"),
    program("forum-stopped", "table", stopped_at_once, 0.6, "too-few-steps", also=(LOW,)),
    program("forum-pinball", "table", pinball_reversed, 0.6, "wrong-loss", "optimizer-mismatch"),
    program("forum-clipvalue", "table", clipped_to_nothing, 0.9, "clipping-hides-learning-rate",
            LOW),
    program("forum-tanh", "table", tanh_for_a_probability, 0.9, "wrong-output-activation",
            also=("wrong-loss",)),
)
