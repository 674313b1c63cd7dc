"""Markdown, HTML and the terminal against names that attack them; pictures of every finding."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import histories as draw
import numpy as np
import reports
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tb_convergence.cli.formats import html, markdown, text
from tb_convergence.cli.wording import evidence_text, totals
from tb_convergence.core.diagnosis import Evidence, RunDiagnosis, diagnose_history

RUNS = reports.diagnosed(
    reports.sick(reports.HOSTILE, reports.HOSTILE), reports.fine("fine" + reports.HOSTILE)
)


GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
"""CommonMark with tables and raw HTML, as GitHub reads a comment."""


class Reader(HTMLParser):
    """An independent reading of a page: its elements, their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def page(*histories) -> str:  # type: ignore[no-untyped-def]
    runs = reports.diagnosed(*histories)
    sections = [html.section(run, history) for run, history in zip(runs, histories, strict=True)]
    return html.report(runs, sections)


# Terminal -----------------------------------------------------------------------------------------


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_control_character_reaches_the_terminal(name: str) -> None:
    (run,) = reports.diagnosed(reports.fine(name))
    shown = text.report([run], verbose=True)
    assert all(c == "\n" or c.isprintable() for c in shown)
    assert shown.count("\n") == text.report(reports.diagnosed(reports.fine("x")),
                                            verbose=True).count("\n")


def test_hostile_names_are_shown_as_their_escapes() -> None:
    shown = text.report(RUNS, verbose=True)
    assert "\x1b" not in shown
    assert "\\x1b]0;title\\x07\\x1b[2J\\u202e" in shown


# Markdown -----------------------------------------------------------------------------------------


def test_markdown_of_hostile_names_is_text() -> None:
    seen = Reader(GITHUB.render(markdown.report(RUNS)))
    allowed = {"h3", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code", "strong",
               "br", "details", "summary"}
    assert set(seen.tags) <= allowed
    assert seen.links == []
    assert seen.tags.count("tr") == 1 + len(RUNS)
    assert seen.tags.count("td") == 4 * len(RUNS)
    assert "<script>alert(1)</script>" in seen.text


def test_the_folded_titles_are_text() -> None:
    titles = re.findall(r"<summary>(.*)</summary>", markdown.report(RUNS))
    assert len(titles) == 1, "the fine run has nothing to fold"
    seen = Reader(titles[0])
    assert seen.tags == []
    assert "<script>alert(1)</script>" in seen.text


def test_markdown_calls_nobody_and_links_nothing() -> None:
    source = markdown.report(RUNS)
    assert not re.search(r"(?<!&)[@#]\w", source)
    assert not re.search(r"https?://|www\.", source)


@given(st.text(alphabet="ab \\`*_{}[]()<>#+-=.!|~@&:/1\n\t$\"'", max_size=40))
@settings(max_examples=300, deadline=None)
def test_escaped_text_shows_exactly_itself(name: str) -> None:
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    for before, allowed in (("", {"p"}), ("* ", {"ul", "li"}), ("* x\n  ", {"ul", "li"})):
        seen = Reader(GITHUB.render(before + markdown.escaped(name)))
        assert set(seen.tags) <= allowed
        got = seen.text.replace("\u200b", "").strip().removeprefix("x" if "x" in before else "")
        assert got.strip() == shown.strip()


def test_a_comment_stays_within_what_github_takes() -> None:
    many = [RunDiagnosis(f"run {i} " + "x" * 200, *_rest(RUNS[0])) for i in range(2_000)]
    source = markdown.report(many)
    assert len(source) < 65_536
    assert re.search(r"and \d+ more", source)
    assert re.search(r"details of \d+ more runs", source)


def _rest(run: RunDiagnosis) -> tuple:  # type: ignore[type-arg]
    return run.last_step, run.findings, run.not_evaluated, run.skipped


def test_markdown_says_what_the_findings_say() -> None:
    source = markdown.report(reports.diagnosed(reports.sick("one"), reports.fine("two")))
    assert "| one | ✖ critical | The input is not normalized (`unnormalized-input`) | 0 |" in source
    assert "| two | ✔ nothing found | nothing found |  |" in source
    assert "Explains `loss-not-decreasing`" in source
    assert "* Try: Standardize every feature" in source


# HTML ---------------------------------------------------------------------------------------------


