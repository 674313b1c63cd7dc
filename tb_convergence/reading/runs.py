"""Which of TensorBoard's runs belong together as one training.

Keras writes `<base>/train` and `<base>/validation`, TensorFlow's estimators `<base>` and
`<base>/eval`, PyTorch's `add_scalars` a folder for each line, such as `<base>/loss_train` and
`<base>/loss_val`: several runs for TensorBoard, one training for a person. They are folded into one
run named `<base>` ("." at the root of the log directory). Names only; no data is read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from tb_convergence.reading.scalar_roles import scalar_role

TRAINING: Final = ("train", "training")
VALIDATION: Final = ("validation", "val", "valid", "eval", "test", "dev")
"""Last parts of run names, first choice first. The second run of a role stays by itself."""

ROOT: Final = "."
"""TensorBoard's name of the run whose event files lie in the log directory itself."""

_NUMBERED: Final = re.compile(r"eval(?:_[^/\\]+)?|(?:validation|val|valid|eval|test|dev)_?\d{1,3}")
"""Evaluations of an estimator that were given a name, and of Object Detection (`eval_0`)."""

_EXPERIMENT: Final = re.compile(r"(?:test|dev)_?\d{1,3}")
"""What people call their experiments, too: "test1", "test2"."""

_LAST: Final = {
    f"{mark}{word}": word for word in (*TRAINING, *VALIDATION) for mark in ("_", "-", " ")
}
_FIRST: Final = {
    f"{word}{mark}": word for word in (*TRAINING, *VALIDATION) for mark in ("_", "-", " ")
}
"""How folders of `add_scalars`, or of a writer for each split, end or begin: `loss_train`."""
_ENDS, _BEGINS = tuple(_LAST), tuple(_FIRST)

_OF_BOTH: Final = frozenset({"loss", "metric", "generator_loss", "discriminator_loss"})
"""Scalars that have a training and a validation line."""

Split = Literal["train", "validation"]


@dataclass(frozen=True, slots=True)
class FoldedRun:
    """One training, and TensorBoard's runs that belong to it.

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


@dataclass(frozen=True, slots=True)
class _Part:
    """What a run's own folder name says: its split, how good a choice it is, and of what."""

    base: str
    split: Split
    rank: int
    stem: str = ""


@lru_cache(maxsize=20_000)
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
    >>> [(run.name, run.members) for run in fold_runs(["a/loss_train", "a/loss_val"])]
    [('a', ('a/loss_train', 'a/loss_val'))]
    """
    return tuple(_folded(tuple(sorted(set(runs)))).values())


def fold_run(run: str, runs: Iterable[str]) -> FoldedRun | None:
    """What `fold_runs` makes of `runs` by the name of `run`; None if it makes nothing of it.

    >>> fold_run("a", ["a/validation", "a/train", "b"])
    FoldedRun(name='a', training=('a/train',), validation=('a/validation',))
    >>> fold_run("a/train", ["a/validation", "a/train", "b"])
    """
    return _folded(tuple(sorted(set(runs)))).get(run)


@lru_cache(maxsize=4)
def _folded(names: tuple[str, ...]) -> Mapping[str, FoldedRun]:
    """By name. Remembered: each request asks again, and thousands of names take a while."""
    parts = _parts(names)
    training: dict[str, list[str]] = {}
    validation: dict[str, list[str]] = {}
    waiting: list[tuple[str, str]] = []
    for name in names:
        part = parts.get(name)
        if part is None:
            training.setdefault(name, []).insert(0, name)
        elif part.split == "train":
            training.setdefault(part.base, []).append(name)
        else:
            waiting.append((name, part.base))
    for name, base in waiting:
        if base in training:
            validation.setdefault(base, []).append(name)
        else:
            training.setdefault(name, []).insert(0, name)
    return {
        name: FoldedRun(name, tuple(training[name]), tuple(validation.get(name, ())))
        for name in sorted(training)
    }


def _parts(names: tuple[str, ...]) -> dict[str, _Part]:
    """Those of `names` that are part of another run: the first choice of each split and stem."""
    groups: dict[tuple[str, str], list[tuple[_Part, str]]] = {}
    for name in names:
        part = _part(name)
        if part is not None:
            groups.setdefault((part.base, part.stem), []).append((part, name))
    found = {}
    known = set(names)
    for (base, stem), named_alike in groups.items():
        trained = any(part.split == "train" for part, _ in named_alike)
        members = [one for one in named_alike if trained or not _is_experiment(one[1])]
        splits = {part.split for part, _ in members}
        named = stem and not _is_scalar(stem, base == ROOT)
        joined = _below(base, stem)
        both = splits == {"train", "validation"}
        if stem and not both and (named or base not in known):
            continue  # "exp1_val" is a run's name like another, without "exp1_train" beside it
        if named and joined in known:
            continue
        for of in splits:
            part, name = min((one for one in members if one[0].split == of), key=_choice)
            found[name] = _Part(joined, of, part.rank, stem) if named else part
    return found


def _is_experiment(name: str) -> bool:
    return _EXPERIMENT.fullmatch(split(name)[1].lower()) is not None


def _choice(one: tuple[_Part, str]) -> tuple[int, str]:
    return one[0].rank, one[1]


def _below(base: str, stem: str) -> str:
    return stem if base == ROOT else f"{base}/{stem}"


def _part(name: str) -> _Part | None:
    base, last = split(name)
    low = last.lower()
    for of, words in (("train", TRAINING), ("validation", VALIDATION)):
        if low in words:
            return _Part(base, of, words.index(low))  # type: ignore[arg-type]
    if low.startswith(VALIDATION) and _NUMBERED.fullmatch(low):
        return _Part(base, "validation", len(VALIDATION))
    if low.endswith(_ENDS):
        mark, word = next((mark, word) for mark, word in _LAST.items() if low.endswith(mark))
        stem = last[: -len(mark)]
    elif low.startswith(_BEGINS):
        mark, word = next((mark, word) for mark, word in _FIRST.items() if low.startswith(mark))
        stem = last[len(mark) :]
    else:
        return None
    if not stem:
        return None
    if word in TRAINING:
        return _Part(base, "train", TRAINING.index(word), stem)
    return _Part(base, "validation", VALIDATION.index(word), stem)


@lru_cache(maxsize=10_000)
def _is_scalar(stem: str, plain: bool) -> bool:
    """Whether a folder is called after a scalar, as `add_scalars` does it; with `plain`, after one
    whose name says no more: people call their experiments "resnet_loss", too.
    """
    role = scalar_role(stem)
    return role.role in _OF_BOTH and not role.split and not (plain and (role.part or role.scope))
