"""Build the documentation site into _docs/ (or the folder given): python scripts/site.py [FOLDER]

nbdev processes the notebooks, this script makes of them what can be read without a network, and smalldocs renders them after
nbs/_quarto.yml. Nothing is run again: saved outputs are what readers see. In between it

- names pages after their modules (02_schedule.ipynb becomes schedule.html) and turns links to notebooks into links to pages,
- gives every exported name its signature, docstring, table of parameters and source, and every name in the index its anchor,
- turns formulas into MathML, and ships the part of a mathematical font that they need,
- puts a sentence in place of a control, since nothing recomputes on a page, and gives every plot its title as alternative text,
- adds a page that lists every exported name, with a link to its entry,
- writes each page a second time as markdown (schedule.html.md), which is where the modules' docstrings point.
"""

import ast
import html
import importlib
import inspect
import json
import logging
import re
import shutil
import sys
import tempfile
import unicodedata
from collections import Counter
from functools import cache, reduce
from pathlib import Path
from typing import get_args

from pages import ROOT, as_markdown, from_root, front_matter, markdown_cell, options, plain, processed, prose, relink, settings

MATH = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\$\w])\$(?=\S)(?P<inline>[^$]+?)(?<=[^\s\\])\$(?![\d$])", re.S)
FONT_RANGES = [(0x20, 0x17F), (0x300, 0x3FF), (0x1E00, 0x22FF), (0x2300, 0x23FF), (0x27C0, 0x27FF), (0x1D400, 0x1D7FF)]
SEEN = "mathplaceholder"  # a word that markdown leaves alone; the formula's number and an x follow

# ---------------------------------------------------------------- formulas


def letter(char: str, style: str) -> str:
    "A letter in script, double-struck, … as a character of its own: browsers no longer read MathML's `mathvariant`."
    case = "CAPITAL" if char.isupper() else "SMALL"
    for name in (f"MATHEMATICAL {style} {case} {char}", f"{style} CAPITAL {char}", f"MATHEMATICAL {style} {case} {unicodedata.name(char).split()[-1]}"):
        try: return unicodedata.lookup(name.upper())
        except KeyError: pass
    return char


def mathml(tex: str, block: bool) -> str:
    "A formula as MathML, its TeX kept as annotation. Raises `ValueError` for what latex2mathml does not know."
    from latex2mathml.converter import convert

    source = re.sub(r"\\(begin|end)\{(?:aligned|split)\}", lambda m: rf"\{m[1]}{{align*}}", tex.strip())
    try: text = convert(source, display="block" if block else "inline")
    except Exception as e: raise ValueError(f"the formula ${tex.strip()}$ cannot be converted: {e!r}") from None
    if "<mi>\\" in text: raise ValueError(f"the formula ${tex.strip()}$ holds an unknown command: {re.search(r'<mi>(.+?)</mi>', text[text.index('<mi>'):])[1]}")
    styles = {"script": "SCRIPT", "double-struck": "DOUBLE-STRUCK", "fraktur": "FRAKTUR", "bold": "BOLD", "bold-italic": "BOLD ITALIC"}
    text = re.sub(r'<(m[ino]) mathvariant="([\w-]+)">([^<]+)<', lambda m: f"<{m[1]}>{letter(html.unescape(m[3]), styles[m[2]])}<" if m[2] in styles else m[0], text)
    text = text.replace('width="negativethinmathspace"', 'width="-0.167em"').replace("<mo minsize", '<mo stretchy="true" symmetric="true" minsize')
    text = re.sub(r"<mo>(&#x0*(?:2016|7C);)", r'<mo stretchy="false">\1', text)
    note = f'<annotation encoding="application/x-tex">{html.escape(tex.strip())}</annotation>'
    return re.sub(r"(<math[^>]*>)(.*)</math>", rf"\1<semantics>\2{note.replace(chr(92), chr(92) * 2)}</semantics></math>", text, flags=re.S)


