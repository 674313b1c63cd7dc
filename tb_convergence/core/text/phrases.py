"""Phrases that several sentences share: counts, lists, places, and what a loss did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tb_convergence.core.text.numbers import number, percent


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A count and its noun, in the plural where it needs one.

    >>> counted(1, "more layer"), counted(3, "more layer"), counted(1200, "class", "classes")
    ('1 more layer', '3 more layers', '1,200 classes')
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def capital(text: str) -> str:
    """The text with its first letter in upper case; unlike `str.capitalize`, the rest stays.

    >>> capital("with ReLU"), capital("")
    ('With ReLU', '')
    """
    return text[:1].upper() + text[1:]


def listed(names: Sequence[str], most: int = 3, noun: str = "layer") -> str:
    """Names as a list; those beyond `most` are counted, as that many more of a `noun`.

    A single one beyond is named as well: its name is no longer than "1 more layer".

    >>> listed(["a"]), listed(["a", "b", "c"]), listed(["a", "b", "c", "d"])
    ('a', 'a, b and c', 'a, b, c and d')
    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more layers'
    """
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {counted(len(names) - most, f'more {noun}')}"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


LONGEST_TITLE: Final = 44
"""Characters of a title that a run's line at the top of the tab has room for."""


def title_with_layers(title: str, layers: Sequence[str]) -> str:
    """A title with its layer, or with how many; without them where that would be too long.

    >>> title_with_layers("ReLU units are dead", ["dense_1"])
    'ReLU units are dead in dense_1'
    >>> title_with_layers("ReLU units are dead", ["a", "b"])
    'ReLU units are dead in 2 layers'
    >>> title_with_layers("ReLU units are dead", ["a_layer_with_a_very_long_name"])
    'ReLU units are dead'
    """
    if not layers:
        return title
    where = layers[0] if len(layers) == 1 else counted(len(layers), "layer")
    whole = f"{title} in {where}"
    return whole if len(whole) <= LONGEST_TITLE else title


def loss_change(fall: float, chance: float = 0.0) -> str:
    """The change of the loss, from the fraction of its start that it lost (negative if it grew).

    A rise by no more than `chance` does not count: the start is that of a few batches.

    >>> loss_change(0.3), loss_change(-0.0508), loss_change(-1e16), loss_change(0.0)
    ('fell by 30%', 'rose by 5.08%', 'rose by 1e16 times its start', 'did not change')
    >>> loss_change(-0.0508, 0.1), loss_change(0.0508, 0.1)
    ('did not fall', 'fell by 5.08%')
    """
    if fall == 0:
        return "did not change"
    if -chance <= fall < 0:
        return "did not fall"
    if fall < -10:
        return f"rose by {number(-fall)} times its start"
    return f"fell by {percent(fall)}" if fall > 0 else f"rose by {percent(-fall)}"
