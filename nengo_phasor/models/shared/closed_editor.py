"""A page of Nengo GUI whose editor is closed until somebody wants it, or there is an error."""

from __future__ import annotations

from nengo_gui.components import AceEditor
from nengo_gui.page import Page, PageSettings

LINE = "models.close_editor(__page__)"
"""What a door's layout says."""

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
    """Nengo GUI's editor, closed at first. It opens with an error, which it tells of."""

    def javascript(self) -> str:
        """Return what makes the editor in the browser, and closes it.

        Nengo GUI's own setting is left alone, since the browser keeps it for all models.
        """
        return f"{super().javascript()};{CLOSED}"


def close_editor(page: Page) -> None:
    """Give the page such an editor, and see to it that its layout, when saved, still says so."""
    settings = page.settings
    page.settings = PageSettings(settings.filename_cfg, settings.backend, ClosedEditor)
    layout = page.locals["_viz_config"]
    dumps = layout.dumps
    layout.dumps = lambda uids: f"{LINE}\n{dumps(uids)}"
