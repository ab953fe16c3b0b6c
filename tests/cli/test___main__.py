"""`python -m jupyter_ws_hub.cli`."""

from __future__ import annotations

import subprocess
import sys

from jupyter_ws_hub import __version__


def test_it_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_ws_hub.cli", "--version"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.strip() == __version__
