"""The package can be run: it lists its settings."""

from __future__ import annotations

import subprocess
import sys

from jupyter_ws_hub.config import HubTraits


def test_help_lists_every_setting_with_its_default() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "jupyter_ws_hub", "--help-all"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    for setting in HubTraits.class_own_traits():
        assert f"--HubApp.{setting}=" in text
