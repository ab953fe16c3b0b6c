"""What the tests of terminals share: a server of their own, with a plain shell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.client import Address
from tests.support.gauge import GaugeService
from tests.support.plugin import installed
from tests.support.server import RealServer

from .test_plain_server import NO_LAB

PLAIN_SHELL = NO_LAB + "c.ServerApp.terminado_settings = {'shell_command': ['/bin/sh']}\n"


@pytest.fixture(scope="module")
def terminal_server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[RealServer]:
    """One server for all tests of a file, with the file's own CONFIG if it has one; it may not log a traceback.

    Its shells start in its root, where they otherwise would not, so that a test finds what they write.
    """
    folder = tmp_path_factory.mktemp("server")
    shell = ["/bin/sh", "-c", f"cd '{folder}/root' && exec /bin/sh"]
    config = f"{NO_LAB}c.ServerApp.terminado_settings = {{'shell_command': {shell}}}\n"
    config += getattr(request.module, "CONFIG", "")
    with installed(folder / "plugin", GaugeService):
        server = RealServer(folder, config=config)
        try:
            server.start()
            yield server
            assert "Traceback" not in server.log_text, server.log_text[-5000:]
        finally:
            server.stop()


@pytest.fixture
def address(terminal_server: RealServer) -> Address:
    """That server's."""
    return Address.of(terminal_server)
