"""Installs tests/example, an extension of another package, as its users would: by pip, into a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .address import REPOSITORY

EXAMPLE = REPOSITORY / "tests" / "example"
LAB = REPOSITORY / "labextension"


def run(command: list[str] | str, folder: Path, **environment: str) -> None:
    """Run a command, or a line of the shell, in a folder; what it says is shown if it fails."""
    result = subprocess.run(
        command,
        shell=isinstance(command, str),
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command} failed:\n{result.stdout}"


def build(source: Path) -> None:
    """Build the browser half by the `build` script of its package.json.

    Nothing is downloaded: its dependencies are the main extension, which must have been built, and those of that.
    """
    assert (LAB / "lib" / "index.d.ts").exists(), "The main extension is not built: run `make .make/labextension`."
    (source.parent / "node_modules").symlink_to(LAB / "node_modules")
    (source / "node_modules").mkdir()
    (source / "node_modules" / "jupyter-ws-hub").symlink_to(LAB)
    programs = [LAB / "node_modules" / ".bin", Path(sys.executable).parent, os.environ["PATH"]]
    script = json.loads((source / "package.json").read_text())["scripts"]["build"]
    run(script, source, PATH=os.pathsep.join(map(str, programs)))


def install(folder: Path, *, browser_half: bool) -> dict[str, str]:
    """Install the example under `folder`; the environment in which a server finds it."""
    source, target = folder / "source" / "example", folder / "installed"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("node_modules", "lib", "labextension"))
    if browser_half:
        build(source)
    else:
        (source / "labextension").mkdir()
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    run(
        [sys.executable, "-m", "pip", "install", "-q", *options, "--target", str(target), "."],
        source,
        SKIP_JUPYTER_BUILDER="" if browser_half else "1",
    )

    def first(path: Path, variable: str) -> str:
        return os.pathsep.join(filter(None, [str(path), os.environ.get(variable)]))

    return {
        "PYTHONPATH": first(target, "PYTHONPATH"),
        "JUPYTER_PATH": first(target / "share" / "jupyter", "JUPYTER_PATH"),
    }
