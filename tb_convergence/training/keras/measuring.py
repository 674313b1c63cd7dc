"""Records one step: takes the values before it, runs the copy, and writes the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from tb_convergence.training.host.elapsed import NOTHING, Elapsed, now
from tb_convergence.training.host.free_memory import free_bytes
from tb_convergence.training.host.guard import UnsupportedError
from tb_convergence.training.host.running_counts import RunningCount
from tb_convergence.training.host.step_losses import StepLosses
from tb_convergence.training.host.writer import RunWriter
from tb_convergence.training.keras import compat, introspection
from tb_convergence.training.keras.copies import Before, Copies, copies_for, values_before
from tb_convergence.training.keras.handback import Batch
from tb_convergence.training.keras.last_finite import LastFinite
from tb_convergence.training.keras.numbering import Numbering
from tb_convergence.training.keras.rehearsal import Asked, NotRehearsedError, Rehearsal
from tb_convergence.training.keras.rolled_back import bytes_of, handle_of, state_of
from tb_convergence.training.keras.sites import Site, optimizers_of
from tb_convergence.training.keras.step_log import StepLog
from tb_convergence.training.keras.updates_only import UpdatesOnly

MOST_OF_A_REASON: Final = 200
"""Characters of an error that the log line repeats."""

SMALL_BYTES: Final = 64 * 2**20
"""Variables smaller than this fit everywhere."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of recording one step.

    Attributes:
        wrote: whether a record was written.
        setup: time that getting ready took.
        advance: updates that the first optimizer made in it.
        grew: whether a gradient norm has grown a lot since the last record.
    """

    wrote: bool
    setup: Elapsed = NOTHING
    advance: int = 1
    grew: bool = False


class Measuring:
    """Measures and writes steps of one model after the other. Its methods may raise.

    Args:
        say: writes a line to the log.

    Attributes:
        losses: what the train function returned.
        logs: one for each optimizer call that is recorded.
        batch_size: examples in the latest recorded batch; None if not known.
    """

    def __init__(
        self,
        writer: RunWriter,
        numbering: Numbering,
        asked: Asked,
        say: Callable[[str], None],
        last_finite: LastFinite | None,
    ) -> None:
        self.losses = StepLosses()
        self.logs: list[StepLog] = []
        self.batch_size: int | None = None
        self._writer = writer
        self._numbering = numbering
        self._asked = asked
        self._say = say
        self._last_finite = last_finite
        self._said = False
        self._model: Any = None
        self._optimizers: list[Any] = []
        self._numbers: dict[int, tuple[int, int]] = {}
        self._copies: Copies | None = None
        self._function: Any = None
        self._counts: dict[str, RunningCount] = {}
        self._means: list[Any] | None = None

    def begin(self, model: Any) -> bool:
        """A call of `fit` begins; whether it trains something else than the last one."""
        before = [id(item) for item in (self._model, *self._optimizers)]
        if model is not self._model:
            self.logs = []
            self.losses = _losses_of(model)
        self._counts, self._means = {}, None  # other data, perhaps of another batch size
        self._model, self._optimizers = model, optimizers_of(model)
        self._copies = self._function = None
        if self._last_finite is not None:
            self._last_finite.begin(model)
        self._numbers = {
            id(item): (
                self._numbering.first_step(model, item), introspection.iterations(item)
            )
            for item in self._optimizers
        }
        return before != [id(item) for item in (model, *self._optimizers)]

    def end(self) -> None:
        """The call of `fit` is over."""
        self._copies = self._function = None
        self._numbering.trained(self._model, self._optimizers, self.next_step - 1)

    def begin_epoch(self) -> None:
        """Running means begin anew."""
        for losses in self.every_losses():
            losses.begin_epoch()
        for count in self._counts.values():
            count.begin_epoch()
        self._means = None

    def counts(self, calls: int, batches: int, last: bool = False) -> list[dict[str, float]]:
        """What the means of losses had counted after each of the latest `calls` calls on `batches`
        batches each, by name; `last` of an epoch."""
        found: list[dict[str, float]] = [{} for _ in range(calls)]
        if self._means is None:
            self._means = introspection.loss_means(self._model)
        for name, now_counted in introspection.counts(self._means).items():
            count = self._counts.setdefault(name, RunningCount())
            for one, counted in zip(
                found, count.after(now_counted, calls, batches, last), strict=True
            ):
                one[name] = counted
        return found

    def every_losses(self) -> list[StepLosses]:
        """All that follow what the train function returns."""
        return [self.losses, *(log.losses for log in self.logs if log.losses is not self.losses)]

    @property
    def sites(self) -> list[Site]:
        """Optimizer calls that are recorded."""
        return [log.site for log in self.logs]

    @property
    def next_step(self) -> int:
        """Number of the next step of the model's own optimizer, or of its first."""
        own = self._model.optimizer
        return self._number(next(iter(self._optimizers), None) if own is None else own)

    def _number(self, optimizer: Any) -> int:
        first, counted = self._numbers.get(id(optimizer), (0, 0))
        return first + introspection.iterations(optimizer) - counted

    # ---- before a step --------------------------------------------------------------------

    def ready(self, function: Any, iterator: Any) -> Copies:
        """What is made ready for Keras' train function and this data."""
        if (
            self._copies is None
            or self._function is not function
            or not self._copies.takes(iterator)
        ):
            self._follow_compile()
            self._copies = copies_for(function, self._model, iterator, self._asked)
            self._function = function
            if self._copies.data is None and self._copies.updates is None:
                if int(self._model.steps_per_execution) > 1:
                    raise UnsupportedError("steps_per_execution > 1 on several devices")
                self._only_updates(self._copies, f"its data is a {type(iterator).__name__}")
        return self._copies

    def _follow_compile(self) -> None:
        """Number on where the model was compiled again while it trains: its new optimizer counts
        from zero."""
        present = optimizers_of(self._model)
        if [id(item) for item in present] == [id(item) for item in self._optimizers]:
            return
        last = max((log.last_step for log in self.logs), default=-1)
        self._numbering.trained(self._model, self._optimizers, last)
        self.begin(self._model)

    def _only_updates(self, copies: Copies, reason: str) -> None:
        """Have variables and their updates recorded, without gradients and outputs."""
        if len(self._optimizers) > 1 or self._model.optimizer is None:
            raise UnsupportedError(
                f"a train step with several optimizers, which cannot be repeated: {reason}"
            )
        copies.updates = UpdatesOnly(self._model)
        if not self._said:
            self._said = True
            self._say(
                f"records only losses, variables, and updates of {self._model.name}, but no "
                f"gradients or layer outputs: the recorder cannot repeat the train step, because "
                f"{reason}. watch_every_step=True records them inside the step."
            )

    def before(self, copies: Copies) -> Before:
        """Values of the variables, and the numbers of the step to come."""
        numbers = {id(item): self._number(item) for item in self._optimizers}
        self._check_memory(copies)
        if self._last_finite is not None:
            self._last_finite.look(self._optimizers)
        return values_before(copies, self._model, self._optimizers, numbers)

    def _check_memory(self, copies: Copies) -> None:
        """The values from before the step stay in memory beside those that it writes."""
        if copies.rehearsal is not None:
            needed = copies.rehearsal.touched.bytes
        else:
            found = map(handle_of, state_of(self._model, self._optimizers))
            needed = bytes_of(handle for handle in found if handle is not None)
        if needed < SMALL_BYTES or self._on_accelerator():
            return
        free = free_bytes()
        if free is not None and free < needed:
            raise UnsupportedError(
                f"a model whose variables ({needed / 2**20:,.0f} MiB) do not fit a second time "
                f"into the free memory ({free / 2**20:,.0f} MiB)"
            )

    def _on_accelerator(self) -> bool:
        """Whether the values lie in memory that the machine's own says nothing of."""
        with suppress(Exception):
            variable = self._model.trainable_variables[0].value
            return "CPU" not in str(variable.device).upper()
        return False

    # ---- after it -------------------------------------------------------------------------

    def record(
        self, copies: Copies, batch: Batch | None, before: Before, note: Callable[[], None]
    ) -> Result:
        """Measure the step that Keras' function has made, and write it down.

        Args:
            batch: the step's; None if it was not pulled.
            before: what `before` returned then.
            note: has the losses of the step noted, once there are logs that do.
        """
        setup = NOTHING
        if copies.rehearsal is None and copies.updates is None:
            setup = self._prepare(copies)
        if copies.rehearsal is not None:
            handles = copies.rehearsal.touched.handles
            known = before.complete(handles, self._model, self._optimizers)
            if known and batch is not None:
                copies.rehearsal.run(batch, before.values)
        else:
            assert copies.updates is not None
            known = before.complete(copies.updates.handles, self._model, self._optimizers)
        self._follow(copies.sites)
        note()
        if copies.updates is not None:
            means = introspection.means(self._model)
            for losses in self.every_losses():
                losses.tell(means)
        if not known:  # it is from the next step on
            return Result(False, setup)
        wrote = self._write(copies, before)
        if self._last_finite is not None and wrote:
            self._last_finite.judge(self.logs[0].last_step, all(log.finite for log in self.logs))
        site = self.logs[0].site
        advance = self._number(site.optimizer) - before.numbers.get(id(site.optimizer), 0)
        return Result(wrote, setup, max(advance, 1), any(log.grew for log in self.logs))

    def _prepare(self, copies: Copies) -> Elapsed:
        """Trace the copy of the step; the time it took."""
        began = now()
        assert copies.data is not None
        try:
            if not compat.made_by_keras(self._function):
                raise NotRehearsedError("the model has a custom train function")
            copies.rehearsal = Rehearsal(self._model, copies.data, lambda _: 0, self._asked)
        except NotRehearsedError as error:
            self._only_updates(copies, str(error))
        except UnsupportedError:
            raise
        except Exception as error:  # such as Python code that needs values, in an eager step
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self._only_updates(copies, f"it cannot be traced again ({reason[:MOST_OF_A_REASON]})")
        return now() - began

    def _follow(self, sites: Sequence[Site]) -> None:
        """Have a log for each optimizer call."""
        if self.sites == list(sites):
            return
        steps = {log.site.name: log.last_step for log in self.logs}
        alone = len(sites) == 1
        self.logs = [
            StepLog(
                site,
                "" if alone else site.name,
                self.losses if alone else _losses_of(self._model),
                steps.get(site.name, -1),
            )
            for site in sites
        ]

    def _write(self, copies: Copies, before: Before) -> bool:
        if copies.rehearsal is not None:
            new = copies.rehearsal.touched.read()
            places = {id(h): place for place, h in enumerate(copies.rehearsal.touched.handles)}
        else:
            assert copies.updates is not None
            new, places = copies.updates.read(), copies.updates.places
        wrote = False
        for log in self.logs:
            optimizer = log.site.optimizer
            step = before.numbers.get(id(optimizer), 0)
            skipped = introspection.skips_steps(optimizer) and self._number(optimizer) == step
            keys = [id(handle_of(v) if copies.rehearsal else v) for v in log.site.variables]
            old_values = [before.values[places[key]] for key in keys]
            new_values = [new[places[key]] for key in keys]
            wrote |= log.write(self._writer, step, skipped, old_values, new_values)
            measurement = log.site.measurement
            if measurement is not None and measurement.batch is not None:
                self.batch_size = measurement.batch
        return wrote


def _losses_of(model: Any) -> StepLosses:
    return StepLosses("running mean" if introspection.returns_running_mean(model) else "unknown")
