"The notebooks as nbdev shows them to a reader: what scripts/readme.py and scripts/site.py begin with."

import contextlib
import io
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = re.compile(r"(^(?P<f>```+|~~~+).*?^(?P=f)[ \t]*$|(?<!`)(?P<b>`+)(?!`).+?(?<!`)(?P=b)(?!`))", re.M | re.S)


@cache
def settings() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def processed(pattern: str = "*.ipynb") -> dict:
    """File name → notebook, after nbdev hid what a reader need not see.

    It works in a folder of its own, so that two runs do not meet, and runs no cell: nbdev would run every one that holds an
    import, for `show_doc`, whose place scripts/site.py takes.
    """
    import nbformat
    from nbdev.serve import proc_nbs

    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        Path("pyproject.toml").write_text(project.replace("[tool.nbdev]\n", '[tool.nbdev]\nskip_procs = "exec_show_docs"\n'), encoding="utf-8")
        shutil.copytree(ROOT / "nbs", Path(scratch) / "nbs", ignore=shutil.ignore_patterns(".*", "_*"))
        for module in ("__init__.py", "_modidx.py"):
            (Path(scratch) / "meddiff").mkdir(exist_ok=True)
            shutil.copy2(ROOT / "meddiff" / module, Path(scratch) / "meddiff")
        with contextlib.redirect_stdout(io.StringIO()): folder = proc_nbs("nbs", n_workers=0, file_glob=pattern)
        return {p.name: nbformat.read(p, 4) for p in sorted(folder.glob("*.ipynb"))}


def front_matter(notebook) -> dict:
    "Title and description, which nbdev wrote into the first cell."
    import yaml

    first = notebook.cells[0]
    if first.cell_type != "raw": raise ValueError("a notebook opens with a cell that holds “# Title” and “> why read it”")
    return yaml.safe_load(first.source.strip().strip("-"))


def options(cell) -> dict:
    "The `#| key: value` lines at the head of a code cell."
    return dict(re.findall(r"^#\|\s*([\w-]+):?[ \t]*(.*?)\s*$", cell.source, re.M)) if cell.cell_type == "code" else {}


def markdown_cell(text: str):
    import nbformat

    return nbformat.v4.new_markdown_cell(text)


def plain(cells: list) -> list:
    "Cells without nbdev's own remarks; one that shows only its markdown output becomes that output."
    out = []
    for cell in cells:
        texts = [o.data["text/markdown"] for o in cell.get("outputs", []) if "text/markdown" in o.get("data", {})]
        if cell.cell_type == "markdown": cell.source = re.sub(r"\A(#\|.*\n)+", "", cell.source)
        if cell.source.startswith("<!-- WARNING") or not cell.source.strip(): continue
        if options(cell).get("echo") == "false" and texts: out.append(markdown_cell("\n\n".join(texts)))
        else: out.append(cell)
    return out


def prose(text: str, change: Callable[[str], str]) -> str:
    "Markdown with `change` done to all but code."
    out, at = [], 0
    for m in CODE.finditer(text):
        out += [change(text[at : m.start()]), m[0]]
        at = m.end()
    return "".join([*out, change(text[at:])])


def relink(text: str, link: Callable[[str], str]) -> str:
    "Markdown with every link's and picture's target passed through `link`."
    return re.sub(r"(\]\()([^)\s]+)(\s+\"[^\"]*\")?\)", lambda m: f"{m[1]}{link(m[2])}{m[3] or ''})", text)


def from_root(target: str) -> str:
    "A relative link of a notebook, seen from the repository's root."
    if re.match(r"[a-z]+:|#|//", target): return target
    return os.path.normpath(os.path.join("nbs", target)).replace(os.sep, "/")


def as_markdown(title: str, description: str, cells: list) -> str:
    "A whole page as one markdown text; a code cell's options are left out."
    import nbformat
    from nbconvert import MarkdownExporter

    notebook = nbformat.v4.new_notebook(cells=[c.copy() for c in cells], metadata={"language_info": {"name": "python"}})
    for cell in notebook.cells: cell.source = re.sub(r"\A(#\|.*\n)+", "", cell.source)
    body = MarkdownExporter().from_notebook_node(notebook)[0]
    return re.sub(r"\n{3,}", "\n\n", f"# {title}\n\n> {description}\n\n{body.strip()}\n")
