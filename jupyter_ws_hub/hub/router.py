"""Finds the method or topic that a message names, decodes its payload, asks for permission, calls, encodes.

It knows services only by what they declare.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

import msgspec

from ..ports import Peer, Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from .declare import Method, Topic

_encoder = msgspec.json.Encoder()


class Router:
    """All declared methods and topics of one server."""

    def __init__(self, methods: Iterable[Method], topics: Iterable[Topic], runtime: Runtime) -> None:
        """Take the declarations of all services.

        Raises:
            ValueError: a name is declared twice.
        """
        self._runtime = runtime
        self.methods: dict[str, Method] = {}
        self.topics: dict[str, Topic] = {}
        self._decoders: dict[str, msgspec.json.Decoder[msgspec.Struct]] = {}
        for method in methods:
            if method.name in self.methods:
                raise ValueError(f"method {method.name!r} is declared twice")
            self.methods[method.name] = method
            self._decoders[method.name] = msgspec.json.Decoder(method.params)
        for topic in topics:
            if topic.pattern in self.topics:
                raise ValueError(f"topic {topic.pattern!r} is declared twice")
            self.topics[topic.pattern] = topic

    def topic(self, name: str) -> Topic:
        """The declaration of a topic.

        Raises:
            HubError: `unknown_topic`.
        """
        exact = self.topics.get(name)
        if exact is not None:
            return exact
        for topic in self.topics.values():
            if topic.matches(name):
                return topic
        raise HubError(Code.UNKNOWN_TOPIC, f"No service has a topic {name[:200]!r}.")

    def method(self, name: str) -> Method:
        """The declaration of a method.

        Raises:
            HubError: `unknown_method`.
        """
        method = self.methods.get(name)
        if method is None:
            raise HubError(Code.UNKNOWN_METHOD, f"No service has a method {name[:200]!r}.")
        return method

    async def call(self, method: Method, params: msgspec.Raw, peer: Peer) -> bytes:
        """Call a method for a peer and give its encoded result.

        Raises:
            HubError: whatever is wrong, in the words that the peer is told; a service's own failure is logged
                here and told as `internal`.
        """
        try:
            await peer.require(*method.permission, method.name)
            return _encoder.encode(await method.call(self._decode(method.name, params), peer))
        except HubError:
            raise
        except Exception as error:
            raise self._bug(method, error) from error

    async def stream(self, method: Method, params: msgspec.Raw, peer: Peer) -> AsyncGenerator[bytes, None]:
        """Call a method whose reply is streamed; give its encoded items. Raises as `call`."""
        try:
            await peer.require(*method.permission, method.name)
            async with aclosing(method.call(self._decode(method.name, params), peer)) as items:
                async for item in items:
                    yield _encoder.encode(item)
        except HubError:
            raise
        except Exception as error:
            raise self._bug(method, error) from error

    def _bug(self, method: Method, error: Exception) -> HubError:
        self._runtime.logger.error("%s failed", method.name, exc_info=error)
        return HubError(Code.INTERNAL, f"{method.name} failed; the server's log says why.")

    def _decode(self, name: str, params: msgspec.Raw) -> msgspec.Struct:
        try:
            return self._decoders[name].decode(params)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise HubError(Code.INVALID, f"The parameters of {name} were not understood: {error}.") from error
