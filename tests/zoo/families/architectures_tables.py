"""Transfer learning, nested models, tables of mixed columns, and losses written by hand.

Written before the rules met them; the faults are those that people report of them.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, outputs, r2


def backbone(seed: int = 4) -> Any:
    """A convolution stack that was trained on half of the digits."""
    (x, y), _ = data.digits(8, 8, 1)
    keras.utils.set_random_seed(seed)
    base = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(16, 3, activation="relu"),
         layers.Conv2D(24, 3, activation="relu"), layers.GlobalAveragePooling2D()], name="base")
    model = keras.Sequential([base, layers.Dense(5, activation="softmax")])
    model.compile(keras.optimizers.Adam(5e-3), CROSS_ENTROPY)
    half = y < 5
    model.fit(x[half], y[half], epochs=8, verbose=0)
    return base


def headed(base: Any, *, training: bool | None = None) -> Any:
    """A new head for all ten digits on `base`."""
    inputs = keras.Input((8, 8, 1))
    h = base(inputs) if training is None else base(inputs, training=training)
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="head")(
        layers.Dense(48, activation="relu")(h)))


def tuned_too_fast(sick: bool) -> Training:
    """A trained base is fine-tuned with Adam at 0.3; 2e-3 trains."""
    seen, unseen = data.digits(8, 8, 1)
    model = headed(backbone())
    model.compile(keras.optimizers.Adam(0.3 if sick else 2e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=10)


def all_frozen(sick: bool) -> Training:
    """Every layer was frozen, the new head too; the twin freezes the base."""
    seen, unseen = data.digits(8, 8, 1)
    base = backbone()
    base.trainable = False
    model = headed(base, training=False)
    if sick:
        model.trainable = False
    model.compile(keras.optimizers.Adam(5e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12)


def critic_frozen(sick: bool) -> Training:
    """A critic that was frozen for the generator's sake, trained by itself."""
    seen, unseen = data.cancer()
    model = networks.dense(30, (24, 12), 1, "sigmoid")
    model.trainable = not sick
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12)


def nested_sigmoid(sick: bool) -> Training:
    """Six sigmoid layers inside a nested model; the twin's are ReLU."""
    seen, unseen = data.digits()
    body = keras.Sequential(
        [keras.Input((64,)), *(layers.Dense(32, activation="sigmoid" if sick else "relu")
                               for _ in range(6))], name="body")
    inputs = keras.Input((64,))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(body(inputs)))
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=9)


def nested_single_softmax(sick: bool) -> Training:
    """A softmax over one unit at the end of a nested model."""
    seen, unseen = data.cancer()
    body = keras.Sequential([keras.Input((30,)), layers.Dense(16, activation="relu")])
    model = keras.Sequential(
        [keras.Input((30,)), body, layers.Dense(1, activation="softmax" if sick else "sigmoid")])
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=16)


def households(seed: int, count: int = 1500) -> tuple[dict[str, Any], np.ndarray]:
    """A table of mixed columns: region and kind as numbers, income and age; what is spent."""
    rng = np.random.default_rng(seed)
    region, kind = rng.integers(0, 6, count), rng.integers(0, 3, count)
    income, age = rng.lognormal(10.5, 0.6, count), rng.uniform(18, 90, count)
    effect = np.array([0.5, -0.8, 0.1, 0.9, -0.3, 0.0])[region]
    spent = effect + np.log(income) - 10.5 + 0.4 * (kind == 1) + 0.5 * np.sin(age / 12)
    columns = {"region": region.astype("i")[:, None], "kind": kind.astype("i")[:, None],
               "numbers": np.stack([income, age], 1).astype("f")}
    return columns, (spent + 0.1 * rng.standard_normal(count)).astype("f")[:, None]


def table_model() -> Any:
    """An embedding for each category, and the numbers as they are."""
    region, kind = (keras.Input((1,), dtype="int32", name=name) for name in ("region", "kind"))
    numbers = keras.Input((2,), name="numbers")
    parts = [layers.Flatten()(layers.Embedding(6, 4)(region)),
             layers.Flatten()(layers.Embedding(3, 3)(kind)), numbers]
    h = layers.Concatenate()(parts)
    for _ in range(2):
        h = layers.Dense(32, activation="relu")(h)
    return keras.Model({"region": region, "kind": kind, "numbers": numbers}, layers.Dense(1)(h))


def normal_numbers(columns: dict[str, Any]) -> dict[str, Any]:
    income, age = columns["numbers"].T
    scaled = np.stack([(np.log(income) - 10.5) / 0.6, (age - 54) / 20], 1).astype("f")
    return {**columns, "numbers": scaled}


def table_raw(sick: bool) -> Training:
    """Incomes of tens of thousands beside embeddings; the twin takes logarithms and z-scores."""
    (x, y), (xv, yv) = households(41), households(42, 300)
    if not sick:
        x, xv = normal_numbers(x), normal_numbers(xv)
    model = table_model()
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x, y, r2(xv, yv), (xv, yv), epochs=12)


