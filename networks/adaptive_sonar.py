"""Adaptive spiking neurons distinguish mines from rocks by sonar (Zambrano et al. 2017).

python networks/adaptive_sonar.py results    cross-validate, and write the committed figures
python networks/adaptive_sonar.py export     commit the weights of a run
nengo networks/adaptive_sonar.py             Nengo GUI, from committed weights
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("adaptive_sonar")
else:
    model, on_start = models.opened("adaptive_sonar")
