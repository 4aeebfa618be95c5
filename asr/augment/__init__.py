"""Waveform and spectrogram augmentation, drawn by key; README.md has what each does."""

from asr.augment.draws import generator

__all__ = ["generator"]
