"""What one scalar is, by its name: a loss of which data, a part of a loss, a rate, a reward ...

A pure function of names over the tables of `scalar_words`. Which of a run's scalars are then read
is the business of `scalar_choice`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal

from tb_convergence.core.scalar_tags import Role
from tb_convergence.reading import scalar_words as words

Split = Literal["train", "validation", ""]
Pace = Literal["epoch", "step", ""]

MAX_NAME: Final = 300
"""Characters of a tag that are looked at; longer ones are no names that people give."""


@dataclass(frozen=True, slots=True)
class ScalarRole:
    """The meaning of a scalar's name.

    Attributes:
        role: what it is; "loss" also for validation data, see `split`. None if nobody knows.
        split: of which data; "" if the name does not say.
        split_rank: place in `scalar_words.VALIDATION`: lower is better to validate by.
        pace: whether the name says that it is of epochs or of steps.
        part: what is left of a loss's name, such as ("box",); () for the whole loss.
        scope: the same where it stands in a folder above a name that is complete, as in
            "teacher/loss".
        total: whether the name says that it is the whole.
        named: whether it is a loss only by a name such as "mse", which may also be a metric.
        number: the number that ends the name, such as TensorFlow's `loss_1`; None without one.
        higher_is_better: of a metric or a reward.
    """

    role: Role | None
    split: Split = ""
    split_rank: int = 0
    pace: Pace = ""
    part: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    total: bool = False
    named: bool = False
    number: int | None = None
    higher_is_better: bool | None = None


_SEPARATOR: Final = re.compile(r"[^0-9A-Za-z]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_RATE_GROUP: Final = re.compile(r"(?:lr|pg|group|param)_?(\d{1,3})")
_PARAMETER_GROUP: Final = re.compile(r"/pg\d{1,3}$")
"""How Lightning's monitor ends the rate of one of several groups, whatever its schedule's name."""
_LAYER_NORM: Final = re.compile(r"\d+(\.\d+)?")
_GLUED: Final = re.compile(
    rf"({'|'.join(words.GLUED)}|[dg])?(loss|losses|acc|accuracy)({'|'.join(words.GLUED)}|[dg])?"
)
_COMPOUNDS: Final = {
    ("learning", "rate"): "lr",
    ("cross", "entropy"): "crossentropy",
    ("grad", "norm"): "gradnorm",
    ("gradient", "norm"): "gradnorm",
    ("gradients", "norm"): "gradnorm",
    ("grads", "norm"): "gradnorm",
    ("g", "norm"): "gradnorm",
    ("approx", "kl"): "approxkl",
    ("clip", "fraction"): "clipfraction",
    ("clip", "frac"): "clipfraction",
    ("explained", "variance"): "explainedvariance",
    ("expl", "var"): "explainedvariance",
    ("ent", "coef"): "entcoef",
    ("global", "step"): "globalstep",
    ("log", "loss"): "logloss",
    ("log", "likelihood"): "loglikelihood",
    ("log", "lik"): "loglik",
    ("log", "prob"): "logprob",
    ("info", "nce"): "infonce",
    ("nt", "xent"): "ntxent",
    ("free", "energy"): "freeenergy",
    ("held", "out"): "heldout",
    ("hold", "out"): "holdout",
    ("value", "function"): "valuefunction",
    ("success", "rate"): "success",
    ("win", "rate"): "winrate",
    ("policy", "gradient"): "policygradient",
    ("error", "rate"): "errorrate",
    ("top", "1"): "top1",
    ("top", "5"): "top5",
    ("acc", "top"): "acc",
    ("f", "1"): "f1",
    ("soft", "max"): "softmax",
}
_ALONE: Final = {
    "learningrate": "lr",
    "gradnorm": "gradnorm",
    "gnorm": "gradnorm",
    "gradientnorm": "gradnorm",
}


@lru_cache(maxsize=20_000)
def scalar_role(tag: str, split: Split = "") -> ScalarRole:
    """The role of the scalar `tag`; `split` is the data of its run, if the run's name shows it.

    >>> scalar_role("Loss/train").role, scalar_role("val_loss").split
    ('loss', 'validation')
    >>> scalar_role("train/box_loss").part, scalar_role("lr-Adam").role
    (('box',), 'learning_rate')
    >>> scalar_role("rollout/ep_rew_mean").role, scalar_role("loss_scale").role
    ('reward', 'other')
    """
    if len(tag) > MAX_NAME:
        return ScalarRole(None)
    found = tokens(tag)
    of, rank, rest = _split_of(found, split)
    for look in (_rate, _gradient_norm, _reward, _loss, _curriculum, _metric, _agent_alone):
        role = look(tag, rest)
        if role is not None:
            break
    else:
        known = [word for word in rest if not word.isdecimal()]
        counter = (
            (bool(known)
            and known[-1] in words.COUNTERS)
            or any(word in words.COUNTERS - {"n", "rate", "size", "len"} for word in known)
        )
        role = ScalarRole("other" if counter else None)
    pace: Pace = ""
    if words.PER_STEP & set(found):
        pace = "step"
    elif words.PER_EPOCH & set(found):
        pace = "epoch"
    return ScalarRole(
        role.role,
        of,
        rank,
        pace,
        role.part,
        role.scope,
        role.total,
        role.named,
        _number(found),
        role.higher_is_better,
    )


def tokens(tag: str) -> tuple[str, ...]:
    """The words of a name in lower case, compounds joined.

    >>> tokens("trainLoss/Cross_Entropy"), tokens("valloss")
    (('train', 'loss', 'crossentropy'), ('val', 'loss'))
    """
    plain: list[str] = []
    for piece in _SEPARATOR.split(tag):
        for word in _CAMEL.split(piece):
            plain.extend(_unglued(word.lower()) if word else ())
    joined: list[str] = []
    for word in plain:
        pair = (joined[-1], word) if joined else None
        if pair in _COMPOUNDS:
            joined[-1] = _COMPOUNDS[pair]
        else:
            joined.append(_ALONE.get(word, word))
    return tuple(joined)


def _unglued(word: str) -> tuple[str, ...]:
    match = _GLUED.fullmatch(word)
    return tuple(part for part in match.groups() if part) if match else (word,)


def _number(found: Sequence[str]) -> int | None:
    """The number that TensorFlow 1 adds to a name it has given before: at its end, or a scope's."""
    for before, word in zip(("", *found), found, strict=False):
        if word.isdecimal() and len(word) < 6 and (before in words.LOSS or word is found[-1]):
            return int(word)
    return None


