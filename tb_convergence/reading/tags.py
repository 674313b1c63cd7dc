"""Which histograms are gradients and which variables, by the names people give them; no guesses.

Pure functions of names; the tables say who writes what. A tag that could be either is reported as
ambiguous, together with the pattern by which a person can say what it is (see `patterns`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tb_convergence.core.gaps import TagFamily, WhyUnclear
from tb_convergence.core.schema import Row
from tb_convergence.reading import scalar_words as words
from tb_convergence.reading.families import Unclear, families
from tb_convergence.reading.patterns import Role, TagPattern

_MARKS: Final[Mapping[str, Role]] = {
    "grad": "gradient",
    "grads": "gradient",
    "gradient": "gradient",
    "gradients": "gradient",
    "param": "variable",
    "params": "variable",
    "parameter": "variable",
    "parameters": "variable",
    "value": "variable",
    "values": "variable",
    "var": "variable",
    "vars": "variable",
    "variable": "variable",
    "variables": "variable",
    "trainable_variables": "variable",
}
"""Parts of a tag between slashes that say what it is: `gradients/x`, `x/grad`, `variables/x`."""

_FIRST_MARKS: Final[Mapping[str, Role]] = {"weight": "variable", "weights": "variable"}
"""Marks only in front: behind, they are the variable's own name (`conv1/weights`)."""

_ENDING: Final = re.compile(
    r"(?<=.)(?:[._-](?P<gradient>grads?|gradients?)(?:\.data)?|\.data)$", re.IGNORECASE
)
"""Ends of the last part that say what it is: `layer1.weight.grad`, `fc1_grad`."""

KINDS: Final[Mapping[str, str]] = {
    "kernel": "kernel",
    "kernels": "kernel",
    "weight": "kernel",
    "weights": "kernel",
    "w": "kernel",
    "filters": "kernel",
    "depthwise_kernel": "kernel",
    "depthwise_weights": "kernel",
    "pointwise_kernel": "kernel",
    "pointwise_weights": "kernel",
    "in_proj_weight": "kernel",
    "weight_ih": "kernel",
    "weight_hh": "recurrent_kernel",
    "recurrent_kernel": "recurrent_kernel",
    "bias": "bias",
    "biases": "bias",
    "b": "bias",
    "in_proj_bias": "bias",
    "bias_ih": "bias",
    "bias_hh": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "embedding": "embedding",
    "embeddings": "embedding",
    "embedding_weights": "embedding",
}
"""Last part of a variable's name -> its kind."""

KERAS_ENDING: Final = "/histogram"
"""Keras' callback writes `<weight path>/histogram`, of weights only."""


