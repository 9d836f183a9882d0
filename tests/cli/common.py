"""The command line in this process."""

from click.testing import CliRunner

from nengo_phasor.cli import app as cli


def invoke(*arguments):
    return CliRunner().invoke(cli.main, [str(a) for a in arguments])
