"""Train variants of the recipe for equal processor time, measure all alike, and append a line for each to `meddiff/measured/experiments.jsonl`.

    python scripts/experiments.py --data notes.csv --round 2 base "no split" …     # names as in RUNS; all of the round if none is given

Every run has one thread and a budget of processor seconds, so that two may run side by side on two cores.
"""
import argparse
import json
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import torch

import meddiff.training
from meddiff.corpus import dataset_path
from meddiff.dataset import NotesDataset, collate, load_table
from meddiff.evaluation import Phrasebook, judged, plain_texts, word_judge
from meddiff.pipeline import MedicalDiffusion, settings
from meddiff.rival import Rival, RivalTrainer, gpt2, new_rival
from meddiff.schedule import make_schedule
from meddiff.training import Checkpoint, TrainConfig, Trainer, build_model, losses, new_checkpoint, prepare

RESULTS = Path(__file__).parent.parent / "meddiff" / "measured" / "experiments.jsonl"
LEVELS = (-6., -5., -4., -3.5, -3., -2.5, -2., -1.5) # log-SNR at which losses are compared, whatever the schedule
WAYS = {"1": {}, "4": dict(block_size=4, temperature=.9), "whole": dict(block_size=None)} # changes of the preset `balanced`

FIRST = dict(batch_tokens=1400, block_sizes=(1, 2, 4, 8, 16, None, None, None), self_condition=.3, next_token=.4, written_alone=0.)
BASES = {1: (FIRST, dict(width=256, layers=4)), 2: (dict(batch_tokens=700), dict(width=192, layers=6)),
         3: (dict(batch_tokens=1000, written_first=1200, written_alone=.1, ema=.998, widest_ramp=128.), dict(width=192, layers=8))} # round: changes of TrainConfig, of DenoiserConfig

# (round, name): (what was expected, changes of TrainConfig, changes of DenoiserConfig and of the space, schedule)
RUNS: dict[tuple[int, str], tuple[str, dict, dict, str]] = {
    (1, "base"): ("the recipe every other run of the round differs from in one thing", {}, {}, "warped"),
    (1, "calibrated schedule"): ("steps even in log-SNR: two thirds of them where nothing is decided, so everything is learned more slowly", {}, {}, "calibrated"),
    (1, "no block of 1"): ("the written copy predicts the next token anyway; the time goes to larger blocks", dict(block_sizes=(2, 4, 8, 16, None, None, None)), {}, "warped"),
    (1, "self-conditioning 0.95"): ("better whole note, a quarter fewer tokens", dict(self_condition=.95), {}, "warped"),
    (1, "batches of 700"): ("twice the steps: better while short", dict(batch_tokens=700), {}, "warped"),
    (1, "next-token loss 1"): ("better at blocks of 1, worse at the whole note", dict(next_token=1.), {}, "warped"),
    (1, "width 192, 6 layers"): ("deeper and narrower at equal time: equal", {}, dict(width=192, layers=6), "warped"),
    (1, "AdamW alone"): ("learns half as fast as with Muon", {}, {}, "warped"),
    (1, "GPT-2"): ("the rival: more tokens in the same time, as good at blocks of 1", {}, {}, "rival"),
    (2, "base"): ("what helped in round 1, together, and a quarter of the batches with the written copy alone: better everywhere", {}, {}, "warped"),
    (2, "written first"): ("600 steps of the written copy alone, then the mix: better at all sizes", dict(written_first=600), {}, "warped"),
    (2, "never alone"): ("no batches of the written copy alone: worse at blocks of 1, better at the whole note", dict(written_alone=0.), {}, "warped"),
    (2, "width 256, 6 layers"): ("more weights, fewer tokens: worse in 20 minutes", {}, dict(width=256, layers=6), "warped"),
    (2, "width 192, 9 layers"): ("deeper still: equal", {}, dict(width=192, layers=9), "warped"),
    (2, "GPT-2, AdamW alone"): ("how it is usually trained: behind its better self", {}, {}, "rival"),
    (2, "no split"): ("whole notes never in two: the whole note worse, blocks the same", dict(split=0.), {}, "warped"),
    (2, "ramps to 1"): ("worse wherever notes are written with a steeper ramp", dict(widest_ramp=1.), {}, "warped"),
    (2, "whole note only"): ("the diet of most text diffusion: salad at this budget", dict(block_sizes=(None,), next_token=0., split=0.), {}, "warped"),
    (2, "no self-conditioning"): ("faster steps, worse whole note", dict(self_condition=0.), dict(self_conditioning=False), "warped"),
    (2, "prefix"): ("about equal: the diagnosis says little of each single token", {}, dict(conditioning="prefix"), "warped"),
    (2, "d = 128"): ("points further apart, the decision at noisier levels; no gain", {}, dict(d=128), "warped"),
    (3, "base"): ("the recipe of the shipped checkpoint, for an hour: as good as the rival token by token, and it writes blocks and whole notes besides", {}, {}, "warped"),
    (3, "GPT-2"): ("the equal rival", {}, {}, "rival"),
    (3, "classic"): ("ε, mean squared error, linear schedule, whole note: nothing readable in an hour", dict(block_sizes=(None,), split=0., ramps=0.), dict(prediction_type="epsilon"), "linear"),
}

