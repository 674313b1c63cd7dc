"""The Keras callback: one line in a training script.

It never raises out of `fit`, never changes the training, and leaves the model as it found it.
The first exception anywhere in here disables it for the rest of the training, with one log line.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Final

import keras

from tb_convergence.training.host.arguments import (
    checked_interval,
    checked_log_dir,
    checked_overhead,
)
from tb_convergence.training.host.cadence import Cadence
from tb_convergence.training.host.elapsed import now
from tb_convergence.training.host.epochs import Epochs
from tb_convergence.training.host.guard import Guard, UnsupportedError, weak_close
from tb_convergence.training.host.live_options import OnFinding, checked_live, checked_rules, wanted
from tb_convergence.training.host.writer import RunWriter
from tb_convergence.training.instep.accelerator import accelerated
from tb_convergence.training.keras import compat
from tb_convergence.training.keras.trainable_changes import TrainableChanges
from tb_convergence.training.keras.trajectory_callback import TrajectoryCallback

TRANSIENT: Final = frozenset(
    {"_guard", "_session", "_beside", "_writer", "_closing", "_epochs", "_facts", "_numbering"}
    | {"_last_finite", "_trainable"}
    | {"_expected", "_model", "_foreign", "params", "_path", "on_train_batch_end"}
)
"""Attributes that belong to the training in progress."""


class ConvergenceCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Records a Keras training for TensorBoard's Convergence tab.

    Keras' own train function makes every step. To record a step, the callback repeats it with an
    instrumented copy and restores every variable, so the training is the same with and without the
    callback, bit for bit.

    Args:
        log_dir: folder for the event file; TensorBoard shows the folder as one run.
        overhead: fraction of the training time that recording may cost, in (0, 1). The callback
            measures its cost in wall time and, without an accelerator, also in processor time. It
            adapts the interval between records to both. Three seconds per training do not count,
            so short trainings get many records.
        every_n_steps: record the first ten steps and then every n-th step, whatever it costs.
        watch_every_step: train with a step that contains the recorder. It finds the exact step and
            tensor of the first NaN in any gradient. It costs 8% to 9% of each step, and the last
            bits of the weights may differ from those of a training without the callback.
        keep_last_finite: keep the state of the last recorded step with a finite loss in memory.
            Once the loss is not finite, write this state to `last_finite` in `log_dir`, and the
            batch with NaN if there is one. Not with `watch_every_step`.
        activations: record the outputs of layers.
        inputs: record inputs, targets and predictions per feature.
        gradient_histograms: record the distribution of each gradient's entries, from a sample of
            about a thousand of them. The tab draws it over steps.
        live: diagnose during the training, and log one line when a finding opens and one when it
            closes.
        on_finding: function that gets each finding that opens (implies `live`).
        stop_on: severities ("critical") or ids of findings that stop the training (implies `live`);
            by default, none does.
        rules: files of your own rules, which `live`, `on_finding` and `stop_on` also use (implies
            `live`).
        trajectory: write a sample of the weights, at most 50 MB, to `trajectory.npz`, so that
            `tb_convergence.landscape(model, data, path=log_dir)` can draw the path.

    Raises:
        ValueError: `log_dir` is empty, or an address where `keep_last_finite` or `trajectory` needs
            a local folder; `overhead` or `every_n_steps` is out of range; or a file of `rules`
            cannot be used.
        TypeError: an argument is of the wrong type.

    Steps are numbered by the optimizer's `iterations`, so several calls of `fit` continue one run,
    in one event file.
    """

    # Nothing is done in on_train_batch_end, so Keras may dispatch the others' asynchronously.
    async_safe = True

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        *,
        overhead: float = 0.01,
        every_n_steps: int | None = None,
        watch_every_step: bool = False,
        keep_last_finite: bool = False,
        activations: bool = True,
        inputs: bool = True,
        gradient_histograms: bool = False,
        live: bool = False,
        on_finding: OnFinding | None = None,
        stop_on: Collection[str] = (),
        rules: Collection[str | os.PathLike[str]] = (),
        trajectory: bool = False,
    ) -> None:
        super().__init__()
        self.log_dir = checked_log_dir(log_dir)
        self.overhead = checked_overhead(overhead)
        self.every_n_steps = checked_interval(every_n_steps)
        self.watch_every_step = bool(watch_every_step)
        self.keep_last_finite = bool(keep_last_finite)
        self.activations = bool(activations)
        self.inputs = bool(inputs)
        self.gradient_histograms = bool(gradient_histograms)
        self.live = bool(live)
        self.on_finding = on_finding
        self.rules = checked_rules(rules)
        self.stop_on = checked_live(on_finding, stop_on)
        self.trajectory = bool(trajectory)
        for name in ("keep_last_finite", "trajectory"):
            if getattr(self, name) and "://" in self.log_dir:
                raise ValueError(
                    f"{name}=True writes a file of its own and needs a local folder, but log_dir "
                    f"is {self.log_dir!r}: use a local log_dir, or leave {name} out"
                )
        self._path = TrajectoryCallback(self.log_dir) if self.trajectory else None
        if self._path is not None:
            # Of this object alone: without a path Keras needs no call after each batch.
            self.on_train_batch_end = self._path.on_train_batch_end
        self._guard = Guard(type(self).__name__)
        self._session: Any = None
        self._beside: Any = None
        self._numbering: Any = None
        self._writer: Any = None
        self._closing: Any = None
        self._epochs = Epochs()
        self._facts: dict[str, Any] = {}
        self._last_finite: Any = None
        self._trainable = TrainableChanges()
        self._expected = False
        self._foreign = False

    @property
    def disabled_reason(self) -> str | None:
        """None, or why recording stopped; the training went on without it."""
        return self._guard.reason

    def __getstate__(self) -> dict[str, Any]:
        """A copy, also a pickled one, has the settings; the training stays with the original."""
        fresh = vars(ConvergenceCallback(self.log_dir, trajectory=self.trajectory))
        return {
            name: fresh[name] if name in TRANSIENT else value for name, value in vars(self).items()
        }

    # ---- Keras' hooks ---------------------------------------------------------------------

    def set_model(self, model: Any) -> None:
        """Take the model; one that is not of this Keras is trained without us."""
        self._foreign = not isinstance(model, keras.Model)
        if self._foreign:
            self._guard(lambda: _not_of_this_keras(model))
            return
        super().set_model(model)
        if self._path is not None:
            self._path.set_model(model)

    def __getattr__(self, name: str) -> Any:
        # tf_keras asks its callbacks what they implement; ours implements nothing there.
        answer = compat.callback_protocol(name)
        if answer is not None:
            return answer
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin to observe the model's training."""
        if self._foreign:
            return
        self._end()
        if self._guard.reason is not None:
            self._release()
            self._guard = Guard(type(self).__name__)
        self._guard(self._begin)
        if self._path is not None:
            self._path.on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note that an epoch begins."""
        if self._session is not None:
            self._guard(lambda: self._begin_epoch(epoch))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Note that the next batch belongs to this training."""
        session = self._session
        if session is not None:
            if not batch:
                self._guard(self._follow_trainable)
            session.arm()
            if "batch_size" not in self._facts and session.batch_size is not None:
                self._guard(lambda: self._describe(batch_size=session.batch_size))

    def on_test_begin(self, logs: Any = None) -> None:
        """A validation begins: it is no step, and resets the metrics."""
        if self._session is not None:
            self._guard(self._session.end_steps)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the epoch's losses and metrics."""
        if self._session is not None:
            self._guard(lambda: self._end_epoch(dict(logs or {})))

    def on_train_end(self, logs: Any = None) -> None:
        """Write the waiting records and restore the model."""
        self._end()
        if self._path is not None:
            self._path.on_train_end(logs)

    # ---- parts that may fail --------------------------------------------------------------

    def _begin(self) -> None:
        if keras.backend.backend() != "tensorflow":
            raise UnsupportedError(
                f"the Keras backend {keras.backend.backend()!r}; use 'tensorflow'"
            )
        model = self.model
        strategy = model.distribute_strategy
        several = strategy.num_replicas_in_sync > 1
        if several and "MirroredStrategy" not in [base.__name__ for base in type(strategy).__mro__]:
            # Not MultiWorkerMirroredStrategy either: Keras' own fit does not train with it.
            raise UnsupportedError(f"training with {type(strategy).__name__}")
        again = self._writer is not None
        if not again:
            self._writer = RunWriter(self.log_dir)
            self._closing = weak_close(self, self._writer)
            self._writer.live = wanted(
                self.log_dir, self.live, self.on_finding, self.stop_on, _stopper(self),
                self.overhead, self.rules,
            )
            self._epochs = Epochs()
        # Only here, because it needs TensorFlow, which another Keras backend does without.
        from tb_convergence.training.keras.numbering import Numbering  # noqa: PLC0415

        self._numbering = self._numbering or Numbering()
        self._expected = False
        if self.watch_every_step:
            self._watch()
        else:
            self._stand_beside(again)
        if model.built and not model.trainable_variables:
            # No optimizer will be called, so nothing else is ever recorded: the model shows why.
            self._describe(validation=False)

    def _stand_beside(self, again: bool) -> None:
        """Record beside the training."""
        from tb_convergence.training.keras.beside import Beside  # noqa: PLC0415
        from tb_convergence.training.keras.last_finite import LastFinite  # noqa: PLC0415
        from tb_convergence.training.keras.rehearsal import Asked  # noqa: PLC0415

        if self._beside is None:
            asked = Asked(self.activations, self.inputs, self.gradient_histograms)
            cadence = self._cadence()
            if self.keep_last_finite:
                self._last_finite = LastFinite(self.log_dir, self._guard.say)
            self._beside = Beside(
                self._writer, cadence, self._numbering, asked, self._guard, self._last_finite
            )
        self._beside.begin(self.model)
        if again:
            self._beside.expect_more()
            self._expected = True
        self._session = self._beside

    def _cadence(self) -> Cadence:
        return Cadence(self.overhead, self.every_n_steps, processor=not accelerated())

    def _watch(self) -> None:
        """A session for the model as it is now, which trains with an instrumented step."""
        from tb_convergence.training.keras.instrumented import Session  # noqa: PLC0415

        self._session = Session(
            self.model,
            self._writer,
            self._cadence,
            lambda optimizer: self._numbering.first_step(self.model, optimizer),
            activations=self.activations,
            inputs=self.inputs,
            gradient_histograms=self.gradient_histograms,
            guard=self._guard,
            failed=lambda: self.disabled_reason is not None,
            disable=self._guard.disable,
            trained=self._numbering.trained,
        )

    def _begin_epoch(self, epoch: int) -> None:
        if self.watch_every_step and not self._session.installed:
            # Something compiled the model or made its train function anew while it trained.
            self._session.end()
            self._watch()
            self._expected = False
        params = self.params or {}
        steps, epochs = params.get("steps"), params.get("epochs")
        if steps is not None and epochs is not None and not self._expected:
            self._expected = True
            self._session.expect((epochs - epoch) * steps)
        self._session.begin_epoch()

    def _follow_trainable(self) -> None:
        """At the first batch of an epoch, when all callbacks have changed what they change."""
        if self._trainable.look(self.model, self._session.last_step + 1):
            self._describe(trainable_changes=list(self._trainable.found))

    def _end_epoch(self, logs: dict[str, Any]) -> None:
        self._session.end_steps()
        began = now()
        validates = any(name.startswith("val_") for name in logs)
        if validates or "validation" not in self._facts:
            self._describe(validation=validates)
        self._epochs.write(self._writer, logs, max(self._session.last_step, 0))
        self._session.took(now() - began)
        if self._writer.live is not None:
            self._writer.live.look()

    def _describe(self, **facts: Any) -> None:
        """Write the configuration again if we know more than before."""
        if facts.items() <= self._facts.items():
            return
        from tb_convergence.training.keras.describe import describe  # noqa: PLC0415

        self._facts.update(facts)
        session = self._session
        optimizers = {site.name: site.optimizer for site in session.sites}
        shapes = next((site.data_shapes for site in session.sites if site.data_shapes), None)
        facts = self._facts if shapes is None else {**self._facts, "data_shapes": shapes}
        document = describe(self.model, self.params or {}, facts, optimizers)
        self._writer.config(document, max(session.last_step, 0))

    def _describe_cost(self) -> None:
        """Write down what recording has cost by its own measure, and what it was allowed to."""
        # Two digits: what changes in the third is no news, and each is a record of its own.
        written = None if self._last_finite is None else self._last_finite.facts
        self._describe(
            recorder={
                **({"last_finite": dict(written)} if written else {}),
                "measured_share": float(f"{self._session.measured_share:.1g}"),
                "overhead": self.overhead,
                "every_n_steps": self.every_n_steps,
                "watch_every_step": self.watch_every_step,
            }
        )

    def _end(self) -> None:
        """End a training, also one that raised before its end."""
        session = self._session
        if session is None:
            return
        if self._facts:
            self._guard(self._describe_cost)
        self._session = None
        session.end()
        if session.idle:
            self._guard(_nothing_seen)
        if self._writer.live is not None:
            self._writer.live.look(last=True)
        with suppress(Exception):
            self._writer.flush()
        if self._guard.reason is not None or self.watch_every_step:
            self._release()

    def _release(self) -> None:
        """Close the event file; a further call of `fit` begins a new one."""
        self._writer, self._beside, self._last_finite = None, None, None
        closing, self._closing = self._closing, None
        if closing is not None:
            with suppress(Exception):
                closing()


def _stopper(callback: ConvergenceCallback) -> Callable[[], None]:
    """Stops the training of `callback`. The writer keeps what is returned until the process ends,
    and must not keep the callback and its model with it."""
    known = weakref.ref(callback)

    def stop() -> None:
        training = known()
        if training is not None:
            training.model.stop_training = True

    return stop


def _nothing_seen() -> None:
    raise UnsupportedError(
        "a train step that calls none of the model's optimizers; nothing was recorded"
    )


def _not_of_this_keras(model: Any) -> None:
    raise UnsupportedError(
        f"a model of {type(model).__module__.partition('.')[0]}; ConvergenceCallback records "
        "models of keras, and tb_convergence.ConvergenceRecorder any TensorFlow loop"
    )
