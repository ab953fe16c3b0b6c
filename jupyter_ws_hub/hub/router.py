"""Finds the method or topic that a message names, decodes its payload, asks for permission, calls, encodes.

It knows services only by what they declare.
"""

from __future__ import annotations

from collections.abc import Iterable

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

    async def call(self, name: str, params: msgspec.Raw, peer: Peer) -> bytes:
        """Call a method for a peer and give its encoded result.

        Raises:
            HubError: whatever is wrong, in the words that the peer is told; a service's own failure is logged
                here and told as `internal`.
        """
        method = self.method(name)
        try:
            await peer.require(*method.permission, name)
            arguments = self._decode(name, params)
            return _encoder.encode(await method.call(arguments, peer))
        except HubError:
            raise
        except Exception as error:
            self._runtime.logger.error("%s failed", name, exc_info=error)
            raise HubError(Code.INTERNAL, f"{name} failed; the server's log says why.") from error

    def _decode(self, name: str, params: msgspec.Raw) -> msgspec.Struct:
        try:
            return self._decoders[name].decode(params)
        except (msgspec.ValidationError, RecursionError) as error:
            raise HubError(Code.INVALID, f"The parameters of {name} were not understood: {error}.") from error
