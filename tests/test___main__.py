"""The package can be run: it lists its settings."""

from __future__ import annotations

import subprocess
import sys


def test_help_lists_every_setting_with_its_default() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "jupyter_ws_hub", "--help-all"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    for setting in ("max_upload_bytes", "max_connections", "disabled_services", "keep_messages", "heartbeat_grace_s"):
        assert f"--HubApp.{setting}=" in text