def adamw_alone(model, config: TrainConfig) -> list[torch.optim.Optimizer]:
    "Two groups as in `meddiff.training.optimizers`, both by AdamW at its own best rate."
    return [torch.optim.AdamW([p for p in model.parameters() if p.ndim == 2], lr=2e-3, betas=(.9, .98), weight_decay=.01), torch.optim.AdamW([p for p in model.parameters() if p.ndim != 2], lr=2e-3, betas=(.9, .98), weight_decay=0.)]

def level_losses(model: MedicalDiffusion, notes: NotesDataset, size: int | None, config: TrainConfig) -> float:
    "Cross-entropy (nats a token) or squared error, mean over LEVELS, all clocks of a note alike, with a second guess."
    c, total, count = model.checkpoint, 0., 0
    plain = replace(config, gaps=0., split=0., ramps=0., told=1. if size is None else 0., drop_diagnosis=0., self_condition=1.)
    for i, level in enumerate(LEVELS):
        clock = int((c.schedule.log_snr[:-1] - level).abs().argmin())
        p = prepare(collate(notes, range(i * 24, (i + 1) * 24)), plain, c.schedule.num_train_timesteps, c.space.d, torch.Generator().manual_seed(i), size)
        p.t[:] = clock
        with torch.no_grad(): loss, _ = losses(c.model, c.diffusion, p, c.context, c.context_mask, next_token=False)
        total, count = total + loss.sum().item(), count + p.layout.valid.sum().item()
    return total / count

def measure(checkpoint: Checkpoint, notes: NotesDataset, held_out: pd.DataFrame, book: Phrasebook, config: TrainConfig, n: int) -> dict:
    "Everything that is compared, of one trained network."
    model = MedicalDiffusion(checkpoint, "experiment")
    token = checkpoint.config.prediction_type == "token"
    out = {f"loss {size or 'whole'}": level_losses(model, notes, size, config) for size in (4, 16, None)}
    if token: out["nats"] = -torch.cat(model.score(held_out.note[:200].tolist(), held_out.diagnosis[:200].tolist())).mean().item()
    plain = lambda texts: plain_texts(list(texts), checkpoint.space)
    real, others = plain(held_out.note[:n]), plain(held_out.note[n : 2 * n])
    wanted = [(model.find(d), i) for d, k in held_out.diagnosis[2 * n : 3 * n].value_counts().items() for i in range(k)]
    for name, way in WAYS.items():
        if name != "whole" and (not token or config.block_sizes == (None,)): continue
        texts = plain(x.text for x in model.write(wanted, settings("balanced", no_repeat=False, **way | ({} if token else {"ramp": 0., "substeps": 1})), 0))
        out |= {f"seen 4 {name}": book.seen(texts, 4).value / book.seen(others, 4).value, f"AUC {name}": judged(texts + real, len(texts), word_judge()).value}
    return {k: round(v, 4) for k, v in out.items()}

def measure_rival(rival: Rival, held_out: pd.DataFrame, book: Phrasebook, n: int) -> dict:
    plain = lambda texts: plain_texts(list(texts), rival.space)
    texts, real, others = plain(rival.write(held_out.diagnosis[2 * n : 3 * n].tolist())), plain(held_out.note[:n]), plain(held_out.note[n : 2 * n])
    nats = -torch.cat(rival.score(held_out.note[:200].tolist(), held_out.diagnosis[:200].tolist())).mean().item()
    return {"nats": round(nats, 4), "seen 4 1": round(book.seen(texts, 4).value / book.seen(others, 4).value, 4), "AUC 1": round(judged(texts + real, len(texts), word_judge()).value, 4)}

