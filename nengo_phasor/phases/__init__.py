"""Conversions between phases, phasors, spike times and spike rasters.

A phase is a real number in units of pi, in [-1, 1). Its complex value is ``exp(i pi phase)``. In a
cycle of period T that begins at t0 it represents a spike at ``t0 + T (phase + 1) / 2``: phase 0,
the reference, is mid-cycle.

A missing spike has phase NaN and the complex value 0. Functions act elementwise and keep any
leading (batch) dimensions. Phases outside [-1, 1] are wrapped to the same direction with a warning,
because most of them are degrees or radians; `wrap` brings them into the range without a warning.
Phases that are not numbers or are infinite raise a `nengo.exceptions.ValidationError`, as do
complex numbers that are NaN: NaN from a network that diverged is not a missing spike.

Notes
-----
*Steps.* Row k = 0, 1, ... of a raster is Nengo's output at time (k + 1) dt and covers the time from
k dt to (k + 1) dt. A spike belongs to the step that contains its time, just as a neuron's spike
belongs to the step in which it crosses its threshold. It is decoded as the middle of that step, so
that the error of a decoded spike time is at most dt/2, that of a phase is at most dt/T, and errors
do not accumulate.

*Cycles.* A step belongs to the cycle that contains its middle. Unless a cycle is a whole number of
steps, one step straddles each boundary, so a phase less than 2 dt/T from the boundary can be
decoded in the neighbouring cycle.
"""

from nengo_phasor.phases.circle import (
    circular_mean,
    difference,
    from_complex,
    from_rows,
    to_complex,
    to_rows,
    wrap,
)
from nengo_phasor.phases.cycles import (
    MIN_STEPS_PER_CYCLE,
    STEP_TOLERANCE,
    from_raster,
    from_reference,
    from_times,
    steps_per_cycle,
    to_raster,
    to_steps,
    to_times,
)

__all__ = [
    "MIN_STEPS_PER_CYCLE",
    "STEP_TOLERANCE",
    "circular_mean",
    "difference",
    "from_complex",
    "from_raster",
    "from_reference",
    "from_rows",
    "from_times",
    "steps_per_cycle",
    "to_complex",
    "to_raster",
    "to_rows",
    "to_steps",
    "to_times",
    "wrap",
]


def __dir__():
    return __all__
