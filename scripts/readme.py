"""Make README.md from nbs/index.ipynb.

    python scripts/readme.py            # write it
    python scripts/readme.py --check    # exit 1 if it differs from what the notebook gives
"""

import sys

from pages import ROOT, as_markdown, from_root, front_matter, plain, processed, prose, relink

NOTICE = "<!-- Made from nbs/index.ipynb by scripts/readme.py: change it there. -->"


def readme() -> str:
    "The home page, with links and pictures as seen from the repository's root."
    notebook = processed("index.ipynb")["index.ipynb"]
    front, cells = front_matter(notebook), plain(notebook.cells[1:])
    for cell in cells:
        if cell.cell_type == "markdown": cell.source = prose(cell.source, lambda text: relink(text, from_root))
    return f"{NOTICE}\n\n{as_markdown(front['title'], front['description'], cells)}"


def main(check: bool) -> int:
    target, new = ROOT / "README.md", readme()
    if target.exists() and target.read_text(encoding="utf-8") == new: return 0
    if not check: target.write_text(new, encoding="utf-8", newline="\n")
    print("README.md differs from nbs/index.ipynb: run python scripts/readme.py" if check else "README.md written", file=sys.stderr if check else sys.stdout)
    return 1 if check else 0


if __name__ == "__main__": sys.exit(main("--check" in sys.argv[1:]))
