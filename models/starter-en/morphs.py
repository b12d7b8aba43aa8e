"""Voices between voices: a word of one speaker carried part of the way to another's, or a little beyond.

Few people say digits in the sets whose licence allows training on them, and people whom the network has not
met are heard worst. Between any two who say the same word lie speakers whom nobody recorded. WORLD (Morise
and others, 2016) takes a word apart into pitch, envelope and breath; both words' times are aligned by dynamic
time warping; envelopes meet as line spectral frequencies (Itakura, 1975), in whose terms a formant half way is
a formant, where a mean of two spectra would have two of half the height.

    python morphs.py --work DIR --speech FOLDER        chunks beside the people's
"""

import argparse
import os
import random

import numpy as np
import pyworld
from scipy.fft import dct

import accents
import people
import synth
import texts

RATE = synth.RATE
PERIOD = 5.0  # milliseconds a frame
FFT = 1024
ORDER = 24  # of the all-pole envelope: a pair of poles a formant, and some for the band's slope
ANSWERS = ["yes", "no"]
# Where a line hears them, "stop" and "go" are what others are mistaken for.
OTHERS = ["stop", "go"]


def poles(power):
    """All-pole coefficients (frames, ORDER + 1) of power spectra (frames, FFT / 2 + 1): Levinson and Durbin."""
    auto = np.fft.irfft(power, axis=1)[:, : ORDER + 1]
    auto[:, 0] *= 1 + 1e-5
    a = np.zeros((len(power), ORDER + 1))
    a[:, 0], error = 1, auto[:, 0].copy()
    for k in range(1, ORDER + 1):
        reflection = -(a[:, :k] * auto[:, k:0:-1]).sum(1) / error
        before = a[:, : k + 1].copy()
        a[:, : k + 1] = before + reflection[:, None] * before[:, ::-1]
        error *= 1 - reflection ** 2
    return a


def line_frequencies(a):
    """Line spectral frequencies (frames, ORDER), ascending radians, of all-pole coefficients."""
    longer = np.pad(a, ((0, 0), (0, 1)))
    out = []
    # Without the roots at -1 and at 1, which every frame has.
    for polynomial in (divided(longer + longer[:, ::-1], -1), divided(longer - longer[:, ::-1], 1)):
        companion = np.zeros((len(a), ORDER, ORDER))
        companion[:, 0] = -polynomial[:, 1:] / polynomial[:, :1]
        companion[:, np.arange(1, ORDER), np.arange(ORDER - 1)] = 1
        angles = np.sort(np.abs(np.angle(np.linalg.eigvals(companion))), axis=1)
        out.append(angles[:, ::2])
    return np.sort(np.concatenate(out, 1), axis=1)


def divided(polynomials, root):
    """Rows of coefficients, each divided by (z - root), which divides it."""
    out = np.zeros((len(polynomials), polynomials.shape[1] - 1))
    carry = np.zeros(len(polynomials))
    for k in range(out.shape[1]):
        carry = polynomials[:, k] + root * carry
        out[:, k] = carry
    return out


