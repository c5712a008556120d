"""A result as one HTML file: no script, nothing from outside, in the reader's light or dark scheme."""

from __future__ import annotations

import html

from tfjs_magic.errors import printable

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:CanvasText;background:Canvas}"
    "h1{font-size:1.5rem}h1,p{overflow-wrap:anywhere}"
    "svg{max-width:100%;height:auto}.table{overflow-x:auto}table{border-collapse:collapse;margin:1rem 0}"
    "caption,th,td{text-align:left;padding:.3rem .7rem}caption{font-weight:600}"
    "th,td{border-bottom:1px solid color-mix(in srgb,CanvasText 25%,Canvas)}"
)


def result_page(title: str, picture: str, table: str, findings: str) -> str:
    """Return the page; ``title`` is plain text, everything else is HTML that is safe already."""
    text = html.escape(printable(title))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{text}</title>'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f'<body><h1>{text}</h1>{picture}<div class="table">{table}{findings}</div></body></html>\n'
    )
