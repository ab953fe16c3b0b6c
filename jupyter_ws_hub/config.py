"""Every setting once: a trait with its help, default and unit; handed down as frozen settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from traitlets import Bool, Dict, Float, HasTraits, Integer, List, Unicode

from .chat.generations import GenerationSettings
from .chat.settings import ChatSettings
from .hub.limits import LimitSettings
from .hub.settings import HubSettings
from .listing.helper import ListingSettings
from .notices.settings import NoticeSettings
from .protocol.session import Timing
from .rates import Rate
from .transfers.settings import TransferSettings


class Settings(msgspec.Struct, frozen=True):
    """All settings of one server, as the parts take them."""

    hub: HubSettings
    transfers: TransferSettings
    transfers_dir: Path | None
    listing: ListingSettings
    generations: GenerationSettings
    chat: ChatSettings
    notices: NoticeSettings
    notification_events: dict[str, Any]
    owner: str
    owner_is_named: bool
    """Whether the configuration says who `owner` is."""
    disabled_services: tuple[str, ...]
    assistants: tuple[str, ...]
    database_path: Path | None
    keep_messages: bool
    full_sync: bool
    database_retry_s: float
    identity_check_s: float
    allow_watching_terminals: bool
    report_stalls_ms: float
    tune_gc: bool


def _rate(default_per_s: float, what: str) -> Float[float, float]:
    return Float(
        default_per_s, min=0, help=f"{what}, per second, that one connection on /ws may send on average; 0: no limit."
    ).tag(config=True)


def _burst(default: int, what: str) -> Integer[int, int]:
    return Integer(
        default,
        min=0,
        help=f"{what} that one connection on /ws may send at once after a rest; 0: no limit, also of the rate.",
    ).tag(config=True)


def _per_minute(default: float, what: str) -> Float[float, float]:
    return Float(
        default, min=0, help=f"{what} per minute of one user; half of it may come at once after a rest. 0: no limit."
    ).tag(config=True)


_LIMITS = LimitSettings()
_GENERATIONS = GenerationSettings()
_CHAT = ChatSettings()
_NOTICES = NoticeSettings()


class HubTraits(HasTraits):
    """The traits of HubApp, as `c.HubApp.<name>` in jupyter_ws_hub_config.py or jupyter_server_config.py."""

    hello_timeout_s = Float(10.0, help="Seconds a new connection on /ws has to say hello.").tag(config=True)
    heartbeat_interval_s = Float(25.0, help="Seconds between the server's pings on /ws.").tag(config=True)
    heartbeat_grace_s = Float(
        10.0, help="Seconds of silence beyond the ping interval after which a connection on /ws counts as dead."
    ).tag(config=True)
    session_ttl_s = Float(120.0, help="Seconds a session on /ws is kept for a client that is away.").tag(config=True)
    max_connections = Integer(1000, min=1, help="Connections on /ws that the server takes at a time.").tag(config=True)
    max_connections_per_user = Integer(
        64,
        min=0,
        help="""Connections on /ws that one user may have at a time; 0: no limit but max_connections. Where the server
        has one token or password and no names, all its tabs, command lines and kernels are one user.""",
    ).tag(config=True)
    max_requests = Integer(64, min=1, help="Requests that one session on /ws may have under way.").tag(config=True)
    max_running = Integer(16, min=1, help="Requests of one session on /ws that run at the same time; others wait.").tag(
        config=True
    )
    max_outcomes = Integer(
        256, help="Outcomes that are kept for one session on /ws until its client says that it has them."
    ).tag(config=True)
    outcome_bytes = Integer(1024 * 1024, help="Bytes of such outcomes, for one session.").tag(config=True)
    max_replay = Integer(
        1_000_000, help="Messages of a topic that are replayed to a client that comes back; beyond that it is reset."
    ).tag(config=True)
    max_topics = Integer(128, min=1, help="Topics that one connection on /ws may subscribe to.").tag(config=True)
    max_frame_bytes = Integer(1024 * 1024, help="Bytes of the largest frame that /ws takes.").tag(config=True)
    outbox_bytes = Integer(
        4 * 1024 * 1024,
        help="Bytes that may wait to be sent on one connection on /ws; half of it is the largest reply.",
    ).tag(config=True)
    messages_per_s = _rate(_LIMITS.messages.per_s, "Messages of any kind")
    messages_burst = _burst(int(_LIMITS.messages.burst), "Messages of any kind")
    reads_per_s = _rate(_LIMITS.reads.per_s, "Requests that read")
    reads_burst = _burst(int(_LIMITS.reads.burst), "Requests that read")
    writes_per_s = _rate(_LIMITS.writes.per_s, "Requests that write")
    writes_burst = _burst(int(_LIMITS.writes.burst), "Requests that write")
    others_per_s = _rate(_LIMITS.others.per_s, "Requests that neither read nor write, such as to execute")
    others_burst = _burst(int(_LIMITS.others.burst), "Requests that neither read nor write, such as to execute")
    max_refused = Integer(
        _LIMITS.max_refused,
        min=0,
        help="""Messages and requests above these rates within 10 seconds after which a connection on /ws is closed; a
        client that waits as long as it is told has far fewer. 0: none is closed for that.""",
    ).tag(config=True)
    identity_check_s = Float(
        120.0,
        min=0,
        help="""Seconds after which, at the latest, the user of each open connection is checked again: whether they are
        still logged in (under JupyterHub) and still may use it. 0: only when a connection is opened.""",
    ).tag(config=True)
    allow_watching_terminals = Bool(
        False,
        help="""Let users who may read, but not execute, terminals look on at them over /ws/terminal; what they type is
        refused. The stock endpoint lets nobody look on.""",
    ).tag(config=True)
    tune_gc = Bool(
        True,
        help="""Take what is in memory when the server has started out of garbage collection, and collect less often:
        looking through everything again and again stops the whole server, typing too, for 100 ms and more.""",
    ).tag(config=True)
    report_stalls_ms = Float(
        0.0,
        min=0,
        help="""Milliseconds of a blocked event loop after which the log names the code that blocks it; for debugging.
        0: nothing is looked at.""",
    ).tag(config=True)
    max_upload_bytes = Integer(0, min=0, help="Bytes of the largest file that may be uploaded; 0: no limit.").tag(
        config=True
    )
    max_active_transfers = Integer(
        16,
        min=1,
        help="""Transfers of one user that may move bytes at the same time; others wait. Of downloads over HTTP none
        waits: one more is answered with status 429.""",
    ).tag(config=True)
    max_transfers = Integer(2000, min=1, help="Transfers of one user that may be under way, paused ones too.").tag(
        config=True
    )
    min_free_bytes = Integer(
        0, min=0, help="Bytes that uploads leave free on a disk; an upload that would not is refused."
    ).tag(config=True)
    transfer_bytes_per_s = Float(
        0.0, min=0, help="Bytes per second of all transfers of one user together; 0: no limit."
    ).tag(config=True)
    keep_transfers_s = Float(
        24 * 3600.0,
        help="Seconds after which a transfer that nobody goes on with is removed, with what had arrived of it.",
    ).tag(config=True)
    transfers_dir = Unicode(
        "",
        help="""Directory for what must be known of transfers after a restart; empty: in the ws_hub folder of Jupyter's
        data directory. Servers that share it can go on with each other's transfers. In its folder `spool` are files
        on their way to or from a ContentsManager that keeps them elsewhere, whole.""",
    ).tag(config=True)
    max_download_entries = Integer(
        1_000_000, min=1, help="Files and directories that one download of a directory may have."
    ).tag(config=True)
    transfer_threads = Integer(4, min=1, help="Threads in which transfers touch the disk.").tag(config=True)
    max_listings = Integer(
        32,
        min=1,
        help="""Directories that are read at the same time for listings; further requests wait for their turn. As many
        more listings may wait for their clients to take what there is; when others need their place, those of which
        nothing is taken are ended.""",
    ).tag(config=True)
    max_watched_directories = Integer(
        64,
        min=0,
        help="""Directories whose changes are told to those who show them, however many these are; the system limits
        watches too, on Linux by fs.inotify.max_user_watches.""",
    ).tag(config=True)
    max_answers = Integer(
        _GENERATIONS.max_running, min=0, help="Answers of assistants that are written at the same time; 0: no limit."
    ).tag(config=True)
    max_answers_per_user = Integer(
        _GENERATIONS.max_per_user, min=0, help="Answers of assistants to one user at the same time; 0: no limit."
    ).tag(config=True)
    asks_per_minute = _per_minute(_GENERATIONS.asks_per_minute, "Answers asked of assistants")
    max_output_tokens = Integer(
        _GENERATIONS.max_output_tokens, min=1, help="Tokens that an answer of an assistant may have."
    ).tag(config=True)
    max_history_characters = Integer(
        _GENERATIONS.max_history_characters,
        min=0,
        help="Characters of a room's newest messages that an assistant is sent with a question.",
    ).tag(config=True)
    max_attachment_characters = Integer(
        _GENERATIONS.max_attachment_characters,
        min=0,
        help="Characters of what is attached to a question that an assistant is sent; what is beyond is cut.",
    ).tag(config=True)
    first_token_timeout_s = Float(
        _GENERATIONS.first_token_timeout_s,
        min=0,
        help="Seconds within which an assistant must begin to answer; its start, where that takes long, counts "
        "too, but not the time in which it answers others first.",
    ).tag(config=True)
    idle_timeout_s = Float(
        _GENERATIONS.idle_timeout_s,
        min=0,
        help="Seconds of silence after which an answer that has begun is ended as failed.",
    ).tag(config=True)
    gather_s = Float(
        _GENERATIONS.gather_s,
        min=0,
        help="Seconds for which the pieces of an answer are gathered before they are sent on.",
    ).tag(config=True)
    system_prompt = Unicode(
        _GENERATIONS.system_prompt, help="What all assistants are told of how they are to answer, before anything else."
    ).tag(config=True)
    chat_posts_per_minute = _per_minute(_CHAT.posts_per_minute, "Chat messages, edits and deletions")
    chat_searches_per_minute = _per_minute(_CHAT.searches_per_minute, "Searches in chats, and exports of rooms,")
    chat_changes_per_minute = _per_minute(_CHAT.changes_per_minute, "Chat rooms made and changed")
    chat_presences_per_minute = _per_minute(_CHAT.presences_per_minute, "Changes of who is in a chat room and types,")
    owner = Unicode(
        "",
        help="""Where users have names, by an identity provider of the server's own: the username of whom notifications
        from kernels, the command line, other extensions and events are for, unless these say it; empty: they are
        refused. Under JupyterHub it is the server's user. Where the server has one token or password and so no names:
        to whom all sessions, transfers and notifications belong, as every request comes from the same person, whatever
        random name Jupyter gave it; empty: "owner".""",
    ).tag(config=True)
    notifications_per_s = Float(
        _NOTICES.per_s,
        min=0,
        help="Notifications, updates too, per second that may be posted to one user on average; 0: no limit.",
    ).tag(config=True)
    notifications_burst = Integer(
        int(_NOTICES.burst),
        min=0,
        help="Notifications that may be posted to one user at once after a rest; 0: no limit.",
    ).tag(config=True)
    notification_events = Dict(
        help="""Events of the server that become notifications: a schema's id -> a title, or a dictionary with title,
        message, level, to ("me", "all"), id (of the notification that such events update) and when (fields and the
        values that they must have). {field} stands for what an event says, as in "Kernel {action}: {kernel_name}".""",
    ).tag(config=True)
    disabled_services = List(
        Unicode(),
        help="""Names of services that are not to be served: of assistants, chat, files, notifications, status,
        transfers, and of those that other packages add.""",
    ).tag(config=True)
    assistants = List(
        Unicode(),
        ["*"],
        help="""Names of the assistants that may be asked in chats, the default one first; "*" stands for all others
        that are configured. Empty: none.""",
    ).tag(config=True)
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
            max_running=self.max_running,
            max_outcomes=self.max_outcomes,
            outcome_bytes=self.outcome_bytes,
            max_replay=self.max_replay,
            max_topics=self.max_topics,
            max_connections=self.max_connections,
            max_connections_per_user=self.max_connections_per_user,
            limits=self._limits(),
            session_ttl_s=self.session_ttl_s,
            server_name=server_name,
        )
        return Settings(
            hub=hub,
            transfers=self._transfer_settings(),
            transfers_dir=Path(self.transfers_dir) if self.transfers_dir else None,
            listing=ListingSettings(self.max_listings, self.max_watched_directories),
            generations=self._generation_settings(),
            chat=self._chat_settings(),
            notices=NoticeSettings(self.notifications_per_s, self.notifications_burst),
            notification_events=dict(self.notification_events),
            owner=self.owner or "owner",
            owner_is_named=bool(self.owner),
            disabled_services=tuple(self.disabled_services),
            assistants=tuple(self.assistants),
            database_path=Path(self.database) if self.database else default_database,
            keep_messages=self.keep_messages,
            full_sync=self.full_sync,
            identity_check_s=self.identity_check_s,
            allow_watching_terminals=self.allow_watching_terminals,
            report_stalls_ms=self.report_stalls_ms,
            tune_gc=self.tune_gc,
            database_retry_s=self.database_retry_s,
        )

    def _transfer_settings(self) -> TransferSettings:
        return TransferSettings(
            max_upload_bytes=self.max_upload_bytes,
            max_active=self.max_active_transfers,
            max_operations=self.max_transfers,
            min_free_bytes=self.min_free_bytes,
            bytes_per_s=self.transfer_bytes_per_s,
            keep_idle_s=self.keep_transfers_s,
            threads=self.transfer_threads,
            max_entries=self.max_download_entries,
        )

    def _generation_settings(self) -> GenerationSettings:
        return GenerationSettings(
            max_running=self.max_answers,
            max_per_user=self.max_answers_per_user,
            asks_per_minute=self.asks_per_minute,
            max_output_tokens=self.max_output_tokens,
            max_history_characters=self.max_history_characters,
            max_attachment_characters=self.max_attachment_characters,
            first_token_timeout_s=self.first_token_timeout_s,
            idle_timeout_s=self.idle_timeout_s,
            gather_s=self.gather_s,
            system_prompt=self.system_prompt,
        )

    def _chat_settings(self) -> ChatSettings:
        return ChatSettings(
            posts_per_minute=self.chat_posts_per_minute,
            searches_per_minute=self.chat_searches_per_minute,
            changes_per_minute=self.chat_changes_per_minute,
            presences_per_minute=self.chat_presences_per_minute,
        )

    def _limits(self) -> LimitSettings:
        return LimitSettings(
            messages=Rate(self.messages_per_s, self.messages_burst),
            reads=Rate(self.reads_per_s, self.reads_burst),
            writes=Rate(self.writes_per_s, self.writes_burst),
            others=Rate(self.others_per_s, self.others_burst),
            max_refused=self.max_refused,
        )
