"""The one way templates become HTML: escaped, with one stylesheet inside and a policy that admits nothing else."""

import hashlib
from base64 import b64encode
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_UNKNOWN = "\N{EN DASH}"
_THOUSAND = 1000


@cache
def stylesheet() -> str:
    """The stylesheet, as it stands between ``<style>`` and ``</style>``."""
    return files("leeway_drift.report").joinpath("style.css").read_text(encoding="utf-8")


@cache
def content_security_policy() -> str:
    """A policy that admits this stylesheet, known by its hash, and nothing else: no script, image, frame or form."""
    digest = b64encode(hashlib.sha256(stylesheet().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def environment(package: str) -> Environment:
    """Templates of ``package``'s folder ``templates``; an unknown name in one is an error, and all is escaped."""
    templates = Environment(
        loader=PackageLoader(package), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters["percent"] = percent
    templates.filters["figure"] = figure
    templates.globals["style"] = Markup(stylesheet())  # noqa: S704 - a file of this package
    templates.globals["policy"] = content_security_policy()
    return templates


def percent(value: float | None) -> str:
    """A ratio for people, a dash where it is not known."""
    return _UNKNOWN if value is None else f"{value:.1%}"


def figure(value: float | None) -> str:
    """A number with three significant digits, a dash where it is not known."""
    if value is None:
        return _UNKNOWN
    return f"{value:,.0f}" if abs(value) >= _THOUSAND else f"{value:.3g}"
