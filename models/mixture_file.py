"""A mixture as plain values and arrays, and back; nothing that is read is ever run."""

from collections.abc import Mapping
from typing import Any, Callable, Optional

import numpy as np

from ..spatial.errors import ModelFileError
from . import context_cnn
from .automatic import AutomaticModel, Term
from .baselines.forest import Forest, Tree
from .baselines.light_plus_one import LightPlusOne
from .baselines.linear_means import LinearMeans
from .coarse_to_fine import Contest
from .conformal import Interval
from .contest_rounds import Fitted
from .context_bank import ContextBank, FactorForms
from .context_cnn import ContextCnn
from .corrected_light import CorrectedLight
from .linear_sums import LinearSums

MAX_TERMS, MAX_NETWORKS, MAX_POWER = 50, 250, 10.0
MAX_NUMBER, MAX_GROUPS, MAX_TREES = 1e150, 1 << 31, 10_000
Arrays = dict[str, np.ndarray]
_NODES = ("left", "right", "column", "threshold", "value")
_BANK = ("log_scale", "limit", "centre", "spread", "low", "high")


def take_apart(mixture: AutomaticModel) -> tuple[dict[str, Any], Arrays]:
    """Plain values for JSON, and arrays by name."""
    bank, contest = mixture.bank, mixture.contest
    vectors = (bank.forms.log_scale, bank.forms.limit, bank.centre, bank.spread, bank.low, bank.high)
    arrays = {f"bank_{name}": np.asarray(values, np.float64) for name, values in zip(_BANK, vectors)}
    fitted: list[Fitted] = []
    terms = []
    for term in mixture.terms:
        place = next((k for k, other in enumerate(fitted) if other is term.fitted), len(fitted))
        if place == len(fitted):
            fitted.append(term.fitted)
        terms.append({"name": term.name, "part": place, "power": term.power, "scale": term.scale, "weight": term.weight})
    parts = []
    for k, part in enumerate(fitted):
        kind, values, own = _part_apart(part)
        parts.append({"kind": kind, **values, "arrays": len(own)})
        arrays.update({f"part_{k}_{number}": array for number, array in enumerate(own)})
    interval = contest.interval
    return {
        "parts": parts,
        "terms": terms,
        "contest": {
            "names": contest.names,
            "weights": contest.weights.tolist(),
            "r2": contest.r2.tolist(),
            "rtae": contest.rtae.tolist(),
            "mixture": list(contest.mixture),
            "groups": contest.groups,
            "coverage": contest.coverage,
            "interval": None if interval is None else [interval.quantile, interval.floor, interval.level, interval.fall],
        },
    }, arrays


def put_together(values: Any, arrays: Mapping[str, np.ndarray]) -> AutomaticModel:
    """The mixture again.

    Raises:
        ModelFileError: Something is missing, of another kind or size than it should be, or not finite.
    """
    try:
        bank = _bank(arrays)
        if not 0 < len(values["terms"]) <= MAX_TERMS or len(values["parts"]) > MAX_TERMS:
            raise ModelFileError("its parts do not add up to a StatGrid model")
        parts = [_part(part, k, arrays, len(bank.centre)) for k, part in enumerate(values["parts"])]
        terms = [_term(term, parts) for term in values["terms"]]
        contest = _contest(values["contest"])
    except ModelFileError:
        raise
    except Exception:  # KeyError, TypeError, ValueError … whatever a hostile card provokes
        raise ModelFileError("its parts are not what a StatGrid model is made of") from None
    if abs(sum(term.weight for term in terms) - 1) > 1e-6:
        raise ModelFileError("its parts do not add up to a StatGrid model")
    return AutomaticModel(bank, terms, contest)


