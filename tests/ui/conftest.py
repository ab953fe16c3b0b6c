"""Fixtures for the browser tests: the system's Chromium, a real JupyterLab, a fault proxy between them."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, WebSocket, async_playwright

from ..support.proxy import FaultProxy
from ..support.server import TOKEN, RealServer

SCREENSHOTS = Path(__file__).parent / "screenshots"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
LOAD_MS = 60_000
MAIN_HAD_FOCUS = """document.addEventListener('focusin', ({ target }) => {
  const inMain = target.closest('#jp-main-dock-panel') !== null && target.closest('.jp-Spinner') === null;
  window.mainHadFocus ||= inMain;
}, true);"""
"""Notes that JupyterLab has given the focus to what it shows in the middle: the launcher, or what was open before."""
WAS_RESTORED = """document.addEventListener('readystatechange', () => {
  new MutationObserver(records => {
    const wasTaken = records.some(({ removedNodes }) => [...removedNodes].some(one => one.id === 'jupyterlab-splash'));
    window.wasRestored ||= wasTaken && document.getElementById('jupyterlab-splash') === null;
  }).observe(document.body, { childList: true });
}, { once: true });"""
"""Notes that JupyterLab has taken its splash screen away, as it does when its window is as it was left."""


def executable() -> str:
    """The system's Chromium; without one the tests are skipped, or fail where CI=true."""
    for name in filter(None, (os.environ.get("CHROMIUM"), *NAMES)):
        found = shutil.which(name)
        if found is not None:
            return found
    message = "The browser tests need Chromium: install it, or set CHROMIUM to its path."
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def quiet_lab(server: RealServer) -> None:
    """Answer JupyterLab's question about its news before it asks."""
    folder = server.base_dir / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True)
    (folder / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')


@dataclass
class Window:
    """A JupyterLab window, the WebSockets that its page has opened, and the proxy through which it goes."""

    page: Page
    proxy: FaultProxy
    sockets: list[str]
    errors: list[str]
    warnings: list[str]
    """What the browser's console has warned of."""

    async def screenshot(self, name: str) -> None:
        """Keep a picture to look at."""
        SCREENSHOTS.mkdir(exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def sockets_to(self, path: str) -> list[str]:
        """The opened WebSockets whose address has `path` in it."""
        return [url for url in self.sockets if path in url]

    async def state(self, service: str, state: str, timeout_ms: float = 20_000) -> None:
        """Wait until the panel shows a service in a state."""
        row = f'.jp-WsHub-connection:not(.jp-mod-child)[data-service="{service}"][data-state="{state}"]'
        await self.page.wait_for_selector(row, timeout=timeout_ms)

    async def restored(self) -> None:
        """Wait until JupyterLab's window is as it was left, or is a new one; until then it shows and hides panels."""
        await self.page.wait_for_function("() => window.wasRestored", timeout=LOAD_MS)

    async def at_rest(self) -> None:
        """The same, and what is shown in the middle has had the focus: late, and once, it takes it from what has it."""
        await self.restored()
        await self.page.wait_for_function("() => window.mainHadFocus")

    def lose_network(self) -> None:
        """All connections end, and attempts to connect get no answer, until `proxy.flow()`."""
        self.proxy.stall()
        self.proxy.cut_all()

    async def open_sidebar(self, name: str) -> None:
        """Show one of our side panels (`panel`, `chat`) or another by its id, unless it is shown."""
        tab = self.page.locator(f'.jp-SideBar .lm-TabBar-tab[data-id="{name}"]')
        if "lm-mod-current" not in (await tab.get_attribute("class") or ""):
            await tab.click()


class Opener:
    """Opens JupyterLab windows, each in a browser context of its own: another person's, or another machine's."""

    def __init__(self, executable: str) -> None:
        """The browser is started with the first window."""
        self._executable = executable
        self._stack = AsyncExitStack()
        self._browser: Browser | None = None

    async def _start(self) -> Browser:
        if self._browser is None:
            playwright = await self._stack.enter_async_context(async_playwright())
            self._browser = await playwright.chromium.launch(executable_path=self._executable, args=list(ARGUMENTS))
            self._stack.push_async_callback(self._browser.close)
        return self._browser

    async def __call__(self, server: RealServer, path: str = "lab", script: str = "", user: str = "") -> Window:
        """Open `path` of a server through a proxy; returns when the page is loaded, and JupyterLab is restored.

        `script` runs in it before its own scripts, also after each reload. `user` is who somebody is for a server that
        asks their browser (`chat.PEOPLE`).
        """
        browser = await self._start()
        proxy = await self._stack.enter_async_context(FaultProxy(server.port))
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        for each in filter(None, (MAIN_HAD_FOCUS, WAS_RESTORED, script)):
            await context.add_init_script(each)
        if user:
            home = f"http://127.0.0.1:{proxy.port}"
            await context.add_cookies([{"name": "test-user", "value": user, "url": home}])
        page = await context.new_page()
        window = Window(page, proxy, [], [], [])

        def note(socket: WebSocket) -> None:
            window.sockets.append(socket.url)

        page.on("websocket", note)
        page.on("console", lambda said: window.warnings.append(said.text) if said.type == "warning" else None)
        page.on("pageerror", lambda error: window.errors.append(f"{error}\n{error.stack}"))
        await page.goto(f"http://127.0.0.1:{proxy.port}{server.base_url}{path}?token={TOKEN}")
        await page.wait_for_selector("#main, .jp-Launcher", timeout=LOAD_MS)
        if path == "lab":
            await window.restored()
        return window

    async def close(self) -> None:
        """Let go of everything."""
        await self._stack.aclose()


@pytest.fixture
def open_window(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Opener]:
    """Opens JupyterLab windows."""
    opener = Opener(executable())
    yield opener
    jp_asyncio_loop.run_until_complete(opener.close())


@pytest.fixture
def lab(start_server: Callable[..., RealServer]) -> RealServer:
    """A real JupyterLab without its news dialog."""
    return start_server(program="lab", prepare=quiet_lab)


@pytest.fixture
def exposed_lab(start_server: Callable[..., RealServer]) -> RealServer:
    """A real JupyterLab whose page shows its application to scripts."""
    return start_server(program="lab", prepare=quiet_lab, config="c.LabApp.expose_app_in_browser = True\n")