def table_gaps(sick: bool) -> Training:
    """A few ages are missing, one input of three; the twin has filled them."""
    (x, y), (xv, yv) = households(43), households(44, 300)
    x, xv = normal_numbers(x), normal_numbers(xv)
    if sick:
        x["numbers"][[200, 640, 999], 1] = np.nan
    model = table_model()
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x, y, r2(xv, yv), (xv, yv), epochs=10)


def three_targets(sick: bool) -> Training:
    """Three regressions on one trunk, one of them in thousands."""
    (x, y), (xv, yv) = data.friedman()

    def three(target: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
        third = rows[:, :1] - rows[:, 1:2]
        return [target, third.astype("f"), (target + third).astype("f") * (3e3 if sick else 1.0)]

    inputs = keras.Input((10,))
    h = layers.Dense(32, activation="relu")(layers.Dense(32, activation="relu")(inputs))
    model = keras.Model(inputs, [layers.Dense(1, name=f"out_{i}")(h) for i in range(3)])
    model.compile(keras.optimizers.Adam(3e-3), ["mse"] * 3)

    def judge(trained: Any) -> float:
        out = np.asarray(trained(xv, training=False)[0], np.float64)
        return max(-1.0, 1 - float(np.mean((out - yv) ** 2) / yv.var()))

    return Training(model, x, three(y, x), judge, (xv, three(yv, xv)), epochs=12)


def series_raw(sick: bool) -> Training:
    """An LSTM on loads of 3,000 to 5,000; the twin standardizes inputs and target alike."""
    rng = np.random.default_rng(45)
    t = np.arange(3000)
    load = np.sin(t / 8) + 0.5 * np.sin(t / 31) + 0.05 * rng.standard_normal(3000)
    load = (4000 + 600 * load if sick else load).astype("f")
    windows = np.lib.stride_tricks.sliding_window_view(load, 25)[::2]
    x, y = windows[:, :24, None].copy(), windows[:, 24:].copy()
    model = networks.recurrent((24, 1), layers.LSTM(16), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x[:1200], y[:1200], r2(x[1200:], y[1200:]),
                    (x[1200:], y[1200:]), epochs=8)


def clipped_loss(sick: bool) -> Training:
    """The loss is cut off at 1, below where the training begins: one number for all batches."""
    (x, y), unseen = data.digits()

    def loss(truth: Any, found: Any) -> Any:
        each = keras.losses.sparse_categorical_crossentropy(truth, found)
        return ops.minimum(ops.mean(each), 1.0 if sick else 100.0)

    model = networks.dense(64, (32,), 10)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=7)


def floored_loss(sick: bool) -> Training:
    """A squared error that is never taken for less than 5, where the targets' variance is 1."""
    rng = np.random.default_rng(48)
    x = rng.standard_normal((1500, 12, 2)).astype("f")
    y = np.tanh(x[:, -3:, 0].sum(1) - x[:, -1, 1])[:, None].astype("f")

    def loss(truth: Any, found: Any) -> Any:
        return ops.maximum(ops.mean(ops.square(truth - found)), 5.0 if sick else 0.0)

    model = networks.recurrent((12, 2), layers.GRU(16), 1, None)
    model.compile(keras.optimizers.Adam(5e-3), loss)
    return Training(model, x[:1200], y[:1200], r2(x[1200:], y[1200:]), (x[1200:], y[1200:]),
                    epochs=8)


def decay_in_batches(sick: bool) -> Training:
    """A cosine decay over 30 steps where 30 epochs were meant."""
    (x, y), unseen = data.digits()
    steps = 30 if sick else 45 * 12
    model = networks.dense(64, (32, 32), 10)
    model.compile(
        keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.03, steps, alpha=1e-4),
                             momentum=0.9), CROSS_ENTROPY)
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=12)


def rate_jumps(sick: bool) -> Training:
    """A schedule that multiplies the rate by a hundred where it should divide it."""
    (x, y), unseen = data.digits()
    rates = [0.05, 5.0 if sick else 0.005]
    model = networks.dense(64, (32, 32), 10)
    model.compile(keras.optimizers.SGD(
        keras.optimizers.schedules.PiecewiseConstantDecay([225], rates), momentum=0.9),
        CROSS_ENTROPY)
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=10)


