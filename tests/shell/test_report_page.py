"""The report's page in a real browser, headless: it finds the numbers, and draws in both colour schemes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.training_page import page

# As the browser's own documents say for a machine without a display, and without a word to its maker.
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium here; tests/unit/test_training_page.py reads the page by a parser")
    return found


def _run(browser: str, tmp_path: Path, *options: str) -> str:
    file = tmp_path / "page.html"
    file.write_text(page(), encoding="utf-8")
    command = [browser, *_OPTIONS, f"--user-data-dir={tmp_path / 'profile'}", *options, file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def test_the_browser_finds_the_numbers(browser: str, tmp_path: Path) -> None:
    document = _run(browser, tmp_path, "--dump-dom")
    found = dict(re.findall(r'<b id="(\w+)">([^<]+)</b>', document))
    assert found == {"accuracy": "0.734", "rate": "43.0", "shards": "2", "transport": "tcp"}
    # Three curves, a timeline and the topology.
    assert document.count("</svg>") == 5


def test_the_browser_draws_it(browser: str, tmp_path: Path) -> None:
    sizes = {}
    for scheme in ("light", "dark"):
        picture = tmp_path / f"{scheme}.png"
        blink = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
        _run(browser, tmp_path, *blink, "--window-size=960,2600", f"--screenshot={picture}")
        sizes[scheme] = picture.read_bytes()
    assert all(len(one) > 50_000 for one in sizes.values())
    assert sizes["light"] != sizes["dark"]
