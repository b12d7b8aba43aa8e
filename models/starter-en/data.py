"""Batches of augmented utterances, made in a process of their own beside the network's.

Chunks are picked up while they are being synthesised. Utterances of like length share a batch, so
that little of it is padding.
"""

import glob
import os
import queue
import random
import re
import signal
import time
import traceback

import numpy as np

RATE = 16000
FRAME = 320  # samples an encoder position
CONTEXT = 500  # positions of the encoder
# Seconds of an utterance that stay within the context when they are drawn out and padded.
LONGEST = 6.5

# How much of people's speech is what they said as they said it, their words joined anew, words between two voices,
# and accents.
PEOPLE = {"said": 0.2, "joined": 0.35, "morph": 0.28, "accent": 0.17}
# The share of each kind of text, engine or single word that is kept where it is drawn; the rest is
# drawn again. Numbers and answers are what callers say most and what a likelier word must not replace;
# espeak-ng is the easiest to learn; "go" is what "no" is mistaken for.
KEEP = {"words": 0.35, "shuffled": 0.4, "read": 0.7, "name": 0.7, "address": 0.6, "letters": 0.7, "travel": 0.6,
        "people_sentence": 0.3, "accent_word": 0.7, "espeak": 0.75,
        "go": 0.3, "stop": 0.4, "yup": 0.2, "yep": 0.2}


def kind_of_people(category):
    return {"people_joined": "joined", "morph": "morph"}.get(category, "accent" if category.startswith("accent") else "said")


def kept(category, voice, text):
    """The share of such utterances that is used."""
    # The same word twice running is where the decoder loses its place: heard more often.
    twice = 1 if re.search(r"\b(\w+) \1\b", text) else 0.6
    return twice * KEEP.get(category, 1) * KEEP.get(voice.split(":")[0], 1) * KEEP.get(text, 1)


class Store:
    """The utterances of a folder's chunks: (samples, category, voice, text), read on demand."""

    def __init__(self, folder, knows=lambda text: True, longest=10):
        self.folder, self.knows, self.longest, self.seen, self.items = folder, knows, longest, set(), []
        self.refresh()

    def refresh(self):
        """Takes up chunks finished since the last call."""
        for path in sorted(glob.glob(os.path.join(self.folder, "*.tsv"))):
            if path in self.seen:
                continue
            self.seen.add(path)
            pcm = np.memmap(path[:-4] + ".pcm", dtype="<i2", mode="r")
            with open(path) as f:
                for line in f:
                    start, n, category, voice, text = line.rstrip("\n").split("\t")
                    if self.knows(text) and int(n) <= self.longest * RATE:
                        self.items.append((pcm, int(start), int(n), category, voice, text))

    def samples(self, item):
        return np.array(item[0][item[1]:item[1] + item[2]])


def pad(arrays, multiple=FRAME, extra=0):
    """One float32 array (batch, samples), zeros after each."""
    n = max(map(len, arrays)) + extra
    out = np.zeros((len(arrays), n + -n % multiple), np.float32)
    for row, a in zip(out, arrays):
        row[: len(a)] = a
    return out


class Source:
    """Draws utterances by the curriculum and groups them into batches."""

    def __init__(self, work, speech, knows, seed, people_share, seconds):
        import augment
        self.r = random.Random(seed)
        self.corpus = Store(os.path.join(work, "corpus"), knows, LONGEST)
        self.people = Store(os.path.join(work, "people"), knows, LONGEST)
        self.line = augment.Line(seed, speech)
        self.people_share, self.seconds = people_share, seconds
        self.refreshed = time.time()

    def short(self, items, longest):
        return items if longest > 20 else [i for i in items if len(i[5].split()) <= longest]

    def draw(self, items):
        while True:
            item = self.r.choice(items)
            if self.r.random() < kept(*item[3:]):
                return item

    def pool(self, longest, nothing):
        """A list of batches: each a list of items, None standing for non-speech."""
        # Enough that those of a batch are of like length.
        size = max(768, int(8 * self.seconds))
        corpus, people = self.short(self.corpus.items, longest), {}
        for item in self.short(self.people.items, longest):
            people.setdefault(kind_of_people(item[3]), []).append(item)
        drawn = []
        for _ in range(size):
            if self.r.random() < nothing:
                drawn.append(None)
            elif people and self.r.random() < self.people_share:
                kind = self.r.choices(list(people), [PEOPLE[k] for k in people])[0]
                drawn.append(self.draw(people[kind]))
            else:
                drawn.append(self.draw(corpus))
        length = lambda i: i[2] if i else RATE * self.r.uniform(0.5, 3)
        keyed = sorted(((length(i), k) for k, i in enumerate(drawn)))
        batches, batch = [], []
        for n, k in keyed:
            if batch and (len(batch) + 1) * (n + 0.5 * RATE) > self.seconds * RATE:
                batches.append(batch)
                batch = []
            batch.append(drawn[k])
        batches.append(batch)
        self.r.shuffle(batches)
        return batches

    def voice(self):
        """An utterance for a crowd, or to be made unintelligible: a person's, where there are any, or a synthesiser's."""
        store = self.people if self.people.items and self.r.random() < 0.5 else self.corpus
        return store.samples(self.r.choice(store.items))

    def make(self, batch):
        audio, said = [], []
        for item in batch:
            if item is None:
                other = max((self.voice() for _ in range(5)), key=len)
                audio.append(self.line.nothing(other, self.voice))
                said.append("")
            else:
                audio.append(self.line(self.corpus.samples(item), self.voice, item[4].startswith("people")))
                said.append(item[5])
        longest = max(map(len, audio))
        extra = self.r.choice([0, 0, 0, self.r.randint(0, RATE)])
        return pad(audio, extra=max(0, min(extra, CONTEXT * FRAME - longest))), said


def serve(out, stage, work, speech, knows_of, seed, people_share, seconds):
    """The process's loop: puts (audio, texts) into the queue `out` for ever."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        parent = os.getppid()
        source = Source(work, speech, knows_of.knows, seed, people_share, seconds)
        while True:
            longest, nothing = stage[0], stage[1]
            for batch in source.pool(longest, nothing):
                if longest != stage[0]:
                    break
                audio, said = source.make(batch)
                # Half precision halves the way between the processes; it keeps eleven bits at every loudness.
                item = (audio.astype(np.float16), said)
                while True:
                    try:
                        out.put(item, timeout=5)
                        break
                    except queue.Full:
                        if os.getppid() != parent:
                            return
            if time.time() - source.refreshed > 20:
                source.corpus.refresh()
                source.people.refresh()
                source.refreshed = time.time()
    except Exception:
        traceback.print_exc()
        out.put(None)