def envelope(frequencies):
    """The logarithm of the power spectra (frames, FFT / 2 + 1) whose line spectral frequencies are given, gain 1."""
    w = np.linspace(1e-3, np.pi - 1e-3, FFT // 2 + 1)
    # The sums' roots come first, then they alternate.
    apart = np.log(np.abs(np.cos(w)[None, None] - np.cos(frequencies)[:, :, None]) + 1e-9) * 2
    sums = apart[:, ::2].sum(1) + 2 * np.log(np.cos(w / 2))
    differences = apart[:, 1::2].sum(1) + 2 * np.log(np.sin(w / 2))
    return -(np.logaddexp(sums, differences) + ORDER * np.log(2))


class Word:
    """A word of a speaker, taken apart."""

    def __init__(self, samples, text, speaker):
        x = np.ascontiguousarray(samples, np.float64) / 32768
        x = x + np.random.default_rng(len(x)).standard_normal(len(x)) * 1e-5
        self.text, self.speaker = text, speaker
        f0, times = pyworld.dio(x, RATE, f0_floor=65, f0_ceil=500, frame_period=PERIOD)
        f0 = pyworld.stonemask(x, f0, times, RATE)
        power = pyworld.cheaptrick(x, f0, times, RATE, fft_size=FFT)
        self.breath = pyworld.d4c(x, f0, times, RATE, fft_size=FFT)
        self.voiced = (f0 > 0).astype(float)
        known = np.nonzero(f0 > 0)[0]
        self.pitch = (np.interp(np.arange(len(f0)), known, np.log(f0[known])) if len(known)
                      else np.full(len(f0), np.log(130.0)))
        log = np.log(power + 1e-12)
        self.lines = line_frequencies(poles(power))
        # What poles do not tell: the frame's loudness and the fine shape.
        self.rest = log - envelope(self.lines)
        bands = np.stack([log[:, k] for k in self._bands()], 1)
        cepstrum = dct(bands, axis=1, norm="ortho")[:, :14]
        self.features = (cepstrum - cepstrum.mean(0)) / (cepstrum.std(0) + 1e-3)
        self.features[:, 0] *= 2

    @staticmethod
    def _bands():
        """Bins at equal steps of the mel scale, 100 to 7600 Hz."""
        mel = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (100, 7600)), 40)
        return np.rint(700 * (10 ** (mel / 2595) - 1) * FFT / RATE).astype(int)

    def __len__(self):
        return len(self.lines)


def aligned(a, b):
    """Frames of two words that belong together, as two arrays of equal length (dynamic time warping)."""
    cost = np.sqrt(((a.features[:, None] - b.features[None]) ** 2).sum(2))
    n, m = cost.shape
    total = np.full((n + 1, m + 1), np.inf)
    total[0, 0] = 0
    for i in range(1, n + 1):
        row, above = total[i], total[i - 1]
        best = np.minimum(above[:-1], above[1:] + 0.3)
        for j in range(1, m + 1):
            row[j] = cost[i - 1, j - 1] + min(best[j - 1], row[j - 1] + 0.3)
    i, j, path = n, m, []
    while i and j:
        path.append((i - 1, j - 1))
        i, j = min(((i - 1, j - 1), (i - 1, j), (i, j - 1)), key=lambda at: total[at])
    return np.array(path[::-1], float).T


def at(rows, places):
    """Rows between rows."""
    low = np.clip(places.astype(int), 0, len(rows) - 1)
    high = np.minimum(low + 1, len(rows) - 1)
    part = (places - low).reshape(-1, *[1] * (rows.ndim - 1))
    return rows[low] * (1 - part) + rows[high] * part


