"""``python -m nengo_phasor``: the command line, see `nengo_phasor.cli`."""

from nengo_phasor.cli import main

main(prog_name="python -m nengo_phasor")
