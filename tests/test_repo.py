"What lies in the repository is as it should be. Only the standard library is needed, so these tests run everywhere."

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest


def cells(notebook: Path) -> list[dict]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def outputs(notebook: Path) -> list[dict]:
    return [o for c in cells(notebook) for o in c.get("outputs", [])]


def text_of(output: dict) -> str:
    "All that a reader sees of an output as text."
    data = {k: v for k, v in output.get("data", {}).items() if k.startswith("text/")}
    return "\n".join("".join(v) for v in [output.get("text", ""), *data.values()])


def run(root: Path, *args: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *args], cwd=root, capture_output=True, text=True, encoding="utf-8")


def test_size(notebook):
    assert notebook.stat().st_size < 400_000, "draw fewer points, or save the picture at a lower resolution"


def test_executed(notebook):
    "A notebook is committed with its outputs, because they are what readers see."
    code = [c for c in cells(notebook)[2:] if c["cell_type"] == "code"]
    if not code: pytest.skip("a page of text alone")
    shown = [c for c in code if c["outputs"]]
    assert shown, "run the notebook before committing it"
    if notebook.stem not in ("index", "glossary"): assert len(shown) >= 3


def test_no_error_or_warning_in_outputs(notebook):
    bad = [o for o in outputs(notebook) if o["output_type"] == "error" or (o["output_type"] == "stream" and o.get("name") == "stderr")]
    assert not bad, f"errors, warnings or progress bars among the outputs: {text_of(bad[0])[:200]}"
    assert not [o for o in outputs(notebook) if re.search(r"\b\w*Warning: ", text_of(o))]


def test_no_absolute_path_in_outputs(notebook, root):
    path = re.compile(r"(?<![\w.<:/])/(?:home|root|tmp|work|usr|Users|opt|mnt|private|var|content)/\w|\b[A-Z]:\\\\?\w+\\")
    found = [m[0] for o in outputs(notebook) if (m := path.search(text_of(o)))]
    assert not found and str(root) not in "".join(map(text_of, outputs(notebook)))


def test_opens_with_title_and_reason(notebook):
    "# Title, then > one sentence that says why to read it; nbdev makes the module's docstring of it."
    opening = source(cells(notebook)[2])
    assert re.match(r"# \S.*\n+> \S.*", opening)


def test_ids(notebook):
    ids = [c["id"] for c in cells(notebook)]
    assert len(ids) == len(set(ids))


def test_badges(root):
    "Run python scripts/badges.py if this fails."
    done = run(root, "scripts/badges.py", "--check")
    assert done.returncode == 0, done.stderr


def test_the_colab_cell_does_nothing_elsewhere(notebook, capsys):
    exec(compile(source(cells(notebook)[1]), notebook.name, "exec"), {})
    assert capsys.readouterr() == ("", "")


def test_readme(root):
    "Run python scripts/readme.py if this fails."
    if not (find_spec("nbdev") and find_spec("nbconvert")): pytest.skip("the README is made with nbdev and nbconvert: uv sync")
    done = run(root, "scripts/readme.py", "--check")
    assert done.returncode == 0, done.stderr


def test_model_card(root):
    "Run python scripts/card.py if this fails."
    pytest.importorskip("torch")
    done = run(root, "scripts/card.py", "--check")
    assert done.returncode == 0, done.stderr


def test_glossary(root):
    "Every paper, chapter and line of code that the list names is there. Run python scripts/glossary.py if this fails."
    pytest.importorskip("yaml")
    done = run(root, "scripts/glossary.py", "--check")
    assert done.returncode == 0, done.stderr


def test_glossary_finds_lines(root, monkeypatch):
    "By the name of an object and a piece of text; what is not there, or there twice, is named."
    monkeypatch.syspath_prepend(root / "scripts")
    glossary = pytest.importorskip("glossary")
    lines = (root / "meddiff" / "diffusion.py").read_text(encoding="utf-8").splitlines()
    assert "a.sqrt() * x_start" in lines[glossary.line_of("diffusion.GaussianDiffusion.q_sample", "a.sqrt() * x_start") - 1]
    assert lines[glossary.line_of("diffusion.GaussianDiffusion.q_sample") - 1].startswith("def q_sample(")
    for bad in (("diffusion.q_sample", None), ("diffusion.GaussianDiffusion.q_sample", "no such text"), ("diffusion.GaussianDiffusion.q_sample", "x_start"), ("nothing.at_all", None)):
        with pytest.raises(ValueError, match=bad[0].split(".")[0]): glossary.line_of(*bad)


def test_glossary_links(root):
    "Each leads to a line of the code that exists and is not blank."
    text = "".join(source(c) for c in cells(root / "nbs" / "glossary.ipynb"))
    targets = re.findall(r"\]\(\.\./(meddiff/\w+\.py)#L(\d+)\)", text)
    assert len(targets) > 50
    for file, line in targets: assert (root / file).read_text(encoding="utf-8").splitlines()[int(line) - 1].strip()


def test_home_page_lists_the_chapters(root):
    "Run nbs/index.ipynb again if this fails: its table is made from the notebooks."
    table = "\n".join(map(text_of, outputs(root / "nbs" / "index.ipynb")))
    for chapter in sorted((root / "nbs").glob("[0-9]*.ipynb")):
        title, why = re.match(r"# (.+?)\n+> (.+)", source(cells(chapter)[2])).groups()
        assert f"[{title}]({chapter.name}) | {why} |" in table


def test_sidebar_lists_the_chapters(root):
    sidebar = (root / "nbs" / "_quarto.yml").read_text(encoding="utf-8")
    assert not [n.name for n in (root / "nbs").glob("*.ipynb") if f"- {n.name}\n" not in sidebar]


def tracked(root: Path) -> list[Path]:
    try: listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    except (OSError, subprocess.CalledProcessError): pytest.skip("not a git checkout")
    return [root / name for name in listed.split("\0") if name]


def test_nothing_large_is_tracked(root):
    large = [p.name for p in tracked(root) if p.is_file() and p.stat().st_size > 25_000_000]
    assert not large


def test_nothing_generated_is_tracked(root):
    "Caches, environments, built pages and unfinished checkpoints stay outside."
    odd = re.compile(r"__pycache__|\.ipynb_checkpoints|^\.venv|^_(proc|docs)|\.pyc$|\.pt$|^uv\.lock$|\.egg-info")
    assert not [name for p in tracked(root) if odd.search(name := p.relative_to(root).as_posix())]


def test_links_of_the_readme(root):
    "Files that the README points to are there."
    links = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", (root / "README.md").read_text(encoding="utf-8"))
    assert links and not [link for link in links if not (root / link).exists()]
