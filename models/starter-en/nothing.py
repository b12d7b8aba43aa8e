"""What must be heard as nothing: a mixin of augment.Line.

Silence, noises, tones of the network, music, clicks, what is heard of a kitchen, an office and a street
(things that ring, knock, rattle and whistle, animals, engines, a crowd), breath, coughs, laughter, a voice
without words, and speech that nobody could understand: backwards, in pieces, buried in noise.
"""

import numpy as np
from scipy.fft import next_fast_len

RATE = 16000
# Hz and cadence (seconds on, off) of the network's tones: North America (Bellcore GR-506), Britain and
# Europe (ETSI TR 101 041).
TONES = {"ringback us": ((440, 480), 2, 4), "ringback uk": ((400, 450), 0.4, 0.2), "ringback eu": ((425,), 1, 4),
         "dial": ((350, 440), 9, 0), "dial eu": ((425,), 9, 0), "busy": ((480, 620), 0.5, 0.5),
         "busy eu": ((425,), 0.5, 0.5), "reorder": ((480, 620), 0.25, 0.25), "fax": ((1100,), 0.5, 3),
         "answer": ((2100,), 3, 0), "record": ((1400,), 0.5, 15)}
KEYS = ((697, 770, 852, 941), (1209, 1336, 1477, 1633))
# Kinds with their weights; the last five are made of utterances.
KINDS = {"silence": 1.5, "noise": 4, "tone": 2, "keys": 1, "music": 1.5, "click": 1, "hum": 1, "breath": 1.5,
         "cough": 1.2, "laughter": 1.5, "dishes": 1.5, "knocks": 1.2, "rattle": 1.2, "strings": 1.2, "siren": 0.7,
         "animal": 1.2, "wind": 1.2, "engine": 1, "vowels": 1.2, "babble": 1.5, "crowd": 1.5, "backwards": 1.2,
         "pieces": 1.2, "buried": 1}


