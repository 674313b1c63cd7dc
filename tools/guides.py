"""The guides' outputs and pictures, really made: `docs/guides.md` and `docs/images/guides/`.

    python tools/guides.py [NAME ...] [--check]

For each guide the doctor examines a script of the repository and writes the fixed one; both are
run, and their losses are drawn. What stands between `<!-- output: NAME -->` and `<!-- end -->` is
replaced by what the command printed. `--check` only says whether every guide has its script, its
output, and its picture. Needs TensorFlow, scikit-learn, and matplotlib; takes a few minutes.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "guides.md"
IMAGES = ROOT / "docs" / "images" / "guides"
SCRIPTS = {
    "nan": "demo/sick/learning_rate_too_high.py",
    "flat": "demo/sick/dead_relu.py",
    "high": "demo/sick/unnormalized_input.py",
    "overfits": "demo/guides/overfitting.py",
    "jumps": "demo/guides/jumping.py",
}
"""Guide -> the script that it examines."""
PARTS = ("loss", "val_loss")


def run(arguments: list[str]) -> str:
    """What a Python command prints, from the repository's root; its status may be 1."""
    done = subprocess.run(  # noqa: S603 - the arguments are ours
        [sys.executable, *arguments], cwd=ROOT, text=True, capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3",
             "CUDA_VISIBLE_DEVICES": "-1", "COLUMNS": "100"})
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def losses(printed: str) -> dict[str, list[float]]:
    """Losses of each epoch, as `fit(verbose=2)` prints them."""
    number = r"([0-9.e+-]+|nan|inf)"
    return {part: [float(value) for value in re.findall(rf"(?<![a-z_]){part}: {number}", printed)]
            for part in PARTS}


def drawn(name: str, before: str, after: str) -> None:
    """The losses of both scripts by epoch, as an SVG."""
    import matplotlib  # noqa: PLC0415 - a tool of the repository, not of the package
    from matplotlib.figure import Figure  # noqa: PLC0415

    matplotlib.rcParams["svg.hashsalt"] = name  # the same bytes for the same losses
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for ax, title, printed in zip(axes, ("before", "after"), (before, after), strict=True):
        for part, style in zip(PARTS, ("--", "-"), strict=True):
            values = losses(printed)[part]
            ax.plot(range(1, len(values) + 1), values, style, label=part)
        # Without a finite value, matplotlib would put the axis around 0.
        ax.set_xlim(0.75, len(losses(printed)["loss"]) + 0.25)
        bad = [number for number, value in enumerate(losses(printed)["loss"], 1)
               if math.isnan(value)]
        if bad:
            ax.text(0.5, 0.5, f"NaN from epoch {bad[0]} on", ha="center", transform=ax.transAxes)
        ax.set_title(title)
        ax.set_xlabel("epoch")
        ax.set_yscale("log")
    axes[0].legend()
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None})


def block(name: str) -> re.Pattern[str]:
    """Where the page shows a command's output."""
    return re.compile(rf"(<!-- output: {name} -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def make(name: str) -> None:
    """One guide's output and picture."""
    script = SCRIPTS[name]
    with tempfile.TemporaryDirectory() as folder:
        fixed = Path(folder) / "fixed.py"
        sys.stderr.write(f"{name}: the doctor on {script} ...\n")
        printed = run(["-m", "tb_convergence", "doctor", "--seconds", "3600", "--write", str(fixed),
                       script])
        if not fixed.is_file():
            raise SystemExit(f"{name}: no fix was written\n{printed}")
        shown = printed.replace(str(fixed), "fixed.py").strip()
        sys.stderr.write(f"{name}: both scripts ...\n")
        drawn(name, run([script]), run([str(fixed)]))
    text = PAGE.read_text(encoding="utf-8")
    command = f"$ tb-convergence doctor --write fixed.py {script}"
    new = f"```console\n{command}\n{shown}\n```\n"
    PAGE.write_text(block(name).sub(lambda found: found[1] + new + found[3], text),
                    encoding="utf-8")


def missing() -> list[str]:
    """What the page lacks."""
    text = PAGE.read_text(encoding="utf-8")
    found = []
    for name, script in SCRIPTS.items():
        shown = block(name).search(text)
        if not (ROOT / script).is_file():
            found.append(f"{name}: no {script}")
        if shown is None or "\n  proven: " not in shown[2]:
            found.append(f"{name}: no output that ends in a proven fix")
        if not (IMAGES / f"{name}.svg").is_file() or f"images/guides/{name}.svg" not in text:
            found.append(f"{name}: no picture")
    return found


def main() -> int:
    """Make the guides that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SCRIPTS)}")
    parser.add_argument("--check", action="store_true", help="only say what is missing")
    options = parser.parse_args()
    unknown = set(options.names) - set(SCRIPTS)
    if unknown:
        parser.error(f"no such guide: {', '.join(sorted(unknown))}")
    if not options.check:
        for name in options.names or SCRIPTS:
            make(name)
    lacking = missing()
    sys.stderr.write("".join(f"{line}\n" for line in lacking))
    return int(bool(lacking and options.check))


if __name__ == "__main__":
    sys.exit(main())