def run(number: int, name: str, minutes: float, seed: int, n: int, keep: Path, prepared, book) -> None:
    expected, changes, sizes, schedule = RUNS[number, name]
    base, base_shape = BASES[number]
    config = TrainConfig(**dict(muon_lr=.02, adamw_lr=2.5e-3, seed=seed) | base | changes)
    torch.manual_seed(seed)
    if schedule == "rival":
        common, data = prepared("rival", "")
        checkpoint = replace(common, model=gpt2(len(common.space), width=base_shape["width"], layers=base_shape["layers"]))
    else:
        common, data = prepared(sizes.get("d", 64), sizes.get("conditioning", "cross_attention"))
        shape, levels = replace(common.config, **base_shape | sizes), make_schedule(schedule, common.space.table, common.space.prior)
        checkpoint = replace(common, config=shape, schedule=levels, model=build_model(shape, common.space, levels))
    held_out = load_table(dataset_path()).query("split == 'test'").sample(max(3 * n, 200), random_state=0)
    notes = NotesDataset.from_table(held_out, checkpoint.space, checkpoint.names)
    original = meddiff.training.optimizers
    if name.endswith("AdamW alone"):
        meddiff.training.optimizers = adamw_alone
        config = replace(config, muon_lr=2e-3, adamw_lr=2e-3)
    trainer = (RivalTrainer if schedule == "rival" else Trainer)(checkpoint, data, notes, keep / f"{number} {name} {seed}.pt", config, "cpu", "fp32", progress=False)
    meddiff.training.optimizers = original
    begun, wall, curve, budget = time.process_time(), time.time(), [], 60 * minutes
    while (used := time.process_time() - begun) < budget: # the rates fall over the last fifth, as in `Trainer.fit`
        if trainer.decay is None and used > .8 * budget: trainer.decay = trainer.step, trainer.step + max(1, trainer.step // 4)
        trainer.model.train()
        trainer.one_step()
        if trainer.step % 50 == 0: curve.append((trainer.step, *(round(trainer.running[k], 3) for k in ("loss", "next") if k in trainer.running)))
    trainer.ema.eval()
    checkpoint.model.load_state_dict(trainer.ema.module.state_dict())
    checkpoint.model.eval()
    checkpoint.card = dict(steps=trainer.step, tokens=trainer.tokens)
    torch.save(checkpoint.state(), trainer.output)
    found = measure_rival(checkpoint, held_out, book(), n) if schedule == "rival" else measure(checkpoint, notes, held_out, book(), config, n)
    row = dict(round=number, name=name, expected=expected, seed=seed, minutes=minutes, steps=trainer.step, tokens=trainer.tokens, parameters=sum(p.numel() for p in checkpoint.model.parameters()), **found, curve=curve)
    with open(RESULTS, "a", encoding="utf-8") as f: f.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"{name}: {time.time() - wall:.0f} s", {k: v for k, v in row.items() if k not in ("curve", "expected")}, flush=True)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="runs, by name; all of the round if none is given")
    parser.add_argument("--round", type=int, default=2, choices=[*BASES], help="which base they differ from")
    parser.add_argument("--data", type=Path, required=True, help="CSV of training notes, as `meddiff corpus --seed 1` writes it")
    parser.add_argument("--rows", type=int, default=60_000, help="notes of it to use")
    parser.add_argument("--minutes", type=float, default=20., help="processor time of each run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, default=100, help="notes to write in each way")
    parser.add_argument("--keep", type=Path, default=Path("runs"), help="where checkpoints go")
    a = parser.parse_args()
    torch.set_num_threads(1)
    table = load_table(a.data)
    table = table[table.split == "train"].head(a.rows)
    prepared = cache(lambda d, conditioning: new_rival(table) if d == "rival" else new_checkpoint(table, d=d, conditioning=conditioning))
    book = cache(lambda: Phrasebook(plain_texts(table.note.tolist(), prepared(64, "cross_attention")[0].space)))
    for name in a.names or [n for r, n in RUNS if r == a.round]: run(a.round, name, a.minutes, a.seed, a.n, a.keep, prepared, book)
