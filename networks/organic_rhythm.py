"""A rhythm without a clock: each layer follows a unit that resonates as its mean.

The networks of `local_rhythms` and `phase_sparsity`, trained with a clock, run in spikes without
it: a rhythm unit for each layer silences the spikes that say little more than its own, carries the
next layer's bias, and stands for missing spikes. This is compared with a clock, with a rule without
a window, and with chance, and under detuning, jitter and loss of spikes.

    \b
    python networks/organic_rhythm.py results             the committed figures
    python networks/organic_rhythm.py results --resume    the same, from where it stopped

"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("organic_rhythm")
