"""One training under observation: what happens around the compiled step, in Python.

It gives the host its turn after every call of the compiled step; what the host does with it is in
`collector`. Where not every step is watched, `passing` says which calls go without us.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tb_convergence.training.host.cadence import SAMPLES, Cadence
from tb_convergence.training.host.collector import Collector
from tb_convergence.training.host.writer import RunWriter
from tb_convergence.training.instep.recorder import SCOPE
from tb_convergence.training.keras import introspection
from tb_convergence.training.keras.observer import Guard, Observer
from tb_convergence.training.keras.passing import Passing
from tb_convergence.training.keras.patching import TrainFunction, patched
from tb_convergence.training.keras.sites import Site


class Session:
    """Observes the model's training until `finish`.

    Methods may raise, except `finish` and the train function itself: what fails in there goes to
    `guard`, what the user's own code raises passes through.

    Args:
        cadence: makes a cadence: each optimizer call has its own.
        first_step: number of the next step of an optimizer.
        guard: see `observer.Guard`.
        failed: whether `guard` has seen a failure.
        disable: tells that recording has to stop, and why.
        say: writes a line to the log.
        watch_every_step: whether all steps pass through us, or only those to be recorded.

    Attributes:
        model: the one given.
        armed: whether this training is still ours; set before every batch. A train function that
            is called without it was left behind by a training that raised.
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
        distributions: bool,
        guard: Guard,
        failed: Callable[[], bool],
        disable: Callable[[str], None],
        say: Callable[[str], None],
        watch_every_step: bool = True,
    ) -> None:
        self.armed = False
        self.model = model
        self._guard = guard
        self._failed = failed
        self._disable = disable
        self._say = say
        self._passing = None if watch_every_step else Passing(model)
        self._own_seconds = 0.0
        self._traced = False
        # Calls that may be made without a look at them; how many of them there were at first.
        self._free = self._granted = 0
        # Unobserved calls that were timed since the last record; least time that we took at one.
        self._samples, self._least = 0, float("inf")
        self._writer = writer
        self._cadence = cadence
        self._first_step = first_step(model.optimizer)
        self._observer = Observer(
            model, guard, first_step,
            activations=activations, inputs=inputs, distributions=distributions,
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
        self._guard(self._catch_up)
        return self._collectors[0].last_step if self._collectors else self._first_step - 1

    @property
    def watches_every_step(self) -> bool:
        """Whether it does so, because it was told to or because it has to."""
        return self._passing is None

    @property
    def measured_share(self) -> float:
        """Share of the training's time that records cost at present; 0 before it is known."""
        return sum(collector.measured_share for collector in self._collectors)

    def expect(self, batches: int) -> None:
        """The training will see `batches` more batches."""
        self._batches = batches

    def begin_epoch(self) -> None:
        """An epoch begins: what lies between two of them, such as validation, is no step."""
        self._pause()

    def took(self, seconds: float) -> None:
        """Something of ours between the steps took `seconds`."""
        self._own_seconds += seconds

    # ---- inside the trace -----------------------------------------------------------------

    def _step(self, original: Callable[[Any], Any], data: Any) -> Any:
        """The observed `train_step`: the original one between patches."""
        patches = self._guard(lambda: self._observer.patches(data))
        if patches is None:
            return original(data)
        with patched(patches):
            result = original(data)
        if self._passing is not None:
            self._guard(self._passing.traced)
        return result

    # ---- around the compiled step ---------------------------------------------------------

    def _around(self, inner: Callable[[Any], Any], iterator: Any) -> Any:
        if self._free and self.armed:  # as a rule: nothing of ours but this
            self._free -= 1
            self.armed = False
            try:
                return self._train.plain(iterator)
            except (StopIteration, tf.errors.OutOfRangeError):
                self._free += 1
                self._guard(lambda: self._ended(observed=False))
                raise
            except BaseException:
                self._free += 1
                self.finish()
                raise
        if not self.armed or self._failed():
            return self._train.restore()(iterator)
        self.armed = False
        began = time.perf_counter()
        self._guard(self._settle)
        plain = self._guard(self._unobserved)
        passes = plain is not None
        function = plain or inner
        called = time.perf_counter()
        try:
            result = function(iterator)
        except (StopIteration, tf.errors.OutOfRangeError):  # the end of the data
            self._guard(lambda: self._ended(observed=not passes))
            raise
        except Exception as error:
            if not _is_ours(error):
                self.finish()
                raise
            self._disable(f"{type(error).__name__} in the recorder: {error}")
            return self._train.restore()(iterator)
        except BaseException:
            self.finish()
            raise
        self._guard((lambda: self._passed(called - began)) if passes else self._look)
        return result

    def _unobserved(self) -> Callable[[Any], Any] | None:
        """What to call instead of the observed function; None where this call is observed."""
        passes = self._passing is not None and self._passing.passes()
        return self._train.plain if passes else None

    def _passed(self, seconds: float) -> None:
        """After a call that was not observed, in front of which we took `seconds`."""
        began = time.perf_counter()
        assert self._passing is not None
        self._passing.passed(1)
        batches = int(self.model.steps_per_execution)
        for site, collector in zip(self._observer.sites, self._collectors, strict=True):
            collector.passed(batches * max(site.calls, 1))
        if not self._traced:
            self._pause()  # it was traced as well
        self._traced = True
        seconds += time.perf_counter() - began
        self._own_seconds += seconds
        self._least = min(self._least, seconds)
        self._samples += 1
        if self._samples >= SAMPLES:
            # Enough is known of how long a step takes, until the next record is near.
            self._free = self._granted = self._passing.grant()
            if self._free:
                self._pause()

    def _settle(self) -> None:
        """Count the calls that were made without a look at them."""
        made, self._free, self._granted = self._granted - self._free, 0, 0
        if made and self._passing is not None:
            self._passing.passed(made)
            self._own_seconds += made * self._least

    def _ended(self, observed: bool) -> None:
        """A call found no more data."""
        if self._passing is not None:
            self._settle()
            self._passing.broken_off(observed)

    def _catch_up(self) -> None:
        """Have the recorders know of all steps that were made without them."""
        if self._passing is not None:
            self._settle()
            self._passing.catch_up()

    def _pause(self) -> None:
        for collector in self._collectors:
            collector.pause()

    def _look(self) -> None:
        """After a call of the train function: every optimizer call's records, if there are any."""
        batches = int(self.model.steps_per_execution)
        self._calls += 1
        sites = self._observer.sites
        for site in sites[len(self._collectors) :]:
            self._collectors.append(self._collector(site, alone=len(sites) == 1))
        for site, collector in zip(sites, self._collectors, strict=True):
            collector.look(batches * max(site.calls, 1))
        if self._passing is not None and sites:
            self._collectors[0].took(self._own_seconds)
            self._own_seconds, self._samples = 0.0, 0
            self._passing.watched(sites, self._collectors)
            if self._passing.reason is not None:
                self._say(f"watches every step of {self.model.name}: {self._passing.reason}")
                self._passing = None

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

    def finish(self) -> None:
        """Write what still waits, and leave the model as it was. Never raises."""
        self._guard(self._catch_up)
        for collector in self._collectors:
            self._guard(collector.read)
        self._train.restore()


def _is_ours(error: Exception) -> bool:
    """Whether an exception of the compiled step names one of our operations."""
    return f"{SCOPE}/" in str(error)
