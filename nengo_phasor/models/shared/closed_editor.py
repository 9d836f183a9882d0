"""A page of Nengo GUI whose editor stays closed until the user opens it or an error occurs."""

from __future__ import annotations

from nengo_gui.components import AceEditor
from nengo_gui.page import Page, PageSettings

LINE = "models.close_editor(__page__)"
"""The line in a layout that closes the editor."""

CLOSED = """
Nengo.ace.hide_editor();
Nengo.ace.toggle_shown = function () {
    $('#rightpane').is(':visible') ? this.hide_editor() : this.show_editor();
};
Nengo.ace.on_message = function (event) {
    Nengo.Ace.prototype.on_message.call(this, event);
    if (JSON.parse(event.data).error) { this.show_editor(); }
};
"""


class ClosedEditor(AceEditor):
    """Nengo GUI's editor, closed at first. It opens when it has to show an error."""

    def javascript(self) -> str:
        """Return the code that creates the editor in the browser and closes it.

        It does not change Nengo GUI's own setting, which the browser keeps for all models.
        """
        return f"{super().javascript()};{CLOSED}"


def close_editor(page: Page) -> None:
    """Give the page such an editor, and keep the line for it in the layout when it is saved."""
    settings = page.settings
    page.settings = PageSettings(settings.filename_cfg, settings.backend, ClosedEditor)
    layout = page.locals["_viz_config"]
    dumps = layout.dumps
    layout.dumps = lambda uids: f"{LINE}\n{dumps(uids)}"
