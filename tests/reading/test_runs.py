"""Which of TensorBoard's runs are one training."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.reading.runs import (
    ROOT,
    TRAINING,
    VALIDATION,
    fold_run,
    fold_runs,
)


@pytest.mark.parametrize(("names", "folded"), [
    pytest.param([], {}, id="nothing"),
    pytest.param(["train", "validation"], {".": (["train"], ["validation"])}, id="Keras, root"),
    pytest.param(
        ["a/train", "a/validation"], {"a": (["a/train"], ["a/validation"])}, id="Keras"
    ),
    pytest.param(["a/train"], {"a": (["a/train"], [])}, id="Keras before the first epoch's end"),
    pytest.param(
        ["a", "a/train", "a/validation"],
        {"a": (["a", "a/train"], ["a/validation"])},
        id="our recorder beside Keras",
    ),
    pytest.param(
        [".", "train", "validation"],
        {".": ([".", "train"], ["validation"])},
        id="our recorder beside Keras, root",
    ),
    pytest.param(["a", "a/eval"], {"a": (["a"], ["a/eval"])}, id="an estimator"),
    pytest.param([".", "eval"], {".": (["."], ["eval"])}, id="an estimator, root"),
    pytest.param(["a/validation"], {"a/validation": (["a/validation"], [])}, id="no training"),
    pytest.param(
        ["a/train", "a/val", "a/test"],
        {"a": (["a/train"], ["a/val"]), "a/test": (["a/test"], [])},
        id="one validation run only",
    ),
    pytest.param(
        ["1", "1/train", "2/train", "train_big"],
        {"1": (["1", "1/train"], []), "2": (["2/train"], []), "train_big": (["train_big"], [])},
        id="several",
    ),
    pytest.param(
        ["a/loss_train", "a/loss_val", "a/acc_train", "a/acc_val"],
        {"a": (["a/acc_train", "a/loss_train"], ["a/acc_val", "a/loss_val"])}, id="add_scalars",
    ),
    pytest.param(
        ["a", "a/Loss_train", "a/Loss_test"], {"a": (["a", "a/Loss_train"], ["a/Loss_test"])},
        id="add_scalars beside add_scalar",
    ),
    pytest.param(
        ["exp1_train", "exp1_val", "exp2_train"],
        {"exp1": (["exp1_train"], ["exp1_val"]), "exp2_train": (["exp2_train"], [])},
        id="a writer for each split",
    ),
    pytest.param(
        ["a/train_loss", "a/val_loss"], {"a": (["a/train_loss"], ["a/val_loss"])},
        id="the split in front",
    ),
    pytest.param(["a/train", "a/eval_0"], {"a": (["a/train"], ["a/eval_0"])}, id="tfod"),
    pytest.param(["a", "a/eval_dev-set"], {"a": (["a"], ["a/eval_dev-set"])}, id="named"),
    pytest.param(["Loss-Loss_val", "dev_loss", "loss-by-slash-train-test", "train_loss-val_loss"], {
        name: ([name], []) for name in
        ("Loss-Loss_val", "dev_loss", "loss-by-slash-train-test", "train_loss-val_loss")
    }, id="experiments called after scalars"),
    pytest.param(["test_lr", "test_wd", "."], {
        ".": (["."], []), "test_lr": (["test_lr"], []), "test_wd": (["test_wd"], []),
    }, id="names of runs that only begin like a split"),
    pytest.param(["a\\train", "a\\validation"],
                 {"a": (["a\\train"], ["a\\validation"])}, id="Windows"),
])
def test_folding(names: list[str], folded: dict[str, tuple[list[str], list[str]]]) -> None:
    found = {run.name: (list(run.training), list(run.validation)) for run in fold_runs(names)}
    assert found == folded


@given(st.lists(st.lists(
    st.sampled_from(["train", "validation", "val", "a", "Train", ".", "", "eval"]),
    max_size=3,
).map("/".join)))
def test_every_run_has_one_place(names: list[str]) -> None:
    found = fold_runs(names)
    members = [member for run in found for member in run.members]
    assert sorted(members) == sorted(set(names))
    assert len({run.name for run in found}) == len(found)
    assert all(run.training for run in found)


PARTS = st.sampled_from(
    ["a", "b", "loss_train", "loss_val", "a_train", "a_val", *TRAINING, *VALIDATION]
)
NAMES = st.one_of(
    st.just(ROOT),
    st.builds(lambda parts, separator: separator.join(parts),
              st.lists(PARTS, min_size=1, max_size=3), st.sampled_from(["/", "\\"])),
)


@given(st.sets(NAMES, max_size=12), NAMES)
def test_one_run_is_folded_as_among_all(names: set[str], other: str) -> None:
    folded = {run.name: run for run in fold_runs(names)}
    for name in {other, *names, *folded}:
        assert fold_run(name, names) == folded.get(name)


def test_names_that_end_nowhere() -> None:
    for name in ("", "/", "a//train", "/train", "./train", ".\\val", "a/./train"):
        names = [name, "a", "b/train"]
        folded = {run.name: run for run in fold_runs(names)}
        assert fold_run(name, names) == folded.get(name)


@pytest.mark.parametrize("names", [
    [".", "test1", "test2"], ["exp", "exp/test_1"], ["exp", "exp/dev1", "exp/dev2"],
])
def test_numbered_tests_beside_a_run_are_experiments(names: list[str]) -> None:
    assert [run.name for run in fold_runs(names)] == names
