"""What tests of training share: a monitor that remembers, and comparisons of runs."""

import json

import torch
from safetensors.torch import load_file

from asr.settings import load_config
from asr.training.monitor import Monitor

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
