"""Cleaning night light: bad input first, then months, and gaps and caps worked out by hand."""

import numpy as np
import pytest
from osgeo import gdal
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.grid import Grid
from statgrid.spatial.light_gaps import fill_gaps
from statgrid.spatial.months import month_name, month_number, month_spans
from statgrid.spatial.night_lights import CleaningSettings, clean_night_lights
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster


def months(count, first="2012-01"):
    return [month_name(month_number(first) + k) for k in range(count)]


def bands_of(path):
    raster = Raster(path)
    return raster.read(next(raster.grid.blocks(10_000)))


def clean(world, paths, counts=(), progress=None, **settings):
    paths = [paths] if isinstance(paths, str) else paths
    counts = [counts] if isinstance(counts, str) else counts
    output, flags = world.path("clean.tif"), world.path("flags.tif")
    done = clean_night_lights(paths, counts, CleaningSettings(**settings), output, flags, progress or Silent())
    return bands_of(output)[:, 0, :], bands_of(flags)[:, 0, :], done


def series(world, cells, names=None, name="light", **options):
    """`cells`: a list of months for each cell of one row."""
    values = np.array(cells, float).T[:, None, :]
    return world.raster(name, values, names=names or months(len(values)), nodata=-9999, **options)


def test_bands_without_a_month_are_refused(world):
    with pytest.raises(InputError, match="no month can be read from 'radiance'"):
        clean(world, series(world, [[1, 2]], ["2012-01", "radiance"]))


def test_another_grid_is_refused(world):
    first, second = series(world, [[1]], name="a"), series(world, [[1], [2]], ["2012-02"], name="b")
    with pytest.raises(InputError, match=r"'b\.tif' does not lie on the grid"):
        clean(world, [first, second])


def test_missing_counts_are_refused(world):
    with pytest.raises(InputError, match="no band for '2012-02'"):
        clean(world, series(world, [[1, 2]]), series(world, [[3, 3]], ["2012-01", "2012-03"], name="counts"))


def test_nothing_observed_is_refused(world):
    with pytest.raises(InputError, match="MIN_COUNT"):
        clean(world, series(world, [[1, 2]]), series(world, [[1, 0]], name="counts"))


@pytest.mark.parametrize("settings", [{"sensor": "Landsat"}, {"cap_percentile": 0}, {"cap_percentile": 101}])
def test_senseless_settings_are_refused(world, settings):
    with pytest.raises(InputError, match=r"SENSOR|CAP_PERCENTILE"):
        clean(world, series(world, [[1]]), **settings)


def test_cancel_leaves_nothing(world, tmp_path):
    progress, light = Silent(), series(world, [[1, 2]])
    progress.cancelled = True
    with pytest.raises(Cancelled):
        clean(world, light, progress=progress)
    assert [p.name for p in tmp_path.iterdir()] == ["light.tif"]


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("2012-11", "2012-11"), ("201211", "2012-11"), ("light_2012_11", "2012-11"), ("2012-11-01", "2012-11"),
        ("SVDNB_npp_20121101-20121130_75N180W_vcmcfg_v10_c201601270845", "2012-11"),
        ("VNL_npp_20150101-20151231", None), ("F182010.v4", None), ("2012-13", None), ("", None), ("band 1", None),
    ],
)  # fmt: skip
def test_months_are_read(text, month):
    number = month_number(text)
    assert (number if number is None else month_name(number)) == month


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("VNP46A3.A2012306.h25v06.001.2021125003516", "2012-11"),  # 305 days up to October in a leap year
        ("VNP46A3.A2012305.h25v06", "2012-10"),
        ("VNP46A3.A2013305.h25v06", "2013-11"),  # 304 in others
        ("VNP46A3.A2013304.h25v06", "2013-10"),
        ("VJ146A3.A2020060.h25v06", "2020-02"),  # 29 February
        ("VNP46A3.A2021060.h25v06", "2021-03"),
        ("VNP46A3.A2000366", "2000-12"),
        ("VNP46A3.A2013366", None),
        ("VNP46A3.A2013000", None),
        ("VNP46A3.001_NearNadir_Composite_Snow_Free_doy2014001_aid0001", "2014-01"),
        ("VNP46A4.A2013001.h25v06.001", None),  # a composite of a year
        ("DATA2012306", None),
        ("A20123061", None),
    ],
)
def test_days_of_the_year_name_months(text, month):
    number = month_number(text)
    assert (number if number is None else month_name(number)) == month


def test_months_in_words():
    assert month_spans([24_000, 24_002, 24_001, 24_010]) == "2000-01 to 2000-03, 2000-11"


def test_a_gap_takes_its_season(world):
    """Level 1 but 3 each July, twice as much in 2014: its missing July has the level 2 and the mean factor of the two others."""
    cell = np.ones(36)
    cell[6::12] = 3
    cell[24:] *= 2
    cell[30] = -9999
    values, flags, done = clean(world, series(world, [cell]), cap_percentile=100)
    assert values[30, 0] == pytest.approx(2 * (3 / 1 + 3 / (13 / 12)) / 2)  # 2013-07 sees 2014-01 in its window
    assert flags[:, 0].tolist() == [0] * 30 + [1] + [0] * 5
    assert done.filled_share == pytest.approx(1 / 36)


