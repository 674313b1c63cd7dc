"""Which of a run's scalars are read: one loss, one validation loss, one rate, one reward.

Of several candidates for one series the best comes first; the reader takes the next where the first
holds nothing. Terms of a composed loss are summed where no scalar is the whole of it. Whatever may
be a loss and is not read is listed, so that a person can be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from tb_convergence.core.scalar_tags import MOST_LISTED, Role, ScalarTag, Use
from tb_convergence.reading import scalar_words as words
from tb_convergence.reading.patterns import SCALARS, ScalarRule
from tb_convergence.reading.runs import FoldedRun
from tb_convergence.reading.scalar_roles import ScalarRole, Split, scalar_role, tokens

Place = tuple[str, str]
"""TensorBoard's run, tag."""

MAX_TERMS: Final = 24
"""Terms of one sum; more are the scalars of layers, not of one loss."""

_KERAS_EPOCH: Final = ("epoch_", "epoch/")
_KERAS_BATCH: Final = ("batch_", "batch/")

_ROLE_OF: Final[Mapping[str, Role]] = {
    "total_gradient_norm": "gradient_norm", "validation_metric": "metric",
}
"""Role of the scalars of those series whose name is not one."""

_RESULT_OF_HPARAMS: Final = ("hparam/", "hparams/")
"""How torch's `add_hparams` names the result of a whole training: one value, and no series."""

_USES: Final[Sequence[Use]] = ("told", "read", "part", "asked", "spare")


@dataclass(frozen=True, slots=True)
class Picked:
    """One way to fill a series: a scalar, or the sum of several.

    `pace` is what its name or its writer says that it counts: "epoch", "batch" (Keras' own), or "".
    `logarithm`: its values are perplexities, of which the loss is the natural logarithm.
    """

    places: tuple[Place, ...]
    pace: Literal["epoch", "batch", ""] = ""
    told: bool = False
    logarithm: bool = False

    @property
    def source(self) -> str:
        """The tags, as a person would write the sum."""
        tags = " + ".join(tag for _, tag in self.places)
        return f"ln {tags}" if self.logarithm else tags


@dataclass(slots=True)
class Choice:
    """What to read of a run's scalars.

    Attributes:
        ways: series of the history -> ways to fill it, best first.
        tags: every scalar that means something or may be a loss, those that are read first.
    """

    ways: dict[str, list[Picked]] = field(default_factory=dict)
    tags: list[ScalarTag] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Candidate:
    place: Place
    role: ScalarRole
    member: int

    @property
    def tag(self) -> str:
        return self.place[1]

    @property
    def own(self) -> bool:
        """Whether it is of training data, or does not say."""
        return self.role.split != "validation"

    @property
    def only_alone(self) -> bool:
        """Whether it is the whole loss only where no other term stands beside it."""
        words_of = set(tokens(self.tag))
        return not self.role.total and bool(words_of & words.ALONE_THE_LOSS)

    @property
    def pace(self) -> Literal["epoch", "batch", ""]:
        """As `Picked.pace`."""
        low = self.tag.lower()
        if low.startswith(_KERAS_EPOCH):
            return "epoch"
        return "batch" if low.startswith(_KERAS_BATCH) and self.own else ""

    @property
    def order(self) -> tuple[bool, bool, bool, bool, bool, int, int, bool, int, int, str]:
        """Sort key of a loss: the better one is smaller.

        The steps of a validation loss per step, as Lightning logs it, count validation batches.
        """
        role = self.role
        return (
            not self.own and role.pace == "step",
            bool(role.scope),
            role.named,
            not role.total,
            self.pace != "batch",
            role.split_rank,
            -1 if role.number is None else role.number,
            role.split == "",
            self.member,
            len(self.tag),
            self.tag,
        )


def choose(
    listed: Mapping[str, Iterable[str]], run: FoldedRun, rules: Sequence[ScalarRule] = ()
) -> Choice:
    """Choose the scalars of `run` to read, from those `listed`; `rules` take precedence."""
    told = {tag: rule for rule in rules if rule.role != "training" for tag in rule.tags}
    candidates = []
    for number, member in enumerate(run.members):
        split: Split = "validation" if member in run.validation else ""
        for tag in sorted(listed.get(member, ())):
            role = ScalarRole("other") if tag in told else scalar_role(tag, split)
            candidates.append(_Candidate((member, tag), role, number))
    choice = Choice()
    asked = _losses(candidates, choice)
    _others(candidates, choice)
    _told(rules, listed, run, choice)
    choice.tags = _listed(candidates, choice, asked, told)
    return choice


