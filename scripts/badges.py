"""Write the first two cells of every notebook: the Colab badge, and a hidden cell that installs the package in Colab.

    python scripts/badges.py            # write them
    python scripts/badges.py --check    # exit 1 and name the notebooks whose cells are not as they should be

The repository's address stands in one place, [project.urls] of pyproject.toml; so run this after changing it, and after making
a notebook anew from text. Running it twice changes nothing.
"""

import json
import os
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IDS = "colab-badge", "colab-install"


def badge(name: str, settings: dict) -> dict:
    "The markdown cell: a local picture that links to the notebook in Colab."
    repository = settings["project"]["urls"]["Repository"].rstrip("/").removeprefix("https://github.com/")
    link = f"https://colab.research.google.com/github/{repository}/blob/{settings['tool']['nbdev']['branch']}/nbs/{name}"
    return {"cell_type": "markdown", "id": IDS[0], "metadata": {}, "source": [f"[![Open in Colab](images/colab.svg)]({link})"]}


def install(sources: str, settings: dict) -> dict:
    "The hidden code cell: in Colab it installs the package, and what only this notebook imports; elsewhere it does nothing."
    tools = {re.match(r"[\w-]+", d)[0] for d in settings["dependency-groups"]["dev"]}
    imported = set(re.findall(r"\w+", " ".join(re.findall(r"^\s*(?:import|from) (.+)", sources, re.M))))
    packages = " ".join([f"git+{settings['project']['urls']['Repository']}", *sorted(tools & imported)])
    lines = ["#| hide\n", "try: import google.colab\n", "except ImportError: pass\n", f'else: get_ipython().run_line_magic("pip", "install -q {packages}")']
    return {"cell_type": "code", "execution_count": None, "id": IDS[1], "metadata": {}, "outputs": [], "source": lines}


def source(cell: dict) -> str:
    return "".join(cell["source"])


def with_badge(name: str, text: str, settings: dict) -> str:
    "A notebook's file with the two cells at its head, written as `nbdev-clean` writes it."
    notebook = json.loads(text)
    cells = [c for c in notebook["cells"] if c.get("id") not in IDS]
    code = "\n".join(source(c) for c in cells if c["cell_type"] == "code")
    notebook["cells"] = [badge(name, settings), install(code, settings), *cells]
    return json.dumps(notebook, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def main(check: bool) -> int:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wrong = []
    for path in sorted((ROOT / "nbs").glob("*.ipynb")):
        old = path.read_text(encoding="utf-8")
        new = with_badge(path.name, old, settings)
        if new == old: continue
        wrong.append(path.name)
        if check: continue
        draft = path.with_suffix(".tmp")
        draft.write_text(new, encoding="utf-8", newline="\n")
        os.replace(draft, path)
    if wrong: print(f"badges {'missing or old' if check else 'written'}: {', '.join(wrong)}", file=sys.stderr if check else sys.stdout)
    return 1 if check and wrong else 0


if __name__ == "__main__": sys.exit(main("--check" in sys.argv[1:]))