@dataclass(frozen=True, slots=True)
class HistogramTags:
    """Which histogram tags belong to which variable.

    Attributes:
        rows: one per variable, in natural order of the names ("layer2" before "layer10").
        gradients, variables: index of the row -> tag.
        repeated: tag -> which tag, read in its place, means the same.
        unclear: tag -> why nobody can say what it is.
        families: those that are unclear, and those that `patterns` spoke of, by their form.
    """

    rows: tuple[Row, ...] = ()
    gradients: Mapping[int, str] = field(default_factory=dict)
    variables: Mapping[int, str] = field(default_factory=dict)
    repeated: Mapping[str, str] = field(default_factory=dict)
    unclear: Mapping[str, Unclear] = field(default_factory=dict)
    families: tuple[TagFamily, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reading:
    """How one tag can be read: its role (None if the name does not say), and the variable.

    `form` is the pattern of a name that is marked twice; None if marks are not at its ends.
    `operation`: the name is that of TensorFlow's gradient of an operation, not of a variable.
    """

    role: Role | None
    name: str
    marks: int = 0
    form: TagPattern | None = None
    operation: bool = False


class _Found:
    """Collects which tag is whose histogram."""

    def __init__(self) -> None:
        self.tags: dict[Role, dict[str, str]] = {"gradient": {}, "variable": {}}
        self.repeated: dict[str, str] = {}

    def claim(self, role: Role, name: str, tag: str) -> None:
        """`tag` is the histogram of `name`, unless another tag is already."""
        if name in self.tags[role]:
            self.repeated[tag] = self.tags[role][name]
        else:
            self.tags[role][name] = tag


def match_histograms(
    tags: Iterable[str], patterns: Sequence[TagPattern] = (), keras: bool = False
) -> HistogramTags:
    """Pair gradients with variables by `patterns`, else by those that frameworks and people use.

    `keras` says that Keras' own callback wrote the run: until TensorFlow 2.5 it wrote weights, and
    nothing else, as `dense/kernel_0`.

    `gradients/{v}` and `variables/{v}` (the classic recipe), `{v}/gradients`, `{v}_grad`,
    `grads/{v}`, `{v}.grad`, `{v}/grad`, `{v}/histogram` (Keras: a weight). A bare `{v}` is a
    variable if a gradient of that name exists; if not, it could be either, and is reported.

    >>> found = match_histograms(["gradients/dense/kernel_0", "variables/dense/kernel_0"])
    >>> found.rows[0].name, found.gradients, found.variables
    ('dense/kernel', {0: 'gradients/dense/kernel_0'}, {0: 'variables/dense/kernel_0'})
    """
    given = sorted(set(tags))
    told = {tag: pattern for tag in given for pattern in _first(patterns, tag, False)}
    readings = {
        tag: _told(told[tag], tag) if tag in told else _read(tag) for tag in given
    }
    plain = {tag: r for tag, r in readings.items() if r is not None and r.marks < 2}
    short = _short_names(plain.values())
    found = _Found()
    for tag, one in plain.items():
        if one.role is not None:
            found.claim(one.role, short[one.name], tag)
    unclear: dict[str, Unclear] = {}
    paired = frozenset(found.tags["gradient"])
    for tag, reading in readings.items():
        if reading is None or (reading.role is not None and reading.marks < 2):
            continue
        bare = reading.marks == 0
        name = short[reading.name] if bare else tag
        known = bare and kind_of(name) != "other"
        if bare and (name in paired or (keras and known and _OUTPUT.search(tag))):
            found.claim("variable", name, tag)
            continue
        pattern = next(_first(patterns, tag, True, known), None)
        if pattern is None and bare and not known and _is_observed(name):
            continue
        if pattern is None:
            marked: WhyUnclear = "operation" if reading.operation else "both"
            why: WhyUnclear = "either" if known else "unknown" if bare else marked
            unclear[tag] = Unclear(why, reading.form)
            continue
        told[tag] = pattern
        if pattern.role != "neither":
            found.claim(pattern.role, name, tag)
    names = sorted(set().union(*found.tags.values()), key=natural_order)
    index = {name: place for place, name in enumerate(names)}
    return HistogramTags(
        tuple(Row(name, layer_of(name), kind_of(name)) for name in names),
        {index[name]: tag for name, tag in found.tags["gradient"].items()},
        {index[name]: tag for name, tag in found.tags["variable"].items()},
        found.repeated, unclear, families(given, patterns, told, unclear),
    )


def _is_observed(name: str) -> bool:
    """Whether `name`, which is no variable's, speaks of data or results rather than weights."""
    return bool(words.OBSERVED & set(re.findall(r"[a-z]+", name.lower())))


def _first(
    patterns: Sequence[TagPattern], tag: str, still_open: bool, known: bool = True
) -> Iterator[TagPattern]:
    """The pattern that decides about `tag`, if any: of those that decide what is `still_open`.

    `known` says whether its name is that of a variable; `{v}` alone speaks of no others.
    """
    for pattern in patterns:
        asked = pattern.decides_open == still_open and (known or pattern.name)
        if asked and pattern.name_in(tag):
            yield pattern
            return


def _told(pattern: TagPattern, tag: str) -> _Reading | None:
    """None where a person said that `tag` is neither."""
    return None if pattern.role == "neither" else _Reading(pattern.role, pattern.name_in(tag), 1)


def _read(tag: str) -> _Reading:
    keras = tag.endswith(KERAS_ENDING)
    parts = (tag[: -len(KERAS_ENDING)] if keras else tag).split("/")
    marks: list[Role] = []
    rest: list[str] = []
    places: list[int] = []
    for place, part in enumerate(parts):
        word = part.lower()
        mark = _MARKS.get(word) or (_FIRST_MARKS.get(word) if place == 0 else None)
        if mark is not None and len(parts) > 1:
            marks.append(mark)
        else:
            rest.append(part)
            places.append(place)
    name = "/".join(rest)
    form = _form(parts, places, KERAS_ENDING if keras else "") if len(marks) > 1 else None
    if rest and not marks:
        ending = _ENDING.search(rest[-1])
        if ending is not None:
            marks.append("gradient" if ending["gradient"] else "variable")
            name = "/".join([*rest[:-1], rest[-1][: ending.start()]])
    elif marks and any(part.lower().endswith("_grad") for part in rest):
        # TensorFlow's own names: gradients/dense/MatMul_grad/tuple/control_dependency_1_0
        return _Reading("gradient", name, 2, operation=True)
    if not name:
        return _Reading(None, tag)
    if not marks:
        return _Reading("variable" if keras else None, name)
    return _Reading(marks[0], name, len(marks), form)


def _form(parts: Sequence[str], places: Sequence[int], ending: str) -> TagPattern | None:
    """The pattern of a tag whose name stands at `places` of its `parts`; None if in several pieces.
    """
    if not places or places[-1] - places[0] >= len(places):
        return None
    before, after = parts[: places[0]], parts[places[-1] + 1 :]
    return TagPattern(
        "neither", "".join(f"{part}/" for part in before),
        "".join(f"/{part}" for part in after) + ending,
    )


_OUTPUT: Final = re.compile(r"[:_]0$")
"""TensorFlow 1 names the first output of an operation `x:0`; a tag writes the colon as "_"."""


def _short_names(readings: Iterable[_Reading]) -> dict[str, str]:
    """Names without TensorFlow 1's `_0`, where that does not make two variables one."""
    names = {(reading.role, reading.name) for reading in readings}
    times = Counter((role, _OUTPUT.sub("", name)) for role, name in names)
    taken = {short for (_, short), count in times.items() if count > 1}
    shortened = {name: _OUTPUT.sub("", name) for _, name in names}
    return {name: name if short in taken else short for name, short in shortened.items()}


def _last_part(name: str) -> tuple[str, str]:
    """Name before the last part and that part; parts end at "/" or, without one, at "."."""
    separator = "/" if "/" in name else "."
    before, _, last = name.rpartition(separator)
    return before, last


def layer_of(variable: str) -> str:
    """The layer of a variable: its name without the last part.

    PyTorch names the layers of a `Sequential` by their number, which is no name in a sentence.

    >>> layer_of("block1/dense/kernel"), layer_of("encoder.0.weight"), layer_of("w")
    ('block1/dense', 'encoder.0', 'w')
    >>> layer_of("4.weight")
    'layer 4'
    """
    before, last = _last_part(variable)
    return f"layer {before}" if before.isdecimal() else before or last


def kind_of(variable: str) -> str:
    """Kind of a variable, from the last part of its name; "other" if it is unknown.

    >>> kind_of("dense/kernel"), kind_of("encoder.0.bias"), kind_of("rnn.weight_hh_l0")
    ('kernel', 'bias', 'recurrent_kernel')
    """
    _, last = _last_part(variable)
    # A name made unique (kernel_1), a layer's number (weight_hh_l0), TensorFlow's output (_0).
    plain = re.sub(r"(_l\d{1,4}(_reverse)?|[_:]?\d{1,4})$", "", last.lower())
    return KINDS.get(plain, "other")


def natural_order(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Sort key that puts numbers in the order of their values.

    >>> sorted(["dense10", "dense2", "dense"], key=natural_order)
    ['dense', 'dense2', 'dense10']
    """
    parts = tuple(
        (0, int(part), "") if part.isdecimal() and len(part) < 20 else (1, 0, part)
        for part in re.findall(r"\d+|\D+", name)
    )
    # "a1" and "a01" are different names all the same.
    return parts, name
