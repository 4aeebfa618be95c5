"""Experiments' folders made without a training, as training leaves them."""

import json
import math

import torch

from asr.model.acoustic import AcousticModel
from asr.model.file import save_model
from asr.settings import load_config
from asr.tokens import Tokens

TOKENS = Tokens(("<blank>", *" abcdefghijklmnopqrstuvwxyz"))
TINY = [
    *("features.num_mels=4", "model.conv_channels=1", "model.hidden=2"),
    *("model.layers=1", "train.epochs=4"),
]
#: What was said, by id; every speaker has two utterances.
REFERENCES = {f"u{n}": f"one two three {'four ' * (n % 3)}".strip() for n in range(12)}


def write_references(path, texts=REFERENCES):
    rows = [
        {
            "id": name,
            "audio_filepath": f"{name}.wav",
            "text": text,
            "speaker": f"s{n // 2}",
        }
        for n, (name, text) in enumerate(texts.items())
    ]
    write_lines(path, rows)
    return path


def write_lines(path, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def heard(wrong, texts=REFERENCES):
    """Return hypotheses in which so many utterances have a word wrong."""
    return {
        name: text.replace("two", "too") if n < wrong else text
        for n, (name, text) in enumerate(texts.items())
    }


def metrics(wer, epochs=4, pace=10.0):
    return [
        {
            **{"version": "0.1.0", "epoch": n, "loss": 1.0 / n, "dev_loss": 1.5 / n},
            **{"dev_wer": min(1.0, wer * epochs / n), "dev_cer": wer / 2},
            **{"learning_rate": 1e-3, "grad_norm": 1.0, "seconds": pace},
            **{"total_seconds": pace * n, "speed": 100.0, "peak_memory": 500.0 + n},
        }
        for n in range(1, epochs + 1)
    ]


def reach(decay=0.1, layers=2, frame=0.04, size=20):
    """Return what asr gradients writes of a gradient that falls so fast by frame."""
    rows = [
        {"k": k, "seconds": round(k * frame, 6), "relative": math.exp(-decay * abs(k))}
        for k in range(-size, size + 1)
    ]
    return {
        "seconds_per_frame": frame,
        "reach": rows,
        "horizons": [
            {
                "share": share,
                "back": min(-math.log(share) / decay, size) * frame,
                "ahead": None,
            }
            for share in (0.1, 0.01, 0.001)
        ],
        "layers": [
            {"layer": n, "weights": {"mean": 2.0 * n}, "input": {"mean": 1.0 * n}}
            for n in range(1, layers + 1)
        ],
    }


def experiment(folder, *settings, tokens=TOKENS, wrong=3, gradients=None, **summary):
    """Make an experiment's folder and return it."""
    folder.mkdir(parents=True)
    config = load_config(None, [*TINY, *settings])
    wer = summary.get("dev_wer", 0.25)
    told = {
        **{"version": "0.1.0", "utterances": 12, "hours": 0.5, "weights": 1000},
        **{"epoch": 4, "training_seconds": 40.0, "dev_wer": wer, "dev_cer": wer / 2},
        **{"dev_words": 40, **summary},
    }
    torch.manual_seed(0)
    save_model(folder / "model.safetensors", AcousticModel(config, tokens, told))
    write_lines(folder / "metrics.jsonl", metrics(wer))
    rows = [{"id": name, "text": text} for name, text in heard(wrong).items()]
    write_lines(folder / "dev.hyp.jsonl", rows)
    if gradients is not None:
        text = json.dumps(gradients)
        (folder / "gradients.json").write_text(text, encoding="utf-8")
    return folder