class Formulas:
    "Formulas wait outside while markdown is rendered, so that nothing in them is taken for emphasis or a smart quote."

    def __init__(self): self.found: list[tuple[str, bool]] = []

    def take(self, text: str) -> str:
        "Markdown with a word for each formula."

        def keep(m: re.Match) -> str:
            self.found.append((m["block"] or m["inline"], bool(m["block"])))
            word = f"{SEEN}{len(self.found) - 1}x"
            return f"\n\n{word}\n\n" if m["block"] else word

        return prose(text, lambda t: MATH.sub(keep, t))

    def give_back(self, page: str) -> str:
        "HTML with MathML for each word; inside an attribute, and in the search index, the TeX."
        word = re.compile(rf"{SEEN}(\d+)x")
        page = re.sub(rf'="[^"]*{SEEN}[^"]*"', lambda m: word.sub(lambda w: html.escape(self.found[int(w[1])][0]), m[0]), page)
        return word.sub(lambda w: mathml(*self.found[int(w[1])]), page)

    def give_back_tex(self, text: str) -> str:
        return re.sub(rf"{SEEN}(\d+)x", lambda w: json.dumps(self.found[int(w[1])][0], ensure_ascii=False)[1:-1], text)


def narrow_roots(font) -> None:
    "Make the taller root signs as wide as the smallest. Chromium leaves room for the widest after every root, which tears formulas apart."
    from fontTools.misc.transform import Scale
    from fontTools.pens.transformPen import TransformPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    root = font.getBestCmap()[0x221A]
    width, glyphs = font["hmtx"][root][0], font.getGlyphSet()
    for name in [g for g in font.getGlyphOrder() if g.startswith(root + ".")]:
        scale, pen = width / font["hmtx"][name][0], TTGlyphPen(None)
        if scale >= 1: continue
        glyphs[name].draw(TransformPen(pen, Scale(scale, 1)))
        font["glyf"][name] = pen.glyph()
        font["glyf"][name].recalcBounds(font["glyf"])
        font["hmtx"][name] = width, round(font["hmtx"][name][1] * scale)


