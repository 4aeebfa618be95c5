"""What the doctor looks for: a code, its severity, and what to do, in one table."""

from dataclasses import dataclass
from typing import Literal

#: ``error``: training cannot use the utterance, or the error rate would be dishonest.
#: ``warning``: it probably costs accuracy. ``note``: good to know; nothing is lost.
Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
Group = Literal["files", "signal", "text", "pairing", "ctc", "splits", "memory"]
#: What ``--fix`` does: leave the utterance out, mend its manifest line, or nothing.
Fix = Literal["exclude", "mend", ""]


@dataclass(frozen=True)
class Code:
    """A kind of problem.

    Attributes:
        group: What part of the data it is about.
        severity: How bad it is; a finding may say otherwise, where it depends.
        fix: What ``--fix`` does about it.
        title: What is wrong, a heading.
        advice: What to do about it, one sentence or two.
    """

    group: Group
    severity: Severity
    fix: Fix
    title: str
    advice: str


CODES: dict[str, Code] = {
    "manifest-line": Code(
        *("files", "error", "exclude", "no utterance can be made of a line"),
        "Mend the line as the message says.",
    ),
    "file-missing": Code(
        *("files", "error", "exclude", "recording is missing"),
        "Was the corpus moved, or not copied whole? Paths start at the manifest.",
    ),
    "file-empty": Code(
        *("files", "error", "exclude", "recording holds no samples"),
        "Copy it again from where it came; a recorder or copy broke off.",
    ),
    "file-unreadable": Code(
        *("files", "error", "exclude", "recording cannot be opened"),
        "Check permissions, the disk, and the file's name.",
    ),
    "file-not-audio": Code(
        *("files", "error", "exclude", "file is not audio that can be read"),
        "Convert it to FLAC or WAV, with ffmpeg or sox; or take it out.",
    ),
    "file-header": Code(
        *("files", "error", "exclude", "header is absurd"),
        "The header claims what the file cannot hold; copy or convert it again.",
    ),
    "file-truncated": Code(
        *("files", "error", "exclude", "recording is cut short"),
        "The header promises more than the file holds; copy it again, or cut the "
        "text to what is left.",
    ),
    "file-damaged": Code(
        *("files", "error", "exclude", "recording is damaged midway"),
        "Copy it again from where it came.",
    ),
    "file-suffix": Code(
        *("files", "warning", "", "file's name says another format than its content"),
        "It is read by its content here; other programs may refuse it. Rename it.",
    ),
    "file-length": Code(
        *("files", "note", "", "header does not say how long the recording is"),
        "Other programs may need it converted.",
    ),
    "place-range": Code(
        *("files", "error", "exclude", "utterance lies outside its recording"),
        "Compare offset and duration with the recording; are they in seconds?",
    ),
    "place-duration": Code(
        *("files", "warning", "mend", "duration disagrees with the recording"),
        "Measure it again; --fix takes the recording's end where it ends before.",
    ),
    "signal-silent": Code(
        *("signal", "error", "exclude", "nothing can be heard"),
        "A muted microphone or the wrong channel? Nothing can be learnt from it.",
    ),
    "signal-quiet": Code(
        *("signal", "warning", "", "speech is very quiet"),
        "Was the right channel recorded, at the right gain?",
    ),
    "signal-nonfinite": Code(
        *("signal", "error", "exclude", "samples are not finite numbers"),
        "A division by zero in the program that wrote it; convert from the original.",
    ),
    "signal-clipped": Code(
        *("signal", "warning", "", "signal is clipped"),
        "Recorded too loud; use the original at a lower gain if there is one.",
    ),
    "signal-dc": Code(
        *("signal", "warning", "", "signal has a DC offset"),
        "A fault of the sound card; take the mean off, or filter below 20 Hz.",
    ),
    "signal-channel": Code(
        *("signal", "warning", "", "one channel is dead"),
        "Channels are averaged, so half the level is lost; keep the live one alone.",
    ),
    "signal-rate": Code(
        *("signal", "warning", "", "sample rate is below the model's"),
        "Where all are, set features.sample_rate to it; where some are, the model "
        "hears two kinds of speech.",
    ),
    "signal-bandwidth": Code(
        *("signal", "warning", "", "recording has a narrower band than its rate"),
        "Made at a lower rate and resampled, or from a telephone? It lacks what the "
        "others have.",
    ),
    "text-missing": Code(
        *("text", "error", "exclude", "utterance has no text"),
        "Write down what was said, or take it out.",
    ),
    "text-empty": Code(
        *("text", "error", "exclude", "text is empty"),
        "Nothing is left of it by normalisation; write down what was said.",
    ),
    "text-token": Code(
        *("text", "error", "exclude", "character has no token"),
        "Mend the texts, or add the character to tokens.characters.",
    ),
    "text-rare": Code(
        *("text", "warning", "", "character is too rare to be learnt"),
        "A typing error, or a letter of another language? Mend or transliterate it.",
    ),
    "text-form": Code(
        *("text", "warning", "mend", "Unicode form differs from the others'"),
        "Letters and accents are apart in some texts and composed in others; write "
        "all in NFC.",
    ),
    "text-lookalike": Code(
        *(
            "text",
            "warning",
            "mend",
            "letter of another script looks like the right one",
        ),
        "Replace it by the letter it looks like.",
    ),
    "text-digits": Code(
        *("text", "warning", "", "digits are not spelled out"),
        "Write numbers as they were spoken, or set text.numbers to the language.",
    ),
    "text-symbols": Code(
        *("text", "warning", "", "symbol is spoken but not spelled out"),
        "Write it as it was spoken (percent, and, euros); as a symbol it is dropped.",
    ),
    "text-control": Code(
        *("text", "note", "mend", "control character in the text"),
        "Left behind by an editor or a table; take it out.",
    ),
    "text-invisible": Code(
        *("text", "note", "mend", "invisible character in the text"),
        "Byte order marks and zero-width characters cannot be heard; take them out.",
    ),
    "text-case": Code(
        *("text", "note", "", "splits differ in upper and lower case"),
        "Write all splits alike, or leave text.case at lower or upper.",
    ),
    "pair-id": Code(
        *("pairing", "error", "exclude", "id occurs twice"),
        "Give every utterance an id of its own, over all splits.",
    ),
    "pair-audio": Code(
        *("pairing", "warning", "exclude", "the same audio occurs twice"),
        "Keep one of them; between splits it makes the error rate too good.",
    ),
    "pair-texts": Code(
        *("pairing", "error", "exclude", "the same audio has two texts"),
        "Listen, and keep the right one.",
    ),
    "pair-rate": Code(
        *("pairing", "warning", "", "text is far too long or short for its audio"),
        "Listen: is it the transcript of this recording?",
    ),
    "ctc-tokens": Code(
        *("ctc", "error", "", "tokens cannot be made from the texts"),
        "Fewer subwords (tokens.size), or characters (tokens.unit = char).",
    ),
    "ctc-frames": Code(
        *("ctc", "error", "exclude", "text does not fit its audio"),
        "CTC needs a frame a label. Is the text right? Else lower model.subsampling.",
    ),
    "split-speaker": Code(
        *("splits", "warning", "", "speaker is in two splits"),
        "Split by speaker, or say that the error rate is one on known speakers.",
    ),
    "split-sentence": Code(
        *("splits", "warning", "", "sentences of a test split are in training"),
        "Say so beside the error rate, or split by sentence.",
    ),
    "split-duration": Code(
        *("splits", "warning", "", "utterance is longer than all of training"),
        "A network is poor on lengths it never met; train on some, or cut these.",
    ),
    "split-characters": Code(
        *("splits", "warning", "", "character never occurs in training"),
        "It cannot be recognised, and counts as an error; mend it, or train on some.",
    ),
    "memory-long": Code(
        *("memory", "error", "exclude", "utterance does not fit a batch"),
        "Cut it at pauses, or raise train.batch_seconds (and with it the memory).",
    ),
}
