"""Pages of one file each, from templates that extend ``base.html``."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from asr import __version__
from asr.files import write_text
from asr.pages import display


def write_filled(path: Path, template: Path, context: Mapping[str, Any]) -> None:
    """Write a page: a template filled with values, which are escaped.

    Args:
        path: The page.
        template: The file that makes it; it extends ``base.html``.
        context: What its variables stand for.

    Raises:
        FileError: If the file cannot be written.
    """
    page = _environment(template.parent).get_template(template.name).render(context)
    # Bytes of a file name that are no text, which no UTF-8 file can hold.
    write_text(path, page.encode(errors="replace").decode())


@cache
def _environment(folder: Path) -> jinja2.Environment:
    """Return what knows the templates of a folder, the shared ones and the filters.

    Kept, since it keeps the templates it has compiled; that takes 0.1 s each.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["version"] = __version__
    environment.filters.update(
        number=display.number,
        duration=display.duration,
        percent=display.percent,
        points=display.points,
        signed=display.signed,
        chance=display.chance,
        decimal=display.decimal,
        fixed=display.fixed,
        plural=display.plural,
        visible=display.visible,
        plain=display.plain,
        csp_hash=_csp_hash,
    )
    return environment


def _csp_hash(content: str) -> str:
    """Return what a content security policy calls an inline script or style by."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
