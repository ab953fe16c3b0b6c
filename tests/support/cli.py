"""`jupyter ws-hub` as a real process, with a data folder of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .server import TOKEN

CLI_S = 45.0
"""Less than any test has: what a command that hangs has said so far is to be seen."""


class Ended(NamedTuple):
    """How a command has ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Cli:
    """Starts commands for one server."""

    url: str
    folder: Path
    """Where its state is, and where it runs."""
    token: str = TOKEN
    environment: Mapping[str, str] = field(default_factory=dict)
    """More variables."""

    async def start(self, *arguments: str | Path) -> asyncio.subprocess.Process:
        """A command that runs."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
        environment |= {
            "JUPYTER_DATA_DIR": str(self.folder / "cli-data"),
            "JUPYTER_RUNTIME_DIR": str(self.folder / "cli-runtime"),
            "JUPYTER_SERVER_URL": self.url,
            "JUPYTER_TOKEN": self.token,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **self.environment,
        }
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "jupyter_ws_hub.cli",
            *map(str, arguments),
            cwd=self.folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str | Path) -> Ended:
        """A command, to its end."""
        return await end_of(await self.start(*arguments))


async def end_of(process: asyncio.subprocess.Process) -> Ended:
    """Wait for a command's end."""
    try:
        async with asyncio.timeout(CLI_S):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
        raise AssertionError(f"the command does not end: {out!r} {err!r}") from None
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())
