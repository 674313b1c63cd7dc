"""Recording beside the training: Keras' own function makes every step, recorded or not.

Before a step that is due, its batch is pulled; Keras' function trains on it, handed back; then the
step is measured once more in a copy, from the values that the variables had before, and everything
is put back. So the training never depends on what happens here: whatever fails of ours, the batch
that was pulled reaches Keras' function exactly once.

`model.train_function` is ours from just before a call to the moment it is called, and at no other
time: what else happens between steps, an interruption too, finds Keras' own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_convergence.core import statistics
from tb_convergence.training.host.cadence import Cadence
from tb_convergence.training.host.guard import Guard, UnsupportedError
from tb_convergence.training.host.step_losses import NEVER, StepLosses
from tb_convergence.training.host.writer import Channel, RunWriter, channel
from tb_convergence.training.instep.measurement import Measurement
from tb_convergence.training.keras import introspection
from tb_convergence.training.keras.handback import Batch, HandBack
from tb_convergence.training.keras.numbering import Numbering
from tb_convergence.training.keras.rehearsal import Asked, NotRehearsedError, Rehearsal
from tb_convergence.training.keras.rolled_back import handle_of, state_of
from tb_convergence.training.keras.sites import Site, optimizers_of
from tb_convergence.training.keras.updates_only import UpdatesOnly

CALLS_BETWEEN_LOOKS: Final = 8
"""Calls after which the losses they returned are read: long done by then, so nobody waits."""

REHEARSALS: Final = "_tb_convergence_rehearsals"
"""Attribute of Keras' train function: the copies that were traced for it."""

MOST_COPIES: Final = 8
"""Copies kept for one train function: one for each type of data and each kind of recording."""

SEARCHED_BATCHES: Final = 2_000
"""Batches that are looked through for NaN once the loss is not finite, at most."""

JUMP: Final = 3.0
"""A loss above so many times the largest of those before it is worth a closer look: the spikes of
a healthy training of minibatches stay below twice."""

REMEMBERED: Final = 50
"""Losses that a jump is compared with."""


@dataclass(slots=True)
class Copies:
    """What was made ready for one train function and data of one type.

    Attributes:
        data: takes batches out of its iterators and hands them back; None where that cannot be.
        rehearsal: the measuring copy of the step; None before it is traced, and where `reason`
            says why there cannot be one.
        updates: what is recorded instead.
    """

    asked: Asked
    data: HandBack | None
    rehearsal: Rehearsal | None = None
    reason: str | None = None
    updates: UpdatesOnly | None = None

    @property
    def sites(self) -> list[Site]:
        """Optimizer calls that are recorded."""
        if self.rehearsal is not None:
            return self.rehearsal.sites
        return [] if self.updates is None else self.updates.sites


@dataclass(slots=True)
class _Log:
    """What was written of one optimizer call.

    Attributes:
        losses: what the train function returned, read as this call's loss.
        last_step: the last that was recorded.
    """

    site: Site
    losses: StepLosses
    last_step: int = -1
    channels: dict[str, Channel] = field(default_factory=dict)
    global_norm: float = float("nan")


