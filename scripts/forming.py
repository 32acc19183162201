"""Draw a note as it forms out of noise: nbs/images/forming.svg, the picture of the home page, and forming-narrow.svg for a telephone.

    python scripts/forming.py            # draw it, with the shipped checkpoint
    python scripts/forming.py --check    # exit 1 if it was drawn with other weights

The note is the first of the seeds 0, 1, 2, … that fits the picture and in which the checker finds no contradiction. It is written
in passes: all that is not yet known is guessed, and every pass looks at the whole guess at once and draws every token from that
token's own noise, until all guesses were right.
The picture is an SVG that moves by CSS alone. Where nothing moves (a reader who wants less motion, a viewer without animation, a
print) it shows the finished note, and after two rounds it comes to rest there for everybody.
"""

import math
import re
import sys
from html import escape
from itertools import groupby
from typing import NamedTuple

from pages import ROOT

IMAGES = ROOT / "nbs" / "images"
DIAGNOSIS, SEEDS = "Community-acquired pneumonia", range(64)
PASSES = 400                       # more than any note needs: it ends when all is known
TOKENS, CHARACTERS = (34, 72), 330 # what fits the picture
FRAMES, FRAME, NOISE, REST, ROUNDS = 44, 0.3, 1.4, 4.0, 2 # how many, seconds each, of noise alone, of the finished note; rounds
LEVELS = (0.3, 0.6, 0.9)           # probability of the token when it was drawn, where the tint changes
STYLE = """
svg{color-scheme:light dark;--card:#fbf9f5;--edge:#d9d3c7;--ink:#1c2b36;--soft:#56646e;--u0:#b4480b;--u1:#8a4a1e;--u2:#5d4327;--dot:#c77b3e;--cell:#d5ccbd;--full:#2d6a78}
@media (prefers-color-scheme:dark){svg{--card:#171c22;--edge:#353d47;--ink:#e8edf1;--soft:#a3b0bb;--u0:#f79b4b;--u1:#f0b27a;--u2:#ecd0b0;--dot:#b87333;--cell:#39424c;--full:#5fb3c4}}
text{font-family:"DejaVu Sans Mono",Menlo,Consolas,"Liberation Mono",monospace;white-space:pre}
.s{font-family:"DejaVu Sans",Verdana,Helvetica,Arial,sans-serif;font-size:14.5px;fill:var(--soft)}
.h{font-family:"DejaVu Sans",Verdana,Helvetica,Arial,sans-serif;font-size:19px;font-weight:bold;fill:var(--ink)}
.a{fill:var(--u0)}.b{fill:var(--u1)}.c{fill:var(--u2)}.d{fill:var(--ink)}
.n{stroke:var(--dot);stroke-width:2.6;stroke-linecap:round;opacity:.75}.f{fill:var(--full)}
.m{opacity:0}
"""
STILL = '<g id="still"/>'           # forming.svg#still does not move: for pages whose reader wants less motion, which not every browser tells a picture


class Sheet(NamedTuple):
    "A format."
    width: int
    margin: int
    top: int                        # where the first line of text stands
    line: int                       # from one to the next
    font: int
    small: float                    # size of the print around the note
    stacked: bool                   # what stands side by side on a wide one stands one below the other

    @property
    def column(self) -> float: return self.font * 0.602 # a character of the usual fixed-width fonts


SHEETS = {"forming.svg": Sheet(720, 30, 92, 37, 21, 14.5, False), "forming-narrow.svg": Sheet(360, 18, 94, 27, 15, 12.5, True)}


class Slot(NamedTuple):
    "Where a token stands in the finished note."
    x: float
    y: float
    width: float
    text: str


class Film(NamedTuple):
    "A note while it formed; frame 0 is noise alone."
    seed: int
    diagnosis: str
    fingerprint: str
    text: str
    spans: list[tuple[int, int]]    # of each token in the text
    words: list[list[str]]          # of each frame, what stands in each slot
    sure: list[list[float]]         # of each frame, with which probability
    final: list[int]                # of each slot, the frame from which it no longer changes
    passes: list[int]               # of each frame, how many passes were made
    dots: list[list[tuple[float, float]]] # of each slot, its noise: two coordinates a dot


def chosen(model) -> int:
    "The first seed whose note fits and contradicts itself nowhere. Raises `ValueError` if there is none."
    from meddiff.checker import check

    for seed in SEEDS:
        note = model.generate(DIAGNOSIS, seed=seed)[0]
        if note.complete and TOKENS[0] <= len(note.confidence) <= TOKENS[1] and len(note.text) <= CHARACTERS and "\n" not in note.text and not list(check(note.text, note.diagnosis)): return seed
    raise ValueError(f"no seed below {SEEDS.stop} gives a note that fits the picture and has no contradiction")


