"Every notebook is a test: it runs from top to bottom, and each of its assertions must hold."

import os
import random
import signal
import sys
from pathlib import Path

import pytest

config = pytest.importorskip("nbdev.config")  # the light tests on macOS and Windows do without nbdev
nbdev_test = pytest.importorskip("nbdev.test")


@pytest.fixture
def tidy():
    "Notebooks share this process, so that torch is imported once: what one of them sets must not reach the next."
    import matplotlib.pyplot as plt
    import numpy as np
    import torch

    def seed() -> None:
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)

    path, environ, interrupt = list(sys.path), dict(os.environ), signal.getsignal(signal.SIGINT)
    threads, dtype, deterministic = torch.get_num_threads(), torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled()
    seed()
    yield
    plt.close("all")
    plt.rcdefaults()
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)
    torch.use_deterministic_algorithms(deterministic)
    sys.path[:] = path
    os.environ.clear()
    os.environ.update(environ)
    signal.signal(signal.SIGINT, interrupt)  # nbdev's handler ends the process at once, without pytest's summary


def test_notebook(notebook: Path, tidy):
    "Cells flagged `slow`, `cuda` or `hub` are skipped; the working folder is nbs/."
    cfg = config.get_config(notebook.parent)
    passed, _ = nbdev_test.test_nb(notebook.absolute(), skip_flags=cfg.tst_flags.split(), basepath=cfg.config_path)
    assert passed, f"{notebook.name} failed: the traceback stands above, under “Captured stderr call”"
