"""One adaptive spiking neuron: its response to an input, and its transfer function.

    python networks/adaptive_neuron.py results    compare the transfer function with simulation
    python networks/adaptive_neuron.py figures    the pictures of docs/adaptive.md
    nengo networks/adaptive_neuron.py             Nengo GUI: its states, and a slider for precision

The equations are those of Zambrano et al. 2017.
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("adaptive_neuron")
else:
    model, on_start = models.opened("adaptive_neuron")