def laid_out(text: str, spans: list[tuple[int, int]], sheet: Sheet) -> list[Slot]:
    "A place for every token, lines broken at spaces."
    columns, line, start, at = int((sheet.width - 2 * sheet.margin) / sheet.column), 0, 0, {}
    for word in re.finditer(r"\S+", text):
        if word.end() - start > columns: line, start = line + 1, word.start()
        for i in range(*word.span()): at[i] = line, i - start
    place = [at.get(a, (line, a - start)) for a, _ in spans]
    return [Slot(sheet.margin + c * sheet.column, sheet.top + l * sheet.line, (b - a) * sheet.column, text[a:b]) for (l, c), (a, b) in zip(place, spans)]


def filmed(model) -> Film:
    "Write the note, and keep what stood where after every pass."
    from meddiff.embedding import PAD, SEP
    from meddiff.sampling import NoteNoise
    from meddiff.schedule import CLEAN

    seed = chosen(model)
    states = []
    for notes, state in model.stream(DIAGNOSIS, seed=seed, passes=PASSES, window=512): states.append((state.ids[0].clone(), state.log_prior[0].exp().clone(), (state.clocks[0] == CLEAN).clone()))
    note, n, total = notes[0], len(notes[0].confidence), len(states)
    kept = sorted({round(1 + (total - 1) * (k / (FRAMES - 1)) ** 1.25) for k in range(FRAMES)}) # the first passes change most
    last = states[-1][0][:n]
    bare = [p.removeprefix("##") for p in model.checkpoint.space.pieces(range(len(model.checkpoint.space)))]
    shown = lambda i, token: note.text[slice(*note.spans[i])] if token == last[i] else "·" if token in (PAD, SEP) else bare[token]
    words = [[""] * n, *([shown(i, int(t)) for i, t in enumerate(states[k - 1][0][:n])] for k in kept)]
    sure = [[0.0] * n, *(states[k - 1][1][:n].tolist() for k in kept)]
    final = [next((f for f, k in enumerate(kept, 1) if states[k - 1][2][i] and all(states[j][0][i] == last[i] for j in range(k - 1, total))), len(kept)) for i in range(n)]
    noise = NoteNoise([(seed, note.diagnosis, 0)], model.checkpoint.space.d).draw([0], n)[0]
    dots = [[(float(x), float(y)) for x, y in zip(points[0::2], points[1::2])] for points in noise]
    return Film(seed, note.diagnosis, model.fingerprint, note.text, note.spans, words, sure, final, [0, *kept], dots)


def moments(frames: int) -> list[float]:
    "When each frame begins, and last when the round ends, in per cent of it."
    begins = [0.0, *(NOISE + FRAME * f for f in range(frames - 1))]
    end = begins[-1] + FRAME + REST
    return [100 * t / end for t in begins] + [100.0]


def pictures(film: Film, sheet: Sheet, slots: list[Slot], foot: float) -> dict[tuple[int, int], list[str]]:
    "What is seen from one frame up to another: (first, end) → elements. What is seen at the end stays."
    frames, out = len(film.words), {}
    add = lambda first, end, element: out.setdefault((first, end), []).append(element)
    strip, size = (sheet.width - 2 * sheet.margin) / len(slots), sheet.font / 21
    for i, slot in enumerate(slots):
        seen = [(film.words[f][i], sum(film.sure[f][i] >= l for l in LEVELS)) for f in range(frames)]
        for (word, level), run in groupby(range(1, frames), key=seen.__getitem__):
            run = list(run)
            squeezed = f' textLength="{slot.width:.0f}" lengthAdjust="spacingAndGlyphs"' if len(word) * sheet.column > slot.width + 1 else ""
            if word: add(run[0], run[-1] + 1, f'<text class="{"abcd"[level]}" x="{slot.x:.0f}" y="{slot.y:.0f}"{squeezed}>{escape(word)}</text>')
        within = lambda v, middle, reach: middle + reach * math.erf(v / math.sqrt(2)) # a normal number fills its room evenly
        many = max(4, min(16, round(slot.width / 4 / size)))
        path = "".join(f"M{within(x, slot.x + slot.width / 2, slot.width / 2 + 3):.0f} {within(y, slot.y - 7 * size, 15 * size):.0f}h0" for x, y in film.dots[i][:many])
        add(0, film.final[i], f'<path class="n" d="{path}"/>')
        add(film.final[i], frames, f'<rect class="f" x="{sheet.margin + i * strip:.1f}" y="{foot:.0f}" width="{strip - 1.5:.1f}" height="9" rx="2"/>')
    for f, made in enumerate(film.passes):
        done = sum(end <= f for end in film.final)
        say = "pure noise: a clock of 999 for every token" if not f else f"pass {made} of {film.passes[-1]}: {done} of {len(slots)} tokens final"
        add(f, f + 1, f'<text class="s" x="{sheet.margin}" y="{foot + 32:.0f}">{say}</text>')
    return out


