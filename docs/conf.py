"""Sphinx settings. ``make docs`` builds the pages into docs/_build, with warnings as errors."""

import re
from pathlib import Path

import nasion

HERE = Path(__file__).parent

project = "nasion"
author = "The nasion authors"
copyright = "The nasion authors"
version = release = nasion.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
# Annotations are shapes, which the docstrings say in words.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
suppress_warnings = ["myst.header"]

html_theme = "pydata_sphinx_theme"
html_title = "nasion"
html_theme_options = {
    "navigation_with_keys": True,
    "show_prev_next": False,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
}
# Pages without a section of their own need no list of its pages.
html_sidebars = {name: [] for name in ("index", "getting_started", "results", "log")}
html_static_path = []
html_copy_source = False
html_show_sourcelink = False


def _in_full(command, text: str, match: re.Match) -> str:
    """A line of a list of commands with the whole first sentence, which click shortens."""
    for word in re.findall(r"^#+ `nasion(.*)`$", text[: match.start()], re.M)[-1:]:
        for name in word.split():
            command = command.commands[name]
    return f"* `{match[1]}`: {command.commands[match[1]].help.splitlines()[0]}"


def write_command_reference() -> None:
    """reference/commands.md from the commands themselves."""
    import typer
    from typer.cli import get_docs_for_click
    from typer.main import get_command

    from nasion.app.cli import app

    command = get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="nasion")
    text = text.replace("# `nasion`", "# Commands", 1)
    text = re.sub(r"^\* `(\w+)`: .*\.\.\.$", lambda m: _in_full(command, text, m), text, flags=re.M)
    path = HERE / "reference" / "commands.md"
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


write_command_reference()
