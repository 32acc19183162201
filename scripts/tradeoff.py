"""Quality against cost, for every way of writing: a line for each in `meddiff/measured/tradeoff.jsonl`.

    python scripts/tradeoff.py --train-data notes.csv               # all ways that are not measured yet for these weights
    python scripts/tradeoff.py --train-data notes.csv "blocks of 4" # some of them, by the beginning of their names
    python scripts/tradeoff.py --seconds                            # add how long a note takes, eight at once; nothing else should run meanwhile
"""
import argparse
import json
import time
from pathlib import Path

import pandas as pd

from meddiff.corpus import dataset_path
from meddiff.dataset import load_table
from meddiff.evaluation import Phrasebook, ReferenceModel, draw_columns, judged, plain_texts, through_tokens, word_judge
from meddiff.pipeline import MedicalDiffusion, at_once, settings

RESULTS = Path(__file__).parent.parent / "meddiff" / "measured" / "tradeoff.jsonl"
BLOCKS = {size: dict(block_size=size, num_inference_steps=2 * size, substeps=4, ramp=float(size)) for size in (2, 4, 8, 16)}
WHOLE = dict(block_size=None, substeps=4)

# name: settings; those of a name's first words make one line of the figure
WAYS: dict[str, dict] = {
    **{f"token by token, {k} reverse steps": dict(substeps=k, passes=0) for k in (1, 2, 4, 8, 16)},
    **{f"token by token, top-p {p}": dict(top_p=p, passes=0) for p in (.8, .95, 1.)},
    **{f"token by token, {sampler}": dict(sampler=sampler, passes=0) for sampler in ("ddpm", "dpm++", "q")},
    **{f"guessed ahead, at most {k} evaluations": dict(passes=k) for k in (8, 12, 16, 24, 32, 99)},
    **{f"blocks of {size}": how for size, how in BLOCKS.items()},
    **{f"blocks of {size}, half the steps": how | dict(num_inference_steps=size) for size, how in BLOCKS.items()},
    **{f"whole note, ramp {ramp}, {n} steps": WHOLE | dict(num_inference_steps=n, ramp=float(ramp)) for ramp in (0, 16, 128) for n in (20, 50, 100)},
    "whole note, ramp 128, 200 steps": WHOLE | dict(num_inference_steps=200, ramp=128.),
    "whole note, ddpm, ramp 0, 1000 steps": WHOLE | dict(num_inference_steps=1000, ramp=0., sampler="ddpm", substeps=1),
}

def measure(model: MedicalDiffusion, wanted: list, how: dict, real: list[str], held: list[str], book: Phrasebook, language: ReferenceModel) -> dict:
    "Notes, and what they cost."
    config, evaluations = settings("balanced", **how), 0
    notes = {}
    for places in model.batches(wanted, config, 0, batch_size=at_once(config)):
        batch = [wanted[i] for i in places]
        for state in model.states(batch, config, 0): pass
        evaluations += state.step * len(batch)
        notes |= dict(zip(places, model.notes(batch, 0, state)))
    plain = plain_texts([notes[i].text for i in range(len(wanted))], model.checkpoint.space)
    return {"evaluations": round(evaluations / len(wanted), 1), "AUC": round(judged(plain + real, len(plain), word_judge()).value, 4),
            "perplexity": round(language.perplexity(plain).over(language.perplexity(held)).value, 4), "seen 4-grams": round(book.seen(plain, 4).over(book.seen(held, 4)).value, 4)}

def add_seconds(model: MedicalDiffusion, output: Path, notes: int = 8) -> None:
    "How long a note of 80 tokens takes, eight at once, for every line of these weights that does not say."
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    model.generate("Gout", 2, seed=0) # the first call pays for what later ones find ready
    for row in rows:
        if row["weights"] != model.fingerprint or "seconds" in row or "1000" in row["way"]: continue
        config = settings("balanced", **WAYS[row["way"]])
        begun, wanted = time.perf_counter(), model.wanted(model.checkpoint.names[:notes], 1)
        made = sum(len(n.confidence) for places in model.batches(wanted, config, 0, batch_size=at_once(config)) for state in [list(model.states([wanted[i] for i in places], config, 0))[-1]] for n in model.notes([wanted[i] for i in places], 0, state))
        row["seconds"] = round((time.perf_counter() - begun) / made * 80, 3)
        print(row["way"], row["seconds"], flush=True)
    output.write_text("".join(json.dumps(row) + "\n" for row in rows))

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ways", nargs="*", help="beginnings of names in WAYS; all if none is given")
    parser.add_argument("--train-data", type=Path, help="CSV of training notes, as `meddiff corpus --seed 1` writes it")
    parser.add_argument("--checkpoint", help="the shipped one if not given")
    parser.add_argument("--n", type=int, default=300, help="notes of each way")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the lines go")
    parser.add_argument("--seconds", action="store_true", help="add how long notes take to the lines that do not say")
    a = parser.parse_args()
    model = MedicalDiffusion.from_pretrained(a.checkpoint)
    if a.seconds: raise SystemExit(add_seconds(model, a.output))
    space, held_out = model.checkpoint.space, load_table(dataset_path()).query("split == 'test'")
    reference, held = (x.assign(note=through_tokens(x.note.tolist(), space, model.checkpoint.restorer)) for x in draw_columns(held_out, a.n))
    train = load_table(a.train_data)
    book = Phrasebook(plain_texts(train[train.split == "train"].note.tolist(), space))
    language, real, others = ReferenceModel(book), plain_texts(reference.note.tolist(), space), plain_texts(held.note.tolist(), space)
    wanted = [(model.find(d), i) for i, d in enumerate(held.diagnosis)]
    done = {(r["weights"], r["way"], r["n"]) for r in map(json.loads, a.output.read_text().splitlines())} if a.output.exists() else set()
    for way, how in WAYS.items():
        if (model.fingerprint, way, a.n) in done or a.ways and not way.startswith(tuple(a.ways)): continue
        row = {"weights": model.fingerprint, "way": way, "n": a.n} | measure(model, wanted, how, real, others, book, language)
        with open(a.output, "a", encoding="utf-8") as f: f.write(json.dumps(row) + "\n")
        print(pd.Series(row).to_frame().T.to_string(header=False, index=False), flush=True)
