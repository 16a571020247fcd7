"""Numbers that a user chooses, held to what makes sense."""

from .errors import InputError


def require_between(name: str, value: float, low: float, high: float) -> None:
    """Raise `InputError` when a parameter is out of its range, or no number."""
    if not low <= value <= high:
        raise InputError(f"{name} is {value}; it must lie between {low} and {high}.")
