"""Makes the hand-drawn histories importable under pytest's importlib mode."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
