"""Loss landscapes of one run, as `tb_convergence.landscape` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tb_convergence.core.gaps import Skipped
from tb_convergence.core.landscape import (
    MAX_BYTES,
    TAG_PREFIX,
    LandscapeRecordError,
    parse,
    tag_of,
)
from tb_convergence.core.schema import PLUGIN_NAME
from tb_convergence.reading.reasons import reason_of
from tb_convergence.reading.tensorboard.data_source import DataSource

MOST_LANDSCAPES: Final = 20
"""Of one run; the first by name are read."""


@dataclass(frozen=True, slots=True)
class RecordedLandscape:
    """One landscape.

    Attributes:
        step: of the weights it was computed at.
        wall_time: when it was written, seconds since the epoch.
        document: see docs/landscape.md.
    """

    step: int
    wall_time: float
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordedLandscapes:
    """The landscapes of one run, by name, and those that cannot be read."""

    landscapes: tuple[RecordedLandscape, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def read_landscapes(
    source: DataSource, runs: Sequence[str], name: str | None = None
) -> RecordedLandscapes:
    """The landscapes in TensorBoard's runs `runs`, which are one training, or the one of `name`.

    Of several records of one name the newest holds.

    Raises:
        DataUnavailableError: the loader does not answer.
    """
    found: dict[str, RecordedLandscape] = {}
    skipped: list[Skipped] = []
    for run in runs:
        listed = source.list_tensors(run, PLUGIN_NAME)
        tags = sorted(tag for tag in listed if tag.startswith(TAG_PREFIX))
        if name is not None:
            tags = [tag for tag in tags if tag == tag_of(name)]
        skipped += [
            Skipped(tag, None, f"a run's first {MOST_LANDSCAPES} landscapes are read")
            for tag in tags[MOST_LANDSCAPES:]
        ]
        sizes = dict.fromkeys(tags[:MOST_LANDSCAPES], MAX_BYTES)
        for tag, data in source.read_tensors(run, PLUGIN_NAME, sizes):
            if isinstance(data, Exception):
                skipped.append(Skipped(tag, None, reason_of(data)))
                continue
            one = _newest(tag, data, skipped)
            if one is not None:
                known = found.get(tag)
                if known is None or one.wall_time >= known.wall_time:
                    found[tag] = one
    return RecordedLandscapes(tuple(found[tag] for tag in sorted(found)), tuple(skipped))


def _newest(tag: str, data: list[Any], skipped: list[Skipped]) -> RecordedLandscape | None:
    """The newest record of a tag that can be read."""
    for datum in sorted(data, key=lambda datum: -float(datum.wall_time)):
        try:
            value = np.asarray(datum.numpy)
            text = value.item() if value.size == 1 else None
            if not isinstance(text, (bytes, str)):
                raise LandscapeRecordError("not one string")
            document = parse(text if isinstance(text, bytes) else text.encode())
            if tag_of(document["name"]) != tag:
                raise LandscapeRecordError("its name differs from its tag")
        except ValueError as error:
            skipped.append(Skipped(tag, int(datum.step), reason_of(error)))
        else:
            return RecordedLandscape(int(datum.step), float(datum.wall_time), document)
    return None
