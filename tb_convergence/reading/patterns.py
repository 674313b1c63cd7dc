"""How a person says what summaries are, where their names do not.

`gradients=dW/{v},variables=W/{v}` says which histograms are gradients and which variables;
`loss=train/box_loss+train/cls_loss,validation=val/loss` says which scalars are the loss: one tag,
or several with a plus between them, whose sum it is. `training=1` reads the oldest of several
trainings in one folder. TensorBoard's flag `--convergence_tags`, the
option `--tags` of the command line, the argument `tags` of `diagnose` and the parameter `tags` of
the server all understand both. A rule is a role and what has it; of several rules the first that
fits decides. For histograms a rule holds a pattern, whose braces hold the variable's name:

* `dW/{v}`: every tag that begins with `dW/`; what follows is the name.
* `dW/{conv*}`: the same, of names that fit; `*` stands for any text.
* `{v}`, with nothing around it: tags that are only the name of a variable, one that ends as such
  names do (weight, kernel, bias, ...), and do not say more.
* `{*}`, `{block*}`: any tag that does not say by itself what it is, and fits.

So a pattern with text around its braces overrules what a tag says by itself, and one without only
decides what is left open. A backslash takes the meaning of the character after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["gradient", "variable"]
Choice = Literal["gradient", "variable", "neither"]

CHOICES: Final[Mapping[str, Choice]] = {
    "gradients": "gradient", "gradient": "gradient", "variables": "variable",
    "variable": "variable", "weights": "variable", "neither": "neither",
}
"""What may stand before "=" -> what is meant."""

ScalarChoice = Literal["loss", "validation", "rate", "reward", "training", "neither_scalar"]

SCALAR_CHOICES: Final[Mapping[str, ScalarChoice]] = {
    "loss": "loss", "training": "training", "validation": "validation", "val": "validation",
    "validation_loss": "validation", "val_loss": "validation", "rate": "rate",
    "learning_rate": "rate", "lr": "rate", "reward": "reward", "return": "reward",
    "no_scalar": "neither_scalar",
}
"""What may stand before "=" of scalars -> what is meant."""

SCALARS: Final[Mapping[ScalarChoice, str | None]] = {
    "loss": "loss", "validation": "validation_loss", "rate": "learning_rate", "reward": "reward",
    "training": None, "neither_scalar": None,
}
"""Role -> the series of the history that it fills; None of a scalar that is not to be read,
and of the number of a training."""

MAX_CHARACTERS: Final = 2_000
MAX_RULES: Final = 32

_WRITTEN: Final[Mapping[Choice, str]] = {
    "gradient": "gradients", "variable": "variables", "neither": "neither",
}
_EXAMPLE: Final = "gradients=dW/{v},variables=W/{v}"
_SCALAR_EXAMPLE: Final = "loss=train/box_loss+train/cls_loss,validation=val/loss"
_SPECIAL: Final = "\\,{}"

Sign = tuple[str, bool]
"""A character, and whether a backslash stands before it."""

_STAR: Final[Sign] = ("*", False)


class TagPatternError(ValueError):
    """The text is not a valid list of tag rules; the message says why."""


@dataclass(frozen=True, slots=True)
class TagPattern:
    """One rule: histograms of this form are gradients, variables, or neither.

    Attributes:
        role: what they are.
        before, after: text around the braces.
        name: parts of the name between its `*`; () for `{v}`, which is any name.
    """

    role: Choice
    before: str
    after: str
    name: tuple[str, ...] = ()

    @classmethod
    def parse(cls, pattern: str, role: Choice) -> TagPattern:
        """The pattern in `pattern`, such as "model/{v}:dw"; nothing in it is left to `parse_tags`.

        Raises:
            TagPatternError: it does not have one pair of braces with a name in it.

        >>> TagPattern.parse("W/{v}", "variable")
        TagPattern(role='variable', before='W/', after='', name=())
        """
        return cls._of(list(_signs(pattern)), role)

    @classmethod
    def _of(cls, signs: Sequence[Sign], role: Choice) -> TagPattern:
        opened = [place for place, sign in enumerate(signs) if sign == ("{", False)]
        closed = [place for place, sign in enumerate(signs) if sign == ("}", False)]
        if len(opened) != 1 or len(closed) != 1 or closed[0] < opened[0]:
            raise TagPatternError(
                f"pattern {_quoted(_plain(signs))}: expected braces exactly once, in place of the "
                "variable's name, as in 'dW/{v}'; write \\{ for a brace that is part of a tag"
            )
        before, after = _plain(signs[: opened[0]]), _plain(signs[closed[0] + 1 :])
        inner = signs[opened[0] + 1 : closed[0]]
        if _plain(inner) == "v":
            return cls(role, before, after)
        if _STAR not in inner:
            raise TagPatternError(
                f"pattern {_quoted(_plain(signs))}: expected v between the braces for any name, or "
                "a name with * for any text, as in '{conv*}'"
            )
        return cls(role, before, after, tuple(_plain(part) for part in _split(inner, _STAR)))

    @property
    def decides_open(self) -> bool:
        """Whether it only decides about tags that do not say by themselves what they are."""
        return not self.before and not self.after

    @property
    def text(self) -> str:
        """The pattern as text; `parse` reads it back.

        >>> TagPattern("variable", "a,b/", "", ("conv", "")).text
        'a\\\\,b/{conv*}'
        """
        name = "*".join(_written(part, _SPECIAL + "*") for part in self.name) if self.name else "v"
        return f"{_written(self.before)}{{{name}}}{_written(self.after)}"

    @property
    def rule(self) -> str:
        """Role and pattern, as `parse_tags` takes them."""
        return f"{_WRITTEN[self.role]}={self.text}"

    def name_in(self, tag: str) -> str:
        """The variable's name in `tag`; "" if the pattern does not fit.

        >>> pattern = TagPattern.parse("dW/{v}", "gradient")
        >>> pattern.name_in("dW/fc1"), pattern.name_in("W/fc1")
        ('fc1', '')
        """
        if not (tag.startswith(self.before) and tag.endswith(self.after)):
            return ""
        name = tag[len(self.before) : max(len(self.before), len(tag) - len(self.after))]
        return name if not self.name or fits(name, self.name) else ""


@dataclass(frozen=True, slots=True)
class ScalarRule:
    """One rule: these scalars are the loss, the validation loss, the rate, the reward, or nothing.

    Attributes:
        role: what they are.
        tags: their names as they were written; of several, the sum is meant.
    """

    role: ScalarChoice
    tags: tuple[str, ...]

    @property
    def text(self) -> str:
        """The tags as they are written in a rule."""
        return "+".join(_written(tag, _SPECIAL + "+") for tag in self.tags)

    @property
    def rule(self) -> str:
        """Role and tags, as `parse_tags` takes them."""
        return f"{'no_scalar' if self.role == 'neither_scalar' else self.role}={self.text}"


TagRule = TagPattern | ScalarRule


def histogram_rules(rules: Sequence[TagRule]) -> tuple[TagPattern, ...]:
    """Those of `rules` that speak of histograms."""
    return tuple(rule for rule in rules if isinstance(rule, TagPattern))


def scalar_rules(rules: Sequence[TagRule]) -> tuple[ScalarRule, ...]:
    """Those of `rules` that speak of scalars."""
    return tuple(rule for rule in rules if isinstance(rule, ScalarRule))


def parse_tags(text: str) -> tuple[TagRule, ...]:
    """The rules in `text`, separated by commas; () for a blank text.

    Raises:
        TagPatternError: too long, too many, or one of them is none.

    >>> [(rule.role, rule.text) for rule in parse_tags("gradients=dW/{v}, neither=act/{v}")]
    [('gradient', 'dW/{v}'), ('neither', 'act/{v}')]
    >>> parse_tags("loss=train/box_loss+train/cls_loss")
    (ScalarRule(role='loss', tags=('train/box_loss', 'train/cls_loss')),)
    """
    if len(text) > MAX_CHARACTERS:
        raise TagPatternError(f"{len(text)} characters; at most {MAX_CHARACTERS} are accepted")
    if not text.strip():
        return ()
    parts = map(_stripped, _split(list(_signs(text)), (",", False)))
    rules = [_parse_rule(part) for part in parts if part]
    if len(rules) > MAX_RULES:
        raise TagPatternError(f"{len(rules)} patterns; at most {MAX_RULES} are accepted")
    return tuple(rules)


def written_tags(rules: Sequence[TagRule]) -> str:
    """The text that `parse_tags` reads as `rules`."""
    return ",".join(rule.rule for rule in rules)


def fits(text: str, parts: Sequence[str]) -> bool:
    """Whether `text` is `parts` with any text between each two; in time linear in both.

    >>> fits("conv1/weights", ("conv", "weights")), fits("aba", ("ab", "ba")), fits("a", ("a",))
    (True, False, True)
    """
    if len(parts) == 1:
        return text == parts[0]
    first, *middle, last = parts
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in middle:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def _parse_rule(signs: Sequence[Sign]) -> TagRule:
    role, equals, _ = _plain(signs).partition("=")
    word = role.strip().lower().replace(" ", "_")
    choice = CHOICES.get(word)
    if equals and word in SCALAR_CHOICES:
        return _scalar_rule(SCALAR_CHOICES[word], signs[len(role) + 1 :])
    if not equals or choice is None:
        raise TagPatternError(
            f"{_quoted(_plain(signs))}: expected loss=TAG, validation=TAG, rate=TAG or reward=TAG "
            "for scalars, gradients=PATTERN, variables=PATTERN or neither=PATTERN for histograms, "
            f"separated by commas, as in {_SCALAR_EXAMPLE!r} or {_EXAMPLE!r}; write \\, for a "
            "comma in a tag"
        )
    return TagPattern._of(_stripped(signs[len(role) + 1 :]), choice)


def _scalar_rule(role: ScalarChoice, signs: Sequence[Sign]) -> ScalarRule:
    tags = tuple(_plain(_stripped(part)) for part in _split(signs, ("+", False)))
    if not all(tags):
        raise TagPatternError(
            f"{role}={_quoted(_plain(signs))}: a tag is missing; name one, or several with a plus "
            f"between them, as in {_SCALAR_EXAMPLE!r}; write \\+ for a plus in a tag"
        )
    if role == "training" and (len(tags) > 1 or not tags[0].isdecimal() or int(tags[0]) < 1):
        raise TagPatternError(
            f"training={_quoted(tags[0])}: expected the number of a training in the folder, 1 for "
            "the oldest, as in 'training=1'"
        )
    return ScalarRule(role, tags)


def _signs(text: str) -> Iterator[Sign]:
    signs = iter(text)
    for sign in signs:
        if sign != "\\":
            yield sign, False
            continue
        following = next(signs, None)
        if following is None:
            raise TagPatternError(f"{_quoted(text)} ends in a backslash: write \\\\ for one")
        yield following, True


def _split(signs: Sequence[Sign], at: Sign) -> list[list[Sign]]:
    parts: list[list[Sign]] = [[]]
    for sign in signs:
        if sign == at:
            parts.append([])
        else:
            parts[-1].append(sign)
    return parts


def _stripped(signs: Sequence[Sign]) -> Sequence[Sign]:
    """Without blanks at both ends, but for those behind a backslash."""
    kept = [place for place, (sign, plain) in enumerate(signs) if plain or not sign.isspace()]
    return signs[kept[0] : kept[-1] + 1] if kept else ()


def _plain(signs: Sequence[Sign]) -> str:
    return "".join(sign for sign, _ in signs)


def _written(text: str, special: str = _SPECIAL) -> str:
    marked = "".join(f"\\{sign}" if sign in special else sign for sign in text)
    if text[:1].isspace():
        marked = f"\\{marked}"
    if len(text) > 1 and text[-1].isspace():
        marked = f"{marked[:-1]}\\{marked[-1]}"
    return marked


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
