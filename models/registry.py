"""The methods a population model can be trained with, by the name users choose."""

from typing import Any

from ..spatial.errors import ModelFileError
from . import indicator_matrix_cnn

METHODS: dict[str, Any] = {indicator_matrix_cnn.NAME: indicator_matrix_cnn}
DEFAULT = indicator_matrix_cnn.NAME


def require(method: str) -> Any:
    """The module of a method.

    Raises:
        ModelFileError: This version knows no such method.
    """
    if method not in METHODS:
        raise ModelFileError(f"its method '{method}' is unknown to this version of StatGrid; update the plugin")
    return METHODS[method]
