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
        for code in page.select("code, pre, annotation, script, style"): code.extract()
        assert not re.search(r"mathplaceholder|\\\(|\\\[|\$\$|\\(?:frac|sqrt|bar|mathcal)\b", page.get_text()), name
    assert len(pages["diffusion.html"].select("math")) > 20


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


def test_search(browser, address):
    "A word leads to the page that explains it."
    with opened(browser) as page:
        page.goto(f"{address}/index.html")
        page.locator("input[type=search], #quarto-search input").first.press_sequentially("rounding_accuracy")
        result = page.locator("a[href*='schedule.html']:visible", has_text=re.compile("rounding_accuracy|noise schedule", re.I)).last
        result.wait_for(timeout=5000)
        result.click()
        page.wait_for_url(re.compile("schedule.html"))
