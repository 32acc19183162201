"What every test module may use: the repository's root, its settings and its notebooks."

import os
import sys
import tomllib
from pathlib import Path

import pytest

# Two tests run at a time (pytest-xdist): each with one thread, since two that fight for the same cores take longer than one after the other.
if "PYTEST_XDIST_WORKER" in os.environ: os.environ.setdefault("OMP_NUM_THREADS", "1")
# Many tests start processes that import torch and transformers, which takes twice as long where nothing compiled may be kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

ROOT = Path(__file__).resolve().parent.parent


def notebooks() -> list[Path]:
    "The chapters in order, then the home page and the other pages."
    return sorted((ROOT / "nbs").glob("[0-9]*.ipynb")) + sorted((ROOT / "nbs").glob("[!0-9]*.ipynb"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    "A test with a parameter `notebook` runs once for each."
    if "notebook" in metafunc.fixturenames:
        metafunc.parametrize("notebook", notebooks(), ids=lambda p: p.stem)


SLOWEST = ("test_notebooks.py", "test_app.py", "test_site.py", "test_cli.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    "What takes longest comes first, so that no worker is left with it at the end."
    items.sort(key=lambda item: SLOWEST.index(item.path.name) if item.path.name in SLOWEST else len(SLOWEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    "Each notebook may run beside anything; the tests of any other file, which share what they build, stay together."
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            return nodeid if file.endswith("test_notebooks.py") else file

    return ByFile(config, log)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
