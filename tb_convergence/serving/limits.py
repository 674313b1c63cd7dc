"""Every bound of the HTTP interface, in one table.

A request must cost a bounded amount of memory and time whatever a log directory or a client holds;
docs/http_api.md, section Limits, lists the same numbers and a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tb_convergence.reading.patterns import MAX_CHARACTERS, MAX_RULES

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one plugin instance; tests shrink them.

    Attributes:
        query_bytes: length of a query string.
        parameter_characters: length of one parameter's value, and of a run name that can be asked.
        quoted_characters: how much of a received value an error message repeats.
        tags_characters, tags_rules: length of `tags`, and how many rules it may hold.
        points_default, points_least, points_most: thinned points of a line.
        width_default, width_most: cells of a heat map's row.
        heatmap_cells: rows times cells of one heat map.
        numbers: array elements in one JSON reply; thinning keeps fewer points to hold it.
        lines: series or columns in one reply; groups: groups of layers of one run.
        group_characters: name of a group.
        reply_bytes: a JSON reply before compression.
        page_bytes: where a listing (`runs`, `layers`) ends a page; below `reply_bytes`.
        page_items: entries of one page of a listing.
        name_characters: name of a variable, layer or tag in a reply.
        runs_seconds: how long one `runs` request examines runs before it answers with the rest
            marked as pending.
        wait_seconds: how long a request waits for another one's computation of the same thing.
        failure_seconds: how long a run that could not be read is left alone before a new attempt.
        concurrent_runs: runs that are worked on at the same time, of those that are not in memory;
            who asks about others waits until one of these is done for all who ask about it.
        concurrent_reads: runs that are read from TensorBoard at the same time.
        concurrent_replays: runs that are looked at as they grew at the same time; the others wait
            their turn, and those that are done are answered.
        history_bytes, reply_cache_bytes: memory of the two caches.
        diagnoses: runs whose findings are remembered.
        differences: statistics that differ between two runs, of one `compare` reply.
    """

    query_bytes: int = 16_384
    parameter_characters: int = 8_192
    quoted_characters: int = 80
    tags_characters: int = MAX_CHARACTERS
    tags_rules: int = MAX_RULES
    points_default: int = 1_000
    points_least: int = 10
    points_most: int = 2_000
    width_default: int = 600
    width_most: int = 2_000
    heatmap_cells: int = 200_000
    numbers: int = 60_000
    lines: int = 100
    groups: int = 20
    group_characters: int = 200
    reply_bytes: int = 1_000_000
    page_bytes: int = 700_000
    page_items: int = 5_000
    name_characters: int = 500
    runs_seconds: float = 0.7
    wait_seconds: float = 60.0
    failure_seconds: float = 10.0
    concurrent_runs: int = 3
    concurrent_reads: int = 2
    concurrent_replays: int = 2
    history_bytes: int = 512 * MIB
    reply_cache_bytes: int = 64 * MIB
    diagnoses: int = 10_000
    differences: int = 200


LIMITS: Final = Limits()


def quoted(value: object, limits: Limits = LIMITS) -> str:
    """`repr(value)` for an error message, cut short.

    >>> quoted("x" * 1000) == "'" + "x" * 78 + "…"
    True
    """
    # A huge text is cut before repr() multiplies it.
    text = repr(value[: limits.quoted_characters * 2] if isinstance(value, str) else value)
    if len(text) <= limits.quoted_characters:
        return text
    return text[: limits.quoted_characters - 1] + "…"


def shortened(text: str, most: int = LIMITS.name_characters) -> str:
    """`text`; the middle is left out if it is longer than `most` characters.

    Names of layers differ at both ends, so the middle is what a reader misses least.

    >>> shortened("block_1/attention/kernel", 11)
    'block…ernel'
    """
    if len(text) <= most:
        return text
    head = most // 2
    tail = most - head - 1
    return f"{text[:head]}…{text[len(text) - tail:]}"
