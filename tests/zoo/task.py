"""One training to do: which program, which twin, which seed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """`str(task)` is its name in files and on the command line; `parse` reads it back.

    >>> str(Task("dead-dense", sick=True, seed=2))
    'dead-dense:sick:2'
    >>> Task.parse("published/case:healthy:0").published
    True
    """

    name: str
    sick: bool
    seed: int

    @property
    def published(self) -> bool:
        """Whether it is one of the published cases rather than of the zoo's own."""
        return self.name.startswith("published/")

    @property
    def twin(self) -> str:
        """ "sick" or "healthy"."""
        return "sick" if self.sick else "healthy"

    def __str__(self) -> str:
        return f"{self.name}:{self.twin}:{self.seed}"

    @classmethod
    def parse(cls, text: str) -> Task:
        """The task that `str` wrote."""
        name, twin, seed = text.rsplit(":", 2)
        if twin not in ("sick", "healthy"):
            raise ValueError(f"no task: {text!r}")
        return cls(name, twin == "sick", int(seed))
