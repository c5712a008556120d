"""Where the browser is looked for; no browser is started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e import chromium


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is all of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    return tmp_path


def put_program(path: Path) -> str:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_takes_the_first_name_on_path(path: Path) -> None:
    put_program(path / "google-chrome")
    expected = put_program(path / "chromium-browser")
    assert chromium.require_chromium() == expected


def test_the_variable_comes_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(path / "chromium")
    expected = put_program(path / "my-browser")
    monkeypatch.setenv("CHROMIUM", expected)
    assert chromium.require_chromium() == expected


def test_a_wrong_variable_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(path / "chromium")
    monkeypatch.setenv("CHROMIUM", "/no/such/browser")
    with pytest.raises(chromium.ChromiumMissingError, match=r"CHROMIUM is '/no/such/browser'"):
        chromium.require_chromium()


@pytest.mark.usefixtures("path")
def test_who_may_not_install_is_told_the_command() -> None:
    """Without apt-get on PATH nobody may."""
    with pytest.raises(chromium.ChromiumMissingError, match=r"sudo apt-get install --yes .* chromium"):
        chromium.require_chromium()


def test_root_installs_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = path / "log"
    browser = path / "chromium"
    make = f'[ "$1" = update ] || {{ echo > {browser}; /bin/chmod +x {browser}; }}'
    apt = f'#!/bin/sh\necho "$@" >> {log}\n{make}\n'
    (path / "apt-get").write_text(apt)
    (path / "apt-get").chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert chromium.require_chromium() == str(path / "chromium")
    assert log.read_text().splitlines() == ["update --quiet", " ".join(chromium.INSTALL[1:])]
