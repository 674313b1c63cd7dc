"""Rules about the names of histograms: what they mean, how they are written, what is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.reading.patterns import (
    MAX_RULES,
    TagPattern,
    TagPatternError,
    fits,
    parse_tags,
    written_tags,
)
from tb_convergence.reading.tags import match_histograms

NAMES = st.text(alphabet="ab/*\\,{}=v .\u202e", max_size=6)
PATTERNS = st.builds(
    TagPattern,
    st.sampled_from(["gradient", "variable", "neither"]),
    NAMES, NAMES,
    st.one_of(st.just(()), st.lists(NAMES, min_size=2, max_size=4).map(tuple)),
)


@given(st.lists(PATTERNS, max_size=8))
def test_what_is_written_is_read_again(rules: list[TagPattern]) -> None:
    assert list(parse_tags(written_tags(rules))) == rules


@given(PATTERNS, NAMES)
def test_a_name_is_the_text_in_the_place_of_the_braces(pattern: TagPattern, name: str) -> None:
    tag = pattern.before + name + pattern.after
    glob = ".*".join(map(re.escape, pattern.name)) if pattern.name else ".*"
    expected = name if re.fullmatch(glob, name, re.DOTALL) else ""
    assert pattern.name_in(tag) == expected


@given(st.text(alphabet="ab", max_size=9), st.lists(st.text(alphabet="ab", max_size=3), min_size=1))
def test_stars_stand_for_any_text(text: str, parts: list[str]) -> None:
    assert fits(text, parts) == bool(re.fullmatch(".*".join(map(re.escape, parts)), text))


@pytest.mark.parametrize(("text", "rules"), [
    ("", []),
    (" , ,", []),
    ("gradients=dW/{v},variables=W/{v}", [("gradient", "dW/{v}"), ("variable", "W/{v}")]),
    (" Weights = W/{v} ", [("variable", "W/{v}")]),
    ("gradient={*_delta}", [("gradient", "{*_delta}")]),
    (r"neither=a\,b/{v}", [("neither", r"a\,b/{v}")]),
    ("neither=a=b{v}", [("neither", "a=b{v}")]),
])
def test_rules(text: str, rules: list[tuple[str, str]]) -> None:
    assert [(rule.role, rule.text) for rule in parse_tags(text)] == rules


@pytest.mark.parametrize(("text", "message"), [
    ("W/{v}", "gradients=PATTERN"),
    ("biases=W/{v}", "'biases=W/{v}': expected loss=TAG"),
    ("gradients=W/", "expected braces exactly once"),
    ("gradients=", "expected braces exactly once"),
    ("gradients={v}{v}", "expected braces exactly once"),
    ("gradients=}v{", "expected braces exactly once"),
    (r"gradients=\{v}", "expected braces exactly once"),
    ("gradients={w}", "expected v between the braces"),
    ("gradients={}", "expected v between the braces"),
    ("gradients={v}\\", "ends in a backslash"),
    ("gradients=W/{v}," * (MAX_RULES + 1), f"at most {MAX_RULES}"),
    ("gradients={v}" + " " * 2_000, "at most 2000"),
])
def test_refused(text: str, message: str) -> None:
    with pytest.raises(TagPatternError, match=re.escape(message)):
        parse_tags(text)


@given(st.text(alphabet="gradients=,{v}*\\ /", max_size=60))
def test_any_text_is_rules_or_refused_in_few_words(text: str) -> None:
    try:
        rules = parse_tags(text)
    except TagPatternError as error:
        rules, said = (), str(error)
    else:
        said = "rules"
    assert parse_tags(written_tags(rules)) == rules
    assert 0 < len(said) < 350


TAGS = st.lists(st.sampled_from([
    "fc1.weight", "fc1.bias", "fc1.weight.grad", "dW/fc1", "W/fc1", "W/fc2", "act/relu_1", "odd",
    "gradients/variables/x", "gradients/dense/MatMul_grad/tuple/control_dependency_1_0", "l1/dW",
    "l2/dW", "l2/W", "{v}", "a,b/c", "dense/kernel/histogram", "a\\b/c", "*",
]), unique=True)


@given(TAGS, st.sampled_from(["gradient", "variable", "neither"]))
def test_each_answer_decides_about_its_own_family_and_nothing_that_is_known(
    tags: list[str], role: str
) -> None:
    before = match_histograms(tags)
    for family in before.families:
        rule = f"{role}={family.pattern}"
        after = match_histograms(tags, parse_tags(rule))
        (one,) = (one for one in after.families if one.why == "user")
        assert one.role == role
        assert one.count >= family.count
        assert len(before.unclear) - len(after.unclear) == one.count
        assert (family.why == "either") == (one.pattern == "{v}")
        # What was known stays known, and as what it was known.
        known = {*before.gradients.values()}, {*before.variables.values()}
        assert known[0] <= {*after.gradients.values(), *after.repeated}
        assert known[1] <= {*after.variables.values(), *after.repeated}


def test_rules_with_text_around_the_braces_overrule_names_and_the_first_decides() -> None:
    tags = ["gradients/a", "gradients/b", "x/w"]
    found = match_histograms(tags, parse_tags("neither=gradients/{a*},variables=gradients/{v}"))
    assert found.variables == {0: "gradients/b"}
    assert found.gradients == {}
    assert [(one.pattern, one.count) for one in found.families] == [
        ("gradients/{a*}", 1), ("gradients/{v}", 1), ("{v}", 1),
    ]
    # Without it, they decide only what is open.
    found = match_histograms(tags, parse_tags("variables={*}"))
    assert (set(found.gradients.values()), set(found.variables.values())) == (
        {"gradients/a", "gradients/b"}, {"x/w"},
    )


def test_a_gradient_that_has_its_variable_is_no_question() -> None:
    found = match_histograms(["fc.weight", "fc.weight.grad"], parse_tags("gradients={v}"))
    assert (found.gradients, found.variables) == ({0: "fc.weight.grad"}, {0: "fc.weight"})
    assert [one.count for one in found.families] == [0]


def test_named_by_what_is_left_a_gradient_meets_its_variable() -> None:
    tags = [f"{kind}/fc{i}" for kind in ("W", "dW") for i in range(3)]
    patterns = [one.pattern for one in match_histograms(tags).families]
    assert patterns == ["W/{v}", "dW/{v}"]
    found = match_histograms(tags, parse_tags("variables=W/{v},gradients=dW/{v}"))
    assert [row.name for row in found.rows] == ["fc0", "fc1", "fc2"]
    assert found.gradients.keys() == found.variables.keys() == {0, 1, 2}


def test_few_questions_are_asked_about_many_histograms() -> None:
    tags = [f"layer{i}.weight" for i in range(500)] + [f"x{i}/act" for i in range(500)]
    assert [(one.pattern, one.count) for one in match_histograms(tags).families] == [
        ("{v}", 500), ("{v}/act", 500),
    ]
    assert len(match_histograms([f"{chr(i)}/y{i}" for i in range(97, 500)]).families) <= 12
