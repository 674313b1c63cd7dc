"""What the events of a folder say of their tags, read with TensorBoard's own loader."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto import event_pb2


def counted(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """(how often each of our tags was described, how many values each tag has)."""
    described: Counter[str] = Counter()
    values: Counter[str] = Counter()
    for path in sorted(folder.rglob("*tfevents*")):
        for raw in RawEventFileLoader(str(path)).Load():
            for value in event_pb2.Event.FromString(raw).summary.value:
                values[value.tag] += 1
                if value.metadata.plugin_data.plugin_name == "convergence":
                    described[value.tag] += 1
    return described, values
