"""What answers by plain HTTP: `/ws/chat`, which is gone."""

from __future__ import annotations

import json

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from .parts import Parts


class ChatGoneHandler(APIHandler):
    """410 for the endpoint that `/ws` replaced; the body names it."""

    auth_resource = "chat"

    def initialize(self, parts: Parts) -> None:
        """All endpoints are made alike."""

    @web.authenticated
    def get(self) -> None:
        """Say that it is gone, and where chat is now."""
        where = url_path_join(self.base_url, "ws")
        self.set_status(410)
        self.finish(
            json.dumps(
                {
                    "code": "gone",
                    "message": f"/ws/chat is gone; chat is a service of {where}.",
                    "endpoint": where,
                    "subprotocol": "v1.hub.jupyter-ws-hub",
                }
            )
        )

    @web.authenticated
    def post(self) -> None:
        """The same."""
        self.get()
