"The command line as a person meets it: what bad input says, what a kill leaves behind, what reaches standard output."

import io
import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from meddiff.cli import main  # noqa: E402
from meddiff.corpus import dataset_path  # noqa: E402

GOOD = "diagnosis,clinical_note\n" + "".join(f"Gout,A {30 + i} year old man has toe pain number {i}.\n" for i in range(30))
MEDDIFF = [sys.executable, "-c", "from meddiff.cli import main; main()"]
SMALL = ["--width", "32", "--layers", "1", "--dim", "16", "--batch-tokens", "200", "--device", "cpu"]


def run(*arguments, **kwargs) -> subprocess.CompletedProcess:
    "The command in a process of its own."
    return subprocess.run([*MEDDIFF, *map(str, arguments)], capture_output=True, text=True, encoding="utf-8", **kwargs)


def here(*arguments) -> subprocess.CompletedProcess:
    "The command in this process: what it says and leaves is the same, without ten seconds of imports."
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            main([*map(str, arguments)])
        except SystemExit as e:
            return subprocess.CompletedProcess(arguments, e.code, out.getvalue(), err.getvalue())


class Malicious:
    "A pickle that would make a file when it is loaded."

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def place(tmp_path, monkeypatch):
    "A working folder with good and bad files."
    monkeypatch.chdir(tmp_path)
    files = {
        "good.csv": GOOD.encode(), "empty.csv": b"", "header.csv": b"diagnosis,clinical_note\n", "columns.csv": b"dx,text\nGout,Toe pain.\n",
        "latin.csv": GOOD.encode() + "Gout,Temperature 38 °C.\n".encode("latin-1"), "ragged.csv": (GOOD + "Gout,one,two\n").encode(), "short.csv": (GOOD + "Gout\n").encode(),
        "blank.csv": (GOOD + "Gout,  \n").encode(), "blankdx.csv": (GOOD + ",A note.\n").encode(), "nul.csv": (GOOD + "Gout,a\0b\n").encode(), "quote.csv": (GOOD + 'Gout,"never closed\n').encode(),
        "one.csv": b"diagnosis,clinical_note\nGout,Toe pain.\nGout,Toe pain.\n", "noise.pt": bytes(range(256)), "sheet.xlsx": b"PK\x03\x04\x14\0\0\xff", "split.csv": b"diagnosis,clinical_note,split\nGout,Toe pain.,train\nGout,Other pain.,later\n",
    }
    for name, content in files.items():
        Path(name).write_bytes(content)
    Path("evil.pt").write_bytes(pickle.dumps(Malicious(tmp_path / "ran")))
    torch.save({"format": 99}, "other.pt")
    torch.save({"weights": Malicious(tmp_path / "ran")}, "evil2.pt")
    Path("folder").mkdir()
    Path("half").mkdir()
    Path("half", "config.json").write_text("{}")
    return tmp_path


