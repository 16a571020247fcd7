"""Makes the graphical models in `resources/models/` with QGIS's own modeler classes: `make_models.py [folder]`.

Run it with the environment's Python after a tool's parameters have changed; it needs QGIS, but no window.
"""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "resources" / "models"
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["QT_HASH_SEED"] = "0"  # or Qt writes the attributes in another order each time

from qgis.core import QgsApplication  # noqa: E402  (the line above must come first)


def main(folder: Path = FOLDER) -> None:
    """Write every model into `folder`."""
    spec = importlib.util.spec_from_file_location("statgrid", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    if spec is None:
        raise SystemExit(f"{ROOT} is no Python package.")
    sys.modules["statgrid"] = importlib.util.module_from_spec(spec)
    from graphical_models import industry, population_single_tools, prepare_factors, raw_data_to_grid
    from statgrid.algorithms.provider import StatGridProvider

    application = QgsApplication([], False)
    application.initQgis()
    provider = StatGridProvider()
    QgsApplication.processingRegistry().addProvider(provider)
    folder.mkdir(parents=True, exist_ok=True)
    for module in (population_single_tools, prepare_factors, raw_data_to_grid, industry):
        path = folder / f"{module.__name__.rsplit('.', 1)[-1]}.model3"
        if not module.build().toFile(str(path)):
            raise SystemExit(f"Cannot write {path}.")
        print(path)
    application.exitQgis()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