def test_other_gaps_are_linear_in_calendar_time_and_held_at_the_ends(world):
    names, progress = ["2012-01", "2012-02", "2012-03", "2012-05", "2012-06"], Silent()
    light = series(world, [[-9999, 2, -9999, 8, -9999], [-9999] * 5], names)
    values, flags, done = clean(world, light, cap_percentile=100, progress=progress)
    assert values[:, 0].tolist() == [2, 2, 4, 8, 8]
    assert flags[:, 0].tolist() == [2, 0, 2, 0, 2]
    assert np.isnan(values[:, 1]).all()
    assert done.filled_share == 0.6
    assert any("no raster of 2012-04" in w for w in progress.warnings)
    assert any("No cell is observed in 2012-01, 2012-03, 2012-06" in w for w in progress.warnings)


def test_dark_cells_stay_dark():
    values = np.array([[0.3], [0.1]] + [[0.0]] * 20 + [[np.nan]] + [[0.0]] * 12)
    assert fill_gaps(values, np.arange(35))[0][22, 0] == 0


def test_negative_values_and_cloudy_cells(world):
    progress = Silent()
    light, counts = series(world, [[-0.5, 4, 2]]), series(world, [[5, 1, 2]], name="counts")
    values, flags, _ = clean(world, light, counts, cap_percentile=100, progress=progress)
    assert (values[:, 0].tolist(), flags[:, 0].tolist()) == ([0, 1, 2], [0, 2, 0])
    assert "1 negative value(s) became 0." in progress.infos


def test_light_is_cut_at_the_percentile_of_lit_cells(world):
    cells = [[0.0]] * 50 + [[float(k)] for k in range(1, 101)]
    values, flags, done = clean(world, series(world, cells), cap_percentile=98)
    assert (done.cap, values.max(), int((flags == 3).sum())) == (98, 98, 2)


def test_doubles_keep_the_better_observed_or_the_mean(world):
    names = ["2012-02", "2012-01", "2012-01"]
    light = series(world, [[9, 2, 4], [9, 2, 4], [9, 2, 4]], names)
    counts = series(world, [[5, 3, 7], [5, 7, 3], [5, 4, 4]], names, name="counts")
    progress = Silent()
    values, _, done = clean(world, light, counts, cap_percentile=100, progress=progress)
    assert done.names == ["2012-01", "2012-02"]
    assert values.tolist() == [[4, 2, 3], [9, 9, 9]]
    assert any("More than one raster of 2012-01" in text for text in progress.infos)
    assert clean(world, light, cap_percentile=100)[0][0].tolist() == [3, 3, 3]


def test_dmsp_is_flagged_and_not_cut(world):
    values, flags, done = clean(world, series(world, [[63, 10], [5, 255]], kind=gdal.GDT_Byte), cap_percentile=50)
    assert values.tolist() == [[63, 5], [10, 5]]
    assert flags.tolist() == [[4, 0], [0, 2]]
    assert np.isnan(done.cap)


def test_bytes_above_six_bits_are_no_dmsp(world):
    progress = Silent()
    values, flags, _ = clean(
        world, series(world, [[63, 10], [5, 200]], kind=gdal.GDT_Byte), cap_percentile=100, progress=progress
    )
    assert values.tolist() == [[63, 5], [10, 200]]
    assert not flags.any()
    assert any("Taken for radiance" in text for text in progress.infos)


def test_one_raster_without_a_month_is_cleaned_only(world):
    values, _, done = clean(world, series(world, [[-1], [3], [-9999]], ["annual"]), cap_percentile=100)
    assert done.names == ["annual"]
    np.testing.assert_array_equal(values, [[0, 3, np.nan]])


def test_files_are_put_in_order_and_blocks_do_not_matter(world, monkeypatch):
    luck = np.random.default_rng(5)
    cells = np.where(luck.random((30, 6, 9)) < 0.3, -9999, luck.random((30, 6, 9)) * 50)
    paths = [world.raster(f"light_{m.replace('-', '')}", v, nodata=-9999) for m, v in zip(months(30), cells)]
    whole = clean(world, paths)[0]
    walk = Grid.blocks
    monkeypatch.setattr(Grid, "blocks", lambda grid, size=4: walk(grid, min(size, 4) if size < 10_000 else size))
    np.testing.assert_array_equal(clean(world, paths[::-1])[0], whole)
    assert np.isfinite(whole).all()


def test_a_month_of_stray_light_is_lowered_flagged_and_told(world):
    luck = np.random.default_rng(4)
    cells = luck.uniform(0, 0.2, (200, 24))
    cells[-10:] += 20
    lifted = cells.copy()
    lifted[:, 6] += 3
    progress = Silent()
    values, flags, done = clean(world, series(world, lifted), cap_percentile=100, progress=progress)
    assert np.abs(values[6] - cells[:, 6]).max() < 3 / 16 + 0.2
    assert values[6].mean() == pytest.approx(cells[:, 6].mean(), abs=0.2)
    assert (flags[6] == 5).all()
    assert not flags[[0, 5, 7]].any()
    assert done.filled_share == 0
    assert any("2012-07 by" in text for text in progress.warnings)
    calm = clean(world, series(world, cells), cap_percentile=99)
    assert clean(world, series(world, lifted), cap_percentile=99)[2].cap == pytest.approx(calm[2].cap, rel=0.01)
