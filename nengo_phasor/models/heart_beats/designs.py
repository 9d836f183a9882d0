"""The networks that are compared, and how each is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from nengo.dists import Uniform

from nengo_phasor import (
    AdaptiveSpiking,
    BalancedResonateAndFire,
    SurrogateLIF,
    schedules,
    surrogates,
)

UNIT = 0.1
"""The published unit of time, in seconds: its step of 0.01 is one of 1 ms here."""

AMPLITUDE = 0.01
"""The amplitude of spikes with which a weight of 1 adds the published 0.01 to the voltage."""

SCHEDULES = {"constant": schedules.Constant, "linear": schedules.Linear}


def balanced(amplitude: float) -> BalancedResonateAndFire:
    """Return balanced resonate-and-fire neurons with the published parameters."""
    return BalancedResonateAndFire(
        frequency=Uniform(*np.divide([3.0, 5.0], 2.0 * np.pi * UNIT)),
        damping=Uniform(*np.divide([0.1, 1.0], UNIT)),
        amplitude=amplitude,
    )


def leaky(amplitude: float) -> SurrogateLIF:
    """Return leaky integrate-and-fire neurons with the time constant of the outputs."""
    return SurrogateLIF(tau_rc=0.02, amplitude=amplitude, surrogate=surrogates.DoubleGaussian())


def adaptive(amplitude: float) -> AdaptiveSpiking:
    """Return adaptive spiking neurons, with the same surrogate."""
    return AdaptiveSpiking(amplitude=amplitude, surrogate=surrogates.DoubleGaussian())


@dataclass(frozen=True)
class Design:
    """A network and its training.

    ``neurons`` makes the type of the ``hidden`` neurons, given the amplitude of their spikes; its
    parameters train in ``units``. If ``marked``, steps that the source does not mark are left out
    of the loss; otherwise they are class 0, as published. The learning rate falls linearly to 0
    over the epochs. ``sigma_0`` is the weight of a spike in the loss, in the given schedule.
    """

    neurons: Callable[[float], Any]
    units: dict[str, float] = field(default_factory=dict)
    hidden: int = 36
    marked: bool = False
    epochs: int = 400
    batch_size: int = 16
    learning_rate: float = 0.1
    schedule: str = "constant"
    sigma_0: float = 0.0


PUBLISHED = {"frequency": 1.0 / (2.0 * np.pi * UNIT), "damping": 1.0 / UNIT}
"""The units of the published angular frequency and damping, in Hz and 1/s."""

DESIGNS = {
    "published": Design(balanced, PUBLISHED),
    "ours": Design(balanced, PUBLISHED, hidden=64, schedule="linear", sigma_0=4e-5),
    "paying": Design(balanced, PUBLISHED, hidden=64, schedule="linear", sigma_0=1.5e-4),
    "adaptive": Design(adaptive, learning_rate=0.01),
    "leaky": Design(leaky, learning_rate=0.01),
}
"""The designs by name. The units of parameters are those of the published learning rate."""


def settings(design: Design) -> dict[str, Any]:
    """Return a design in types that JSON supports."""
    return {**asdict(design), "neurons": str(design.neurons(AMPLITUDE))}
