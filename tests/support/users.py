"""Servers on which a header says who one is, as a proxy that authenticates would."""

from __future__ import annotations

from typing import Final

from .address import Address
from .server import RealServer

HEADER: Final = "X-Test-User"
BY_HEADER: Final = f"""
from jupyter_server.auth import IdentityProvider, User

class ByHeader(IdentityProvider):
    "A provider of names: the header's, or that of the test's token."

    def get_user(self, handler):
        name = handler.request.headers.get({HEADER!r})
        return User(name, display_name=name.title()) if name else super().get_user(handler)

c.ServerApp.identity_provider_class = ByHeader
c.ByHeader.token = c.IdentityProvider.token
"""
"""For the configuration of a `RealServer`."""


def user(server: RealServer, name: str, port: int | None = None) -> Address:
    """A server, or a proxy before it, as a user of some name sees it."""
    return Address(port or server.port, server.base_url, {HEADER: name})
