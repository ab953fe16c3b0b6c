"""A real Jupyter server process on loopback, started and ended by the test that uses it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

TOKEN = "test-token"
PROGRAMS = {"server": "jupyter_server.serverapp", "lab": "jupyterlab.labapp", "notebook": "notebook.app"}
START = """import sys
sys.modules["rfc3987_syntax"] = None
from {module} import main
sys.exit(main())"""
"""What `jupyter server` does, without a check of IRIs that takes as long as all else and that nothing here asks for."""
LAB = ("jupyterlab", "jupyter_lsp", "notebook", "notebook_shim")
"""The extensions that a plain server leaves out, also where JupyterLab is installed."""
READY_S = 40.0
STOP_S = 15.0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RealServer:
    """`jupyter server` (or `jupyter lab`) with the extension on; root, data and settings lie under `base_dir`."""

    def __init__(
        self,
        base_dir: Path,
        *,
        program: str = "server",
        base_url: str = "/",
        config: str = "",
        extension: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare; `config` is appended to the configuration file, `extension=False` leaves the server half off.

        `environment` is added to this process's.
        """
        self.base_dir = base_dir
        self.root = base_dir / "root"
        self.data = base_dir / "data"
        self.port = free_port()
        self.base_url = base_url
        self._start = START.format(module=PROGRAMS[program])
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._log = base_dir / "server.log"
        for folder in (self.root, self.data, base_dir / "config", base_dir / "runtime"):
            folder.mkdir(parents=True, exist_ok=True)
        self._config_file = base_dir / "config" / "test_config.py"
        extensions = {"jupyter_ws_hub": extension, "jupyter_server_terminals": True}
        extensions |= dict.fromkeys(LAB if program == "server" else (), False)
        lines = [
            f"c.ServerApp.jpserver_extensions = {extensions}",
            f"c.IdentityProvider.token = {TOKEN!r}",
            f"c.ServerApp.root_dir = {str(self.root)!r}",
            f"c.ServerApp.port = {self.port}",
            f"c.ServerApp.base_url = {base_url!r}",
            "c.ServerApp.port_retries = 0",
            "c.ServerApp.ip = '127.0.0.1'",
            "c.ServerApp.open_browser = False",
            "c.ServerApp.allow_root = True",
            "c.ServerApp.allow_unauthenticated_access = False",
            "c.HubApp.chat_posts_per_minute = 0",  # tests post faster than people
            "c.HubApp.assistants = ['puppet']",  # whatever models this machine has
        ]
        lines.append("c.ServerApp.terminado_settings = {'shell_command': ['/bin/sh']}")  # a person's may do anything
        self._config_file.write_text("\n".join([*lines, config, ""]))

    @property
    def url(self) -> str:
        """The server's HTTP address, with base_url and a slash at the end."""
        return f"http://127.0.0.1:{self.port}{self.base_url}"

    @property
    def log_text(self) -> str:
        """What the server has written so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def resident_bytes(self) -> int:
        """How much memory the process has."""
        return 1024 * int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(self.pid)]))

    @property
    def descriptors(self) -> int:
        """How many files and sockets the process has open; 0 where the system does not tell."""
        listed = Path(f"/proc/{self.pid}/fd")
        return len(list(listed.iterdir())) if listed.exists() else 0

    def start(self) -> None:
        """Start and wait until it answers."""
        environment = {
            **os.environ,
            **self._environment,
            "JUPYTER_DATA_DIR": str(self.data),
            "JUPYTER_CONFIG_DIR": str(self.base_dir / "config"),
            "JUPYTER_RUNTIME_DIR": str(self.base_dir / "runtime"),
            "PYTHONWARNINGS": "ignore",
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", self._start, "--config", str(self._config_file)],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended at once:\n{self.log_text}")
            try:
                urllib.request.urlopen(f"{self.url}api/status?token={TOKEN}", timeout=5).read()
                return
            except urllib.error.HTTPError as answer:
                with answer:
                    if answer.code == 403:  # it has no token, but a password
                        return
            except OSError:
                pass  # it does not listen yet, or has no time to answer
            time.sleep(0.05)
        raise RuntimeError(f"the server is not ready after {READY_S} s:\n{self.log_text}")

    def stop(self) -> None:
        """End it as an administrator would, by SIGTERM; by SIGKILL if that does not help."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._kill(process)

    def kill(self, *, alone: bool = False) -> None:
        """End it at once, by SIGKILL, as a crash would; `alone`: its children are left to end by themselves."""
        process, self._process = self._process, None
        assert process is not None
        if alone:
            process.kill()
            process.wait(STOP_S)
        else:
            self._kill(process)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_S)

    @contextlib.contextmanager
    def running(self, *, silent: bool = False) -> Iterator[Self]:
        """Started, until this is left; with `silent` its log may hold no traceback then."""
        try:
            self.start()
            yield self
            if silent:
                assert "Traceback" not in self.log_text, self.log_text[-5000:]
        finally:
            self.stop()

    def clear(self) -> None:
        """Empty the root."""
        for path in self.root.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def restart(self) -> None:
        """End it and start it again, on the same port with the same files."""
        self.stop()
        self.start()
