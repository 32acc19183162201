"""Write nbs/glossary.ipynb from nbs/glossary.toml: every symbol and term, with a link to the line of code that computes it.

    python scripts/glossary.py            # write it
    python scripts/glossary.py --check    # exit 1 if it differs from what the list and the code give

A line is looked up by the name of an object and a piece of text that occurs once in it, so it is found again wherever it moves.
What cannot be found stops the script with its name: the glossary cannot fall behind the code.
"""

import ast
import json
import os
import re
import sys
import tomllib
from functools import cache
from itertools import groupby

from pages import ROOT, settings

PAGE, TERMS = ROOT / "nbs" / "glossary.ipynb", ROOT / "nbs" / "glossary.toml"
OPENING = """# Glossary

> Every symbol and term of the project in a sentence, with the paper it comes from, the chapter that explains it, and the line of code that computes it

If you meet these words for the first time, begin with [How it works](how_it_works.ipynb). Terms stand in the order in which a note meets them: first as points, then under noise, then as it is guessed, and at last as it is written and measured."""


VALUES = """from meddiff import MedicalDiffusion
import pandas as pd

c = MedicalDiffusion.from_pretrained().checkpoint
pd.Series({"active vocabulary": len(c.space), "d, dimensions of a point": c.space.d, "T, steps of the schedule": c.schedule.num_train_timesteps, "log-SNR, noisiest": round(c.schedule.log_snr[-2].item(), 2),
           "log-SNR, cleanest": round(c.schedule.log_snr[0].item(), 2), "layers": c.config.layers, "width": c.config.width, "heads": c.config.heads, "known diagnoses": len(c.names), "longest note, tokens": c.config.max_tokens - 1},
          dtype=object, name="shipped checkpoint").to_frame()"""


@cache
def module(name: str) -> tuple[list[str], dict[str, ast.AST]]:
    "The lines of a module, and its objects by name; what is patched into a class stands under `Class.method`. Raises `ValueError` if there is no such module."
    path = ROOT / "meddiff" / f"{name}.py"
    if not path.exists(): raise ValueError(f"meddiff.{name}: no such module")
    text, found = path.read_text(encoding="utf-8"), {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = node
            found |= {f"{node.name}.{n.name}": n for n in node.body if isinstance(n, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            first = node.args.args[0] if node.args.args else None
            patched = first is not None and first.arg in ("self", "cls") and isinstance(first.annotation, ast.Name)
            found[f"{first.annotation.id}.{node.name}" if patched else node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            found |= {t.id: node for t in (node.targets if isinstance(node, ast.Assign) else [node.target]) if isinstance(t, ast.Name)}
    return text.splitlines(), found


def line_of(
    code: str,              # module.object or module.Class.method
    piece: str | None = None, # text that one line of it has; None: its first line
) -> int:
    "Where an object, or a line of it, stands. Raises `ValueError` if it cannot be found, or not told apart."
    name, _, path = code.partition(".")
    lines, objects = module(name)
    if path not in objects: raise ValueError(f"meddiff.{code}: no such object")
    node = objects[path]
    if piece is None: return node.lineno
    at = [i for i in range(node.lineno, node.end_lineno + 1) if piece in lines[i - 1]]
    if len(at) != 1: raise ValueError(f"meddiff.{code}: {len(at)} lines hold {piece!r}; one is needed")
    return at[0]


@cache
def headings(notebook: str) -> set[str]:
    "The headings of a chapter. Raises `ValueError` if there is no such chapter."
    path = ROOT / "nbs" / notebook
    if not path.exists(): raise ValueError(f"{notebook}: no such chapter")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return {h for c in cells if c["cell_type"] == "markdown" for h in re.findall(r"^#+ (.+?)\s*$", "".join(c["source"]), re.M)}


def slug(heading: str) -> str:
    "A heading as the site and Jupyter's readers address it."
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s.-]", "", heading).strip().lower())


def entry(term: dict, papers: dict) -> str:
    "A term as markdown. Raises `ValueError` for a paper, chapter or line that is not there."
    notebook, _, heading = term["chapter"].partition("#")
    if heading not in headings(notebook): raise ValueError(f"{term['name']}: {notebook} has no heading {heading!r}")
    if "paper" in term and term["paper"] not in papers: raise ValueError(f"{term['name']}: no paper {term['paper']!r}")
    title = heading in json.loads((ROOT / "nbs" / notebook).read_text(encoding="utf-8"))["cells"][2]["source"][0]
    code = f"../meddiff/{term['code'].split('.')[0]}.py#L{line_of(term['code'], term.get('line'))}"
    links = [f"[{term['code'].replace('__', chr(92) + '_' + chr(92) + '_')}]({code})", f"[{heading}]({notebook}{'' if title else '#' + slug(heading)})"]
    if "paper" in term: links.append(f"[{papers[term['paper']][0]}]({papers[term['paper']][1]})")
    return f"#### {term['name'].replace('_', chr(92) + '_')}\n\n{term['says'].replace('x_t', 'x' + chr(92) + '_t')}  \n{' · '.join(links)}" # a heading: what search finds first


def outputs() -> list:
    "What the code cell printed when the page was last executed; a cell that has changed has printed nothing."
    if not PAGE.exists(): return []
    return next((c["outputs"] for c in json.loads(PAGE.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code" and "".join(c["source"]) == VALUES), [])


def page() -> str:
    "The notebook's file, without its first two cells."
    listed = tomllib.loads(TERMS.read_text(encoding="utf-8"))
    texts = [OPENING]
    for section, terms in groupby(listed["term"], key=lambda t: t["section"]): texts.append("\n\n".join([f"## {section}", *(entry(t, listed["papers"]) for t in terms)]))
    cells = [{"cell_type": "markdown", "id": f"glossary-{i}", "metadata": {}, "source": text.splitlines(True)} for i, text in enumerate(texts)]
    cells += [{"cell_type": "markdown", "id": "glossary-values", "metadata": {}, "source": ["## The numbers behind the symbols\n", "\n", "What they are in the checkpoint that ships."]},
              {"cell_type": "code", "execution_count": None, "id": "glossary-code", "metadata": {}, "outputs": outputs(), "source": VALUES.splitlines(True)}]
    kernel = {"display_name": "python3", "language": "python", "name": "python3"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def main(check: bool) -> int:
    from badges import with_badge

    try: new = with_badge(PAGE.name, page(), settings())
    except ValueError as e:
        print(f"{TERMS.relative_to(ROOT)}: {e}", file=sys.stderr)
        return 1
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == new: return 0
    if not check:
        draft = PAGE.with_suffix(".tmp")
        draft.write_text(new, encoding="utf-8", newline="\n")
        os.replace(draft, PAGE)
    print("the glossary differs from nbs/glossary.toml and the code: run python scripts/glossary.py" if check else "glossary written", file=sys.stderr if check else sys.stdout)
    return 1 if check else 0


if __name__ == "__main__": sys.exit(main("--check" in sys.argv[1:]))
