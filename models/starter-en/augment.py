"""What the line does to a voice, applied afresh to every utterance that is trained on.

Speed and formants (by resampling), rooms, noises, the telephone's band and G.711, other codecs,
clipping, lost packets, level, silence before and after or none, background that is cut off with the voice. All filtering of an utterance is one pass by FFT: long
convolutions in the time domain would cost more than the network.

Also what must be heard as nothing (nothing.py).
"""

import glob
import os
import random

import numpy as np
import voice_codecs
from nothing import Nothing
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

RATE = 16000
# Recordings in the speech folder whose licence lets shipped weights be trained on them.
NOISES = ["noise/musan*", "noise/mycroft*", "noise_sc_silence/*"]


def _companding():
    """Sixteen-bit samples as they come back from mu-law and from A-law, as two tables."""
    x = np.arange(-32768, 32768)
    s, a = np.sign(x), np.minimum(np.abs(x), 32635) + 132
    e = np.floor(np.log2(a)).astype(int) - 7
    mu = s * ((((a >> (e + 3)) << (e + 3)) + (1 << (e + 2))) - 132)
    a = np.abs(x)
    e = np.maximum(np.floor(np.log2(np.maximum(a, 1))).astype(int) - 8, 0)
    shift = np.where(e > 0, e + 3 + 1, 4)
    al = np.where(x < 0, -1, 1) * (((a >> shift) << shift) + (1 << (shift - 1)))
    return [np.clip(t, -32768, 32767).astype(np.float32) / 32768 for t in (mu, al)]


LAWS = _companding()


def g711(a, law):
    """Sixteen-bit companding of samples in [-1, 1]."""
    index = np.clip(np.rint(a * 32768), -32768, 32767).astype(np.int32) + 32768
    return LAWS[law][index]


