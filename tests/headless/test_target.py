"""What ``browser=`` may name, and what is said where it is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tfjs_magic.errors import OptionError, RunError
from tfjs_magic.headless import programs
from tfjs_magic.headless.driver import check_target
from tfjs_magic.headless.programs import find_programs
from tfjs_magic.headless.target import Grid, Local, Node, read_target
from tfjs_magic.options import BenchmarkOptions


@pytest.mark.parametrize("browser", ["fox", "", "ftp://grid", "http://", "http://grid:x", "http://grid:0", "grid:4444"])
def test_what_is_no_browser_is_refused_at_once(browser: str) -> None:
    with pytest.raises(OptionError, match="expected one of chrome, firefox, edge, safari, or the URL of a Selenium"):
        BenchmarkOptions(browser=browser)


def test_a_profile_needs_a_browser() -> None:
    with pytest.raises(OptionError, match="profile needs a browser"):
        BenchmarkOptions(browser="node", profile=True)


def test_targets() -> None:
    assert read_target("edge") == Local("edge")
    assert read_target("node") == Node()
    assert read_target("http://grid:4444") == Grid("http://grid:4444", {"browserName": "chrome"})


def test_capabilities_are_the_query() -> None:
    found = read_target('https://me:key@farm/wd/hub?browserName=safari&x:os={"name":"iOS"}&se:n=3&platformName=Linux')
    assert isinstance(found, Grid)
    assert found.url == "https://me:key@farm/wd/hub"
    assert found.capabilities == {
        "browserName": "safari",
        "x:os": {"name": "iOS"},
        "se:n": 3,
        "platformName": "Linux",
    }
    assert found.title == "the Grid at https://farm/wd/hub", "no password in a message"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "_MORE_DIRECTORIES", ())
    return tmp_path


def _program(place: Path) -> str:
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)
    return str(place)


def test_a_missing_browser_names_what_was_looked_for_and_the_command(path: Path) -> None:
    with pytest.raises(RunError, match=r"Chrome was not found: PATH holds none of chromium, .*google-chrome") as caught:
        find_programs(Local("chrome"))
    if sys.platform == "linux":
        assert str(caught.value).endswith("To install both: sudo apt-get install chromium chromium-driver")
    assert path.exists()


def test_a_missing_driver_is_named(path: Path) -> None:
    _program(path / "firefox-esr")
    with pytest.raises(RunError, match=r"Firefox is there .* but not its driver: PATH holds no geckodriver"):
        find_programs(Local("firefox"))


def test_both_are_found(path: Path) -> None:
    browser, driver = _program(path / "chromium"), _program(path / "chromedriver")
    found = find_programs(Local("chrome"))
    assert (found.browser, found.driver) == (browser, driver)


def test_selenium_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(RunError, match=r"pip install 'tfjs-magic\[headless\]'"):
        check_target(Local("chrome"))
