"""The composition root: the only place that puts storage, hub, services, transfers and handlers together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from jupyter_core.paths import jupyter_data_dir
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp

from . import __version__
from .assistants.discovery import OWN as OWN_ASSISTANTS
from .assistants.discovery import discover as discover_assistants
from .assistants.discovery import model_pids
from .chat.chat import Chat
from .chat.context import ContextReader
from .chat.generations import Generations
from .chat.presences import Presences
from .chat.room_store import RoomStore
from .chat.talk import Talk
from .config import HubTraits, Settings
from .handlers.census import count_sockets
from .handlers.logout import logout_routes
from .handlers.parts import Parts
from .handlers.routes import routes
from .handlers.ticker import Checks, Ticker
from .host import Activity, ContentsAdapter, PlatformAdapter
from .host_files import FilesAdapter
from .host_limits import allowed
from .host_notices import NoticeSources
from .host_usage import UsageGauge
from .hub.declare import Method, Topic
from .hub.hub import Hub
from .identity import Identity
from .listing.helper import ListingHelper
from .ports import Peer, Runtime
from .server_api import ServerApi
from .services import discover
from .services.base import Health, Service, ServiceContext
from .storage.base import Storage
from .storage.failover import FailoverStorage
from .storage.filesystem import is_shared
from .storage.memory import MemoryStorage
from .storage.sqlite.opening import SqliteFile
from .terminals.place import of_which_kind, put_in_place
from .transfers.journal import Journal
from .transfers.spool import Spool
from .transfers.store import TransferStore
from .watchdog import StallMonitor

GC_THRESHOLD = (10_000, 20, 20)
"""Allocations before the young are looked through (about 0.5 ms), and how many such rounds before the older ones."""

SWEEP_S = 5.0
UPKEEP_S = 300.0
START_S = 2.0
"""How long connections wait for services to start; who has not by then is down until it has."""
STOP_S = 2.0
CLOSE_S = 1.0
RETRY_AFTER_MS = 1000


def _is_foreign(service: Service) -> bool:
    """Whether another package brings the service: of two that declare the same, our own counts."""
    return not type(service).__module__.startswith(f"{__package__}.")


class HubApp(HubTraits, ExtensionApp):
    """The server extension."""

    name = "jupyter_ws_hub"
    load_other_extensions = True
    classes = [ServerApp, *OWN_ASSISTANTS]  # noqa: RUF012  # as its base class has it

    def _link_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Also give the server our terminal manager; it makes its own only when all extensions are linked."""
        super()._link_jupyter_server_extension(serverapp)
        put_in_place(serverapp)

    def initialize_settings(self) -> None:
        """Build all parts; nothing runs yet."""
        serverapp = self._serverapp()
        settings = self.freeze(f"jupyter_ws_hub {__version__}", self._default_database(serverapp))
        runtime = self._make_runtime(serverapp)
        self._storage = self._open_storage(settings, runtime)
        contents = ContentsAdapter(serverapp)
        self._transfers = self._make_transfers(serverapp, settings, runtime)
        self._listings = ListingHelper(self.log, settings.listing)
        self._services = discover(self.log, settings.disabled_services)
        self._down: dict[str, str] = {}
        self._sick: set[str] = set()
        context = ServiceContext(
            publish=self._publish,
            storage=self._storage,
            runtime=runtime,
            contents=contents,
            platform=PlatformAdapter(serverapp),
            transfers=self._transfers,
            listings=self._listings,
            chat=self._make_chat(settings, runtime, contents),
            notices=settings.notices,
            max_reply_bytes=settings.hub.max_reply_bytes,
            recheck=self._recheck,
            survey=self._survey,
            sockets=lambda: count_sockets(self._parts.sockets),
            gauge=partial(self._make_gauge, runtime),
        )
        methods, topics = self._declarations(context)
        self._hub = Hub(methods, topics, self._storage.log, self._storage.values, runtime, settings.hub)
        self._starting: asyncio.Future[None] | None = None
        self._chores: list[asyncio.Task[None]] = []
        self._starts: list[asyncio.Task[None]] = []
        self._make_endpoints(serverapp, settings, runtime)
        # By these the browser half learns from the page that the server half is here, and with which services.
        page: dict[str, Any] = serverapp.web_app.settings.setdefault("page_config_data", {})
        page |= {"jupyterWsHub": __version__, "jupyterWsHubServices": self._useful()}

    def _useful(self) -> list[str]:
        """The names of the services, without that of transfers where the system can make none."""
        names = [service.name for service in self._services]
        return [name for name in names if name != "transfers" or not self._transfers.lacks]

    def _make_runtime(self, serverapp: ServerApp) -> Runtime:
        return Runtime(
            clock=time.time,
            monotonic=time.monotonic,
            new_id=lambda: secrets.token_hex(16),
            logger=self.log,
            active=Activity(serverapp, time.monotonic),
        )

    def _make_transfers(self, serverapp: ServerApp, settings: Settings, runtime: Runtime) -> TransferStore:
        data, root = Path(jupyter_data_dir()) / "ws_hub", str(Path(serverapp.root_dir).resolve())
        journal = Journal(settings.transfers_dir or data / "transfers", root, self.log)
        spool = Spool((settings.transfers_dir or data) / "spool", root)
        self._sweep_spool = partial(spool.sweep, keep_s=settings.transfers.keep_idle_s, ids=journal.ids)
        return TransferStore(FilesAdapter(serverapp, spool, self.log), runtime, settings.transfers, journal)

    def _make_chat(self, settings: Settings, runtime: Runtime, contents: ContentsAdapter) -> Chat:
        self._assistants = discover_assistants(self, self.log, settings.assistants)
        talk = Talk(self._storage, self._publish, runtime)
        reader = ContextReader(contents.get, settings.generations.max_attachment_characters)
        values = self._storage.values
        self._generations = Generations(talk, self._assistants, reader, settings.generations, runtime, values)
        return Chat(
            rooms=RoomStore(self._storage, self._publish, runtime, self._recheck),
            talk=talk,
            presences=Presences(self._publish, runtime),
            generations=self._generations,
            settings=settings.chat,
        )

    def _own_pids(self) -> list[int]:
        """This process and its helpers, not what users have started."""
        helper = self._listings.pid
        return [os.getpid(), *([] if helper is None else [helper])]

    def _make_gauge(self, runtime: Runtime) -> UsageGauge:
        own, models, said = self._own_pids, partial(model_pids, self._assistants), allowed(os.environ)
        return UsageGauge(own, runtime.monotonic, models=models, allowed=said)

    def _recheck(self, topic: str) -> None:
        self._hub.topics.recheck(topic)

    def _make_endpoints(self, serverapp: ServerApp, settings: Settings, runtime: Runtime) -> None:
        """What the handlers are handed, and what lets time pass for them."""
        identity = Identity(runtime.monotonic, settings.identity_check_s / 4)
        self._sources = NoticeSources(serverapp, self._call, settings, runtime)
        self._parts = Parts(
            hub=self._hub,
            transfers=self._transfers,
            owner=settings.owner,
            start=self.start_services,
            active=runtime.active,
            may_watch=settings.allow_watching_terminals,
            identity=identity,
            call=self._call,
            sources=self._sources,
        )
        self._tune_gc = settings.tune_gc
        self._monitor = StallMonitor(settings.report_stalls_ms, self.log) if settings.report_stalls_ms else None
        self._ticker = Ticker(self._parts.sockets, Checks(settings.identity_check_s, runtime), runtime)

    async def _call(self, method: str, params: bytes, peer: Peer) -> bytes:
        """Call a method that a client on /ws could call; see server_api.Call."""
        await self.start_services()
        return await self._hub.router.call(self._hub.router.method(method), msgspec.Raw(params), peer)

    async def _publish(
        self, topic: str, kind: str, payload: msgspec.Struct, *, principal: str | None = None, id: str | None = None
    ) -> int | None:
        return await self._hub.topics.publish(topic, kind, payload, principal=principal, id=id)

    def _declarations(self, context: ServiceContext) -> tuple[list[Method], list[Topic]]:
        """What the services declare; one that cannot, or that declares what another has, is down."""
        methods: dict[str, Method] = {}
        topics: dict[str, Topic] = {}
        for service in sorted(self._services, key=_is_foreign):
            try:
                service.bind(context)
                its_methods = {method.name: method for method in service.methods()}
                its_topics = {topic.pattern: topic for topic in service.all_topics()}
                taken = [*(methods.keys() & its_methods), *(topics.keys() & its_topics)]
                if taken:
                    raise ValueError(f"another service has declared {', '.join(sorted(taken))}")
            except Exception as error:
                self.log.error("The service %r cannot be served.", service.name, exc_info=error)
                self._down[service.name] = f"It cannot be served: {type(error).__name__}."
                continue
            methods.update(its_methods)
            topics.update(its_topics)
        return list(methods.values()), list(topics.values())

    @property
    def api(self) -> ServerApi:
        """For other extensions, which find this one in the server's settings by its name."""
        return self._sources.api

    def _serverapp(self) -> ServerApp:
        assert self.serverapp is not None
        return self.serverapp

    def _default_database(self, serverapp: ServerApp) -> Path:
        """One file per server root, so that servers on the same root share it and others do not."""
        root = str(Path(serverapp.root_dir).resolve())
        name = hashlib.sha256(root.encode()).hexdigest()[:16]
        return Path(jupyter_data_dir()) / "ws_hub" / f"{name}.sqlite"

    def _open_storage(self, settings: Settings, runtime: Runtime) -> Storage:
        path = settings.database_path
        if not settings.keep_messages or path is None:
            return MemoryStorage(runtime.clock, runtime.new_id)
        file = SqliteFile(
            path,
            runtime.clock,
            runtime.new_id,
            self.log,
            wal=not is_shared(path.parent),
            full_sync=settings.full_sync,
        )
        spare = partial(MemoryStorage, runtime.clock, runtime.new_id)
        return FailoverStorage(file.open, spare, self.log, settings.database_retry_s)

    def initialize_handlers(self) -> None:
        """Add the endpoints."""
        self.handlers.extend(routes(self._parts))
        self.handlers.extend(logout_routes(self._serverapp().identity_provider, self._parts))

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        await self.start_services()

    async def start_services(self) -> None:
        """Start the hub and all services, once. A service that fails to start is down; the others go on."""
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._start_all())
        await asyncio.shield(self._starting)

    async def _start_all(self) -> None:
        of_which_kind(self._serverapp().web_app.settings.get("terminal_manager"), self.log)
        if self._transfers.lacks:
            self.log.warning("%s JupyterLab's own way is used, also to list files.", self._transfers.lacks)
        self._hub.start()
        self._storage.on_switched(self._hub.topics.renew)
        await self._generations.start()
        self._ticker.start()
        if self._monitor is not None:
            self._monitor.start()
        self._starts = [
            asyncio.create_task(self._start(service)) for service in self._services if service.name not in self._down
        ]
        if self._starts:
            await asyncio.wait(self._starts, timeout=START_S)
        self._sources.start()
        if self._tune_gc:
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLD)
        self._chores = [
            asyncio.create_task(self._every(SWEEP_S, self._sweep)),
            asyncio.create_task(self._every(UPKEEP_S, self._keep_up)),
        ]

    async def _start(self, service: Service) -> None:
        """Start one service; it is down until that is done."""
        self._down[service.name] = "It has not started yet."
        try:
            await service.start()
        except Exception as error:
            self.log.error("The service %r cannot start.", service.name, exc_info=error)
            self._down[service.name] = f"It could not start: {type(error).__name__}."
        else:
            del self._down[service.name]

    async def _every(self, interval_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(interval_s)
            try:
                await work()
            except Exception as error:
                self.log.error("What is not needed any more could not be let go of.", exc_info=error)

    async def _sweep(self) -> None:
        self._hub.sweep()
        await self._transfers.sweep()

    async def _keep_up(self) -> None:
        await self._transfers.run(self._sweep_spool, time.time())
        await self._hub.topics.trim_all()
        await self._storage.upkeep()

    def _survey(self) -> list[Health]:
        return [self._health(service) for service in self._services]

    def _health(self, service: Service) -> Health:
        if service.name in self._down:
            return Health(service.name, "down", self._down[service.name])
        try:
            health = service.health()
        except Exception as error:
            if service.name not in self._sick:  # it is asked each second
                self._sick.add(service.name)
                self.log.error("The service %r cannot tell how it is.", service.name, exc_info=error)
            return Health(service.name, "down", f"It failed: {type(error).__name__}.")
        self._sick.discard(service.name)
        if health.state == "ok" and self._storage.degraded is not None:
            return Health(service.name, "degraded", self._storage.degraded)
        return health

    async def stop_extension(self) -> None:
        """Say goodbye to all clients and let go of everything. Never raises; ends within a few seconds."""
        self._sources.stop()
        try:
            async with asyncio.timeout(STOP_S):
                await self._stop_all()
        except TimeoutError:
            self.log.warning("Not everything of the hub ended within %s s.", STOP_S)
        except Exception as error:
            self.log.error("The hub could not stop cleanly.", exc_info=error)
        if self._monitor is not None:
            self._monitor.stop()
        await self._ticker.stop()
        await self._parts.identity.stop()
        await self._close_storage()

    async def _close_storage(self) -> None:
        """Let what is queued be written, but not for ever: another process may hold the database."""
        loop, closed = asyncio.get_running_loop(), asyncio.Event()

        def close() -> None:
            self._storage.close()
            with contextlib.suppress(RuntimeError):  # the loop has ended before
                loop.call_soon_threadsafe(closed.set)

        threading.Thread(target=close, name="jupyter-ws-hub-close", daemon=True).start()
        try:
            async with asyncio.timeout(CLOSE_S):
                await closed.wait()
        except TimeoutError:
            self.log.warning("The hub's database did not close within %s s.", CLOSE_S)

    async def _stop_all(self) -> None:
        await self._generations.close()  # while there is still somebody to be told of their end
        await self._hub.stop(RETRY_AFTER_MS)
        await self._transfers.stop()
        for socket in tuple(self._parts.sockets):
            socket.shut_down()
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        for start in self._starts:
            start.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)
        if self._starting is not None:
            await asyncio.gather(*(self._stop(service) for service in self._services if service.name not in self._down))

    async def _stop(self, service: Service) -> None:
        try:
            await service.stop()
        except Exception as error:
            self.log.error("The service %r cannot stop.", service.name, exc_info=error)

    def current_activity(self) -> dict[str, Any] | None:
        """Transfers and answers under way, so that the server is not stopped as idle in the midst of one."""
        running = {"transfers": self._transfers.running(), "answers": self._generations.running}
        return {what: number for what, number in running.items() if number} or None


main: Callable[[], None] = HubApp.launch_instance
