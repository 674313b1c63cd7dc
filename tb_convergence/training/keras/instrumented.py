"""`watch_every_step=True`: the training's own step is traced with the recorder inside.

Every step is watched, so the first non-finite gradient is known to its step and tensor. The price:
some percent of each step, a trace for each call of `fit`, and last bits of the weights that may
differ where TensorFlow can no longer fuse operations whose results are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tb_convergence.training.host.cadence import Cadence
from tb_convergence.training.host.collector import Collector
from tb_convergence.training.host.elapsed import Elapsed
from tb_convergence.training.host.writer import RunWriter
from tb_convergence.training.instep.recorder import SCOPE
from tb_convergence.training.keras import introspection
from tb_convergence.training.keras.observer import Guard, Observer
from tb_convergence.training.keras.patching import TrainFunction, patched
from tb_convergence.training.keras.sites import Site


class Session:
    """Observes the model's training until `end`.

    Methods may raise, except `end` and the train function itself: what fails in there goes to
    `guard`, what the user's own code raises passes through.

    Args:
        cadence: makes a cadence: each optimizer call has its own.
        first_step: number of the next step of an optimizer.
        guard: see `observer.Guard`.
        failed: whether `guard` has seen a failure.
        disable: tells that recording has to stop, and why.
        trained: told at the end: the model, its optimizers and the last step.

    Attributes:
        model: the one given.
    """

    def __init__(
        self,
        model: Any,
        writer: RunWriter,
        cadence: Callable[[], Cadence],
        first_step: Callable[[Any], int],
        *,
        activations: bool,
        inputs: bool,
        gradient_histograms: bool,
        guard: Guard,
        failed: Callable[[], bool],
        disable: Callable[[str], None],
        trained: Callable[[Any, Sequence[Any], int], None],
    ) -> None:
        self.model = model
        self._armed = False
        self._guard = guard
        self._failed = failed
        self._disable = disable
        self._trained = trained
        self._writer = writer
        self._cadence = cadence
        self._first_step = first_step(model.optimizer)
        self._observer = Observer(
            model, guard, first_step,
            activations=activations, inputs=inputs, gradient_histograms=gradient_histograms,
        )
        self._collectors: list[Collector] = []
        self._batches: int | None = None
        self._calls = 0
        introspection.build_optimizer(model)
        self._train = TrainFunction(model, self._step, self._around)

    @property
    def installed(self) -> bool:
        """Whether the model still trains through us."""
        return self._train.installed

    @property
    def idle(self) -> bool:
        """Whether steps were made but none of them passed through an optimizer we know."""
        return self._calls > 0 and not self._observer.sites

    @property
    def sites(self) -> list[Site]:
        """Where optimizers are called, in the order of the train step."""
        return self._observer.sites

    @property
    def batch_size(self) -> int | None:
        """Examples in the batch of the latest recorded step; None before one."""
        return self._collectors[0].batch_size if self._collectors else None

    @property
    def last_step(self) -> int:
        """The last step that was made; one less than the first before any was."""
        return self._collectors[0].last_step if self._collectors else self._first_step - 1

    @property
    def measured_share(self) -> float:
        """Fraction of the training's time that records cost at present; 0 before it is known."""
        return sum(collector.measured_share for collector in self._collectors)

    def expect(self, batches: int) -> None:
        """The training will see `batches` more batches."""
        self._batches = batches

    def arm(self) -> None:
        """The batch to come is this training's own. A train function that is called without it was
        left behind by a training that raised."""
        self._armed = True

    def begin_epoch(self) -> None:
        """An epoch begins: what lies between two of them, such as validation, is no step."""
        for collector in self._collectors:
            collector.pause()

    def end_steps(self) -> None:
        """The steps of an epoch are over, and something else begins, such as a validation."""
        self.begin_epoch()

    def took(self, took: Elapsed) -> None:
        """Something of ours between the steps took so long."""
        if self._collectors:
            self._collectors[0].took(took)

    # ---- inside the trace -----------------------------------------------------------------

    def _step(self, original: Callable[[Any], Any], data: Any) -> Any:
        """The observed `train_step`: the original one between patches."""
        patches = self._guard(lambda: self._observer.patches(data))
        if patches is None:
            return original(data)
        with patched(patches):
            return original(data)

    # ---- around the compiled step ---------------------------------------------------------

    def _around(self, inner: Callable[[Any], Any], iterator: Any) -> Any:
        if not self._armed or self._failed():
            return self._train.restore()(iterator)
        self._armed = False
        try:
            result = inner(iterator)
        except (StopIteration, tf.errors.OutOfRangeError):  # the end of the data
            raise
        except Exception as error:
            if not _is_ours(error):
                self.end()
                raise
            self._disable(f"{type(error).__name__} in the recorder: {error}")
            return self._train.restore()(iterator)
        except BaseException:
            self.end()
            raise
        self._guard(self._look)
        return result

    def _look(self) -> None:
        """After a call of the train function: every optimizer call's records, if there are any."""
        batches = int(self.model.steps_per_execution)
        self._calls += 1
        sites = self._observer.sites
        for site in sites[len(self._collectors) :]:
            self._collectors.append(self._collector(site, alone=len(sites) == 1))
        for site, collector in zip(sites, self._collectors, strict=True):
            collector.look(batches * max(site.calls, 1))

    def _collector(self, site: Site, alone: bool) -> Collector:
        updates = introspection.batches_per_update(site.optimizer)
        cadence = self._cadence()
        if self._batches is not None:
            cadence.expect(site.first_step, self._batches * max(site.calls, 1) // updates)
        return Collector(
            self._writer,
            cadence,
            site.first_step,
            lambda: site.recorder,
            model="" if alone else site.name,
            batches_per_update=updates,
        )

    def end(self) -> None:
        """Write what still waits, and leave the model as it was. Never raises."""
        for collector in self._collectors:
            self._guard(collector.read)
        self._train.restore()
        optimizers = [site.optimizer for site in self.sites]
        self._guard(lambda: self._trained(self.model, optimizers, self.last_step))


def _is_ours(error: Exception) -> bool:
    """Whether an exception of the compiled step names one of our operations."""
    return f"{SCOPE}/" in str(error)