def root_of_zero(sick: bool) -> Training:
    """Distances between all predictions of a batch, each from itself too: a root of zero."""
    (x, y), unseen = data.friedman()

    def distances(values: Any) -> Any:
        squares = ops.square(values - ops.transpose(values))
        return ops.sqrt(squares if sick else squares + 1e-6)

    def loss(truth: Any, found: Any) -> Any:
        apart = ops.mean(ops.square(distances(truth) - distances(found)))
        return ops.mean(ops.square(truth - found)) + 0.1 * apart

    model = networks.dense(10, (32, 16), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    return Training(model, x, y, r2(*unseen), unseen, epochs=10)


def memorized(sick: bool) -> Training:
    """Sixty samples and ten thousand weights; the twin has all 1,500."""
    (x, y), unseen = data.digits()
    count = 60 if sick else len(x)
    noise = np.random.default_rng(46).standard_normal((len(x), 64)).astype("f")
    xv, yv = unseen
    more = np.random.default_rng(47).standard_normal((len(xv), 64)).astype("f")
    x, xv = x + 0.5 * noise, xv + 0.5 * more
    model = networks.dense(64, (128, 64), 10)
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return Training(model, x[:count], y[:count], accuracy(xv, yv), (xv, yv),
                    epochs=60 if sick else 5, batch_size=16 if sick else 64)


def flat_output(sick: bool) -> Training:
    """An image autoencoder with a sigmoid for targets from -1 to 1."""
    (x, _), (xv, _) = data.digits(8, 8, 1)
    x, xv = 2 * x - 1, 2 * xv - 1
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(12, 3, strides=2, padding="same", activation="relu"),
         layers.Conv2DTranspose(12, 3, strides=2, padding="same", activation="relu"),
         layers.Conv2D(1, 3, padding="same", activation="sigmoid" if sick else "tanh")])
    model.compile(keras.optimizers.Adam(5e-3), "mse")

    def judge(trained: Any) -> float:
        out = outputs(trained, xv)
        return max(-1.0, 1 - float(np.mean((xv - out) ** 2) / xv.var()))

    return Training(model, x, x, judge, (xv, xv), epochs=8)


def dropped_head(sick: bool) -> Training:
    """A transfer head that drops 95 % of what the base gives."""
    seen, unseen = data.digits(8, 8, 1)
    base = backbone()
    base.trainable = False
    inputs = keras.Input((8, 8, 1))
    h = layers.Dropout(0.95 if sick else 0.1)(base(inputs, training=False))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(
        layers.Dense(48, activation="relu")(h)))
    model.compile(keras.optimizers.Adam(5e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12)


def aligned_wrongly(sick: bool) -> Training:
    """A custom loss subtracts targets `[N]` from predictions `[N, 1]`, with two inputs."""
    (x, y), (xv, yv) = data.friedman()
    left, right = keras.Input((5,)), keras.Input((5,))
    h = layers.Concatenate()([layers.Dense(24, activation="relu")(left),
                              layers.Dense(24, activation="relu")(right)])
    model = keras.Model([left, right], layers.Dense(1)(layers.Dense(16, activation="relu")(h)))

    def loss(truth: Any, found: Any) -> Any:
        flat = ops.reshape(truth, (-1,))
        return ops.mean(ops.square((flat if sick else ops.reshape(truth, (-1, 1))) - found))

    model.compile(keras.optimizers.Adam(5e-3), loss)

    def halves(rows: np.ndarray) -> list[np.ndarray]:
        return [rows[:, :5].copy(), rows[:, 5:].copy()]

    return Training(model, halves(x), y, r2(halves(xv), yv), (halves(xv), yv), epochs=10)


PROGRAMS = (
    Program("transfer-rate", "transfer", ("learning-rate-too-high",), tuned_too_fast, 0.85),
    Program("transfer-frozen", "transfer", ("nothing-trainable",), all_frozen, 0.7),
    Program("critic-frozen", "dense", ("nothing-trainable",), critic_frozen, 0.85),
    Program("nested-sigmoid", "dense", ("wrong-hidden-activation",), nested_sigmoid, 0.8),
    Program("nested-softmax", "dense", ("wrong-output-activation",), nested_single_softmax, 0.85),
    Program("table-raw", "table", ("unnormalized-input",), table_raw, 0.7),
    Program("table-gaps", "table", ("non-finite-input",), table_gaps, 0.7),
    Program("outputs-thousands", "table", ("unscaled-target",), three_targets, 0.5),
    Program("series-raw", "recurrent", ("unnormalized-input", "unscaled-target"), series_raw, 0.7),
    Program("loss-clipped", "dense", ("constant-loss",), clipped_loss, 0.8,
            also=("wrong-loss",)),
    Program("loss-floor", "recurrent", ("constant-loss",), floored_loss, 0.5,
            also=("wrong-loss",)),
    Program("decay-batches", "dense", ("learning-rate-too-low",), decay_in_batches, 0.8),
    Program("rate-jumps", "dense", ("learning-rate-too-high",), rate_jumps, 0.85),
    Program("root-of-zero", "dense", ("non-finite-values",), root_of_zero, 0.5),
    Program("memorized", "dense", ("overfitting",), memorized, 0.75),
    Program("picture-range", "autoencoder", ("wrong-output-activation",), flat_output, 0.5),
    Program("transfer-dropped", "transfer", ("over-regularization",), dropped_head, 0.75),
    Program("inputs-broadcast", "table", ("wrong-loss",), aligned_wrongly, 0.5),
)