def math_font(target: Path) -> None:
    "The part of STIX Two Math (ziamath carries it) that formulas need, so that roots, braces and brackets grow on every machine."
    import ziamath
    from fontTools import subset

    chosen = subset.Options(flavor="woff", layout_features=["ssty", "dtls"], hinting=False)
    font = subset.load_font(str(Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf"), chosen)
    subsetter = subset.Subsetter(chosen)
    subsetter.populate(unicodes=[c for a, b in FONT_RANGES for c in range(a, b + 1)])
    subsetter.subset(font)
    narrow_roots(font)
    target.parent.mkdir(parents=True, exist_ok=True)
    subset.save_font(font, str(target), chosen)


# ---------------------------------------------------------------- reference


def portable(text: str) -> str:
    "A default that is a path, as seen from the repository's root."
    return re.sub(r"(?:[\w.]+\.)?(?:<locals>\.)?<lambda>", "…", text.replace(f"{Path(importlib.import_module('meddiff').__file__).parent.parent}/", "").replace("PosixPath(", "Path("))


def signature(name: str, obj) -> str:
    "Names and defaults; the types stand in the table."
    parameters = []
    for p in inspect.signature(obj).parameters.values():
        if p.name in ("self", "cls"): continue
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        default = "" if p.default is p.empty else f"={getattr(p.default, '__name__', None) or repr(p.default)}"
        if p.kind is p.KEYWORD_ONLY and "*" not in parameters and not any(x.startswith("*") for x in parameters): parameters.append("*")
        parameters.append(f"{star}{p.name}{default}")
    line = f"{name}({', '.join(parameters)})"
    return portable(line if len(line) < 88 else f"{name}(\n    " + ",\n    ".join(parameters) + ",\n)")


def as_typed(text: str) -> str:
    "Markdown in which an option is code: else its two hyphens would become a dash."
    return prose(text, lambda t: re.sub(r"(?<![\w-])--[a-z][\w-]*", r"`\g<0>`", t))


def command_line(obj, module) -> str:
    "The table of a command's options, as one types them; empty for a function that is no command."
    from smalldocs import api

    rows = []
    for name, p in inspect.signature(obj).parameters.items():
        told = next((m for m in getattr(p.annotation, "__metadata__", ()) if hasattr(m, "help")), None)
        if told is None: continue
        option, named = type(told).__name__ == "OptionInfo", [d for d in (told.default, *(told.param_decls or ())) if isinstance(d, str)]  # beside a type, a default is a name
        shown = ", ".join(named) or (f"--{name.replace('_', '-')}" if option else name.upper())
        kind = p.annotation.__origin__
        if p.default is None: kind = next(a for a in get_args(kind) if a is not type(None))  # what is typed is never None
        default = "required" if p.default is p.empty else "" if p.default is None else f"`{str(p.default).lower() if isinstance(p.default, bool) else p.default}`"
        rows.append([f"`{shown}`", api.type_text(kind, module), default, as_typed(told.help or "")])
    return api.table(rows, ["Option", "Type", "Default", "Description"]) if rows else ""


def open_ended(row: list[str], obj) -> list[str]:
    "A row of the table with `**changes` as what it is: never required, and with its own comment, which fastcore takes for that of what is returned."
    comments = {}
    for p in inspect.signature(obj).parameters.values():
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD): comments[p.name] = next(iter(re.findall(rf"^\s*\*+{p.name}\b[^#\n]*#\s*(.+)$", inspect.getsource(obj), re.M)), "")
    name = row[0].strip("`")
    if name in comments: return [f"`{'*' * (1 + ('**' + name in inspect.getsource(obj)))}{name}`", *row[1:-2], "", comments[name]]
    return [*row[:-1], ""] if name == "returns" and row[-1] and row[-1] in comments.values() else row


def parameters(obj, module) -> str:
    "The table of parameters, or of a pydantic model's fields; empty where it would say nothing that the signature does not."
    from smalldocs import api

    if inspect.isfunction(obj) and (commanded := command_line(obj, module)): table = commanded
    elif inspect.isclass(obj) and api.is_model(obj): table = api.fields_table(obj, module)
    elif inspect.isclass(obj) and issubclass(obj, tuple): table = api.keys_table(obj, module)
    else: table = api.params_table(obj, module)
    rows = [[c.strip() for c in re.split(r"(?<!\\)\|", r)[1:-1]] for r in table.splitlines()]
    if inspect.isfunction(obj): rows = [open_ended(r, obj) for r in rows]
    columns = [i for i in range(len(rows[0]) if rows else 0) if any(r[i] for r in rows[2:])]
    return portable("\n".join("| " + " | ".join(r[i] for i in columns) + " |" for r in rows)) if len(columns) > 1 else ""


def anchor(name: str) -> str:
    return f'<span id="{name.lower()}" class="anchor-target"></span>'


def own_methods(obj, patched: set[str]) -> list[str]:
    "A line for each public method of a class that has no entry of its own."
    lines = []
    for name, raw in vars(obj).items():
        method = raw.fget if isinstance(raw, property) else getattr(raw, "__func__", raw)
        if name.startswith("_") or not inspect.isfunction(method) or f"{obj.__name__}.{name}" in patched or getattr(method, "__module__", None) != obj.__module__: continue
        call = name if isinstance(raw, property) else signature(name, method).replace("\n   ", "").replace(",\n)", ")").replace("( ", "(")
        lines.append(f"- `.{call}`" + (f": {inspect.getdoc(method).splitlines()[0]}" if inspect.getdoc(method) else ""))
    return lines


@cache
def source_line(name: str, module) -> int:
    try: return inspect.getsourcelines(resolve(name, module))[1]
    except (OSError, TypeError): return 0


def resolve(name: str, module):
    "The object behind `name` or `Class.method`; a property gives its function."
    *owners, last = name.split(".")
    owner = reduce(getattr, owners, module)
    raw = inspect.getattr_static(owner, last)
    return raw.fget if isinstance(raw, property) else inspect.unwrap(getattr(owner, last)) if callable(getattr(owner, last)) else raw


def source_block(obj) -> str:
    "The code of an object, folded; as raw HTML, so that search finds words of the pages rather than of the code."
    from smalldocs.highlight import highlight

    try: code = inspect.getsource(obj).rstrip()
    except (OSError, TypeError): return ""
    return f'````{{=html}}\n<details class="source"><summary>Source</summary><div class="sourceCode"><pre class="sourceCode python"><code class="sourceCode python">{highlight(code, "python")}</code></pre></div></details>\n````'


def entry(name: str, module, shown: set[str], index: set[str], place: str) -> str:
    "What a reader needs to call one exported name; `place` is its anchor."
    obj = resolve(name, module)
    inner = sorted(n for n in index if n.startswith(name + ".") and n not in shown) if inspect.isclass(obj) else []
    link = f"{settings()['project']['urls']['Repository']}/blob/{settings()['tool']['nbdev']['branch']}/{module.__name__.replace('.', '/')}.py#L{source_line(name, module)}"
    is_property = isinstance(inspect.getattr_static(reduce(getattr, name.split(".")[:-1], module), name.split(".")[-1]), property)
    model = inspect.isclass(obj) and hasattr(obj, "model_fields")
    call = "" if model else f"```python\n{name if is_property else signature(name, obj)}\n```"
    doc = inspect.getdoc(obj) if obj.__doc__ and not (obj.__doc__.startswith(f"{name}(") or obj.__doc__ == getattr(obj.__base__ if inspect.isclass(obj) else None, "__doc__", None)) else ""
    parts = [
        f"### {name} {{#{place}}}",
        "".join(map(anchor, inner)) + f'[source]({link}){{.source-link aria-label="Source of {name}"}}',
        call,
        as_typed(doc),
        parameters(obj, module),
        "\n".join(own_methods(obj, shown)) if inspect.isclass(obj) else "",
        source_block(obj),
    ]
    return "::: {.api-entry}\n\n" + "\n\n".join(p for p in parts if p) + "\n\n:::"


def show_doc_name(cell) -> str | None:
    "`name` of a cell that says `show_doc(name)`."
    m = re.search(r"^show_doc\(([\w.]+)\)", cell.source, re.M) if cell.cell_type == "code" else None
    return m and m[1]


def referenced(cells: list, module_name: str | None, index: set[str]) -> list:
    "Cells with nbdev's `show_doc` cells replaced by entries: in the order of the source, where nbdev has it reversed."
    if module_name is None: return cells
    module, out, run, places = importlib.import_module(f"meddiff.{module_name}"), [], [], Counter()
    shown = {n for c in cells if (n := show_doc_name(c))}

    def flush() -> None:
        for name in sorted(run, key=lambda n: source_line(n, module)):
            places[name.lower()] += 1  # a class `Column` and a function `column` share an anchor in nbdev's index: the first has it
            out.append(markdown_cell(entry(name, module, shown, index, name.lower() + (f"-{places[name.lower()]}" if places[name.lower()] > 1 else ""))))
        run.clear()

    for cell in cells:
        name = show_doc_name(cell)
        if name: run.append(name)
        else:
            flush()
            out.append(cell)
    flush()
    anchored = shown | {n for n in index if any(n.startswith(s + ".") for s in shown)}
    taken = {n.lower() for n in anchored}
    rest = "".join(anchor(n) for n in sorted({n.lower() for n in index} - taken))
    return [*out, markdown_cell(f"::: {{.anchors}}\n{rest}\n:::")] if rest else out


def listed(name: str, index: set[str]) -> list[tuple[str, str]]:
    "The functions and classes of a module in the order of its source, methods behind their class, each with the first line of its docstring."
    module, found = importlib.import_module(f"meddiff.{name}"), []
    for symbol in index:
        try: obj = resolve(symbol, module)
        except AttributeError: continue
        own = obj.__doc__ and obj.__doc__ != getattr(obj.__base__ if inspect.isclass(obj) else None, "__doc__", None) and not obj.__doc__.startswith(f"{symbol}(")
        found.append((source_line(symbol.split(".")[0], module), "." in symbol, source_line(symbol, module), symbol, inspect.getdoc(obj).splitlines()[0] if own else ""))
    return [(symbol, doc) for *_, symbol, doc in sorted(found)]


def reference_page(notebooks: dict) -> list:
    "Every exported name by module, with a link to its entry."
    cells = [markdown_cell("Signatures, parameters and what may go wrong stand in the chapters, beside the examples. Here is every exported name, in the order of the source.\n\n"
        "Most need only `MedicalDiffusion`: [`from_pretrained`](pipeline.html#medicaldiffusion), [`generate`](pipeline.html#medicaldiffusion.generate), [`stream`](pipeline.html#medicaldiffusion.stream), [`infill`](pipeline.html#medicaldiffusion.infill), [`rewrite`](pipeline.html#medicaldiffusion.rewrite) and [`score`](pipeline.html#medicaldiffusion.score), "
        "with [`settings`](pipeline.html#settings); whoever trains, [`new_checkpoint`](training.html#new_checkpoint), [`TrainConfig`](training.html#trainconfig) and [`Trainer`](training.html#trainer); whoever measures, [`evaluate`](evaluation.html#evaluate).")]
    for notebook in notebooks:
        name = default_exp(ROOT / "nbs" / notebook)
        if name is None: continue
        page = page_name(notebook)
        rows = [f"- [`{symbol}`]({page}#{symbol.lower()})" + (f": {as_typed(doc)}" if doc else "") for symbol, doc in listed(name, {s for s in symbols(name) if not any(p.startswith("_") for p in s.split("."))})]
        cells.append(markdown_cell(f"## meddiff.{name}\n\n[{front_matter(notebooks[notebook])['title']}]({page}), {notebook}\n\n::: {{.names}}\n\n" + "\n".join(rows) + "\n\n:::"))
    return cells


# ---------------------------------------------------------------- pages

ACCESSIBLE = [ # what the renderer's markup lacks for those who listen to a page
    (r"<th(?: [^>]*)?></th>", "<td></td>"),                                                       # a header of nothing
    (r'(<nav class="navbar[^"]*")', r'\1 aria-label="Site"'),
    (r'(<a class="sidebar-item-toggle[^>]*) role="navigation"([^>]*aria-label=")Toggle section"', r'\1 role="button"\2Show or hide this section"'),
    (r'(<a class="sidebar-item-text[^>]*) role="navigation"', r'\1 role="button"'),
    (r'<table border="1" class="dataframe">', '<table class="dataframe" tabindex="0">'),               # wide ones scroll: by keyboard too
    (r'<div class="toc-actions">', '<div class="toc-actions" role="navigation" aria-label="Source of this page">'),
]


def page_name(notebook: str) -> str:
    "02_schedule.ipynb → schedule.html, as nbdev has it."
    return re.sub(r"^\d+[a-z]*_", "", notebook).removesuffix(".ipynb") + ".html"


def default_exp(notebook: Path) -> str | None:
    "The module that a notebook exports."
    m = re.search(r"#\|\s*default_exp:?\s+(\w+)", notebook.read_text(encoding="utf-8"))
    return m and m[1]


def linker(known: set[str]):
    "How a link of a notebook reads on the site: pages by their names, the rest of the repository by its address."
    urls, branch = settings()["project"]["urls"], settings()["tool"]["nbdev"]["branch"]

    def link(target: str) -> str:
        target = target.removeprefix(urls["Documentation"] + "/") if target.startswith(urls["Documentation"] + "/") else target
        path, hash_, fragment = target.partition("#")
        if path.endswith(".ipynb") and path in known: return page_name(path) + hash_ + fragment
        if not path or re.match(r"[a-z]+:|//", path) or path.endswith(".html") or path.startswith("images/"): return target
        return f"{urls['Repository']}/blob/{branch}/{from_root(path)}{hash_}{fragment}"

    return link


def without_controls(cell):
    "A control does nothing on a page: say where it works."
    if not any("application/vnd.jupyter.widget-view+json" in o.get("data", {}) for o in cell.get("outputs", [])): return [cell]
    cell.outputs = [o for o in cell.outputs if "application/vnd.jupyter.widget-view+json" not in o.get("data", {})]
    return [cell, markdown_cell("::: {.control-note}\nHere stands a control to turn: open the notebook in Jupyter or Colab.\n:::")]


def alternative(source: str) -> str:
    "What a plot says, for those who do not see it: its titles, which state what it shows, out of the code that draws it."
    titles = re.findall(r'''(?:\b(?:sup)?title=|set_title\(|suptitle\(|plt\.title\()\s*f?("[^"\n]+"|'[^'\n]+')''', source)
    said = dict.fromkeys(re.sub(r"\{[^{}]*\}", "…", t[1:-1]).strip(" .:") for t in titles)
    return "Plot: " + ". ".join(said) if any(re.search(r"\w", t) for t in said) else "A plot, drawn by the code above"


def described(cell) -> None:
    "Give the pictures of a cell their alternative text, unless it has one."
    if cell.cell_type != "code" or "fig-alt" in options(cell) or not any("image/png" in o.get("data", {}) for o in cell.get("outputs", [])): return
    cell.source = f"#| fig-alt: {json.dumps(alternative(cell.source), ensure_ascii=False)}\n{cell.source}"


def apart(text: str, index: set[str]) -> str:
    "A heading that reads like an exported name gets another anchor: the name's own belongs to its entry."
    names = {n.lower() for n in index}
    return re.sub(r"^(#{2,6} )([\w. ]+?)[ \t]*$", lambda m: f"{m[0]} {{#about-{m[2].lower()}}}" if m[2].lower() in names else m[0], text, flags=re.M)


def adapted(name: str, notebook, index: set[str], known: set[str]) -> list:
    "The cells of a page."
    cells = plain(referenced(notebook.cells[1:], default_exp(ROOT / "nbs" / name), index))
    cells = [c for cell in cells for c in without_controls(cell)]
    for cell in cells:
        described(cell)
        if cell.cell_type == "markdown" and not cell.source.startswith(":::"): cell.source = prose(cell.source, lambda text: relink(apart(text, index), linker(known)))
        for o in cell.get("outputs", []):
            if "text/markdown" in o.get("data", {}): o.data["text/markdown"] = relink(o.data["text/markdown"], linker(known))
    return cells


def symbols(module: str | None) -> set[str]:
    "The names that the index of the package has for a module."
    if module is None: return set()
    tree = ast.parse((ROOT / "meddiff" / "_modidx.py").read_text(encoding="utf-8"))
    index = ast.literal_eval(tree.body[-1].value)["syms"].get(f"meddiff.{module}", {})
    return {n.removeprefix(f"meddiff.{module}.") for n in index}


def sidebar(entries: list, known: set[str]) -> list:
    "The chapters of nbs/_quarto.yml that exist, by the names of their pages. Raises `ValueError` if a chapter is left out."

    def visit(items: list) -> list:
        out = []
        for item in items:
            if isinstance(item, dict) and "contents" in item:
                inner = visit(item["contents"])
                if inner: out.append({**item, "contents": inner})
            elif isinstance(item, str) and item in known: out.append(page_name(item).replace(".html", ".ipynb"))
        return out

    missing = [n for n in sorted(known) if n not in json.dumps(entries)]
    if missing: raise ValueError(f"nbs/_quarto.yml: the sidebar lacks {', '.join(missing)}")
    return visit(entries)


def markdown_copy(front: dict, cells: list) -> str:
    "A page as plain markdown, without pictures and without the marks that only the site's renderer reads."
    cells = [c.copy() for c in cells]
    for cell in cells:
        if cell.cell_type == "code": cell.outputs = [o for o in cell.outputs if not any(kind.startswith("image/") for kind in o.get("data", {}))]
    text = as_markdown(front["title"], front["description"], cells)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"^:::.*\n|<span id=[^>]*></span>|(?<=\))\{\.[^}\n]*\}| \{#[\w.]+\}$", "", re.sub(r"^````\{=html\}\n.*?\n````$", "", text, flags=re.M | re.S), flags=re.M))


