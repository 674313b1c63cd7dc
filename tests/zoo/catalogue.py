"""All programs of the zoo in one table. Importing this imports Keras."""

from __future__ import annotations

from dataclasses import replace

from zoo.families import apart, ends, inputs, layers, rates
from zoo.program import Program

FAMILIES = {
    "optimizer": rates.PROGRAMS,
    "data": inputs.PROGRAMS,
    "ends": ends.PROGRAMS,
    "layers": layers.PROGRAMS,
    "apart": apart.PROGRAMS,
}

PROGRAMS: dict[str, Program] = {
    program.name: replace(program, family=family)
    for family, programs in FAMILIES.items()
    for program in programs
}
