"""The pages as people meet them, in a real browser: the form works, the chart moves, in light, dark and narrow.

It needs Chromium and the Python package ``playwright`` (which needs no browser of its own); ``CHROMIUM`` names another
one than the system's. Without a browser it is skipped, save in CI. ``SCREENSHOTS`` names a folder for what was seen.
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ongage_async import Limits
from ongage_async.emulator import Emulator, Fault
from tests.examples_webapp.fleet import Workers, crowd

playwright: Any = None
with suppress(ModuleNotFoundError):
    from playwright import sync_api as playwright

pytestmark = [pytest.mark.proof, pytest.mark.fleet, pytest.mark.timeout(120)]

LIMITS = Limits(120, per_s=60.0, parallel=5)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update"),
    *("--disable-background-networking", "--disable-sync", "--no-proxy-server"),
)
WHEN = {
    "light": ("light", 1000),
    "dark": ("dark", 1000),
    "narrow": ("light", 380),
}


def browser_path() -> str:
    """Return where the browser is; skip, loudly, where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = os.environ.get("CHROMIUM") or next((path for name in names if (path := shutil.which(name))), None)
    if path is not None and playwright is not None:
        return path
    missing = "Chromium (apt-get install chromium), or name one in CHROMIUM" if path is None else "playwright"
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI=true and no browser: install {missing}")
    pytest.skip(f"NO BROWSER, so the pages were not looked at: install {missing}")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path, home = browser_path(), tmp_path_factory.mktemp("browser")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS), env={**os.environ, "HOME": str(home)})
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(calls=LIMITS.calls, per_s=LIMITS.per_s, parallel=LIMITS.parallel, latency=0.05) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def workers(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    with Workers(emulator, LIMITS, tmp_path_factory.mktemp("app"), number=2, max_wait_s=2.0) as workers:
        yield workers


class Opened:
    """A page that was opened, and what went wrong in it."""

    def __init__(self, browser: Any, url: str, scheme: str = "light", width: int = 1000) -> None:
        self._context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        self.page = self._context.new_page()
        self.troubles: list[str] = []
        host = urlsplit(url).netloc
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on(
            "request",
            lambda request: urlsplit(request.url).netloc in (host, "") or self.troubles.append(request.url),
        )
        self.page.goto(url)

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))

    def keep(self, name: str) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    def close(self) -> None:
        self._context.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Opened]]:
    pages: list[Opened] = []

    def open_it(*options: Any) -> Opened:
        pages.append(Opened(browser, *options))
        return pages[-1]

    yield open_it
    for page in pages:
        page.close()
        assert page.troubles == []


def test_somebody_signs_up(workers: Workers, emulator: Emulator, open_page: Callable[..., Opened]):
    seen = open_page(f"{workers.url}/")
    said = seen.page.locator("output")

    def sign_up(answer: str) -> None:
        seen.page.click("button")
        playwright.expect(said).to_have_text(re.compile(answer), timeout=10_000)

    seen.page.fill("[name=first_name]", "Ada")
    seen.page.fill("[name=email]", "ada@example.com")
    seen.keep("form")
    sign_up("^Welcome!")
    assert emulator.state.default_list.contact("ada@example.com")["first_name"] == "Ada"
    sign_up("signed up already")
    seen.page.fill("[name=email]", "ada@nowhere")
    emulator.faults.add("contacts.create", Fault.status(412), times=1)
    sign_up("check the address")
    assert seen.page.locator("button").is_enabled()


def test_the_chart_moves_while_the_account_is_used(workers: Workers, open_page: Callable[..., Opened], tmp_path: Path):
    with crowd(workers.url, tmp_path / "visits", number=60, seconds=30.0, think_s=1.0):
        pages = {name: open_page(f"{workers.url}/ongage/budget", *how) for name, how in WHEN.items()}
        first = pages["light"]
        playwright.expect(first.page.locator("#state")).to_have_text("calls go out", timeout=10_000)
        line = first.page.locator("[data-line=spent]")
        points = [line.get_attribute("points", timeout=10_000)]
        spent = [int(first.text("#spent"))]
        for _ in range(5):
            time.sleep(2.0)
            points.append(line.get_attribute("points"))
            spent.append(int(first.text("#spent")))
        time.sleep(8.0)
        for name, page in pages.items():
            page.keep(f"budget-{name}")
    assert len(set(points)) == len(points), "the chart stands still"
    assert spent == sorted(spent)
    assert 0 < spent[-1] <= LIMITS.calls
    assert spent[-1] > spent[0]
    assert first.text("#processes") == "2"
    assert spent[-1] < LIMITS.calls or first.text("#state").startswith("the window is full")
    assert first.page.locator("#lanes tr").count() == 3
    assert int(first.page.locator("#lanes tr").first.locator("td").nth(2).inner_text()) > 0, "URGENT was granted calls"
    grounds = {
        name: page.page.evaluate("getComputedStyle(document.body).backgroundColor") for name, page in pages.items()
    }
    assert grounds["light"] == grounds["narrow"] != grounds["dark"]
    narrow = pages["narrow"].page
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 380


def test_a_pause_and_the_end_are_told(emulator: Emulator, open_page: Callable[..., Opened], tmp_path: Path):
    with Workers(emulator, LIMITS, tmp_path, number=1) as workers:
        emulator.limits.calls = None
        emulator.faults.add("contacts.create", Fault.status(429, headers={"Retry-After": "40"}), times=1)
        form = open_page(f"{workers.url}/")
        form.page.fill("[name=email]", "alan@example.com")
        form.page.click("button")
        playwright.expect(form.page.locator("output")).to_have_text(
            re.compile(r"busy: please try again in (39|4\d) s"), timeout=10_000
        )
        form.keep("form-busy")
        budget = open_page(f"{workers.url}/ongage/budget")
        state = budget.page.locator("#state")
        playwright.expect(state).to_have_text(re.compile(r"paused for \d+ s"), timeout=10_000)
        time.sleep(3.0)
        budget.keep("budget-paused")
    playwright.expect(state).to_have_text(re.compile("^no answer"), timeout=15_000)
    assert budget.text("#spent") == "1", "what was known stays"
    budget.keep("budget-gone")
