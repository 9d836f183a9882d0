"""Adaptive spiking neurons tell mines from rocks by sonar: 60 energies (Zambrano et al. 2017).

python networks/adaptive_sonar.py results    cross-validate, and write the committed figures
python networks/adaptive_sonar.py export     make a run's weights the committed ones
nengo networks/adaptive_sonar.py             Nengo GUI, from committed weights
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("adaptive_sonar")
else:
    model, on_start = models.opened("adaptive_sonar")
