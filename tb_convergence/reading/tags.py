"""Which histograms are gradients and which variables, by the names people give them; no guesses.

Pure functions of names; the tables say who writes what. A tag that could be either is reported as
ambiguous.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from tb_convergence.core.schema import Row

Role = Literal["gradient", "variable"]

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

PLACE: Final = "{v}"
"""Where a pattern of one's own has the variable's name."""


@dataclass(frozen=True, slots=True)
class TagPattern:
    """A way of naming histograms that the tables do not know: `<before>{v}<after>`."""

    role: Role
    before: str
    after: str

    @classmethod
    def parse(cls, pattern: str, role: Role) -> TagPattern:
        """The pattern in `pattern`, such as "model/{v}:dw".

        Raises:
            ValueError: it does not hold "{v}" exactly once.
        """
        before, place, after = pattern.partition(PLACE)
        if not place or PLACE in after:
            raise ValueError(f"pattern {pattern!r}: expected {PLACE!r}, the variable's name, once")
        return cls(role, before, after)

    def name_in(self, tag: str) -> str:
        """The variable's name in `tag`; "" where the pattern does not fit."""
        fits = tag.startswith(self.before) and tag.endswith(self.after)
        return tag[len(self.before) : len(tag) - len(self.after)] if fits else ""


KERAS_ENDING: Final = "/histogram"
"""Keras' callback writes `<weight path>/histogram`, of weights only."""


@dataclass(frozen=True, slots=True)
class HistogramTags:
    """Which histogram tags belong to which variable.

    Attributes:
        rows: one per variable, in natural order of the names ("layer2" before "layer10").
        gradients, variables: index of the row -> tag.
        ambiguous: tag -> why it is not used.
    """

    rows: tuple[Row, ...] = ()
    gradients: Mapping[int, str] = field(default_factory=dict)
    variables: Mapping[int, str] = field(default_factory=dict)
    ambiguous: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Reading:
    """How one tag can be read: its role (None where the name does not say), and the variable."""

    role: Role | None
    name: str
    marks: int = 0


def match_histograms(
    tags: Iterable[str], patterns: Sequence[TagPattern] = ()
) -> HistogramTags:
    """Pair gradients with variables by `patterns`, else by those that frameworks and people use.

    `gradients/{v}` and `variables/{v}` (the classic recipe), `{v}/gradients`, `{v}_grad`,
    `grads/{v}`, `{v}.grad`, `{v}/grad`, `{v}/histogram` (Keras: a weight). A bare `{v}` is a
    variable if a gradient of that name exists; if not, it could be either, and is reported.

    >>> found = match_histograms(["gradients/dense/kernel_0", "variables/dense/kernel_0"])
    >>> found.rows[0].name, found.gradients, found.variables
    ('dense/kernel', {0: 'gradients/dense/kernel_0'}, {0: 'variables/dense/kernel_0'})
    """
    readings = {tag: _read_by(patterns, tag) or _read(tag) for tag in sorted(set(tags))}
    ambiguous = {
        tag: "the name marks it as a gradient or a variable twice"
        for tag, reading in readings.items()
        if reading.marks > 1
    }
    marked = {tag: r for tag, r in readings.items() if r.role and tag not in ambiguous}
    bare = {tag: r for tag, r in readings.items() if r.role is None and tag not in ambiguous}
    short = _short_names([*marked.values(), *bare.values()])
    found: dict[Role, dict[str, str]] = {"gradient": {}, "variable": {}}
    for tag, reading in marked.items():
        assert reading.role is not None
        _claim(found[reading.role], short[reading.name], tag, ambiguous)
    for tag, reading in bare.items():
        name = short[reading.name]
        if name in found["gradient"]:
            _claim(found["variable"], name, tag, ambiguous)
        elif kind_of(name) != "other":
            ambiguous[tag] = "the name does not say whether it is a variable or its gradient"
    names = sorted(found["gradient"].keys() | found["variable"].keys(), key=natural_order)
    index = {name: place for place, name in enumerate(names)}
    return HistogramTags(
        tuple(Row(name, layer_of(name), kind_of(name)) for name in names),
        {index[name]: tag for name, tag in found["gradient"].items()},
        {index[name]: tag for name, tag in found["variable"].items()},
        ambiguous,
    )


def _claim(found: dict[str, str], name: str, tag: str, ambiguous: dict[str, str]) -> None:
    """`tag` is the histogram of `name`, unless another tag is already."""
    if name in found:
        ambiguous[tag] = f"means the same as {found[name]!r}, which is read"
    else:
        found[name] = tag


def _read_by(patterns: Sequence[TagPattern], tag: str) -> _Reading | None:
    named = ((pattern.role, pattern.name_in(tag)) for pattern in patterns)
    return next((_Reading(role, name, 1) for role, name in named if name), None)


def _read(tag: str) -> _Reading:
    keras = tag.endswith(KERAS_ENDING)
    parts = (tag[: -len(KERAS_ENDING)] if keras else tag).split("/")
    marks: list[Role] = []
    rest: list[str] = []
    for place, part in enumerate(parts):
        word = part.lower()
        mark = _MARKS.get(word) or (_FIRST_MARKS.get(word) if place == 0 else None)
        if mark is not None and len(parts) > 1:
            marks.append(mark)
        else:
            rest.append(part)
    if rest and not marks:
        ending = _ENDING.search(rest[-1])
        if ending is not None:
            marks.append("gradient" if ending["gradient"] else "variable")
            rest[-1] = rest[-1][: ending.start()]
    elif marks and any(part.lower().endswith("_grad") for part in rest):
        # TensorFlow's own names of gradient operations: gradients/dense/MatMul_grad/...
        marks.append("gradient")
    name = "/".join(rest)
    if not name:
        return _Reading(None, tag)
    if not marks:
        return _Reading("variable" if keras else None, name)
    return _Reading(marks[0], name, len(marks))


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

    >>> layer_of("block1/dense/kernel"), layer_of("encoder.0.weight"), layer_of("w")
    ('block1/dense', 'encoder.0', 'w')
    """
    before, last = _last_part(variable)
    return before or last


def kind_of(variable: str) -> str:
    """Kind of a variable by the last part of its name; "other" where that says nothing.

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
