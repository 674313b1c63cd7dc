"""Names and layouts of scalars that people may write, beyond those that frameworks document.

Each variant says which of its scalars are the training and the validation loss. The same healthy
run and the same overfit are written under all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pace = Literal["epoch", "step"]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to write a training.

    Attributes:
        train, val: (sub-run, tag) of the losses; several are terms of a sum. `val` may be ().
        pace: what the steps of the training loss count; validation counts steps likewise, or
            epochs where `val_pace` says so.
        others: (sub-run, tag) of scalars beside them that are no loss to read.
    """

    train: tuple[tuple[str, str], ...]
    val: tuple[tuple[str, str], ...] = ()
    pace: Pace = "step"
    val_pace: Pace | None = None
    others: tuple[tuple[str, str], ...] = ()


def one(
    train: str, val: str = "", pace: Pace = "step", val_pace: Pace | None = None, others: str = ""
) -> Variant:
    """A variant in one event file; `others` are separated by commas."""
    return Variant(
        tuple(("", tag) for tag in train.split("+")),
        tuple(("", tag) for tag in val.split("+") if tag),
        pace,
        val_pace,
        tuple(("", tag.strip()) for tag in others.split(",") if tag),
    )


def two(
    train: str, val: str, pace: Pace = "step", others: tuple[tuple[str, str], ...] = ()
) -> Variant:
    """A variant of two sub-runs, each given as "folder:tag"."""
    pair = [tuple(text.split(":", 1)) for text in (train, val)]
    return Variant((pair[0],), (pair[1],), pace, None, others)  # type: ignore[arg-type]


