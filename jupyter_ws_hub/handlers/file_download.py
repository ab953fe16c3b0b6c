"""`/ws/file-stream/<op>/content`: the bytes of a download by plain HTTP, with ranges, for any client."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.iostream import IOStream, StreamClosedError

from ..host import make_peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.ranges import Selection, headers_of, select
from ..transfers.content import STATUS, ContentStream
from ..transfers.operation import Operation
from .bulk import write_plainly
from .parts import Parts


class FileDownloadHandler(JupyterHandler):
    """The bytes of one download, of the kinds `file` and `zip`."""

    auth_resource = "contents"
    content: ContentStream | None = None
    stream: IOStream | None = None

    def initialize(self, parts: Parts) -> None:
        """Take the parts of the server."""
        self.parts = parts

    @property
    def content_security_policy(self) -> str:
        """As of Jupyter's own files: what is shown of it cannot do anything with this server."""
        return super().content_security_policy + "; sandbox allow-scripts"

    def get_login_url(self) -> str:
        """A login page would be saved as if it were the file."""
        raise web.HTTPError(403)

    @web.authenticated
    @authorized
    async def head(self, id: str) -> None:
        """What a GET would answer, without the bytes; the operation is left as it is."""
        self._begin(await self._operation(id), is_get=False)

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        """The bytes, or those of the range."""
        chosen = self._begin(operation := await self._operation(id))
        if chosen.status not in (200, 206):
            return
        content = self.content = ContentStream(operation, self.parts.transfers, make_peer(self, self.parts.owner), self)
        try:
            await content.open(chosen.begin)
            await self._deliver(content, chosen.end)
        except HubError as error:
            raise self._refusal(error) from error
        except StreamClosedError:
            pass  # the client has left
        finally:
            await content.close()

    async def _deliver(self, content: ContentStream, end: int) -> None:
        """Send the head, and then the bytes without Tornado, whose every step is one of the loop."""
        self.set_header("Connection", "close")
        await self.flush()
        self.stream = self.detach()
        self.stream.set_close_callback(content.leave)
        try:
            await content.send(end)
        finally:
            self.stream.close()
            self.application.log_request(self)

    async def _operation(self, id: str) -> Operation:
        await self.parts.start()
        try:
            operation = await self.parts.transfers.find(id, make_peer(self, self.parts.owner).principal)
        except HubError as error:
            raise self._refusal(error) from error
        if operation.direction != "download" or operation.kind == "tree":
            raise web.HTTPError(404, "This transfer gives nothing over HTTP.")
        if operation.held or operation.state in ("failed", "cancelled"):
            raise self._refusal(operation.error or HubError(Code.NOT_FOUND, "The transfer has ended."))
        return operation

    def _refusal(self, error: HubError) -> web.HTTPError:
        self.clear()
        return web.HTTPError(STATUS.get(error.code, 500), error.message.replace("%", "%%"))

    def _begin(self, operation: Operation, is_get: bool = True) -> Selection:
        """Choose what to answer, and say what it is."""
        etag, size = operation.etag or "", operation.size
        chosen = select(self.request.headers, etag, size, is_get=is_get)
        self.set_status(chosen.status)
        for name, value in headers_of(chosen, etag, size).items():
            self.set_header(name, value)
        if chosen.status in (200, 206):
            kind, encoding = mimetypes.guess_type(operation.name)
            self.set_header("Content-Type", (None if encoding else kind) or "application/octet-stream")
            self.set_attachment_header(operation.name)
        return chosen

    async def send_from(self, fill: Callable[[], memoryview]) -> bool:
        """See Body."""
        return self.stream is not None and await write_plainly(self.stream, self.parts.transfers.run, fill)

    def abort(self) -> None:
        """See Body."""
        if self.stream is not None:
            self.stream.close()

    def on_connection_close(self) -> None:
        """The client has left before the bytes began."""
        if self.content is not None:
            self.content.leave()
