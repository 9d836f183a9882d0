import click
import pytest
from click.testing import CliRunner

from nengo_phasor import datasets, extras
from nengo_phasor.models.shared import commands


def failing(error):
    @click.group(cls=commands.Commands)
    def main():
        """Fail."""

    @main.command()
    @click.option("--seeds", type=commands.Seeds(), default="0,1,2")
    def go(seeds):
        if error:
            raise error
        click.echo(sum(seeds))

    return main


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (datasets.DatasetError("no such garments"), 1, "Error: no such garments\n"),
        (ImportError("has no part"), 1, "Error: has no part\n"),
        (extras.MissingExtra("matplotlib"), 2, '"nengo-phasor[plot]"\n'),
        (ModuleNotFoundError("lacks it", name="nengo_absent"), 2, '"nengo-phasor[loihi]"\n'),
        (PermissionError(13, "Permission denied", "x.json"), 1, "Permission denied: 'x.json'\n"),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
    ],
)
def test_commands_end_with_an_errors_own_words(error, code, message, monkeypatch):
    monkeypatch.setitem(extras.EXTRAS, "nengo_absent", "loihi")
    shown = CliRunner().invoke(failing(error), ["go"])
    assert shown.exit_code == code
    assert shown.output.endswith(message)


def test_commands_hide_no_defect():
    assert isinstance(CliRunner().invoke(failing(KeyError("x")), ["go"]).exception, KeyError)


def test_seeds():
    assert CliRunner().invoke(failing(None), ["go"]).output == "3\n"
    assert CliRunner().invoke(failing(None), ["go", "--seeds", "17"]).output == "17\n"
    assert CliRunner().invoke(failing(None), ["go", "--seeds", "4, 5"]).output == "9\n"
    for wrong in ("", "0,", "a", "-1", "1.5", f"0,{2**32}"):
        shown = CliRunner().invoke(failing(None), ["go", "--seeds", wrong])
        assert shown.exit_code == 2
        assert "Invalid value for '--seeds'" in shown.output
