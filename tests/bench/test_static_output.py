"""What a reader without a kernel sees, and what may stand in it."""

from __future__ import annotations

import base64
import re

import pytest

from tests.bench.reports import DIVERGENCE, PROFILE
from tests.bench.test_result import EVIL, snapshot_with
from tfjs_magic.bench.protocol import ProtocolError
from tfjs_magic.bench.snapshot import new_snapshot, start
from tfjs_magic.bench.static_output import checked_picture, static_html


def _svg(inside: str, attributes: str = "") -> str:
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"<svg {namespaces} {attributes}>{inside}</svg>"


@pytest.mark.parametrize(
    "inside",
    [
        "<title>a</title><path d='M0 0'/>",
        "<style>.a { clip-path: url(#b); fill: url( '#c') }</style>",
        "<a href='#top'><text>x</text></a>",
        "<!-- made by Plot --><g clip-path='url(\"#b\")'/>",
    ],
)
def test_a_plain_picture_passes_unchanged(inside: str) -> None:
    assert checked_picture(_svg(inside)) == _svg(inside)


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param("no xml", id="text"),
        pytest.param("<svg/>", id="no-namespace"),
        pytest.param("<html xmlns='http://www.w3.org/1999/xhtml'/>", id="html"),
        pytest.param("<!DOCTYPE svg [<!ENTITY a 'b'>]>" + _svg("&a;"), id="entities"),
        pytest.param(_svg("<script>alert(1)</script>"), id="script"),
        pytest.param(_svg("<x:SCRIPT xmlns:x='http://www.w3.org/2000/svg'/>"), id="script-by-prefix"),
        pytest.param(_svg("<foreignObject/>"), id="foreign"),
        pytest.param(_svg("<image href='https://x/'/>"), id="image"),
        pytest.param(_svg("", "onload='alert(1)'"), id="handler"),
        pytest.param(_svg("<g OnClick='x'/>"), id="handler-case"),
        pytest.param(_svg("<a href='javascript:alert(1)'/>"), id="javascript"),
        pytest.param(_svg("<a xlink:href='https://x/#a'/>"), id="xlink"),
        pytest.param(_svg("<g id='a'/><g id='b'><use href='#a'/><use href='#a'/></g>"), id="doubled"),
        pytest.param(_svg("<g style='fill:url(https://x/)'/>"), id="style-url"),
        pytest.param(_svg("<style>@import 'https://x/'</style>"), id="import"),
        pytest.param(_svg("<a><set attributeName='onmouseover' to='alert(1)'/></a>"), id="set"),
        pytest.param(_svg("<a><animate attributeName='href' to='javascript:alert(1)'/></a>"), id="animation"),
        pytest.param(_svg("<p xmlns='http://www.w3.org/1999/xhtml'/>"), id="html-inside"),
        pytest.param(_svg("<x:path xmlns:x='urn:x'/>"), id="another-namespace"),
        pytest.param("<?xml-stylesheet href='https://x/'?>" + _svg(""), id="stylesheet"),
        pytest.param(_svg("<style><title/>@import 'https://x/'</style>"), id="import-behind-an-element"),
        pytest.param(_svg("<style>@im<!-- -->port 'https://x/'</style>"), id="import-around-a-comment"),
        pytest.param(_svg("<style>.a { fill: \\75rl(https://x/) }</style>"), id="escaped-style"),
        pytest.param(_svg("<g style='fill: image-set(\"https://x/\" 1x)'/>"), id="image-set"),
    ],
)
def test_a_picture_that_could_do_more_than_be_drawn_is_refused(picture: str) -> None:
    with pytest.raises(ProtocolError, match="the picture"):
        checked_picture(picture)


def test_before_the_end_it_says_why_there_is_nothing() -> None:
    snapshot = new_snapshot(
        [{"label": "m", "format": "graph-model", "nbytes": 1}], [{"model": 0, "backend": "wasm", "feed": 0}]
    )
    shown = '<div class="tfjs-magic-static" data-widget="w"><p>{}</p></div>'
    assert static_html("w", snapshot, None) == shown.format("The benchmark was not run: no browser opened it.")
    begun = start(snapshot, "p", [state["job"] for state in snapshot["jobs"]])
    assert static_html("w", begun, None) == shown.format("The benchmark had not ended when this was saved.")


def test_table_picture_and_problem_stand_there_without_any_script() -> None:
    snapshot = snapshot_with([1.0] * 10)
    snapshot["error"] = {"name": "Error", "message": EVIL, "stack": ""}
    snapshot["jobs"][0].update(profile=PROFILE, divergence=DIVERGENCE)  # type: ignore[typeddict-item]
    html = static_html("w", snapshot, _svg(""))
    encoded = re.search(r'src="data:image/svg\+xml;base64,([^"]*)"', html)
    assert encoded is not None
    assert base64.b64decode(encoded[1]).decode() == _svg("")
    assert html.count("<img") == 1
    assert html.count("<table>") == 3
    assert "How it was taken." in html
    assert "is the first layer that differs." in html
    assert "&lt;img src=x" in html
