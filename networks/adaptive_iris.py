"""Adaptive spiking neurons classify irises: 4 lengths, 3 classes (Zambrano et al. 2017).

python networks/adaptive_iris.py results    cross-validate, and write the committed figures
python networks/adaptive_iris.py export     commit the weights of a run
nengo networks/adaptive_iris.py             Nengo GUI, from committed weights
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("adaptive_iris")
else:
    model, on_start = models.opened("adaptive_iris")
