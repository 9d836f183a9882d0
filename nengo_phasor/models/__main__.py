"""Run a system's commands: ``python -m nengo_phasor.models NAME``, as ``nengo-phasor run`` does."""

import sys

from nengo_phasor import models

if __name__ == "__main__":
    name = sys.argv.pop(1)
    sys.argv[0] = f"nengo-phasor run {name}"  # how results are said to be made
    models.main(name)
