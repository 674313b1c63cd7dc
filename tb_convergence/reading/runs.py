"""Which of TensorBoard's runs belong together as one training.

Keras writes `<base>/train` and `<base>/validation`, TensorFlow's estimators `<base>` and
`<base>/eval`: two runs for TensorBoard, one training for a person. They are folded into one run
named `<base>` ("." at the root of the log directory). Names only; no data is read here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

TRAINING: Final = ("train", "training")
VALIDATION: Final = ("validation", "val", "valid", "eval", "test")
"""Last parts of run names, first choice first. The second run of a role stays by itself."""

ROOT: Final = "."
"""TensorBoard's name of the run whose event files lie in the log directory itself."""


@dataclass(frozen=True, slots=True)
class FoldedRun:
    """One training, and TensorBoard's runs that tell of it.

    Attributes:
        name: what a person sees.
        training: runs with training data: the base run, then its training run; any may be missing.
        validation: runs with validation data.
    """

    name: str
    training: tuple[str, ...]
    validation: tuple[str, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:
        """All runs of TensorBoard that it is made of."""
        return self.training + self.validation


def split(run: str) -> tuple[str, str]:
    """Base and last part of a run's name; the base of a run without "/" is the root.

    >>> split("logs/a/train"), split("train")
    (('logs/a', 'train'), ('.', 'train'))
    """
    base, _, last = run.replace("\\", "/").rpartition("/")
    return base or ROOT, last


def fold_runs(runs: Iterable[str]) -> tuple[FoldedRun, ...]:
    """Runs as a person has them, sorted by name.

    A training run is always folded into its base, a validation run only where the base or its
    training run exists: alone it is the only data there is, and keeps its name.

    >>> [(run.name, run.members) for run in fold_runs(["a/validation", "a/train", "b", "val"])]
    [('a', ('a/train', 'a/validation')), ('b', ('b',)), ('val', ('val',))]
    """
    names = sorted(set(runs))
    known = {name.replace("\\", "/") for name in names}
    training: dict[str, list[str]] = {}
    validation: dict[str, list[str]] = {}
    rest: list[str] = []
    for name in names:
        base, _ = split(name)
        if _chosen(name, TRAINING, known):
            training.setdefault(base, []).append(name)
        elif _chosen(name, VALIDATION, known):
            rest.append(name)
        else:
            training.setdefault(name, []).insert(0, name)
    for name in rest:
        base, _ = split(name)
        if base in training:
            validation.setdefault(base, []).append(name)
        else:
            training.setdefault(name, []).insert(0, name)
    return tuple(
        FoldedRun(name, tuple(training[name]), tuple(validation.get(name, ())))
        for name in sorted(training)
    )


def fold_run(run: str, runs: Iterable[str]) -> FoldedRun | None:
    """What `fold_runs` makes of `runs` by the name of `run`; None where it makes nothing of it.

    Looks only at names that can matter, which are few among thousands: those of possible members,
    and of those of the runs above, into which `run` may be folded itself.

    >>> fold_run("a", ["a/validation", "a/train", "b"])
    FoldedRun(name='a', training=('a/train',), validation=('a/validation',))
    >>> fold_run("a/train", ["a/validation", "a/train", "b"])
    """
    matter = set(possible_members(run))
    above = run
    while above != ROOT:
        above, _ = split(above)
        matter |= possible_members(above)
    few = [name for name in runs if name in matter]
    return next((one for one in fold_runs(few) if one.name == run), None)


def possible_members(run: str) -> frozenset[str]:
    """Every name that a member of the folded run `run` may have, whatever runs there are.

    >>> sorted(possible_members("a") & {"a", "a/train", "a/val", "b", "train"})
    ['a', 'a/train', 'a/val']
    """
    roles = TRAINING + VALIDATION
    # Folded names have "/" for every separator of their base; TensorBoard's need not.
    bases = ((run, "/"), (run.replace("/", "\\"), "\\"))
    below = {f"{base}{separator}{role}" for role in roles for base, separator in bases}
    return frozenset({run, *below, *(roles if run == ROOT else ())})


def _chosen(name: str, role: tuple[str, ...], known: set[str]) -> bool:
    """Whether `name` is the first choice of `role` among its siblings."""
    _, last = split(name)
    folder = name.replace("\\", "/").removesuffix(last)
    return last == next((choice for choice in role if folder + choice in known), None)
