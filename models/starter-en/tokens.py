"""Whisper's English byte-pair tokens, cut to those that our words need.

The network's softmax runs over the tokens in use plus one shared "unused" row, which stands for all
others with its logit raised by the logarithm of their number; export copies that row to each.
"""

import base64
import functools
import importlib.util
import math
import os
import re

N_VOCAB = 51864
EOT, SOT, NO_SPEECH, NO_TIMESTAMPS = 50256, 50257, 50361, 50362


@functools.lru_cache(None)
def ranks():
    """GPT-2's merges as {bytes: rank}, from the pinned Whisper package's data file."""
    folder = os.path.dirname(importlib.util.find_spec("whisper").origin)
    with open(os.path.join(folder, "assets", "gpt2.tiktoken"), "rb") as f:
        return {base64.b64decode(a): int(b) for a, b in (line.split() for line in f if line.strip())}


@functools.lru_cache(None)
def _pieces(chunk):
    parts, table = [bytes([b]) for b in chunk.encode()], ranks()
    while len(parts) > 1:
        rank, i = min((table.get(parts[i] + parts[i + 1], 1 << 30), i) for i in range(len(parts) - 1))
        if rank == 1 << 30:
            break
        parts[i:i + 2] = [parts[i] + parts[i + 1]]
    return tuple(table[p] for p in parts)


def encode(text):
    """GPT-2 ids of " " + text."""
    out = []
    for chunk in re.findall(r"'(?:s|t|re|ve|m|ll|d)| ?[a-z]+| ?[^\sa-z]+", " " + text):
        out += _pieces(chunk)
    return out


class Tokens:
    """Local ids 0..n-1 for the tokens in use, then the special ones."""

    def __init__(self, used):
        self.used = sorted(used)
        self.local = {t: i for i, t in enumerate(self.used)}
        n = len(self.used)
        self.eot, self.sot, self.no_timestamps, self.no_speech, self.unused = range(n, n + 5)
        self.rows = n + 5
        self.bytes = {v: k for k, v in ranks().items()}

    @classmethod
    def of_words(cls, words):
        used = set()
        for word in words:
            used.update(encode(word))
        return cls(used)

    @property
    def unused_bias(self):
        return math.log(N_VOCAB - self.rows + 1)

    def encode(self, text):
        return [self.local[t] for t in encode(text)]

    def knows(self, text):
        return all(t in self.local for t in encode(text))

    def decode(self, ids):
        return b"".join(self.bytes[self.used[i]] for i in ids if i < len(self.used)).decode(errors="replace").strip()
