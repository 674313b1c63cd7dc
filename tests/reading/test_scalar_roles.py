"""What a scalar's name says: a table of the names that frameworks and people write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.reading.frameworks import framework_of
from tb_convergence.reading.patterns import ScalarRule, TagPatternError, parse_tags
from tb_convergence.reading.runs import FoldedRun
from tb_convergence.reading.scalar_choice import choose
from tb_convergence.reading.scalar_roles import scalar_role

TRAINING = """Loss/train|train_loss|train/loss|loss_train|Train/Loss|Epoch/train_loss
Loss/train_loss|training loss|train_loss_step|train_loss_epoch|trainLoss|Training/Loss
val_loss_train_step|eval_train/loss|val/train_loss"""
PLAIN = """Loss|loss|total_loss|loss/loss|loss/loss/loss|total_loss_1|cost|Losses/TotalLoss
Loss/total_loss|batch_loss|epoch_loss|loss_1|mean_loss|loss_value"""
VALIDATION = """Loss/test|Loss/val|val_loss|val/loss|Loss_val|loss_val|Validation loss|dev_loss
valid/loss|eval/loss|validation_loss|epoch_val_loss|evaluation_loss_vs_iterations|test/loss
train/eval_loss|training_eval/loss|train_val_loss|cv_loss|loss/va"""
RATES = """lr|Learning rate|lr-Adam|lr-SGD/pg1|train/learning_rate|x/lr0|lr/pg2|learning_rate_1
Policy/Learning Rate|epoch_lr|epoch_learning_rate|batch_learning_rate|train/lr"""
REWARDS = """rollout/ep_rew_mean|Environment/Cumulative Reward|charts/episodic_return
episode_reward_mean|ray/tune/episode_reward_mean|eval/mean_reward|AverageEpRet|train/reward"""
AGENTS = """train/value_loss|train/policy_gradient_loss|train/entropy_loss|Losses/Policy Loss
Losses/Value Loss|losses/td_loss|train/actor_loss|train/critic_loss|losses/qf1_loss
train/approx_kl|train/clip_fraction|train/explained_variance"""
OTHERS = """loss_scale|best_val_loss|epoch|global_step/sec|hp_metric|loss_weight|train_loss_std
min_loss|rollout/ep_len_std_time|train/epoch|time/fps|momentum/pg1|lr-SGD/pg1-momentum"""


def listed(text: str) -> list[str]:
    return text.replace("\n", "|").split("|")


CASES = [
    *((tag, "loss", "train") for tag in listed(TRAINING)),
    *((tag, "loss", "") for tag in listed(PLAIN)),
    *((tag, "loss", "validation") for tag in listed(VALIDATION)),
    *((tag, "learning_rate", None) for tag in listed(RATES)),
    *((tag, "reward", None) for tag in listed(REWARDS)),
    *((tag, "agent_loss", None) for tag in listed(AGENTS)),
    ("ppo/clip_objective", "agent_loss", None), ("losses/dqn_loss", "agent_loss", None),
    *((tag, "other", None) for tag in listed(OTHERS)),
    *((tag, "discriminator_loss", None) for tag in ("d_loss", "Loss/D", "errD", "D_loss_real")),
    *((tag, "generator_loss", None) for tag in ("g_loss", "Loss/G", "errG", "gen_loss")),
    *((tag, "gradient_norm", None) for tag in ("train/grad_norm", "grad_2.0_norm_total", "gnorm")),
    ("curriculum/level", "curriculum", None), ("accuracy/val", "metric", None),
    ("rewards/chosen", None, None), ("W_conv1", None, None),
    # Whether these should rise or fall, only their writer knows.
    ("log_likelihood", None, None), ("ELBO/train", None, None),
]


@pytest.mark.parametrize(("tag", "role", "split"), CASES, ids=[case[0] for case in CASES])
def test_roles(tag: str, role: str | None, split: str | None) -> None:
    found = scalar_role(tag)
    assert found.role == role
    assert split is None or (found.split, found.part) == (split, ())


@pytest.mark.parametrize(("tag", "part"), [
    ("train/box_loss", ("box",)), ("loss_cls", ("cls",)), ("loss_box_reg", ("box", "reg")),
    ("kl_loss", ("kl",)), ("loss/train/classifier", ("classifier",)),
    ("InfoNCE", ()), ("train/nt_xent", ()), ("neg_elbo", ()), ("negative_log_likelihood", ()),
])
def test_terms(tag: str, part: tuple[str, ...]) -> None:
    assert (scalar_role(tag).role, scalar_role(tag).part) == ("loss", part)


@pytest.mark.parametrize(("tag", "up"), [
    ("val_acc", True), ("metrics/mAP_0.5", True), ("test/f1", True), ("val_ppl", False),
    ("train/error", False), ("dev_wer", False),
])
def test_metrics_have_a_direction(tag: str, up: bool) -> None:
    assert (scalar_role(tag).role, scalar_role(tag).higher_is_better) == ("metric", up)


@given(st.text(max_size=400))
def test_any_name_has_an_answer(tag: str) -> None:
    assert scalar_role(tag) == scalar_role(tag)


def read(*tags: str, tags_rule: str = "") -> dict[str, str]:
    rules = [rule for rule in parse_tags(tags_rule) if isinstance(rule, ScalarRule)]
    choice = choose({"r": tags}, FoldedRun("r", ("r",)), rules)
    return {name: ways[0].source for name, ways in choice.ways.items()}


@pytest.mark.parametrize(("tags", "expected"), [
    (("train/box_loss", "train/cls_loss"), {"loss": "train/box_loss + train/cls_loss"}),
    (("total_loss", "loss_cls"), {"loss": "total_loss"}),
    (("Loss/val", "Loss/test", "Loss/train"),
     {"loss": "Loss/train", "validation_loss": "Loss/val"}),
    (("teacher/loss", "student/loss"), {}),
    (("regularization_loss",), {}),
    (("train/loss", "train/value_loss", "rollout/ep_rew_mean"),
     {"loss": "train/loss", "reward": "rollout/ep_rew_mean"}),
    (("g_loss", "critic_loss"),
     {"loss": "critic_loss", "generator_loss": "g_loss", "discriminator_loss": "critic_loss"}),
    (("lr-Adam/pg2", "lr-Adam/pg1"), {"learning_rate": "lr-Adam/pg1"}),
    (("supervised_loss", "unsupervised_loss"), {"loss": "supervised_loss + unsupervised_loss"}),
    (("supervised_loss", "l2_loss"), {"loss": "supervised_loss"}),
    (("data_loss", "pde_loss", "total_loss"), {"loss": "total_loss"}),
    # Beside an actor and its critic neither a temperature's loss nor auxiliary terms are the loss.
    (("actor_loss", "critic_loss", "ent_coef_loss", "ep_rew_mean"),
     {"loss": "critic_loss", "reward": "ep_rew_mean"}),
    (("Losses/Policy Loss", "Losses/Value Loss", "Losses/Imitation Loss", "Episode Reward"),
     {"loss": "Losses/Value Loss", "reward": "Episode Reward"}),
    (("train/Entropy", "val/Entropy", "Reg_loss"),
     {"loss": "train/Entropy", "validation_loss": "val/Entropy"}),
    (("loss", "entropy"), {"loss": "loss"}),
    (("training_epoch_average", "validation_epoch_average"),
     {"loss": "training_epoch_average", "validation_loss": "validation_epoch_average"}),
    (("train", "val", "lr"),
     {"loss": "train", "validation_loss": "val", "learning_rate": "lr"}),
    # A program that logs one name for each split: the last word decides of which data it is.
    (("val_loss_train_epoch", "val_loss_valid_epoch", "val_loss_test_epoch"),
     {"epoch_loss": "val_loss_train_epoch", "validation_loss": "val_loss_valid_epoch"}),
    # The steps of Lightning's validation loss per step count validation batches.
    (("train_loss", "val_loss_step", "val_loss_epoch"),
     {"loss": "train_loss", "validation_loss": "val_loss_epoch"}),
    (("Training/Overall", "Training/KL", "Validation/Overall", "Validation/KL"),
     {"loss": "Training/Overall", "validation_loss": "Validation/Overall"}),
    (("val/loss", "val/entropy"), {"validation_loss": "val/loss"}),
    (("Overall", "total"), {}),  # of what, nobody knows
    (("train/loss", "linear-schedule/pg2", "linear-schedule/pg1"),
     {"loss": "train/loss", "learning_rate": "linear-schedule/pg1"}),
    (("l1_loss/train", "l1_loss/val"),
     {"loss": "l1_loss/train", "validation_loss": "l1_loss/val"}),
    (("loss_tr", "loss_te"), {"loss": "loss_tr", "validation_loss": "loss_te"}),
    (("tr_loss", "cv_loss"), {"loss": "tr_loss", "validation_loss": "cv_loss"}),
    (("train", "train_mean"), {}),  # which of the two nobody knows
    (("train_epoch", "val_epoch", "train_time"), {}),
    (("loss", "accuracy", "val_accuracy"),
     {"loss": "loss", "metric": "accuracy", "validation_metric": "val_accuracy"}),
    # Where nothing else is a loss, a perplexity is, up to its logarithm.
    (("train/ppl", "valid/ppl", "wps"),
     {"loss": "ln train/ppl", "validation_loss": "ln valid/ppl"}),
    (("train/perplexity", "train/bpc"), {"loss": "train/bpc"}),
    (("loss", "valid/ppl"), {"loss": "loss"}),
    # What `add_hparams` writes is the result of a whole training, and no series.
    (("loss", "hparam/acc", "Accuracy/val"),
     {"loss": "loss", "validation_metric": "Accuracy/val"}),
    (("loss", "val/auc", "val/top5", "val/acc"), {"loss": "loss", "validation_metric": "val/acc"}),
    (("loss", "error_rate"), {"loss": "loss"}),
    # Sums of the same terms: validation logs one more, or lacks one of three.
    (("train/a_loss", "train/b_loss", "val/a_loss", "val/b_loss", "val/c_loss"),
     {"loss": "train/a_loss + train/b_loss", "validation_loss": "val/a_loss + val/b_loss"}),
    (("train/a_loss", "train/b_loss", "train/c_loss", "val/a_loss", "val/b_loss"),
     {"loss": "train/a_loss + train/b_loss", "validation_loss": "val/a_loss + val/b_loss"}),
    # One term of three is too little of the loss to read in its place.
    (("train/a_loss", "train/b_loss", "train/c_loss", "val/a_loss"),
     {"loss": "train/a_loss + train/b_loss + train/c_loss", "validation_loss": "val/a_loss"}),
])
def test_what_is_read(tags: tuple[str, ...], expected: dict[str, str]) -> None:
    assert read(*tags) == expected


@pytest.mark.parametrize(("tags", "asked"), [
    (("kl", "elbo"), ["elbo", "kl"]),
    (("val/energy", "train/energy"), ["train/energy", "val/energy"]),
    (("acc/train", "acc/val"), []),
])
def test_the_likeliest_loss_is_asked_about_first(tags: tuple[str, ...], asked: list[str]) -> None:
    choice = choose({"r": tags}, FoldedRun("r", ("r",)))
    assert [one.tag for one in choice.tags if one.use == "asked"] == asked


def test_a_person_overrules_names() -> None:
    tags = ("train/a", "train/b", "val/loss", "loss")
    told = "loss=train/a+train/b,validation=loss,no_scalar=val/loss"
    assert read(*tags, tags_rule=told) == {
        "loss": "train/a + train/b", "validation_loss": "loss",
    }
    choice = choose({"r": tags}, FoldedRun("r", ("r",)), parse_tags(told))  # type: ignore[arg-type]
    assert {one.tag for one in choice.tags if one.use == "told"} == {"train/a", "train/b", "loss"}


@pytest.mark.parametrize("text", ["loss=", "loss=a+", "training=x", "training=0", "training=1+2"])
def test_rules_that_say_nothing(text: str) -> None:
    with pytest.raises(TagPatternError):
        parse_tags(text)


def test_rules_are_written_as_they_are_read() -> None:
    (rule,) = parse_tags(r"loss=a\+b+c\,d")
    assert rule == ScalarRule("loss", ("a+b", "c,d"))
    assert parse_tags(rule.rule) == (rule,)


@pytest.mark.parametrize(("tags", "name"), [
    (["epoch_loss"], ""), (["epoch_loss", "epoch_learning_rate"], "keras"),
    (["evaluation_loss_vs_iterations"], "keras"), (["train_loss_step", "epoch"], "lightning"),
    (["train/loss", "train/grad_norm"], "huggingface"), (["x/lr0", "train/box_loss"], "yolo"),
    (["rollout/ep_rew_mean"], "stable-baselines3"), (["global_step/sec"], "tf1"),
    (["Loss/train", "lr"], ""), ([], ""),
])
def test_frameworks(tags: list[str], name: str) -> None:
    assert framework_of({"run": tags}) == name


@pytest.mark.parametrize(("run", "name"), [
    ("a/train", "keras"), ("validation", "keras"), ("a/retrain", ""), ("train/a", ""), ("", ""),
])
def test_keras_is_known_by_its_folders(run: str, name: str) -> None:
    assert framework_of({"other": ["x"], run: ["epoch_loss"]}) == name
