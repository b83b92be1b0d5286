"""The page that a person sees after consenting: text only, nothing loaded, nothing run."""

import jinja2

from .types import Finished

# Autoescaping turns whatever a provider or an account name holds into text.
_ENVIRONMENT = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
_PAGE = _ENVIRONMENT.from_string(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }} - OpenMIOSA</title>
</head>
<body>
<main>
<h1>{{ title }}</h1>
<p>{{ message }}</p>
{% if redirect %}<p><a href="{{ redirect }}" rel="noreferrer">Continue</a></p>{% endif %}
</main>
</body>
</html>
"""
)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def render(finished: Finished) -> str:
    """The page."""
    return _PAGE.render(title=finished.title, message=finished.message, redirect=finished.redirect)
