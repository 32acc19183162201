"The checker on notes that people wrote: sound ones must pass, and what is wrong in the others must be found and nothing else."

import random
import tomllib
from collections import Counter

import pytest

checker = pytest.importorskip("meddiff.checker")


def check(entry: dict) -> list:
    "Violations of a note; a diagnosis that the knowledge does not hold is judged from the note alone."
    try: return checker.check(entry["note"], entry["diagnosis"])
    except ValueError: return checker.check(entry["note"])


@pytest.fixture(scope="module")
def notes(root) -> dict:
    return tomllib.loads((root / "tests" / "checker_notes.toml").read_text(encoding="utf-8"))


def test_spans(notes):
    assert all(p["span"] in p["note"] for p in notes["planted"])
    assert {p["kind"] for p in notes["planted"]} == set(checker.RULES)


def test_precision_and_recall(notes):
    "A planted note is found if a violation of its kind is; any other violation is a false alarm, and so is any in a sound note."
    alarms = [(n["note"], vs) for n in notes["clean"] if (vs := check(n))]
    found, missed = Counter(), []
    for n in notes["planted"]:
        vs = check(n)
        if any(v.kind == n["kind"] for v in vs): found[n["kind"]] += 1
        else: missed.append((n["kind"], n["span"]))
        if others := [v for v in vs if v.kind != n["kind"]]: alarms.append((n["note"], others))
    hits = found.total()
    assert hits / (hits + len(alarms)) >= 0.95, alarms
    assert hits / len(notes["planted"]) >= 0.95, missed


def test_texts(notes):
    "A violation quotes the note."
    for n in notes["planted"]:
        for v in check(n): assert n["note"][v.start:v.end] == v.text and v.why.endswith(".")


@pytest.mark.parametrize("note", ["", " ", ".", "(", "-", "5", "mg", "L", "a/b", "no", "BP", "T 37", "£5 £5", "\n\n", "12/12/2012", "G2P1", "HR HR HR", "é" * 50])
def test_scraps(note):
    "No text is too odd to be read."
    assert isinstance(checker.check(note), list)


def test_cut_and_shuffled(notes):
    "Nor is any piece of a note, or a note whose words were shuffled."
    for n in notes["clean"][:80]:
        words = n["note"].split()
        for k in range(1, len(words), 7):
            for text in (" ".join(words[:k]), " ".join(words[k:] + words[:k]), " ".join(random.Random(k).sample(words, len(words)))): check(n | {"note": text})
