"`settings.ini` (nbdev 2) and `pyproject.toml` (nbdev 3) say the same."

import configparser
import re
from urllib.parse import urlparse

import pytest


@pytest.fixture(scope="module")
def ini(root) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    assert parser.read(root / "settings.ini", encoding="utf-8")
    return dict(parser["DEFAULT"])


def as_text(value) -> str:
    "A value of pyproject.toml as settings.ini writes it."
    return " ".join(value) if isinstance(value, list) else str(value)


def test_nbdev_table(ini, pyproject):
    "Every key of [tool.nbdev] stands in settings.ini with the same value."
    table = pyproject["tool"]["nbdev"]
    assert table
    assert {k: ini.get(k) for k in table} == {k: as_text(v) for k, v in table.items()}


def test_no_setting_of_nbdev_is_only_in_settings_ini(ini, pyproject):
    "A key that nbdev 3 knows too and that [tool.nbdev] leaves out has nbdev 3's default."
    defaults = pytest.importorskip("nbdev.config").nbdev_defaults
    left_out = {k: v for k, v in defaults.items() if k in ini and k not in pyproject["tool"]["nbdev"]}
    assert {k: ini[k] for k in left_out} == {k: as_text(v) for k, v in left_out.items()}


def test_project(ini, pyproject, root):
    "Name, description, authors, Python, licence, addresses and entry points."
    project, urls = pyproject["project"], pyproject["project"]["urls"]
    docs = urlparse(urls["Documentation"])
    version = re.search(r'^__version__ = "(.+)"', (root / "meddiff" / "__init__.py").read_text(encoding="utf-8"), re.M)[1]
    expected = {
        "lib_name": project["name"],
        "lib_path": project["name"],
        "description": project["description"],
        "author": project["authors"][0]["name"],
        "min_python": project["requires-python"].removeprefix(">="),
        "license": {"Apache-2.0": "apache2"}[project["license"]],
        "git_url": urls["Repository"],
        "user": urlparse(urls["Repository"]).path.split("/")[1],
        "repo": urlparse(urls["Repository"]).path.split("/")[2],
        "doc_host": f"{docs.scheme}://{docs.netloc}",
        "doc_baseurl": docs.path,
        "version": version,
        "keywords": " ".join(k.replace(" ", "-") for k in project["keywords"]),
        "console_scripts": " ".join(f"{k}={v}" for k, v in project["scripts"].items()),
        "update_pyproject": "False",  # or nbdev 2 rewrites pyproject.toml
    }
    assert {k: ini.get(k) for k in expected} == expected


@pytest.mark.parametrize("key", ["requirements", "dev_requirements"])
def test_requirements(ini, pyproject, key):
    expected = pyproject["project"]["dependencies"] if key == "requirements" else pyproject["dependency-groups"]["dev"]
    assert ini[key].split() == [d.replace(" ", "") for d in expected]


def test_citation_and_changelog(pyproject, ini, root):
    "The version and the repository's address are the same wherever they are told."
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {ini['version']}\n" in citation
    assert f'repository-code: "{pyproject["project"]["urls"]["Repository"]}"' in citation
    assert f"## {ini['version']}" in (root / "CHANGELOG.md").read_text(encoding="utf-8")
