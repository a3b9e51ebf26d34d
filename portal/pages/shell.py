"""The HTML of a page: a shell that loads its bundle, and the first data as JSON.

In: a page's name, its title, first data, a nonce. Out: HTML and its content security policy. Invariant: no text of
anybody gets into the HTML but inside the JSON, where `<`, `>` and `&` are escaped; no inline script or style exists;
nothing comes from elsewhere.
"""

from __future__ import annotations

from html import escape

from portal.endpoints import encode

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self'; "
    "img-src 'self' data:; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="csp-nonce" content="{nonce}" nonce="{nonce}">
<title>{title} - Muster</title>
<link rel="icon" href="data:,">
<script src="/static/theme.js?v={version}"></script>
{styles}
<script type="module" src="/static/{page}.js?v={version}"></script>
</head>
<body>
<div id="page"></div>
<script type="application/json" id="boot">{boot}</script>
<noscript>Muster's console needs JavaScript.</noscript>
</body>
</html>
"""


NOWHERE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>No such page - Muster</title>
<link rel="icon" href="data:,">
<script src="/static/theme.js?v={version}"></script>
{styles}
</head>
<body>
<main class="nowhere">
<img src="/static/mark.svg?v={version}" alt="Muster" width="32" height="32">
<h1>There is no page at this address</h1>
<p class="muted">Nothing stands at <code>{path}</code>. It may be misspelt, or the page has moved.</p>
<p><a class="button button-primary" href="/">Go to Investigations</a></p>
</main>
</body>
</html>
"""
LONGEST_PATH = 200  # characters of an address that are shown


def policy(nonce: str) -> str:
    """The content security policy of a page."""
    return POLICY.format(nonce=nonce)


def page(name: str, title: str, boot: object, *, nonce: str, styles: list[str], version: str) -> str:
    """The HTML of a page."""
    links = _links(styles, version)
    return HTML.format(page=name, title=escape(title), nonce=nonce, styles=links, boot=in_script(boot), version=version)


def nowhere(path: str, *, styles: list[str], version: str) -> str:
    """The HTML of an address at which nothing is."""
    shown = path if len(path) <= LONGEST_PATH else path[:LONGEST_PATH] + "..."
    return NOWHERE.format(path=escape(shown), styles=_links(styles, version), version=version)


def _links(styles: list[str], version: str) -> str:
    return "\n".join(f'<link rel="stylesheet" href="/static/{escape(path)}?v={version}">' for path in styles)


def in_script(value: object) -> str:
    """JSON that may stand inside a script element."""
    text = encode(value).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