def _split_of(found: tuple[str, ...], split: Split) -> tuple[Split, int, tuple[str, ...]]:
    """Of which data a scalar is, how well it validates, and the words that do not say so.

    Of several words, the last one decides: "train/eval_loss" is of validation data, and
    "val_loss_train", which a program logs for each of its splits, of training data.
    """
    ranks = {word: rank for rank, word in enumerate(words.VALIDATION)}
    said = [word.rstrip("0123456789") or word for word in found]
    last = next((w for w in reversed(said) if w in ranks or w in words.TRAINING), "")
    if not last:
        return split, 0, found
    rest = tuple(
        word
        for word, plain in zip(found, said, strict=True)
        if plain not in ranks and plain not in words.TRAINING
    )
    return ("validation", ranks[last], rest) if last in ranks else ("train", 0, rest)


def _rate(tag: str, rest: tuple[str, ...]) -> ScalarRole | None:
    found = set(rest)
    rate = (
        "lr" in found
        or any(re.fullmatch(r"lr\d{1,3}", word) for word in found)
        or _PARAMETER_GROUP.search(tag) is not None
    )
    if not rate or found & {
        "scale",
        "mult",
        "multiplier",
        "decay",
        "ratio",
        "factor",
        "gamma",
        "loss",
        "norm",
        "grad",
        "gradient",
        "momentum",
        "beta",
        "beta1",
        "beta2",
    }:
        return None
    numbers = [int(m[1]) for word in rest if (m := _RATE_GROUP.fullmatch(word))]
    numbers += [int(word) for word in rest if word.isdecimal() and len(word) < 4]
    return ScalarRole("learning_rate", part=(str(max(numbers, default=0)),))


def _gradient_norm(tag: str, rest: tuple[str, ...]) -> ScalarRole | None:
    found = set(rest)
    gradients = found & {"grad", "grads", "gradient", "gradients"}
    if "gradnorm" in found or ("norm" in found and (gradients or found & {"global", "total"})):
        known = {
            "gradnorm",
            "norm",
            *gradients,
            *words.FILLER,
            *words.TOTAL,
            "clip",
            "clipped",
            "before",
            "l2",
            "pre",
            "unclipped",
            "clipping",
            "optimizer",
            "health",
        }
        part = tuple(
            w
            for w in rest
            if w not in known
            and not _LAYER_NORM.fullmatch(w)
            and w not in words.PER_STEP | words.PER_EPOCH
        )
        return ScalarRole("gradient_norm", part=part, total=bool(found & words.TOTAL))
    return None


def _reward(tag: str, rest: tuple[str, ...]) -> ScalarRole | None:
    found = set(rest)
    if not found & words.REWARD or found & words.NOT_THE_REWARD:
        return None
    part = tuple(
        w for w in rest if w not in words.REWARD | words.REWARD_FILLER and not w.isdecimal()
    )
    return ScalarRole(
        "reward", part=part, total="mean" in found or "avg" in found, higher_is_better=True
    )


