"""The zones report: every zone and factor is in it, a weak zoning is called so, and missing numbers are dashes."""

import dataclasses
import math

import numpy as np
import pytest
from statgrid.reports import zones_report
from statgrid.reports.document import render
from statgrid.reports.plots import zone_map
from statgrid.reports.zones_report import ZonesReport, ZoneSummary


def square(x):
    return [np.array([[x, 0], [x + 1, 0], [x + 1, 1], [x, 1], [x, 0]], float) * 1000]


@pytest.fixture
def content():
    return ZonesReport(
        title="Regional zones",
        zones=[ZoneSummary(2, 1234.5, [7.25, 300], [1.04, -0.5]), ZoneSummary(1, 20.0, [math.nan, 900], [-2.04, 0.0])],
        factors=["<light>", "elevation"],
        columns=["log density", "elevation"],
        silhouette=0.2,
        trials=[(2, 1, math.nan), (3, 2, 0.2)],
        rings=[square(0), square(1), square(2)],
        zone=[1, 2, 1],
        settings={"Seed": 42},
        warnings=["Mind the gap."],
    )


def test_everything_is_in_it_and_escaped(content):
    html = render(zones_report.build(content))
    for words in ("3 units were grouped into 2 zones", "1\u202f234", "&lt;light&gt;", "7.25", "+1.0", "−2.0", "Mind the gap."):
        assert words in html, words
    assert "<light>" not in html
    assert html.count('<td align="right" valign="top">–</td>') == 2  # a mean and a silhouette that do not exist


def test_a_low_silhouette_is_called_low_and_a_high_one_is_not(content):
    assert "run into one another: a silhouette of 0.200 is low" in render(zones_report.build(content))
    clear = dataclasses.replace(content, silhouette=0.6)
    assert "is low" not in render(zones_report.build(clear))


def test_a_single_zone_is_told(content):
    single = dataclasses.replace(content, zones=content.zones[:1], zone=[1, 1, 1], silhouette=math.nan, trials=[])
    assert "All 2 units are in one zone." in render(zones_report.build(single))


def test_the_map_shows_each_zone_in_its_colour():
    """Three squares in a row: outer ones zone 1, the middle one zone 2, counted in pixels of the picture."""
    import io

    from matplotlib.image import imread

    picture = zone_map([square(0), square(1), square(2)], [1, 2, 1])
    pixels = imread(io.BytesIO(picture.png))[..., :3]
    dark = (np.abs(pixels - np.array([0x44, 0x01, 0x54]) / 255) < 0.01).all(axis=2).sum()
    light = (np.abs(pixels - np.array([0xFD, 0xE7, 0x25]) / 255) < 0.01).all(axis=2).sum()
    assert dark / light == pytest.approx(2, rel=0.1)


def test_no_shape_is_said():
    assert zone_map([], [1]).png.startswith(b"\x89PNG")
