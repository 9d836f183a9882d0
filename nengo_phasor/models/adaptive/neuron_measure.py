"""Compare the neuron's transfer function, equation (11), with simulations."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from nengo_phasor import AdaptiveSpiking, dynamics, results
from nengo_phasor.models.adaptive.neuron import DT

WAIT, DURATION = 1.0, 10.0
"""The time to wait before averaging and the time to average over, in seconds."""

ERRORS = {
    0.03: {0.001: 0.007, 0.0001: 0.002},
    0.05: {0.001: 0.007, 0.0001: 0.003},
    0.1: {0.001: 0.017, 0.0001: 0.007},
    0.2: {0.001: 0.017, 0.0001: 0.014},
    0.45: {0.001: 0.033, 0.0001: 0.035},
}
"""Previously recorded largest errors of equation (11) for S >= 1.5 theta_0, by m_f and dt."""

ONE_SPIKE = 0.0025
"""The contribution of one spike to the mean current at m_f = 0.45: h tau_beta / 10 s."""

RATES = {0.05: 126, 0.1: 65, 0.2: 33, 0.3: 22, 0.5: 14, 0.6: 11}
"""Previously recorded firing rates in Hz for standard normal activations, by m_f."""

OTHER_TAU_BETAS = (0.025, 0.03, 0.04, 0.06, 0.08, 0.1)


def firing_rates(
    neuron: AdaptiveSpiking, S: np.ndarray, dt: float, wait: float, duration: float
) -> np.ndarray:
    """Return the firing rates in Hz of neurons with constant inputs S, of shape (n,).

    Spikes are counted for ``duration`` seconds, after the first ``wait`` seconds.
    """
    state = neuron.make_state(len(S), rng=np.random.RandomState(0), dtype=float)
    output, total = np.zeros(len(S)), np.zeros(len(S))
    n_wait, n_steps = round(wait / dt), round((wait + duration) / dt)
    for k in range(n_steps):
        neuron.step(dt, S, output, **state)
        if k >= n_wait:
            total += output
    return total / neuron.amplitude / (n_steps - n_wait)


def mean_currents(neuron: AdaptiveSpiking, rates: np.ndarray, dt: float) -> dict[str, np.ndarray]:
    """Return the mean post-synaptic currents that firing rates cause, in two discretisations.

    "kernel" samples equation (4) at the steps: it is a sum of h exp(-(t - t_i)/tau_beta), in which
    a spike in the current step counts as h. "lowpass" is `nengo.Lowpass`, which spreads a step's
    output over the step. They differ by the factor 1 + dt/(2 tau_beta).
    """
    kept = math.exp(-dt / neuron.tau_beta)
    return {
        "kernel": neuron.transfer.height * rates * dt / (1 - kept),
        "lowpass": neuron.amplitude * rates,
    }


def steady_currents(neuron: AdaptiveSpiking, S: np.ndarray, dt: float) -> dict[str, np.ndarray]:
    """Return the `mean_currents` for constant inputs S, (n,), once the neurons have settled."""
    return mean_currents(neuron, firing_rates(neuron, S, dt, WAIT, DURATION), dt)


def transfer_errors(neuron: AdaptiveSpiking, dt: float) -> dict[str, float]:
    """Return the largest errors of equation (11), for S in [0, 20 theta_0]."""
    S = neuron.theta_0 * np.linspace(0, 20, 401)
    expected = dynamics.adaptive_transfer(np, S, neuron.transfer)
    errors = {
        name: np.abs(current - expected) for name, current in steady_currents(neuron, S, dt).items()
    }
    firing = 1.5 * neuron.theta_0 * (1 - 1e-9) <= S
    return {
        "height": neuron.transfer.height,
        "everywhere": float(errors["kernel"].max()),
        "from_1.5_theta_0": float(errors["kernel"][firing].max()),
        "from_1.5_theta_0_lowpass": float(errors["lowpass"][firing].max()),
    }


def rate_at_normal(m_f: float, n: int = 4000) -> float:
    """Return the mean firing rate in Hz over 0.5 s, for inputs at n quantiles of N(0, 1)."""
    S = np.array([NormalDist().inv_cdf((k + 0.5) / n) for k in range(n)])
    return float(firing_rates(AdaptiveSpiking(m_f), S, DT, 0.0, 0.5).mean())


def measure() -> dict:
    """Return all figures of the results file."""
    phis = {"2.5 ms": 0.0025, "5 ms": 0.005, "none": None}
    return {
        "errors": {
            f"m_f {m_f:g}, dt {1000 * dt:g} ms": transfer_errors(AdaptiveSpiking(m_f), dt)
            for m_f, by_dt in ERRORS.items()
            for dt in by_dt
        },
        "errors_by_tau_phi": {
            name: transfer_errors(AdaptiveSpiking(tau_phi=tau_phi), DT)
            for name, tau_phi in phis.items()
        },
        "errors_by_tau_beta": {
            f"{1000 * tau_beta:g} ms": transfer_errors(AdaptiveSpiking(tau_beta=tau_beta), DT)
            for tau_beta in OTHER_TAU_BETAS
        },
        "rates_hz": {f"{m_f:g}": rate_at_normal(m_f) for m_f in RATES},
    }


def claims(figures: dict) -> list[results.Claim]:
    """Return the claims about the transfer function."""
    found = [
        results.Claim(
            f"error of the transfer function, m_f 0.1, tau_phi {name}, S >= 1.5 theta_0",
            figures["errors_by_tau_phi"][name]["from_1.5_theta_0"],
            "",
            "<= 0.017",
            "equation (11)",
        )
        for name in ("2.5 ms", "5 ms")
    ]
    differences = [
        abs(figures["errors"][f"m_f {m_f:g}, dt {1000 * dt:g} ms"]["from_1.5_theta_0"] - error)
        for m_f, by_dt in ERRORS.items()
        for dt, error in by_dt.items()
    ]
    title = (
        "error of the transfer function, m_f 0.03 to 0.45, steps of 1 and 0.1 ms: "
        "deviation from the previously recorded value"
    )
    found.append(results.Claim(title, max(differences), "", f"<= {ONE_SPIKE}"))
    rates = [100 * abs(figures["rates_hz"][f"{m_f:g}"] / rate - 1) for m_f, rate in RATES.items()]
    title = (
        "firing rates at S ~ N(0, 1), m_f 0.05 to 0.6: deviation from the previously recorded value"
    )
    found.append(results.Claim(title, max(rates), "%", "<= 5"))
    return found
