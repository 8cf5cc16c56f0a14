"""The pages in a real browser: what a person sees, and that hostile names do nothing there either."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, sync_playwright

from leeway_drift.service.pages import add_pages
from tests.pages_document import HOSTILE, Documents, status_document

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, fetched into the cache the first time (163 MB)."""
    bootstrap = subprocess.run([REPOSITORY / "scripts/bootstrap.sh"], check=True, capture_output=True, text=True)
    uv = bootstrap.stdout.strip()
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    program = subprocess.run(
        [uv, "run", "--quiet", "--frozen", "python", "-m", "cluster.fetch.browser"],
        check=True, capture_output=True, text=True, cwd=REPOSITORY / "scripts", env=environment | {"LEEWAY_UV": uv},
    ).stdout.strip()  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[str]:
    """The pages of the document that the test names, on a free port of this machine."""
    app = FastAPI()
    add_pages(app, Documents(request.param))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


def opened(browser: Browser, url: str, **options: Any) -> tuple[Page, list[str]]:
    """A page and what it complained of: refused styles or scripts, failed requests, errors."""
    complaints: list[str] = []
    page = browser.new_page(**options)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    return page, complaints


@pytest.mark.parametrize("served", [status_document()], indirect=True)
def test_a_person_finds_the_alarm_and_its_reason_from_the_index(browser: Browser, served: str):
    page, complaints = opened(browser, f"{served}/ui")

    page.get_by_role("link", name="leeway / flights").click()

    row = page.get_by_role("row", name="slow")
    assert "alarm" in row.inner_text()
    assert "temp has a PSI of 0.9" in row.inner_text()
    assert page.get_by_role("img", name="Distribution of temp").is_visible()
    assert [text for text in complaints if "favicon" not in text] == []


@pytest.mark.parametrize("served", [status_document()], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_style_is_admitted_and_follows_the_readers_scheme(browser: Browser, served: str, scheme: str):
    page, _ = opened(browser, f"{served}/ui/leeway/flights", color_scheme=scheme)

    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    bar = page.evaluate("getComputedStyle(document.querySelector('rect.now')).fill")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
    assert bar == {"light": "rgb(9, 105, 218)", "dark": "rgb(88, 166, 255)"}[scheme]


@pytest.mark.parametrize("served", [status_document()], indirect=True)
def test_a_narrow_screen_scrolls_the_table_and_not_the_page(browser: Browser, served: str):
    page, _ = opened(browser, f"{served}/ui/leeway/flights", viewport={"width": 360, "height": 640})

    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("served", [status_document(HOSTILE, HOSTILE + "\x00\x1b]")], indirect=True)
def test_hostile_names_are_shown_and_do_nothing(browser: Browser, served: str):
    page, _ = opened(browser, f"{served}/ui/leeway/flights")

    assert page.title() == "leeway / flights | Leeway drift"
    assert page.locator("script, img").count() == 0
    assert page.get_by_text("<script>document.title='owned'</script>").first.is_visible()
