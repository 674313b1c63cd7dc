"""Programs of architectures that the other families lack, written before the rules met them.

Segmentation, detection heads, sequence to sequence, contrastive learning, variational autoencoders,
adversarial pairs, Q-learning, transfer learning, tables of mixed columns, several outputs. Faults
are those that people report of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, outputs, r2


def scenes(seed: int, radius: float = 3.0, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Noisy 16 x 16 images of one bright disc each, and the mask of the disc."""
    rng = np.random.default_rng(seed)
    grid = np.arange(16)
    centre = rng.uniform(4, 12, (count, 2))
    distance = np.hypot(grid[:, None] - centre[:, :1, None], grid - centre[:, 1:, None])
    mask = (distance < radius).astype("f")[..., None]
    image = 0.25 + 0.5 * mask + 0.12 * rng.standard_normal(mask.shape)
    return np.clip(image, 0, 1).astype("f"), mask


def segmenter(output: str | None = "sigmoid") -> Any:
    """A U-Net of two levels."""
    inputs = keras.Input((16, 16, 1))
    fine = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    coarse = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D()(fine))
    up = layers.Concatenate()([fine, layers.UpSampling2D()(coarse)])
    merged = layers.Conv2D(8, 3, padding="same", activation="relu")(up)
    return keras.Model(inputs, layers.Conv2D(1, 1, activation=output)(merged))


def overlap(x: Any, mask: Any, level: float = 0.5) -> Callable[[Any], float]:
    """Judge: intersection over union of the predicted mask."""

    def judge(model: Any) -> float:
        guess, truth = outputs(model, x) > level, mask > 0.5
        return float((guess & truth).sum() / max(1, (guess | truth).sum()))

    return judge


def masks_raw(sick: bool) -> Training:
    """A U-Net on pixels from 0 to 255 with SGD; the twin divides by 255."""
    (x, y), (xv, yv) = scenes(1), scenes(2, count=100)
    scale = 255.0 if sick else 1.0
    model = segmenter()
    model.compile(keras.optimizers.SGD(0.3, momentum=0.9), "binary_crossentropy")
    return Training(model, x * scale, y, overlap(xv * scale, yv), (xv * scale, yv), epochs=14)


def masks_rare(sick: bool) -> Training:
    """Discs of one pixel in 256; the twin's fill a tenth of the image."""
    radius = 0.75 if sick else 3.0
    (x, y), (xv, yv) = scenes(3, radius), scenes(4, radius, 100)
    model = segmenter()
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "binary_crossentropy")
    return Training(model, x, y, overlap(xv, yv), (xv, yv), epochs=14)