def test_html_of_hostile_names_is_text() -> None:
    seen = Reader(page(reports.sick(reports.HOSTILE, reports.HOSTILE), reports.fine("fine")))
    assert not {"script", "img", "iframe", "object", "embed", "link", "form", "b", "i"} & set(
        seen.tags)
    assert not {name for name in seen.attributes if name.startswith("on")}
    assert all(link.startswith("#run-") for link in seen.links)
    assert "<script>alert(1)</script>" in seen.text
    assert "\x1b" not in seen.text


def test_html_needs_nothing_from_elsewhere() -> None:
    source = page(reports.sick(), reports.fine())
    assert "default-src 'none'" in source
    assert "@import" not in source
    assert "url(" not in source
    assert source.isascii()
    assert "prefers-color-scheme:dark" in source


def test_html_shows_the_loss_and_the_layer_evidence() -> None:
    source = page(reports.sick(), reports.fine())
    svgs = re.findall(r"<svg.*?</svg>", source, re.DOTALL)
    assert len(svgs) == 3  # the loss of both, and the scales of the sick one's features
    for svg in svgs:
        ElementTree.fromstring(svg)
    assert "limit 10" in svgs[1] + svgs[2]
    assert "RMS of the largest feature" in source
    assert "Not evaluated" in source


def test_html_without_histories() -> None:
    (run,) = reports.diagnosed(reports.sick())
    source = html.report([run], [html.section(run, None)])
    assert "<svg" not in source
    assert "unnormalized-input" in source


def test_html_of_an_empty_run() -> None:
    empty = draw.history()
    assert "nothing could be read" in page(empty)


def test_every_element_of_the_page_is_closed() -> None:
    source = page(reports.sick(reports.HOSTILE, reports.HOSTILE), reports.fine())
    for tag in ("section", "article", "table", "ul", "details", "figure", "svg", "g", "code"):
        assert len(re.findall(rf"<{tag}[ >]", source)) == source.count(f"</{tag}>"), tag


def test_the_experiment_that_decides_is_named_in_every_format() -> None:
    (run,) = reports.diagnosed(reports.sick())
    open_question = replace(run.findings[0], experiment="another*run")
    asked = replace(run, findings=(open_question,))
    assert "decide by: another*run" in text.report([asked])
    assert "Decide by: another\\*run" in markdown.report([asked])
    assert "What would decide it: another*run." in html.report([asked], [html.section(asked, None)])


def test_which_of_several_causes_to_fix_first_is_said_in_every_format() -> None:
    (run,) = reports.diagnosed(reports.sick())
    cause = next(finding for finding in run.findings if finding.kind == "cause")
    alone = replace(run, findings=(cause,))
    second = replace(cause, id="second", title="A second")
    both = replace(run, findings=(cause, second))
    for written in (text.report, markdown.report,
                    lambda runs: html.report(runs, [html.section(runs[0], None)])):
        said = " ".join(written([both]).split())
        assert said.count("critical cause, fix first, ") == 1
        assert said.index("fix first") < said.index("second"), "said of the first"
        assert "fix first" not in written([alone])


def test_what_is_over_and_when_it_could_be_told_is_said_in_every_format() -> None:
    (run,) = reports.diagnosed(reports.sick())
    over = replace(run.findings[0], reported_step=12, recovered_step=1_400)
    told = replace(run, findings=(over,))
    words = "could be reported at step 12, recovered at step 1,400"
    assert words in " ".join(text.report([told]).split())
    assert words in markdown.report([told])
    assert words in html.report([told], [html.section(told, None)])


def test_the_loss_of_a_run_is_not_drawn_twice() -> None:
    history = draw.history(draw.run_table(np.linspace(2.3, 0.7, 200)))
    source = page(history)
    assert "too-few-steps" in source
    assert source.count("<svg") == 1


# Words --------------------------------------------------------------------------------------------


def test_evidence_in_words() -> None:
    item = Evidence("update_ratio", 0.25, 0.1, 1200, "dense_1")
    said = "update ratio 0.25 (step 1,200, dense_1), suspect if more than 0.1"
    assert evidence_text(item) == said
    assert evidence_text(Evidence("loss_end", np.inf)) == "loss at the end Inf"


def test_totals() -> None:
    (fine,) = reports.diagnosed(reports.fine())
    lost = diagnose_history(draw.history())
    expected = "3 runs: 1 sick (1 critical), 1 nothing found, 1 without data"
    assert totals((RUNS[0], fine, lost)) == expected


def test_a_run_without_data_says_how_to_read_more() -> None:
    lost = diagnose_history(draw.history())
    assert "try --loader python" in " ".join(text.report((lost,)).split())
    assert "--loader" not in text.report((RUNS[0],))