def _of(candidates: Iterable[_Candidate], role: Role, own: bool = True) -> list[_Candidate]:
    return [one for one in candidates if one.role.role == role and one.own == own]


def _losses(candidates: Sequence[_Candidate], choice: Choice) -> frozenset[Place]:
    """Fill in the losses; which scalars are asked about."""
    asked: set[Place] = set()
    agents, generators = _of(candidates, "agent_loss"), _of(candidates, "generator_loss")
    discriminators = _of(candidates, "discriminator_loss") + [
        one for one in agents if generators and set(one.role.part) & words.CRITIC
    ]
    rewarded = any(one.role.role == "reward" for one in candidates)
    acting = (
        rewarded
        or len({one.role.part for one in agents}) > 1
        or any(set(one.role.part) & words.AGENT_ALGORITHMS for one in agents)
    )
    duel = bool(generators and discriminators)
    for own in (True, False):
        losses = _of(candidates, "loss", own)
        if acting and agents:
            # Beside an actor and its critic, a term or a temperature's loss is not the whole.
            losses = [one for one in losses if not one.role.part and not one.role.named]
        if not acting:
            losses += [
                one
                for one in _of(candidates, "agent_loss", own)
                if not (duel and set(one.role.part) & words.CRITIC)
            ]
        if not duel:
            losses += _of(candidates, "generator_loss", own)
            losses += _of(candidates, "discriminator_loss", own)
        slow = [one for one in losses if own and one.role.pace == "epoch"]
        fast = [one for one in losses if one not in slow]
        for name, some in (("loss" if own else "validation_loss", fast), ("epoch_loss", slow)):
            ways, unsure = _ways(some)
            asked |= unsure
            if ways:
                choice.ways[name] = ways
    _same_terms(candidates, choice.ways)
    if duel:
        choice.ways["generator_loss"] = [_single(one) for one in sorted(generators, key=_whole)]
        choice.ways["discriminator_loss"] = [
            _single(one) for one in sorted(discriminators, key=_whole)
        ]
    if not choice.ways.keys() & {"loss", "epoch_loss"} and (duel or acting):
        # No loss is the whole: one is read all the same, to see it become NaN.
        some = (
            discriminators
            if duel
            else [one for one in agents if not set(one.role.part) & words.AGENT_ALONE]
        )
        if some:
            choice.ways["loss"] = [_single(one) for one in sorted(some, key=_valuable)]
    if not choice.ways.keys() & {"loss", "epoch_loss"} and not acting:
        for own in (True, False):
            nameless = [one for one in candidates if one.own == own and _is_nameless(one)]
            name = "loss" if own else "validation_loss"
            # Beside a validation loss that says so, it is read only to go with one of training.
            if len(nameless) == 1 and (name not in choice.ways or "loss" in choice.ways):
                choice.ways[name] = [_single(nameless[0])]
    if not choice.ways.keys() & {"loss", "epoch_loss"} and not (acting or duel):
        _likelihoods(candidates, choice)
    return frozenset(asked)


def _likelihoods(candidates: Sequence[_Candidate], choice: Choice) -> None:
    """Read a perplexity, or the bits per symbol, where no loss was logged: both fall with it."""
    for own in (True, False):
        found = sorted(
            (
                one for one in _of(candidates, "metric", own)
                if {*one.role.part} <= words.LIKELIHOODS and one.role.part
            ),
            key=lambda one: (one.role.split_rank, one.role.split == "", len(one.tag), one.tag),
        )
        if found:
            choice.ways["loss" if own else "validation_loss"] = [
                replace(_single(one), logarithm=bool({*one.role.part} & words.PERPLEXITIES))
                for one in found
            ]


