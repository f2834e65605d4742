# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An HTML page as tests look at it."""

from __future__ import annotations

from html.parser import HTMLParser

HEADINGS = ("h1", "h2", "h3")
LOADING = ("src", "srcset", "action", "data", "background", "poster")
VOID = ("meta", "br", "link", "img", "input", "hr")


class Page(HTMLParser):
    """A page, parsed: its texts, headings, ids, links and what it loads; each element must be closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.headings: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.source = text
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        """Note the element."""
        given = dict(attributes)
        self.tags.add(tag)
        self.loads += [given[name] for name in LOADING if name in given]
        if "href" in given:
            (self.loads if tag == "link" else self.links).append(given["href"])
        if "id" in given:
            self.ids.append(given["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        """Note the element, which has no end of its own."""
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        """Close the element."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Keep the text with the last heading above it."""
        if "style" in self.open:
            return
        if self.open and self.open[-1] in HEADINGS:
            self.headings.append(data.strip())
        self.texts.append((self.headings[-1] if self.headings else "", data))

    @property
    def text(self) -> str:
        """The whole text, with single blanks."""
        return " ".join(" ".join(text for _heading, text in self.texts).split())

    def below(self, heading: str) -> str:
        """Return the text below a heading, up to the next one."""
        return " ".join(" ".join(text for above, text in self.texts if above == heading).split())
