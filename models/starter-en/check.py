"""Decodes utterances with whisper.cpp from an exported file and compares with this package's decoder.

    python check.py --work DIR --model ../starter-en.bin
"""

import argparse
import os
import random

import numpy as np
import torch

import evaluate
from pywhispercpp.model import Model


def hear(model, audio):
    """The transcript, with the encoder's context cut to the utterance in steps of half a second."""
    seconds = np.ceil(len(audio) / 8000 + 0.5) / 2
    segments = model.transcribe(audio, audio_ctx=int(seconds * 50), single_segment=True, no_context=True,
                                suppress_blank=False, temperature_inc=0.0, no_timestamps=True,
                                print_progress=False, language="en", no_speech_thold=2.0)
    return " ".join(s.text.strip() for s in segments)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default="../../target/starter-en")
    parser.add_argument("--checkpoint")
    parser.add_argument("--model", default="../starter-en.bin")
    parser.add_argument("--count", type=int, default=20, help="utterances of each set")
    a = parser.parse_args()
    torch.set_num_threads(1)
    net, tokens, _ = evaluate.load(a.checkpoint or os.path.join(a.work, "best.pt"))
    model = Model(a.model, n_threads=1, redirect_whispercpp_logs_to=None,
                  # With flash attention whisper.cpp attends, unmasked, to stale memory beyond a cut context.
                  context_params={"flash_attn": False})
    for name, rows in evaluate.sets(a.work).items():
        rows = random.Random(3).sample(rows, min(a.count, len(rows)))
        ours = evaluate.transcribe(net, tokens, [r[3] for r in rows])
        theirs = [hear(model, r[3]) for r in rows]
        same = sum(x == y for x, y in zip(ours, theirs))
        edits = [sum(evaluate.word_errors(h, r[2])[0] for h, r in zip(side, rows)) for side in (ours, theirs)]
        print(f"{name}: {same} of {len(rows)} alike; word edits here {edits[0]}, in whisper.cpp {edits[1]}")
        for row, x, y in zip(rows, ours, theirs):
            if x != y:
                print(f"    said {row[2]!r}: here {x!r}, whisper.cpp {y!r}")


if __name__ == "__main__":
    main()
