"""A single-layer spiking network made deep by factorising its weights: the paper's network."""
