"""Which terminal manager the server has: ours is put in the stock one's place, where nobody has chosen another."""

from __future__ import annotations

from logging import Logger
from typing import Any

from jupyter_server.serverapp import ServerApp
from traitlets.config import Config

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..system import has_terminals
from .flow import Flow, Flows

EXTENSION = "jupyter_server_terminals"
SECTION, TRAIT = "TerminalsExtensionApp", "terminal_manager_class"


def put_in_place(serverapp: ServerApp) -> None:
    """Let the linked terminals extension make our manager. An administrator's own setting wins.

    A setting in a file of jupyter_server_config.d would not do: of those only `jpserver_extensions` is read.
    """
    if not has_terminals():
        return
    for app in serverapp.extension_manager.extension_apps.get(EXTENSION, ()):
        if TRAIT not in app.config.get(SECTION, {}) and TRAIT not in serverapp.config.get(SECTION, {}):
            app.update_config(Config({SECTION: {TRAIT: "jupyter_ws_hub.terminals.manager.HubTerminalManager"}}))


def is_ours(manager: Any) -> bool:
    """Whether terminals are of our kind, with the binary protocol."""
    if not has_terminals():
        return False
    from .manager import HubTerminalManager

    return isinstance(manager, HubTerminalManager)


def of_which_kind(manager: Any, log: Logger) -> None:
    """Say in the log where the fast and resumable way is not there, and why."""
    if manager is not None and not is_ours(manager):
        log.warning(
            "Terminals are those of %s: /ws/terminal has terminado's JSON protocol only, without resume.",
            type(manager).__name__,
        )


def named(manager: Any, name: str, epoch: str | None = None) -> Any:
    """A terminal of any manager; of ours, also one that has just ended, if that is the one of this epoch.

    Raises:
        HubError: it is gone.
    """
    terminal = manager.find(name, epoch) if is_ours(manager) else manager.terminals.get(name)
    if terminal is None:
        raise HubError(Code.NOT_FOUND, f"The terminal {name!r} has ended.")
    return terminal


def flow_of(manager: Any, terminal: Any, flows: Flows) -> Flow:
    """What pauses a terminal: ours do it by themselves."""
    flow: Flow = terminal if is_ours(manager) else flows.of(terminal)
    return flow
