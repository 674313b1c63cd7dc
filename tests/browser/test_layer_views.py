"""The views of a layer: its histograms, how it started, and the depth profile that plays."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convergence_tab import Tab
from playwright.sync_api import Locator, expect

from tests.reading.event_files import EventFile

Open = Callable[..., Tab]
Serve = Callable[..., str]

STEPS, ENTRIES, NAN_STEP = 40, 2_000, 23


def entries(step: int) -> Any:
    """Entries of the gradient at one step: ever narrower, and one NaN."""
    drawn = np.random.default_rng(step).normal(0, 0.5 * 0.93**step, ENTRIES)
    if step == NAN_STEP:
        drawn[0] = np.nan
    return drawn


def write_histograms(folder: Path) -> None:
    """As `tf.summary.histogram` writes them: 30 equal buckets, NaN edges where an entry is NaN."""
    with EventFile(folder) as file:
        for step in range(STEPS):
            file.scalar("loss", 10 * step, 2.0 * 0.95**step)
            for layer in ("dense", "dense_1"):
                values = entries(step)
                rows = np.full((30, 3), np.nan)
                rows[:, 2] = 0
                if np.isfinite(values).all():
                    counts, edges = np.histogram(values, 30)
                    rows = np.stack([edges[:-1], edges[1:], counts], axis=1)
                file.tensor(f"gradients/{layer}/kernel", 10 * step, rows, plugin="histograms",
                            data_class=0)


def numbers(text: str) -> list[float]:
    """All numbers of a text, as the page writes them."""
    plain = text.replace("−", "-").replace(",", "")
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", plain)]


@pytest.mark.parametrize("loader", ["true", "false"], ids=["data-server", "python-loader"])
def test_a_histogram_reads_what_the_histograms_hold(
    tmp_path: Path, serve: Serve, open_tab: Open, loader: str
) -> None:
    write_histograms(tmp_path / "run")
    flags = (f"--load_fast={loader}", "--samples_per_plugin=histograms=1000")
    tab = open_tab(serve(tmp_path, *flags))
    canvas = tab.find("histogram")
    expect(canvas).to_have_count(1)
    readout = tab.find("histogram-readout")
    canvas.focus()
    canvas.press("Home")
    for step in range(STEPS):
        expect(readout).to_contain_text(f"step {10 * step} ")
        said = readout.inner_text()
        if step == NAN_STEP:
            assert said == f"step {10 * step} · NaN"
        else:
            parts = dict(
                re.findall(r"(all|90%|half|median) (.+?)(?: ·|$)", said.replace(",", ""))
            )
            values = entries(step)
            bucket = (values.max() - values.min()) / 30
            for name, share in (("all", 1.0), ("90%", 0.9), ("half", 0.5), ("median", 0.0)):
                low, high = numbers(parts[name])
                true = np.quantile(values, [(1 - share) / 2, (1 + share) / 2])
                # The band holds its share, and is no wider than buckets and two digits make it.
                slack = 0.06 * np.abs(values).max()
                assert true[0] - bucket - slack <= low <= true[0] + slack
                assert true[1] - slack <= high <= true[1] + bucket + slack
        canvas.press("ArrowRight")
    canvas.press("Home")
    canvas.press("ArrowRight")
    canvas.press("Enter")
    tab.page.wait_for_url(lambda url: "convergence.step=10" in url)


def row_names(tab: Tab, run: str) -> list[str]:
    """Kernels, which make the profile's line, in order of depth."""
    (group,) = (g for g in tab.get("layers", run=run)["groups"] if g["group"] == "variables")
    return [row["name"] for row in group["rows"] if row["kind"] == "kernel"]


def open_profile(tab: Tab) -> Locator:
    """The profile's canvas."""
    tab.frame.get_by_role("tab", name="Depth profile").click()
    expect(tab.find("profile").first).to_be_visible()
    tab.settle()
    return tab.find("profile").first


def test_the_profile_reads_the_map_and_opens_the_layer(either_loader: str, open_tab: Open) -> None:
    tab = open_tab(either_loader)
    run, metric = "deep-sigmoid", "gradient_norm"
    tab.select(run)
    tab.choose("variables", metric)
    canvas = open_profile(tab)
    tab.find("step").press("Home")
    heat = tab.heat(run, "variables", metric)
    (group,) = (g for g in tab.get("layers", run=run)["groups"] if g["group"] == "variables")
    index = {row["name"]: at for at, row in enumerate(group["rows"])}
    kernels = row_names(tab, run)
    canvas.focus()
    canvas.press("Home")
    for name in kernels:
        readout = tab.find("profile-readout").first
        expect(readout).to_contain_text(name)
        value = numbers(readout.inner_text().rpartition("=")[2])[0]
        assert value == pytest.approx(float(heat.values[index[name], 0]), rel=0.01)
        canvas.press("ArrowRight")
    canvas.press("Home")
    canvas.press("ArrowRight")
    canvas.press("Enter")
    tab.frame.get_by_role("tab", name="Layer").click()
    expect(tab.find("layer-panel").locator("h3")).to_contain_text(kernels[1])