class Beside:
    """Records one model's training, over all calls of `fit` that one callback sees.

    Args:
        writer, cadence: where records go; which steps are recorded.
        numbering: numbers of steps over several trainings.
        asked: what is recorded.
        guard: everything of ours that may fail runs under it.
    """

    def __init__(
        self,
        writer: RunWriter,
        cadence: Cadence,
        numbering: Numbering,
        asked: Asked,
        guard: Guard,
    ) -> None:
        self.batch_size: int | None = None
        self.model: Any = None
        self._writer = writer
        self._cadence = cadence
        self._numbering = numbering
        self._asked = asked
        self._guard = guard
        self._plain: Callable[[Any], Any] | None = None
        self._copies: Copies | None = None
        self._logs: list[_Log] = []
        self._optimizers: list[Any] = []
        self._numbers: dict[int, tuple[int, int]] = {}
        self._pending: list[Any] = []
        self._ready = False
        self._free = 0
        self._calls = 0
        self._due_call = 0
        self._advance = 1
        self._mark: float | None = None
        self._losses: StepLosses | None = None
        self._recent: list[float] = []
        self._search = 0
        self._said: set[str] = set()
        self._finite_batch: Any = None

    # ---- what the callback asks -----------------------------------------------------------

    @property
    def sites(self) -> list[Site]:
        """Optimizer calls that are recorded."""
        return [log.site for log in self._logs]

    @property
    def last_step(self) -> int:
        """The last step that was made; one less than the first before any was."""
        return self._number(self.model.optimizer) - 1

    @property
    def idle(self) -> bool:
        """Whether nothing was recorded although steps were made."""
        return self._calls > 0 and not self._logs

    @property
    def measured_share(self) -> float:
        """Share of the training's time that records cost at present; 0 before it is known."""
        return self._cadence.measured_overhead or 0.0

    def took(self, seconds: float) -> None:
        """Something of ours between the steps took `seconds`."""
        self._cadence.saw_look(seconds)

    # ---- calls of fit ---------------------------------------------------------------------

    def begin(self, model: Any) -> None:
        """A call of `fit` begins."""
        if model is not self.model:
            self._logs = []
        self.model = model
        self._disarm()
        self._plain, self._copies = None, None
        before, self._optimizers = self._optimizers, optimizers_of(model)
        self._numbers = {
            id(item): (
                self._numbering.first_step(model, item), introspection.iterations(item)
            )
            for item in self._optimizers
        }
        own_step = type(model).train_step is keras.Model.train_step
        if self._losses is None:
            self._losses = StepLosses("running mean" if own_step else "unknown")
        self._pending, self._mark, self._free = [], None, 0
        if [id(item) for item in before] != [id(item) for item in self._optimizers]:
            self._due_call = self._calls  # compiled again, or the first time
        self._ready = True

    def expect(self, batches: int) -> None:
        """The training will see `batches` more batches."""
        updates = introspection.batches_per_update(self.model.optimizer)
        self._cadence.expect(self.last_step + 1, batches // updates)

    def begin_epoch(self) -> None:
        """An epoch begins: running means begin anew, and what lies between two is no step."""
        self._read_losses()
        for log in (self._losses, *(log.losses for log in self._logs)):
            if log is not None:
                log.begin_epoch()
        self._mark = None

    def end(self) -> None:
        """The call of `fit` is over."""
        if not self._ready:
            return
        self._ready = False
        self._disarm()
        self._guard(self._read_losses)
        self._guard(
            lambda: self._numbering.trained(self.model, self._optimizers, self.last_step)
        )
        self._plain, self._copies = None, None

    def expect_more(self) -> None:
        """One more call of `fit`; nobody knows how many are to come."""
        self._cadence.expect_more(self.last_step + 1)

    # ---- around a call of the train function ----------------------------------------------

    def arm(self) -> None:
        """Just before Keras calls its train function: have it call us."""
        if not self._ready or self._guard.reason is not None:
            return
        namespace = vars(self.model)
        plain = namespace.get("train_function")
        if plain is None or plain == self._called:
            return
        self._plain = plain
        namespace["train_function"] = self._called

    def _disarm(self) -> None:
        """Put Keras' function back where a call that was announced never came."""
        if self.model is not None and self._plain is not None:
            namespace = vars(self.model)
            if namespace.get("train_function") == self._called:
                namespace["train_function"] = self._plain

    def _called(self, iterator: Any) -> Any:
        """In place of Keras' function: call it."""
        plain = self._plain
        assert plain is not None
        vars(self.model)["train_function"] = plain
        if self._free:  # as a rule: nothing of ours but this
            self._free -= 1
            logs = plain(iterator)
            self._pending.append(logs)
            return logs
        self._guard(self._read_losses)
        began = time.perf_counter()
        due = self._guard(self._is_due)
        if due and not self._guard.reason:
            logs = self._recorded(plain, iterator, began)
        else:
            logs = plain(iterator)
            self._pending.append(logs)
        self._guard(self._grant)
        return logs

    def _is_due(self) -> bool:
        return self._calls >= self._due_call or self._search > 0

    def _grant(self) -> None:
        """How many calls may be made without a look."""
        made = self._calls + len(self._pending)
        left = self._due_call - made
        self._free = 0 if self._search else max(min(left, CALLS_BETWEEN_LOOKS), 0)
        if self._mark is None:
            self._mark = time.perf_counter()

    def _read_losses(self) -> None:
        """Read what the calls since the last look returned, and count them."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        size = int(self.model.steps_per_execution)
        if self._mark is not None:
            self._cadence.saw_steps(time.perf_counter() - self._mark, len(pending) * size)
        for logs in pending:
            self._calls += 1
            self._note(_losses_in(logs), size)
        self._mark = time.perf_counter()

    def _note(self, values: dict[str, float], batches: int) -> None:
        assert self._losses is not None
        for losses in (self._losses, *(log.losses for log in self._logs)):
            losses.add(values, batches)
        if self._losses.nonfinite:
            if not self._search and not self._said & {"searched"}:
                self._said.add("searched")
                self._search = SEARCHED_BATCHES
            return
        loss = abs(self._losses.latest)
        if np.isfinite(loss):
            before = self._recent[-REMEMBERED:]
            if len(before) >= REMEMBERED // 2 and loss > JUMP * max(before):
                self._look_closer()
            self._recent = [*before, loss]

    def _look_closer(self) -> None:
        """Record sooner than planned, as far as the budget leaves room."""
        if self._cadence.hurry():
            self._due_call = min(self._due_call, self._calls + 1)

    # ---- a step that is due ---------------------------------------------------------------

    def _recorded(self, plain: Callable[[Any], Any], iterator: Any, began: float) -> Any:
        """Keras' function on the next block of batches, one of which is recorded."""
        copies = self._guard(lambda: self._copies_for(plain, iterator))
        if copies is None:
            return self._pass(plain, iterator)
        if copies.data is None:
            self._search = 0
            if self._calls < self._due_call:
                return self._pass(plain, iterator)
            return self._updated(copies, plain, iterator, began)
        data: HandBack = copies.data
        place = self._guard(self._place_in_block)
        if place is None:
            return self._pass(plain, iterator)
        block: list[Batch] = []
        failure: BaseException | None = None
        try:
            while len(block) < int(self.model.steps_per_execution):
                block.append(data.pull(iterator))
        except tf.errors.OutOfRangeError:
            pass  # Keras' function will find out for itself
        except tf.errors.OpError as error:
            failure = error  # the data's own: after the batches before it
        except Exception as error:
            self._guard.disable(f"{type(error).__name__}: {error}")
        if not block:
            if failure is not None:
                raise failure
            return self._pass(plain, iterator)
        logs: Any = None
        if self._guard.reason is not None or place >= len(block):
            logs = self._hand(plain, block, iterator, data)
        else:
            if block[:place]:
                logs = self._hand(plain, block[:place], iterator, data)
            recorded = self._guard(lambda: self._wanted(copies, block[place]))
            before = self._guard(lambda: self._before(copies)) if recorded else None
            logs = self._hand(plain, [block[place]], iterator, data)
            done, rest = place + 1, block[place + 1 :]
            if before is not None:
                own = logs
                self._guard(lambda: self._record(copies, block[place], before, own, done, began))
            if rest:
                logs = self._hand(plain, rest, iterator, data)
            if before is None:
                self._pending.append(logs)
            elif rest:
                self._guard(lambda: self._note_rest(logs, len(rest)))
        if failure is not None:
            raise failure
        return logs

    def _pass(self, plain: Callable[[Any], Any], iterator: Any) -> Any:
        logs = plain(iterator)
        self._pending.append(logs)
        return logs

    def _note_rest(self, logs: Any, batches: int) -> None:
        self._note(_losses_in(logs), batches)
        self._mark = time.perf_counter()

    def _hand(
        self, plain: Callable[[Any], Any], batches: Sequence[Batch], iterator: Any, data: HandBack
    ) -> Any:
        """Keras' function on batches that were pulled: they reach it whatever fails of ours."""
        try:
            handed = data.give(batches, iterator)
        except Exception as error:
            self._guard.disable(f"{type(error).__name__}: {error}")
            handed = [data.element(batch) for batch in batches]
        try:
            return plain(handed)
        except BaseException:
            data.discard()
            raise

    def _place_in_block(self) -> int:
        """Which batch of the next block to record: of an accumulated update, its last."""
        optimizer = self.model.optimizer
        updates = introspection.batches_per_update(optimizer)
        if updates == 1:
            return 0
        seen = introspection.applied(optimizer) or 0
        return (updates - 1 - seen % updates) % updates

    def _wanted(self, copies: Copies, batch: Batch) -> bool:
        """Whether the step is recorded. While a bad batch is searched for, most are not."""
        if self._calls >= self._due_call:
            return True
        self._search -= 1
        if self._is_finite(batch):
            return False
        self._search = 0
        return True

    def _is_finite(self, batch: Batch) -> bool:
        floats = [tensor for tensor in batch if tensor.dtype.is_floating]
        return all(bool(tf.reduce_all(tf.math.is_finite(tensor))) for tensor in floats)

    def _copies_for(self, plain: Callable[[Any], Any], iterator: Any) -> Copies:
        """What is ready for this train function and this data, or can be made ready."""
        function = plain
        while isinstance(getattr(function, "__self__", None), Beside):
            function = function.__self__._plain
        if self._copies is not None and self._kept(function, self._copies):
            data = self._copies.data
            if data is None or data.fits(iterator):
                return self._copies
        kept: list[Copies] = vars(function).setdefault(REHEARSALS, [])
        for item in kept:
            if item.asked == self._asked and item.data is not None and item.data.fits(iterator):
                self._copies = item
                return item
        found = Copies(self._asked, self._data_of(iterator))
        if found.data is None:
            if int(self.model.steps_per_execution) > 1:
                raise UnsupportedError("steps_per_execution > 1 on several devices")
            self._only_updates(found, f"its data is a {type(iterator).__name__}")
        kept.append(found)
        del kept[:-MOST_COPIES]
        self._copies = found
        return found

    @staticmethod
    def _kept(function: Any, copies: Copies) -> bool:
        return any(copies is item for item in vars(function).get(REHEARSALS, ()))

    def _data_of(self, iterator: Any) -> HandBack | None:
        if not isinstance(iterator, tf.data.Iterator):
            return None
        return HandBack(iterator, single=int(self.model.steps_per_execution) == 1)

    def _only_updates(self, copies: Copies, reason: str) -> None:
        """Have variables and their updates recorded, without gradients and outputs."""
        if len(self._optimizers) > 1 or self.model.optimizer is None:
            raise UnsupportedError(
                f"a train step with several optimizers, which cannot be repeated: {reason}"
            )
        copies.reason = reason
        copies.updates = UpdatesOnly(self.model)
        if "updates only" not in self._said:
            self._said.add("updates only")
            self._guard.say(
                f"records no gradients and no layer outputs of {self.model.name}, only losses, "
                "variables and updates: the train step cannot be repeated beside the training, "
                f"because {reason}. watch_every_step=True records them inside of the step."
            )

    # ---- before and after the training's own step ------------------------------------------

    def _before(self, copies: Copies) -> _Before:
        """Values of the variables, and the counts of the optimizers."""
        numbers = {id(item): self._number(item) for item in self._optimizers}
        if copies.rehearsal is not None:
            return _Before(numbers, values=copies.rehearsal.touched.read())
        if copies.updates is not None:
            return _Before(numbers, values=copies.updates.read())
        known: dict[int, Any] = {}
        for variable in state_of(self.model, self._optimizers):
            handle = handle_of(variable)
            if handle is not None:
                known[id(handle)] = tf.identity(tf.convert_to_tensor(
                    variable if isinstance(variable, tf.Variable) else variable.value
                ))
        return _Before(numbers, known=known)

    def _number(self, optimizer: Any) -> int:
        """Number of the next step of `optimizer`."""
        if optimizer is None:
            optimizer = self._optimizers[0] if self._optimizers else None
        first, counted = self._numbers.get(id(optimizer), (0, 0))
        return first + introspection.iterations(optimizer) - counted

    def _updated(
        self, copies: Copies, plain: Callable[[Any], Any], iterator: Any, began: float
    ) -> Any:
        """A step of which only the update is recorded."""
        before = self._guard(lambda: self._before(copies))
        logs = plain(iterator)
        if before is None:
            self._pending.append(logs)
        else:
            self._guard(lambda: self._record(copies, None, before, logs, 1, began))
        return logs

    def _record(
        self, copies: Copies, batch: Batch | None, before: _Before, logs: Any, batches: int,
        began: float,
    ) -> None:
        """Measure the step that Keras' function has made, and write it down."""
        setup = 0.0
        self._calls += 1
        values = _losses_in(logs)
        if copies.rehearsal is None and copies.updates is None:
            setup = self._prepare(copies)
        if before.known is not None and copies.rehearsal is None:
            self._note(values, batches)  # of the next step the update is recorded
            self._due_call = self._calls
            return
        if copies.rehearsal is not None:
            assert batch is not None
            rehearsal = copies.rehearsal
            if not before.complete(rehearsal, self._optimizers):
                self._note(values, batches)
                return
            rehearsal.run(batch, before.values)
            old, new = before.values, rehearsal.touched.read()
            places = {id(handle): i for i, handle in enumerate(rehearsal.touched.handles)}
        else:
            assert copies.updates is not None
            old, new = before.values, copies.updates.read()
            places = copies.updates.places
        self._follow(copies.sites)
        self._note(values, batches)
        wrote = False
        for log in self._logs:
            variables = [places[id(handle_of(v) if copies.rehearsal else v)]
                         for v in log.site.variables]
            wrote |= self._write(log, before.numbers, [old[i] for i in variables],
                                 [new[i] for i in variables])
        self._schedule(before, wrote)
        now = time.perf_counter()
        if setup:
            self._cadence.saw_setup(setup)
        if wrote and self._mark is not None:
            self._cadence.saw_record(now - began - setup, batches)
        self._diagnose()
        self._mark = time.perf_counter()

    def _prepare(self, copies: Copies) -> float:
        """Trace the copy of the step; the seconds it took."""
        began = time.perf_counter()
        assert copies.data is not None
        try:
            copies.rehearsal = Rehearsal(self.model, copies.data, lambda _: 0, self._asked)
        except NotRehearsedError as error:
            self._only_updates(copies, str(error))
        return time.perf_counter() - began

    def _follow(self, sites: Sequence[Site]) -> None:
        """Have a log for each optimizer call."""
        if [log.site for log in self._logs] == list(sites):
            return
        own_step = type(self.model).train_step is keras.Model.train_step
        previous = {log.site.name: log for log in self._logs}
        logs = []
        for site in sites:
            log = _Log(site, StepLosses("running mean" if own_step else "unknown"))
            if site.name in previous:
                log.losses = previous[site.name].losses
                log.last_step = previous[site.name].last_step
            logs.append(log)
        self._logs = logs

    def _write(
        self, log: _Log, numbers: dict[int, int], old: list[Any], new: list[Any]
    ) -> bool:
        """Write one optimizer call's tables; False where it made no update."""
        measurement = log.site.measurement
        assert measurement is not None
        step = numbers.get(id(log.site.optimizer), 0)
        skipped = introspection.skips_steps(log.site.optimizer) and (
            self._number(log.site.optimizer) == step
        )
        if skipped or (step <= log.last_step and not self._went_back(log, step)):
            return False
        tables = measurement.after(old, new, self._known_of(log, measurement))
        self._complete(log, step, measurement, tables)
        wall_time = time.time()
        model = ": ".join(
            filter(None, (self._writer.label, log.site.name if len(self._logs) > 1 else ""))
        )
        for group, table in tables.items():
            rows = measurement.rows.of(group)
            target = log.channels.get(group)
            if target is None:
                target = log.channels[group] = channel(
                    group, rows, statistics.columns(group), model
                )
            self._writer.table(target, table, step, wall_time)
        log.last_step = step
        self.batch_size = measurement.batch if measurement.batch is not None else self.batch_size
        return True

    @staticmethod
    def _went_back(log: _Log, step: int) -> bool:
        """Whether the optimizer's count was set back, as a checkpoint does."""
        if step < log.last_step:
            log.last_step = step - 1
            return True
        return False

    @staticmethod
    def _known_of(log: _Log, measurement: Measurement) -> dict[str, float]:
        if measurement.measures:
            log.losses.compare(measurement.loss)
            return {}
        rate = introspection.learning_rate(log.site.optimizer)
        return {"loss": log.losses.latest, "learning_rate": float(rate)}

    def _complete(
        self, log: _Log, step: int, measurement: Measurement,
        tables: dict[str, NDArray[np.float32]],
    ) -> None:
        """Columns of the run that tell of the steps since the last record."""
        columns, run = statistics.columns("run"), tables["run"]

        def put(name: str, value: float) -> None:
            run[0, columns.index(name)] = value

        seen = log.losses.batches
        window = log.losses.take()
        unwatched = step - log.last_step - 1 if log.last_step >= 0 else 0
        put("window_unwatched_steps", max(unwatched, 0))
        if window.known:
            put("window_loss_mean", window.total / window.known)
            put("window_loss_max", window.highest)
            put("window_loss_min", window.lowest)
        if window.first_nonfinite != NEVER:
            updates = introspection.batches_per_update(log.site.optimizer)
            own = run[0, columns.index("window_nonfinite_steps")]
            put("window_nonfinite_steps", max(own, window.nonfinite))
            put("first_nonfinite_age_steps", (seen - 1 - window.first_nonfinite) // updates)
        norm = float(run[0, columns.index("gradient_global_norm")])
        if norm > 10.0 * log.global_norm:
            self._look_closer()
        log.global_norm = norm

    def _schedule(self, before: _Before, wrote: bool) -> None:
        """Which call to record next."""
        if not wrote or not self._logs:
            self._due_call = self._calls + 1
            return
        site = self._logs[0].site
        step = self._logs[0].last_step
        advance = max(self._number(site.optimizer) - before.numbers.get(id(site.optimizer), 0), 1)
        updates = introspection.batches_per_update(site.optimizer)
        coming = max(self._cadence.next_step(step), step + 1)
        batches = max((coming - step - 1) * updates // advance, 0)
        self._due_call = self._calls + batches // int(self.model.steps_per_execution)

    def _diagnose(self) -> None:
        live = self._writer.live
        if live is not None:
            live.look()
            self._cadence.saw_look(live.owed())


@dataclass(slots=True)
class _Before:
    """What was so before the step.

    Attributes:
        numbers: of the step, by `id` of the optimizer.
        values: of the variables that the copy touches, once it is known which.
        known: values by `id` of the handle, before it is.
    """

    numbers: dict[int, int]
    values: list[Any] = field(default_factory=list)
    known: dict[int, Any] | None = None

    def complete(self, rehearsal: Rehearsal, optimizers: Sequence[Any]) -> bool:
        """Find `values`; False where a variable is newer than the step, so its value is not
        known."""
        if self.known is None:
            return True
        fresh = {
            id(handle_of(variable)): introspection.first_value(optimizer, variable)
            for optimizer in optimizers
            for variable in optimizer.variables
        }
        for handle in rehearsal.touched.handles:
            value = self.known.get(id(handle))
            if value is None:
                value = fresh.get(id(handle))
            if value is None:
                return False
            self.values.append(value)
        return True


def _losses_in(logs: Any) -> dict[str, float]:
    """Numbers in what a train function returned: those that are called losses, if any are."""
    if not isinstance(logs, dict):
        return {}
    names = [name for name in logs if "loss" in str(name).lower()]
    found: dict[str, float] = {}
    for name in names or logs:
        try:
            found[str(name)] = float(logs[name])
        except (TypeError, ValueError):  # a structure of metrics
            continue
    return found
