"""Focus: adaptive spiking neurons code precisely where in an image the object is.

Garments lie anywhere in images of four times their size, among fragments of others. Coarse spikes
tell where the object is; then the neurons of that place code precisely, and those around it
coarsely, as the outlook of Zambrano et al. (2017) says.

    \b
    python networks/adaptive_focus.py train              train the analog network
    python networks/adaptive_focus.py results --resume   measure it, and the committed figures

"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("adaptive_focus")