def _part_apart(part: Any) -> tuple[str, dict[str, Any], list[np.ndarray]]:
    if isinstance(part, ContextCnn):
        return "context CNN", {"mean_density": part.mean_density}, list(part.weights)
    if isinstance(part, LinearMeans):
        return "linear", {"intercept": part.intercept}, [np.asarray(part.coefficients, np.float64)]
    if isinstance(part, LinearSums):
        values = {"intercept": part.intercept, "mean_density": part.mean_density}
        return "linear sums", values, [np.asarray(part.coefficients, np.float64)]
    if isinstance(part, Forest):
        sizes = np.array([len(tree.left) for tree in part.trees], np.float64)
        nodes = [np.concatenate([np.asarray(getattr(tree, name), np.float64) for tree in part.trees]) for name in _NODES]
        return "forest", {"inputs": part.inputs}, [sizes, *nodes]
    if isinstance(part, LightPlusOne):
        values = {"column": part.column, "centre": part.centre, "spread": part.spread, "log_scale": part.log_scale}
        return "light", values, []
    if isinstance(part, CorrectedLight):
        (_, rule, _), (_, network, weights) = _part_apart(part.rule), _part_apart(part.network)
        return "corrected light", {**rule, **network}, weights
    raise ModelFileError(f"a part of kind {type(part).__name__} cannot be kept in a file")


def _term(values: Mapping[str, Any], parts: list[Fitted]) -> Term:
    power, scale, weight = (_real(values[name], 0) for name in ("power", "scale", "weight"))
    if power > MAX_POWER:
        raise ModelFileError("it holds values that no StatGrid model has")
    return Term(str(values["name"]), parts[_index(values["part"], len(parts))], power, scale, weight)


def _part(values: Mapping[str, Any], number: int, arrays: Mapping[str, np.ndarray], columns: int) -> Fitted:
    make = _KINDS.get(values["kind"])
    if make is None:
        raise ModelFileError(f"its part '{values['kind']}' is unknown to this version of StatGrid; update the plugin")
    own = [_finite(arrays[f"part_{number}_{k}"]) for k in range(_index(values["arrays"], len(arrays) + 1))]
    return make(values, own, columns)


def _network(values: Mapping[str, Any], arrays: list[np.ndarray], columns: int) -> ContextCnn:
    members = arrays[0].shape[0] if arrays and arrays[0].ndim == 3 else 0
    inputs = arrays[0].shape[1] if members else 0
    if not (0 < members <= MAX_NETWORKS and inputs <= columns) or [a.shape for a in arrays] != context_cnn.shapes(
        inputs, members
    ):
        raise ModelFileError("its networks have another shape than StatGrid's")
    if any(a.dtype != np.float32 for a in arrays):  # what is finite in another kind may be infinite in this one
        raise ModelFileError("its networks hold other numbers than StatGrid's")
    return ContextCnn(arrays, _positive(values["mean_density"]))


def _linear(values: Mapping[str, Any], arrays: list[np.ndarray], columns: int) -> LinearMeans:
    (coefficients,) = arrays
    if coefficients.ndim != 1 or not 0 < len(coefficients) <= columns:
        raise ModelFileError("its regression has another shape than StatGrid's")
    return LinearMeans(coefficients, _real(values["intercept"]))


def _linear_sums(values: Mapping[str, Any], arrays: list[np.ndarray], columns: int) -> LinearSums:
    regression = _linear(values, arrays, columns)
    return LinearSums(regression.coefficients, regression.intercept, _positive(values["mean_density"]))


