"""Programs on tables of measurements, after faults that people report.

As `reported_images`: written without a look at the rules, labels frozen before the first diagnosis.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, regularizers

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, outputs, program, r2


def _houses(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rooms, area, year, distance and income in their own units, and a price about 200,000."""
    rng = np.random.default_rng(seed)
    x = np.stack([rng.integers(1, 9, n), rng.uniform(300, 4000, n), rng.uniform(1900, 2020, n),
                  rng.uniform(0, 60, n), rng.lognormal(10.5, 0.5, n)], axis=1)
    z = (x - (4.5, 2150, 1960, 30, 41000)) / (2.3, 1070, 35, 17, 22000)
    price = 200_000 + 60_000 * (z[:, 1] + 0.6 * z[:, 4] - 0.5 * z[:, 3] + 0.3 * z[:, 0] * z[:, 1])
    return x, price + 6_000 * rng.standard_normal(n)


def _standard(seen: np.ndarray, unseen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, std = seen.mean(0), seen.std(0)
    return ((seen - mean) / std).astype("f"), ((unseen - mean) / std).astype("f")


def _market(raw_x: bool, raw_y: bool) -> tuple[Any, Any]:
    (x, y), (xv, yv) = _houses(1, 1500), _houses(2, 400)
    if not raw_x:
        x, xv = _standard(x, xv)
    if not raw_y:
        y, yv = _standard(y, yv)
    return ((x.astype("f"), y.astype("f")[:, None]), (xv.astype("f"), yv.astype("f")[:, None]))


def columns_as_they_come(sick: bool) -> Training:
    """Rooms beside incomes, in their own units, into a network with SGD."""
    seen, unseen = _market(sick, False)
    model = networks.dense(5, (32, 32), 1, None)
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=15)


def prices_as_they_come(sick: bool) -> Training:
    """Prices about 200,000 as targets of a network with Adam at its usual rate."""
    seen, unseen = _market(False, sick)
    model = networks.dense(5, (32, 32), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=15)


def sum_of_errors(sick: bool) -> Training:
    """Squared errors are summed over the batch, with the rate of a mean."""
    seen, unseen = _market(False, False)
    loss = keras.losses.MeanSquaredError(reduction="sum" if sick else "sum_over_batch_size")
    model = networks.dense(5, (32, 32), 1, None)
    model.compile(keras.optimizers.SGD(0.05), loss)
    return Training(model, *seen, r2(*unseen), unseen, epochs=12, batch_size=64)


def holes(sick: bool) -> Training:
    """Two columns have gaps (NaN), as they were read from the file."""
    (x, y), unseen = _market(False, False)
    if sick:
        x[::37, 1], x[5::53, 4] = np.nan, np.nan
    model = networks.dense(5, (32,), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x, y, r2(*unseen), unseen, epochs=15)


def lasso_of_one(sick: bool) -> Training:
    """An L1 penalty of 0.5 on every layer."""
    seen, unseen = _market(False, False)
    model = networks.dense(5, (32, 32), 1, None,
                           kernel_regularizer=regularizers.L1(0.5 if sick else 1e-6))
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=15)


def nine_of_ten_dropped(sick: bool) -> Training:
    """Dropout of 0.9 after every narrow layer."""
    seen, unseen = data.wine()
    rate = 0.9 if sick else 0.1
    model = keras.Sequential(
        [keras.Input((13,)), layers.Dense(12, activation="relu"), layers.Dropout(rate),
         layers.Dense(12, activation="relu"), layers.Dropout(rate),
         layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.Adam(5e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=30, batch_size=16)


def class_as_a_number(sick: bool) -> Training:
    """Ten classes are predicted by one linear unit with a squared error."""
    (x, y), (xv, yv) = data.digits()
    model = networks.dense(64, (32,), 1 if sick else 10, None if sick else "softmax")
    model.compile(keras.optimizers.Adam(3e-3), "mse" if sick else CROSS_ENTROPY)

    def judge(trained: Any) -> float:
        out = outputs(trained, xv)
        guess = np.rint(out[:, 0]) if sick else out.argmax(1)
        return float(np.mean(guess == yv))

    return Training(model, x, y, judge, (xv, yv), epochs=10)


def entropy_of_a_temperature(sick: bool) -> Training:
    """A standardized measurement is trained with the cross-entropy of a sigmoid."""
    seen, unseen = data.friedman()
    model = networks.dense(10, (32,), 1, "sigmoid" if sick else None)
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy" if sick else "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=10)


def every_pair(sick: bool) -> Training:
    """Targets `[N]` against outputs `[N, 1]` in a loss of one's own: every pair is compared."""
    (x, y), (xv, yv) = data.friedman()

    def error(truth: Any, guess: Any) -> Any:
        return keras.ops.mean(keras.ops.square((truth[:, 0] if sick else truth) - guess))

    model = networks.dense(10, (32,), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), error)
    return Training(model, x, y, r2(xv, yv), (xv, yv), epochs=10)


def no_bend(sick: bool) -> Training:
    """Four hidden layers without an activation, for spirals."""
    seen, unseen = data.spirals()
    model = networks.dense(2, (48, 48, 48), 1, "sigmoid", activation=None if sick else "relu")
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=25)


def sorted_by_class(sick: bool) -> Training:
    """The table is sorted by class and `shuffle=False` was set for a time series."""
    (x, y), unseen = data.digits()
    order = np.argsort(y, kind="stable")
    model = networks.dense(64, (48,), 10)
    model.compile(keras.optimizers.SGD(0.2), CROSS_ENTROPY)
    return Training(model, x[order], y[order], accuracy(*unseen), unseen, epochs=8,
                    shuffle=not sick)