def _is_nameless(one: _Candidate) -> bool:
    """Whether the name says only "entropy", or of which data it is: "train_epoch_average".

    Where nothing else is a loss, the first is a cross-entropy, and the second the loss. So is
    "Training/Overall" beside its terms.
    """
    found = set(tokens(one.tag))
    # "train_epoch" counts; "train_epoch_average" is the average of something.
    if one.role.role is not None and not (one.role.role == "other" and found & words.AVERAGES):
        return False
    said = found - words.FILLER - words.PER_EPOCH - words.PER_STEP
    rest = said - words.TRAINING - {*words.VALIDATION}
    if rest and rest <= words.TOTAL:
        return bool(one.role.split) and rest != said
    return rest == {"entropy"} or (not rest and bool(said))


def _whole(one: _Candidate) -> tuple[int, bool, str]:
    return len(one.role.part), not one.role.total, one.tag


def _valuable(one: _Candidate) -> tuple[bool, str]:
    """An agent's value loss first: it is a regression, and grows when values explode."""
    return not set(one.role.part) & {"value", "vf", "critic", "td", "q", "qf", "qf1"}, one.tag


def _single(one: _Candidate) -> Picked:
    return Picked((one.place,), one.pace)


def _ways(losses: Sequence[_Candidate]) -> tuple[list[Picked], set[Place]]:
    """Ways to read one loss, best first, and those scalars of which nobody knows which it is."""
    whole = sorted((one for one in losses if not one.role.part), key=lambda one: one.order)
    terms = [one for one in losses if one.role.part]
    if terms and whole and all(one.role.named for one in whole):
        # "loss_ce" beside "loss_dice": one term of several, not the whole loss.
        terms += [one for one in whole if one.role.higher_is_better is None]
        whole = []
    if whole and all(one.only_alone for one in whole) and (
        len({tokens(one.tag) for one in whole}) > 1
        or any(set(one.role.part) - words.PENALTIES for one in terms)
    ):
        return _sums([*whole, *terms]), set()
    asked: set[Place] = set()
    scopes = {one.role.scope for one in whole}
    if whole and () not in scopes and len(scopes) > 1:
        # "teacher/loss" beside "student/loss": which of them is the loss, only a person knows.
        asked |= {one.place for one in whole}
        whole = []
    ways = [_single(one) for one in whole]
    if whole:
        # TensorFlow 1's "loss" and "loss_1": the same twice, or the validation's.
        asked |= {
            one.place
            for one in whole[1:]
            if one.role.number is not None
            and not whole[0].role.split
            and not one.role.split
            and one.role.number != whole[0].role.number
        }
    elif terms and any(set(one.role.part) - words.PENALTIES for one in terms):
        ways += _sums(terms)
    elif terms:
        asked |= {one.place for one in terms}
    return ways, asked


def _sums(terms: Sequence[_Candidate]) -> list[Picked]:
    """The sum of all terms, of one member and split; then each by itself."""
    first = min(terms, key=lambda one: (one.role.split_rank, one.role.split == "", one.member))
    together = sorted(
        (
            one
            for one in terms
            if (one.role.split_rank, one.role.split, one.member)
            == (first.role.split_rank, first.role.split, first.member)
        ),
        key=lambda one: one.tag,
    )
    totals = [one for one in together if one.role.total]
    if totals or len(together) > MAX_TERMS:
        return [_single(one) for one in totals or together]
    summed = Picked(tuple(one.place for one in together), together[0].pace)
    return [summed, *(_single(one) for one in together if len(together) > 1)]


def _same_terms(candidates: Sequence[_Candidate], ways: dict[str, list[Picked]]) -> None:
    """Compare like with like: sum the same terms of training and validation, where both are sums.

    A sum of other terms is another quantity. Validation gives up what training does not log, and
    training what validation does not, as long as most of its terms remain.
    """
    parts = {one.place: one.role.part for one in candidates}
    validation = ways.get("validation_loss", [])
    for name in ("loss", "epoch_loss"):
        training = ways.get(name, [])
        if not training or not validation:
            continue
        ours, theirs = training[0].places, validation[0].places
        shared = {parts[place] for place in ours} & {parts[place] for place in theirs}
        if () in shared or not shared or max(len(ours), len(theirs)) < 2:
            continue
        validation[0] = _only(validation[0], shared, parts)
        if 2 * len(shared) > len(ours):
            training[0] = _only(training[0], shared, parts)


def _only(sum_: Picked, shared: set[tuple[str, ...]], parts: Mapping[Place, object]) -> Picked:
    return replace(sum_, places=tuple(place for place in sum_.places if parts[place] in shared))


