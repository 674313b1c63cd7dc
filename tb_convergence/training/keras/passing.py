"""Which calls of the train function go unobserved, where not every step is to be watched.

Between two records the model then trains by the function that Keras itself made of it, and nothing
of ours runs in it. What the recorder cannot count, the steps made without it, is read off the
optimizer just before the next record, and every observed call is held against that count. Where the
two do not agree, or cannot, every step is watched instead, which is always right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import tensorflow as tf

from tb_convergence.training.host.collector import Collector
from tb_convergence.training.keras import introspection
from tb_convergence.training.keras.sites import Site

UNCOUNTED: Final = "its optimizer does not count its steps"
SKIPPING: Final = (
    "loss scaling skips steps, which cannot be counted with steps_per_execution or "
    "gradient_accumulation_steps"
)
DISAGREES: Final = "its optimizers do not count one step for each of their calls"
RANDOM: Final = "it draws random numbers by tf.random with a seed: each trace has its own sequence"


class Passing:
    """Decides, call by call, whether the train function is observed. Its methods may raise.

    Args:
        model: the one that trains.

    Attributes:
        reason: None, or why every step has to be watched after all.
    """

    def __init__(self, model: Any) -> None:
        self.reason: str | None = None
        self._batches = int(model.steps_per_execution)
        self._counts: list[_Count] = []
        self._left = 0
        self._known = True

    def traced(self) -> None:
        """Look at the graph in which the train step has just been traced."""
        if not tf.executing_eagerly() and _draws_seeded(tf.compat.v1.get_default_graph()):
            self.reason = RANDOM

    def passes(self) -> bool:
        """Whether the next call is to be made without us."""
        if not self._left:
            self.catch_up()
        if not self._left or self.reason is not None:
            return False
        self._left -= 1
        return True

    def grant(self) -> int:
        """How many calls may be made without asking; the last one before a record is asked for."""
        granted = max(self._left - 1, 0)
        self._left -= granted
        return granted

    def passed(self, calls: int) -> None:
        """So many calls were made without us."""
        self._known = False
        for count in self._counts:
            count.calls += calls

    def watched(self, sites: Sequence[Site], collectors: Sequence[Collector]) -> None:
        """An observed call is over, and its records have been read."""
        for site, collector in zip(sites[len(self._counts) :], collectors[len(self._counts) :],
                                   strict=True):
            self._counts.append(_Count(site, collector, self._batches))
        self._heed([count.watched() for count in self._counts])
        self._left = self._calls_left()

    def broken_off(self, observed: bool) -> None:
        """A call ended where the data did. An optimizer may have counted it all the same, as Keras'
        do: in a graph, what needs no data does not wait for them."""
        if observed:
            for count in self._counts:
                count.start()
        self._known = observed

    def catch_up(self) -> None:
        """Tell the recorders how many steps were made without them."""
        if self._known:
            return
        self._known = True
        self._heed([count.catch_up() for count in self._counts])
        self._left = self._calls_left()

    def _heed(self, reasons: Sequence[str | None]) -> None:
        self.reason = self.reason or next(filter(None, reasons), None)

    def _calls_left(self) -> int:
        return min((count.calls_left() for count in self._counts), default=0)


class _Count:
    """The steps of one call of an optimizer.

    Attributes:
        calls: of the train function without us, since the recorder was last told.
    """

    def __init__(self, site: Site, collector: Collector, batches: int) -> None:
        self.calls = 0
        self._site = site
        self._collector = collector
        self._batches = batches
        self._updates = introspection.batches_per_update(site.optimizer)
        self._skips = introspection.skips_steps(site.optimizer)
        self._step = site.first_step
        self._applied = site.applied

    def start(self) -> None:
        """Count from here, as the recorder and the optimizer do."""
        assert self._site.recorder is not None
        self._step = int(self._site.recorder.step.numpy())
        self._applied = introspection.applied(self._site.optimizer)

    def watched(self) -> str | None:
        """After an observed call: what makes the optimizer's count unusable, or None."""
        step, applied = self._step, self._applied
        self.start()
        if self._skips:
            if self._batches * self._updates > 1:
                return SKIPPING
            counted = self._site.calls
        elif applied is None or self._applied is None:
            return UNCOUNTED
        else:
            counted = self._applied // self._updates - applied // self._updates
        return None if self._step - step == counted else DISAGREES

    def catch_up(self) -> str | None:
        """Tell the recorder of the calls without us; what makes that impossible, or None."""
        each = self._batches * max(self._site.calls, 1)
        steps = batches = self.calls * each
        reason = None
        if not self._skips:
            before, self._applied = self._applied, introspection.applied(self._site.optimizer)
            if before is None or self._applied is None or self._applied < before:
                reason = DISAGREES  # somebody set it back: the calls are what is left to go by
                steps //= self._updates
            else:
                steps = self._applied // self._updates - before // self._updates
                batches = self._applied - before
        self.calls = 0
        self._step += steps
        assert self._site.recorder is not None
        self._site.recorder.passed_over(steps, batches)
        self._collector.resume(self._step, self._phase)
        return reason

    @property
    def _phase(self) -> int:
        """Batches of the update to come that have been seen."""
        return 0 if self._skips or self._applied is None else self._applied % self._updates

    def calls_left(self) -> int:
        """How many calls do not reach the step to be recorded next."""
        batches = (self._collector.due - self._step + 1) * self._updates - self._phase
        each = self._batches * max(self._site.calls, 1)
        return max(-(-batches // each) - 1, 0)


def _draws_seeded(graph: Any) -> bool:
    """Whether anything in `graph` draws random numbers whose sequence a seed fixes.

    Such an operation keeps its place in the sequence to itself: in two traces there are two.
    """
    definition = graph.as_graph_def()
    nodes = [*definition.node]
    for function in definition.library.function:
        nodes += function.node_def
    return any(
        "seed" in node.attr and "seed2" in node.attr
        and (node.attr["seed"].i or node.attr["seed2"].i) != 0
        for node in nodes
    )
