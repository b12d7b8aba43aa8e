"""People's speech from a folder of licensed clips, as chunks beside the synthetic ones.

Speakers are split by a hash of their name: three quarters are trained on, one only measured on. Single
words are also joined into strings, because the clips hold few spoken numbers.

    python people.py --work DIR --speech FOLDER
"""

import argparse
import csv
import hashlib
import multiprocessing
import os
import random

import numpy as np
import soundfile

import synth
import texts

# Sets whose licence lets shipped weights be trained on them.
SETS = ("speech_commands/", "speechocean762/", "train/speechocean762/", "vctk_p239/")
# Digits of three people at 8 kHz, whose licence asks for share-alike: measured on, never trained on.
MEASURED = ("fsdd/",)
WORDS = set(texts.DIGITS) | {"yes", "no", "stop", "go"}


def held_out(speaker):
    return hashlib.sha256(speaker.encode()).digest()[0] % 4 == 0


def rows(folder, sets=SETS):
    """(path, text, speaker) of every clip of the sets."""
    for name in ("manifest.tsv", "manifest-train.tsv"):
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            continue
        with open(path, newline="") as f:
            for row in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
                if row["path"].startswith(sets):
                    text = texts.normalise(row["transcript"])
                    if text and len(text.split()) <= 14:
                        yield os.path.join(folder, row["path"]), text, row["speaker"]


def load(path):
    samples, rate = soundfile.read(path, dtype="float32")
    if samples.ndim > 1:
        samples = samples.mean(1)
    return synth.resample(samples * 32767, rate)


def trim(a):
    """The part that holds speech, by short-time energy, with 60 ms around it."""
    n = len(a) // 160
    if n < 10:
        return a
    energy = np.sqrt((a[: n * 160].reshape(n, 160) ** 2).mean(1))
    floor = np.percentile(energy, 10)
    loud = np.nonzero(energy >= min(max(floor * 3, energy.max() * 0.06), energy.max() * 0.5))[0]
    return a[max(0, loud[0] - 6) * 160: (loud[-1] + 7) * 160]


def cut(a, count):
    """The words of a string spoken with gaps, or None where the gaps do not give `count` of them."""
    n = len(a) // 80
    a = a.astype(np.float32)
    energy = np.sqrt((a[: n * 80].reshape(n, 80) ** 2).mean(1))
    energy = np.convolve(energy, np.ones(5) / 5, "same")
    for share in (0.04, 0.07, 0.1, 0.14, 0.19, 0.25):
        loud = np.concatenate([[0], (energy > energy.max() * share).astype(int), [0]])
        starts, ends = np.nonzero(np.diff(loud) == 1)[0], np.nonzero(np.diff(loud) == -1)[0]
        if not len(starts):
            continue
        # A stop's closure, as in "eight" and "six", is no gap between words.
        joins = starts[1:] - ends[:-1] < 14
        starts, ends = starts[np.r_[True, ~joins]], ends[np.r_[~joins, True]]
        keep = ends - starts > 12
        starts, ends = starts[keep], ends[keep]
        lengths = ends - starts
        if len(starts) == count and lengths.max() < 150 and lengths.max() < 3.5 * lengths.min():
            return [level(a[max(0, s - 10) * 80:(e + 10) * 80]) for s, e in zip(starts, ends)]
    return None


def tempo(a, factor):
    """Faster or slower at the same pitch, by overlapping frames where they are most alike (WSOLA)."""
    a = a.astype(np.float32)
    frame, hop, reach = 480, 240, 120
    if len(a) < 4 * frame:
        return a
    window = np.hanning(frame).astype(np.float32)
    count = int((len(a) - frame - reach) / (hop * factor))
    out = np.zeros(count * hop + frame, np.float32)
    at = 0
    for k in range(count):
        if k:
            wanted = a[at + hop: at + hop + frame]
            middle = int(k * hop * factor)
            low = max(0, middle - reach)
            piece = a[low: middle + reach + frame]
            if len(wanted) < frame or len(piece) < frame:
                break
            at = low + int(np.correlate(piece, wanted, "valid").argmax())
        out[k * hop: k * hop + frame] += a[at: at + frame] * window
    return out


def level(a):
    return (a * (11000 / max(1.0, np.abs(a).max()))).astype("<i2")


def words_of(a, text, speaker):
    """The single words (samples, text, speaker) in a trimmed clip: itself, or those of a string of digits."""
    if text in WORDS:
        return [(a, text, speaker)]
    if len(text.split()) > 1 and all(w in texts.DIGITS for w in text.split()):
        return [(part, word, speaker) for part, word in zip(cut(a, len(text.split())) or [], text.split())]
    return []


