"""Data and models that are legal and unusual: an answer, or an error that says what to do."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_convergence.core.experiments import decode, encode
from tb_convergence.experiments import (
    Settings,
    ablate,
    check_data,
    doctor,
    lr_range_test,
    overfit_small_sample,
)
from tb_convergence.experiments.sample import gather

QUIET = Settings(progress=False)


def network(optimizer: Any = "adam", **options: Any) -> Any:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, "sigmoid", **options)])
    model.compile(optimizer, "binary_crossentropy")
    return model


def data(count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(count, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype("float32")


def test_a_sweep_that_is_cut_short_acquits_no_rate() -> None:
    """Steps 1 to 30 of 100 try only rates at which nothing happens."""
    for seeds in ((0,), (0, 1)):
        found = lr_range_test(network(), *data(), seeds=seeds, compare=0,
                              settings=Settings(progress=False, steps=30))
        assert found.ended == "out of time"
        assert "ended early" in found.why_none
        assert found.verdicts == ()


def test_weights_that_diverged_are_no_beginning() -> None:
    model = network()
    model.set_weights([np.full_like(one, np.nan) for one in model.get_weights()])
    for experiment in (lr_range_test, overfit_small_sample, ablate):
        with pytest.raises(ValueError, match=r"dense.*contain NaN.*build it anew"):
            experiment(model, *data(), settings=QUIET)


def test_weights_of_a_failed_training_acquit_no_rate() -> None:
    """A rate that was too high has killed all units: none can learn from there."""
    x, y = data()
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, "relu"), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(x, y, verbose=0)
    model.layers[0].set_weights([np.zeros((4, 8)), np.full(8, -5.0)])
    model.layers[1].set_weights([np.ones((8, 1)), np.mean(y, keepdims=True)])
    found = lr_range_test(model, x, y - y.mean() + np.mean(y), seeds=(0,), compare=0, high=1e-4,
                          low=1e-9, settings=QUIET)
    assert found.suggested is None
    assert {one.outcome for one in found.verdicts} == {"undecided"}
    assert "before its training" in found.verdicts[0].reason


class TwoOptimizers(keras.Model):
    """As of a generative adversarial network: `compile` is given neither optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = layers.Dense(4), layers.Dense(1)
        self.one, self.other = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.02)

    def call(self, x: Any) -> Any:
        return self.second(self.first(x))

    def train_step(self, batch: Any) -> dict[str, Any]:
        x, y = batch
        with tf.GradientTape(persistent=True) as tape:
            loss = tf.reduce_mean((self(x, training=True)[:, 0] - y) ** 2)
        for optimizer, layer in ((self.one, self.first), (self.other, self.second)):
            variables = layer.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": loss}


def test_the_rate_of_an_optimizer_that_train_step_ignores_is_not_judged() -> None:
    model = TwoOptimizers()
    model.compile(loss="mse")
    with pytest.raises(ValueError, match="does not use the optimizer that compile was given"):
        lr_range_test(model, *data(), seeds=(0,), settings=QUIET)
    found = ablate(model, *data(), steps=20, seeds=(0,), settings=QUIET,
                   changes=["adam", "warm-up", "without-clipping", "shuffled-labels"])
    assert [one.change.id for one in found.effects] == ["shuffled-labels"]
    assert {id_: "does not use" in why for id_, why in found.left_out} == {
        "adam": True, "warm-up": True, "without-clipping": True}


def test_the_doctor_blames_no_rate_that_it_cannot_change() -> None:
    model = TwoOptimizers()
    model.compile(loss="mse")
    found = doctor(model, *data(), epochs=2, settings=Settings(progress=False, steps=300))
    assert found.measured
    left_out = {one.change.id: one.not_tried for one in found.candidates if one.not_tried}
    assert "does not use the optimizer" in left_out["adam=0.001"]
    assert not {one.finding for one in found.verdicts} & {
        "learning-rate-too-high", "learning-rate-too-low", "optimizer-mismatch"}


class Unjudged(TwoOptimizers):
    """Its loss is known to its `train_step` alone."""

    def train_step(self, batch: Any) -> dict[str, Any]:
        x = batch[0] if isinstance(batch, tuple) else batch
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x, training=True) - x[:, :1]) ** 2)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"d_loss": loss, "g_loss": loss}


