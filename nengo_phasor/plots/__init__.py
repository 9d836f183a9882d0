"""Plots of rhythm, phases, adaptation and spikes.

Every function draws on the given axes, or on new ones, and returns them; ``ax.figure.savefig``
saves the plot. No function uses pyplot. Series differ in line style or marker and in lightness, not
only in hue.
"""

from nengo_phasor.plots.adaptive import adaptive_neuron, transfer_function
from nengo_phasor.plots.axes import REFERENCE as REFERENCE
from nengo_phasor.plots.axes import STYLES as STYLES
from nengo_phasor.plots.rhythm import (
    oscillator,
    phase_histogram,
    phase_raster,
    spike_raster,
    unit_circle,
)
from nengo_phasor.plots.scores import (
    accuracy_against_removed,
    accuracy_against_spikes,
    accuracy_over_cycles,
    energy_bars,
)

__all__ = [
    "accuracy_against_removed",
    "accuracy_against_spikes",
    "accuracy_over_cycles",
    "adaptive_neuron",
    "energy_bars",
    "oscillator",
    "phase_histogram",
    "phase_raster",
    "spike_raster",
    "transfer_function",
    "unit_circle",
]


def __dir__():
    return __all__
