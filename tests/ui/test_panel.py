"""The left panel in a real JupyterLab: to look at, by keyboard, without a connection, with notifications."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import FilePayload, Request

from ..support.client import Address, HubClient
from ..support.proxy import Fault, Way
from ..support.server import RealServer
from .axe import serious_violations
from .conftest import Opener, Window, quiet_lab

pytestmark = [pytest.mark.ui, pytest.mark.timeout(180)]

PANEL = "#jupyter-ws-hub-panel"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark", "contrast": "JupyterLab Dark High Contrast"}
# The pauses between attempts to connect are as long as they can be.
PATIENT = "const random = Math.random; Math.random = () => 0.95 + random() / 20;"
# Under this name the workspace has which sections are folded.
FOLDED = "jupyter-ws-hub:panel"
# What the heading of the section about the server has said of being open, from the first drawing on.
WATCH_FOLDS = """
window.folds = [];
new MutationObserver(() => {
  const one = document.getElementById('jp-WsHub-server-head')?.ariaExpanded;
  if (one && window.folds[window.folds.length - 1] !== one) window.folds.push(one);
}).observe(document, {attributes: true, childList: true, subtree: true});
"""
NOTICES: list[dict[str, Any]] = [
    {"title": "The nightly run has begun", "source": "nightly.sh"},
    {
        "title": "Training",
        "message": "Epoch 14 of 40",
        "source": "train.py",
        "id": "training",
        "progress": 0.35,
    },
    {"title": "Training done", "message": "92.4 % after 40 epochs.", "level": "success", "source": "train.py"},
    {
        "title": "The disk is almost full",
        "message": "Less than 2 GB are free.",
        "level": "warning",
        "actions": [{"label": "Show it", "kind": "path", "target": "data.bin"}],
    },
    {"title": "A kernel has died", "message": "It had too little memory.", "level": "error", "to": "all"},
]


def themed_lab(theme: str) -> Callable[[RealServer], None]:
    """A JupyterLab with a theme."""

    def prepare(server: RealServer) -> None:
        quiet_lab(server)
        folder = server.base_dir / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
        (folder / "themes.jupyterlab-settings").write_text(json.dumps({"theme": THEMES[theme]}))

    return prepare


async def post(server: RealServer, *notices: dict[str, Any]) -> None:
    """Notify from another client."""
    async with HubClient(Address.of(server)) as client:
        for notice in notices:
            await client.request("notifications.post", notice)


async def open_panel(window: Window) -> None:
    await window.restored()
    await window.page.wait_for_selector('.jp-WsHub-statusButton[data-state="connected"]')
    await window.open_sidebar("jupyter-ws-hub-panel")
    await window.state("main", "connected")


async def has_titles(window: Window, *titles: str) -> None:
    """Wait until the list has exactly these unread notifications, the newest first."""
    await window.page.wait_for_function(
        """titles => JSON.stringify([...document.querySelectorAll(
             '.jp-WsHub-notice[data-read="false"] .jp-WsHub-noticeTitle')].map(one => one.lastChild.textContent))
           === JSON.stringify(titles)""",
        arg=list(titles),
    )


async def no_toasts(window: Window) -> None:
    await window.page.wait_for_function("document.querySelectorAll('.Toastify__toast').length === 0")


async def rich_panel(window: Window, server: RealServer) -> None:
    """A panel with something in every part of it."""
    await window.page.click('.jp-LauncherCard[title*="erminal"]')
    await window.page.wait_for_selector(".jp-Terminal .xterm-screen")
    await open_panel(window)
    await window.page.set_input_files(
        ".jp-WsHub-panel input[type=file]",
        files=[FilePayload(name="data.bin", mimeType="application/octet-stream", buffer=b"x" * 5000)],
    )
    await window.page.wait_for_selector('.jp-WsHub-transfer[data-state="done"]')
    await post(server, *NOTICES)
    await has_titles(window, *(notice["title"] for notice in reversed(NOTICES)))
    await window.page.wait_for_selector(".jp-WsHub-figure .jp-WsHub-plotLine", state="attached")


@pytest.mark.parametrize("theme", THEMES)
async def test_nothing_keeps_people_from_using_it(
    theme: str, start_server: Callable[..., RealServer], open_window: Opener
) -> None:
    server = start_server(program="lab", prepare=themed_lab(theme))
    window = await open_window(server)
    await window.page.set_viewport_size({"width": 1280, "height": 1200})
    await rich_panel(window, server)
    await window.page.click(".jp-WsHub-services > summary")
    await window.page.wait_for_function("document.querySelectorAll('.jp-WsHub-plotLine').length >= 4")
    await window.screenshot(f"panel-{theme}")
    assert await serious_violations(window.page, PANEL) == []
    assert await serious_violations(window.page, ".jp-WsHub-statusButton") == []
    buttons = "[...document.querySelectorAll('#jupyter-ws-hub-panel button')].map(one => getComputedStyle(one).opacity)"
    assert set(await window.page.evaluate(buttons)) == {"1"}
    assert window.errors == []
    window.proxy.fault = Fault(up=Way(cut_after=0))
    window.proxy.cut_all()
    await window.page.wait_for_selector(".jp-WsHub-reconnect")
    await window.screenshot(f"panel-{theme}-away")
    assert await serious_violations(window.page, PANEL) == []
    assert await window.page.locator(".jp-Dialog").count() == 0


async def test_a_lost_connection_comes_back_at_once_when_a_person_wants_it(
    lab: RealServer, open_window: Opener
) -> None:
    window = await open_window(lab, script=PATIENT)
    await open_panel(window)
    window.proxy.fault = Fault(up=Way(cut_after=0))
    window.proxy.cut_all()
    row = '.jp-WsHub-connection[data-service="main"]'
    await window.page.wait_for_selector(f'{row}:has-text("attempt 4")')
    window.proxy.fault = Fault()
    # By itself it would wait for more than seven seconds.
    await window.page.click(f"{row} .jp-WsHub-reconnect")
    await window.state("main", "connected", timeout_ms=4000)
    assert await window.page.locator(f"{row} .jp-WsHub-reconnect").count() == 0
    assert await window.page.locator(".jp-Dialog").count() == 0
    # JupyterLab's own requests fail, and it says so.
    assert [error for error in window.errors if "Failed to fetch" not in error] == []


async def test_what_another_client_posts_pops_up_is_listed_and_is_read_in_all_windows(
    lab: RealServer, open_window: Opener
) -> None:
    first, second = await open_window(lab), await open_window(lab)
    for window in (first, second):
        await open_panel(window)
    await post(lab, {"title": "Training done", "message": "92.4 %", "level": "error"})
    for window in (first, second):
        await has_titles(window, "Training done")
        await window.page.wait_for_selector('.Toastify__toast:has-text("Training done")')
        await window.page.wait_for_selector('.lm-TabBar-tab[data-id="jupyter-ws-hub-panel"][data-unread="1"]')
        assert await window.page.inner_text(".jp-WsHub-badge") == "1"
    await first.page.click(".jp-WsHub-markRead")
    for window in (first, second):
        await has_titles(window)
        await no_toasts(window)
        await window.page.wait_for_selector(".jp-WsHub-badge", state="detached")
        assert await window.page.locator('.jp-WsHub-notice[data-read="true"]').count() == 1
    await second.page.click('[aria-label="Dismiss Training done"]')
    for window in (first, second):
        await window.page.wait_for_selector(".jp-WsHub-notice", state="detached")
        assert window.errors == []


async def test_after_a_reload_nothing_pops_up_again_and_what_came_meanwhile_is_one_pop_up(
    lab: RealServer, open_window: Opener
) -> None:
    window = await open_window(lab)
    await open_panel(window)
    await post(lab, {"title": "Seen", "level": "error"})
    await window.page.wait_for_selector('.Toastify__toast:has-text("Seen")')
    await window.page.goto("about:blank")
    await post(lab, *({"title": f"Missed {n}"} for n in range(5)))
    await window.page.go_back()
    await window.page.wait_for_selector('.Toastify__toast:has-text("5 new notifications")')
    await open_panel(window)
    await has_titles(window, *(f"Missed {n}" for n in reversed(range(5))), "Seen")
    assert await window.page.locator(".Toastify__toast").count() == 1
    assert window.errors == []


@pytest.mark.parametrize("end", ["success", "error"])
async def test_the_end_of_a_run_pops_up_once_though_the_page_was_closed_then(
    end: str, lab: RealServer, open_window: Opener
) -> None:
    run = {"title": "Training", "id": f"run-{end}", "source": "train.py"}
    window = await open_window(lab)
    await open_panel(window)
    await post(lab, {**run, "progress": 0.2})
    await window.page.wait_for_selector('.Toastify__toast:has-text("Training")')
    await window.page.click(".jp-WsHub-markRead")
    await no_toasts(window)
    await window.page.goto("about:blank")
    await post(lab, {**run, "level": end, "message": "It has ended.", "progress": 1 if end == "success" else None})
    await window.page.go_back()
    await window.page.wait_for_selector('.Toastify__toast:has-text("It has ended.")')
    await window.screenshot(f"panel-run-{end}")
    await window.page.reload()
    await open_panel(window)
    # What comes after it pops up, and it does not.
    await post(lab, {"title": "Another one", "level": "error"})
    await window.page.wait_for_selector('.Toastify__toast:has-text("Another one")')
    assert await window.page.locator(".Toastify__toast").count() == 1
    assert window.errors == []


async def test_what_was_dismissed_comes_back_when_it_happens_again(lab: RealServer, open_window: Opener) -> None:
    backup = {"title": "Backup", "message": "The disk is full.", "level": "error", "id": "backup"}
    window = await open_window(lab)
    await open_panel(window)
    for _ in range(2):
        await post(lab, backup)
        await has_titles(window, "Backup")
        await window.page.wait_for_selector('.Toastify__toast:has-text("Backup")')
        await window.page.click('[aria-label="Dismiss Backup"]')
        await window.page.wait_for_selector(".jp-WsHub-notice", state="detached")
        await no_toasts(window)
    await post(lab, backup)
    await has_titles(window, "Backup")
    await window.page.reload()
    await open_panel(window)
    await has_titles(window, "Backup")
    assert window.errors == []


async def test_sections_stay_folded_over_a_reload_and_never_jump(lab: RealServer, open_window: Opener) -> None:
    def keeps_it(request: Request) -> bool:
        return "/api/workspaces/" in request.url and request.method == "PUT" and FOLDED in (request.post_data or "")

    window = await open_window(lab, script=WATCH_FOLDS)
    await open_panel(window)
    async with window.page.expect_request_finished(keeps_it):
        await window.page.click("#jp-WsHub-server-head")
    assert await window.page.evaluate("window.folds") == ["true", "false"]
    await window.page.reload()
    await open_panel(window)
    assert await window.page.locator("#jp-WsHub-server-body").is_hidden()
    assert await window.page.locator("#jp-WsHub-transfers-body").is_visible()
    assert await window.page.evaluate("window.folds") == ["false"]
    assert window.errors == []


async def test_all_of_it_is_used_by_keyboard_and_shows_where_one_is(lab: RealServer, open_window: Opener) -> None:
    window = await open_window(lab)
    await open_panel(window)
    await post(lab, {"title": "Look", "actions": [{"label": "Open", "kind": "url", "target": "https://example.org"}]})
    await has_titles(window, "Look")
    page = window.page
    await window.at_rest()
    await page.focus(f"{PANEL} h2 button")
    seen: list[str] = []
    for _ in range(30):
        label, outline, opacity = await page.evaluate(
            """() => { const one = document.activeElement; return [
                 one.closest('#jupyter-ws-hub-panel') ? one.ariaLabel ?? one.innerText.trim() : null,
                 getComputedStyle(one).outlineStyle, getComputedStyle(one).opacity]; }"""
        )
        if label is None:
            break
        assert outline != "none", f"nothing shows that the focus is on {label!r}"
        assert opacity == "1", f"{label!r} cannot be seen"
        seen.append(label)
        await page.keyboard.press("Tab")
    expected = [
        *("Connections", "Server", "Services", "Transfers", "Upload files…"),
        *("Notifications", "Mark all as read", "Dismiss Look", "Open"),
    ]
    assert [label.splitlines()[0].split("\t")[0].title() for label in seen] == [label.title() for label in expected]
    await page.focus(f'{PANEL} section[data-id="server"] h2 button')
    await page.keyboard.press("Enter")
    assert await page.get_attribute(f'{PANEL} section[data-id="server"] h2 button', "aria-expanded") == "false"
    assert await page.locator(".jp-WsHub-figures").is_hidden()
    await page.focus(".jp-WsHub-markRead")
    await page.keyboard.press("Space")
    await has_titles(window)
    assert window.errors == []
