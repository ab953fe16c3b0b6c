"""Our manager takes the stock one's place unless somebody has chosen another."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server_terminals.terminalmanager import TerminalManager
from traitlets.config import Config

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.terminals.flow import Flows
from jupyter_ws_hub.terminals.manager import HubTerminalManager
from jupyter_ws_hub.terminals.place import flow_of, is_ours, named, of_which_kind


class TheirManager(TerminalManager):
    """An administrator's own."""


THEIRS = f"{__name__}.TheirManager"


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], request: pytest.FixtureRequest) -> Config:
    """With what a test asks for."""
    jp_server_config.update(getattr(request, "param", {}))
    return Config(jp_server_config)


def test_it_is_ours_where_nobody_has_chosen(jp_serverapp: Any) -> None:
    assert type(jp_serverapp.web_app.settings["terminal_manager"]) is HubTerminalManager


@pytest.mark.parametrize(
    "jp_server_config", [{"TerminalsExtensionApp": {"terminal_manager_class": THEIRS}}], indirect=True
)
def test_an_administrators_choice_wins(jp_serverapp: Any) -> None:
    assert type(jp_serverapp.web_app.settings["terminal_manager"]).__name__ == "TheirManager"


@pytest.mark.parametrize("jp_server_config", [{"ServerApp": {"terminals_enabled": False}}], indirect=True)
def test_where_terminals_are_off_there_is_none(jp_serverapp: Any) -> None:
    assert "terminal_manager" not in jp_serverapp.web_app.settings


def test_the_log_says_where_the_binary_protocol_is_not(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("test")
    of_which_kind(None, log)
    of_which_kind(HubTerminalManager(shell_command=["sh"]), log)
    assert caplog.messages == []
    of_which_kind(TheirManager(shell_command=["sh"]), log)
    assert "TheirManager" in caplog.text and "JSON" in caplog.text


def test_of_another_manager_only_the_public_face_is_used() -> None:
    terminal = SimpleNamespace()
    manager: Any = TheirManager(shell_command=["sh"])
    manager.terminals["1"] = terminal
    assert not is_ours(manager) and is_ours(HubTerminalManager(shell_command=["sh"]))
    assert named(manager, "1") is terminal
    with pytest.raises(HubError) as caught:
        named(manager, "2")
    assert caught.value.code is Code.NOT_FOUND


async def test_a_terminal_of_ours_is_its_own_flow() -> None:
    ours, theirs = HubTerminalManager(shell_command=["sh"]), TheirManager(shell_command=["sh"])

    class Terminal:
        """Something that can be weakly referred to."""

        def __init__(self) -> None:
            self.clients: list[Any] = []
            self.ptyproc = SimpleNamespace(fd=-1)

    terminal: Any = Terminal()
    flows = Flows()
    assert flow_of(ours, terminal, flows) is terminal
    assert flow_of(theirs, terminal, flows) is flows.of(terminal)
