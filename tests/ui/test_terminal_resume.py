"""Terminals of a real JupyterLab whose network breaks: the screen is in the end as if it had not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ..support.client import until
from ..support.server import RealServer
from .conftest import Opener, Window, quiet_lab

pytestmark = [pytest.mark.ui, pytest.mark.timeout(180)]

CONFIG = """
c.LabApp.expose_app_in_browser = True
c.ServerApp.terminado_settings = {'shell_command': ['/bin/bash', '--norc']}
"""
FOREIGN = """
c.TerminalsExtensionApp.terminal_manager_class = 'jupyter_server_terminals.terminalmanager.TerminalManager'
"""
PROMPT = "ready>"
ENVIRONMENT = {"PS1": f"{PROMPT} "}
WAIT_MS = 20_000
MARKED = ".lm-TabBar-tab.jp-WsHub-reconnecting"

# The lines of the terminal's buffer, as xterm.js has parsed them, without the empty ones at the end.
EMULATOR = "[...window.jupyterapp.shell.widgets('main')].map(one => one.content && one.content._term).find(one => one)"
SCREEN = (
    f"() => {{ const term = {EMULATOR};"
    """
  const buffer = term && term.buffer.active;
  const lines = [];
  for (let row = 0; buffer && row < buffer.length; row++) {
    lines.push(buffer.getLine(row).translateToString(true));
  }
  return lines.join('\\n').trimEnd();
}"""
)
# Notes each time that a tab is marked, however short.
NOTE_MARKS = f"""() => {{
  window.marks = 0;
  new MutationObserver(() => {{
    window.marks += document.querySelectorAll('{MARKED}').length;
  }}).observe(document.body, {{ childList: true, subtree: true, attributes: true, attributeFilter: ['class'] }});
}}"""
# Counts how often the emulator is asked to tell when it has parsed everything.
COUNT = f"""() => {{
  const term = {EMULATOR};
  const write = term.write.bind(term);
  window.asked = 0;
  term.write = (data, done) => {{
    window.asked += data === '' && done ? 1 : 0;
    write(data, done);
  }};
}}"""


@pytest.fixture
def exposed_lab(start_server: Callable[..., RealServer], tmp_path: Path) -> RealServer:
    """A real JupyterLab whose page shows its application to scripts; its shells know the test's folder as `$FOLDER`."""
    environment = {**ENVIRONMENT, "FOLDER": str(tmp_path)}
    return start_server(program="lab", prepare=quiet_lab, config=CONFIG, environment=environment)


async def screen(window: Window) -> str:
    """What the terminal shows, scrolled-out lines too."""
    return str(await window.page.evaluate(SCREEN))


async def shows(window: Window, text: str, timeout_ms: float = WAIT_MS) -> None:
    """Wait until the last lines are these."""
    await window.page.wait_for_function(
        f"text => ({SCREEN})().endsWith(text)", arg=text, timeout=timeout_ms, polling=50
    )


async def open_terminal(window: Window) -> None:
    """Open one, and wait for its shell."""
    await window.page.click('.jp-LauncherCard[title*="erminal"]')
    await window.page.wait_for_selector(".jp-Terminal .xterm-screen")
    await window.open_sidebar("jupyter-ws-hub-panel")
    await window.state("terminal", "connected")
    await window.page.focus(".jp-Terminal .xterm-helper-textarea")
    await shows(window, PROMPT)


async def session(window: Window, folder: Path, broken: bool) -> str:
    """Type, let the program write and the user type while the network is away; what the screen shows at the end."""
    began, ended = folder / "began", folder / "ended"
    await open_terminal(window)
    await window.page.keyboard.type("cd $FOLDER; touch began; sleep 1; seq -s ' é€😀 ' 40; mv began ended\n")
    await until(began.exists, "the command was typed, and is run")
    if broken:
        window.lose_network()
        await window.state("terminal", "reconnecting")
        await until(ended.exists, "the program has written meanwhile")
    else:
        await shows(window, "40\nready>")
    await window.page.keyboard.type("echo typed é; seq 3\n")
    if broken:
        assert "typed" not in await screen(window)
        window.proxy.flow()
    await shows(window, "typed é\n1\n2\n3\nready>")
    ended.unlink()
    return await screen(window)


