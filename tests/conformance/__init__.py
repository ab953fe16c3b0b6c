"""Conformance of our WebSockets to RFC 6455: the Autobahn cases, run by `make conformance`."""
