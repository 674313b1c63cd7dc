"""Many training steps in one compiled call, and the loss of each step by itself.

The steps are the model's own `train_step`, so whatever it does is done: dropout, penalties, sample
weights, a step of the user's own. Keras' logs give the mean since the epoch began; here the
tracker is reset before each step, so what it gives is that step's loss.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_convergence.experiments.budget import Budget, Ended
from tb_convergence.experiments.optimizers import innermost
from tb_convergence.experiments.sample import Sample
from tb_convergence.training.keras import compat

FIRST_CHUNK: Final = 4
MOST_CHUNK: Final = 250
CHUNK_SECONDS: Final = 0.5
"""Steps between two looks at the clock follow from this: Ctrl-C is answered that fast."""
PREDICT_BATCH: Final = 512


class UnsupportedStepError(ValueError):
    """The loss of the train step cannot be determined."""


@dataclass
class Trace:
    """What one training showed.

    Attributes:
        losses: float64 `[S]`, the loss of each step, at the weights before its update; the last
            may be NaN or infinite.
        ended: how it ended.
    """

    losses: NDArray[np.float64]
    ended: Ended = "finished"

    @property
    def diverged(self) -> bool:
        """Whether the loss became NaN or infinite."""
        return bool(len(self.losses)) and not bool(np.isfinite(self.losses[-1]))


@dataclass
class Runner:
    """Trains `model` on `sample`; use it within `state.untouched`.

    Traced at its first use: what is edited in the model afterward has no effect, except values of
    variables. `tensors` are those of `sample`, where several runners share them.
    `seconds_per_step` is NaN before the first steps.
    """

    model: Any
    sample: Sample
    tensors: Any = field(default=None, repr=False)
    seconds_per_step: float = field(default=float("nan"), init=False)
    _traced: Any = field(default=None, init=False)
    _predicts: Any = field(default=None, init=False)
    _tensors: Any = field(default=None, init=False)

    def train(
        self,
        order: NDArray[np.int64],
        rates: Sequence[float] | NDArray[np.float64] | None = None,
        budget: Budget | None = None,
        on_chunk: Any = None,
    ) -> Trace:
        """Train on the batches `order` `[S, B]`, until the loss is not finite or time is up.

        Args:
            rates: learning rate of each step `[S]`; None leaves it to the optimizer.
            budget: of this training; none by default.
            on_chunk: called with the losses so far `[S']` after each chunk; ends the training where
                it returns True.

        Raises:
            UnsupportedStepError: the train step gives no loss.
            KeyboardInterrupt: as it comes; `on_chunk` has seen what was done.
        """
        budget = budget or Budget()
        losses = np.zeros(0)
        chunk, warm = FIRST_CHUNK, self._traced is not None
        while len(losses) < len(order):
            if budget.spent and len(losses):
                return Trace(losses, "out of time")
            allowed = max(1, min(chunk, budget.steps_left))
            begin, end = len(losses), min(len(order), len(losses) + int(allowed))
            started = time.perf_counter()
            found = self._steps(order[begin:end], None if rates is None else rates[begin:end])
            taken = time.perf_counter() - started
            budget.spend(len(found))
            bad = np.flatnonzero(~np.isfinite(found))
            found = found[: bad[0] + 1] if len(bad) else found
            losses = np.concatenate([losses, found])
            if warm:  # the first chunk pays for the trace
                self.seconds_per_step = taken / (end - begin)
                wanted = CHUNK_SECONDS / max(self.seconds_per_step, 1e-9)
                chunk = int(min(MOST_CHUNK, max(1, wanted), 4 * chunk))
            warm = True
            if len(bad) or (on_chunk is not None and on_chunk(losses)):
                break
        return Trace(losses)

    def _steps(self, order: Any, rates: Any) -> NDArray[np.float64]:
        if self._tensors is None:
            self._tensors = tensors_of(self.sample) if self.tensors is None else self.tensors
            # Metrics cost time and are not asked for; the loss has a tracker of its own.
            compat.set_untracked(self.model, compat.METRICS, None)
        sets_rate = rates is not None
        given = tf.constant(np.zeros(len(order)) if rates is None else rates, tf.float32)
        if self.model.run_eagerly:
            return self._eager(order, given, sets_rate)
        if self._traced is None or self._traced[0] != sets_rate:
            batch = int(order.shape[1])
            with warnings.catch_warnings():
                # Of variables that an edit takes out of the model's output.
                warnings.filterwarnings("ignore", "Gradients do not exist", UserWarning)
                traced = _compiled(self.model, sets_rate, batch, self._tensors)
            self._traced = (sets_rate, traced)
        found = self._traced[1](tf.constant(order), given, self._tensors)
        return np.asarray(found, dtype=np.float64)

    def _eager(self, order: Any, rates: Any, sets_rate: bool) -> NDArray[np.float64]:
        losses = []
        for rows, rate in zip(order, rates, strict=True):
            losses.append(float(
                _one_step(self.model, tf.constant(rows), rate if sets_rate else None,
                          self._tensors)
            ))
        return np.array(losses, dtype=np.float64)

    def predict(self, x: Any = None) -> Any:
        """Outputs in inference mode for the structure `x` `[N, ...]`, the sample's own by default.
        """
        x = self.sample.x if x is None else x
        count = int(tf.nest.flatten(x)[0].shape[0])
        fixed = fixed_batch(self.model)
        size = fixed or PREDICT_BATCH
        parts = []
        for begin in range(0, count, size):
            rows = np.arange(begin, begin + size if fixed else min(count, begin + size))
            part = tf.nest.map_structure(
                lambda array, r=rows: tf.convert_to_tensor(array[np.minimum(r, count - 1)]), x)
            parts.append(tf.nest.map_structure(np.asarray, self._inferred(part)))
        return tf.nest.map_structure(lambda *arrays: np.concatenate(arrays)[:count], *parts)

    def _inferred(self, part: Any) -> Any:
        if self.model.run_eagerly:
            return self.model(part, training=False)
        if self._predicts is None:
            model = self.model
            spec = tf.nest.map_structure(
                lambda tensor: tf.TensorSpec(
                    [fixed_batch(model), *tensor.shape[1:]], tensor.dtype), part)
            self._predicts = tf.function(
                lambda batch: model(batch, training=False), autograph=False
            ).get_concrete_function(spec)
        return self._predicts(part)

    def loss(self, sample: Sample) -> float:
        """The compiled loss in inference mode over `sample`, without penalties on weights.

        NaN where the model's own step leaves `compute_loss` unused or unusable. Where nothing is
        compiled, what layers add is the loss, as in a variational autoencoder.
        """
        nothing = self.model.loss is None and (
            type(self.model).compute_loss is keras.Model.compute_loss)
        total = count = 0.0
        for begin in range(0, len(sample), PREDICT_BATCH):
            rows = np.arange(begin, min(len(sample), begin + PREDICT_BATCH))
            part = sample.take(rows)
            x, y, weight = (_tensors(p) for p in (part.x, part.y, part.weight))
            try:
                found = float(self.model.compute_loss(
                    x=x, y=y, y_pred=self.model(x, training=False), sample_weight=weight,
                    training=False))
                added = self.model.losses
                if nothing and not added:
                    return float("nan")  # Keras gives 0, which would be perfect
                found -= 0.0 if nothing else float(sum(added))
            except Exception:
                return float("nan")
            total, count = total + found * len(rows), count + len(rows)
        return total / count


def fixed_batch(model: Any) -> int | None:
    """The batch size that a model is made for, as stateful ones are; None if any will do."""
    for tensor in getattr(model, "inputs", None) or ():
        if tensor.shape and tensor.shape[0] is not None:
            return int(tensor.shape[0])
    return None


def tensors_of(sample: Sample) -> Any:
    """The parts of a sample as tensors, to be shared by the runners that train on it."""
    return _tensors(sample.parts)


def _tensors(parts: Any) -> Any:
    return tf.nest.map_structure(
        lambda part: None if part is None else tf.convert_to_tensor(part), parts)


def _compiled(model: Any, sets_rate: bool, batch: int, data: Any) -> Any:
    """One call for many steps: `(order [S, B], rates [S], data) -> losses [S]`."""

    def steps(order: Any, rates: Any, data: Any) -> Any:
        count = tf.shape(order)[0]
        losses = tf.TensorArray(tf.float32, count)

        def body(index: Any, found: Any) -> Any:
            rate = rates[index] if sets_rate else None
            return index + 1, found.write(index, _one_step(model, order[index], rate, data))

        _, losses = tf.while_loop(
            lambda index, _: index < count, body, (0, losses), parallel_iterations=1
        )
        return losses.stack()

    # One concrete function: TensorFlow's warning about retracing is about another mistake.
    return tf.function(steps, autograph=False).get_concrete_function(
        tf.TensorSpec([None, batch], tf.int64), tf.TensorSpec([None], tf.float32),
        tf.nest.map_structure(
            lambda part: None if part is None else tf.type_spec_from_value(part), data),
    )


def _one_step(model: Any, rows: Any, rate: Any, data: Any) -> Any:
    """One train step on the samples at `rows`; its own loss."""
    if rate is not None:
        innermost(model.optimizer).learning_rate.assign(rate)
    for metric in model.metrics:
        metric.reset_state()
    batch = tf.nest.map_structure(
        lambda tensor: None if tensor is None else tf.gather(tensor, rows), data)
    logs = model.train_step(batch)
    return tf.cast(tf.reshape(_loss_in(logs), ()), tf.float32)


def _loss_in(logs: Any) -> Any:
    """The loss among what a train step returns.

    Raises:
        UnsupportedStepError: none of it is named as a loss.
    """
    if not isinstance(logs, dict):
        return logs
    if "loss" in logs:
        return logs["loss"]
    named = [name for name in logs if "loss" in str(name).lower()]
    if named:
        return logs[named[0]]
    if len(logs) == 1:
        return next(iter(logs.values()))
    raise UnsupportedStepError(
        f"the model's train_step returns {sorted(map(str, logs))}, none of which is a loss: "
        'return {"loss": ...} from it'
    )


def set_rate(model: Any, rate: float) -> None:
    """Set the learning rate of a model whose optimizer has no schedule."""
    innermost(model.optimizer).learning_rate = rate


def seed_everything(seed: int) -> None:
    """Draw from `seed` from here on; only within `state.untouched`."""
    keras.utils.set_random_seed(seed)