def stage(folder: Path, formulas: Formulas) -> dict[str, str]:
    "Write everything that smalldocs reads; page name → its markdown copy."
    import nbformat
    import yaml

    notebooks, copies = processed(), {}
    pages = [(name, front_matter(notebook), adapted(name, notebook, symbols(default_exp(ROOT / "nbs" / name)), set(notebooks))) for name, notebook in notebooks.items()]
    pages.append(("reference.ipynb", {"title": "Every name", "description": "All functions, classes and methods of the package, each with a link to its parameters and examples"}, reference_page(notebooks)))
    for name, front, cells in pages:
        copies[page_name(name)] = markdown_copy(front, cells)
        for cell in cells:
            if cell.cell_type == "markdown": cell.source = formulas.take(cell.source)
        number = re.match(r"(\d+\w?)_", name)  # prose speaks of chapters by their numbers
        shown = {"title": f"{number[1]} · {front['title']}" if number else front["title"], "description": front["description"]}
        head = nbformat.v4.new_raw_cell("---\n" + yaml.safe_dump(shown, allow_unicode=True) + "---\n")
        page = nbformat.v4.new_notebook(cells=[head, *cells], metadata={"language_info": {"name": "python"}})
        nbformat.write(page, folder / page_name(name).replace(".html", ".ipynb"))
    config = yaml.safe_load((ROOT / "nbs" / "_quarto.yml").read_text(encoding="utf-8"))
    config["website"]["sidebar"]["contents"] = sidebar(config["website"]["sidebar"]["contents"], set(notebooks))
    next(part for part in config["website"]["sidebar"]["contents"] if part.get("section") == "Reference")["contents"].insert(0, "reference.ipynb")
    (folder / "_quarto.yml").write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")
    shutil.copytree(ROOT / "nbs" / "images", folder / "images")
    shutil.copy2(ROOT / "nbs" / "styles.css", folder)
    return copies