def test_trainings_that_nothing_measures_are_not_compared() -> None:
    for experiment, options in ((ablate, {"steps": 20}), (doctor, {"epochs": 3})):
        model = Unjudged()
        model.compile("adam")
        with pytest.raises(ValueError, match=r"cannot be compared.*Compile the model with a loss"):
            experiment(model, data()[0], settings=QUIET, **options)


class Adding(layers.Layer):
    """Adds the whole loss, as the encoder of a variational autoencoder does."""

    def build(self, shape: Any) -> None:
        self.mean = self.add_weight(shape=(4,), initializer="zeros")

    def call(self, x: Any) -> Any:
        self.add_loss(tf.reduce_mean((x - self.mean) ** 2))
        return x - self.mean


def test_a_loss_that_layers_add_is_the_loss() -> None:
    model = keras.Sequential([keras.Input((4,)), Adding()])
    model.compile(keras.optimizers.SGD(0.5))
    x = data()[0] + 3
    found = ablate(model, x, steps=60, seeds=(0,), changes=["cosine"], settings=QUIET)
    assert found.values[0] == pytest.approx(-1.0, abs=0.3)


def test_a_result_that_cannot_be_written_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    settings = Settings(progress=False, log_dir=tmp_path / "taken",
                        resume=tmp_path / "trainings.jsonl")
    with pytest.warns(RuntimeWarning, match="the result is not written to"):
        found = lr_range_test(network(), *data(), seeds=(0,), steps=20, compare=0,
                              settings=settings)
    assert len(found.curves) == 1


def test_a_long_sweep_fits_into_a_record() -> None:
    x, y = data()
    found = lr_range_test(network(), x, y, seeds=(0, 1), steps=3000, compare=0, settings=QUIET)
    kept = decode(encode(found.record)).data["curves"][0]
    assert len(kept["rates"]) == len(kept["losses"]) <= 500


def test_constant_targets_convict_no_model() -> None:
    x, _ = data()
    for targets, activation in ((np.zeros(200), "sigmoid"), (np.full(200, 3.5), "linear")):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(1, activation)])
        model.compile("adam", "mse")
        with pytest.raises(ValueError, match="all targets are the same"):
            overfit_small_sample(model, x, targets, settings=QUIET)


def test_the_decay_of_adamw_can_be_taken_away() -> None:
    found = ablate(network(keras.optimizers.AdamW(0.01, weight_decay=0.1)), *data(), steps=20,
                   seeds=(0,), changes=["without-penalties"], settings=QUIET)
    assert [one.change.id for one in found.effects] == ["without-penalties"]