def single_words(speech):
    """The single words (samples, text, speaker) of those who are trained on."""
    out = []
    for path, text, speaker in rows(speech):
        if not held_out(speaker) and (text in WORDS or all(w in texts.DIGITS for w in text.split())):
            a = trim(load(path))
            if 0.1 * synth.RATE < len(a) < 7.5 * synth.RATE:
                out += words_of(level(a), text, speaker)
    return out


def join(work, words, name, seed, count):
    """Strings of single words, as a chunk: of one speaker where there are enough of them, else of several."""
    r = random.Random(seed)
    writer = synth.ChunkWriter(os.path.join(work, "people"), name)
    by_text, by_speaker = {}, {}
    for a, text, speaker in words:
        by_text.setdefault(text, []).append(a)
        if text in texts.DIGITS:
            by_speaker.setdefault(speaker, []).append((a, text))
    rich = [v for v in by_speaker.values() if len({t for _, t in v}) >= 4]
    digits = [w for w in by_text if w in texts.DIGITS]
    for _ in range(count):
        length = r.choices([1, 2, 3, 4, 5, 6, 7], [9, 2, 3, 4, 3, 5, 1])[0]
        if rich and r.random() < 0.5:
            chosen = r.choices(r.choice(rich), k=length)
        else:
            pool = digits if r.random() < 0.85 else ["yes", "no", *digits]
            chosen = [(r.choice(by_text[t]), t) for t in r.choices(pool, k=length)]
        parts = []
        pace = r.uniform(0.65, 1.45)
        for a, _ in chosen:
            # Words of their own loudness and pace, as nobody speaks twice alike.
            a = tempo(a, pace * r.uniform(0.9, 1.1)) if r.random() < 0.7 else a
            parts += [(a * r.uniform(0.5, 1.0)).astype("<i2"), np.zeros(r.choice([0, r.randint(0, 2400)]), "<i2")]
        a = np.concatenate(parts[:-1])
        if len(a) < 7.5 * synth.RATE:
            writer.add(a, "people_joined", "people:joined", " ".join(t for _, t in chosen))
    writer.close()


def beside(make, each):
    """Calls `make` with each of the tuples of arguments, in processes side by side; ends the program where one fails."""
    makers = [multiprocessing.get_context("fork").Process(target=make, args=arguments) for arguments in each]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
        if maker.exitcode:
            raise SystemExit(f"{make.__name__} failed; its error stands above")


def build(speech, work, seed=5, joined=9000, parts=1):
    """The people trained on, those measured on, and `parts` chunks of `joined` strings each."""
    train, held = [], []
    for path, text, speaker in rows(speech):
        (held if held_out(speaker) else train).append((path, text, speaker))
    writer = synth.ChunkWriter(os.path.join(work, "people"), "people")
    words = []
    for path, text, speaker in train:
        a = trim(load(path))
        if not 0.1 * synth.RATE < len(a) < 7.5 * synth.RATE:
            continue
        a = level(a)
        words += words_of(a, text, speaker)
        kind = "digits" if all(w in texts.DIGITS for w in text.split()) else (
            "word" if text in WORDS else "sentence")
        writer.add(a, "people_" + kind, "people:" + speaker, text)
    writer.close()

    # A part of the other speakers' clips chooses the best model, the rest measures it.
    random.Random(seed).shuffle(held)
    validation = synth.ChunkWriter(os.path.join(work, "validation"), "people")
    test = synth.ChunkWriter(os.path.join(work, "test"), "people")
    counts = {"digit": 6, "digits": 20, "yesno": 30, "sentence": 30}
    for path, text, speaker in held:
        if text in ("stop", "go"):
            continue
        kind = ("digit" if text in texts.DIGITS else
                "digits" if all(w in texts.DIGITS for w in text.split()) else
                "yesno" if text in ("yes", "no") else "sentence")
        counts[kind] -= 1
        if kind == "sentence" and counts[kind] < -60:
            continue
        writer = validation if counts[kind] >= 0 else test
        writer.add(level(trim(load(path))), "people_" + kind, "people:" + speaker, text)
    for path, text, speaker in rows(speech, MEASURED):
        test.add(level(trim(load(path))), "people_fsdd", "people:" + speaker, text)
    test.close()
    validation.close()

    beside(join, [(work, words, f"joined-{k}", seed + k, joined) for k in range(parts)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default="../../target/starter-en")
    parser.add_argument("--speech", default=os.environ.get("ATTENDANT_SPEECH", "../../../shared/speech"))
    parser.add_argument("--parts", type=int, default=1, help="chunks of 9000 joined strings, each by a process")
    a = parser.parse_args()
    if os.path.isdir(a.speech):
        build(a.speech, a.work, parts=a.parts)
    else:
        print(f"no folder {a.speech}: training on synthetic voices alone")
