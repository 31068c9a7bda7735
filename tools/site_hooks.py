"""Hooks of the documentation site (mkdocs.yml): pages that live outside docs/, and links to files of the project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = re.compile(r"\[(?P<text>[^\]]*)\]\(\.\./(?P<path>[^)\s]+)\)")
FENCE = re.compile(r"^```(\w+)[^\n]*$", re.MULTILINE)


@event_priority(100)  # before the plugin that makes pages of notebooks
def on_files(files: Files, config: Any) -> Files:
    """Add the start page (the README) and the tutorial."""
    text = (ROOT / "README.md").read_text()
    text = text.replace("](docs/", "](").replace("](examples/tutorial", "](tutorial")
    files.append(File.generated(config, "index.md", content=text))
    files.append(File("tutorial.ipynb", str(ROOT / "examples"), config.site_dir, True))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Drop what only the tests of the code blocks read, and turn links to files that have no page into plain names."""
    markdown = FENCE.sub(r"```\1", markdown)
    return OUTSIDE.sub(lambda match: f"{match['text']} (`{match['path']}`)", markdown)
