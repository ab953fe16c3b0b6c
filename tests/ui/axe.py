"""Looks for what keeps people out: axe-core, run in a page, on one part of it."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page

SCRIPT = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async selector => {
  const { violations } = await window.axe.run(selector, { resultTypes: ['violations'] });
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}"""


async def serious_violations(page: Page, selector: str) -> list[str]:
    """The serious and critical violations in the part of the page that a CSS selector names."""
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(SCRIPT.read_text())
    found: list[str] = await page.evaluate(RUN, selector)
    return found


async def set_theme(page: Page, name: str) -> None:
    """Change JupyterLab's theme, such as `JupyterLab Dark`; needs `c.LabApp.expose_app_in_browser = True`."""
    await page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
        name,
    )
    light = "false" if "Dark" in name else "true"
    await page.wait_for_selector(f'body[data-jp-theme-name="{name}"][data-jp-theme-light="{light}"]', state="attached")