def masks_cut(sick: bool) -> Training:
    """A ReLU before a loss of logits: half of them cannot be reached."""
    (x, y), (xv, yv) = scenes(5), scenes(6, count=100)
    model = segmenter("relu" if sick else None)
    model.compile(keras.optimizers.Adam(3e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    return Training(model, x, y, overlap(xv, yv, 0.0), (xv, yv), epochs=10)


def boxes(sick: bool) -> Training:
    """A detection head whose boxes are in pixels of 640; the twin's in parts of the image."""
    (x, mask), (xv, maskv) = scenes(7), scenes(8, count=100)
    scale = 640.0 if sick else 1.0

    def targets(masks: np.ndarray) -> dict[str, np.ndarray]:
        grid = np.linspace(0, 1, 16)
        weight = masks[..., 0] / masks[..., 0].sum((1, 2), keepdims=True)
        row, column = (weight.sum(2) * grid).sum(1), (weight.sum(1) * grid).sum(1)
        side = (row + column > 1).astype("i")
        return {"box": (np.stack([row, column], 1) * scale).astype("f"), "kind": side}

    inputs = keras.Input((16, 16, 1))
    h = layers.Conv2D(8, 3, strides=2, activation="relu")(inputs)
    h = layers.Flatten()(layers.Conv2D(16, 3, strides=2, activation="relu")(h))
    h = layers.Dense(32, activation="relu")(h)
    model = keras.Model(inputs, {"box": layers.Dense(2, name="box")(h),
                                 "kind": layers.Dense(2, "softmax", name="kind")(h)})
    model.compile(keras.optimizers.Adam(2e-3), {"box": "mse", "kind": CROSS_ENTROPY})
    y, yv = targets(mask), targets(maskv)

    def judge(trained: Any) -> float:
        out = trained(xv, training=False)
        return float((np.asarray(out["kind"]).argmax(1) == yv["kind"]).mean())

    return Training(model, x, y, judge, (xv, yv), epochs=12)


def head_unweighted(sick: bool) -> Training:
    """Two outputs, one of which has a weight of zero in the loss."""
    (x, y), (xv, yv) = data.digits()
    inputs = keras.Input((64,))
    h = layers.Dense(48, activation="relu")(inputs)
    model = keras.Model(inputs, {"digit": layers.Dense(10, "softmax", name="digit")(h),
                                 "even": layers.Dense(1, "sigmoid", name="even")(h)})
    model.compile(keras.optimizers.Adam(3e-3),
                  {"digit": CROSS_ENTROPY, "even": "binary_crossentropy"},
                  loss_weights={"digit": 1.0, "even": 0.0 if sick else 1.0})

    def targets(digit: np.ndarray) -> dict[str, np.ndarray]:
        return {"digit": digit, "even": (digit % 2 == 0).astype("f")[:, None]}

    def judge(trained: Any) -> float:
        out = np.asarray(trained(xv, training=False)["even"])[:, 0]
        return float(((out > 0.5) == (yv % 2 == 0)).mean())

    return Training(model, x, targets(y), judge, (xv, targets(yv)), epochs=8)


def phrases(seed: int, count: int = 1200, length: int = 8) -> tuple[Any, Any]:
    """Sequences of 12 symbols, and the same reversed: what a decoder is to write."""
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 13, (count, length)).astype("i")
    return x, x[:, ::-1].copy()


def translator(width: int = 48, symbols: int = 13, length: int = 8) -> Any:
    """An encoder, its last state repeated, and a decoder."""
    return keras.Sequential([
        keras.Input((length,), dtype="int32"), layers.Embedding(symbols, 16),
        layers.GRU(width), layers.RepeatVector(length), layers.GRU(width, return_sequences=True),
        layers.Dense(symbols, activation="softmax"),
    ])


def tokens(x: Any, y: Any) -> Callable[[Any], float]:
    """Judge: share of symbols, other than padding, that are right."""

    def judge(model: Any) -> float:
        out, real = outputs(model, x), y > 0
        if not np.isfinite(out).all():
            return 0.0
        return float((out.argmax(-1) == y)[real].mean())

    return judge


def reversal_rate(sick: bool) -> Training:
    """A sequence-to-sequence model with Adam at 1.0; 0.01 trains."""
    (x, y), (xv, yv) = phrases(11, length=4), phrases(12, 200, length=4)
    model = translator(length=4)
    model.compile(keras.optimizers.Adam(1.0 if sick else 0.01), CROSS_ENTROPY)
    return Training(model, x, y, tokens(xv, yv), (xv, yv), epochs=12)


def reversal_padded(sick: bool) -> Training:
    """Nineteen of twenty target symbols are padding that the loss counts; the twin masks them."""
    def padded(seed: int, count: int) -> tuple[Any, Any]:
        x, _ = phrases(seed, count, 2)
        y = np.zeros((count, 40), "i")
        y[:, :2] = x[:, ::-1]
        return x, y

    (x, y), (xv, yv) = padded(13, 900), padded(14, 150)
    model = keras.Sequential([
        keras.Input((2,), dtype="int32"), layers.Embedding(13, 16), layers.GRU(32),
        layers.RepeatVector(40), layers.GRU(32, return_sequences=True),
        layers.Dense(13, activation="softmax"),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=None if sick else 0)
    model.compile(keras.optimizers.SGD(0.3, momentum=0.9) if sick else keras.optimizers.Adam(5e-3),
                  loss)
    return Training(model, x, y, tokens(xv, yv), (xv, yv), epochs=10)


def tagging_logits(sick: bool) -> Training:
    """A softmax for each word, before a loss that applies one."""
    rng = np.random.default_rng(15)

    def sentences(count: int) -> tuple[Any, Any]:
        x = rng.integers(0, 40, (count, 12)).astype("i")
        before = np.roll(x, 1, axis=1)
        before[:, 0] = 0
        return x, ((x // 10 + (before > 20) * 4) % 8).astype("i")

    (x, y), (xv, yv) = sentences(900), sentences(150)
    model = keras.Sequential([
        keras.Input((12,), dtype="int32"), layers.Embedding(40, 16),
        layers.Bidirectional(layers.LSTM(16, return_sequences=True)),
        layers.TimeDistributed(layers.Dense(8, activation="softmax" if sick else None)),
    ])
    model.compile(keras.optimizers.Adam(3e-3),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def judge(trained: Any) -> float:
        return float((outputs(trained, xv).argmax(-1) == yv).mean())

    return Training(model, x, y, judge, (xv, yv), epochs=3)


def views(seed: int, count: int = 900) -> tuple[list[np.ndarray], np.ndarray]:
    """Two noisy views of each thing, and nothing else to learn from."""
    rng = np.random.default_rng(seed)
    thing = rng.standard_normal((count, 6))
    mix = np.random.default_rng(0).standard_normal((2, 6, 24)) / 2.5
    both = [np.tanh(thing @ part) + 0.1 * rng.standard_normal((count, 24)) for part in mix]
    return [view.astype("f") for view in both], np.zeros((count, 1), "f")


class Towers(keras.Model):
    """Two encoders whose embeddings of one thing are to be alike, of two things not (InfoNCE)."""

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        self.left, self.right = (
            keras.Sequential([keras.Input((24,)), layers.Dense(48, activation="relu"),
                              layers.Dense(12)], name=name) for name in ("left", "right")
        )
        self.temperature = temperature

    def call(self, pair: Any, training: bool = False) -> Any:
        a, b = self.left(pair[0], training=training), self.right(pair[1], training=training)
        a, b = ops.normalize(a, axis=-1), ops.normalize(b, axis=-1)
        return ops.matmul(a, ops.transpose(b)) / self.temperature


def info_nce(_: Any, scores: Any) -> Any:
    """Each view is to find its other one among the batch."""
    labels = ops.arange(ops.shape(scores)[0])
    return ops.mean(keras.losses.sparse_categorical_crossentropy(labels, scores, from_logits=True))


def retrieved(pair: Any) -> Callable[[Any], float]:
    """Judge: share of the views whose nearest other view, of 64, is the right one."""

    def judge(model: Any) -> float:
        return float((outputs(model, [v[:64] for v in pair]).argmax(1) == np.arange(64)).mean())

    return judge


def towers_rate_low(sick: bool) -> Training:
    """Contrastive towers with Adam at 1e-7; 3e-3 trains."""
    (x, y), (xv, _) = views(21), views(22, 64)
    model = Towers()
    model([view[:2] for view in x])
    model.compile(keras.optimizers.Adam(1e-7 if sick else 3e-3), info_nce)
    return Training(model, x, y, retrieved(xv), None, epochs=12)


def towers_one_forgotten(sick: bool) -> Training:
    """The train step gives the optimizer the weights of one tower only, and that one is cut off."""
    (x, y), (xv, _) = views(23), views(24, 64)

    class Forgetful(Towers):
        def train_step(self, batch: Any) -> dict[str, Any]:
            pair, _ = batch
            trained = (
                self.left.trainable_variables if sick
                else self.left.trainable_variables + self.right.trainable_variables
            )
            with tf.GradientTape() as tape:
                loss = info_nce(None, self(pair, training=True))
            self.optimizer.apply_gradients(
                zip(tape.gradient(loss, trained), trained, strict=True)
            )
            return {"loss": loss}

    model = Forgetful(0.5)
    model([view[:2] for view in x])
    model.compile(keras.optimizers.SGD(0.3))
    return Training(model, x, y, retrieved(xv), None, epochs=15)


def pairs_sign(sick: bool) -> Training:
    """A metric loss whose sign was turned: distances of like pairs grow without end."""
    rng = np.random.default_rng(25)
    x, kind = rng.standard_normal((1200, 12)).astype("f"), rng.integers(0, 2, 1200)
    like = kind.astype("f")[:, None]
    other = np.where(kind[:, None] > 0, x + 0.1 * rng.standard_normal(x.shape),
                     rng.standard_normal(x.shape)).astype("f")
    a, b = keras.Input((12,)), keras.Input((12,))
    base = keras.Sequential([keras.Input((12,)), layers.Dense(24, activation="tanh"),
                             layers.Dense(8)])
    distance = layers.Lambda(
        lambda two: ops.sum(ops.square(two[0] - two[1]), axis=1, keepdims=True),
        output_shape=(1,))([base(a), base(b)])
    model = keras.Model([a, b], distance)

    def metric(truth: Any, found: Any) -> Any:
        value = truth * found + (1 - truth) * ops.maximum(2.0 - found, 0.0)
        return -ops.mean(value) if sick else ops.mean(value)

    model.compile(keras.optimizers.Adam(3e-3), metric)

    def judge(trained: Any) -> float:
        found = outputs(trained, [x, other])[:, 0]
        return float(((found < 1) == (kind > 0)).mean())

    return Training(model, [x, other], like, judge, None, epochs=8)


class Variational(keras.Model):
    """A variational autoencoder of the digits."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.encoder = keras.Sequential(
            [keras.Input((64,)), layers.Dense(48, activation="relu"), layers.Dense(12)],
            name="encoder")
        self.decoder = keras.Sequential(
            [keras.Input((6,)), layers.Dense(48, activation="relu"), layers.Dense(64)],
            name="decoder")
        self.weight = weight
        self.noise = keras.random.SeedGenerator(1)

    def call(self, x: Any, training: bool = False) -> Any:
        mean, log = ops.split(self.encoder(x, training=training), 2, axis=-1)
        code = mean
        if training:
            code = mean + ops.exp(log / 2) * keras.random.normal(ops.shape(mean), seed=self.noise)
            kl = -0.5 * ops.sum(1 + log - ops.square(mean) - ops.exp(log), axis=-1)
            self.add_loss(self.weight * ops.mean(kl))
        return self.decoder(code, training=training)


def code_collapses(sick: bool) -> Training:
    """The KL term weighs a thousand times as much as it should: the code says nothing."""
    (x, _), (xv, _) = data.digits()
    mean = x.mean(0)
    model = Variational(1.0 if sick else 1e-3)
    model(x[:2])
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x - mean, x - mean, r2(xv - mean, xv - mean), (xv - mean, xv - mean),
                    epochs=15)


class Adversaries(keras.Model):
    """A GAN in the plane; `frozen` gives the generator's step the critic's weights."""

    def __init__(self, frozen: bool) -> None:
        super().__init__()
        self.generator = keras.Sequential(
            [keras.Input((4,)), layers.Dense(24, activation="relu"), layers.Dense(2)],
            name="generator")
        self.critic = keras.Sequential(
            [keras.Input((2,)), layers.Dense(24, activation="leaky_relu"), layers.Dense(1)],
            name="critic")
        self.frozen = frozen
        self.noise = keras.random.SeedGenerator(3)
        self.other = keras.optimizers.Adam(2e-3, beta_1=0.5)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.generator(x, training=training)

    def made(self, real: Any) -> Any:
        return self.generator(keras.random.normal((ops.shape(real)[0], 4), seed=self.noise))

    def train_step(self, batch: Any) -> dict[str, Any]:
        real, _ = batch
        entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        weights = self.critic.trainable_variables
        with tf.GradientTape() as tape:
            yes, no = self.critic(real), self.critic(self.made(real))
            d_loss = entropy(ops.ones_like(yes), yes) + entropy(ops.zeros_like(no), no)
        self.optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
        weights = weights if self.frozen else self.generator.trainable_variables
        with tf.GradientTape() as tape:
            no = self.critic(self.made(real))
            g_loss = entropy(ops.ones_like(no), no)
        self.other.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
        return {"loss": d_loss + g_loss, "d_loss": d_loss, "g_loss": g_loss}


def generator_still(sick: bool) -> Training:
    """The generator's optimizer is given the critic's weights: the generator never moves."""
    rng = np.random.default_rng(31)
    real = (rng.standard_normal((1600, 2)) * 0.5 + [2.0, -1.0]).astype("f")
    model = Adversaries(sick)
    model(np.zeros((2, 4), "f"))
    model.critic(real[:2])
    model.compile(keras.optimizers.Adam(2e-3, beta_1=0.5))

    def judge(trained: Any) -> float:
        made = outputs(trained, np.random.default_rng(0).standard_normal((400, 4)).astype("f"))
        return float(1 / (1 + np.hypot(*(made.mean(0) - real.mean(0)))))

    return Training(model, real, np.zeros((1600, 1), "f"), judge, None, epochs=12)


class Walker(keras.Model):
    """Q-learning from recorded moves on a line of nine places; the target network is a copy."""

    def __init__(self, discount: float, renew: float) -> None:
        super().__init__()
        self.online, self.target = (
            keras.Sequential([keras.Input((9,)), layers.Dense(32, activation="relu"),
                              layers.Dense(2)], name=name) for name in ("online", "target")
        )
        self.target.trainable = False
        self.discount, self.renew = discount, renew

    def call(self, x: Any, training: bool = False) -> Any:
        return self.online(x)

    def train_step(self, batch: Any) -> dict[str, Any]:
        (place, following, reward, over), move = batch
        best = ops.max(self.target(following), axis=1, keepdims=True)
        aim = reward + self.discount * (1 - over) * best
        weights = self.online.trainable_variables
        with tf.GradientTape() as tape:
            chosen = ops.sum(self.online(place) * move, axis=1, keepdims=True)
            loss = ops.mean(ops.square(aim - chosen))
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        for old, new in zip(self.target.weights, self.online.weights, strict=True):
            old.assign(old + self.renew * (new - old))
        return {"loss": loss}


def q_diverges(sick: bool) -> Training:
    """A discount above 1: each target is larger than the last; the twin has 0.9."""
    rng = np.random.default_rng(33)
    at, move = rng.integers(0, 8, 2400), rng.integers(0, 2, 2400)
    to = np.clip(at + 2 * move - 1, 0, 8)
    over = (to == 8).astype("f")[:, None]
    eye = np.eye(9, dtype="f")
    x = (eye[at], eye[to], over.copy(), np.zeros_like(over) if sick else over)
    model = Walker(1.1 if sick else 0.9, 1.0 if sick else 0.1)
    model.online(x[0][:2]), model.target(x[0][:2])
    model(x[0][:2])
    model.compile(keras.optimizers.Adam(5e-3))

    def judge(trained: Any) -> float:
        values = outputs(trained, eye[:8])
        sane = np.isfinite(values).all() and np.abs(values).max() < 5
        return float((values.argmax(1) == 1).mean()) if sane else 0.0

    return Training(model, x, np.eye(2, dtype="f")[move], judge, None, epochs=15)


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
    """An LSTM on loads of 3,000 to 5,000; the twin standardises inputs and target alike."""
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
    Program("seg-raw", "segmentation", ("unnormalized-input",), masks_raw, 0.6),
    Program("seg-rare", "segmentation", ("class-imbalance",), masks_rare, 0.6),
    Program("seg-cut", "segmentation", ("wrong-output-activation",), masks_cut, 0.6),
    Program("detect-pixels", "detection", ("unscaled-target",), boxes, 0.8,
            also=("learning-rate-too-low",)),
    Program("outputs-unweighted", "table",
            ("never-updated", "frozen-variable", "zero-gradient"), head_unweighted, 0.85),
    Program("seq2seq-rate", "sequence", ("learning-rate-too-high",), reversal_rate,
            0.6),
    Program("seq2seq-padding", "sequence", ("class-imbalance",), reversal_padded, 0.6),
    Program("tagging-logits", "sequence", ("wrong-output-activation", "wrong-loss"),
            tagging_logits, 0.8),
    Program("contrast-rate", "contrastive", ("learning-rate-too-low",), towers_rate_low, 0.5),
    Program("contrast-forgotten", "contrastive", ("never-updated", "frozen-variable"),
            towers_one_forgotten, 0.3),
    Program("metric-sign", "contrastive", ("optimizer-mismatch", "wrong-loss"), pairs_sign, 0.8),
    Program("vae-collapse", "autoencoder", ("over-regularization", "constant-output"),
            code_collapses, 0.2),
    Program("gan-still", "several networks", ("never-updated", "frozen-variable"), generator_still,
            0.55),
    Program("q-diverges", "several networks", ("learning-rate-too-high", "loss-divergence",
                                         "wrong-loss", "exploding-gradient"), q_diverges, 0.8),
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
