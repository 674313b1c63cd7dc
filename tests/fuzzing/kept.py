"""Files that once showed a fault: kept compressed in tests/regressions/, told by their names."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Final, cast

from tests.fuzzing.mutations import Level, Mutant
from tests.fuzzing.originals import original

FOLDER: Final = Path(__file__).resolve().parents[1] / "regressions"


def keep(mutant: Mutant, name: str) -> Path:
    """Write the file of `mutant` as `<name>.<seed>.<origin>.<level>.gz`."""
    path = FOLDER / f"{name}.{mutant.seed}.{mutant.origin.kind}.{mutant.level}.gz"
    path.write_bytes(gzip.compress(mutant.content, 9, mtime=0))
    return path


def all_kept() -> dict[str, Mutant]:
    """By name; the bytes are those of the file, whatever its seed makes today."""
    found = {}
    for path in sorted(FOLDER.glob("*.gz")):
        name, seed, origin, level, _ = path.name.split(".")
        content = gzip.decompress(path.read_bytes())
        found[name] = Mutant(int(seed), cast(Level, level), original(origin), content)
    return found
