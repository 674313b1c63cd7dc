"""`tb-convergence demo`: sick networks and a healthy one, trained here, shown in the tab."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any


def add(commands: Any) -> None:
    """Add the command to the parser's `commands`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo",
        help="train faulty and healthy networks on real data and open the tab",
        description=(
            "Train small networks on scikit-learn's digits, then show them in TensorBoard. One "
            "network is healthy, and each of the others has one fault."
        ),
    )
    parser.add_argument("--logdir", metavar="DIR",
                        help="log directory (default: a new temporary directory)")
    parser.add_argument("--no-serve", action="store_true",
                        help="train without starting TensorBoard")
    parser.add_argument("--port", type=int, metavar="N", help="port of TensorBoard (default: 6006)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="random seed (default: 0)")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """The command. Returns the exit status."""
    demo = import_module("tb_convergence.demo").run
    return int(
        demo(options.logdir, seed=options.seed, serve=not options.no_serve, port=options.port) or 0
    )
