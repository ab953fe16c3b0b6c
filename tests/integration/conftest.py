"""What the tests of terminals share, a server of their own with a plain shell; and those of the commands, one too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Cli
from tests.support.client import Address
from tests.support.gauge import GaugeService
from tests.support.plugin import installed
from tests.support.server import RealServer

STOCK_COMPLAINTS = re.compile(
    r"Task exception was never retrieved\n"
    r"future: <Task finished name='[\w-]+' coro=<WebSocketProtocol13\.write_message[^\n]*WebSocketClosedError\(\)>\n"
    r"Traceback.*?\ntornado\.websocket\.WebSocketClosedError\n",
    re.DOTALL,
)
"""What the stock handler writes into the log when one of its clients is gone: it drops the futures of its writes."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One server for all tests of a file; it may not log a traceback."""
    with RealServer(tmp_path_factory.mktemp("server")).running(silent=True) as server:
        yield server


@pytest.fixture
def server(running: RealServer) -> RealServer:
    """The server with an empty root."""
    running.clear()
    return running


@pytest.fixture
def cli(server: RealServer, tmp_path: Path) -> Cli:
    """The commands, run against it in a folder of their own."""
    return Cli(server.url, tmp_path)


@pytest.fixture(scope="module")
def terminal_server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[RealServer]:
    """One server for all tests of a file, with the file's own CONFIG if it has one; it may not log a traceback.

    Its shells start in its root, where they otherwise would not, so that a test finds what they write.
    """
    folder = tmp_path_factory.mktemp("server")
    shell = ["/bin/sh", "-c", f"cd '{folder}/root' && exec /bin/sh"]
    config = f"c.ServerApp.terminado_settings = {{'shell_command': {shell}}}\n"
    config += getattr(request.module, "CONFIG", "")
    with installed(folder / "plugin", GaugeService):
        server = RealServer(folder, config=config)
        try:
            server.start()
            yield server
            stock = getattr(request.module, "HAS_STOCK_CLIENTS", False)
            log = STOCK_COMPLAINTS.sub("", server.log_text) if stock else server.log_text
            assert "Traceback" not in log, log[-5000:]
        finally:
            server.stop()


@pytest.fixture
def address(terminal_server: RealServer) -> Address:
    """That server's."""
    return Address.of(terminal_server)
