"""What scoring is compared with: NIST's programs, and their recurrence written out."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

#: Where Debian's package sctk puts programs that are not on the path.
FOLDER = Path("/usr/lib/sctk/bin")


def program(name):
    """Return the path of one of NIST's programs, or skip the test."""
    found = shutil.which(name) or shutil.which(name, path=FOLDER)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt install sctk)")
    return found


def literal_steps(ref, hyp):
    """Return sclite's alignment as C, S, D and I: net_dp.c, word by word."""
    cost = {(0, 0): 0}
    back = {}
    for j in range(1, len(hyp) + 1):
        cost[0, j], back[0, j] = cost[0, j - 1] + 3, "I"
    for i in range(1, len(ref) + 1):
        cost[i, 0], back[i, 0] = cost[i - 1, 0] + 3, "D"
        for j in range(1, len(hyp) + 1):
            same = ref[i - 1] == hyp[j - 1]
            sub = cost[i - 1, j - 1] + (0 if same else 4)
            dele = cost[i - 1, j] + 3
            ins = cost[i, j - 1] + 3
            if sub <= dele and sub <= ins:
                cost[i, j], back[i, j] = sub, "C" if same else "S"
            elif dele < ins:
                cost[i, j], back[i, j] = dele, "D"
            else:
                cost[i, j], back[i, j] = ins, "I"
    i, j, steps = len(ref), len(hyp), ""
    while i or j:
        step = back[i, j]
        steps = step + steps
        i -= step != "I"
        j -= step != "D"
    return steps


def write_trn(path, texts):
    """Write texts by id; the speaker is what stands before the id's first hyphen."""
    lines = (f"{text} ({name})\n" for name, text in texts.items())
    path.write_text("".join(lines), encoding="utf-8")
    return path


def run_sclite(folder, refs, *systems, options=("-s",)):
    """Return sclite's sgml of one or more systems' texts, by id."""
    command = [program("sclite"), "-i", "swb", "-o", "sgml", "stdout", "-f", "0"]
    command += [*options, "-r", write_trn(folder / "ref.trn", refs)]
    for number, hyps in enumerate(systems):
        hyp = write_trn(folder / f"hyp{number}.trn", hyps)
        command += ["-h", hyp, "trn", f"system{number}"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return result.stdout


def read_steps(sgml):
    """Return id -> C, S, D and I of the alignments in sclite's sgml."""
    found = {}
    for name, path in re.findall(r'<PATH id="\((.*?)\)".*?>\n(.*?)</PATH>', sgml, re.S):
        words = re.findall(r'([CSDI]),(?:"[^"]*")?,(?:"[^"]*")?', path)
        found[name] = "".join(words)
    return found