def drawn(film: Film, sheet: Sheet) -> str:
    "The SVG."
    slots = laid_out(film.text, film.spans, sheet)
    frames, when = len(film.words), moments(len(film.words))
    seconds = NOISE + FRAME * (frames - 1) + REST
    foot, groups, rules = max(s.y for s in slots) + 52, [], []
    for (first, end), elements in sorted(pictures(film, sheet, slots, foot).items()):
        if first >= end: continue
        name = f"k{first}_{end}"
        hide = "" if end == frames else f"{when[end]:.2f}%{{opacity:0}}"
        rules.append(f"@keyframes {name}{{0%{{opacity:{int(not first)}}}" + (f"{when[first]:.2f}%{{opacity:1}}" if first else "") + f"{hide}}}.{name}{{animation-name:{name}}}")
        groups.append(f'<g class="{name}{" m" if end < frames else ""}">{"".join(elements)}</g>')
    strip = (sheet.width - 2 * sheet.margin) / len(slots)
    cells = "".join(f"M{sheet.margin + i * strip:.1f} {foot:.0f}h{strip - 1.5:.1f}v9h-{strip - 1.5:.1f}z" for i in range(len(slots)))
    left, high = f'x="{sheet.margin}"', foot + 76 + 22 * sheet.stacked
    note = f'{left} y="66"' if sheet.stacked else f'x="{sheet.width - sheet.margin}" y="44" text-anchor="end"'
    many, only = '<tspan class="a">■</tspan> one of many words it might have drawn', '<tspan class="d">■</tspan> nearly the only one'
    legend = [many, only] if sheet.stacked else [f"{many}  {only}"]
    style = STYLE.replace("14.5px", f"{sheet.small}px").replace("19px", "17px" if sheet.stacked else "19px")
    moving = f"@media (prefers-reduced-motion:no-preference){{g[class]{{animation-duration:{seconds:.1f}s;animation-timing-function:step-end;animation-iteration-count:{ROUNDS}}}{''.join(rules)}#still:target~g{{animation:none}}}}"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {sheet.width} {high:.0f}" width="{sheet.width}" height="{high:.0f}" role="img" aria-labelledby="t d" font-size="{sheet.font}">',
        f'<title id="t">A note forms out of noise</title>\n<desc id="d">{escape(film.diagnosis)}, seed {film.seed}, checkpoint {film.fingerprint}. In the end it reads: {escape(film.text)}</desc>',
        f"<style>{style}{moving}</style>",
        f'<rect x=".5" y=".5" width="{sheet.width - 1}" height="{high - 1:.0f}" rx="14" fill="var(--card)" stroke="var(--edge)"/>',
        f'<text class="h" {left} y="44">{escape(film.diagnosis)}</text>\n<text class="s" {note}>synthetic, not for clinical use</text>',
        f'<path d="{cells}" fill="var(--cell)"/>',
        *(f'<text class="s" {left} y="{foot + 56 + 22 * k:.0f}">{line}</text>' for k, line in enumerate(legend)),
        STILL,
        *groups,
        "</svg>\n",
    ])


def main(check: bool) -> int:
    from meddiff import MedicalDiffusion

    model = MedicalDiffusion.from_pretrained()
    if check:
        old = [name for name in SHEETS if not (IMAGES / name).exists() or f"checkpoint {model.fingerprint}." not in (IMAGES / name).read_text(encoding="utf-8")]
        if old: print(f"{', '.join(old)}: drawn with other weights, run python scripts/forming.py", file=sys.stderr)
        return int(bool(old))
    film = filmed(model)
    for name, sheet in SHEETS.items():
        (IMAGES / name).write_text(drawn(film, sheet), encoding="utf-8", newline="\n")
        print(f"{name}: seed {film.seed}, {len(film.spans)} tokens, {film.passes[-1]} passes, {(IMAGES / name).stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__": sys.exit(main("--check" in sys.argv[1:]))
