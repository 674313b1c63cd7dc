"""Which scalar tags are the loss, the validation loss, the learning rate: frameworks' names."""

from __future__ import annotations

import pytest

from tb_convergence.reading.scalar_tags import scalar_meaning


@pytest.mark.parametrize(("tag", "name", "axis"), [
    # Keras, training run.
    ("epoch_loss", "epoch_loss", "epoch"),
    ("batch_loss", "loss", "batch"),
    ("epoch_learning_rate", "learning_rate", "epoch"),
    ("epoch_lr", "learning_rate", "epoch"),
    # Lightning.
    ("train_loss", "loss", "step"),
    ("train_loss_step", "loss", "step"),
    ("train_loss_epoch", "epoch_loss", "step"),
    ("val_loss", "validation_loss", "step"),
    ("val_loss_epoch", "validation_loss", "step"),
    ("lr-Adam", "learning_rate", "step"),
    ("lr-SGD/pg1", "learning_rate", "step"),
    # PyTorch's tutorials.
    ("Loss/train", "loss", "step"),
    ("loss/train", "loss", "step"),
    ("Loss/test", "validation_loss", "step"),
    ("Loss/val", "validation_loss", "step"),
    ("training loss", "loss", "step"),
    ("lr", "learning_rate", "step"),
    ("Learning rate", "learning_rate", "step"),
    # Hugging Face.
    ("train/loss", "loss", "step"),
    ("eval/loss", "validation_loss", "step"),
    ("train/learning_rate", "learning_rate", "step"),
    # Estimators, TF-Slim, Object Detection.
    ("loss", "loss", "step"),
    ("loss_1", "loss", "step"),
    ("losses/total_loss", "loss", "step"),
    ("Loss/total_loss", "loss", "step"),
])
def test_training_tags(tag: str, name: str, axis: str) -> None:
    meaning = scalar_meaning(tag)
    assert meaning is not None
    assert (meaning.name, meaning.axis) == (name, axis)


@pytest.mark.parametrize(("tag", "axis"), [
    ("epoch_loss", "epoch"),
    ("evaluation_loss_vs_iterations", "step"),
    ("loss", "step"),
    ("val_loss", "step"),
])
def test_validation_tags(tag: str, axis: str) -> None:
    meaning = scalar_meaning(tag, validation=True)
    assert meaning is not None
    assert (meaning.name, meaning.axis) == ("validation_loss", axis)


@pytest.mark.parametrize("tag", [
    "epoch_accuracy", "loss/train/classifier", "regularization_loss", "global_step", "lr-Adam/pg2",
    "train/loss_scale", "Losses", "", "/", "loss" * 1000, "evaluation_loss_vs_iterations",
])
def test_everything_else_means_nothing(tag: str) -> None:
    assert scalar_meaning(tag) is None


def test_in_a_validation_run_nothing_is_a_training_loss_or_a_rate() -> None:
    for tag in ("batch_loss", "train_loss", "lr", "epoch_learning_rate", "lr-Adam"):
        assert scalar_meaning(tag, validation=True) is None


def test_the_better_tag_ranks_first() -> None:
    def rank(tag: str, validation: bool = False) -> int:
        meaning = scalar_meaning(tag, validation)
        assert meaning is not None
        return meaning.rank

    assert rank("train_loss_step") < rank("train/loss") < rank("loss")
    assert rank("epoch_loss", True) < rank("evaluation_loss_vs_iterations", True)
    assert rank("val_loss") < rank("test_loss")
