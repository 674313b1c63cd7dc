"""As `start_tensorboard`, but says in the file $COUNTED what was computed, a line for each time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tb_convergence.serving import lines, payloads, provider_source, service
from tests.serving.start_tensorboard import main


def count(owner: Any, name: str, run: Callable[..., str]) -> None:
    """Let `owner.name` note each call, with the run that it is about."""
    function = getattr(owner, name)

    def counted(*arguments: Any, **more: Any) -> Any:
        # Appended in one write, by whichever thread: lines never mix.
        with open(os.environ["COUNTED"], "ab", buffering=0) as file:
            file.write(f"{name} {run(*arguments)}\n".encode())
        return function(*arguments, **more)

    setattr(owner, name, counted)


if __name__ == "__main__":
    count(provider_source.ProviderSource, "history", lambda source, scope, run: run)
    count(payloads, "summary", lambda history, *_: history.run)
    count(payloads, "findings", lambda history, *_: history.run)
    count(lines, "series", lambda history, *_: history.run)
    count(service, "heatmap", lambda history, *_: history.run)
    sys.exit(main())