def build(target: Path) -> int:
    "Build the site; the number of its pages."
    from smalldocs.site import build as render

    formulas = Formulas()
    with tempfile.TemporaryDirectory() as scratch:
        copies = stage(Path(scratch), formulas)
        site = render(scratch, quiet=True)
        if site.warnings: raise ValueError("; ".join(map(str, site.warnings)))
        out = Path(scratch) / "_docs"
        for page in out.glob("*.html"): page.write_text(reduce(lambda text, change: re.sub(*change, text), ACCESSIBLE, formulas.give_back(page.read_text(encoding="utf-8"))), encoding="utf-8")
        for sheet in out.rglob("*.css"): sheet.write_text(re.sub(r"@import url\([^)]*//[^)]*\);?", "", sheet.read_text(encoding="utf-8")), encoding="utf-8")  # themes ask for fonts elsewhere
        search = out / "search.json"
        search.write_text(formulas.give_back_tex(search.read_text(encoding="utf-8")), encoding="utf-8")
        for page, text in copies.items(): (out / f"{page}.md").write_text(text, encoding="utf-8")
        if (ROOT / "nbs" / "llms.txt").exists(): shutil.copy2(ROOT / "nbs" / "llms.txt", out)
        math_font(out / "fonts" / "math.woff")
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(out, target)
    return len(copies)


def main(args: list[str]) -> int:
    target = Path(args[0]).absolute() if args else ROOT / settings()["tool"]["nbdev"]["doc_path"]
    if target.exists() and any(target.iterdir()) and not (target / "search.json").exists():
        print(f"{target} is not a site that this script built: name another folder", file=sys.stderr)
        return 2
    logging.disable(logging.WARNING)  # Streamlit misses a server, which is no news here
    print(f"{build(target)} pages in {target}: open {target / 'index.html'}")
    return 0


if __name__ == "__main__": sys.exit(main(sys.argv[1:]))
