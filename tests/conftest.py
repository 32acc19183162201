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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    "Notebooks first, since they take longest; each may run beside anything, and the tests of any other file, which share what they build, stay together."
    items.sort(key=lambda item: item.path.name != "test_notebooks.py")
    for item in items:
        if item.path.name != "test_notebooks.py": item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