def half_an_epoch(sick: bool) -> Training:
    """Stopped after two epochs of 40, while everything still falls."""
    seen, unseen = data.friedman()
    model = networks.dense(10, (32,), 1, None)
    model.compile(keras.optimizers.SGD(0.003), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=2 if sick else 60, batch_size=16)


def zeros_everywhere(sick: bool) -> Training:
    """Every kernel starts at zero: the network learns the mean and no more."""
    seen, unseen = _market(False, False)
    model = networks.dense(5, (32, 32), 1, None,
                           kernel_initializer="zeros" if sick else "he_normal")
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=10)


def wide_start(sick: bool) -> Training:
    """Kernels start with a standard deviation of 4, hidden units tanh."""
    seen, unseen = data.digits()
    start = keras.initializers.RandomNormal(stddev=4.0 if sick else 0.12)
    model = networks.dense(64, (48, 48), 10, activation="tanh", kernel_initializer=start)
    model.compile(keras.optimizers.SGD(0.02, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def ten_sigmoids(sick: bool) -> Training:
    """Ten layers of sigmoid units in a row."""
    seen, unseen = data.cancer()
    model = networks.dense(30, (24,) * 10, 1, "sigmoid", activation="sigmoid" if sick else "relu")
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12)


def shuffled_answers(sick: bool) -> Training:
    """The answers were shuffled on their own."""
    (x, y), unseen = data.digits()
    if sick:
        y = np.random.default_rng(9).permutation(y)
    model = networks.dense(64, (128, 128), 10)
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY)
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=15)


def one_in_fifty(sick: bool) -> Training:
    """One case in fifty is positive; the network never says so."""
    (x, y), (xv, yv) = data.rare(0.02 if sick else 0.5)
    model = networks.dense(8, (16,), 1, "sigmoid")
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")

    def judge(trained: Any) -> float:
        guess, truth = outputs(trained, xv)[:, 0] > 0.5, yv[:, 0] > 0.5
        return float((guess[truth].mean() + (~guess[~truth]).mean()) / 2)

    return Training(model, x, y, judge, (xv, yv), epochs=10)


def momentum_forgotten(sick: bool) -> Training:
    """Plain SGD at 1e-5, as if it were Adam."""
    seen, unseen = _market(False, False)
    model = networks.dense(5, (32, 32), 1, None)
    model.compile(keras.optimizers.SGD(1e-5 if sick else 0.02), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=15)


def two_answers(sick: bool) -> Training:
    """One of two outputs is a price in single units, and drowns the other."""
    (x, y), (xv, yv) = data.friedman()
    scale = 1e4 if sick else 1.0
    inputs = keras.Input((10,))
    h = layers.Dense(32, activation="relu")(inputs)
    model = keras.Model(inputs, {"price": layers.Dense(1, name="price")(h),
                                 "high": layers.Dense(1, activation="sigmoid", name="high")(h)})
    model.compile(keras.optimizers.SGD(0.02, momentum=0.9),
                  {"price": "mse", "high": "binary_crossentropy"})
    target = {"price": y * scale, "high": (y > 0).astype("f")}

    def judge(trained: Any) -> float:
        out = np.asarray(trained(xv)["high"], np.float64)
        return float(np.mean((out > 0.5) == (yv > 0))) if np.isfinite(out).all() else 0.0

    return Training(model, x, target, judge,
                    (xv, {"price": yv * scale, "high": (yv > 0).astype("f")}), epochs=10)


HIGH, LOW = "learning-rate-too-high", "learning-rate-too-low"

PROGRAMS: tuple[Program, ...] = (
    program("reported-columns", "table", columns_as_they_come, 0.7, "unnormalized-input",
            also=(HIGH,)),
    program("reported-prices", "table", prices_as_they_come, 0.7, "unscaled-target",
            also=(LOW,)),
    program("reported-sum-of-errors", "table", sum_of_errors, 0.7, "wrong-loss", HIGH),
    program("reported-holes", "table", holes, 0.7, "non-finite-input"),
    program("reported-lasso", "table", lasso_of_one, 0.7, "over-regularization"),
    program("reported-dropped", "table", nine_of_ten_dropped, 0.9, "over-regularization"),
    program("reported-class-as-a-number", "table", class_as_a_number, 0.85, "wrong-loss"),
    program("reported-entropy-of-a-temperature", "table", entropy_of_a_temperature, 0.7,
            "wrong-loss", "wrong-output-activation"),
    program("reported-every-pair", "table", every_pair, 0.7, "wrong-loss"),
    program("reported-no-bend", "table", no_bend, 0.85, "wrong-hidden-activation",
            "insufficient-capacity"),
    program("reported-sorted", "table", sorted_by_class, 0.85, "unshuffled-batches"),
    program("reported-half-an-epoch", "table", half_an_epoch, 0.6, "too-few-steps",
            also=(LOW,)),
    program("reported-zeros", "table", zeros_everywhere, 0.7, "poor-initialization",
            also=("dead-relu",)),
    program("reported-wide-start", "table", wide_start, 0.85, "poor-initialization"),
    program("reported-ten-sigmoids", "table", ten_sigmoids, 0.9, "wrong-hidden-activation",
            "too-deep-without-skip"),
    program("reported-shuffled-answers", "table", shuffled_answers, 0.85, "wrong-labels"),
    program("reported-one-in-fifty", "table", one_in_fifty, 0.6, "class-imbalance"),
    program("reported-momentum-forgotten", "table", momentum_forgotten, 0.7, LOW,
            also=("optimizer-mismatch",)),
    program("reported-two-answers", "table", two_answers, 0.75, "unscaled-target", also=(HIGH,)),
)