TRAIN = ["train", "--max-steps", "1", *SMALL]
BAD = {
    "no such data": ([*TRAIN, "--data", "nowhere.csv"], "nowhere.csv"),
    "begun with nothing": ([*TRAIN, "--data", "good.csv", "--init-from", "nowhere.pt"], "nowhere.pt"),
    "data is a folder": ([*TRAIN, "--data", "folder"], "folder"),
    "empty data": ([*TRAIN, "--data", "empty.csv"], "empty"),
    "no rows": ([*TRAIN, "--data", "header.csv"], "header.csv"),
    "other columns": ([*TRAIN, "--data", "columns.csv"], "--note-column|--diagnosis-column"),
    "wrong encoding": ([*TRAIN, "--data", "latin.csv"], "UTF-8"),
    "too many fields": ([*TRAIN, "--data", "ragged.csv"], "row 32"),
    "too few fields": ([*TRAIN, "--data", "short.csv"], "row 32"),
    "blank note": ([*TRAIN, "--data", "blank.csv"], "row 32"),
    "blank diagnosis in data": ([*TRAIN, "--data", "blankdx.csv"], "row 32"),
    "NUL byte": ([*TRAIN, "--data", "nul.csv"], "NUL"),
    "no text": ([*TRAIN, "--data", "sheet.xlsx"], "this is no text"),
    "unclosed quote": ([*TRAIN, "--data", "quote.csv"], "quote.csv"),
    "a single note": ([*TRAIN, "--data", "one.csv"], "one.csv"),
    "unknown split": ([*TRAIN, "--data", "split.csv"], "later"),
    "no such encoder": ([*TRAIN, "--data", "good.csv", "--encoder", "no/such/encoder"], "encoder"),
    "encoder is no BERT": ([*TRAIN, "--data", "good.csv", "--encoder", "folder"], "encoder"),
    "unknown prediction type": ([*TRAIN, "--data", "good.csv", "--prediction-type", "noise"], "epsilon"),
    "unknown conditioning": ([*TRAIN, "--data", "good.csv", "--conditioning", "film"], "cross_attention"),
    "unknown schedule": ([*TRAIN, "--data", "good.csv", "--schedule", "quadratic"], "calibrated"),
    "space too wide": ([*TRAIN, "--data", "good.csv", "--dim", "4000"], "d = 4000"),
    "block sizes that are none": ([*TRAIN, "--data", "good.csv", "--block-sizes", "1,x"], "--block-sizes"),
    "unknown precision": ([*TRAIN, "--data", "good.csv", "--precision", "fp8"], "--precision"),
    "output folder missing": ([*TRAIN, "--data", "good.csv", "--output", "no/where.pt"], "does not exist"),
    "output without .pt": ([*TRAIN, "--data", "good.csv", "--output", "model.bin"], ".pt"),
    "a training over another": ([*TRAIN, "--data", "good.csv", "--output", "noise.pt"], "--overwrite"),
    "notes over others": (["generate", "Gout", "--output", "good.csv"], "--overwrite"),
    "a corpus over another": (["corpus", "--n", "3", "--output", "good.csv"], "--overwrite"),
    "nothing to resume": ([*TRAIN, "--data", "good.csv", "--resume"], "nothing to resume"),
    "no time": (["train", "--data", "good.csv", "--minutes", "0"], "minutes"),
    "blank diagnosis": (["generate", "  "], "blank"),
    "no diagnosis": (["generate"], "argument"),
    "no notes": (["generate", "Gout", "--n", "0"], "--n"),
    "a negative seed": (["generate", "Gout", "--seed", "-1"], "--seed"),
    "unknown preset": (["generate", "Gout", "--preset", "slow"], "balanced"),
    "no steps": (["generate", "Gout", "--steps", "0"], "num_inference_steps"),
    "a negative block": (["generate", "Gout", "--block-size", "-4"], "--block-size"),
    "unknown sampler": (["generate", "Gout", "--sampler", "euler"], "ddim"),
    "no temperature": (["generate", "Gout", "--temperature", "0"], "temperature"),
    "a length out of reach": (["generate", "Gout", "--length", "5000"], "512|511"),
    "unknown device": (["generate", "Gout", "--device", "tpu"], "tpu"),
    "unknown option": (["generate", "Gout", "--foo"], "--foo"),
    "unknown command": (["generata"], "generata"),
    "output of another kind": (["generate", "Gout", "--output", "notes.xlsx"], ".csv"),
    "no such checkpoint": (["generate", "Gout", "--checkpoint", "nowhere.pt"], "no such file"),
    "checkpoint is a table": (["generate", "Gout", "--checkpoint", "good.csv"], ".pt"),
    "checkpoint is noise": (["generate", "Gout", "--checkpoint", "noise.pt"], "nothing in it was run"),
    "checkpoint of another program": (["generate", "Gout", "--checkpoint", "other.pt"], "not a meddiff checkpoint"),
    "checkpoint is a malicious pickle": (["generate", "Gout", "--checkpoint", "evil.pt"], "nothing in it was run"),
    "checkpoint holds a malicious pickle": (["generate", "Gout", "--checkpoint", "evil2.pt"], "nothing in it was run"),
    "checkpoint folder without weights": (["generate", "Gout", "--checkpoint", "half"], "half"),
    "held-out notes too few": (["evaluate", "--data", "good.csv", "--n", "20"], "held-out notes"),
    "an unknown field": ([*TRAIN, "--set", "emma=0.9"], "ema"),
    "a field of another type": ([*TRAIN, "--set", "ema=high"], "number"),
    "an unknown model": ([*TRAIN, "--model", "rnn"], "gpt2"),
    "a rival that does not begin anew": ([*TRAIN, "--data", "good.csv", "--model", "gpt2", "--init-from", "shipped"], "anew"),
    "measured into a text file": (["evaluate", "--output", "x.txt"], ".json"),
    "measured with an unknown preset": (["evaluate", "--preset", "slow"], "balanced"),
    "a word that cannot be written": (["generate", "Gout", "--must", "\u4e2d\u6587"], "cannot be written"),
    "a word that must and may not": (["generate", "Gout", "--must", "toe", "--avoid", "toe"], "must appear and may not"),
    "a weight that is no number": (["generate", "Gout", "--with", "Croup=much"], "not a number"),
    "a text without a gap": (["infill", "no gap", "--diagnosis", "Gout"], "mark one with ____"),
    "a gap of nothing": (["infill", "____{0}", "--diagnosis", "Gout"], "gap 1"),
    "a text too long": (["infill", "word " * 600 + "____", "--diagnosis", "Gout"], "at most 511"),
    "a blank note": (["rewrite", " ", "--diagnosis", "Gout"], "0 tokens"),
    "rewritten by more than all": (["rewrite", "Fever.", "--diagnosis", "Gout", "--strength", "1.5"], "--strength"),
    "a text about nothing": (["infill", "____ ."], "--diagnosis"),
    "passes over given words": (["infill", "____ .", "--diagnosis", "Gout", "--passes", "3"], "--passes"),
    "speed of no checkpoint": (["bench", "--checkpoint", "nowhere.pt"], "no such file"),
    "corpus of nothing": (["corpus", "--n", "0"], "--n"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input(what, place, capsys):
    "One line on standard error that names the trouble, exit code 2, nothing written, nothing run."
    arguments, named = BAD[what]
    before = sorted(p.name for p in place.rglob("*"))
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    out, err = capsys.readouterr()
    complaint = [line for line in err.splitlines() if "warning" not in line]
    assert stopped.value.code == 2 and out == ""
    assert complaint[-1].startswith("meddiff: ") and any(n in complaint[-1] for n in named.split("|")), err
    assert len(complaint) == 1, err
    assert sorted(p.name for p in place.rglob("*")) == before


def test_json_on_standard_output_alone_and_the_same_twice():
    "Two notes, twice the same bytes, JSON and nothing else, with the network switched off."
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    command = "generate", "Community-acquired pneumonia", "--n", 2, "--seed", 0, "--json"
    first, second = run(*command, env=offline), here(*command)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    a, b = map(json.loads, first.stdout.splitlines())
    assert a["text"] != b["text"] and a["diagnosis"] == "Community-acquired pneumonia"


def test_infill_leaves_the_rest_alone():
    "What stands outside the gaps comes back byte for byte, also through a pipe."
    text = "  Ünüsual \t text — 68 year old  man with ____{3} . exam reveals ____{2}\n , no <b>fever</b> "
    done = run("infill", "-", "--diagnosis", "Heart failure", "--seed", 0, "--json", input=text)
    assert done.returncode == 0, done.stderr
    written = json.loads(done.stdout)["text"]
    for piece in re.split(r"____\{\d\}", text):
        assert piece in written
        written = written.split(piece, 1)[1]
    assert written == ""


def test_output_files(place):
    "A CSV and a JSONL with the notes, and nothing on standard output."
    import pandas as pd

    for name in ("notes.csv", "notes.jsonl"):
        done = here("generate", "Gout", "Croup", "--preset", "fast", "--seed", 1, "--output", name)
        assert done.returncode == 0 and done.stdout == "", done.stderr
    csv, jsonl = pd.read_csv(place / "notes.csv"), pd.read_json(place / "notes.jsonl", lines=True)
    assert csv.clinical_note.tolist() == jsonl.text.tolist() and csv.diagnosis.tolist() == ["Gout", "Croup"]
    assert here("generate", "Croup", "--preset", "fast", "--length", 9, "--output", "notes.csv", "--overwrite").returncode == 0
    assert pd.read_csv(place / "notes.csv").diagnosis.tolist() == ["Croup"]


def test_corpus_is_the_shipped_one(place):
    "`meddiff corpus` writes the shipped file byte for byte, here its first third; another seed shares no note with it."
    import pandas as pd

    assert here("corpus", "--n", 8000).returncode == 0
    assert len(pd.read_csv("medical_dataset.csv")) == 8000 and dataset_path().read_bytes().startswith((place / "medical_dataset.csv").read_bytes())
    assert here("corpus", "--n", 3000, "--seed", 1, "--output", "other.csv").returncode == 0
    assert not set(pd.read_csv(place / "other.csv").clinical_note) & set(pd.read_csv(dataset_path()).clinical_note)


def wait_for(path: Path, process: subprocess.Popen, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None and time.monotonic() < until, process.stderr.read()
        time.sleep(0.1)


def start_training(place: Path, *arguments) -> subprocess.Popen:
    command = [*MEDDIFF, "train", "--data", "good.csv", *SMALL, "--save-every", "0.5", *map(str, arguments)]
    return subprocess.Popen(command, cwd=place, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_killed_generation_goes_on(place):
    "Killed in the middle, the same command goes on and gives what one that was left alone gives: every note once. Another request does not."
    command = "generate", "Gout", "Croup", "--preset", "fast", "--n", 20, "--length", 10, "--seed", 1
    process = subprocess.Popen([*MEDDIFF, *map(str, command), "--output", "notes.jsonl"], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 300
    while not Path("notes.jsonl.part").exists() or Path("notes.jsonl.part").read_bytes().count(b"\n") < 3:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert not Path("notes.jsonl").exists()
    with open("notes.jsonl.part", "ab") as f:
        f.write(b'{"place": 77, "text": "cut of')
    other = here(*command[:-1], 2, "--output", "notes.jsonl")
    assert other.returncode == 2 and "another request" in other.stderr
    done = here(*command[:-2], "--output", "notes.jsonl")  # it knows its seed
    assert done.returncode == 0 and "going on with" in done.stderr, done.stderr
    again = here(*command, "--output", "whole.jsonl")
    rows, whole = ([json.loads(x) for x in Path(name).read_text(encoding="utf-8").splitlines()] for name in ("notes.jsonl", "whole.jsonl"))
    assert again.returncode == 0 and [(r["diagnosis"], r["index"]) for r in rows] == [(d, i) for d in ("Gout", "Croup") for i in range(20)]
    assert sum(a["text"] == b["text"] for a, b in zip(rows, whole)) >= 39  # other batches, so sums of floats in another order
    assert not list(place.glob("*.part")) and not list(place.glob("*.tmp"))


@pytest.mark.parametrize("number, code", [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_killed_and_resumed(place, number, code):
    "However a training ends, its files are whole: it is resumed, and notes are generated from it."
    training = start_training(place, "--max-steps", 100000, "--no-decay")
    wait_for(place / "medical_diffusion.resume.pt", training)
    training.send_signal(number)
    assert training.wait(60) == code
    assert not list(place.glob("*.tmp")) or code == -9
    stopped = torch.load(place / "medical_diffusion.resume.pt", weights_only=True)["step"]
    resumed = here("train", "--data", "good.csv", "--resume", "--max-steps", stopped + 5, "--device", "cpu")
    assert resumed.returncode == 0, resumed.stderr
    assert torch.load(place / "medical_diffusion.resume.pt", weights_only=True)["step"] == stopped + 5
    note = here("generate", "Gout", "--checkpoint", "medical_diffusion.pt", "--length", 12, "--seed", 0)
    assert note.returncode == 0 and note.stdout.strip(), note.stderr


@pytest.mark.skipif(os.name == "nt", reason="torch's Windows builds have no libuv for torchrun")
def test_two_processes_make_the_same_steps_and_one_goes_on(place):
    "Both read their own batches and take one step together; what they leave is resumed by one process."
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--no-python", *MEDDIFF, "train", "--data", "good.csv", "--output", "two.pt", *SMALL, "--max-steps"]
    done = subprocess.run([*command, "6"], capture_output=True, text=True, encoding="utf-8", env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("wrote two.pt") == 1 and "6 steps" in done.stderr
    (line,) = map(json.loads, Path("two.jsonl").read_text().splitlines())
    again = here("train", "--data", "good.csv", "--output", "two.pt", "--resume", *SMALL, "--max-steps", "8")
    assert again.returncode == 0, again.stderr
    later = json.loads(Path("two.jsonl").read_text().splitlines()[-1])
    assert (line["step"], later["step"]) == (6, 8)
    assert line["tokens"] / 6 > 1.5 * (later["tokens"] - line["tokens"]) / 2 > 0


def test_resuming_with_other_notes_is_refused(place):
    "The resume file belongs to its notes."
    assert here(*TRAIN, "--data", "good.csv").returncode == 0
    before = (place / "medical_diffusion.resume.pt").read_bytes()
    Path("more.csv").write_text(GOOD + "Gout,One more note about a toe.\n" * 1 + "".join(f"Gout,More {i} toes.\n" for i in range(20)), encoding="utf-8")
    refused = here("train", "--data", "more.csv", "--resume", "--max-steps", 9)
    assert refused.returncode == 2 and "give the same --data" in refused.stderr
    assert (place / "medical_diffusion.resume.pt").read_bytes() == before


def test_training_begins_with_the_shipped_weights(place):
    "`--init-from shipped` takes network and sizes from the package, and words and diagnoses from the notes."
    trained = here("train", "--data", "good.csv", "--init-from", "shipped", "--max-steps", 1)
    assert trained.returncode == 0 and "4.8M parameters" in trained.stderr + trained.stdout, trained.stderr
    note = here("generate", "Gout", "--checkpoint", "medical_diffusion.pt", "--length", 10, "--json")
    assert note.returncode == 0 and json.loads(note.stdout)["diagnosis"] == "Gout", note.stderr


def test_the_rival(place, root):
    "`--model gpt2` trains and resumes a GPT-2 on the same notes; `evaluate --rival` measures both."
    dataset = (root / "medical_dataset.csv").read_text(encoding="utf-8").splitlines()
    of = lambda split, n: [line for line in dataset[1:] if line.endswith(f",{split}")][:n]
    Path("some.csv").write_text("\n".join([dataset[0], *of("train", 200), *of("valid", 20), *of("test", 60)]) + "\n", encoding="utf-8")
    small = ["--width", 32, "--layers", 1, "--device", "cpu"]
    trained = here("train", "--model", "gpt2", "--data", "some.csv", "--output", "rival.pt", "--max-steps", 3, *small)
    assert trained.returncode == 0, trained.stderr
    resumed = here("train", "--model", "gpt2", "--data", "some.csv", "--output", "rival.pt", "--max-steps", 5, "--resume", "--device", "cpu")
    assert resumed.returncode == 0 and "5 steps" in resumed.stderr, resumed.stderr
    measured = here("evaluate", "--data", "some.csv", "--n", 20, "--rival", "rival.pt", "--json", "--output", "figure.png")
    assert measured.returncode == 0, measured.stderr
    rows = json.loads(measured.stdout)["measures"]
    assert set(rows["seen 4-grams"]) == {"generated", "held-out", "shuffled", "rival", "relative"}
    assert rows["nats a token, held-out"]["rival"]["value"] > rows["nats a token, held-out"]["generated"]["value"]
    assert all(e["low"] <= e["high"] for row in rows.values() for e in row.values() if None not in e.values())
    assert (place / "figure.png").read_bytes()[:4] == b"\x89PNG"
    wrong = here("generate", "Gout", "--checkpoint", "rival.pt")
    assert wrong.returncode == 2 and "--rival" in wrong.stderr
    wrong = here("evaluate", "--data", "some.csv", "--n", 20, "--rival", "other.pt")
    assert wrong.returncode == 2 and "--model gpt2" in wrong.stderr


def test_a_cased_encoder_768_wide(place):
    "What `emilyalsentzer/Bio_ClinicalBERT` is on the hub: trains, saves, generates, with case kept."
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = sorted({w for line in GOOD.splitlines() for w in line.replace(",", " ").replace(".", " . ").split()})
    Path("vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]), encoding="utf-8")
    BertTokenizerFast("vocab.txt", do_lower_case=False).save_pretrained("cased")
    BertModel(BertConfig(vocab_size=len(words) + 5, hidden_size=768, num_hidden_layers=1, num_attention_heads=12, intermediate_size=256)).save_pretrained("cased")
    trained = here("train", "--data", "good.csv", "--encoder", place / "cased", "--max-steps", 60, *SMALL)
    assert trained.returncode == 0, trained.stderr
    note = here("generate", "Gout", "Unheard of disease", "--checkpoint", "medical_diffusion.pt", "--seed", 0, "--length", 10, "--json")
    assert note.returncode == 0, note.stderr
    known, unknown = map(json.loads, note.stdout.splitlines())
    assert unknown["nearest"] == "Gout" and known["text"] != unknown["text"]


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_classic_predictions_train_generate_and_fill(place, kind):
    "The classic way, from data to note, with the diagnosis as a prefix."
    trained = here("train", "--data", "good.csv", "--prediction-type", kind, "--conditioning", "prefix", "--schedule", "linear", "--max-steps", 5, *SMALL)
    assert trained.returncode == 0, trained.stderr
    note = here("generate", "Gout", "--checkpoint", "medical_diffusion.pt", "--block-size", 0, "--steps", 10, "--length", 10, "--seed", 0)
    assert note.returncode == 0 and note.stdout.strip(), note.stderr
    filled = here("infill", "A man with ____{2} , seen ____ today.", "--diagnosis", "Gout", "--checkpoint", "medical_diffusion.pt", "--seed", 0)
    assert filled.returncode == 0 and filled.stdout.startswith("A man with ") and filled.stdout.rstrip().endswith("today."), filled.stderr


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_the_app_ends_with_its_command(place):
    "A signal to `meddiff app` ends the server, not only the command that started it."
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]

    def answers() -> bool:
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    process = subprocess.Popen([*MEDDIFF, "app", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"STREAMLIT_SERVER_HEADLESS": "true"})
    try:
        until = time.monotonic() + 120
        while not answers():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.2)
        process.terminate()
        process.wait(60)
        assert not answers()
    finally:
        process.kill()
