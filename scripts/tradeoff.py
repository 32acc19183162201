"""Quality against cost, for every way of writing: append a line for each to `nbs/evaluation/tradeoff.jsonl`.

    python scripts/tradeoff.py --train-data notes.csv               # all ways that are not measured yet for these weights
    python scripts/tradeoff.py --train-data notes.csv "blocks of 4" # some of them, by the beginning of their names

Nothing else should run meanwhile: seconds are measured too.
"""
import argparse
import json
import time
from pathlib import Path

import pandas as pd

from meddiff.corpus import dataset_path
from meddiff.dataset import load_table
from meddiff.evaluation import Phrasebook, ReferenceModel, draw_columns, judged, plain_texts, through_tokens, word_judge
from meddiff.pipeline import MedicalDiffusion, settings

RESULTS = Path(__file__).parent.parent / "nbs" / "evaluation" / "tradeoff.jsonl"
BLOCKS = {size: dict(block_size=size, num_inference_steps=2 * size, substeps=4, ramp=float(size)) for size in (2, 4, 8, 16)}
WHOLE = dict(block_size=None, substeps=4)

# name: settings; those of a name's first words make one line of the figure
WAYS: dict[str, dict] = {
    **{f"token by token, {k} reverse steps": dict(substeps=k) for k in (1, 2, 4, 8, 16)},
    **{f"token by token, top-p {p}": dict(top_p=p) for p in (.8, .9, .95, .98, 1.)},
    **{f"token by token, {sampler}": dict(sampler=sampler) for sampler in ("ddpm", "dpm++", "q")},
    **{f"guessed ahead, at most {k} evaluations": dict(passes=k) for k in (4, 8, 12, 16, 24, 32, 48, 100)},
    **{f"blocks of {size}": how for size, how in BLOCKS.items()},
    **{f"blocks of {size}, half the steps": how | dict(num_inference_steps=size) for size, how in BLOCKS.items()},
    **{f"blocks of {size}, temperature {T}": how | dict(temperature=T) for size, how in BLOCKS.items() for T in (.8, .9)},
    **{f"whole note, ramp {ramp}, {n} steps": WHOLE | dict(num_inference_steps=n, ramp=float(ramp)) for ramp in (0, 16, 128) for n in (20, 50, 100)},
    **{f"whole note, ramp 128, 100 steps, temperature {T}": WHOLE | dict(num_inference_steps=100, ramp=128., temperature=T) for T in (.7, .8, .9)},
    "whole note, ramp 128, 200 steps": WHOLE | dict(num_inference_steps=200, ramp=128.),
    "whole note, ddpm, ramp 0, 1000 steps": WHOLE | dict(num_inference_steps=1000, ramp=0., sampler="ddpm", substeps=1),
}

def measure(model: MedicalDiffusion, wanted: list, how: dict, real: list[str], held: list[str], book: Phrasebook, language: ReferenceModel) -> dict:
    "Notes, and what they cost."
    config, evaluations = settings("balanced", **how), 0
    begun, notes = time.perf_counter(), {}
    for places in model.batches(wanted, config, 0, batch_size=50):
        batch = [wanted[i] for i in places]
        for state in model.states(batch, config, 0): pass
        evaluations += state.step * len(batch)
        notes |= dict(zip(places, model.notes(batch, 0, state)))
    seconds = time.perf_counter() - begun
    plain = plain_texts([notes[i].text for i in range(len(wanted))], model.checkpoint.space)
    return {"evaluations": round(evaluations / len(wanted), 1), "seconds": round(seconds / len(wanted), 4), "AUC": round(judged(plain + real, len(plain), word_judge()).value, 4),
            "perplexity": round(language.perplexity(plain).over(language.perplexity(held)).value, 4), "seen 4-grams": round(book.seen(plain, 4).over(book.seen(held, 4)).value, 4)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ways", nargs="*", help="beginnings of names in WAYS; all if none is given")
    parser.add_argument("--train-data", type=Path, required=True, help="CSV of training notes, as `meddiff corpus --seed 1` writes it")
    parser.add_argument("--checkpoint", help="the shipped one if not given")
    parser.add_argument("--n", type=int, default=300, help="notes of each way")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the lines go")
    a = parser.parse_args()
    model = MedicalDiffusion.from_pretrained(a.checkpoint)
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