def between(a, b, time, shape, tune, r):
    """The word at `time`, `shape` (formants, breath) and `tune` (pitch) of the way from a to b; sixteen-bit samples.

    Beyond 0 and 1 the difference is exaggerated. `r` adds a throat of another length, pitch and breath.
    """
    i, j = aligned(a, b)
    way = (1 - time) * i + time * j
    way = np.maximum.accumulate(way) + np.arange(len(way)) * 1e-6
    steps = np.arange(0, way[-1] + 0.5)
    i, j = np.interp(steps, way, i), np.interp(steps, way, j)
    mix = lambda x, y, share: (1 - share) * x + share * y
    # Fine shape, breath and voicing are not exaggerated: they would leave their range.
    inside = min(1, max(0, shape))
    lines = np.sort(mix(at(a.lines, i), at(b.lines, j), shape), axis=1)
    # Two lines that touch are a formant that rings for ever.
    for k in range(1, ORDER):
        lines[:, k] = np.maximum(lines[:, k], lines[:, k - 1] + 0.012)
    lines = np.clip(lines, 0.01, np.pi - 0.01)
    log = envelope(lines) + mix(at(a.rest, i), at(b.rest, j), inside)
    throat = r.uniform(0.87, 1.16)
    places = np.clip(np.arange(FFT // 2 + 1) / throat, 0, FFT // 2)
    log = at(log.T, places).T
    breath = np.clip(mix(at(a.breath, i), at(b.breath, j), inside), 1e-6, 1) ** r.uniform(0.6, 1.5)
    pitch = mix(at(a.pitch, i), at(b.pitch, j), tune) + np.log(throat) * 0.8 + r.uniform(-0.3, 0.3)
    middle = pitch.mean()
    pitch = middle + (pitch - middle) * r.uniform(0.5, 1.6)
    voiced = mix(at(a.voiced, i), at(b.voiced, j), inside) > 0.5
    f0 = np.where(voiced, np.clip(np.exp(pitch), 60, 520), 0.0)
    power = np.exp(np.clip(log, -28, log.max()))
    x = pyworld.synthesize(f0, np.ascontiguousarray(power), np.ascontiguousarray(breath), RATE, PERIOD)
    return None if not np.isfinite(x).all() or np.abs(x).max() < 1e-6 else people.level(x * 32768)


def synthetic(seed, count):
    """Words in synthesisers' voices, foreign accents among them, to carry people's towards."""
    r, espeak, studio = random.Random(seed), synth.Espeak(), synth.Studio(seed)
    out = []
    for _ in range(count):
        text = r.choice(accents.WORDS)
        if r.random() < 0.7:
            voice = r.choice(list(accents.ROWS))
            a = espeak.say(accents.ROWS[voice][text], voice + r.choice(synth.COMMON_VARIANTS), r.randint(120, 190),
                           r.randint(25, 75), r.randint(20, 70))
        else:
            a, voice = studio.flite_training(text)
        if a is not None:
            out.append((np.asarray(a), text, voice))
    return out + accents.festival_words()


def chunk(work, words, others, name, seed, count):
    """`count` words between voices, alone, as a chunk."""
    r = random.Random(seed)
    taken = {}

    def word(k, pool):
        if (k, pool is others) not in taken:
            taken[k, pool is others] = Word(*pool[k])
        return taken[k, pool is others]

    by_text = {}
    for k, (_, text, _) in enumerate(words):
        by_text.setdefault(text, []).append(k)
    of_others = {}
    for k, (_, text, _) in enumerate(others):
        of_others.setdefault(text, []).append(k)
    kinds = [[w for w in kind if w in by_text] for kind in (texts.DIGITS, ANSWERS, OTHERS)]
    writer = synth.ChunkWriter(os.path.join(work, "people"), name)
    while len(writer.rows) < count:
        text = r.choice(r.choices(kinds, [0.72, 0.22, 0.06])[0])
        a = word(r.choice(by_text[text]), words)
        if text in of_others and r.random() < 0.4:
            b, low, most = word(r.choice(of_others[text]), others), 0.1, 0.9
        else:
            b, low, most = word(r.choice(by_text[text]), words), -0.3, 1.3
        # Words of very unlike lengths are not said alike.
        if not 0.4 < len(a) / len(b) < 2.5:
            continue
        share = r.uniform(low, most)
        near = lambda: share + r.uniform(-0.2, 0.2)
        x = between(a, b, min(1, max(0, near())), share, near(), r)
        if x is not None and 0.12 * RATE < len(x) < 3 * RATE:
            writer.add(x, "morph", f"people:{a.speaker}~{b.speaker}", text)
    writer.close()


def build(speech, work, seed=17, count=6000, parts=1):
    """Writes `parts` chunks of `count` words each."""
    words = people.single_words(speech)
    others = synthetic(seed, 400)
    print(f"{len(words)} words of people, {len(others)} of synthesisers", flush=True)
    people.beside(chunk, [(work, words, others, f"morphs-{k}", seed + k, count) for k in range(parts)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default="../../target/starter-en")
    parser.add_argument("--speech", default=os.environ.get("ATTENDANT_SPEECH", "../../../shared/speech"))
    parser.add_argument("--count", type=int, default=6000, help="words a chunk")
    parser.add_argument("--parts", type=int, default=1, help="chunks, each by a process")
    a = parser.parse_args()
    if os.path.isdir(a.speech):
        build(a.speech, a.work, count=a.count, parts=a.parts)
    else:
        print(f"no folder {a.speech}: no voices to go between")
