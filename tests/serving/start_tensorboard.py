"""TensorBoard with the plugin, as its command line starts it; installed or not.

    python tests/serving/start_tensorboard.py --logdir LOGS --port 0
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tensorboard import default, program

from tb_convergence.serving.loader import ConvergenceLoader


def main() -> int:
    """Serve until killed."""
    plugins = [p for p in default.get_plugins() if p is not ConvergenceLoader]
    board = program.TensorBoard(plugins=[*plugins, ConvergenceLoader])
    board.configure(argv=sys.argv)
    return int(board.main() or 0)


if __name__ == "__main__":
    sys.exit(main())
