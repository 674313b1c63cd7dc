"""Reads and diagnoses runs in several processes; results keep the order of the runs.

A process that reads untrusted files may die from lack of memory, a signal, or a fault in a library.
The rest of its batch is then read again run by run, so only a run that kills its reader is lost.
Processes start with "spawn", because a fork would inherit the threads of the caller.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final, TypeVar

from tb_convergence import rule_plugins
from tb_convergence.core.diagnosis import RunDiagnosis
from tb_convergence.core.history import RunHistory
from tb_convergence.reading.batches import Batch
from tb_convergence.reading.examining import Plan, examined, unread
from tb_convergence.reading.heap import share_one_heap
from tb_convergence.reading.reasons import reason_of
from tb_convergence.reading.tensorboard.data_source import DataUnavailableError

T = TypeVar("T")
Work = Callable[[RunDiagnosis, RunHistory | None], T]

END_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Done:
    """A run is done; `result` is what the work made of it."""

    result: Any


@dataclass(frozen=True, slots=True)
class _Ended:
    """The batch is over: as planned, or for a reason."""

    reason: str | None = None
    unavailable: bool = False


@dataclass(slots=True, eq=False)
class _Reader:
    """A process, the batch it is at, and how many runs of that it has done."""

    process: BaseProcess
    connection: Connection
    batch: Batch | None = None
    done: int = 0

    def give(self, batch: Batch) -> None:
        """Let it read `batch`. That it has died will show where its answer is waited for."""
        self.batch, self.done = batch, 0
        try:
            self.connection.send(batch)
        except OSError:
            logger.debug("a reader died while it was idle")

    def end(self) -> str:
        """End it, and say how it ended."""
        self.connection.close()
        self.process.join(END_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        code = self.process.exitcode or 0
        if code >= 0:
            return f"the process that read it ended with status {code}"
        name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
        hint = ", perhaps for lack of memory" if name == "SIGKILL" else ""
        return f"the process that read it was killed by {name}{hint}"


def in_processes(
    plan: Plan, work: Work[T], jobs: int, progress: Callable[[int, int, str], None] | None
) -> Iterator[T]:
    """What `work` makes of each run of `plan`, with `jobs` processes; see `logdir.each_run`."""
    waiting = deque(plan.batches)
    results: dict[int, T] = {}
    given = 0
    with (
        tempfile.TemporaryDirectory(prefix="tb_convergence_", ignore_cleanup_errors=True) as room,
        _readers(plan, work, room, jobs) as readers,
    ):
        while given < plan.total:
            for reader in readers:
                if reader.batch is None and waiting:
                    reader.give(waiting.popleft())
            _tell(progress, given + len(results), plan, given)
            at_work = {one.connection: one for one in readers if one.batch is not None}
            for connection in wait(list(at_work)):
                reader = at_work[connection]  # type: ignore[index]
                if not _take(reader, work, results, waiting):
                    readers.remove(reader)
                    readers.append(_start(plan, work, room))
            while given in results:
                yield results.pop(given)
                given += 1
    if progress is not None:
        progress(plan.total, plan.total, "")


def _tell(
    progress: Callable[[int, int, str], None] | None, done: int, plan: Plan, next_one: int
) -> None:
    if progress is not None:
        progress(min(done, plan.total - 1), plan.total, plan.name(next_one))


def _take(
    reader: _Reader, work: Work[T], results: dict[int, T], waiting: deque[Batch]
) -> bool:
    """Take in one answer; whether the reader still lives.

    Raises:
        DataUnavailableError: the loader does not answer.
    """
    batch = reader.batch
    assert batch is not None
    alive = True
    try:
        answer = reader.connection.recv()
    except Exception:
        # Not only the end of the file: a process may die in the middle of an answer.
        alive, answer = False, _Ended(reader.end())
    if isinstance(answer, _Done):
        results[batch.first + reader.done] = answer.result
        reader.done += 1
        return True
    reader.batch = None
    if answer.unavailable:
        raise DataUnavailableError(answer.reason)
    rest = batch.singly(reader.done)
    if answer.reason is not None and len(batch.runs) == 1:
        results[batch.first] = work(unread(batch.runs[0].name, answer.reason), None)
    elif answer.reason is not None:
        logger.info("runs from %r on are read singly: %s", rest[0].runs[0].name, answer.reason)
        waiting.extendleft(reversed(rest))
    return alive


@contextmanager
def _readers(plan: Plan, work: Work[T], room: str, jobs: int) -> Iterator[list[_Reader]]:
    readers: list[_Reader] = []
    try:
        for _ in range(min(jobs, len(plan.batches))):
            readers.append(_start(plan, work, room))
        yield readers
    finally:
        for reader in readers:
            reader.process.kill()  # what it made lies in `room`
        for reader in readers:
            reader.end()


def _start(plan: Plan, work: Work[T], room: str) -> _Reader:
    """A process that takes batches, and leaves an interrupt to this one."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_serve, args=(theirs, replace(plan, batches=()), work, room), daemon=True,
        name="reader of runs",
    )
    with _interrupts_ignored():
        process.start()
    theirs.close()
    return _Reader(process, ours)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """What is started in here ignores Ctrl-C, from its first moment on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(connection: Connection, plan: Plan, work: Work[Any], room: str) -> None:
    """The process: batches in, results out, until the connection ends."""
    tempfile.tempdir = room  # the one who started this cleans up, however this ends
    share_one_heap()
    rule_plugins.load_installed()
    rule_plugins.load_files(plan.rule_files)
    with suppress(EOFError, ConnectionError):
        while True:
            batch = connection.recv()
            ended = _Ended()
            try:
                for diagnosis, history in examined(replace(plan, batches=(batch,)), _nothing):
                    connection.send(_Done(work(diagnosis, history)))
            except ConnectionError:
                raise
            except DataUnavailableError as error:
                ended = _Ended(str(error), unavailable=True)
            except Exception as error:
                ended = _Ended(reason_of(error))
            connection.send(ended)


def _nothing(*_: Any) -> None:
    """Nobody looks at the progress of one process."""
