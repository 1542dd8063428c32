"""Checks what the Markdown pages claim.

docs.py links     reads page names from standard input; every link inside the repository resolves,
                  to a file and, after `#`, to a heading of a page or a function of a source file
docs.py attacks   counts the rows of a table of attacks, and those that no test is named for
docs.py commands  prints the commands of a page: each line of its ```sh blocks. Blocks that only show
                  something are ```console or ```text.
"""

import re
import sys
from pathlib import Path

FENCE = re.compile(r"^(```+|~~~+)\s*(\S*)")
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)[^)]*\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s+(\S+)")


def outside_code(text):
    """The lines that are prose: no fenced block, no code span."""
    fence = None
    for line in text.splitlines():
        mark = FENCE.match(line)
        if mark and fence is None:
            fence = mark[1]
        elif mark and line.strip().startswith(fence):
            fence = None
        elif fence is None:
            yield re.sub(r"`[^`]*`", "", line)


def anchors(page):
    """The anchors that the headings of a page make, as GitHub and rustdoc spell them."""
    found = {}
    fenced = False
    for line in page.read_text().splitlines():
        if FENCE.match(line):
            fenced = not fenced
        if fenced or not (heading := re.match(r"#{1,6}\s+(.*?)\s*#*$", line)):
            continue
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    return {s if n == 0 else f"{s}-{n}" for s, top in found.items() for n in range(top + 1)}


def broken_links(page):
    """(target, why) of every link of a page that leads nowhere."""
    for line in outside_code(page.read_text()):
        for target in LINK.findall(line) + REFERENCE.findall(line):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (page.parent / name) if name else page
            if not file.exists():
                yield target, "no such file"
            elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                yield target, "no such heading"
            elif anchor and file.suffix == ".rs" and f"fn {anchor}(" not in file.read_text():
                yield target, "no such function"


def links():
    pages = [Path(line.strip()) for line in sys.stdin if line.strip()]
    broken = [(p, t, why) for p in pages for t, why in broken_links(p)]
    for page, target, why in broken:
        print(f"{page}: {target}: {why}", file=sys.stderr)
    print(f"links: {len(pages)} pages, {len(broken)} broken")
    return 1 if broken or not pages else 0


def commands(page):
    language, found = None, 0
    for line in Path(page).read_text().splitlines():
        mark = FENCE.match(line)
        if mark:
            language = mark[2] if language is None else None
        elif language == "sh" and line.strip() and not line.startswith("#"):
            print(line.strip())
            found += 1
    return 0 if found else 1


def attacks(page):
    rows = re.findall(r"^\| (\d+) \|(.*)", Path(page).read_text(), re.M)
    shown = [n for n, row in rows if LINK.search(row)]
    open_ = [n for n, row in rows if not LINK.search(row)]
    tests = sum(len(LINK.findall(row)) for _, row in rows)
    print(f"attacks: {len(rows)} are listed, {len(shown)} are shown by {tests} tests, open: {', '.join(open_) or 'none'}")
    return 0 if [int(n) for n, _ in rows] == list(range(1, len(rows) + 1)) and rows else 1


if __name__ == "__main__":
    match sys.argv[1]:
        case "links":
            sys.exit(links())
        case "attacks":
            sys.exit(attacks(sys.argv[2]))
        case _:
            sys.exit(commands(sys.argv[2]))
