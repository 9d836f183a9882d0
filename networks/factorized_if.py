"""A single-layer spiking network made deep by factorising its weights: the paper's network.

Four sines drive integrate-and-fire neurons X, which drive a layer A through random weights, and A
drives an output neuron Y. The weights from X to A become a product, with a layer of neurons between
its factors (Bury, Filali and Essien 2020).

    \b
    python networks/factorized_if.py demo       the paper's figures and tables, in a minute
    python networks/factorized_if.py results    the committed figures
    nengo networks/factorized_if.py             Nengo GUI: both networks, side by side
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("factorized_if")
else:
    model, on_start = models.opened("factorized_if")
