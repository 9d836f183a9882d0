import base64
import re
import sys
from html.parser import HTMLParser

from nengo_phasor.models.shared import page

PICTURE = b"\x89PNG\r\n\x1a\n and so on"


def read(path):
    """Return the tags with their attributes, and the texts, of a page."""
    tags, texts = [], []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append((tag, dict(attrs)))
    parser.handle_data = lambda data: texts.append(data.strip())
    parser.feed(path.read_text())
    return tags, texts


def test_page_is_one_file_and_its_text_is_no_markup(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["networks/x.py", "demo"])
    (tmp_path / "a.png").write_bytes(PICTURE)
    section = page.Section(
        "H & I",
        "<b>text</b>",
        {"a.png": 'a "picture"'},
        ("name", "share"),
        page.percentages({"<accuracy>": 0.1234}),
    )
    links = {"docs": "make docs", "Nengo": "https://www.nengo.ai"}
    path = page.write(tmp_path, "a < b", "S & T", [section], {"seed": 3}, links)
    (tmp_path / "a.png").unlink()
    tags, texts = read(path)
    (image,) = (attributes for tag, attributes in tags if tag == "img")
    assert image["alt"] == 'a "picture"'
    kind, content = image["src"].split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content) == PICTURE
    assert ("accuracy", {}) not in tags
    assert ("b", {}) not in tags
    for text in ("a < b", "S & T", "H & I", "<b>text</b>", "<accuracy>", "12.34%", "share", "3"):
        assert text in texts
    assert "python networks/x.py demo" in texts
    assert any(re.fullmatch(r"\d{4}-\d\d-\d\d", text) for text in texts)
    assert "make docs" in texts
    assert ("a", {"href": "https://www.nengo.ai"}) in tags
    assert "width=device-width" in path.read_text()


def test_what_is_left_out_leaves_nothing(tmp_path):
    tags, _ = read(page.write(tmp_path, "t", "l", [page.Section()]))
    assert not {"img", "table", "h2", "figure"} & {tag for tag, _ in tags}
