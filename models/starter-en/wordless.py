"""Recordings without a word in them, and their manifest, for `attendant test speech --non-speech`.

    python wordless.py --work DIR --out FOLDER --minutes 50
    attendant test speech --non-speech --manifest FOLDER/manifest.tsv --minutes 50

Each is a scene of twenty seconds: sounds of one kind of nothing.py, half a second to three seconds apart, over a
quiet background. No two are alike, none is one that was trained on, but all kinds of them were: recordings
of real rooms and streets say more.
"""

import argparse
import os

import numpy as np
import soundfile

import augment
import data
import nothing

RATE = 16000
SECONDS = 20


def scene(line, kind, voice):
    """Twenty seconds of one kind, 16 kHz, peaks below full scale."""
    r, pieces, length = line.r, [], 0
    while length < SECONDS * RATE:
        piece = line.nothing(voice(), voice, kind)
        gap = np.zeros(int(RATE * r.uniform(0.5, 3)), np.float32)
        # What sounds without end is heard without gaps half of the time.
        lasting = kind in ("noise", "hum", "babble", "crowd", "wind", "engine", "rattle") and r.random() < 0.5
        pieces += [piece / (np.abs(piece).max() + 1e-6) * r.uniform(0.2, 0.6)] + ([] if lasting else [gap])
        length += sum(map(len, pieces[-1 if lasting else -2:]))
    a = np.concatenate(pieces)[: SECONDS * RATE]
    floor = line.noise(len(a)) * 10 ** (-r.uniform(40, 60) / 20)
    return np.clip(a + floor, -1, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default="../../target/starter-en")
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=50)
    parser.add_argument("--seed", type=int, default=4242)
    a = parser.parse_args()
    os.makedirs(os.path.join(a.out, "noise_made"), exist_ok=True)
    line, held = augment.Line(a.seed), data.Store(os.path.join(a.work, "test"))
    voice = lambda: held.samples(line.r.choice(held.items))
    with open(os.path.join(a.out, "manifest.tsv"), "w") as f:
        f.write("path\ttranscript\tspeaker\tsource\n")
        kinds = [k for k in nothing.KINDS if k != "silence"]
        for number in range(int(a.minutes * 60 / SECONDS)):
            kind = kinds[number % len(kinds)]
            path = f"noise_made/{kind}-{number:03d}.wav"
            soundfile.write(os.path.join(a.out, path), scene(line, kind, voice), RATE, subtype="PCM_16")
            f.write(f"{path}\t\t-\tmade\n")


if __name__ == "__main__":
    main()
