"The documentation site: built once, then every page is read as a browser without a network would read it."

import contextlib
import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from copy import copy
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

pytest.importorskip("smalldocs", reason="the site is built with the development tools: uv sync")
bs4 = pytest.importorskip("bs4")


@pytest.fixture(scope="session")
def site(root, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    done = subprocess.run([sys.executable, root / "scripts" / "site.py", folder], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def pages(site) -> dict:
    return {p.name: bs4.BeautifulSoup(p.read_text(encoding="utf-8"), "html.parser") for p in sorted(site.glob("*.html"))}


def test_a_page_for_every_notebook(site, pages, root):
    "With its figures, and a markdown copy where the module's docstring points."
    names = {n.name: re.sub(r"^\d+[a-z]*_", "", n.stem) + ".html" for n in (root / "nbs").glob("*.ipynb")}
    assert set(pages) == {*names.values(), "reference.html"}
    for notebook, page in names.items():
        cells = json.loads((root / "nbs" / notebook).read_text(encoding="utf-8"))["cells"]
        figures = [o for c in cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
        assert len(pages[page].select("main img[src^='data:image/png']")) >= len(figures) - sum("#| hide" in "".join(c["source"]) for c in cells)
        assert (site / f"{page}.md").read_text(encoding="utf-8").startswith("# ")


def test_links_and_anchors(site, pages):
    "Every link inside the site leads to a file, and to a place that is there."
    broken = []
    for name, page in pages.items():
        for tag in page.select("a[href]"):
            path, fragment = urldefrag(tag["href"])
            if re.match(r"[a-z]+:|//", path): continue
            target = site / unquote(path.split("?")[0] or name)
            if target.is_dir(): target /= "index.html"
            if not target.exists(): broken.append(f"{name}: {tag['href']}")
            elif fragment and target.suffix == ".html" and not pages[target.name].find(id=unquote(fragment)): broken.append(f"{name}: {tag['href']} (no such anchor)")
    assert not broken


def test_names_of_the_index_have_anchors(pages, root):
    "Links that nbdev writes for `name` in any project that uses meddiff."
    missing = [a for a in re.findall(r"\('([\w.]+\.html#[\w.]+)'", (root / "meddiff" / "_modidx.py").read_text(encoding="utf-8")) if not pages[a.split("#")[0]].find(id=a.split("#")[1])]
    assert not missing


def test_ids_are_unique(pages):
    for name, page in pages.items():
        ids = [t["id"] for t in page.select("[id]")]
        assert len(ids) == len(set(ids)), f"{name}: {sorted({i for i in ids if ids.count(i) > 1})}"


def test_nothing_is_loaded_from_elsewhere(site, pages):
    "No picture, script, style or font has an address."
    for name, page in pages.items():
        for tag in page.select("[src], link[href], [srcset], object[data]"):
            address = tag.get("src") or tag.get("href") or tag.get("srcset") or tag.get("data")
            assert not re.match(r"(https?:)?//", address), f"{name} loads {address}"
            if not address.startswith("data:"): assert (site / unquote(address.split("?")[0].split("#")[0])).exists(), f"{name} lacks {address}"
        for tag in page.select("style, [style]"):
            assert not re.search(r"(url\(\s*['\"]?|@import\s+['\"]?)(https?:)?//", str(tag)), name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(\s*['\"]?|@import\s+['\"]?)(https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


def test_formulas(pages, root):
    "Each is MathML, and none is left as TeX."
    for name, page in pages.items():
        page = copy(page)  # the others want its code
        for code in page.select("code, pre, annotation, script, style"): code.extract()
        assert not re.search(r"mathplaceholder|\\\(|\\\[|\$\$|\\(?:frac|sqrt|bar|mathcal)\b", page.get_text()), name
    assert len(pages["diffusion.html"].select("math")) > 20


def test_every_plot_is_told(pages):
    "No picture without an alternative text, but for the mark in the bar, beside which its name stands."
    missing = [(name, str(tag)[:80]) for name, page in pages.items() for tag in page.select("img:not(.navbar-logo)") if not tag.get("alt", "").strip()]
    assert not missing


def test_glossary_leads_to_chapters_and_code(pages, root):
    "Each term has both; the lines exist (see test_repo)."
    links = [a["href"] for a in pages["glossary.html"].select("main a[href]")]
    lines, chapters = [h for h in links if re.search(r"/blob/main/meddiff/\w+\.py#L\d+$", h)], [h for h in links if re.match(r"\w+\.html(#|$)", h)]
    assert len(lines) == (root / "nbs" / "glossary.toml").read_text(encoding="utf-8").count("[[term]]") and len(chapters) >= len(lines)


def test_every_name_is_listed(pages, root):
    "The page of all names has a link for each public function, class and method of the index."
    index = {a for a in re.findall(r"'meddiff\.\w+\.([\w.]+)': \('", (root / "meddiff" / "_modidx.py").read_text(encoding="utf-8")) if not any(p.startswith("_") for p in a.split("."))}
    listed = {c.get_text() for c in pages["reference.html"].select("main li code")}
    assert len(index - listed) < len(index) / 50, sorted(index - listed)


@pytest.mark.parametrize("module", ["corpus", "embedding", "schedule", "diffusion"])
def test_reference(pages, module):
    "Exported functions come with their signature, docstring and table of parameters."
    entries = pages[f"{module}.html"].select(".api-entry")
    assert len(entries) > 5
    assert sum(bool(e.select("table")) for e in entries) > len(entries) / 2
    assert not any("__main__" in e.get_text() for e in entries)


def test_no_path_of_the_machine(site, root):
    for page in [*site.glob("*.html"), *site.glob("*.md"), site / "search.json"]:
        text = page.read_text(encoding="utf-8")
        assert str(root) not in text and str(Path.home()) + "/" not in text and "/tmp/" not in text, page.name


def test_another_folder_is_not_overwritten(root, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    done = subprocess.run([sys.executable, root / "scripts" / "site.py", tmp_path], capture_output=True, text=True)
    assert done.returncode == 2 and "name another folder" in done.stderr and (tmp_path / "thesis.txt").exists()


@pytest.fixture(scope="session")
def browser():
    sync = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None: pytest.skip("no chromium on this machine: apt-get install chromium")
    with sync.sync_playwright() as p:
        running = p.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def address(site):
    "The site as a server on this machine gives it: a browser reads no search index from a file."

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args) -> None: pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextlib.contextmanager
def opened(browser, **settings):
    "A page that notes what it asks for and what it complains of."
    context = browser.new_context(**settings)
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda r: page.asked.append(r.url))
    page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
    page.on("pageerror", lambda e: page.complaints.append(str(e)))
    yield page
    context.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_in_a_browser(browser, address, pages, width):
    "No page asks for anything elsewhere, complains, or is wider than the screen."
    with opened(browser, viewport={"width": width, "height": 900}) as page:
        for name in pages:
            page.goto(f"{address}/{name}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert [u for u in page.asked if not u.startswith((address, "data:"))] == []
        assert [c for c in page.complaints if "favicon" not in c] == []


def test_dark_mode(browser, address):
    "The system's wish is followed, the switch turns it, and the next page remembers."

    def brightness(page) -> float: return sum(map(float, re.findall(r"[\d.]+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]))

    with opened(browser, color_scheme="dark") as page:
        page.goto(f"{address}/schedule.html")
        assert brightness(page) < 200
        page.locator(".quarto-color-scheme-toggle").first.click()
        assert brightness(page) > 600
        page.goto(f"{address}/diffusion.html")
        assert brightness(page) > 600


# What takes axe its time is the contrast of thousands of words of code: of those that stand in the same classes within the same elements, six tell of all. Pictures and controls stay.
ALIKE = """() => { const met = {}; for (const e of document.querySelectorAll('main *')) {
    let path = ''; for (let a = e; a; a = a.parentElement) path = a.tagName + '.' + a.className + '>' + path;
    if ((met[path] = (met[path] || 0) + 1) > 6 && !e.matches('img, button, input') && !e.querySelector('img, button, input')) e.remove() } }"""


@pytest.mark.parametrize("scheme, options", [("light", "{resultTypes: ['violations']}"), ("dark", "{runOnly: ['color-contrast']}")])
def test_accessible(browser, address, pages, scheme, options):
    "axe finds nothing serious on any page: names and alternatives are there, contrast is enough, headings and landmarks are in order. Dark pages differ in their colours alone."
    axe = Path(pytest.importorskip("axe_playwright_python", reason="axe-core comes with the development tools: uv sync").__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    with opened(browser, viewport={"width": 1440, "height": 900}, color_scheme=scheme) as page:
        found = []
        for name in pages:
            page.goto(f"{address}/{name}")
            page.evaluate(ALIKE)
            page.evaluate(axe)
            violations = page.evaluate(f"async () => (await axe.run({options})).violations" + ".filter(v => ['serious', 'critical'].includes(v.impact)).map(v => `${v.id}: ${v.nodes[0].html.slice(0, 120)}`)")
            found += [f"{name}: {v}" for v in violations]
        assert not found


def test_keyboard(browser, address):
    "The first tab stops lead to what a reader wants, and what has the focus shows it."
    with opened(browser, viewport={"width": 1440, "height": 900}) as page:
        page.goto(f"{address}/glossary.html")
        seen = []
        for _ in range(12):
            page.keyboard.press("Tab")
            seen.append(page.evaluate("""() => { const e = document.activeElement, s = getComputedStyle(e);
                return [e.tagName, (e.innerText || e.getAttribute('aria-label') || e.getAttribute('placeholder') || e.title || '').trim(), s.outlineStyle !== 'none' || s.boxShadow !== 'none'] }"""))
        assert all(name and shown for tag, name, shown in seen if tag != "BODY"), seen
        assert len({name for _, name, _ in seen}) > 6


def test_the_picture_moves(browser, site):
    "It begins as noise, ends as the note it tells in words, and stands still for whoever wants no motion."
    picture = (site / "images" / "forming.svg").as_uri()
    opacity = "f => { document.getAnimations().forEach(a => { a.pause(); a.currentTime = f }); return [...document.querySelectorAll('g[class]')].filter(g => getComputedStyle(g).opacity == '1' && g.querySelector('text')).flatMap(g => [...g.querySelectorAll('text:not(.s)')].map(t => [+t.getAttribute('y'), +t.getAttribute('x'), t.textContent])).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(t => t[2]).join('') }"
    with opened(browser) as page:
        page.goto(picture)
        told = re.sub(r"\s", "", page.locator("desc").text_content().split("it reads: ")[1])
        assert page.evaluate(opacity, 100) == ""
        early, late = page.evaluate(opacity, 3000), page.evaluate(opacity, 10 ** 6)
        assert early not in ("", told) and late == told
    with opened(browser, reduced_motion="reduce") as page:
        page.goto(picture)
        assert page.evaluate("document.getAnimations().length") == 0 and page.evaluate(opacity, 0) == told


def test_picture(root):
    "Light, alone, and of these weights: run python scripts/forming.py after training anew."
    pytest.importorskip("torch")
    picture = root / "nbs" / "images" / "forming.svg"
    text = picture.read_text(encoding="utf-8")
    assert picture.stat().st_size < 200_000 and not re.search(r"(href|src|url\()\W*https?:", text)
    done = subprocess.run([sys.executable, root / "scripts" / "forming.py", "--check"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_search(browser, address):
    "A word leads to the page that explains it."
    with opened(browser) as page:
        page.goto(f"{address}/index.html")
        page.locator("input[type=search], #quarto-search input").first.press_sequentially("rounding_accuracy")
        result = page.locator("a[href*='schedule.html']:visible", has_text=re.compile("rounding_accuracy|noise schedule", re.I)).last
        result.wait_for(timeout=5000)
        result.click()
        page.wait_for_url(re.compile("schedule.html"))
