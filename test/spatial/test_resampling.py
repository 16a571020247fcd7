"""One way of resampling for all rasters, and others for some: what is refused, and which rule holds."""

import numpy as np
import pytest
from statgrid.spatial.alignment import align_rasters
from statgrid.spatial.errors import InputError
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.resampling import Resampling

VALUES = [[1, 1], [2, 8]]  # four cells of 500 m in one of 1 km
BY_HAND = {"average": 3, "sum": 12, "mode": 1, "min": 1, "max": 8}


@pytest.fixture
def align(world):
    """Rasters of `VALUES` by these file names, each with these bands, to one cell; the value of every band."""

    def run(files, text="", default="average", names=(), titles=()):
        paths = [
            world.raster(file, np.stack([VALUES] * max(1, len(bands))), cell=500, names=bands) for file, bands in files.items()
        ]
        ways, grid, output = Resampling.of(default, text), world.raster("grid", [[1]]), world.path("aligned.tif")
        align_rasters(paths, grid, ways, names, output, Silent(), titles=titles)
        raster = Raster(output)
        return raster.read(next(raster.grid.blocks())).ravel().tolist()

    return run


# Bad input


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("land=mode, dem", "'dem' lacks a name or a resampling. Write e.g. land=mode"),
        ("=mode", "'=mode' lacks a name"),
        ("land", "'land' lacks a name"),
        ("land=magic", "'magic' of 'land' is unknown. Choose one of nearest, bilinear"),
        ("land=", "'' of 'land' is unknown"),
        ("land=mode dem=bilinear", "'land=mode dem=bilinear' fits no raster"),
    ],
)
def test_senseless_rules_are_refused(align, text, words):
    with pytest.raises(InputError, match=f"RESAMPLING_BY_LAYER: {words}"):
        align({"land": [], "dem": []}, text)


def test_an_unknown_default_is_refused():
    with pytest.raises(InputError, match=r"RESAMPLING 'magic' is unknown. Choose one of nearest"):
        Resampling.of("magic")


def test_a_rule_that_fits_nothing_is_refused_with_the_names_there_are(align, world):
    with pytest.raises(InputError, match=r"'water\*=mode' fits no raster and no factor. There are: town, land, sky, wood, trees"):
        align({"land": ["town"], "sky": [], "trees": ["wood"]}, "LAND=sum; water*=mode", titles=["land", "sky", "wood"])
    assert not (world.folder / "aligned.tif").exists()


# Which rule holds


def test_every_way_by_hand(align):
    text = "; ".join(f"{way}_raster = {way}" for way in BY_HAND)
    assert align({f"{way}_raster": [] for way in BY_HAND}, text) == list(BY_HAND.values())


@pytest.mark.parametrize(
    "text", ["land=mode;dem=max", "land=mode, dem=max", "Land : mode\nDEM : MAX\n", " ;land=mode; ; dem=max;"]
)
def test_rules_in_several_spellings_and_the_rest_by_default(align, text):
    assert align({"land": [], "sky": [], "dem": []}, text, default="sum") == [1, 12, 8]


def test_a_rule_may_name_the_factor_the_file_the_band_or_the_layer(align):
    files = {"a": ["x", "y"], "b": [], "c": []}
    rules = "a=max; y=min; second=sum; Third layer=mode"
    names, titles = ["first", "y!", "second", "third"], ["A", "B", "Third layer"]
    assert align(files, rules, names=names, titles=titles) == [8, 8, 12, 1]
    assert align(files, "y=min; a=max; b=sum; c=mode", names=names) == [8, 1, 12, 1]


def test_a_very_name_goes_before_patterns_and_an_earlier_pattern_before_a_later_one(align):
    files = {"dem": [], "dem_2": [], "land": []}
    assert align(files, "*=min; d*=max; dem=sum") == [12, 1, 1]
    assert align(files, "dem_?=mode; d*=max") == [8, 1, 3]