def _others(candidates: Sequence[_Candidate], choice: Choice) -> None:
    rates = sorted(
        _of(candidates, "learning_rate"),
        key=lambda one: (int(one.role.part[0]), one.pace == "epoch", len(one.tag), one.tag),
    )
    rewards = sorted(
        (one for one in candidates if one.role.role == "reward"),
        key=lambda one: (len(one.role.part), not one.own, not one.role.total, one.tag),
    )
    norms = sorted(
        (one for one in _of(candidates, "gradient_norm") if not one.role.part),
        key=lambda one: (not one.role.total, one.tag),
    )
    steps = _of(candidates, "curriculum")
    metrics = sorted(
        (
            one for one in _of(candidates, "metric")
            if one.role.higher_is_better and not one.tag.lower().startswith(_RESULT_OF_HPARAMS)
        ),
        key=lambda one: (one.pace == "epoch", len(one.role.part), len(one.tag), one.tag),
    )
    judged = sorted(
        (one for one in _of(candidates, "metric", own=False) if one.role.higher_is_better),
        key=lambda one: (one.role.pace == "step", not _is_accuracy(one), one.role.split_rank,
                         len(one.role.part), len(one.tag), one.tag),
    )
    for name, found in (
        ("learning_rate", rates),
        ("reward", rewards),
        ("total_gradient_norm", norms),
        ("curriculum", steps),
        ("metric", metrics if choice.ways and not rewards else []),
        ("validation_metric", judged if choice.ways and not rewards else []),
    ):
        if found:
            choice.ways[name] = [_single(one) for one in found]


def _is_accuracy(one: _Candidate) -> bool:
    return bool({*one.role.part} & {"accuracy", "acc", "acc1", "top1"})


def _told(
    rules: Sequence[ScalarRule], listed: Mapping[str, Iterable[str]], run: FoldedRun, choice: Choice
) -> None:
    """What a person said comes first. Later rules give way to earlier ones."""
    for rule in reversed(rules):
        name = SCALARS[rule.role]
        if name is None:
            continue
        places = tuple(
            (member, tag) for tag in rule.tags for member in _member_of(tag, rule, listed, run)
        )
        if places:
            choice.ways.setdefault(name, []).insert(0, Picked(places, told=True))
            if name == "loss":
                choice.ways.pop("epoch_loss", None)


def _member_of(
    tag: str, rule: ScalarRule, listed: Mapping[str, Iterable[str]], run: FoldedRun
) -> tuple[str, ...]:
    """The run that holds `tag`: for a validation loss one of validation data, where one does."""
    order = run.members if rule.role != "validation" else (*run.validation, *run.training)
    return next(((member,) for member in order if tag in listed.get(member, ())), ())


def _listed(
    candidates: Sequence[_Candidate],
    choice: Choice,
    asked: frozenset[Place],
    told: Mapping[str, ScalarRule],
) -> list[ScalarTag]:
    taken: dict[Place, tuple[Role, Use]] = {}
    for name, ways in choice.ways.items():
        role: Role = _ROLE_OF.get(name, name)  # type: ignore[arg-type]
        use: Use = "told" if ways[0].told else "part" if len(ways[0].places) > 1 else "read"
        for place in ways[0].places:
            if place not in taken or role in ("loss", "epoch_loss"):
                taken[place] = role, use
    lacking = not choice.ways.keys() & {"loss", "epoch_loss"}
    result = []
    for one in candidates:
        role_of: Role | None = one.role.role
        if role_of == "loss" and not one.own:
            role_of = "validation_loss"
        if one.place in taken:
            role_of, how = taken[one.place]
        elif one.place in asked or role_of is None or (lacking and one.role.named):
            how = "asked"
        elif role_of == "other":
            continue
        else:
            how = "spare"
        result.append(ScalarTag(one.tag, one.place[0], role_of, how, one.role.higher_is_better))
    result.sort(key=lambda one: (_USES.index(one.use), one.role is None, _unlikely(one.tag)))
    return result[:MOST_LISTED]


def _unlikely(tag: str) -> int:
    """Order of the scalars that a person is asked about: the likeliest loss first."""
    found = set(tokens(tag)) - words.FILLER - words.TRAINING
    if found & words.MAXIMIZED:
        return 0
    return 2 if found & words.KNOWN_PARTS or found & set(words.VALIDATION) else 1
