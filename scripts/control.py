"""How often do notes do as they are told, and what does it cost? Write `nbs/evaluation/control.json`.

    python scripts/control.py --train-data notes.csv
"""
import argparse
import json
import random
import re
from math import exp
from pathlib import Path

from meddiff.corpus import dataset_path
from meddiff.dataset import load_table
from meddiff.embedding import nearest
from meddiff.evaluation import Phrasebook, ReferenceModel, diagnosis_classifier, draw_columns, judged, plain_texts, through_tokens, word_judge
from meddiff.pipeline import MedicalDiffusion, as_pattern, settings

RESULTS = Path(__file__).parent.parent / "nbs" / "evaluation" / "control.json"

def told_word(note: str, luck: random.Random, but: str = "") -> str:
    "A word of five letters or more that a note has and another text has not."
    words = sorted({w for w in re.findall(r"(?<![\w-])[a-z]{5,}(?![\w-])", note) if not as_pattern(w).search(but)})
    return luck.choice(words)

def gapped(text: str, luck: random.Random, gaps: int = 1, told: bool = True, words: tuple[int, int] = (2, 6)) -> tuple[str, list[str]]:
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

def main(a: argparse.Namespace) -> dict:
    model = MedicalDiffusion.from_pretrained(a.checkpoint)
    space, luck, n = model.checkpoint.space, random.Random(0), a.n
    held_out = load_table(dataset_path()).query("split == 'test'")
    reference, held = (x.assign(note=through_tokens(x.note.tolist(), space, model.checkpoint.restorer)) for x in draw_columns(held_out, n))
    train = load_table(a.train_data).query("split == 'train'")
    plain = lambda texts: plain_texts(list(texts), space)
    book = Phrasebook(plain(train.note))
    language, real = ReferenceModel(book), plain(reference.note)
    some = train.sample(20_000, random_state=0)
    classifier, normal = diagnosis_classifier(plain(some.note), some.diagnosis.tolist()), language.perplexity(plain(held.note))
    diagnoses, config = held.diagnosis.tolist(), settings("balanced")
    rows: dict[str, dict] = {}
    def say(name: str, notes: list[str], success: float | None = None, **more) -> None:
        made = plain(notes)
        rows[name] = {"success": success, "AUC": judged(made + real, len(made), word_judge()).value, "perplexity": language.perplexity(made).over(normal).value, **more}
        print(name, {k: v if v is None else round(v, 4) for k, v in rows[name].items()}, flush=True)
    share = lambda hits: sum(hits) / len(hits)
    recovered = lambda notes, asked: share([x == d for x, d in zip(classifier.predict(plain(notes)), asked)])
    each = lambda i, d, **how: model.write([(model.find(d), i)], config, 0, how.get("length"), 1, False, model.words(how.get("must", ()), how.get("avoid", ())))[0]

    free = [x.text for x in model.write([(model.find(d), i) for i, d in enumerate(diagnoses)], config, 0)]
    say("nothing asked", free, recovered=recovered(free, diagnoses))
    others = [luck.choice(held_out.note[held_out.diagnosis == d].tolist()) for d in diagnoses]
    for count in (1, 2):
        must = [[told_word(o, luck) for _ in range(count)] for o in others]
        notes = [each(i, d, must=list(dict.fromkeys(m))).text for i, (d, m) in enumerate(zip(diagnoses, must))]
        say(f"must have {count} word{'s' * (count > 1)}", notes, share([all(as_pattern(w).search(t) for w in m) for t, m in zip(notes, must)]))
    avoid = [told_word(t, luck) for t in free]
    notes = [each(i, d, avoid=[w]).text for i, (d, w) in enumerate(zip(diagnoses, avoid))]
    say("may not have a word that it would have", notes, share([not as_pattern(w).search(t) for t, w in zip(notes, avoid)]))
    lengths = [luck.randint(25, 90) for _ in diagnoses]
    made = [each(i, d, length=k) for i, (d, k) in enumerate(zip(diagnoses, lengths))]
    say("length told", [x.text for x in made], share([len(x.confidence) == k and x.complete for x, k in zip(made, lengths)]))

    names = model.checkpoint.names
    second = [luck.choice([m for m in names if m != d]) for d in diagnoses]
    top = lambda notes: [{*classifier.classes_[s.argsort()[-2:]]} for s in classifier.decision_function(plain(notes))]
    notes = [model.write([(model.find({d: 1., e: 1.}), i)], config, 0)[0].text for i, (d, e) in enumerate(zip(diagnoses, second))]
    say("two diagnoses, 1 and 1", notes, share([{d, e} <= t for t, d, e in zip(top(notes), diagnoses, second)]), recovered=share([bool({d, e} & t) for t, d, e in zip(top(notes), diagnoses, second)]))
    c, near = model.checkpoint, {}
    for i, name in enumerate(names):
        rest = [k for k in range(len(names)) if k != i]
        near[name] = names[rest[nearest((c.context[i : i + 1], c.context_mask[i : i + 1]), (c.context[rest], c.context_mask[rest]))[0]]]
    for weight in (-.5, -1.):
        notes = [model.write([(model.find({d: 1., near[d]: weight}), i)], config, 0)[0].text for i, d in enumerate(diagnoses)]
        taken = lambda texts: share([x == near[d] for x, d in zip(classifier.predict(plain(texts)), diagnoses)])
        say(f"away from the nearest diagnosis, {weight}", notes, 1 - taken(notes), without=1 - taken(free), recovered=recovered(notes, diagnoses))

    for told in (True, False): # reference nats of the whole text against the original, a gap's word
        more, words, notes = 0., 0, []
        for i, row in enumerate(held.itertuples()):
            text, parts = gapped(row.note, luck)
            gone = row.note[len(parts[0]) : len(row.note) - len(parts[1])]
            text = text.replace("____", f"____{{{len(space.tokenize([gone])[0]) - 1}}}") if told else text
            filled = model.infill(text, row.diagnosis, seed=i)[0].text
            more, words, notes = more + language.nats(plain([filled])[0]).sum() - language.nats(plain([row.note])[0]).sum(), words + len(plain([gone])[0].split()), [*notes, filled]
        say(f"a gap of two to six words, length {'told' if told else 'chosen'}", notes, None, **{"gap's perplexity": exp(more / words)})
    same, count, i = 0, 0, 0
    while count < a.gaps: # texts as a stranger might write them, up to eight gaps in each
        text, parts = gapped(luck.choice(held.note.tolist()).replace(" ", luck.choice([" ", "  ", " "])) + luck.choice(["", " ", "\n", " 🙂"]), luck, luck.randint(1, 8), words=(1, 2))
        filled = model.infill(re.sub("____", lambda m: f"____{{{luck.randint(1, 3)}}}", text), luck.choice(names), seed=i)[0].text
        same, count, i = same + (len(parts) - 1) * bool(re.fullmatch(".*".join(map(re.escape, parts)), filled, re.DOTALL)), count + len(parts) - 1, i + 1
    rows["text outside gaps unchanged"] = {"success": same / count, "gaps": count}
    print(rows["text outside gaps unchanged"], flush=True)
    wanted = [(model.find(d), i) for i, d in enumerate(diagnoses)]
    for size in (1, 7, 128):
        rows[f"the same notes, {size} at once"] = {"success": share([x.text == t for x, t in zip(model.write(wanted, config, 0, batch_size=size), free)])}
        print(size, rows[f"the same notes, {size} at once"], flush=True)
    return dict(weights=model.fingerprint, n=n, rows={k: {m: x if x is None else round(float(x), 4) for m, x in r.items()} for k, r in rows.items()})

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train-data", type=Path, required=True, help="CSV of training notes, as `meddiff corpus --seed 1` writes it")
    parser.add_argument("--checkpoint", help="the shipped one if not given")
    parser.add_argument("--n", type=int, default=500, help="notes of each kind")
    parser.add_argument("--gaps", type=int, default=2000)
    found = main(parser.parse_args())
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
