"""The benchmark as a reader without a kernel sees it: a table and a picture, no script."""

from __future__ import annotations

import base64
import dataclasses
import html
import re
import xml.etree.ElementTree as ET

from tfjs_magic.bench.difference import compare
from tfjs_magic.bench.protocol import ProtocolError
from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.bench.state import ENDED, Snapshot

_SAVED = "Saved result of the benchmark:"
_SVG = "{http://www.w3.org/2000/svg}"
#: What only draws, or says what is drawn; nothing that draws another element again, since that may double and double.
_DRAWN = frozenset(
    "a circle clipPath defs desc ellipse g line linearGradient path polygon polyline radialGradient rect stop style "
    "svg text title tspan".split()
)
#: What loads, in a style; an escape may spell anything.
_OUTSIDE = re.compile(r"@import|\\|(image-set|src)\(|url\((?!\s*['\"]?#)", re.IGNORECASE)


def checked_picture(svg: str) -> str:
    """Return an SVG if it is one and can do nothing but be drawn.

    Raises:
        ProtocolError: It is no XML, no SVG, or holds a script, a handler, an animation or a reference to the outside.
    """
    if "<!" in svg.replace("<!--", "") or "<?" in svg:
        raise ProtocolError("the picture holds a document type, CDATA or an instruction; expected plain elements.")
    try:
        root = ET.fromstring(svg)  # noqa: S314 - entities need the document type that is refused above
    except ET.ParseError as error:
        raise ProtocolError(f"the picture is no XML: {error}.") from error
    if root.tag != f"{_SVG}svg":
        raise ProtocolError(f"the picture's root is '{root.tag}'; expected an SVG.")
    for element in root.iter():
        _check_element(element)
    return svg


def static_html(widget_id: str, snapshot: Snapshot, picture: str | None) -> str:
    """Return the fallback for saved notebooks; the page hides it while a live view of ``widget_id`` is there."""
    opening = f'<div class="tfjs-magic-static" data-widget="{html.escape(widget_id, quote=True)}">'
    if why := unfinished(snapshot):
        return f"{opening}<p>{html.escape(why)}</p></div>"
    result = BenchmarkResult.from_snapshot(snapshot)
    image = ""
    if picture is not None:
        encoded = base64.b64encode(picture.encode()).decode()
        image = f'<img alt="Latency of every run" style="max-width:100%" src="data:image/svg+xml;base64,{encoded}">'
    error = snapshot["error"]
    problem = f"<p>{html.escape(error['message'])}</p>" if error else ""
    return f"{opening}<p>{_SAVED}</p>{image}{problem}{result._repr_html_()}{result.kept.to_html()}</div>"


def difference_bundle(now: BenchmarkResult | None, earlier: BenchmarkResult | None) -> dict[str, str]:
    """Return what stands below a result about the one before; empty where one of them is missing."""
    if now is None or earlier is None:
        return {"text/html": "", "text/plain": ""}
    found = compare(dataclasses.replace(now, warnings=()), earlier)  # its own stand above
    text = f"<details open><summary>Against the run before</summary>{found._repr_html_()}</details>"
    return {"text/html": text, "text/plain": repr(found)}


def unfinished(snapshot: Snapshot) -> str:
    """Return a sentence for a benchmark without an end, "" for one that has ended."""
    if snapshot["status"] == "pending":
        return "The benchmark was not run: no browser opened it."
    return "" if snapshot["status"] in ENDED else "The benchmark had not ended when this was saved."


def _check_element(element: ET.Element) -> None:
    tag = str(element.tag).removeprefix(_SVG)
    if tag not in _DRAWN:
        raise ProtocolError(f"the picture holds a '{tag:.60}' element; expected only shapes and text.")
    if tag == "style" and _OUTSIDE.search("".join(element.itertext())):
        raise ProtocolError("the picture's style refers to something outside.")
    for name, value in element.attrib.items():
        local = name.rpartition("}")[2].lower()
        outside = (local in {"href", "src"} and not value.startswith("#")) or _OUTSIDE.search(value)
        if local.startswith("on") or outside:
            raise ProtocolError(
                f"the picture has the attribute {local}='{value:.60}'; expected none that acts or loads."
            )
