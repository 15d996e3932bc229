"""The book of facts has what code, docs and tests cite, once, and the endpoints that the coverage page has."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from attrs import define, field, frozen

from tests.docs.test_coverage import ROWS, shape

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "vendor").glob("*.md"))
CITING = ("ongage_async", "docs", "tests", "benchmarks", "examples")
NOT_SHOWN = {("POST", "/transactional/send")}
"""A path that the client guesses, as the vendor's page does not show it."""
OTHER_BOOKS = re.compile(r"(?:RFC \d+|APPNOTE) §[\d.]+")
NUMBER = r"\d+(?:\.\d+)?"
ROW = r'(?:#|no\. |row ")\w+"?'
CITATION = re.compile(
    rf"§(?P<first>{NUMBER})(?: (?P<joint>to|and) §(?P<last>{NUMBER}))?(?P<rows>(?:,? {ROW})*)"
    r"(?:, (?P<method>GET|POST|PUT|DELETE) (?P<path>…?/[^\s`(]+))?"
)
ENDPOINT = re.compile(r"\b(GET|POST|PUT|DELETE) (?:https://[\w.]+)?((?:LIST|(?=/))(?:<[^>]*>|[^\s`?<])*)")


@define
class Section:
    """Hold one section of the book, with the numbers of its rows."""

    number: str
    page: str
    lines: list[str] = field(factory=list)

    @property
    def rows(self) -> list[str]:
        return [found[1] for line in self.lines if (found := re.match(r"\| (\d+\w?|dep) \|", line))]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@frozen
class Citation:
    """Hold what one place says about where its facts come from."""

    place: str
    sections: tuple[str, ...]
    rows: tuple[str, ...] = ()
    method: str = ""
    path: str = ""


def sections(pages: Iterable[Path]) -> Iterator[Section]:
    """Give the sections; what stands above a numbered heading of its own page belongs to none."""
    for page in pages:
        section = None
        for line in page.read_text("utf-8").splitlines():
            if found := re.match(rf"#+ ({NUMBER})\.? ", line):
                if section is not None:
                    yield section
                section = Section(found[1], page.name)
            elif section is not None:
                section.lines.append(line)
        if section is not None:
            yield section


def citations(text: str, place: str = "") -> Iterator[Citation]:
    """Give the citations in a text, which may break anywhere between two words."""
    for found in CITATION.finditer(OTHER_BOOKS.sub("", " ".join(text.split()))):
        first, last = found["first"], found["last"] or found["first"]
        named = (first, last)
        if found["joint"] == "to" and "." in first:
            chapter, begin, end = first.partition(".")[0], first.partition(".")[2], last.partition(".")[2]
            named = tuple(f"{chapter}.{number}" for number in range(int(begin), int(end) + 1))
        rows = tuple(re.findall(r'(?:#|no\. |")(\w+)', found["rows"]))
        yield Citation(place, named, rows, found["method"] or "", (found["path"] or "").lstrip("…").rstrip(".,;:"))


def endpoints(text: str) -> set[tuple[str, str]]:
    """Return the endpoints that a text names in code, without the names of their parameters."""
    expanded = (
        (method, path.replace("LIST", "/newsletters/lists/<LIST_ID>")) for method, path in ENDPOINT.findall(text)
    )
    return {(method, re.sub(r"<[^>]*>", "{}", path)) for method, path in expanded}


def unresolved(cited: Citation, book: dict[str, Section]) -> str:
    """Return what of a citation is not in the book; empty when all of it is."""
    if missing := [number for number in cited.sections if number not in book]:
        return f"no §{missing[0]}"
    named = [book[number] for number in cited.sections]
    if lost := [row for row in cited.rows if not any(row in section.rows for section in named)]:
        return f"no row {lost[0]} in §{cited.sections[-1]}"
    pattern = rf"`{cited.method} [^`]*{re.escape(cited.path)}"
    if cited.path and not any(re.search(pattern, section.text) for section in named):
        return f"no {cited.method} {cited.path} in §{cited.sections[0]}"
    return ""


