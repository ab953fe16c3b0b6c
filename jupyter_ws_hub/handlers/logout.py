"""A route around the server's logout: the sockets of that login end with it; all else is left to the stock handler."""

from __future__ import annotations

import re
from typing import Any, Final

from jupyter_server.base.handlers import JupyterHandler

from ..identity import login_of
from ..protocol.codes import Code
from ..protocol.errors import HubError
from .parts import Parts

LOGOUT: Final = "/logout"


class ClosingLogout(JupyterHandler):
    """Mixed in before the handler of an identity provider's logout."""

    def initialize(self, parts: Parts, **stock: Any) -> None:
        """Take the parts of the server; the rest is the stock handler's."""
        self.parts = parts
        super().initialize(**stock)

    def on_finish(self) -> None:
        """When the logout has been answered well, end the sockets of the login that asked for it, and no others."""
        super().on_finish()
        if self.get_status() >= 400 or not self.identity_provider.auth_enabled:
            return
        login = login_of(self)
        if login is None:
            return
        for socket in [socket for socket in self.parts.sockets if socket.login == login]:
            socket.drop(HubError(Code.UNAUTHENTICATED, "You have logged out."))


def logout_routes(provider: Any, parts: Parts) -> list[tuple[str, type, dict[str, Any]]]:
    """The provider's own logout with ours around it; nothing where it has none, or one that is no Jupyter handler."""
    for pattern, handler, *options in provider.get_handlers():
        if re.fullmatch(pattern, LOGOUT) and issubclass(handler, JupyterHandler):
            around = type(handler.__name__, (ClosingLogout, handler), {"__doc__": handler.__doc__})
            return [(pattern, around, {**(options[0] if options else {}), "parts": parts})]
    return []
