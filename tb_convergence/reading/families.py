"""Groups ambiguous histogram tags by their form, to ask the user one question per group.

A user can answer a few questions, but not one for each of a hundred histograms. Each family has a
pattern (see `patterns`) that covers all its tags, and no tag whose role is known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tb_convergence.core.gaps import TagFamily, WhyUnclear
from tb_convergence.reading.patterns import TagPattern

MAX_FAMILIES: Final = 12
"""Of those that are asked about, the largest; nobody answers more questions."""

EXAMPLES: Final = 3

MAX_FORM: Final = 500
"""Characters of a pattern; what is named longer is not asked about."""

MAX_FORMS: Final = 60
"""Forms that are looked at; in names so different no question is worth asking."""

MAX_EXAMPLE: Final = 200

_ASKED: Final[Sequence[WhyUnclear]] = ("either", "both", "operation", "unknown")
"""In this order: those come last that may well be something else."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """The reason why a tag is not read, and the pattern of its form if it has one."""

    why: WhyUnclear
    form: TagPattern | None = None


def families(
    tags: Collection[str],
    patterns: Sequence[TagPattern],
    told: Mapping[str, TagPattern],
    unclear: Mapping[str, Unclear],
) -> tuple[TagFamily, ...]:
    """Families of tags: first those that `patterns` decided, then the ambiguous ones by size.

    `tags` are all there are. A pattern that decided nothing has a family without tags.
    """
    answered = [
        _family(pattern.text, "user", [tag for tag, by in told.items() if by is pattern], pattern)
        for pattern in dict.fromkeys(patterns)
    ]
    forms: dict[tuple[WhyUnclear, TagPattern], list[str]] = {}
    for tag, pattern in _forms(tags, unclear):
        forms.setdefault((unclear[tag].why, pattern), []).append(tag)
    asked = [_family(pattern.text, why, named) for (why, pattern), named in forms.items()]
    asked = [one for one in asked if len(one.pattern) <= MAX_FORM]
    asked.sort(key=lambda one: (_ASKED.index(one.why), -one.count, one.pattern))
    return (*answered, *asked[:MAX_FAMILIES])


def joined(some: Sequence[TagFamily], more: Sequence[TagFamily]) -> tuple[TagFamily, ...]:
    """Families of two of TensorBoard's runs that are one training."""
    found = {(one.pattern, one.why, one.role): one for one in some}
    for one in more:
        key = (one.pattern, one.why, one.role)
        if key in found:
            count = found[key].count + one.count
            examples = (*found[key].examples, *one.examples)[:EXAMPLES]
            found[key] = replace(one, count=count, examples=examples)
        else:
            found[key] = one
    return tuple(found.values())


def _family(
    form: str, why: WhyUnclear, tags: Sequence[str], pattern: TagPattern | None = None
) -> TagFamily:
    examples = tuple(
        tag if len(tag) <= MAX_EXAMPLE else tag[: MAX_EXAMPLE - 1] + "…" for tag in tags[:EXAMPLES]
    )
    return TagFamily(form, why, pattern.role if pattern else None, len(tags), examples)


def _forms(
    tags: Collection[str], unclear: Mapping[str, Unclear]
) -> Iterator[tuple[str, TagPattern]]:
    """Each unclear tag and its form; a tag is left out where every form says too much."""
    known = [tag for tag in tags if tag not in unclear]
    bare = [tag for tag, reason in unclear.items() if reason.why == "either"]
    deep = [tag for tag, one in unclear.items() if one.why == "unknown" and "/" in tag]
    by_head = len({_head(tag) for tag in deep}) <= len({_tail(tag) for tag in deep})
    fitting: dict[TagPattern, bool] = {}
    for tag, reason in unclear.items():
        for pattern in _candidates(tag, reason, by_head):
            if pattern not in fitting:
                if len(fitting) == MAX_FORMS:
                    return
                # With text around its braces a rule overrules names, so none that is known may fit.
                others = bare if pattern.decides_open else known
                fitting[pattern] = reason.why == "either" or not any(map(pattern.name_in, others))
            if fitting[pattern]:
                yield tag, pattern
                break


def _candidates(tag: str, reason: Unclear, by_head: bool) -> Iterator[TagPattern]:
    """Forms of a tag, best first. In a good one the name is what only this variable's tags have, so
    that dW/fc1 and W/fc1 are of one variable; else the name is the whole tag.
    """
    if reason.why == "either":
        yield _form()
    elif reason.form is not None:
        yield reason.form
    elif reason.why == "operation":
        at = tag.lower().index("_grad")
        yield _form(name=(_head(tag), tag[at : at + len("_grad")], ""))
    elif reason.why == "both":
        yield _form(name=(_head(tag), ""))
    elif "/" not in tag:
        yield _form(name=(re.split(r"[\d._-]", tag, maxsplit=1)[0], ""))
    else:
        head, tail = _head(tag), _tail(tag)
        around, within = [_form(head), _form("", tail)], [_form(name=(head, "")),
                                                          _form(name=("", tail))]
        yield from around if by_head else around[::-1]
        yield from within if by_head else within[::-1]


def _form(before: str = "", after: str = "", name: tuple[str, ...] = ()) -> TagPattern:
    return TagPattern("neither", before, after, name)


def _head(tag: str) -> str:
    return tag.partition("/")[0] + "/"


def _tail(tag: str) -> str:
    return "/" + tag.rpartition("/")[2]
