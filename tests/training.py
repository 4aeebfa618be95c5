"""What tests of training share: a monitor that remembers, and comparisons of runs."""

import json

import torch
from safetensors.torch import load_file

from asr.settings import load_config
from asr.training.monitor import Monitor
from asr.training.progress import Progress

TIMES = ("seconds", "total_seconds", "speed", "peak_memory")


class Recorder(Monitor):
    """Keeps what it is told, and breaks off where asked."""

    def __init__(self, *, after_epoch=0, in_epoch=0, batch=1):
        self.after_epoch, self.in_epoch, self.at_batch = after_epoch, in_epoch, batch
        self.notes, self.reports, self.starts, self.epoch = [], [], [], 0
        self.batches, self.audio, self.steps, self.lists = [], 0.0, 0, []

    def note(self, text):
        # Every training ends with one about this list.
        (self.lists if "/worst.jsonl: " in text else self.notes).append(text)

    def start_epoch(self, epoch, batches, done):
        self.epoch, self.steps = epoch, done
        self.starts.append((epoch, done))
        self.batches.append(batches)

    def batch(self, loss, audio):
        self.audio += audio
        self.steps += 1
        if (self.epoch, self.steps) == (self.in_epoch, self.at_batch):
            raise KeyboardInterrupt

    def end_epoch(self, report):
        self.reports.append(report)
        if report.epoch == self.after_epoch:
            raise KeyboardInterrupt


def config(settings, *changes):
    return load_config(None, [*settings, *changes])


def rows(out):
    text = (out / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def numbers(out):
    """Return the metrics of a run, without what the clock has to say."""
    return [{k: v for k, v in row.items() if k not in TIMES} for row in rows(out)]


def same_weights(one, other):
    one, other = load_file(one), load_file(other)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    return True


def shorten(prepared, folder, count):
    """Write manifests with the first ``count`` training utterances to ``folder``."""
    folder.mkdir()
    for split, kept in (("train", count), ("dev", None)):
        text = (prepared / f"{split}.jsonl").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()[:kept]]
        for row in lines:
            row["audio_filepath"] = str(prepared / row["audio_filepath"])
        (folder / f"{split}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in lines), encoding="utf-8"
        )


def metrics_rows(epochs, *, layers=3, ref="one two three", hyps=("one", "one two")):
    """Return rows of metrics as a training of so many epochs leaves them."""
    return [
        {
            **{"version": "0.1.0", "epoch": n, "loss": 3 / n, "dev_loss": 4 / n},
            **{"dev_wer": 1 / n, "dev_cer": 0.5 / n, "learning_rate": 0.002 / n},
            **{"grad_norm": 5 / n, "clipped": 1 / (n + 1), "skipped": 0},
            "grad_norms": {
                **{"subsampling": 1.0, "output": 2.0},
                **{f"recurrent.{k}": (k + 1) / n for k in range(layers)},
            },
            **{"blank_share": 0.7, "empty_share": 0.1, "seconds": 61.0},
            **{"total_seconds": 61.0 * n, "speed": 40.0, "peak_memory": 500.0 + n},
            "samples": [{"id": "u1", "ref": ref, "hyp": hyps[n % len(hyps)]}],
        }
        for n in range(1, epochs + 1)
    ]


def progress_of(rows, best=None):
    """Return the progress of a training with these rows; the last is the best."""
    row = rows[(best or len(rows)) - 1]
    return Progress(
        epoch=len(rows),
        seconds=rows[-1]["total_seconds"],
        best_wer=row["dev_wer"],
        best_loss=row["dev_loss"],
        best_epoch=row["epoch"],
        best_summary={
            **{"utterances": 843, "hours": 0.63, "weights": 4512345},
            **{"dev_words": 512, "epoch": row["epoch"]},
            **{"dev_wer": row["dev_wer"], "dev_cer": row["dev_cer"]},
        },
        history=rows,
    )
