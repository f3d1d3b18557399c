"""The pictures of a report as PNG or SVG files, drawn without a browser and without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from steelyard.errors import MissingExtraError, ResultError
from steelyard.files import write_atomic
from steelyard.report.charts import pictures
from steelyard.report.content import Report
from steelyard.report.drawing import INSTALL
from steelyard.wording.words import Wording

WIDTH = 760
SCALE = 2.0


def vega_lite_version() -> str:
    """The version that the specifications are written for, as vl-convert names it."""
    import altair

    return ".".join(altair.SCHEMA_VERSION.lstrip("v").split(".")[:2])


def write_pictures(report: Report, w: Wording, folder: Path, kind: Literal["png", "svg"]) -> tuple[Path, ...]:
    """Writes every chart of a report into a folder, which is made where it is missing.

    Raises:
        MissingExtraError: the extra ``report`` is not installed.
        ResultError: the folder cannot be written.
    """
    drawn = [(picture.key, _draw(_alone(picture.spec, picture.title), kind)) for picture in pictures(report, w)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for key, content in drawn:
            write_atomic(folder / f"{key}.{kind}", content)
    except OSError as wrong:
        raise ResultError(f"{folder} cannot be written: {wrong.strerror or wrong}. Give a folder with --out") from wrong
    return tuple(folder / f"{key}.{kind}" for key, _ in drawn)


def _alone(spec: Mapping[str, Any], title: str) -> dict[str, Any]:
    """A chart for a white page: a fixed width, a background and its title."""
    config = dict(spec.get("config", {})) | {"background": "white"}
    heading = {"text": title, "anchor": "start", "fontSize": 15, "offset": 12}
    return {**spec, "width": WIDTH, "title": heading, "config": config, "padding": 16}


def _draw(spec: dict[str, Any], kind: Literal["png", "svg"]) -> bytes:
    try:
        import vl_convert
    except ImportError as wrong:
        raise MissingExtraError("drawing pictures", INSTALL) from wrong
    if kind == "svg":
        return vl_convert.vegalite_to_svg(spec, vl_version=vega_lite_version()).encode()
    return bytes(vl_convert.vegalite_to_png(spec, vl_version=vega_lite_version(), scale=SCALE))
