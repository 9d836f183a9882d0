"""Three resonate-and-fire neurons to play with: their rhythm, their threshold, their sparsifier.

    \b
    nengo networks/three_oscillators.py                   Nengo GUI
    nengo networks/three_oscillators.py -b nengo_loihi    with the neurons on the emulated chip
    python networks/three_oscillators.py                  without it: prints each one's phase

Each neuron is driven by a spike a cycle. Sliders set

\b
- phase: when in the cycle that spike comes, in units of pi; 0 is the reference.
- frequency: of the drive, in Hz. The neurons resonate at 10 Hz and the clock turns with
  10 Hz: what is driven faster or slower resonates less, and its hand drifts around the clock.
- threshold: in what one spike of the drive adds to a voltage. The neurons' own is fixed; the
  drive is divided by the slider's value instead, which makes the same spikes, since they are
  linear up to the threshold and have no reset. So voltages are shown in thresholds.
- sparsifier's strength: the fraction of the circle, around the reference, in which spikes are
  left out.

Hands of the phase clock fade when a spike is missing: the sparsifier left it out, or the
neuron did not reach its threshold.
"""

from __future__ import annotations

import click

from nengo_phasor.models.oscillators.network import PHASES

SECONDS = 1.0


@click.command(help=__doc__)
def main():
    """Print the phase of each neuron."""
    from nengo_phasor.models.oscillators import measure

    for k, phase in enumerate(measure.last_phases(SECONDS)):
        click.echo(f"neuron {k}: driven at phase {PHASES[k]:+.2f}, spikes at {phase:+.2f}")
