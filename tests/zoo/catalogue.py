"""All programs of the zoo in one table. Importing this imports Keras."""

from __future__ import annotations

from dataclasses import replace

from zoo.families import (
    apart,
    architectures_joint,
    architectures_sequences,
    architectures_tables,
    asked_images,
    asked_optimizers,
    asked_sequences,
    asked_tables,
    ends,
    forum_images,
    forum_sequences,
    forum_tables,
    inputs,
    layers,
    normalization,
    posted_images,
    posted_tables,
    rates,
    reported_images,
    reported_sequences,
    reported_tables,
    unusual_networks,
    unusual_tables,
)
from zoo.program import Program

FAMILIES = {
    "optimizer": rates.PROGRAMS,
    "data": inputs.PROGRAMS,
    "ends": ends.PROGRAMS,
    "layers": (*layers.PROGRAMS, *normalization.PROGRAMS),
    "apart": apart.PROGRAMS,
    "architectures": (
        *architectures_sequences.PROGRAMS, *architectures_joint.PROGRAMS,
        *architectures_tables.PROGRAMS,
    ),
    "reported": (
        *reported_images.PROGRAMS, *reported_sequences.PROGRAMS, *reported_tables.PROGRAMS
    ),
    "forum": (*forum_images.PROGRAMS, *forum_tables.PROGRAMS, *forum_sequences.PROGRAMS),
    "posted": (*posted_tables.PROGRAMS, *posted_images.PROGRAMS),
    "asked": (
        *asked_tables.PROGRAMS, *asked_optimizers.PROGRAMS, *asked_images.PROGRAMS,
        *asked_sequences.PROGRAMS,
    ),
    "unusual": (*unusual_tables.PROGRAMS, *unusual_networks.PROGRAMS),
}

PROGRAMS: dict[str, Program] = {
    program.name: replace(program, family=family)
    for family, programs in FAMILIES.items()
    for program in programs
}
