"""Decoders of untrusted bytes: whatever comes in, a value that was checked or one named error."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tb_convergence.core import schema
from tb_convergence.core.schema import Layout, Row, SchemaError, layout_of
from tb_convergence.reading.records import MAX_CONFIG_BYTES, parse_config

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
ROWS = st.builds(
    Row, TEXT, TEXT, TEXT, st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4).map(tuple), TEXT,
    TEXT, TEXT,
)
LAYOUTS = st.builds(
    layout_of, TEXT.filter(bool), st.lists(ROWS, max_size=5),
    st.lists(TEXT.filter(lambda name: name != "check"), max_size=5, unique=True), TEXT,
)


@settings(max_examples=500)
@given(LAYOUTS)
def test_a_layout_comes_back_as_it_was(layout: Layout) -> None:
    content = schema.encode_layout(layout)
    assert schema.decode_layout(content) == layout
    assert schema.encode_layout(schema.decode_layout(content)) == content


@settings(max_examples=500)
@given(LAYOUTS, TEXT)
def test_a_tag_is_made_of_its_group_and_a_digest_alone(layout: Layout, group: str) -> None:
    """What the recorder names its groups is plain; names of layers never reach a tag."""
    assert re.fullmatch(r"[0-9a-f]{8}", layout.tag.rpartition("/")[2])
    assert layout.tag.startswith(f"convergence/{layout.group}/")
    for plain in ("variables", "activations", "inputs", "labels", "replicas", "run", "epoch"):
        tag = schema.tag_of(plain, schema.encode_layout(layout))
        assert re.fullmatch(r"[A-Za-z0-9_./:-]{1,512}", tag)


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_layout_within_bounds_or_refused(content: bytes) -> None:
    check_layout(content)


@settings(max_examples=500)
@given(LAYOUTS, st.data())
def test_a_layout_that_was_damaged_is_within_bounds_or_refused(layout: Layout, data: Any) -> None:
    content = bytearray(schema.encode_layout(layout))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check_layout(bytes(content))
    check_layout(bytes(content[: data.draw(st.integers(0, len(content)))]))


def check_layout(content: bytes) -> None:
    try:
        layout = schema.decode_layout(content)
    except SchemaError:
        return
    assert 1 <= layout.version <= schema.SCHEMA_VERSION
    assert layout.group
    assert len(layout.rows) <= schema.MAX_ROWS
    assert len(set(layout.columns)) == len(layout.columns) <= schema.MAX_COLUMNS
    assert all(len(row.name) <= schema.MAX_TEXT for row in layout.rows)
    layout.tag.encode()


@pytest.mark.parametrize(("rows", "columns"), [(100_001, 1), (1, 1_001)])
def test_a_layout_beyond_the_bounds_is_refused(rows: int, columns: int) -> None:
    layout = Layout("x", (Row("r", "", ""),) * rows, tuple(map(str, range(columns))))
    with pytest.raises(SchemaError, match="refused"):
        schema.decode_layout(schema.encode_layout(layout))


RECORDS = npst.arrays(
    st.sampled_from([np.float32, np.float64, np.int32, np.float16, np.bool_]),
    npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@settings(max_examples=500)
@given(RECORDS, st.integers(0, 4), st.integers(0, 4))
def test_a_record_is_returned_only_if_it_is_sealed(record: Any, rows: int, columns: int) -> None:
    layout = layout_of("x", [Row(str(i), "", "") for i in range(rows)],
                       [str(i) for i in range(columns)])
    try:
        found = schema.unseal(layout, record)
    except SchemaError:
        assert record.shape != (rows, columns + 1) or record.dtype != np.float32 or not (
            np.array_equal(schema.seal(record[:, :-1]), record, equal_nan=True)
        )
    else:
        assert found.shape == (rows, columns + 1)
        data = np.ascontiguousarray(record[:, :-1])
        assert np.ascontiguousarray(found[:, :-1]).tobytes() == data.tobytes()
        # Checks are numbers: -0.0 vouches for the same row as 0.0 does.
        assert np.array_equal(schema.seal(data)[:, -1], record[:, -1])


@settings(max_examples=500)
@given(
    npst.arrays(np.float32, npst.array_shapes(min_dims=2, max_dims=2, max_side=6)), st.data()
)
def test_one_flipped_bit_of_a_record_is_seen(table: Any, data: Any) -> None:
    sealed = schema.seal(table)
    layout = layout_of("x", [Row(str(i), "", "") for i in range(len(table))],
                       [str(i) for i in range(table.shape[1])])
    assert schema.unseal(layout, sealed) is sealed
    octets = bytearray(sealed.tobytes())
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = np.frombuffer(bytes(octets), np.float32).reshape(sealed.shape)
    if np.array_equal(damaged[:, -1], sealed[:, -1]) and (
        damaged[:, :-1].tobytes() == sealed[:, :-1].tobytes()
    ):
        return  # 0.0 became -0.0 in the check itself: the same number
    with pytest.raises(SchemaError, match="checksum"):
        schema.unseal(layout, damaged)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=500)
@given(st.one_of(
    st.binary(max_size=100), TEXT.map(str.encode),
    JSON.map(lambda value: json.dumps(value).encode()),
))
def test_a_configuration_is_an_object_or_refused(text: bytes) -> None:
    try:
        found = parse_config(np.array(text, dtype=object))
    except ValueError:
        return
    assert isinstance(found, dict)
    assert isinstance(json.loads(text), dict)


def test_a_configuration_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="refused"):
        parse_config(np.array(b" " * (MAX_CONFIG_BYTES + 1), dtype=object))
