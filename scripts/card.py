"""Put what the checkpoint says of itself, and what meddiff/measured/*.json measured, into its card.

    python scripts/card.py            # write it
    python scripts/card.py --check    # exit 1 if it differs from what these files give
"""

import json
import re
import sys

from pages import ROOT

CARD = ROOT / "meddiff/checkpoint/README.md"
COLUMNS = {  # file in meddiff/measured → how its notes were written
    "balanced": "token by token",
    "as-drawn": "the same, nothing mended",
    "blocks-of-4": "blocks of 4",
    "whole-note": "whole note, 100 steps",
    "passes": "at most 32 passes",
}


def training(config: dict, parameters: int) -> list[list[str]]:
    "How the network was trained, from its own record."
    card, sizes = config["card"], config["config"]
    spent = {k: card[k] + card.get("began_with", {}).get(k, 0) for k in ("steps", "tokens", "seconds")}
    return [
        ["network", f"`DiffusionTransformer`, {sizes['layers']} layers, width {sizes['width']}, {sizes['heads']} heads, {parameters / 1e6:.1f} million parameters; stored in bf16"],
        ["training notes", f"{card['notes']:,} of {len(config['names'])} diagnoses, none of them in `medical_dataset.csv`"],
        ["trained", f"{spent['seconds'] / 3600:.1f} hours on two CPU cores, {spent['steps']:,} steps, {spent['tokens'] / 1e6:.1f} million tokens"],
        ["validation loss", f"{card['valid_loss']:.3f} nats a token, the mean of blocks of 1, blocks of 4 and the whole note over all levels of noise"],
    ]


def measured(reports: dict[str, dict]) -> list[list[str]]:
    "The reports side by side."
    from meddiff.evaluation import compared

    table = compared({COLUMNS[name]: reports[name] for name in COLUMNS if name in reports})
    return [["", *(c.replace("rival", "GPT-2 of equal size") for c in table.columns)], *([m, *row] for m, row in zip(table.index, table.values.tolist()))]


def as_table(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join([lines[0], "| " + " | ".join(["---"] * len(rows[0])) + " |", *lines[1:]])


def card(text: str) -> str:
    "The card with its numbers as they are now."
    from safetensors import safe_open

    config = json.loads((CARD.parent / "config.json").read_text(encoding="utf-8"))
    with safe_open(CARD.parent / "model.safetensors", "pt") as f: parameters = sum(f.get_tensor(k).numel() for k in f.keys() if k.startswith("weights."))
    reports = {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in (ROOT / "meddiff/measured").glob("*.json")}
    for name, rows in {"training": [["", ""], *training(config, parameters)], "measured": measured(reports)}.items():
        text = re.sub(rf"(?<=<!-- {name} -->\n).*?(?=\n<!-- /{name} -->)", lambda _, rows=rows: as_table(rows), text, flags=re.DOTALL)
    return text


def main(check: bool) -> int:
    old = CARD.read_text(encoding="utf-8")
    new = card(old)
    if new == old: return 0
    if not check: CARD.write_text(new, encoding="utf-8", newline="\n")
    print("the model card differs from what was measured: run python scripts/card.py" if check else "model card written", file=sys.stderr if check else sys.stdout)
    return 1 if check else 0


if __name__ == "__main__": sys.exit(main("--check" in sys.argv[1:]))
