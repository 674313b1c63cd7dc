"""The zoo's own programs and published ones, in one list of one form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo.published import Cases
from zoo.task import Task


@dataclass(frozen=True, slots=True)
class Listed:
    """A program of either kind. `good` is None where no score is asked of the healthy twin."""

    name: str
    family: str
    architecture: str
    expected: tuple[str, ...]
    also: tuple[str, ...]
    good: float | None
    margin: float
    why: str
    twins: tuple[bool, ...]


class Listing:
    """All programs by name.

    Args:
        cases: file of published cases, or None.
        data: folder of their arrays, or None.

    Attributes:
        programs: in the order of the table.
        skipped: published cases that cannot be run, with what is missing.
    """

    def __init__(self, cases: Path | None, data: Path | None) -> None:
        from zoo.catalogue import PROGRAMS  # noqa: PLC0415 - imports Keras

        self._own = PROGRAMS
        self.skipped: list[str] = []
        self.programs: dict[str, Listed] = {
            p.name: Listed(p.name, p.family, p.architecture, p.expected, p.also, p.good, p.margin,
                           p.why, (False,) if p.only_healthy else (True, False))
            for p in PROGRAMS.values()
        }
        self._cases = Cases(cases, data) if cases is not None and data is not None else None
        for name in self._cases.names() if self._cases else ():
            self._add(name)

    def _add(self, name: str) -> None:
        cases = self._cases
        assert cases is not None
        missing = cases.missing(name)
        if missing:
            self.skipped.append(f"{name}: {missing}")
            return
        sick = cases.is_sick(name)
        fixed = cases.has_fix(name) or not sick
        twins = tuple(twin for twin, there in ((True, sick), (False, fixed)) if there)
        self.programs[name] = Listed(name, "published", "published", cases.expected(name), (),
                                     None, 0.0, cases.why(name), twins)

    def content(self, task: Task) -> str:
        """What the training of `task` depends on."""
        if self._cases is not None and task.published:
            return self._cases.content(task.name)
        return self._own[task.name].content()
