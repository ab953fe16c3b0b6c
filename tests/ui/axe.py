"""Looks for what keeps people from using a page: axe-core, in the page itself."""

from __future__ import annotations

from importlib.resources import files

from playwright.async_api import Page

SERIOUS = ("serious", "critical")
RUN = """async selector => {
  const { violations } = await axe.run(selector, { resultTypes: ['violations'] });
  return violations.flatMap(({ id, impact, nodes }) => nodes.map(({ html, failureSummary }) =>
    ({ id, impact, text: `${id}: ${html}\\n${failureSummary}` })));
}"""


async def serious_violations(page: Page, selector: str) -> list[str]:
    """What is serious or critical in the part of the page that the selector names."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    found = await page.evaluate(RUN, selector)
    return [one["text"] for one in found if one["impact"] in SERIOUS]
