"""The equations of the models, each defined once as a pure function of one time step.

Each function takes the step's input, the state and precomputed constants, and returns the new
values without changing its arguments. The functions use arithmetic and, where that is not enough,
an array library ``xp`` that is passed to them (``numpy`` or ``tensorflow``), so that the NumPy
neurons, the NengoDL builders and the layerwise simulator all run the same code.

Arrays have any shape whose last axis is that of the neurons; leading axes are those of a batch.
"""

from nengo_phasor.dynamics.attention import (
    Attended,
    attend_phasors,
    attend_spikes,
    attention_weights,
    joined,
    similarity,
    symbols,
    transposed,
)
from nengo_phasor.dynamics.balance import (
    BalancedConstants,
    balanced_resonate_and_fire,
    divergence_boundary,
)
from nengo_phasor.dynamics.integration import (
    AdaptiveConstants,
    LeakyConstants,
    TransferConstants,
    adaptive_spike,
    adaptive_transfer,
    adaptive_transfer_inverse,
    leaky_constants,
    leaky_rate,
    leaky_rate_inverse,
    leaky_spike,
    transfer_constants,
)
from nengo_phasor.dynamics.resonance import (
    ResonateAndFireConstants,
    Rotation,
    above_threshold,
    bind_phasors,
    bind_spikes,
    demodulated,
    driven,
    mean_over_neurons,
    peaked,
    resonate,
    resonate_and_fire,
    rotation,
    turned,
    unit_phasor,
)
from nengo_phasor.dynamics.rhythm import (
    FIELD_TOLERANCE,
    FieldConstants,
    around_spikes,
    assume_reference,
    cycle_phase,
    dropped_at_random,
    excite,
    field_constants,
    field_drive,
    field_rises,
    mixed,
    outside_arc,
    random_key,
    rhythm_silences,
    spikes_at_phase,
    steps_since,
)

__all__ = [
    "FIELD_TOLERANCE",
    "AdaptiveConstants",
    "Attended",
    "BalancedConstants",
    "FieldConstants",
    "LeakyConstants",
    "ResonateAndFireConstants",
    "Rotation",
    "TransferConstants",
    "above_threshold",
    "adaptive_spike",
    "adaptive_transfer",
    "adaptive_transfer_inverse",
    "around_spikes",
    "assume_reference",
    "attend_phasors",
    "attend_spikes",
    "attention_weights",
    "balanced_resonate_and_fire",
    "bind_phasors",
    "bind_spikes",
    "cycle_phase",
    "demodulated",
    "divergence_boundary",
    "driven",
    "dropped_at_random",
    "excite",
    "field_constants",
    "field_drive",
    "field_rises",
    "joined",
    "leaky_constants",
    "leaky_rate",
    "leaky_rate_inverse",
    "leaky_spike",
    "mean_over_neurons",
    "mixed",
    "outside_arc",
    "peaked",
    "random_key",
    "resonate",
    "resonate_and_fire",
    "rhythm_silences",
    "rotation",
    "similarity",
    "spikes_at_phase",
    "steps_since",
    "symbols",
    "transfer_constants",
    "transposed",
    "turned",
    "unit_phasor",
]


def __dir__():
    return __all__
