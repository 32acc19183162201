"What every test module may use: the repository's root, its settings and its notebooks."

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def notebooks() -> list[Path]:
    "The chapters in order, and the home page."
    return sorted((ROOT / "nbs").glob("[0-9]*.ipynb")) + sorted((ROOT / "nbs").glob("index.ipynb"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    "A test with a parameter `notebook` runs once for each."
    if "notebook" in metafunc.fixturenames:
        metafunc.parametrize("notebook", notebooks(), ids=lambda p: p.stem)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