async def test_after_a_cut_the_screen_is_as_without_one(
    exposed_lab: RealServer, open_window: Opener, tmp_path: Path
) -> None:
    whole, broken = await open_window(exposed_lab), await open_window(exposed_lab)
    expected = await session(whole, tmp_path, broken=False)
    assert await session(broken, tmp_path, broken=True) == expected
    assert whole.errors == broken.errors == []


async def test_a_flood_arrives_whole_over_cuts(exposed_lab: RealServer, open_window: Opener) -> None:
    window = await open_window(exposed_lab)
    await open_terminal(window)
    await window.page.evaluate(COUNT)
    await window.page.keyboard.type("seq 200000; echo all\n")
    for _ in range(3):
        await window.page.wait_for_timeout(100)
        window.proxy.cut_all()
    await shows(window, "200000\nall\nready>", 60_000)
    numbers = [int(line) for line in (await screen(window)).splitlines() if line.isdigit()]
    assert numbers == list(range(200_001 - len(numbers), 200_001))
    assert len(numbers) > 500
    assert await window.page.evaluate("window.asked") > 20  # what it has parsed is acknowledged, not what has come
    assert all("client=" in url for url in window.sockets_to("/ws/terminal/"))
    assert window.errors == []


async def is_marked_after_a_cut(window: Window) -> bool:
    """Whether the tab was marked, however short, until the terminal was back."""
    before = len(window.sockets_to("/ws/terminal/"))
    await window.page.evaluate("window.marks = 0")
    window.proxy.cut_all()
    await until(lambda: len(window.sockets_to("/ws/terminal/")) > before, "it is tried again")
    await window.state("terminal", "connected")
    return bool(await window.page.evaluate("window.marks > 0"))


async def test_the_tab_is_marked_while_the_network_is_away(exposed_lab: RealServer, open_window: Opener) -> None:
    window = await open_window(exposed_lab)
    await open_terminal(window)
    await window.page.evaluate(NOTE_MARKS)
    # On a busy machine a cut may last long.
    assert not all([await is_marked_after_a_cut(window) for _ in range(3)])
    window.lose_network()
    mark = await window.page.wait_for_selector(MARKED, timeout=WAIT_MS)
    assert mark is not None
    assert await window.page.evaluate("window.marks") > 0
    assert (await mark.get_attribute("title") or "").startswith("Reconnecting")
    await window.screenshot("terminal-reconnecting")
    window.proxy.flow()
    await window.page.wait_for_selector(MARKED, state="detached", timeout=WAIT_MS)
    await window.state("terminal", "connected")
    assert window.errors == []


async def test_the_status_of_the_shell_is_shown(exposed_lab: RealServer, open_window: Opener) -> None:
    window = await open_window(exposed_lab)
    await open_terminal(window)
    await window.page.keyboard.type("exit 3\n")
    await window.page.wait_for_selector("text=/Terminal .*: exited with status 3/", timeout=WAIT_MS)
    await window.state("terminal", "idle")
    await window.screenshot("terminal-exited")
    assert window.errors == []


async def test_another_terminal_manager_is_spoken_to_in_json(
    start_server: Callable[..., RealServer], open_window: Opener
) -> None:
    lab = start_server(program="lab", prepare=quiet_lab, config=CONFIG + FOREIGN, environment=ENVIRONMENT)
    window = await open_window(lab)
    await open_terminal(window)
    await window.page.keyboard.type("echo $((6*7))\n")
    await shows(window, f"\n42\n{PROMPT}")
    assert "client=" not in window.sockets_to("/ws/terminal/")[-1]
    assert not window.sockets_to("/terminals/websocket/")
    window.lose_network()
    await window.state("terminal", "reconnecting")
    await window.page.keyboard.type("echo again\n")
    window.proxy.flow()
    await shows(window, f"\nagain\n{PROMPT}")
    assert window.errors == []
