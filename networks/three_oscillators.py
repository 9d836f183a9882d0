"""Three resonate-and-fire neurons to play with: their rhythm, their threshold, their sparsifier.

    \b
    nengo networks/three_oscillators.py                   Nengo GUI
    nengo networks/three_oscillators.py -b nengo_loihi    with the neurons on the emulated chip
    python networks/three_oscillators.py                  without GUI: print each neuron's phase

Each neuron is driven by one spike per cycle. Sliders set

\b
- phase: the time of that spike in the cycle, in units of pi; 0 is the reference.
- frequency: the frequency of the drive, in Hz. The neurons resonate at 10 Hz, and the clock turns
  at 10 Hz: a neuron that is driven faster or slower resonates less, and its hand drifts.
- threshold: in units of the voltage added by one spike of the drive. The neurons' own is fixed; the
  drive is divided by the slider's value instead. This causes the same spikes, since neurons are
  linear up to the threshold and have no reset. Voltages are shown in units of the threshold.
- sparsifier's strength: the fraction of the circle, around the reference, in which spikes are
  dropped.

A hand of the phase clock fades when its spike is missing: the sparsifier dropped it, or the
neuron did not reach its threshold.
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("three_oscillators")
else:
    model, on_start = models.opened("three_oscillators")
