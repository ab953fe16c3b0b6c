"""Builds the wheel and installs it into an empty environment.

First alone, where a plain server must serve the endpoints, then beside JupyterLab, where both halves must be on.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
SMOKE_TRIES = 300


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


def clean_environment(home: Path) -> dict[str, str]:
    """An environment in which nothing of this user's settings is seen."""
    home.mkdir(exist_ok=True)
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment = {**os.environ, **folders, "HOME": str(home)}
    environment.pop("VIRTUAL_ENV", None)
    return environment


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_serves(bin_folder: Path, home: Path) -> None:
    """A plain server, without JupyterLab, has loaded the extension: `/ws/chat` answers 410 and names `/ws`."""
    port = free_port()
    options = [
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--IdentityProvider.token=t",
        f"--ServerApp.root_dir={home}",
    ]
    environment = clean_environment(home)
    server = subprocess.Popen([bin_folder / "jupyter", "server", *options], env=environment, stderr=subprocess.DEVNULL)
    try:
        for _ in range(SMOKE_TRIES):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ws/chat?token=t", timeout=5)
            except urllib.error.HTTPError as error:
                require(error.code == 410 and b'"/ws"' in error.read(), f"/ws/chat answers {error.code}")
                return
            except OSError:
                time.sleep(0.1)
        sys.exit("the plain server did not come up")
    finally:
        server.terminate()
        server.wait(30)


def check_installed(bin_folder: Path, home: Path) -> None:
    """Both halves are enabled and valid."""
    environment = clean_environment(home)
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
        run(bin_folder / "python", "-m", "pip", "install", "-q", wheel)
        check_serves(bin_folder, folder / "home")
        run(bin_folder / "python", "-m", "pip", "install", "-q", f"{wheel}[lab]")
        check_installed(bin_folder, folder / "home")
        print(f"{wheel.name}: a plain server serves it, and beside JupyterLab both halves are enabled.")


if __name__ == "__main__":
    main()