def test_ids_out_of_range_are_told_and_not_raised() -> None:
    model = keras.Sequential([
        keras.Input((5,), dtype="int32"), layers.Embedding(10, 4), layers.Flatten(),
        layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    ids = np.random.default_rng(0).integers(0, 50, (200, 5))
    assert "token-ids" in {issue.id for issue in check_data(ids, data()[1], model=model).issues}
    with pytest.raises(ValueError, match=r"the model fails on the first 200 samples.*not in"):
        lr_range_test(model, ids, data()[1], settings=QUIET)


def test_whole_numbers_that_are_no_ids_may_be_large() -> None:
    token, age = keras.Input((3,), dtype="int32", name="token"), keras.Input(
        (1,), dtype="int32", name="age")
    embedded = layers.Flatten()(layers.Embedding(10, 4)(token))
    out = layers.Dense(1, "sigmoid")(layers.Concatenate()(
        [embedded, layers.Rescaling(0.01)(age)]))
    model = keras.Model({"token": token, "age": age}, out)
    model.compile("adam", "binary_crossentropy")
    random = np.random.default_rng(0)
    x = {"token": random.integers(0, 10, (200, 3)), "age": random.integers(18, 90, (200, 1))}
    assert "token-ids" not in {i.id for i in check_data(x, data()[1], model=model).issues}
    x["token"] += 5
    found = [i for i in check_data(x, data()[1], model=model).issues if i.id == "token-ids"]
    assert [issue.where for issue in found] == ["x['token']"]


def test_targets_that_are_texts_are_told() -> None:
    found = check_data(data()[0], np.array(["cat", "dog"] * 100))
    assert found.issues[0].id == "text-labels"
    assert "2 different values" in found.issues[0].message


def test_validation_with_other_inputs_is_told() -> None:
    x, y = data()
    found = check_data({"a": x, "b": x}, y, validation_data=({"a": x}, y))
    assert found.issues[0].id == "validation-structure"


def test_texts_as_objects_are_compared_by_what_they_say() -> None:
    texts = np.array([f"film {number}" for number in range(100)], object)
    copies = np.array([str(text)[:5] + str(text)[5:] for text in texts], object)
    y = np.arange(100) % 2
    found = check_data(texts, y, validation_data=(copies, y))
    assert "leak" in {issue.id for issue in found.issues}


class Drawing(keras.utils.PyDataset):
    """Augments with NumPy's global generator."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        x, y = data(8)
        return x + np.random.normal(size=x.shape), y


def test_reading_a_pipeline_moves_no_random_state() -> None:
    before = np.random.get_state()[2]
    check_data(Drawing())
    lr_range_test(network(), Drawing(), steps=20, seeds=(0,), compare=0, settings=QUIET)
    assert np.random.get_state()[2] == before


def test_an_epoch_has_the_steps_of_all_samples() -> None:
    x, y = data(1000)
    pipeline = tf.data.Dataset.from_tensor_slices((x, y)).batch(30)
    assert gather(x, y, batch_size=30, most=100).steps_per_epoch == 34
    assert gather(x, y, batch_size=30).steps_per_epoch == 34
    assert gather(pipeline, most=100).steps_per_epoch == 34
    assert gather(pipeline).steps_per_epoch == 34
    assert gather(pipeline.repeat(), most=100).steps_per_epoch == 4
    part = gather(x, y, batch_size=30, most=100).part(np.arange(50))
    assert part.steps_per_epoch == 17


def test_what_is_not_kept_is_not_copied() -> None:
    """As of a file that is larger than the memory."""

    class Large(np.ndarray):
        def astype(self, *arguments: Any, **options: Any) -> Any:
            assert len(self) <= 10, "all samples are converted"
            return super().astype(*arguments, **options)

    x = np.zeros((1000, 4), "float16").view(Large)
    assert gather(x, np.zeros(1000), most=10).x.dtype == np.float32


def test_pairs_with_names_are_inputs() -> None:
    pair = namedtuple("pair", "left right")
    pipeline = tf.data.Dataset.from_tensor_slices((pair(*data(8)), data(8)[1])).batch(4)
    assert len(tf.nest.flatten(gather(pipeline).x)) == 2


def test_a_constant_answer_is_the_baseline_of_the_samples_it_is_judged_on() -> None:
    """Half of the training targets are 1, and most of the validation's: always 1 learns nothing."""
    x, _ = data()
    found = ablate(network(keras.optimizers.SGD(1e-9), bias_initializer=keras.initializers.Constant(
        -1e3)), x, np.arange(200) % 2, steps=3, seeds=(0,), settings=QUIET,
        validation_data=(x, np.arange(200) % 5 > 0), changes=["without-dropout"])
    assert found.task is not None
    assert found.task.floor == pytest.approx(0.8)
    assert found.task.learned(0.8) == 0.0
    assert found.task.learned(0.9) > 0.5
    assert found.values == (pytest.approx(0.8),)


def test_samples_are_named_by_their_number_in_all_data() -> None:
    """Of more samples than are kept, the place among the kept ones would name another sample."""
    x = np.zeros((30_000, 1), "float32")
    x[:, 0] = np.arange(30_000)
    sample = gather(x, np.zeros(30_000))
    assert [sample.origin(row) for row in (0, 777)] == [int(sample.x[0, 0]), int(sample.x[777, 0])]
    assert sample.take(np.array([777])).origin(0) == int(sample.x[777, 0])
    x[20_000:] = np.nan
    found = check_data(x, np.zeros(30_000)).issues[0]
    assert found.id == "non-finite"
    first = int(found.message.rpartition(" ")[2])
    assert np.isnan(x[first, 0])
