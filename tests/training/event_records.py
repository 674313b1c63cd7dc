"""Reads what the recorder wrote, with TensorBoard's own loader and nothing of our reading side."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto import summary_pb2
from tensorboard.util import tensor_util

from tb_convergence.core.schema import CONFIG_TAG, PLUGIN_NAME, Row, decode_layout, unseal


@dataclass
class Group:
    """The tables of one group, in the order they were written."""

    rows: tuple[Row, ...] = ()
    columns: tuple[str, ...] = ()
    steps: list[int] = field(default_factory=list)
    tables: list[NDArray[np.float32]] = field(default_factory=list)

    def at(self, step: int, column: str) -> NDArray[np.float32]:
        """Column `[R]` of the record of `step`."""
        return self.tables[self.steps.index(step)][:, self.columns.index(column)]

    def row(self, step: int, **attributes: Any) -> dict[str, float]:
        """The one row with these attributes, by column."""
        found = [
            index
            for index, row in enumerate(self.rows)
            if all(getattr(row, name) == value for name, value in attributes.items())
        ]
        assert len(found) == 1, f"{attributes} matches {found} of {self.rows}"
        table = self.tables[self.steps.index(step)]
        return dict(zip(self.columns, map(float, table[found[0]]), strict=True))

    def series(self, column: str, row: int = 0) -> list[float]:
        """One number over all records."""
        index = self.columns.index(column)
        return [float(table[row, index]) for table in self.tables]


@dataclass
class Written:
    """Everything in the event files of one folder."""

    groups: dict[str, Group] = field(default_factory=dict)
    configs: list[dict[str, Any]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, summary_pb2.SummaryMetadata] = field(default_factory=dict)
    events_with_metadata: int = 0

    def __getattr__(self, name: str) -> Group:
        return self.__dict__["groups"][name]


def read(folder: Path | str) -> Written:
    """All records in `folder`; asserts that each belongs to its layout and is undamaged."""
    written = Written()
    layouts = {}
    for path in sorted(Path(folder).glob("*tfevents*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name:
                    written.events_with_metadata += 1
                    written.metadata.setdefault(value.tag, value.metadata)
                if value.tag not in written.tags:
                    written.tags.append(value.tag)
                assert written.metadata[value.tag].plugin_data.plugin_name == PLUGIN_NAME
                array = tensor_util.make_ndarray(value.tensor)
                if value.tag == CONFIG_TAG:
                    written.configs.append(json.loads(array.item(), parse_constant=_refuse))
                    continue
                content = written.metadata[value.tag].plugin_data.content
                layout = layouts.setdefault(value.tag, decode_layout(content))
                assert layout.tag == value.tag
                group = written.groups.setdefault(layout.group, Group())
                group.rows, group.columns = layout.rows, layout.columns
                group.steps.append(event.step)
                group.tables.append(unseal(layout, array))
    return written


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
