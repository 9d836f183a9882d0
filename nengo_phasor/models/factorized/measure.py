"""Compare the outputs of deep networks with the single-layer one's, and their sizes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple

import nengo
import numpy as np

from nengo_phasor import compat
from nengo_phasor.models.factorized.network import (
    DT,
    PATHWAYS,
    PERIOD,
    SECONDS,
    TAU,
    VARIANTS,
    Variant,
    deepened,
    network,
    run,
    signal,
)

PERCENTILES = (1, 10, 50, 90, 99)


def last_period(psp: np.ndarray, earlier: int = 0) -> np.ndarray:
    """Return the output over the last whole period of the input, or some steps earlier.

    It excludes the filters' transients, and the difference that a mere delay causes has no mean.
    """
    n = round(PERIOD / DT)
    return psp[len(psp) - n - earlier : len(psp) - earlier]


def lag(single: np.ndarray, deep: np.ndarray, longest: float = 0.1) -> int:
    """Return the delay of the deep pathway in steps: least squares, to the millisecond."""
    shifts = range(0, round(longest / DT), max(1, round(0.001 / DT)))
    late = last_period(deep)
    return min(shifts, key=lambda k: np.sum((late - last_period(single, k)) ** 2))


def ideal(net: nengo.Network) -> np.ndarray:
    """Return the output, (n_steps,), for rates that are proportional to the currents."""
    times = DT * np.arange(1, round(SECONDS / DT) + 1)
    rates = np.array([signal(t) for t in times]) @ net.whole.T
    return nengo.Alpha(TAU).filt(rates, dt=DT, y0=0)[:, 0]


class Pathways(NamedTuple):
    """The outputs of one seed's networks: post-synaptic potentials behind Y, (n_steps,) each."""

    single: np.ndarray
    ideal: np.ndarray
    deep: dict[str, np.ndarray]


def simulate(seed: int, variant: Variant) -> Pathways:
    """Run the single-layer network and all deep ones."""
    net = network(seed, variant)
    (single,) = run(net, net.output)
    deep = {}
    for pathway in PATHWAYS:
        twin, new, _ = deepened(net, variant, pathway)
        deep[pathway] = run(twin, new[net.output])[0][:, 0]
    return Pathways(single[:, 0], ideal(net), deep)


def errors(single: np.ndarray, deep: np.ndarray, earlier: int = 0) -> np.ndarray:
    """Return the difference over the last period, in percent of the mean single-layer output."""
    reference = last_period(single, earlier)
    return 100 * (last_period(deep) - reference) / reference.mean()


def compare(seeds: list[int], variant: Variant) -> dict[str, Any]:
    """Compare the deep pathways with the single-layer ones, over all seeds.

    Errors are in percent of the mean of the single-layer output, "..._of_peak" in percent of its
    peak; lags are in milliseconds. "off_ideal" is the deviation of a pathway's mean, in percent,
    from that of rates proportional to currents; "ripple" is that error of the single layer itself.
    """
    tqdm = compat.require("tqdm").tqdm
    seen = [simulate(seed, variant) for seed in tqdm(seeds, desc=variant.title, unit="seed")]
    found = {
        "single": {
            "off_ideal": [off_ideal(one.single, one.ideal) for one in seen],
            "ripple": _percentiles([errors(one.ideal, one.single) for one in seen]),
        }
    }
    for pathway in PATHWAYS:
        pairs = [(one.single, one.deep[pathway]) for one in seen]
        by_seed = [errors(*pair) for pair in pairs]
        peaks = [last_period(s).max() / last_period(s).mean() for s, _ in pairs]
        lags = [lag(*pair) for pair in pairs]
        aligned = [errors(*pair, earlier=k) for pair, k in zip(pairs, lags, strict=True)]
        means = [float(error.mean()) for error in by_seed]
        found[pathway] = {
            "mean_error": float(np.mean(means)),
            "mean_errors": means,
            "percentiles": _percentiles(by_seed),
            "percentiles_of_peak": _percentiles(
                [error / peak for error, peak in zip(by_seed, peaks, strict=True)]
            ),
            "percentiles_without_lag": _percentiles(aligned),
            "lag_ms": float(1000 * DT * np.mean(lags)),
            "off_ideal": [off_ideal(one.deep[pathway], one.ideal) for one in seen],
        }
    return found


def off_ideal(psp: np.ndarray, ideal: np.ndarray) -> float:
    """Return the deviation of an output's mean from that of proportional rates, in percent."""
    return float(100 * (last_period(psp).mean() / last_period(ideal).mean() - 1))


def _percentiles(errors_by_seed):
    return np.percentile(np.concatenate(errors_by_seed), PERCENTILES).tolist()


def sizes(seed: int = 0) -> dict[str, dict[str, int]]:
    """Return neurons, synapses, parameters and rank of the single-layer and deep networks."""
    variant = VARIANTS["subtract"]
    net = network(seed, variant)
    found = {}
    for pathway in PATHWAYS:
        report = deepened(net, variant, pathway)[2]
        found["single"] = asdict(report.before)
        found[pathway] = asdict(report.after)
    return found
