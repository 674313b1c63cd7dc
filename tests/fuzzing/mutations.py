"""A seed -> a damaged event file, the same one on every machine.

Damage happens at six levels, from bytes on a disk to documents a stranger wrote with care. What may
be shown of a file depends on the level, so each file carries its own.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from tests.fuzzing import forgeries
from tests.fuzzing.originals import KINDS, Original, event_of, frame, original

Level = Literal["bytes", "records", "fields", "tensors", "metadata", "schema"]

LEVELS: Final[tuple[Level, ...]] = (
    "bytes", "records", "fields", "tensors", "metadata", "schema",
)

TOLD: Final = (
    "gradients=weights/{v},variables=gradients/{v},gradients={v}/kernel/histogram",
    "gradients=dense/{v}/histogram,variables=dense_1/{v}/histogram,neither={*}",
    "neither=gradients/{v},neither={dense*}/histogram",
    "variables={*},gradients={*},weights=gradients/{enc*.weight}",
)
"""What people say of histograms, true or not."""


@dataclass(frozen=True)
class Mutant:
    """A damaged file.

    Attributes:
        seed: what it was made from.
        level: where it was damaged. "bytes": the checksums of the file tell. "records" to
            "metadata": those hold, ours tell. "schema": all hold, the content is made up.
        origin: the sound file it was.
        content: the bytes of the file.
    """

    seed: int
    level: Level
    origin: Original
    content: bytes

    @property
    def name(self) -> str:
        """Run and file name: says where to look."""
        return f"{self.seed:07d}-{self.origin.kind}-{self.level}"

    @property
    def told(self) -> str:
        """What is said of its histograms, of one in eight files of each level; else ""."""
        each, turn = divmod(self.seed // len(LEVELS), 8)
        return TOLD[each % len(TOLD)] if turn == 0 else ""

    @property
    def compared(self) -> bool:
        """Whether it is compared with a sound run, as one in four files of each level."""
        return self.seed // len(LEVELS) % 4 == 1


def mutant(seed: int) -> Mutant:
    """The damaged file of `seed`."""
    dice = random.Random(seed)
    level = LEVELS[seed % len(LEVELS)]
    origin = original(dice.choice(KINDS if level != "schema" else ("recorder", "sick")))
    return Mutant(seed, level, origin, _DAMAGES[level](dice, origin))


# Bytes --------------------------------------------------------------------------------------------


def _bytes(dice: random.Random, origin: Original) -> bytes:
    data = bytearray(origin.content)
    for _ in range(dice.choice((1, 1, 1, 2, 4, 30))):
        at = dice.randrange(len(data)) if data else 0
        length = dice.choice((1, 1, 2, 4, 8, 64, 512, 4096))
        change = dice.randrange(8)
        if change == 0:
            data[at : at + 1] = bytes([dice.randrange(256)])
        elif change == 1 and data:
            data[at] ^= 1 << dice.randrange(8)
        elif change == 2:
            data[at : at + length] = dice.randbytes(length)
        elif change == 3:
            data[at:at] = dice.randbytes(length)
        elif change == 4:
            del data[at : at + length]
        elif change == 5:
            data[at : at + length] = bytes(len(data[at : at + length]))
        elif change == 6:
            data[at:at] = data[at : at + length]
        else:
            del data[at:]
    return bytes(data)


# Records ------------------------------------------------------------------------------------------


def _records(dice: random.Random, origin: Original) -> bytes:
    frames = list(origin.frames)
    for _ in range(dice.choice((1, 1, 2, 5))):
        at = dice.randrange(len(frames))
        change = dice.randrange(8)
        if change == 0:
            frames[at:at] = [frames[at]] * dice.choice((1, 2, 40))
        elif change == 1:
            frames[at : at + dice.choice((1, 3, 20))] = []
        elif change == 2:
            part = frames[at : at + 20]
            dice.shuffle(part)
            frames[at : at + 20] = part
        elif change == 3:
            frames[at] = frame(dice.randbytes(dice.choice((0, 1, 10, 1000))))
        elif change == 4:
            frames[at] = frame(b"")
        elif change == 5:
            frames[at] = _short_count(dice, frames[at])
        else:
            frames[at] = frame(_garbled(dice, frames[at][12:-4]))
        frames = frames or [origin.frames[0]]
    return b"".join(frames)


def _garbled(dice: random.Random, payload: bytes) -> bytes:
    data = bytearray(payload)
    for _ in range(dice.choice((1, 2, 8))):
        if not data:
            break
        at = dice.randrange(len(data))
        if dice.random() < 0.7:
            data[at] = dice.randrange(256)
        elif dice.random() < 0.5:
            del data[at : at + dice.choice((1, 4, 50))]
        else:
            data[at:at] = dice.randbytes(dice.choice((1, 4, 50)))
    return bytes(data)


def _short_count(dice: random.Random, record: bytes) -> bytes:
    """A length that is too small, with the checksum of that length: the next record is torn off."""
    length = struct.pack("<Q", dice.randrange(max(1, len(record) - 16)))
    return length + frame(length)[-4:] + record[12:]


# Events -------------------------------------------------------------------------------------------


def _events(
    change: Callable[[random.Random, forgeries.Event], None],
) -> Callable[[random.Random, Original], bytes]:
    """Damage that parses a few events, changes them, and writes them back."""

    def damage(dice: random.Random, origin: Original) -> bytes:
        frames = list(origin.frames)
        # The first event of a tag carries what the loaders remember of it.
        first = min(len(frames) - 1, 30)
        for _ in range(dice.choice((1, 1, 2, 4))):
            at = dice.randrange(1, first if dice.random() < 0.5 else len(frames))
            event = event_of(origin.events[at])
            change(dice, event)
            frames[at] = frame(event.SerializeToString())
        return b"".join(frames)

    return damage


_DAMAGES: Final[dict[Level, Callable[[random.Random, Original], bytes]]] = {
    "bytes": _bytes,
    "records": _records,
    "fields": _events(forgeries.field),
    "tensors": _events(forgeries.tensor),
    "metadata": _events(forgeries.metadata),
    "schema": forgeries.run,
}
