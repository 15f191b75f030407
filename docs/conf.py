"""The documentation site: `./dev lint` builds it; `sphinx-build -c docs . DIRECTORY` builds one to look at.

Its pages are the Markdown files as they are read in the repository, so the source directory is the repository itself: a link
to the README or to an example is a relative one and works in both. The navigation is not written a second time either:
it follows the links of `docs/index.md` and of the indexes below it, and a page that none of them names is a warning.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "Authserver"
author = "The maintainers of Authserver"
html_title = "Authserver"
root_doc = "docs/index"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}

include_patterns = ["*.md", "docs/**", "deploy/README.md", "examples/*/README.md"]
exclude_patterns = [".*", "var", "docs/conf.py", "**/node_modules", "**/__pycache__"]

myst_heading_anchors = 4  # the anchors that hosts of repositories make too
myst_links_external_new_tab = False

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_permalinks_icon = "#"
html_extra_path = ["site"]  # the way from the site's root to its first page
pygments_style = "default"  # both with enough contrast, in light and dark
pygments_dark_style = "github-dark"

INDEXES = ("docs/index", "docs/decisions/README", "docs/providers/README")
"""Pages whose links are the navigation below them."""

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_LINK = re.compile(r"^(?:- |\| `\w+` \| )\[([^]]+)\]\(([^)#\s]+\.md)\)", re.MULTILINE)


def add_navigation(_app: Sphinx, docname: str, source: list[str]) -> None:
    """Give an index the `toctree`s of its lists: one for each section, of the links that its lines begin with."""
    if docname not in INDEXES:
        return
    _before, *sections = _SECTION.split(f"## Pages\n{source[0]}")
    for caption, text in zip(sections[::2], sections[1::2], strict=True):
        pages = [f"{words} <{Path(link).with_suffix('')}>" for words, link in _LINK.findall(text)]
        if pages:
            options = [":hidden:", *([f":caption: {caption}"] if docname == root_doc else [])]
            source[0] += "\n".join(["\n", "```{toctree}", *options, "", *pages, "```", ""])


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_lexer(
        "mermaid", TextLexer
    )  # drawn by hosts of repositories; no script of others' is loaded to draw it here
    app.connect("source-read", add_navigation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
