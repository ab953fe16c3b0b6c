"""Every setting once: a trait with its help, default and unit; handed down as frozen settings."""

from __future__ import annotations

from pathlib import Path

import msgspec
from traitlets import Bool, Float, HasTraits, Integer, List, Unicode

from .hub.settings import HubSettings
from .protocol.session import Timing
from .transfers.store import TransferSettings


class Settings(msgspec.Struct, frozen=True):
    """All settings of one server, as the parts take them."""

    hub: HubSettings
    transfers: TransferSettings
    owner: str
    disabled_services: tuple[str, ...]
    database_path: Path | None
    keep_messages: bool
    full_sync: bool
    database_retry_s: float


class HubTraits(HasTraits):
    """The traits of HubApp, as `c.HubApp.<name>` in jupyter_ws_hub_config.py or jupyter_server_config.py."""

    hello_timeout_s = Float(10.0, help="Seconds a new connection on /ws has to say hello.").tag(config=True)
    heartbeat_interval_s = Float(25.0, help="Seconds between the server's pings on /ws.").tag(config=True)
    heartbeat_grace_s = Float(
        10.0, help="Seconds of silence beyond the ping interval after which a connection on /ws counts as dead."
    ).tag(config=True)
    session_ttl_s = Float(120.0, help="Seconds a session on /ws is kept for a client that is away.").tag(config=True)
    max_connections = Integer(1000, help="Connections on /ws that the server takes at a time.").tag(config=True)
    max_requests = Integer(64, help="Requests that one session on /ws may have under way.").tag(config=True)
    max_topics = Integer(128, help="Topics that one connection on /ws may subscribe to.").tag(config=True)
    max_frame_bytes = Integer(1024 * 1024, help="Bytes of the largest frame that /ws takes.").tag(config=True)
    outbox_bytes = Integer(
        4 * 1024 * 1024, help="Bytes that may wait to be sent on one connection on /ws, for each kind of lane."
    ).tag(config=True)
    max_upload_bytes = Integer(0, help="Bytes of the largest file that may be uploaded; 0: no limit.").tag(config=True)
    max_active_transfers = Integer(16, help="Transfers that one user may have under way.").tag(config=True)
    transfer_threads = Integer(4, help="Threads in which transfers touch the disk.").tag(config=True)
    owner = Unicode(
        "owner",
        help="""To whom sessions, transfers and notifications belong where the server has one token or password and so
        no names: every such request comes from the same person, whatever random name Jupyter gave it.""",
    ).tag(config=True)
    disabled_services = List(Unicode(), help="Names of services that are not to be served.").tag(config=True)
    keep_messages = Bool(
        True, help="Keep messages in a file, so that they outlive the server; otherwise in memory."
    ).tag(config=True)
    database = Unicode(
        "",
        help="""Path of the file that keeps messages; empty: one per server root, in the ws_hub folder of Jupyter's data
        directory.""",
    ).tag(config=True)
    full_sync = Bool(
        False, help="Wait until the disk has each message that is kept: survives a power loss whole, and is slower."
    ).tag(config=True)
    database_retry_s = Float(
        30.0,
        help="""Seconds between tries to use the database again after it failed: the disk was full, the file damaged or
        gone. Meanwhile messages are kept in memory.""",
    ).tag(config=True)

    def freeze(self, server_name: str, default_database: Path) -> Settings:
        """The traits' values now, as the parts take them."""
        timing = Timing(self.hello_timeout_s, self.heartbeat_interval_s, self.heartbeat_grace_s)
        hub = HubSettings(
            timing=timing,
            max_frame_bytes=self.max_frame_bytes,
            outbox_bytes=self.outbox_bytes,
            max_requests=self.max_requests,
            max_topics=self.max_topics,
            max_connections=self.max_connections,
            session_ttl_s=self.session_ttl_s,
            server_name=server_name,
        )
        transfers = TransferSettings(
            max_upload_bytes=self.max_upload_bytes,
            max_active=self.max_active_transfers,
            threads=self.transfer_threads,
        )
        return Settings(
            hub=hub,
            transfers=transfers,
            owner=self.owner,
            disabled_services=tuple(self.disabled_services),
            database_path=Path(self.database) if self.database else default_database,
            keep_messages=self.keep_messages,
            full_sync=self.full_sync,
            database_retry_s=self.database_retry_s,
        )
