"""``nengo-phasor`` and ``python -m nengo_phasor``: the command line, see `nengo_phasor.cli`."""

from nengo_phasor import extras


def main(prog_name: str | None = None) -> None:
    """Run the command line; without its extra, say in one line how to get it."""
    with extras.named_at_exit():
        from nengo_phasor.cli import main as commands
    commands(prog_name=prog_name)


if __name__ == "__main__":
    main("python -m nengo_phasor")
