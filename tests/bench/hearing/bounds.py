"""95 % bounds of counts and shares, without scipy."""

import math
from collections.abc import Callable

TAIL = 0.025  # each side of a 95 % interval
_Z = 1.959964  # the normal quantile of TAIL


def share_bounds(hits: int, trials: int) -> tuple[float, float]:
    """Return Wilson's (1927) interval of a share, 0..1; (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    share, square = hits / trials, _Z * _Z / trials
    middle = share + square / 2
    spread = _Z * math.sqrt(share * (1 - share) / trials + square / trials / 4)
    return max(0.0, (middle - spread) / (1 + square)), min(1.0, (middle + spread) / (1 + square))


def rate_bounds(events: int, exposure: float) -> tuple[float, float]:
    """Return the exact Poisson interval (Garwood 1936) of events per unit of exposure."""
    if exposure <= 0:
        return 0.0, math.inf
    least = _solve(lambda mean: 1 - _poisson_cdf(events - 1, mean), events) if events else 0.0
    most = _solve(lambda mean: 1 - _poisson_cdf(events, mean), events, target=1 - TAIL)
    return least / exposure, most / exposure


def _solve(rising: Callable[[float], float], events: int, target: float = TAIL) -> float:
    low, high = 0.0, events + 10 * math.sqrt(events + 1) + 10
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return (low + high) / 2


def _poisson_cdf(events: int, mean: float) -> float:
    if events < 0:
        return 0.0
    if mean <= 0:
        return 1.0
    logs = (k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(events + 1))
    return min(1.0, math.fsum(map(math.exp, logs)))
