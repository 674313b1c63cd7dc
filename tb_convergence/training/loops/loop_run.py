"""The run behind a `ConvergenceRecorder`: its event file, and the lists of variables it watches.

Kept apart from the recorder that a person holds, so that the run can be ended when that is no
longer reachable, or when the process ends: the last record is never lost.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import tensorflow as tf

from tb_convergence.training.host.cadence import Cadence
from tb_convergence.training.host.collector import Collector
from tb_convergence.training.host.epochs import Epochs
from tb_convergence.training.host.guard import Guard, UnsupportedError
from tb_convergence.training.host.live_options import OnFinding, wanted
from tb_convergence.training.host.writer import RunWriter
from tb_convergence.training.instep import replicas
from tb_convergence.training.instep.accelerator import accelerated
from tb_convergence.training.instep.recorder import SCOPE, Plan, Recorder, outside_of_trace
from tb_convergence.training.keras.describe import describe_loop
from tb_convergence.training.loops.watch import Shown, Together, Watch, iterations_of, loss_of

MOST_LISTS: Final = 32
"""Lists of variables that are recorded, each as a part of the run: further ones are trained but not
recorded. A loop that picks other variables at every step would fill the memory."""

_OPEN: Final[Counter[str]] = Counter()
"""Recorders of this process that are open, by folder."""


class LoopRun:
    """One run, recorded from a loop of the user's own. Its methods never raise.

    Args:
        variables: those that are trained, as far as there are any.
        steps: length of the training where known.
        first_step: number of the first step; the optimizer's count by default.
    """

    def __init__(
        self,
        who: str,
        log_dir: str,
        model: Any,
        variables: Callable[[], Sequence[Any]],
        *,
        name: str,
        steps: int | None,
        first_step: int | None,
        overhead: float,
        every_n_steps: int | None,
        gradient_histograms: bool = False,
        live: bool = False,
        on_finding: OnFinding | None = None,
        stop_on: Collection[str] = (),
        rules: Sequence[str] = (),
    ) -> None:
        self.guard = Guard(who)
        self._model = model
        self._steps = steps
        self._first_step = first_step
        self._overhead = overhead
        self._every_n_steps = every_n_steps
        self._gradient_histograms = gradient_histograms
        self._lock = threading.RLock()
        self._watches: dict[tuple[int, ...], Watch] = {}
        self._kept: list[Any] = []  # an `id` is only unique as long as its object lives
        self._optimizer: Any = None
        self._facts: dict[str, Any] = {}
        self._described: dict[str, Any] | None = None
        self._closed = self._full = False
        self._folder = os.path.abspath(log_dir)
        others, _OPEN[self._folder] = _OPEN[self._folder], _OPEN[self._folder] + 1
        self._name = name or (f"model_{others + 1}" if others else "")
        self._epochs = Epochs(self._name)
        self.should_stop = False
        self._chief = replicas.is_chief(_strategy_of(variables))
        self._writer: RunWriter | None = None
        if self._chief:
            self._writer = self.guard(lambda: RunWriter(log_dir))
        if self._writer is not None:
            self._writer.live = wanted(
                log_dir, live, on_finding, stop_on, self._stop, overhead, rules
            )

    def _stop(self) -> None:
        self.should_stop = True

    # ---- inside the step ------------------------------------------------------------------

    def before(
        self, optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any], shown: Shown
    ) -> tuple[Watch, Plan] | None:
        """In front of an update; what `after` needs, or None."""
        number, count = replicas.here()
        together = None
        if count > 1:
            # Whatever has become of the recording here: the others wait for this replica's part.
            together = self._together(optimizer, gradients, shown)
            if number or together is None:
                return None
        if self._closed or not self._chief:
            return None

        def watch() -> tuple[Watch, Plan] | None:
            found = self._watch(optimizer, variables)
            if found is None:
                return None
            plan = found.before(optimizer, gradients, shown, together)
            return None if plan is None else (found, plan)

        observed: tuple[Watch, Plan] | None = self.guard(watch)
        return observed

    def _together(
        self, optimizer: Any, gradients: Sequence[Any], shown: Shown
    ) -> Together | None:
        """What all replicas have. An optimizer with `apply_gradients` sums gradients by itself;
        for any other the author has done so."""
        strategy = tf.distribute.get_strategy()
        try:
            if not replicas.records_with(strategy):
                raise UnsupportedError(f"training with {type(strategy).__name__}")
            parts = hasattr(optimizer, "apply_gradients")
            with tf.name_scope(SCOPE):
                return replicas.summed(gradients, loss_of(shown), parts=parts)
        except Exception as error:
            failure = error
            self.guard(lambda: _raise(failure))
            return None

    def after(self, observed: tuple[Watch, Plan]) -> None:
        """Behind the update."""
        watch, plan = observed
        self.guard(lambda: watch.after(plan))

    def _watch(self, optimizer: Any, variables: Sequence[Any]) -> Watch | None:
        """The watch of these variables. Another list is another part of the run; None beyond
        `MOST_LISTS`."""
        key = tuple(id(variable) for variable in variables)
        if key not in self._watches:
            if len(self._watches) == MOST_LISTS:
                if not self._full:
                    self._full = True
                    self.guard.say(
                        f"records the first {MOST_LISTS} lists of variables in {self._folder}, and "
                        "no further ones"
                    )
                return None
            for other in self._watches.values():
                # What it still has was earlier: a reader takes the new part to continue the old.
                outside_of_trace(other.collector.read)
            count = len(self._watches)
            name = self._name if not count else f"{self._name or 'model'}_part_{count + 1}"

            def collect(first_step: int, recorder: Callable[[], Recorder | None]) -> Collector:
                return self._collector(first_step, recorder, name)

            first = self._first(optimizer)
            self._watches[key] = Watch(
                self._model, variables, first, collect, self._turn, self.guard,
                gradient_histograms=self._gradient_histograms,
            )
            self._kept.append(tuple(variables))
            self._optimizer = self._optimizer or optimizer
        return self._watches[key]

    def _first(self, optimizer: Any) -> int:
        if self._first_step is not None and not self._watches:
            return self._first_step
        made = iterations_of(optimizer)
        if made is not None:
            return made
        return max([0, *(watch.collector.last_step for watch in self._watches.values())])

    def _collector(
        self, first_step: int, recorder: Callable[[], Recorder | None], name: str
    ) -> Collector:
        assert self._writer is not None
        cadence = Cadence(self._overhead, self._every_n_steps, processor=not accelerated())
        if self._steps is None:
            cadence.expect_more(first_step)
        else:
            cadence.expect(first_step, self._steps)
        return Collector(self._writer, cadence, first_step, recorder, model=name)

    # ---- the host's turn ------------------------------------------------------------------

    def _turn(self, collector: Collector, steps: int) -> None:
        """After `steps` steps: what waits on the device is written."""
        with self._lock:
            if self._closed:
                return
            collector.look(steps)
            if self._learned() and collector.last_step >= 0:
                self._describe(collector.last_step)

    def _describe(self, step: int) -> None:
        """Write the configuration, as far as it is known."""
        assert self._writer is not None
        self._described = dict(self._facts)
        document = describe_loop(self._model, self._optimizer, self._facts)
        self._writer.config(document, max(step, 0))

    def _learned(self) -> bool:
        """Whether more is known of the configuration than was written."""
        for watch in self._watches.values():
            if watch.recorder is not None:
                self._facts["jit_compile"] = watch.recorder.compiled
            if watch.collector.batch_size is not None:
                self._facts["batch_size"] = watch.collector.batch_size * watch.replicas
        return self._facts != self._described

    @property
    def last_step(self) -> int:
        """The last step that was made; -1 before any was."""
        return max((watch.collector.last_step for watch in self._watches.values()), default=-1)

    def epoch(self, logs: Mapping[str, Any]) -> None:
        """The end of an epoch."""

        def write() -> None:
            assert self._writer is not None
            self._read()
            self._facts["validation"] = any(name.startswith("val_") for name in logs)
            self._epochs.write(self._writer, logs, max(self.last_step, 0))
            if self._writer.live is not None:
                self._writer.live.look()

        with self._lock:
            if not self._closed and self._chief:
                self.guard(write)
                for watch in self._watches.values():
                    watch.collector.pause()

    def flush(self) -> None:
        """Write what waits on the device, and hand it to the operating system."""

        def write() -> None:
            assert self._writer is not None
            self._read()
            self._writer.flush()

        with self._lock:
            if not self._closed and self._chief:
                self.guard(write)

    def _read(self) -> None:
        for watch in self._watches.values():
            watch.collector.read()
        if self._watches and self._learned():
            self._describe(self.last_step)

    def close(self) -> None:
        """Write what waits and close the file. Safe to call twice, and when the process ends."""
        with self._lock:
            if self._closed:
                return
            self.guard(self._read)
            self._closed = True
            _OPEN[self._folder] -= 1
            writer, self._writer = self._writer, None
            if writer is None:
                return
            if writer.live is not None:
                writer.live.look(last=True)
            with suppress(Exception):
                writer.close()


def _strategy_of(variables: Callable[[], Sequence[Any]]) -> Any:
    """The strategy that made `variables`; else the one in whose scope we are."""
    made: Sequence[Any] = ()
    with suppress(Exception):  # a module that has none yet
        made = variables()
    for variable in made:
        inner = variable if isinstance(variable, tf.Variable) else getattr(variable, "value", None)
        strategy = getattr(inner, "distribute_strategy", None)
        if strategy is not None:
            return strategy
    return tf.distribute.get_strategy()


def _raise(error: Exception) -> None:
    raise error
