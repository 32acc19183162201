"""How often do notes do as they are told, and what does it cost? Write `meddiff/measured/control.json`.

    python scripts/control.py --train-data notes.csv
"""
import argparse
import json
import random
import re
from functools import cache
from math import exp
from pathlib import Path

from meddiff.corpus import dataset_path
from meddiff.dataset import load_table
from meddiff.embedding import nearest
from meddiff.evaluation import Phrasebook, ReferenceModel, diagnosis_classifier, draw_columns, judged, plain_texts, through_tokens, word_judge
from meddiff.pipeline import MedicalDiffusion, Note, as_pattern, settings
from meddiff.training import write_atomically

RESULTS = Path(__file__).parent.parent / "meddiff" / "measured" / "control.json"

def told_word(note: str, luck: random.Random, but: str = "") -> str:
    "A word of five letters or more that a note has and another text has not."
    words = sorted({w for w in re.findall(r"(?<![\w-])[a-z]{5,}(?![\w-])", note) if not as_pattern(w).search(but)})
    return luck.choice(words)

def gapped(text: str, luck: random.Random, gaps: int = 1, words: tuple[int, int] = (2, 6)) -> tuple[str, list[str]]:
    "A text with words missing, and what stands outside the gaps."
    places = [m.span() for m in re.finditer(r"\S+", text)]
    parts, at = [], 0
    for k in range(gaps):
        room = range(len(places) * k // gaps, len(places) * (k + 1) // gaps)
        size = min(luck.randint(*words), max(len(room) - 2, 1))
        first = luck.choice(room[1 : max(len(room) - size, 2)] or room)
        last = min(first + size, len(places)) - 1
        parts.append(text[at : places[first][0]])
        at = places[last][1]
    parts.append(text[at:])
    return "____".join(parts), parts

def main(a: argparse.Namespace) -> None:
    model = MedicalDiffusion.from_pretrained(a.checkpoint)
    space, n, names = model.checkpoint.space, a.n, model.checkpoint.names
    held_out = load_table(dataset_path()).query("split == 'test'")
    reference, held = (x.assign(note=through_tokens(x.note.tolist(), space, model.checkpoint.restorer)) for x in draw_columns(held_out, n))
    train = load_table(a.train_data).query("split == 'train'")
    plain = lambda texts: plain_texts(list(texts), space)
    book = Phrasebook(plain(train.note))
    language, real = ReferenceModel(book), plain(reference.note)
    some = train.sample(20_000, random_state=0)
    classifier, normal = diagnosis_classifier(plain(some.note), some.diagnosis.tolist()), language.perplexity(plain(held.note))
    diagnoses, config = held.diagnosis.tolist(), settings("balanced")
    found = json.loads(a.output.read_text()) if a.output.exists() else {}
    rows = found["rows"] if (found.get("weights"), found.get("n")) == (model.fingerprint, n) else {}

    def keep(name: str, **figures) -> None:
        rows[name] = {k: None if v is None else round(float(v), 4) for k, v in figures.items()}
        write_atomically(a.output, lambda path: path.write_text(json.dumps(dict(weights=model.fingerprint, n=n, rows=rows), indent=1) + "\n", encoding="utf-8"))
        print(name, rows[name], flush=True)
    def say(name: str, notes: list[str], success: float | None = None, **more) -> None:
        made = plain(notes)
        keep(name, success=success, AUC=judged(made + real, len(made), word_judge()).value, perplexity=language.perplexity(made).over(normal).value, **more)
    share = lambda hits: sum(hits) / len(hits)
    recovered = lambda notes, asked: share([x == d for x, d in zip(classifier.predict(plain(notes)), asked)])
    def luck_of(name: str) -> random.Random: # the same, whatever was measured before
        return random.Random(name)
    def written(asked=lambda d: d, length=lambda d: None, words=lambda d: {}) -> list[Note]:
        "A note for each held-out one, under what is told of its diagnosis; those of a diagnosis together."
        notes: dict[int, Note] = {}
        for d in dict.fromkeys(diagnoses):
            mine = [i for i, other in enumerate(diagnoses) if other == d]
            notes |= zip(mine, model.write([(model.find(asked(d)), i) for i in mine], config, 0, length(d), words=model.words(**words(d))))
        return [notes[i] for i in range(n)]
    texts = lambda **how: [x.text for x in written(**how)]
    example = lambda d, luck: luck.choice(held_out.note[held_out.diagnosis == d].tolist())

    free = cache(texts) # the notes of whom nothing is asked
    if (name := "nothing asked") not in rows: say(name, free(), recovered=recovered(free(), diagnoses))
    for count in (1, 2):
        if (name := f"must have {count} word{'s' * (count > 1)}") in rows: continue
        luck = luck_of(name)
        must = {d: list(dict.fromkeys(told_word(example(d, luck), luck) for _ in range(count))) for d in names}
        notes = texts(words=lambda d, must=must: dict(must=must[d]))
        say(name, notes, share([all(as_pattern(w).search(t) for w in must[d]) for t, d in zip(notes, diagnoses)]), without=share([all(as_pattern(w).search(t) for w in must[d]) for t, d in zip(free(), diagnoses)]))
    if (name := "may not have a word that it would have") not in rows:
        luck = luck_of(name)
        avoid = {d: told_word(free()[diagnoses.index(d)], luck) for d in dict.fromkeys(diagnoses)}
        notes = texts(words=lambda d: dict(avoid=[avoid[d]]))
        say(name, notes, share([not as_pattern(avoid[d]).search(t) for t, d in zip(notes, diagnoses)]), without=share([not as_pattern(avoid[d]).search(t) for t, d in zip(free(), diagnoses)]))
    if (name := "length told") not in rows:
        luck = luck_of(name)
        lengths = {d: luck.randint(25, 90) for d in names}
        made = written(length=lengths.__getitem__)
        say(name, [x.text for x in made], share([len(x.confidence) == lengths[d] and x.complete for x, d in zip(made, diagnoses)]))
    if (name := "two diagnoses, 1 and 1") not in rows:
        luck = luck_of(name)
        second = {d: luck.choice([m for m in names if m != d]) for d in names}
        notes = texts(asked=lambda d: {d: 1., second[d]: 1.})
        top = [{*classifier.classes_[s.argsort()[-2:]]} for s in classifier.decision_function(plain(notes))]
        say(name, notes, share([{d, second[d]} <= t for t, d in zip(top, diagnoses)]), recovered=share([bool({d, second[d]} & t) for t, d in zip(top, diagnoses)]))
    c, near = model.checkpoint, {}
    for i, name in enumerate(names):
        rest = [k for k in range(len(names)) if k != i]
        near[name] = names[rest[nearest((c.context[i : i + 1], c.context_mask[i : i + 1]), (c.context[rest], c.context_mask[rest]))[0]]]
    taken = lambda notes: share([x == near[d] for x, d in zip(classifier.predict(plain(notes)), diagnoses)])
    for weight in (-.5, -1.):
        if (name := f"away from the nearest diagnosis, {weight}") in rows: continue
        notes = texts(asked=lambda d, weight=weight: {d: 1., near[d]: weight})
        say(name, notes, 1 - taken(notes), without=1 - taken(free()), recovered=recovered(notes, diagnoses))

    for says in (True, False): # reference nats of the whole text against the original, a gap's word
        if (name := f"a gap of two to six words, length {'told' if says else 'chosen'}") in rows: continue
        luck, more, words, notes = luck_of("gaps"), 0., 0, []
        for i, row in enumerate(held.head(a.n // 2).itertuples()):
            text, parts = gapped(row.note, luck)
            gone = row.note[len(parts[0]) : len(row.note) - len(parts[1])]
            text = text.replace("____", f"____{{{len(space.tokenize([gone])[0]) - 1}}}") if says else text
            filled = model.infill(text, row.diagnosis, seed=i)[0].text
            more, words, notes = more + language.nats(plain([filled])[0]).sum() - language.nats(plain([row.note])[0]).sum(), words + len(plain([gone])[0].split()), [*notes, filled]
        say(name, notes, None, **{"gap's perplexity": exp(more / words)}, gaps=len(notes))
    if (name := "text outside gaps unchanged") not in rows:
        luck, same, count, i = luck_of(name), 0, 0, 0
        while count < a.gaps: # texts as a stranger might write them, up to eight gaps in each
            text, parts = gapped(luck.choice(held.note.tolist()).replace(" ", luck.choice([" ", "  ", "\u00a0"])) + luck.choice(["", " ", "\n", " 🙂"]), luck, luck.randint(1, 8), words=(1, 2))
            filled = model.infill(re.sub("____", lambda m: f"____{{{luck.randint(1, 3)}}}", text), luck.choice(names), seed=i, tries=1)[0].text
            same, count, i = same + (len(parts) - 1) * bool(re.fullmatch(".*".join(map(re.escape, parts)), filled, re.DOTALL)), count + len(parts) - 1, i + 1
        keep(name, success=same / count, gaps=count)
    wanted = [(model.find(d), i) for i, d in enumerate(diagnoses)]
    for size in (1, 7, 128):
        if (name := f"the same notes, {size} at once") not in rows: keep(name, success=share([x.text == t for x, t in zip(model.write(wanted, config, 0, batch_size=size), free())]))

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train-data", type=Path, required=True, help="CSV of training notes, as `meddiff corpus --seed 1` writes it")
    parser.add_argument("--checkpoint", help="the shipped one if not given")
    parser.add_argument("--n", type=int, default=500, help="notes of each kind")
    parser.add_argument("--gaps", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=RESULTS, help="what is in it already, of the same weights and n, is not measured again")
    main(parser.parse_args())