class Line(Nothing):
    """Applies a random line to an utterance; one per process, seeded."""

    def __init__(self, seed, speech=None, strength=1.0):
        self.r = random.Random(seed)
        self.g = np.random.default_rng(seed)
        self.strength = strength
        self.codecs = voice_codecs.installed()
        self.noises = self._synthetic_noises()
        if speech:
            self.noises += self._recordings(speech)

    def _synthetic_noises(self):
        n = 1 << 18
        f = np.maximum(rfftfreq(n, 1 / RATE), 20)
        out = []
        for shape in (np.ones_like(f), f ** -0.5, f ** -1.0, 1 / (1 + (f / 500) ** 2), 1 / (1 + (f / 1500) ** 4)):
            spectrum = (self.g.standard_normal(len(f)) + 1j * self.g.standard_normal(len(f))) * shape
            out.append(irfft(spectrum, n).astype(np.float32))
        hum = sum(np.sin(2 * np.pi * 50 * k * np.arange(n) / RATE + k) / k for k in range(1, 12))
        out.append(hum.astype(np.float32) + 0.1 * out[0] / out[0].std())
        return [x / x.std() for x in out]

    def _recordings(self, speech):
        import soundfile
        import synth
        out = []
        for pattern in NOISES:
            for path in sorted(glob.glob(os.path.join(speech, pattern))):
                a, rate = soundfile.read(path, dtype="float32")
                a = synth.resample(a if a.ndim == 1 else a.mean(1), rate)[: 40 * RATE]
                if len(a) > RATE // 2 and a.std() > 1e-5:
                    out.append((a / a.std()).astype(np.float32))
        return out

    def noise(self, n, babble=None):
        """n samples of one kind of noise, at unit level; sometimes voices or swelling."""
        r = self.r
        if babble is not None and r.random() < 0.15:
            out = np.zeros(n, np.float32)
            for _ in range(r.randint(3, 6)):
                v = babble().astype(np.float32)
                k = r.randrange(len(v))
                out += np.resize(np.roll(v, k), n) / (v.std() + 1)
        else:
            source = self.noises[r.randrange(len(self.noises))] if r.random() < 0.6 else self.noises[r.randrange(6)]
            k = r.randrange(len(source))
            out = np.take(source, np.arange(k, k + n), mode="wrap")
        return out / (out.std() + 1e-6)

    def room(self, n_fft):
        """The spectrum of a decaying tail behind the direct sound."""
        r = self.r
        k = int(RATE * r.uniform(0.05, 0.4))
        tail = self.g.standard_normal(k).astype(np.float32) * np.exp(-r.uniform(4, 9) * np.arange(k, dtype=np.float32) / k)
        tail *= r.uniform(0.02, 0.12) / np.sqrt((tail ** 2).sum() / 20)
        tail[0] = 1
        return rfft(tail, n_fft)

    def speed(self, a, factor):
        n = int(len(a) / factor)
        return np.interp(np.linspace(0, len(a) - 1, n), np.arange(len(a)), a).astype(np.float32)

    def __call__(self, samples, babble=None, human=False):
        """A person's voice is stretched and cut more than a synthesiser's: there are fewer of them."""
        r, hard = self.r, self.strength
        a = samples.astype(np.float32) / 32768
        if r.random() < 0.8:
            most = 0.25 if human else 0.13
            a = self.speed(a, 1 + r.uniform(-most, most) * hard)
        # A voice detector that wakes late takes part of the first sound, one that sleeps early part of the last.
        short = len(a) < 1.2 * RATE
        cut = r.random() < ((0.45 if human else 0.3) if short else 0.12) * hard
        if cut:
            a = self.cut(a)
        # Sometimes a turn ends right at the word.
        tight = r.random() < ((0.6 if cut else 0.4 if human else 0.25) if short else 0.1) * hard
        before, after = ((0, 0.04), (0, 0.05)) if tight else ((0.05, 0.35), (0.1, 0.45))
        start, end = int(RATE * r.uniform(*before)), int(RATE * r.uniform(*after))
        a = np.concatenate([np.zeros(start, np.float32), a, np.zeros(end, np.float32)])
        loud = np.sqrt((a ** 2).mean()) + 1e-6
        snr = r.uniform(0, 40) if r.random() < 0.55 * hard else r.uniform(30, 60)
        if snr < 14 and r.random() < 0.5:
            snr += 12
        out = self.send(a, lambda n: self.noise(n, babble) * loud * 10 ** (-snr / 20),
                        reverb=r.random() < 0.3 * hard)
        if r.random() < (0.4 if cut else 0.15) * hard:
            # Telephones send nothing while nobody speaks: the background begins and ends with the word.
            hangs = 0 if cut and r.random() < 0.7 else r.randint(0, 1600)
            out[: max(0, start - hangs)] = 0
            out[len(out) - max(0, end - hangs):] = 0
        return out

    def cut(self, a):
        """Without what lies before and after the word, and without its sounds that are 9 to 35 dB below the loudest."""
        n = len(a) // 80
        if n < 30:
            return a
        energy = 10 * np.log10((a[: n * 80].reshape(n, 80) ** 2).mean(1) + 1e-10)
        first = np.nonzero(energy > energy.max() - self.r.uniform(9, 35))[0][0]
        last = np.nonzero(energy > energy.max() - self.r.uniform(9, 35))[0][-1] + 1
        # A tenth of a second is left, whatever else.
        return a[first * 80: max(last, first + 20) * 80]

    def send(self, a, noise=None, reverb=False, kind=None):
        """Room, noise, band, codec and level."""
        r = self.r
        n = len(a)
        size = next_fast_len(n + (3200 if reverb else 64), True)
        size += size % 2
        kind = kind or r.choices(["wide", "g711", "narrow"], [0.33, 0.57, 0.1])[0]
        if reverb or kind != "wide" or r.random() < 0.3:
            if noise is not None and reverb:
                spectrum = rfft(a, size) * self.room(size) + rfft(noise(n), size)
            else:
                spectrum = rfft(a + noise(n) if noise is not None else a, size)
            f = rfftfreq(size, 1 / RATE)
            if r.random() < 0.5:
                spectrum = spectrum * self._equaliser(f)
            if kind != "wide":
                low, high = r.choice([0, 60, 200, 300]), r.uniform(3300, 3900)
                # Slopes, as filters have them: none is a wall.
                gain = np.clip((high + 200 - f) / 200, 0, 1) * np.clip(f / max(low, 1), 0, 1) ** 2
                spectrum = spectrum * gain.astype(np.float32)
            a = irfft(spectrum, size)[:n].astype(np.float32)
        elif noise is not None:
            a = a + noise(n)
        peak = np.abs(a).max() + 1e-6
        a = a * (10 ** (r.uniform(-35, -1) / 20) / peak)
        if r.random() < 0.04 * self.strength:
            a = np.clip(a, -0.4 * np.abs(a).max(), 0.4 * np.abs(a).max())
        if self.codecs and r.random() < 0.08 * self.strength:
            a = self.coded(a, r.choice(self.codecs))
        if kind == "g711":
            a = self.telephone(a)
        if r.random() < 0.06 * self.strength:
            for _ in range(r.randint(1, 4)):
                k = r.randrange(max(1, n - 320))
                a[k:k + 320] = 0 if r.random() < 0.5 else a[max(0, k - 320):max(0, k - 320) + len(a[k:k + 320])]
        return a.astype(np.float32)

    def telephone(self, a):
        """Companded at 8 kHz and brought back to 16 kHz."""
        return self.at_half_rate(a, lambda half: g711(half, self.r.randrange(2)))

    def coded(self, a, codec):
        if codec.rate == RATE:
            return codec(a, self.r)
        return self.at_half_rate(a, lambda half: codec(half, self.r))

    def at_half_rate(self, a, through):
        """What `through` makes of the sound at 8 kHz, at 16 kHz again."""
        n = len(a)
        size = next_fast_len(n + 64, True)
        size += -size % 4
        half = through(irfft(rfft(a, size)[: size // 4 + 1], size // 2) / 2)
        spectrum = np.zeros(size // 2 + 1, np.complex64)
        spectrum[: size // 4 + 1] = rfft(half)
        return (irfft(spectrum, size) * 2)[:n].astype(np.float32)

    def _equaliser(self, f):
        """A gentle random slope with one bump, as handsets have."""
        r = self.r
        octave = np.log2(np.maximum(f, 100) / 1000)
        decibels = r.uniform(-3, 3) * octave + r.uniform(-6, 6) * np.exp(-((octave - r.uniform(-2, 1.7)) ** 2) / 0.5)
        return (10 ** (decibels / 20)).astype(np.float32)
