"""Which factor is night-time light."""

from typing import Optional

LIGHT_NAMES = ("light", "ntl", "viirs", "dmsp", "lumin")


def light_band(names: list[str]) -> Optional[int]:
    """The factor that is night-time light, by its name; None when there is none."""
    return next((k for k, name in enumerate(names) if any(word in name.lower() for word in LIGHT_NAMES)), None)