def _loss(tag: str, rest: tuple[str, ...]) -> ScalarRole | None:
    found = set(rest)
    plain, named = bool(found & words.LOSS), bool(found & words.NAMED_LOSS)
    if found & words.MAXIMIZED:
        if found & words.NEGATED:
            named = True
        elif not plain:
            return None  # rises or falls: only the person who wrote it knows
    # The discriminator's and the generator's "errD", "errG" of the DCGAN tutorial.
    error = (
        len(rest) <= 3
        and found & {"err", "error"}
        and found & (words.GENERATOR | words.DISCRIMINATOR)
    )
    if not (plain or named or error):
        return None
    leaf = set(tokens(re.split(r"[/]", tag.rstrip("/"))[-1]))
    if (
        not leaf & words.LOSS
        and leaf & (words.METRICS_UP - words.NAMED_LOSS)
        and not leaf & words.NAMED_LOSS
    ):
        return None  # a metric in a folder of that name
    if found & words.NOT_THE_VALUE and not _weights_only(rest):
        return ScalarRole("other")
    kind = words.LOSS | words.NAMED_LOSS if not plain else words.LOSS
    if found & words.NEGATED:
        kind |= words.MAXIMIZED | words.NEGATED
    known = kind | words.FILLER | words.TOTAL | words.PER_EPOCH | words.PER_STEP
    part = _parts(rest, known)
    total = bool(found & words.TOTAL)
    side = set(part)
    if side & (words.GENERATOR | words.DISCRIMINATOR) or error:
        role: Role = "discriminator_loss" if side & words.DISCRIMINATOR else "generator_loss"
        own = words.GENERATOR | words.DISCRIMINATOR | {"err", "error", "gan", "adv", "adversarial"}
        return ScalarRole(role, part=tuple(w for w in part if w not in own), total=total)
    if side & words.CRITIC or side & words.AGENT or _value_loss(rest):
        return ScalarRole("agent_loss", part=part or ("value",))
    if (
        plain
        and part
        and set(part)
        <= words.NAMED_LOSS
        | words.MAXIMIZED
        | words.NEGATED
        | {"softmax", "sparse", "categorical", "binary", "softmaxcrossentropy"}
    ):
        part = ()  # "cross_entropy_loss" is the whole of it, as far as its name tells
        return ScalarRole("loss", part=part, total=total, named=True)
    inner = _split_of(tokens(tag.rstrip("/").rpartition("/")[2]), "")[2]
    complete = bool(set(inner) & kind) and not _parts(inner, known)
    return ScalarRole(
        "loss",
        part=() if complete else part,
        scope=part if complete else (),
        total=total,
        named=not plain,
        higher_is_better=None if plain else False,
    )


def _parts(rest: Sequence[str], known: frozenset[str]) -> tuple[str, ...]:
    """Words of `rest` that are not `known`; numbers only behind a word that counts trainings."""
    return tuple(
        word
        for before, word in zip(("", *rest), rest, strict=False)
        if word not in known and (not word.isdecimal() or before in words.REPLICAS)
    )


def _value_loss(rest: Sequence[str]) -> bool:
    """Whether it is the loss of a value network, not just the "loss value"."""
    return any(
        before == "value" and word in words.LOSS
        for before, word in pairwise(rest)
    )


def _weights_only(rest: tuple[str, ...]) -> bool:
    """Whether "weight" and its like qualify the loss: a "weighted loss", a "weight decay loss"."""
    found = set(rest)
    return "decay" in found and "weight" in found and not found & {"coef", "scale", "std", "lambda"}


def _curriculum(tag: str, rest: tuple[str, ...]) -> ScalarRole | None:
    return ScalarRole("curriculum") if set(rest) & words.CURRICULUM else None


def _metric(tag: str, rest: tuple[str, ...]) -> ScalarRole | None:
    found = {word.rstrip("0123456789") or word for word in rest} | set(rest)
    if found & {"std", "stddev", "best", "min", "max", "count"}:
        return ScalarRole("other") if found & (words.METRICS_UP | words.METRICS_DOWN) else None
    up, down = found & words.METRICS_UP, found & (words.METRICS_DOWN - {"per"})
    if "dice" in found:
        up = up | {"dice"}
    if up or down:
        return ScalarRole("metric", part=tuple(sorted(up or down)), higher_is_better=bool(up))
    return None


def _agent_alone(tag: str, rest: tuple[str, ...]) -> ScalarRole | None:
    return ScalarRole("agent_loss", part=rest) if set(rest) & words.AGENT_ALONE else None
