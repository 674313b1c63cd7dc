"""The recorder's tensors, through both loaders: what is kept, what is refused, what is joined."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from both_loaders import LOADERS, histories, read
from event_files import EventFile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from tensorboard.compat.proto import summary_pb2, tensor_pb2

from tb_convergence.core import schema
from tb_convergence.core.gaps import Skipped
from tb_convergence.core.schema import Layout, Row, layout_of
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import FoldedRun
from tb_convergence.reading.tensorboard import loaders

ROWS = (
    Row("dense/kernel", "dense", "kernel", (3, 4), "float32", "relu", "GlorotUniform"),
    Row("dense/bias", "dense", "bias", (4,), "float32", "relu", "Zeros"),
)
VARIABLES = layout_of("variables", ROWS, ("gradient_norm", "variable_norm"))
RUN = layout_of("run", (Row("run", "", "run"),), ("loss", "window_steps"))


def values(step: int) -> np.ndarray:
    return np.array([[step, 1.0], [step + 0.5, 2.0]], dtype=np.float32)


def test_a_run_as_the_recorder_writes_it(tmp_path: Path) -> None:
    with EventFile(tmp_path / "a") as file:
        file.config({"optimizer": {"class": "SGD"}})
        for step in range(5):
            file.record(VARIABLES, step, values(step))
            file.record(RUN, step, [[1.0 / (step + 1), 1.0]])
    history = read(tmp_path)
    assert history.run == "a"
    assert history.config == {"optimizer": {"class": "SGD"}}
    assert history.skipped == ()
    table = history.tables["variables"]
    assert table.rows == ROWS
    assert table.columns == ("gradient_norm", "variable_norm")
    assert table.exact
    assert table.low.dtype == np.float32
    assert table.steps.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(table.low, [values(step) for step in range(5)])
    loss = history.series("loss")
    assert loss is not None
    np.testing.assert_array_equal(loss.values, np.float32([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]))


def test_nan_and_infinities_are_values(tmp_path: Path) -> None:
    bad = np.array([[np.nan, np.inf], [3e38, 1e-45]], dtype=np.float32)
    with EventFile(tmp_path) as file:
        file.record(VARIABLES, 0, values(0))
        file.record(VARIABLES, 1, bad)
        file.record(RUN, 1, [[-np.inf, 1.0]])
    history = read(tmp_path)
    assert history.run == "."
    np.testing.assert_array_equal(history.tables["variables"].low[1], bad)
    assert history.series("loss").values[0] == -np.inf  # type: ignore[union-attr]
    assert history.skipped == ()


def test_steps_beyond_float_precision_are_exact(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for step in (2**53 + 1, 2**63 - 1):
            file.record(RUN, step, [[1.0, 1.0]], wall_time=1.0)
    assert read(tmp_path).tables["run"].steps.tolist() == [2**53 + 1, 2**63 - 1]


def test_a_restart_replaces_the_records_from_there_on(tmp_path: Path) -> None:
    with EventFile(tmp_path, "events.out.tfevents.1700000000.a") as file:
        for step in range(10):
            file.record(VARIABLES, step, values(step))
    with EventFile(tmp_path, "events.out.tfevents.1700000100.a") as file:
        for step in (4, 5):
            file.record(VARIABLES, step, values(step) + 100, wall_time=1.7e9 + 100 + step)
    history = read(tmp_path)
    table = history.tables["variables"]
    assert table.steps.tolist() == [0, 1, 2, 3, 4, 5]
    assert table.column("gradient_norm")[:, 0].tolist() == [0, 1, 2, 3, 104, 105]
    assert history.restarts == (4,)


@pytest.mark.parametrize("faster", [1, 3], ids=["in step", "at another pace"])
def test_two_writers_that_do_not_know_of_each_other_are_told(tmp_path: Path, faster: int) -> None:
    for writer in (1, 2):
        with EventFile(tmp_path, f"events.out.tfevents.170000000{writer}.x") as file:
            for step in range(40):
                pace = faster if writer == 2 else 1
                file.record(VARIABLES, step * pace, values(step) + 100 * writer,
                            wall_time=1.7e9 + step + 0.5 * writer)
    history = histories(tmp_path, "python")["."]
    (told,) = history.skipped
    assert "Two programs" in told.reason
    # The data server shows the newer file alone: one line, of one writer.
    fast = histories(tmp_path, "fast")["."]
    assert fast.skipped == ()
    assert (fast.tables["variables"].column("gradient_norm")[:, 0] >= 200).all()


def test_a_training_resumed_often_is_no_second_writer(tmp_path: Path) -> None:
    clock = 1.7e9
    for attempt in range(9):
        with EventFile(tmp_path, f"events.out.tfevents.170000000{attempt}.x") as file:
            for step in range(attempt * 20, attempt * 20 + 25):
                clock += 1
                file.record(RUN, step, [[1.0, 1.0]], wall_time=clock)
    history = histories(tmp_path, "python")["."]
    assert history.skipped == ()
    assert history.restarts == tuple(range(20, 180, 20))


def test_of_two_records_of_one_step_the_later_stays(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for step, loss in ((0, 1.0), (1, 2.0), (1, 3.0), (2, 4.0)):
            file.record(RUN, step, [[loss, 1.0]], wall_time=100.0 + loss)
    history = read(tmp_path)
    assert history.series("loss").values.tolist() == [1.0, 3.0, 4.0]  # type: ignore[union-attr]
    assert history.restarts == ()


@pytest.mark.parametrize("clock", [
    pytest.param(lambda step: 1e9 - step, id="running backwards"),
    pytest.param(lambda step: 1e9 + step - 100 * (step > 4), id="set back once"),
    pytest.param(lambda step: 0.0, id="standing still"),
    pytest.param(lambda step: 253402300799.0 + step, id="year 9999"),
])
def test_a_wrong_clock_costs_nothing(tmp_path: Path, clock: Callable[[int], float]) -> None:
    with EventFile(tmp_path) as file:
        for step in range(10):
            file.record(RUN, step, [[float(step), 1.0]], wall_time=clock(step))
    history = read(tmp_path)
    assert history.tables["run"].steps.tolist() == list(range(10))
    assert history.restarts == ()


def test_a_clock_of_nan_is_survived_or_told(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for step in range(4):
            file.record(RUN, step, [[1.0, 1.0]], wall_time=float("nan") if step == 2 else 1.0)
    assert histories(tmp_path, "python")["."].tables["run"].steps.tolist() == [0, 1, 2, 3]
    fast = histories(tmp_path, "fast")["."]
    assert fast.tables["run"].steps.tolist() == [0, 1]
    assert "damaged record" in fast.skipped[0].reason


def sealed(step: int) -> np.ndarray:
    return schema.seal(values(step))


def damaged(step: int) -> np.ndarray:
    record = sealed(step)
    record[1, 0] += 1
    return record


@pytest.mark.parametrize(("bad", "reason"), [
    pytest.param(sealed(2).astype(np.float64), "float64", id="float64"),
    pytest.param(sealed(2).astype(np.int32), "int32", id="integers"),
    pytest.param(sealed(2)[:1], "[1, 3]", id="a row short"),
    pytest.param(sealed(2)[:, :2], "[2, 2]", id="a column short"),
    pytest.param(sealed(2)[0], "[3]", id="a vector"),
    pytest.param(sealed(2)[None], "[1, 2, 3]", id="rank 3"),
    pytest.param(np.zeros((0, 3), np.float32), "[0, 3]", id="empty"),
    pytest.param(np.float32(1.0) * np.ones(()), "[]", id="a scalar"),
    pytest.param("text", "object", id="text"),
    pytest.param(damaged(2), "checksum of row 1", id="a flipped bit"),
    pytest.param(np.zeros((2, 3), np.float32), "checksum", id="zeros"),
])
def test_a_bad_record_costs_one_point(tmp_path: Path, bad: object, reason: str) -> None:
    with EventFile(tmp_path) as file:
        for step in range(5):
            if step == 2:
                file.tensor(VARIABLES.tag, step, bad, content=schema.encode_layout(VARIABLES))
            else:
                file.record(VARIABLES, step, values(step))
    history = read(tmp_path)
    assert history.tables["variables"].steps.tolist() == [0, 1, 3, 4]
    (skipped,) = history.skipped
    assert (skipped.tag, skipped.step) == (VARIABLES.tag, 2)
    assert reason in skipped.reason


def test_a_negative_step_is_refused(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        file.record(RUN, -1, [[1.0, 1.0]])
        file.record(RUN, 0, [[2.0, 1.0]])
    history = read(tmp_path)
    assert history.tables["run"].steps.tolist() == [0]
    assert history.skipped == (Skipped(RUN.tag, -1, "negative step"),)


def test_many_bad_records_make_few_entries(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for step in range(100):
            file.tensor(
                RUN.tag, step, np.zeros((1, 3), np.float32), content=schema.encode_layout(RUN)
            )
    skipped = read(tmp_path).skipped
    assert len(skipped) == 21
    assert skipped[-1].step is None
    assert "80 further" in skipped[-1].reason


def malformed(**fields: object) -> tensor_pb2.TensorProto:
    return tensor_pb2.TensorProto(**fields)


def shaped(*sizes: int) -> dict[str, object]:
    return {"tensor_shape": {"dim": [{"size": size} for size in sizes]}}


@pytest.mark.parametrize("proto", [
    pytest.param(malformed(dtype=1, tensor_content=b"123", **shaped(2, 3)), id="torn content"),
    pytest.param(malformed(dtype=1, tensor_content=b"1234", **shaped(2, 3)), id="too little"),
    pytest.param(malformed(dtype=1, float_val=[1.0, 2.0], **shaped(2, 3)), id="two of six"),
    pytest.param(malformed(dtype=1, **shaped(2, 3)), id="no content"),
    pytest.param(malformed(dtype=1, tensor_content=b"1234" * 6, **shaped(-2, -3)), id="negative"),
    pytest.param(malformed(dtype=99, tensor_content=b"1234" * 6, **shaped(2, 3)), id="no dtype"),
])
def test_a_malformed_tensor_costs_its_tag_only(
    tmp_path: Path, proto: tensor_pb2.TensorProto
) -> None:
    with EventFile(tmp_path) as file:
        file.record(RUN, 0, [[1.0, 1.0]])
        file.record(VARIABLES, 0, values(0))
        file.tensor(VARIABLES.tag, 1, proto)
        file.record(RUN, 1, [[2.0, 1.0]])
    history = read(tmp_path)
    assert history.tables["run"].steps.tolist() == [0, 1]
    assert {skipped.tag for skipped in history.skipped} == {VARIABLES.tag}


@pytest.mark.parametrize(("content", "reason"), [
    pytest.param(b"", "not a layout", id="empty"),
    pytest.param(b"\xff\xfe garbage", "not a layout", id="garbage"),
    pytest.param(
        schema.encode_layout(replace(VARIABLES, version=2)), "upgrade", id="a newer version"
    ),
    pytest.param(
        schema.encode_layout(replace(VARIABLES, columns=("a", "a", "check"))),
        "two columns", id="a column twice",
    ),
    pytest.param(schema.encode_layout(VARIABLES), "does not belong", id="of another tag"),
    pytest.param(
        schema.encode_layout(replace(VARIABLES, columns=tuple(map(str, range(1001))))),
        "refused", id="too many columns",
    ),
])
def test_unreadable_metadata_costs_its_tag_only(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    with EventFile(tmp_path) as file:
        file.tensor("convergence/variables/x", 0, sealed(0), content=content)
        file.record(RUN, 0, [[1.0, 1.0]])
    history = read(tmp_path)
    assert history.tables.keys() == {"run"}
    (skipped,) = history.skipped
    assert (skipped.tag, skipped.step) == ("convergence/variables/x", None)
    assert reason in skipped.reason


def test_other_plugins_and_hidden_summaries_are_left_alone(tmp_path: Path) -> None:
    content = schema.encode_layout(VARIABLES)
    with EventFile(tmp_path) as file:
        file.tensor("convergence/variables/1", 0, sealed(0), plugin="mesh", content=content)
        file.tensor("convergence/variables/2", 0, sealed(0), content=content,
                    data_class=summary_pb2.DATA_CLASS_BLOB_SEQUENCE)
        file.record(RUN, 0, [[1.0, 1.0]])
    history = read(tmp_path)
    assert history.tables.keys() == {"run"}
    assert history.skipped == ()


def test_unknown_columns_and_groups_are_kept(tmp_path: Path) -> None:
    future = layout_of("variables", ROWS, ("gradient_norm", "gradient_curvature"))
    attention = layout_of("attention", (Row("head", "head", "head"),), ("entropy",))
    with EventFile(tmp_path) as file:
        file.record(future, 0, values(0))
        file.record(attention, 0, [[2.5]])
    history = read(tmp_path)
    assert history.tables["variables"].columns == ("gradient_norm", "gradient_curvature")
    assert history.tables["attention"].low.tolist() == [[[2.5]]]


def test_a_layout_without_checks_is_read(tmp_path: Path) -> None:
    layout = Layout("run", (Row("run", "", "run"),), ("loss",))
    with EventFile(tmp_path) as file:
        file.tensor(layout.tag, 3, np.float32([[1.5]]), content=schema.encode_layout(layout))
    assert read(tmp_path).series("loss").values.tolist() == [1.5]  # type: ignore[union-attr]


def test_values_outside_their_range_are_undefined_and_told(tmp_path: Path) -> None:
    layout = layout_of("variables", ROWS, ("gradient_norm", "gradient_zero_fraction"))
    with EventFile(tmp_path) as file:
        file.record(layout, 0, [[1.0, 1.0 + 1e-7], [1.0, 0.0]])
        file.record(layout, 1, [[-1.0, 0.5], [1.0, 7.0]])
    history = read(tmp_path)
    table = history.tables["variables"]
    assert np.isnan(table.column("gradient_norm")[1, 0])
    assert np.isnan(table.column("gradient_zero_fraction")[1, 1])
    assert np.isfinite(table.low[0]).all()
    assert [skipped.step for skipped in history.skipped] == [1, 1]
    assert "gradient_norm" in history.skipped[0].reason


def test_an_empty_run_and_an_empty_table(tmp_path: Path) -> None:
    empty = layout_of("activations", (), ("activation_mean",))
    with EventFile(tmp_path / "empty"):
        pass
    with EventFile(tmp_path / "rowless") as file:
        file.record(empty, 0, np.zeros((0, 1)))
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "events.out.tfevents.1.a").touch()
    for loader in LOADERS:
        found = histories(tmp_path, loader)
        for run in ("empty", "nothing"):
            if run in found:
                assert found[run].last_step == -1
                assert not found[run].tables
        assert found["rowless"].tables["activations"].low.shape == (1, 0, 1)
        assert found["rowless"].signals == frozenset()


# Several layouts of one group ---------------------------------------------------------------------


def test_a_layer_added_on_the_way_joins_the_table(tmp_path: Path) -> None:
    grown = layout_of(
        "variables",
        (ROWS[0], Row("new/kernel", "new", "kernel"), ROWS[1]),
        ("gradient_norm", "update_norm"),
    )
    with EventFile(tmp_path) as file:
        file.record(VARIABLES, 0, values(0))
        file.record(grown, 1, [[1, 2], [3, 4], [5, 6]])
    table = read(tmp_path).tables["variables"]
    assert [row.name for row in table.rows] == ["dense/kernel", "new/kernel", "dense/bias"]
    assert table.columns == ("gradient_norm", "variable_norm", "update_norm")
    np.testing.assert_array_equal(table.column("gradient_norm"), [[0, np.nan, 0.5], [1, 3, 5]])
    np.testing.assert_array_equal(
        table.column("update_norm"), [[np.nan] * 3, [2, 4, 6]]
    )
    assert table.exact


def test_rows_of_one_name_stay_apart(tmp_path: Path) -> None:
    twins = (Row("dense/kernel", "dense", "kernel"), Row("dense/kernel", "dense_1", "kernel"))
    first = layout_of("variables", twins, ("gradient_norm",))
    second = layout_of("variables", twins, ("variable_norm",))
    with EventFile(tmp_path) as file:
        file.record(first, 0, [[1], [2]])
        file.record(second, 1, [[3], [4]])
    table = read(tmp_path).tables["variables"]
    assert [row.layer for row in table.rows] == ["dense", "dense_1"]
    np.testing.assert_array_equal(table.column("gradient_norm")[0], [1, 2])
    np.testing.assert_array_equal(table.column("variable_norm")[1], [3, 4])


def test_a_restart_with_another_model_leaves_nothing_of_the_old(tmp_path: Path) -> None:
    again = layout_of("variables", (Row("dense_1/kernel", "dense_1", "kernel"),),
                      ("gradient_norm",), model="sequential_1")
    before = layout_of("variables", (Row("dense/kernel", "dense", "kernel"),),
                       ("gradient_norm",), model="sequential")
    with EventFile(tmp_path, "events.out.tfevents.1700000000.a") as file:
        for step in range(5):
            file.record(before, step, [[1]])
    with EventFile(tmp_path, "events.out.tfevents.1700000100.a") as file:
        for step in range(3):
            file.record(again, step, [[2]], wall_time=1.7e9 + 100 + step)
    history = read(tmp_path)
    table = history.tables["variables"]
    assert [row.name for row in table.rows] == ["dense_1/kernel"]
    assert table.steps.tolist() == [0, 1, 2]
    assert history.restarts == (0,)


def test_two_models_at_a_time_stay_apart(tmp_path: Path) -> None:
    kernel = (Row("dense/kernel", "dense", "kernel"),)
    generator = layout_of("variables", kernel, ("gradient_norm",), model="generator")
    critic = layout_of("variables", kernel, ("gradient_norm",), model="critic")
    with EventFile(tmp_path) as file:
        for step in range(3):
            file.record(critic, step, [[step]])
            if step != 1:
                file.record(generator, step, [[10 + step]], wall_time=1.7e9 + step + 0.5)
    table = read(tmp_path).tables["variables"]
    assert [row.name for row in table.rows] == ["critic: dense/kernel", "generator: dense/kernel"]
    np.testing.assert_array_equal(
        table.column("gradient_norm"), [[0, 10], [1, np.nan], [2, 12]]
    )


def test_epoch_columns_may_differ_between_tags(tmp_path: Path) -> None:
    row = (Row("run", "", "run"),)
    plain = layout_of("epoch", row, ("epoch_loss",))
    more = layout_of("epoch", row, ("epoch_loss", "validation_loss", "metric/accuracy"))
    with EventFile(tmp_path) as file:
        file.record(plain, 9, [[3.0]])
        file.record(more, 19, [[2.0, 2.5, 0.7]])
    history = read(tmp_path)
    assert history.series("epoch_loss").values.tolist() == [3.0, 2.0]  # type: ignore[union-attr]
    validation = history.series("validation_loss")
    assert validation is not None
    np.testing.assert_array_equal(validation.values, [np.nan, 2.5])
    assert history.tables["epoch"].has("metric/accuracy")


# Configuration ------------------------------------------------------------------------------------


def test_the_newest_configuration_counts(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        file.config({"lr": 1}, step=0, wall_time=10.0)
        file.config({"lr": 2}, step=5, wall_time=20.0)
    assert read(tmp_path).config == {"lr": 2}


@pytest.mark.parametrize("text", [
    pytest.param("not json", id="not JSON"),
    pytest.param("[1, 2]", id="a list"),
    pytest.param('"text"', id="text"),
    pytest.param("{" * 100_000, id="torn"),
    pytest.param("[" * 100_000 + "]" * 100_000, id="nested deeply"),
    pytest.param('{"a": "' + "x" * 2**20 + '"}', id="a megabyte"),
    pytest.param(b"\xff\xfe{}", id="not UTF-8"),
    pytest.param(np.float32([1.0]), id="a number"),
    pytest.param(["{}", "{}"], id="two strings"),
])
def test_an_unreadable_configuration_is_told(tmp_path: Path, text: object) -> None:
    with EventFile(tmp_path) as file:
        file.config({"good": True}, step=0)
        file.tensor(schema.CONFIG_TAG, 1, text)
        file.record(RUN, 1, [[1.0, 1.0]])
    history = read(tmp_path)
    assert history.config == {"good": True}
    (skipped,) = history.skipped
    assert (skipped.tag, skipped.step) == (schema.CONFIG_TAG, 1)
    assert len(skipped.reason) <= 300


# Sampling -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cadence", [1, 10])
@pytest.mark.parametrize("loader", LOADERS)
def test_dropped_records_are_counted(tmp_path: Path, cadence: int, loader: str) -> None:
    with EventFile(tmp_path) as file:
        for step in range(0, 500 * cadence, cadence):
            file.record(RUN, step, [[1.0, cadence]])
            file.record(VARIABLES, step, values(step))
    samples = {"convergence": 100}
    opened = (
        loaders.python(tmp_path, samples) if loader == "python"
        else loaders.fast(tmp_path, str(loaders.fast_binary()), samples)
    )
    with opened as source:
        tables = read_folded(source, FoldedRun(".", (".",))).tables
    for table in tables.values():
        assert len(table.steps) == 100
        assert table.total is not None
        # What came before the first record kept is not known.
        assert 450 <= table.total <= 500


def test_nothing_is_missing_from_a_run_that_was_resumed(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for step in (*range(0, 100, 10), *range(130, 200, 10), *range(250, 300, 10)):
            file.record(RUN, step, [[1.0, 1.0 if step in (0, 130, 250) else 10.0]])
    assert read(tmp_path).tables["run"].total is None


@pytest.mark.parametrize("loader", LOADERS)
def test_what_is_too_large_to_read_as_a_whole_says_so(
    tmp_path: Path, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tb_convergence.reading.tensorboard.data_source.CALL_BYTES", 5_000)
    wide = layout_of("variables", tuple(replace(ROWS[0], name=str(i)) for i in range(10)),
                     ("gradient_norm",))
    with EventFile(tmp_path) as file:
        for step in range(60):
            file.record(RUN, step, [[1.0, 1.0]])
            file.record(wide, step, np.ones((10, 1)))
    tables = histories(tmp_path, loader)["."].tables
    assert tables["run"].total is None
    assert (len(tables["variables"].steps), tables["variables"].total) == (34, 60)


@given(npst.arrays(np.float32, st.tuples(st.integers(0, 300), st.integers(0, 20))))
def test_row_checks_are_the_crc_of_each_row(table: np.ndarray) -> None:
    expected = [zlib.crc32(row.astype("<f4").tobytes()) & 0xFFFFFF for row in table]
    assert schema.row_checks(table).tolist() == expected
    assert schema.row_checks(np.stack([table] * 3)).tolist() == [expected] * 3


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 6), st.booleans())
@settings(max_examples=30, deadline=None)
def test_exactly_the_records_that_were_changed_are_refused(
    seed: int, rows: int, columns: int, by_column: bool
) -> None:
    """Any single bit of any record, however it lies in memory; against zlib row by row."""
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 3 * schema.ROWS_AT_ONCE // (10 * rows)))
    values = random.normal(size=(count, rows, columns)).astype(np.float32)
    checks = np.array([zlib.crc32(row.tobytes()) & 0xFFFFFF for row in values.reshape(-1, columns)],
                      dtype=np.float32).reshape(count, rows)
    changed = np.unique(random.integers(0, count, 3))
    for record in changed:
        bits = values[record].reshape(-1).view("<u4")
        bits[random.integers(len(bits))] ^= np.uint32(1) << np.uint32(random.integers(32))
        values[record] = bits.view("<f4").reshape(rows, columns)
    if by_column:
        values = values.transpose(2, 0, 1).copy().transpose(1, 2, 0)
    assert np.flatnonzero(~schema.intact(values, checks)).tolist() == changed.tolist()


SPARSE_RUN = layout_of(
    "run", (Row("run", "", "run"),), ("loss", "window_steps", "window_unwatched_steps")
)


def test_steps_that_nobody_watched_are_no_missing_records(tmp_path: Path) -> None:
    steps = [*range(10), *range(19, 1_000, 10)]
    for name, kept in (("all", steps), ("half", steps[::2])):
        with EventFile(tmp_path / name / "a") as file:
            before = {step: steps[max(place - 1, 0)] for place, step in enumerate(steps)}
            for step in kept:
                file.record(SPARSE_RUN, step, [[1.0, 1.0, float(max(step - before[step] - 1, 0))]])
    assert read(tmp_path / "all").sampled is None
    found = read(tmp_path / "half").sampled
    assert found is not None
    assert found.kept == len(steps[::2])
    assert found.total == pytest.approx(len(steps), abs=6)