def test_every_profile_reads_the_same_step(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    run = "deep-sigmoid"
    tab.select(run)
    tab.choose("variables", "gradient_norm")
    open_profile(tab)
    tab.find("step").press("Home")
    expect(tab.find("profile")).to_have_count(3)
    shown = [("variables", "gradient_norm"), ("variables", "update_ratio"),
             ("activations", "activation_std")]
    groups = {one["group"]: one["rows"] for one in tab.get("layers", run=run)["groups"]}
    for place, (group, metric) in enumerate(shown):
        heat = tab.heat(run, group, metric)
        canvas = tab.find("profile").nth(place)
        canvas.focus()
        canvas.press("End")
        said = tab.find("profile-readout").nth(place).inner_text()
        names = [row["name"] for row in groups[group]]
        row = names.index(said.partition(" · ")[0])
        value = numbers(said.rpartition("=")[2])[0]
        assert value == pytest.approx(float(heat.values[row, 0]), rel=0.01)
    tab.frame.get_by_role("button", name="Output std", exact=True).click()
    expect(tab.frame.locator("select[name=metric]")).to_have_value("activations activation_std")


def test_playing_moves_every_view_and_stops_at_the_end(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select("learning-rate-too-low")
    tab.choose("variables", "update_ratio")
    open_profile(tab)
    slider, play = tab.find("step"), tab.find("play")
    slider.press("End")
    last = slider.input_value()
    slider.press("Home")
    expect(slider).to_have_value("0")
    tab.frame.get_by_label("Speed").select_option("4")
    play.click()
    expect(play).to_have_attribute("aria-label", "Pause through the steps")
    expect(slider).to_have_value(last, timeout=180_000)
    expect(play).to_have_attribute("aria-label", "Play through the steps")
    heat = tab.heat("learning-rate-too-low", "variables", "update_ratio")
    tab.page.wait_for_url(lambda url: f"convergence.step={heat.first_steps[-1]}" in url)


def test_who_wants_less_motion_gets_a_few_still_pictures(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.page.emulate_media(reduced_motion="reduce")
    tab.select("learning-rate-too-low")
    open_profile(tab)
    slider = tab.find("step")
    cells = int(slider.get_attribute("max") or 0) + 1
    slider.press("Home")
    tab.frame.evaluate(
        """() => {
          const slider = document.querySelector('[data-testid=step]');
          window.seen = [];
          let held = slider.value;
          const look = () => {
            if (slider.value !== held) window.seen.push(Number((held = slider.value)));
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    tab.find("play").click()
    expect(slider).not_to_have_value("0")
    tab.find("play").click()
    seen = tab.frame.evaluate("window.seen")
    assert seen
    assert seen[0] >= cells / 12


def test_a_step_chosen_on_the_curves_is_that_of_the_profile(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    run = "deep-sigmoid"
    tab.select(run)
    tab.choose("variables", "gradient_norm")
    open_profile(tab)
    plot = tab.find("loss-chart").locator(".over")
    box = plot.bounding_box()
    assert box is not None
    plot.click(position={"x": 0.6 * box["width"], "y": 0.9 * box["height"]})
    # Until then the address has the step of the finding, which is the first.
    tab.page.wait_for_url(re.compile(r"convergence\.step=[1-9]"))
    heat = tab.heat(run, "variables", "gradient_norm")
    said = tab.find("step").get_attribute("aria-valuetext") or ""
    first = int(numbers(said)[0])
    chosen = int(re.findall(r"convergence\.step=(\d+)", tab.page.url)[-1])
    cell = heat.first_steps.index(first)
    assert first <= chosen
    assert cell + 1 == len(heat.first_steps) or chosen < heat.first_steps[cell + 1]
    assert 0.5 < chosen / heat.last_steps[-1] < 0.7


def test_a_layer_says_how_it_started_and_shows_its_output(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    run = "unnormalized-input"
    tab.select(run)
    tab.choose("variables", "variable_norm")
    kernel = row_names(tab, run)[0]
    canvas = tab.find("heatmap")
    canvas.focus()
    for _ in range(20):
        canvas.press("ArrowUp")
    canvas.press("Enter")
    panel = tab.find("layer-panel")
    expect(panel.locator("h3")).to_contain_text(kernel)
    expect(tab.find("initialization")).to_contain_text("That matches HeNormal: ")
    expect(panel).to_contain_text("Output of")
    expect(tab.find("neighbors")).to_contain_text("After:")
    # No histogram was logged here: what is drawn says so.
    expect(tab.find("histogram").first).to_be_visible()
    expect(panel).to_contain_text("No histogram was logged")
