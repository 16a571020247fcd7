"""Legends of well-known land-use maps: which codes make which class, in the form of the tool's class table."""

from collections.abc import Sequence

Table = Sequence[tuple[str, str]]  # class name, codes ('111, 112' or '111-142')

# What classes are called on which people live close together, grow crops, or cannot live.
URBAN = ("urban", "built-up", "built area", "artificial", "impervious")
CROPLAND = ("cropland", "crops", "agriculture")
UNINHABITED = ("water", "sea", "snow and ice", "ice", "glacier")

LEGENDS: dict[str, Table] = {
    # Level 1 of the three-digit codes, and of the grid codes 1-44 that the raster product holds.
    "CORINE level 1": (
        ("artificial", "111-142, 1-11"),
        ("agriculture", "211-244, 12-22"),
        ("forest and nature", "311-335, 23-34"),
        ("wetland", "411-423, 35-39"),
        ("water", "511-523, 40-44"),
    ),
    "ESA WorldCover": (
        ("tree cover", "10"), ("shrubland", "20"), ("grassland", "30"), ("cropland", "40"), ("built-up", "50"), ("bare", "60"),
        ("snow and ice", "70"), ("water", "80"), ("wetland", "90"), ("mangroves", "95"), ("moss and lichen", "100"),
    ),
    "ESRI": (  # clouds (10) are no land use and stay out
        ("water", "1"), ("trees", "2"), ("flooded vegetation", "4"), ("crops", "5"), ("built area", "7"), ("bare", "8"),
        ("snow and ice", "9"), ("rangeland", "3, 6, 11"),
    ),
    "GlobeLand30": (
        ("cropland", "10"), ("forest", "20"), ("grassland", "30"), ("shrubland", "40"), ("wetland", "50"), ("water", "60"),
        ("tundra", "70"), ("artificial", "80"), ("bare", "90"), ("snow and ice", "100"),
    ),
    "CLCD": (
        ("cropland", "1"), ("forest", "2"), ("shrub", "3"), ("grassland", "4"), ("water", "5"), ("snow and ice", "6"),
        ("barren", "7"), ("impervious", "8"), ("wetland", "9"),
    ),
    "MODIS IGBP": (
        ("forest", "1-5"), ("shrubland", "6-7"), ("savanna", "8-9"), ("grassland", "10"), ("wetland", "11"),
        ("cropland", "12, 14"), ("urban", "13"), ("snow and ice", "15"), ("barren", "16"), ("water", "17, 0"),
    ),
}  # fmt: skip