BOOK = {section.number: section for section in sections(PAGES)}
CITED = [
    cited
    for room in CITING
    for path in sorted((ROOT / room).rglob("*"))
    if path.suffix in {".py", ".md"} and path != Path(__file__).resolve()
    for cited in citations(path.read_text("utf-8"), path.relative_to(ROOT).as_posix())
]


def test_everything_that_is_cited_is_in_the_book():
    """A section, a row of it, and the endpoint that a docstring names beside it: each can be looked up."""
    assert [f"{cited.place}: {problem}" for cited in CITED if (problem := unresolved(cited, BOOK))] == []
    assert len(CITED) > 400


def test_a_number_stands_once():
    """Otherwise a citation would have two meanings."""
    assert [number for number, times in Counter(each.number for each in sections(PAGES)).items() if times > 1] == []
    for section in BOOK.values():
        assert [row for row, times in Counter(section.rows).items() if times > 1] == [], section.number


def test_the_chapters_have_no_holes():
    """§3.7 is not followed by §3.9: nothing was lost when the facts were put into pages."""
    chapters: dict[str, list[int]] = {}
    for number in BOOK:
        chapter, _, part = number.partition(".")
        chapters.setdefault(chapter, []).extend([int(part)] if part else [])
    assert sorted(chapters) == ["0", "1", "2", "3", "4", "5", "6"]
    assert {chapter: sorted(parts) for chapter, parts in chapters.items()} == {
        chapter: list(range(1, len(parts) + 1)) for chapter, parts in chapters.items()
    }


def test_the_contradictions_have_the_numbers_of_the_page_that_settles_them():
    settled = (DOCS / "vendor.md").read_text("utf-8").partition("## Contradictions")[2].partition("\n## ")[0]
    assert BOOK["6.1"].rows == re.findall(r"^\| (\d+) \|", settled, re.MULTILINE)


def test_every_endpoint_of_the_coverage_page_is_in_the_book():
    """What the client calls rests on a fact; the one path that is a guess is named as such."""
    known = set.union(*(endpoints(section.text) for section in BOOK.values()))
    called = {(row.endpoint[0], shape(row.endpoint[1])) for row in ROWS}
    assert called - known == NOT_SHOWN


def test_every_endpoint_of_the_book_is_on_the_coverage_page():
    """No endpoint is known and forgotten: it is called, or the page says why not."""
    coverage = (DOCS / "coverage.md").read_text("utf-8")
    told = {(method, shape(path)) for method, path in endpoints(coverage)}
    slips = {("POST", "/api/transactional_send"), ("POST", "/api/esp_connection")}
    known = set.union(*(endpoints(section.text) for section in BOOK.values()))
    assert known - told - slips == set()


def test_the_index_leads_to_every_page():
    index = (DOCS / "vendor" / "index.md").read_text("utf-8")
    assert {page.name for page in PAGES} - {"index.md"} == set(
        re.findall(r"^\| \[[^]]+]\(([\w-]+\.md)\)", index, re.MULTILINE)
    )


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("Source: vendor page §4.9.", "no §4.9"),
        ("vendor\n    page §3.5 to §3.24, DELETE", "no §3.24"),
        ("(vendor page §4.4, §6.1 #20)", "no row 20 in §6.1"),
        ("§6.2 #1, #8, #13", "no row 13 in §6.2"),
        ("§6.1 no. 21", "no row 21 in §6.1"),
        ('§5, row "depth"', "no row depth in §5"),
        ("§3.3, POST /api/contacts/undelete (seed)", "no POST /api/contacts/undelete in §3.3"),
        ("§3.5 to §3.7, GET …/<id>/export_all", "no GET /<id>/export_all in §3.5"),
        ('§3.5 to §3.7, §5 #8, row "dep"; §3.8 and §3.11, POST /api/segments/export (vendor doc)', ""),
        ("RFC 9110 §10.2.3, and APPNOTE §4.6.12", ""),
    ],
)
def test_a_citation_that_leads_nowhere_is_found_out(said: str, problem: str):
    """The reader of citations is no yes-man."""
    assert next(filter(None, (unresolved(cited, BOOK) for cited in citations(said))), "") == problem