class Nothing:
    """Needs the attributes `r`, `g`, and the methods `noise`, `send` and `speed`."""

    def nothing(self, speech, babble=None, kind=None):
        """Audio with an empty transcript, of any kind; `speech` is an utterance's samples, `babble` gives more."""
        r = self.r
        kind = kind or r.choices(list(KINDS), list(KINDS.values()))[0]
        n = int(RATE * r.uniform(0.4, 3.0))
        if kind == "silence":
            return (self.g.standard_normal(n) * 10 ** r.uniform(-6, -3)).astype(np.float32)
        if kind in ("backwards", "pieces", "buried"):
            a = getattr(self, "_" + kind)(speech.astype(np.float32) / 32768)
        elif kind in ("babble", "crowd"):
            a = getattr(self, "_" + kind)(n, babble or (lambda: speech))
        else:
            a = getattr(self, "_" + kind)(n, np.arange(n) / RATE)
        a = np.asarray(a, np.float32)
        lead = np.zeros(int(RATE * r.uniform(0, 0.3)), np.float32)
        a = np.concatenate([lead, a, lead])
        floor = a.std() * 10 ** (-r.uniform(15, 50) / 20) + 1e-5
        return self.send(a, lambda m: self.noise(m) * floor, reverb=r.random() < 0.2)

    def _noise(self, n, t):
        a = self.noise(n, None)
        if self.r.random() < 0.4:
            a = a * np.clip(np.interp(t, np.linspace(0, t[-1], 6), self.g.standard_normal(6)), 0.02, 3)
        return a

    def _tone(self, n, t):
        r = self.r
        if r.random() < 0.3:
            pitches, on, off = (r.uniform(300, 2500),), r.uniform(0.05, 1), r.uniform(0, 1)
        else:
            pitches, on, off = r.choice(list(TONES.values()))
        a = sum(np.sin(2 * np.pi * f * t + r.random() * 6) for f in pitches)
        return a * ((t + r.random() * (on + off)) % (on + off) < on)

    def _keys(self, n, t):
        r = self.r
        out, step, on = np.zeros(n), r.uniform(0.12, 0.5), r.uniform(0.05, 0.3)
        for k in range(int(t[-1] / step) + 1):
            pair = r.choice(KEYS[0]), r.choice(KEYS[1])
            now = (t >= k * step) & (t < k * step + min(on, step))
            out[now] = sum(np.sin(2 * np.pi * f * t[now]) for f in pair)
        return out

    def _music(self, n, t):
        r = self.r
        a, k = np.zeros(n), 0
        while k < n:
            m = int(RATE * r.choice([0.12, 0.25, 0.5, 1.0]))
            seg = np.arange(min(m, n - k)) / RATE
            decay = r.choice([3, 3, 8, 0.5])
            for note in r.sample(range(0, 24), r.randint(1, 3)):
                base = 130 * 2 ** (note / 12) * (1 + 0.004 * np.sin(2 * np.pi * 5.5 * seg))
                phase = 2 * np.pi * np.cumsum(base) / RATE
                a[k:k + m] += sum(np.sin(h * phase) / h ** 1.3 for h in (1, 2, 3, 4)) * np.exp(-seg * decay)
            if r.random() < 0.4:
                beat = self.g.standard_normal(len(seg)) * np.exp(-seg * 40)
                a[k:k + m] += beat * r.uniform(0.3, 2)
            k += m
        return a

    def _click(self, n, t):
        r, a = self.r, np.zeros(n)
        for _ in range(r.randint(1, 6)):
            k, m = r.randrange(n), r.randint(20, 1500)
            burst = self.g.standard_normal(m) * np.exp(-np.arange(m) / (m / 5))
            a[k:k + m] += burst[: n - k]
        return a

    def _hum(self, n, t):
        """Mains or a motor: a row of harmonics, slowly wandering, with hiss."""
        r = self.r
        base = r.choice([50, 60, r.uniform(80, 300)]) * (1 + 0.02 * np.sin(2 * np.pi * r.uniform(0.1, 2) * t))
        phase = 2 * np.pi * np.cumsum(base) / RATE
        a = sum(np.sin(k * phase + k) * r.uniform(0.1, 1) / k for k in range(1, r.randint(4, 16)))
        return a + self.noise(n) * r.uniform(0.01, 0.4)

    def _babble(self, n, babble):
        """So many voices that none can be followed."""
        out = np.zeros(n, np.float32)
        for _ in range(self.r.randint(7, 12)):
            v = babble().astype(np.float32)
            out += np.resize(np.roll(v, self.r.randrange(len(v))), n) / (v.std() + 1)
        return out

    def _crowd(self, n, babble):
        """Voices at the far end of a hall: each through a long tail of its own."""
        out = np.zeros(n, np.float32)
        for _ in range(self.r.randint(3, 8)):
            v = np.resize(np.roll(babble().astype(np.float32), self.r.randrange(4000)), n)
            m = int(RATE * self.r.uniform(0.4, 1.2))
            tail = self.g.standard_normal(m) * np.exp(-np.arange(m) * 5 / m)
            size = next_fast_len(n + m, True)
            out += np.fft.irfft(np.fft.rfft(v, size) * np.fft.rfft(tail, size), size)[m // 4: m // 4 + n] / (v.std() + 1)
        return out / (out.std() + 1e-6)

    def _struck(self, n, pitches, decay):
        """One blow on something that rings at those pitches, in Hz, each dying away at its own pace."""
        seg = np.arange(n) / RATE
        a = sum(self.r.uniform(0.2, 1) * np.sin(2 * np.pi * f * seg + self.r.random() * 6) *
                np.exp(-seg * decay * self.r.uniform(0.6, 2)) for f in pitches)
        return a + self.g.standard_normal(n) * np.exp(-seg * 300) * self.r.uniform(0, 1)

    def _blows(self, n, most, least_gap, widest_gap, blow):
        """Blows one after another; `blow` makes one of so many samples."""
        a, k = np.zeros(n), self.r.randint(0, n // 3)
        for _ in range(self.r.randint(1, most)):
            if k >= n:
                break
            m = min(n - k, int(RATE * 0.6))
            a[k:k + m] += blow(m) * self.r.uniform(0.3, 1)
            k += int(RATE * self.r.uniform(least_gap, widest_gap))
        return a

    def _dishes(self, n, t):
        """Cutlery, glasses, plates, keys, a bell: high pitches in no harmony."""
        r = self.r
        base = r.uniform(400, 3000)
        return self._blows(n, 8, 0.05, 0.6, lambda m: self._struck(
            m, [base * r.uniform(0.6, 3.5) for _ in range(r.randint(3, 7))], r.uniform(4, 40)))

    def _knocks(self, n, t):
        """A door, steps, a handset put down: low and short."""
        r = self.r
        gap = r.uniform(0.15, 0.7)
        return self._blows(n, 10, gap * 0.9, gap * 1.1, lambda m: self._struck(
            m, [r.uniform(60, 900) for _ in range(3)], r.uniform(25, 120)))

    def _rattle(self, n, t):
        """Typing, paper, rain, a bad contact: many small clicks through one resonance."""
        r, a = self.r, np.zeros(n)
        for k in self.g.integers(0, n, int(n / RATE * r.choice([6, 12, 60, 400, 2000]))):
            a[k] += self.g.standard_normal()
        m = int(RATE * r.uniform(0.004, 0.04))
        click = self._struck(m, [r.uniform(500, 3500), r.uniform(500, 3500)], 4 / m * RATE)
        size = next_fast_len(n + m, True)
        return np.fft.irfft(np.fft.rfft(a, size) * np.fft.rfft(click, size), size)[:n]

    def _strings(self, n, t):
        """Plucked strings: notes and chords with many harmonics, each dying away by itself."""
        r = self.r
        scale = r.choice([[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10], [0, 3, 5, 7, 10]])
        base = r.uniform(80, 220)
        note = lambda: base * 2 ** ((r.choice(scale) + 12 * r.randint(0, 2)) / 12)

        def pluck(m):
            f = note()
            return sum(self._struck(m, [c * h for h in range(1, 7)], r.uniform(2, 8))
                       for c in ([f] if r.random() < 0.6 else [f, f * 1.26, f * 1.5]))
        return self._blows(n, 14, 0.12, 0.5, pluck)

    def _siren(self, n, t):
        """An alarm or a horn: a pitch that goes up and down or jumps."""
        r = self.r
        low, span, pace = r.uniform(300, 900), r.uniform(1.05, 2.2), r.uniform(0.2, 5)
        swing = np.sin(2 * np.pi * pace * t + r.random() * 6)
        swing = np.sign(swing) if r.random() < 0.5 else swing
        phase = 2 * np.pi * np.cumsum(low * span ** (0.5 + 0.5 * swing)) / RATE
        return sum(np.sin(h * phase) / h ** r.uniform(0.5, 2) for h in (1, 2, 3, 5))

    def _animal(self, n, t):
        """Barks, mewing, crying, birds: a short glide of a buzz or of a whistle, over and over."""
        r, a, k = self.r, np.zeros(n), self.r.randint(0, n // 3)
        bird = r.random() < 0.4
        base, length = (r.uniform(1800, 3600), r.uniform(0.03, 0.2)) if bird else (r.uniform(200, 800), r.uniform(0.1, 0.9))
        bend, rough, gap = r.uniform(0.6, 1.6), 0 if bird else r.uniform(0, 0.6), r.uniform(0.05, 0.6)
        formants = (r.uniform(500, 1200), r.uniform(1300, 2800))
        while k < n:
            m = int(RATE * length * r.uniform(0.8, 1.2))
            seg = np.linspace(0, 1, m)
            phase = 2 * np.pi * np.cumsum(base * bend ** np.sin(np.pi * seg)) / RATE
            gain = lambda f: 1.0 if bird else sum(1 / (1 + ((f - c) / 200) ** 2) for c in formants) + 0.03
            voice = sum(gain(h * base) * np.sin(h * phase) for h in range(1, 2 if bird else max(2, int(3600 / base))))
            burst = (voice + rough * self.g.standard_normal(m)) * np.sin(np.pi * seg) ** r.uniform(0.3, 1)
            a[k:k + m] += burst[: n - k]
            k += m + int(RATE * gap * r.uniform(0.5, 1.5))
        return a

    def _wind(self, n, t):
        """Wind or breath on the microphone, surf, passing cars: slow swells of low noise."""
        r = self.r
        swell = np.interp(t, np.linspace(0, t[-1], 9), np.abs(self.g.standard_normal(9)))
        return self._coloured(n, r.uniform(20, 150), r.uniform(200, 2000)) * swell ** r.uniform(0.5, 2)

    def _engine(self, n, t):
        """A motor, a drill, a fan: a buzz whose pace drifts, with its load beating on it."""
        r = self.r
        pace = r.uniform(25, 180) * (1 + 0.2 * np.interp(t, np.linspace(0, t[-1], 5), self.g.standard_normal(5)))
        phase = 2 * np.pi * np.cumsum(np.maximum(pace, 10)) / RATE
        buzz = np.maximum(0, np.sin(phase)) ** r.choice([1, 4, 16]) + r.uniform(0, 0.5) * np.sin(3.02 * phase)
        return buzz + self._coloured(n, 200, 3000) * r.uniform(0.05, 0.6) * (1 + 0.5 * np.sin(phase / 2))

    def _vowels(self, n, t):
        """Humming and singing without words: one vowel that glides, or a closed mouth."""
        r = self.r
        notes = np.repeat([2 ** (r.randint(-5, 7) / 12) for _ in range(6)], n // 6 + 1)[:n]
        notes = notes if r.random() < 0.6 else np.ones(n)
        base = r.uniform(90, 330)
        phase = 2 * np.pi * np.cumsum(base * notes * (1 + 0.01 * np.sin(2 * np.pi * 5.5 * t))) / RATE
        closed = r.random() < 0.4
        first = 250 if closed else np.interp(t, [0, t[-1]], [r.uniform(300, 850), r.uniform(300, 850)])
        second = 1100 if closed else np.interp(t, [0, t[-1]], [r.uniform(800, 2300), r.uniform(800, 2300)])
        gain = lambda f: 1 / (1 + ((f - first) / 120) ** 2) + (0.05 if closed else 0.5) / (1 + ((f - second) / 150) ** 2)
        a = sum(gain(h * base) * np.sin(h * phase) for h in range(1, int(3400 / base)))
        return a * np.minimum(1, np.minimum(t * 8, (t[-1] - t) * 8))

    def _coloured(self, m, low, high):
        """Unit noise between two frequencies, with soft edges."""
        f = np.fft.rfftfreq(m, 1 / RATE)
        shape = 1 / (1 + (f / high) ** 6) * (1 - 1 / (1 + (f / low) ** 4))
        x = np.fft.irfft(np.fft.rfft(self.g.standard_normal(m)) * shape, m)
        return x / (x.std() + 1e-9)

    def _breath(self, n, t):
        r = self.r
        x = self._coloured(n, r.uniform(150, 500), r.uniform(900, 3500))
        swell = np.clip(np.sin(2 * np.pi * r.uniform(0.2, 1.2) * t + r.random() * 6), 0.02, 1) ** r.uniform(0.7, 3)
        return x * swell

    def _cough(self, n, t):
        r, a = self.r, np.zeros(n)
        k = r.randint(0, n // 3)
        for _ in range(r.randint(1, 4)):
            m = int(RATE * r.uniform(0.12, 0.4))
            seg = np.arange(m) / RATE
            burst = self._coloured(m, r.uniform(200, 500), r.uniform(1200, 4000))
            burst = burst * np.exp(-seg * r.uniform(8, 25)) * np.minimum(1, seg * 400)
            if k < n:
                a[k:k + m] += burst[: n - k]
            k += m + r.randint(0, RATE // 4)
        return a

    def _laughter(self, n, t):
        """Bursts of a voiced buzz through two formants, four to six a second, falling in pitch."""
        r, a = self.r, np.zeros(n)
        pitch, k, rate = r.uniform(140, 420), r.randint(0, n // 4), r.uniform(3.5, 6)
        formants = (r.uniform(500, 900), r.uniform(1100, 1900))
        for _ in range(r.randint(2, 12)):
            m = int(RATE / rate * r.uniform(0.4, 0.7))
            seg = np.arange(m) / RATE
            phase = 2 * np.pi * np.cumsum(pitch * (1 - 0.3 * seg * rate)) / RATE
            gain = lambda f: sum(1 / (1 + ((f - c) / 130) ** 2) for c in formants) + 0.02
            voice = sum(gain(h * pitch) * np.sin(h * phase) for h in range(1, int(3600 / pitch)))
            burst = (voice + 0.25 * self._coloured(m, 500, 3000)) * np.sin(np.pi * np.arange(m) / m)
            if k < n:
                a[k:k + m] += burst[: n - k]
            k += int(RATE / rate * r.uniform(0.85, 1.15))
            pitch *= r.uniform(0.93, 1.0)
        return a

    def _backwards(self, a):
        return self.speed(a[::-1].copy(), self.r.uniform(0.8, 1.3))

    def _pieces(self, a):
        m = int(RATE * self.r.uniform(0.03, 0.09))
        cut = [a[i:i + m][::-1] for i in range(0, len(a), m)]
        self.r.shuffle(cut)
        return np.concatenate(cut)

    def _buried(self, a):
        return a / (a.std() + 1e-6) + self.noise(len(a)) * 10 ** (self.r.uniform(14, 24) / 20)
