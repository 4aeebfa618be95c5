"""Waveform and spectrogram augmentation, drawn by key."""

from asr.augment.draws import generator

__all__ = ["generator"]
