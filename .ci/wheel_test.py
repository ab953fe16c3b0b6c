"""Builds the wheel, installs it beside JupyterLab into an empty environment, and looks whether both halves are on."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    """Run a command; its output, both streams. A failure prints it and ends the script."""
    result = subprocess.run(
        [str(part) for part in command], env=environment, capture_output=True, text=True, check=False
    )
    output = result.stdout + result.stderr
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{output}")
    return output


def require(condition: bool, message: str) -> None:
    """End the script with `message` unless `condition`."""
    if not condition:
        sys.exit(message)


def build(folder: Path) -> Path:
    """Build the wheel from a clean copy of what git tracks, as a release would."""
    source = folder / "source"
    source.mkdir()
    files = run("git", "-C", REPOSITORY, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    archive = subprocess.run(
        ["tar", "-C", REPOSITORY, "--null", "-T", "-", "-cf", "-"],
        input=files.encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    subprocess.run(["tar", "-C", source, "-xf", "-"], input=archive.stdout, check=True)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, source)
    (wheel,) = folder.glob("*.whl")
    return wheel


def check_contents(wheel: Path) -> None:
    """The wheel holds the protocol's text and the browser half, and no path of the machine that built it."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        require(any(name.endswith("protocol/PROTOCOL.md") for name in names), "PROTOCOL.md is not in the wheel")
        require(any("labextensions/jupyter-ws-hub/static/" in name for name in names), "no labextension in the wheel")
        texts = [
            n for n in names if n.endswith((".json", ".js", ".py")) and str(REPOSITORY).encode() in archive.read(n)
        ]
    require(not texts, f"paths of this machine stand in {texts}")


def check_installed(bin_folder: Path, home: Path) -> None:
    """Both halves are enabled and valid, and a server starts with them."""
    environment = {**os.environ, "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config")}
    environment.pop("VIRTUAL_ENV", None)
    server = run(bin_folder / "jupyter", "server", "extension", "list", environment=environment)
    lines = [line for line in server.splitlines() if "jupyter_ws_hub" in line]
    require(any("enabled" in line for line in lines), f"the server half is not enabled:\n{server}")
    require(any("OK" in line for line in lines), f"the server half is not valid:\n{server}")
    lab = run(bin_folder / "jupyter", "labextension", "list", environment=environment)
    lines = [line for line in lab.splitlines() if "jupyter-ws-hub" in line]
    require(any("enabled" in line and "OK" in line for line in lines), f"the browser half is not enabled:\n{lab}")


def main() -> None:
    """Do all of it in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build(folder)
        check_contents(wheel)
        venv.create(folder / "venv", with_pip=True)
        bin_folder = folder / "venv" / "bin"
        run(bin_folder / "python", "-m", "pip", "install", "-q", f"{wheel}[lab]")
        check_installed(bin_folder, folder / "home")
        print(f"{wheel.name}: both halves are enabled in an empty environment.")


if __name__ == "__main__":
    main()