VARIANTS: dict[str, Variant] = {
    # Words in other orders, other separators, other cases.
    "camel": one("trainLoss", "valLoss", "epoch"),
    "pascal": one("TrainLoss", "ValLoss", "epoch"),
    "pascal behind": one("LossTrain", "LossVal"),
    "capitals": one("TRAIN_LOSS", "VAL_LOSS", "epoch"),
    "glued": one("trainloss", "valloss"),
    "glued behind": one("losstrain", "lossval", "epoch"),
    "blanks": one("Train Loss", "Test Loss", "epoch"),
    "dots": one("train.loss", "val.loss"),
    "dashes": one("train-loss", "val-loss"),
    "colon": one("loss:train", "loss:valid"),
    "brackets": one("loss (train)", "loss (val)", "epoch"),
    "deep folders": one("metrics/train/loss", "metrics/val/loss"),
    "deeper folders": one("scalars/optim/train/loss/total", "scalars/optim/val/loss/total"),
    "phase folder": one("phase_train/loss", "phase_val/loss"),
    "average": one("avg_train_loss", "avg_val_loss", "epoch"),
    "mean behind": one("train/loss_mean", "val/loss_mean"),
    "running": one("running_loss", "val_running_loss", others="running_acc"),
    "epoch in front": one("epoch/train_loss", "epoch/val_loss", "epoch"),
    "per epoch": one("Loss per epoch/train", "Loss per epoch/valid", "epoch"),
    "batch and epoch": one("batch/train_loss", "epoch/val_loss", "step", "epoch"),
    "iteration": one("train/iter_loss", "val/epoch_loss", "step", "epoch"),
    "loss value": one("loss_value", "val_loss_value"),
    "objective": one("train/objective", "valid/objective"),
    "criterion": one("criterion/train", "criterion/val"),
    "cost": one("train_cost", "test_cost", "epoch"),
    "smoothed": one("train/smoothed_loss", "val/loss"),
    "model's name": one("resnet18/train_loss", "resnet18/val_loss", "epoch"),
    "experiment's name": one("exp_7/loss/train", "exp_7/loss/val"),
    # Losses by their own names.
    "cross entropy": one("train/cross_entropy", "val/cross_entropy", others="train/acc,val/acc"),
    "ce_loss": one("train/ce_loss", "val/ce_loss"),
    "nll": one("train_nll", "val_nll", others="train_ppl,val_ppl"),
    "nll_loss": one("nll_loss/train", "nll_loss/valid"),
    "bce": one("BCE/train", "BCE/val", "epoch"),
    "mse": one("MSE/train", "MSE/test", "epoch"),
    "rmse": one("train_rmse", "valid_rmse", "epoch"),
    "mae and loss": one("loss", "val_loss", "epoch", others="mae,val_mae"),
    "focal": one("train/focal_loss", "val/focal_loss"),
    "dice loss": one("train/dice_loss", "val/dice_loss", others="train/dice,val/dice"),
    "ctc": one("train_ctc_loss", "dev_ctc_loss", others="dev_wer"),
    "triplet": one("triplet_loss/train", "triplet_loss/val", others="recall@1"),
    "contrastive": one("train/contrastive_loss", "val/contrastive_loss"),
    "mlm": one("train/mlm_loss", "eval/mlm_loss", others="eval/perplexity"),
    # Composed losses.
    "vae": one("train/recon_loss+train/kl_loss", "val/recon_loss+val/kl_loss", "epoch"),
    "vae with total": one("loss/total", "val_loss/total", others="loss/recon,loss/kl"),
    "detector": one(
        "train/loss_classifier+train/loss_box_reg+train/loss_objectness",
        "val/loss_classifier+val/loss_box_reg+val/loss_objectness",
    ),
    "segmenter": one("train/loss_ce+train/loss_dice", "val/loss_ce+val/loss_dice"),
    "keypoints": one(
        "train/box_loss+train/pose_loss+train/kobj_loss+train/cls_loss",
        "val/box_loss+val/pose_loss+val/kobj_loss+val/cls_loss",
        "epoch",
    ),
    "sum and terms": one(
        "train/loss", "val/loss", others="train/loss_cls,train/loss_reg,val/loss_cls"
    ),
    "total_loss and terms": one("total_loss", "val_total_loss", others="loss_a,loss_b"),
    "multi-task": one("train/task1_loss+train/task2_loss", "val/task1_loss+val/task2_loss"),
    # Frameworks and libraries.
    "fastai": one("train_loss", "valid_loss", "step", "epoch", "lr_0,mom_0,accuracy"),
    "fairseq": one("train_inner/loss", "valid/loss", others="train_inner/gnorm,train_inner/lr"),
    "espnet": one("main/loss", "validation/main/loss", "epoch", others="main/acc"),
    "allennlp": one(
        "loss/loss_train",
        "loss/loss_validation",
        "epoch",
        others="gradient_norm/weight,learning_rate/bias",
    ),
    "mmengine": one("train/loss", "val/loss", others="train/lr,train/data_time,train/loss_cls"),
    "paddle": one("train/loss", "eval/loss", others="train/acc,train/lr"),
    "composer": one(
        "loss/train/total", "metrics/eval/CrossEntropy", others="metrics/eval/Accuracy"
    ),
    "megatron": one(
        "lm-loss-training/lm loss",
        "lm-loss-validation/lm loss validation",
        others="learning-rate/learning-rate,grad-norm/grad-norm,loss-scale/loss-scale",
    ),
    "nemo": one("train_loss", "val_loss", others="lr,global_step,train_step_timing in s"),
    "ignite": one("training/batchloss", "validation/loss", "step", "step", "validation/accuracy"),
    "catalyst": one("loss/train", "loss/valid", "epoch", others="lr/train,momentum/train"),
    "flair": one("train_loss", "dev_loss", "epoch", others="dev_score"),
    "tf1 tower": one("tower_0/total_loss", "", others="tower_0/cross_entropy,learning_rate"),
    "slim": one("losses/clone_0/softmax_cross_entropy_loss/value", "", others="learning_rate"),
    "t5": one("loss", "eval/loss", others="learning_rate,loss_scale"),
    "keras custom": one("epoch_loss", "epoch_val_loss", "epoch", others="epoch_accuracy"),
    # Sub-runs.
    "train and valid folders": two("train:loss", "valid:loss"),
    "training and testing": two("training:Loss", "test:Loss", "epoch"),
    "folder and name": two("train:train_loss", "val:val_loss"),
    "add_scalars Loss": two("Loss_train:Loss", "Loss_val:Loss", "epoch"),
    "add_scalars losses": two("losses_train:losses", "losses_validation:losses"),
    "add_scalars split first": two("train_loss:train_vs_val", "val_loss:train_vs_val"),
    "writers": two("run_train:loss", "run_val:loss"),
    "dev folder": two("train:nll", "dev:nll"),
    "eval beside": two(":loss", "eval:loss"),
    "named evaluation": two(":loss", "eval_holdout:loss"),
    "metric folders beside": two(
        "Loss_train:Loss", "Loss_test:Loss", "epoch", (("Acc_train", "Acc"), ("Acc_test", "Acc"))
    ),
    # Only a training loss.
    "alone": one("loss"),
    "alone with metrics": one("Train/loss", "", others="Test/accuracy,lr"),
    "global": one("global_loss"),
    "step_loss": one("step_loss"),
    "loss at step": one("Loss at each step"),
    "data set": one("mnist/loss"),
}
