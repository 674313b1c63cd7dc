"""Recording beside the training: Keras' own function makes every step, recorded or not.

Before a step that is due, its batch is pulled; Keras' function trains on it, handed back; then the
step is measured once more in a copy, from the values that the variables had before, and everything
is put back. So the training never depends on what happens here: whatever fails of ours, the batch
that was pulled reaches Keras' function exactly once.

`model.train_function` is ours from just before a call to the moment it is called, and at no other
time: what else happens between steps, an interruption too, finds Keras' own. If another callback
raises in just that moment, ours stays until the next call, which restores Keras' own and records
nothing where it belongs to another call of `fit`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Final

import tensorflow as tf

from tb_convergence.training.host.cadence import Cadence
from tb_convergence.training.host.elapsed import NOTHING, Elapsed, now
from tb_convergence.training.host.guard import Guard
from tb_convergence.training.host.writer import RunWriter
from tb_convergence.training.keras import compat, introspection
from tb_convergence.training.keras.copies import Before, Copies
from tb_convergence.training.keras.handback import Batch, HandBack
from tb_convergence.training.keras.last_finite import LastFinite
from tb_convergence.training.keras.measuring import Measuring
from tb_convergence.training.keras.numbering import Numbering
from tb_convergence.training.keras.rehearsal import Asked
from tb_convergence.training.keras.sites import Site
from tb_convergence.training.keras.step_log import losses_in

CALLS_BETWEEN_LOOKS: Final = 8
"""Calls after which the losses they returned are read: long done by then, so nobody waits."""

SEARCHED_BATCHES: Final = 2_000
"""Batches that are looked through for NaN once the loss is not finite, at most."""

JUMP: Final = 3.0
"""A loss above so many times the largest of those before it is worth a closer look: the losses of
minibatches of a healthy training stay below twice."""

REMEMBERED: Final = 50
"""Losses that a jump is compared with."""

Function = Callable[[Any], Any]


class Beside:
    """Records the trainings that one callback sees, over all calls of `fit`.

    Args:
        writer, cadence: where records go; which steps are recorded.
        numbering: numbers of steps over several trainings.
        asked: what is recorded.
        guard: everything of ours that may fail runs under it.
        last_finite: keeps the state of the last finite record; None if nobody asked for it.
    """

    def __init__(
        self,
        writer: RunWriter,
        cadence: Cadence,
        numbering: Numbering,
        asked: Asked,
        guard: Guard,
        last_finite: LastFinite | None = None,
    ) -> None:
        self.model: Any = None
        self._measuring = Measuring(writer, numbering, asked, guard.say, last_finite)
        self._last_finite = last_finite
        self._writer = writer
        self._cadence = cadence
        self._guard = guard
        self._plain: Function | None = None
        self._history: Any = None
        self._pending: list[Any] = []
        self._ready = False
        self._free = 0
        self._calls = 0
        self._due_call = 0
        self._mark: Elapsed | None = None
        self._passed = NOTHING
        self._recent: list[float] = []
        self._search = 0
        self._searched = False

    # ---- what the callback asks -----------------------------------------------------------

    @property
    def sites(self) -> list[Site]:
        """Optimizer calls that are recorded."""
        return self._measuring.sites

    @property
    def batch_size(self) -> int | None:
        """Examples in the batch of the latest recorded step; None before one."""
        return self._measuring.batch_size

    @property
    def last_step(self) -> int:
        """The last step that was made; one less than the first before any was."""
        return self._measuring.next_step - 1

    @property
    def idle(self) -> bool:
        """Whether nothing was recorded although steps were made."""
        return self._calls > 0 and not self._measuring.logs

    @property
    def measured_share(self) -> float:
        """Fraction of the training's time that records cost at present; 0 before it is known."""
        return self._cadence.measured_overhead or 0.0

    def took(self, took: Elapsed) -> None:
        """Something of ours between the steps took so long."""
        self._cadence.saw_look(took)

    # ---- calls of fit ---------------------------------------------------------------------

    def begin(self, model: Any) -> None:
        """A call of `fit` begins."""
        self._disarm()
        self.model, self._plain, self._history = model, None, vars(model).get("history")
        self._pending, self._mark, self._free = [], None, 0
        if self._measuring.begin(model):
            self._due_call = self._calls
        self._ready = True

    def expect(self, batches: int) -> None:
        """The training will see `batches` more batches."""
        updates = introspection.batches_per_update(self.model.optimizer)
        self._cadence.expect(self.last_step + 1, batches // updates)

    def expect_more(self) -> None:
        """One more call of `fit`; nobody knows how many are to come."""
        self._cadence.expect_more(self.last_step + 1)

    def begin_epoch(self) -> None:
        """An epoch begins: running means begin anew, and what lies between two is no step."""
        self._read_losses()
        self._measuring.begin_epoch()
        # The first call of the epoch is looked at, and the time of steps counts from there.
        self._mark, self._free = None, 0

    def end_steps(self) -> None:
        """The steps of an epoch are over, and something else begins, such as a validation: their
        time ends here, and the metrics still hold their counts."""
        self._read_losses(last=True)
        self._mark = None

    def end(self) -> None:
        """The call of `fit` is over. Never raises."""
        if not self._ready:
            return
        self._ready = False
        self._disarm()
        self._guard(self._read_losses)
        self._guard(self._measuring.end)
        self._plain = None

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
        if vars(self.model).get("history") is not self._history:  # a later call of fit, not ours
            self.end()
            return plain(iterator)
        if self._free:  # as a rule: nothing of ours but this
            self._free -= 1
            return self._pass(plain, iterator)
        self._guard(self._read_losses)
        due = self._guard(self._is_due)
        logs = (self._recorded if due else self._pass)(plain, iterator)
        self._guard(self._grant)
        return logs

    def _pass(self, plain: Function, iterator: Any) -> Any:
        logs = plain(iterator)
        self._wait(logs)
        return logs

    def _wait(self, logs: Any) -> None:
        """Have the losses of a call read later."""
        self._pending.append(logs)
        self._passed = now()

    def _is_due(self) -> bool:
        return self._calls >= self._due_call or self._search > 0

    def _grant(self) -> None:
        """How many calls may be made without a look."""
        left = self._due_call - self._calls - len(self._pending)
        self._free = 0 if self._search else max(min(left, CALLS_BETWEEN_LOOKS), 0)
        if self._mark is None:
            self._mark = now()

    def _read_losses(self, last: bool = False) -> None:
        """Read what the calls since the last look returned, and count them.

        `last`: whether the steps of the epoch are over.
        """
        pending, self._pending = self._pending, []
        if not pending:
            return
        batches = int(self.model.steps_per_execution)
        began = now()
        values = [losses_in(logs) for logs in pending]  # a device computes until here
        if self._mark is not None:
            # Until the last call returned, and what the device took longer: neither a validation
            # nor other callbacks at the end of an epoch.
            took = self._passed - self._mark - (began - now())
            self._cadence.saw_steps(took, len(pending) * batches)
        counts = self._measuring.counts(len(pending), batches, last)
        for one, counted in zip(values, counts, strict=True):
            self._calls += 1
            self._note(one, batches, counted)
        self._mark = now()

    def _note(
        self, values: Mapping[str, float], batches: int,
        counted: Mapping[str, float] | None = None,
    ) -> None:
        """Follow the losses of a call on so many batches: the latest, unless it is said what the
        metrics had `counted` by then."""
        if counted is None:
            (counted,) = self._measuring.counts(1, batches)
        for losses in self._measuring.every_losses():
            losses.add(values, batches, counted)
        losses = self._measuring.losses
        if losses.nonfinite:
            if not self._searched:
                self._searched, self._search = True, SEARCHED_BATCHES
                self._due_call = min(self._due_call, self._calls)
                if self._last_finite is not None:
                    self._last_finite.write(max(self.last_step, 0))
            return
        loss = abs(losses.latest)
        if math.isfinite(loss):
            before = self._recent[-REMEMBERED:]
            if len(before) >= REMEMBERED // 2 and loss > JUMP * max(before):
                self._look_closer()
            self._recent = [*before, loss]

    def _look_closer(self) -> None:
        """Record sooner than planned, as far as the budget leaves room."""
        if self._cadence.hurry():
            self._due_call = min(self._due_call, self._calls)

    # ---- a call that is due ---------------------------------------------------------------

    def _recorded(self, plain: Function, iterator: Any) -> Any:
        """Keras' function on the next block of batches, one of which is recorded."""
        began = now()
        copies = self._guard(lambda: self._measuring.ready(self._beneath(plain), iterator))
        if copies is None:
            return self._pass(plain, iterator)
        if copies.data is None:
            return self._updated(copies, plain, iterator, began)
        data: HandBack = copies.data
        place = self._guard(self._place_in_block)
        if place is None:
            return self._pass(plain, iterator)
        block, failure = self._pulled(data, iterator)
        if not block:
            if failure is not None:
                self._fail_as_usual(plain, iterator)
                raise failure
            return self._pass(plain, iterator)  # Keras' function finds the end for itself
        before = None
        if place < len(block) and self._ours(lambda: self._wanted(block[place])):
            if place:
                self._hand(plain, block[:place], iterator, data)
            before = self._ours(lambda: self._measuring.before(copies))
            with self._noting(before):
                logs = own = self._hand(plain, [block[place]], iterator, data)
            rest = block[place + 1 :]
            if before is not None:
                batch, made = block[place], place + 1
                self._ours(lambda: self._record(copies, batch, before, own, made, began))
            if rest:
                logs = self._hand(plain, rest, iterator, data)
        else:
            logs, rest = self._hand(plain, block, iterator, data), []
        if before is None:
            self._wait(logs)
        elif rest:
            self._guard(lambda: self._note(losses_in(logs), len(rest)))
        if failure is not None:
            self._fail_as_usual(plain, iterator)
            raise failure
        return logs

    @staticmethod
    def _beneath(function: Any) -> Any:
        """Keras' own function, beneath those of other callbacks like ours."""
        while isinstance(getattr(function, "__self__", None), Beside):
            function = function.__self__._plain
        return function

    def _pulled(self, data: HandBack, iterator: Any) -> tuple[list[Batch], BaseException | None]:
        """The next block of batches, and what the data raised behind them.

        Nothing of ours comes between: a batch that was pulled is in the block.
        """
        block: list[Batch] = []
        try:
            for _ in range(int(self.model.steps_per_execution)):
                block.append(data.pull(iterator))
        except tf.errors.OutOfRangeError:
            pass
        except tf.errors.OpError as error:
            return block, error
        except Exception as error:
            self._guard.disable(f"{type(error).__name__}: {error}")
        return block, None

    def _fail_as_usual(self, plain: Function, iterator: Any) -> None:
        """Let Keras' function meet data that raise an error, as it would have without us.

        It counts the step before it finds out that there is no batch.
        """
        failing = self._guard(lambda: compat.failing_iterator(iterator))
        if failing is not None and self._guard(lambda: compat.same_type(failing, iterator)):
            with suppress(Exception):
                plain(failing)

    def _hand(
        self, plain: Function, batches: Sequence[Batch], iterator: Any, data: HandBack
    ) -> Any:
        """Keras' function on batches that were pulled: they reach it whatever fails of ours."""
        try:
            handed = data.give(batches, iterator)
        except Exception as error:
            self._guard.disable(f"{type(error).__name__}: {error}")
            data.discard()
            try:
                handed = compat.iterator_over(batches, iterator)
            except Exception:
                handed = [data.element(batch) for batch in batches]
        try:
            return plain(handed)
        except BaseException:
            data.discard()
            raise

    @staticmethod
    def _noting(before: Before | None) -> AbstractContextManager[Any]:
        """While a step makes variables, their first values are noted."""
        if before is None or before.known is None:
            return nullcontext()
        scope: AbstractContextManager[Any] = tf.variable_creator_scope(before.note)
        return scope

    def _place_in_block(self) -> int:
        """Which batch of the next block to record: of an accumulated update, its last."""
        optimizer = self.model.optimizer
        updates = introspection.batches_per_update(optimizer)
        if updates == 1:
            return 0
        seen = introspection.applied(optimizer) or 0
        return (updates - 1 - seen % updates) % updates

    def _wanted(self, batch: Batch) -> bool:
        """Whether the step is recorded. While a bad batch is searched for, most are not."""
        if self._calls >= self._due_call:
            return True
        self._search -= 1
        floats = [tensor for tensor in batch if tensor.dtype.is_floating]
        if all(bool(tf.reduce_all(tf.math.is_finite(tensor))) for tensor in floats):
            return False
        self._search = 0
        if self._last_finite is not None:
            self._last_finite.write_batch(batch, self.last_step + 1)
        return True

    def _updated(self, copies: Copies, plain: Function, iterator: Any, began: Elapsed) -> Any:
        """A call of which only the update is recorded."""
        self._search = 0
        if self._calls < self._due_call:
            return self._pass(plain, iterator)
        before = self._ours(lambda: self._measuring.before(copies))
        logs = plain(iterator)
        if before is None:
            self._wait(logs)
        else:
            self._ours(lambda: self._record(copies, None, before, logs, 1, began))
        return logs

    def _ours(self, action: Callable[[], Any]) -> Any:
        """`action()` under the guard, unseen by callbacks on operations: a NaN of ours is none of
        the training's."""

        def unseen() -> Any:
            with compat.without_op_callbacks():
                return action()

        return self._guard(unseen)

    def _record(
        self, copies: Copies, batch: Batch | None, before: Before, logs: Any, batches: int,
        began: Elapsed,
    ) -> None:
        """Record the step that Keras' function has made, and plan the next record."""
        self._calls += 1
        found = self._measuring.record(
            copies, batch, before, lambda: self._note(losses_in(logs), batches)
        )
        took = now() - began - found.setup
        if found.setup != NOTHING:
            self._cadence.saw_setup(found.setup)
        elif found.wrote and self._mark is not None:
            self._cadence.saw_record(took, batches)
        self._due_call = self._calls + (self._calls_to_pass(found.advance) if found.wrote else 0)
        if found.grew:
            self._look_closer()
        live = self._writer.live
        if live is not None:
            live.look()
            self._cadence.saw_look(Elapsed.busy(live.owed()))
        self._mark = now()

    def _calls_to_pass(self, advance: int) -> int:
        """Calls between this record and the next; each batch makes `advance` updates."""
        log = self._measuring.logs[0]
        coming = max(self._cadence.next_step(log.last_step), log.last_step + 1)
        updates = introspection.batches_per_update(log.site.optimizer)
        batches = (coming - log.last_step - 1) * updates // advance
        return int(batches // int(self.model.steps_per_execution))