def _forest(values: Mapping[str, Any], arrays: list[np.ndarray], columns: int) -> Forest:
    sizes, *nodes = arrays
    inputs = _index(values["inputs"], columns + 1)
    total = int(sizes.sum())
    wrong = sizes.ndim != 1 or not 0 < len(sizes) <= MAX_TREES or (sizes < 1).any() or len(nodes) != len(_NODES)
    if wrong or any(node.shape != (total,) for node in nodes):
        raise ModelFileError("its forest has another shape than StatGrid's")
    trees, ends = [], np.cumsum(sizes.astype(np.int64))
    for first, end in zip([0, *ends[:-1]], ends):
        left, right, column, threshold, value = (node[first:end] for node in nodes)
        left, right, column = (part.astype(np.int64) for part in (left, right, column))
        number, inner = np.arange(end - first), left >= 0
        # Children come after their parent, so that every walk ends.
        later = (left > number) & (right > number) & (left < end - first) & (right < end - first)
        if (inner & ~(later & (column >= 0) & (column < inputs))).any():
            raise ModelFileError("its forest has another shape than StatGrid's")
        trees.append(Tree(left, right, column, threshold, value))
    return Forest(trees, inputs)


def _light(values: Mapping[str, Any], arrays: list[np.ndarray], columns: int) -> LightPlusOne:
    if arrays:
        raise ModelFileError("its light rule has another shape than StatGrid's")
    centre, spread, scale = _real(values["centre"]), _positive(values["spread"]), _real(values["log_scale"], 0)
    return LightPlusOne(_index(values["column"], columns), centre, spread, scale)


def _corrected(values: Mapping[str, Any], arrays: list[np.ndarray], columns: int) -> CorrectedLight:
    return CorrectedLight(_light(values, [], columns), _network(values, arrays, columns))


_KINDS: dict[str, Callable[[Mapping[str, Any], list[np.ndarray], int], Fitted]] = {
    "context CNN": _network, "linear": _linear, "linear sums": _linear_sums, "forest": _forest, "light": _light,
    "corrected light": _corrected,
}  # fmt: skip


def _bank(arrays: Mapping[str, np.ndarray]) -> ContextBank:
    scale, limit, centre, spread, low, high = (arrays[f"bank_{name}"] for name in _BANK)
    for vector in (scale, np.where(np.isnan(limit), 0, limit), centre, spread, low, high):
        _finite(vector)
    piled, limited = scale > 0, ~np.isnan(limit)
    if scale.ndim != 1 or limit.shape != scale.shape or (limited & ~piled).any():
        raise ModelFileError("its columns do not fit its factors")
    wanted = len(FactorForms(scale, limit).made_of)
    if any(v.shape != (wanted,) for v in (centre, spread, low, high)):
        raise ModelFileError("its columns do not fit its factors")
    if (scale < 0).any() or (spread <= 0).any():
        raise ModelFileError("its scales are not above 0")
    return ContextBank(FactorForms(scale, limit), centre, spread, low, high)


def _contest(values: Mapping[str, Any]) -> Contest:
    names = [str(name) for name in values["names"]]
    weights = np.array([_real(v, 0) for v in values["weights"]], np.float64)
    r2, rtae = (np.array([_known(v) for v in values[key]], np.float64) for key in ("r2", "rtae"))
    if any(v.shape != (len(names),) for v in (weights, r2, rtae)):
        raise ModelFileError("its contest is not complete")
    first, second = (_known(v) for v in values["mixture"])
    interval: Optional[Interval] = None
    if values["interval"] is not None:
        quantile, floor, level, fall = (_real(v, 0) for v in values["interval"])
        interval = Interval(quantile, floor, level, fall)
    return Contest(
        names, weights, r2, rtae, (first, second), _index(values["groups"], MAX_GROUPS), interval, _known(values["coverage"])
    )


def _known(value: Any) -> float:
    """A number, or NaN for one that the file could not hold."""
    return float("nan") if value is None else _real(value)


def _real(value: Any, lowest: float = -MAX_NUMBER) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= MAX_NUMBER:
        raise ModelFileError("it holds values that no StatGrid model has")
    return float(value)


def _positive(value: Any) -> float:
    number = _real(value)
    if number <= 0:
        raise ModelFileError("it holds values that no StatGrid model has")
    return number


def _index(value: Any, count: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
        raise ModelFileError("its parts do not belong together")
    return value


def _finite(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise ModelFileError("its weights are not finite numbers")
    return array
