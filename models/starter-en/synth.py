"""Speech for the generator's text: Debian's synthesisers, as chunks of 16 kHz PCM.

espeak-ng and flite are called in this process as libraries, festival in batches. A chunk is a pair
of files, NAME.pcm (16-bit samples end to end) and NAME.tsv (offset, samples, category, voice, text);
the .tsv appears last, so that training may pick chunks up while they are being written.

    python synth.py --work DIR --chunks 40        training chunks, until there are 40
    python synth.py --work DIR --held-out test    the held-out sets
"""

import argparse
import ctypes
import os
import random
import re
import subprocess
import tempfile
import time

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

import texts

RATE = 16000
ACCENTS = ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029", "en-gb-x-gbcwmd", "en-us-nyc"]
COMMON_VARIANTS = ["", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7", "+m8", "+f1", "+f2", "+f3",
                   "+f4", "+f5"]
VARIANTS = COMMON_VARIANTS + ["+" + v for v in (
    "Alex Alicia Andrea Andy Annie Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Michael "
    "Mike Nguyen Storm adam anika announcer antonio aunty belinda benjamin boris caleb david ed edward "
    "edward2 gustave iven iven2 iven3 john kaukovalta klatt klatt2 klatt3 klatt4 linda marcelo max "
    "michel miguel norbert pablo paul pedro quincy rob robert sandro shelby steph steph2 steph3 travis "
    "victor zac croak").split()]
HELD_ACCENT = "en-gb-x-gbclan"
HELD_FESTIVAL = "ked_diphone"
FESTIVAL = {"kal_diphone": 2, "cmu_us_slt_arctic_hts": 1}
FLITE = {"kal16": 3, "rms": 4, "slt": 5, "awb": 2}


def resample(samples, rate, to=RATE):
    """Band-limited resampling of a whole utterance by FFT."""
    if rate == to:
        return samples
    n = next_fast_len(len(samples) + 2000, True)
    m = int(round(n * to / rate))
    spectrum = rfft(samples.astype(np.float32), n)
    half = m // 2 + 1
    spectrum = spectrum[:half] if half <= len(spectrum) else np.pad(spectrum, (0, half - len(spectrum)))
    return irfft(spectrum, m)[: int(len(samples) * to / rate)] * (m / n)


def finish(samples, rate):
    """16 kHz, edges trimmed to 40 ms of silence, peak at a third of full scale, as int16."""
    a = resample(np.asarray(samples, np.float32), rate)
    peak = np.abs(a).max() if len(a) else 0
    if peak < 50:
        return None
    loud = np.nonzero(np.abs(a) > peak * 0.012)[0]
    a = a[max(0, loud[0] - 640): loud[-1] + 640]
    if not 0.08 * RATE < len(a) < 8.5 * RATE:
        return None
    return (a * (11000 / peak)).astype("<i2")


def spoken(text, category):
    """The text as a synthesiser should get it: single letters as names of letters."""
    # Elsewhere "a" and "i" are words.
    words = "" if category in ("letters", "code", "address") else "ai"
    text = " ".join(w.upper() + "." if len(w) == 1 and w not in words else w for w in text.split())
    text = re.sub(r"\b[aA]\.? M\.", "A.M.", text.replace("xray", "x-ray"))
    return text.replace("P. M.", "P.M.")


class Espeak:
    """libespeak-ng, synchronous."""

    def __init__(self):
        self.lib = ctypes.CDLL("libespeak-ng.so.1")
        self.rate = self.lib.espeak_Initialize(2, 500, None, 0)
        self.out = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

        def receive(wav, n, _events):
            if wav and n:
                self.out.append(np.ctypeslib.as_array(wav, (n,)).copy())
            return 0
        self.callback = kind(receive)
        self.lib.espeak_SetSynthCallback(self.callback)

    def say(self, text, voice, speed=160, pitch=50, spread=50, gap=0):
        # British English has no voice of that name in the library, only the language's file.
        name = voice.replace("en-gb", "gmw/en", 1) if voice.split("+")[0] == "en-gb" else voice
        if self.lib.espeak_SetVoiceByName(name.encode()) != 0:
            return None
        for parameter, value in ((1, speed), (3, pitch), (4, spread), (7, gap)):
            self.lib.espeak_SetParameter(parameter, value, 0)
        self.out = []
        data = text.encode() + b"\0"
        self.lib.espeak_Synth(data, len(data), 0, 0, 0, 1, None, None)
        self.lib.espeak_Synchronize()
        return finish(np.concatenate(self.out), self.rate) if self.out else None


class _Wave(ctypes.Structure):
    _fields_ = [("type", ctypes.c_char_p), ("rate", ctypes.c_int), ("count", ctypes.c_int),
                ("channels", ctypes.c_int), ("samples", ctypes.POINTER(ctypes.c_short))]


class _Voice(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("features", ctypes.c_void_p)]


class Flite:
    """libflite with its four English voices."""

    def __init__(self):
        load = lambda name: ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        self.lib = load("libflite.so.1")
        load("libflite_usenglish.so.1")
        load("libflite_cmulex.so.1")
        self.lib.flite_init()
        self.lib.flite_text_to_wave.restype = ctypes.POINTER(_Wave)
        self.lib.flite_text_to_wave.argtypes = [ctypes.c_char_p, ctypes.POINTER(_Voice)]
        self.lib.feat_set_float.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float]
        self.lib.delete_wave.argtypes = [ctypes.POINTER(_Wave)]
        self.voices = {}
        for name in FLITE:
            register = getattr(load(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
            register.restype = ctypes.POINTER(_Voice)
            self.voices[name] = register(None)

    def say(self, text, voice, stretch=1.0, pitch=None):
        v = self.voices[voice]
        self.lib.feat_set_float(v.contents.features, b"duration_stretch", stretch)
        if pitch:
            self.lib.feat_set_float(v.contents.features, b"int_f0_target_mean", pitch)
        wave = self.lib.flite_text_to_wave(text.encode(), v)
        if not wave:
            return None
        w = wave.contents
        samples = np.ctypeslib.as_array(w.samples, (w.count,)).copy() if w.count else np.zeros(0)
        rate = w.rate
        self.lib.delete_wave(wave)
        return finish(samples, rate)


def festival(jobs, encoding="ascii"):
    """Renders (text, voice, stretch, pitch) jobs in one process; a list of samples or None, in order.

    The pitch, in Hz, is the mean that a diphone voice aims at; None leaves the voice's own.
    """
    with tempfile.TemporaryDirectory() as folder:
        script, current = [], None
        for i, (text, voice, stretch, pitch) in enumerate(jobs):
            if voice != current:
                script.append(f"(voice_{voice})")
                current = voice
            if pitch:
                # The model's own figures are those of festival's linear regression for f0.
                script.append(f"(set! int_lr_params '((target_f0_mean {pitch:.0f}) (target_f0_std "
                              f"{pitch * 0.13:.0f}) (model_f0_mean 170) (model_f0_std 34)))")
            quoted = text.replace('"', "")
            script.append(f"(Parameter.set 'Duration_Stretch {stretch:.2f})")
            script.append(f'(utt.save.wave (utt.synth (Utterance Text "{quoted}")) "{folder}/{i}.wav" \'nist)')
        path = os.path.join(folder, "jobs.scm")
        with open(path, "w", encoding=encoding) as f:
            f.write("\n".join(script))
        subprocess.run(["festival", "-b", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        out = []
        for i in range(len(jobs)):
            try:
                out.append(finish(*read_nist(f"{folder}/{i}.wav")))
            except (OSError, ValueError, KeyError):
                out.append(None)
        return out


def read_nist(path):
    """(samples, rate) of an uncompressed NIST SPHERE file."""
    with open(path, "rb") as f:
        data = f.read()
    size = int(data[8:16])
    head = dict((line.split()[0], line.split()[-1]) for line in data[16:size].decode("latin1").splitlines()
                if len(line.split()) >= 3)
    order = "<i2" if head.get("sample_byte_format", "01") == "01" else ">i2"
    body = data[size:]
    return np.frombuffer(body[: len(body) // 2 * 2], order), int(head["sample_rate"])


class ChunkWriter:
    """Appends utterances to NAME.pcm and publishes NAME.tsv when closed."""

    def __init__(self, folder, name):
        os.makedirs(folder, exist_ok=True)
        self.base = os.path.join(folder, name)
        self.pcm = open(self.base + ".pcm", "wb")
        self.rows, self.position = [], 0

    def add(self, samples, category, voice, text):
        if samples is None:
            return
        self.pcm.write(samples.tobytes())
        self.rows.append(f"{self.position}\t{len(samples)}\t{category}\t{voice}\t{text}\n")
        self.position += len(samples)

    def close(self):
        self.pcm.close()
        with open(self.base + ".tmp", "w") as f:
            f.writelines(self.rows)
        os.replace(self.base + ".tmp", self.base + ".tsv")


class Studio:
    """All synthesisers, with random voices and prosody."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.espeak, self.flite = Espeak(), Flite()

    def espeak_training(self, text, category):
        r = self.r
        # Callers in the project's audio suite speak with the plain voices, so half of it is those.
        if r.random() < 0.5:
            voice = r.choice(["en-us", "en-us", "en-gb"]) + r.choice(COMMON_VARIANTS)
            speed, pitch = r.randint(140, 190), r.choice([50, r.randint(30, 70)])
        else:
            voice = r.choice(ACCENTS) + r.choice(VARIANTS)
            speed, pitch = r.randint(120, 210), r.randint(15, 85)
        gap = r.choice([0, 0, 0, r.randint(0, 12)])
        if category in ("string", "number", "letters", "phone", "code") and r.random() < 0.15:
            text = text.replace(" ", ", ")
            speed = r.randint(160, 210)
        return self.espeak.say(text, voice, speed, pitch, r.randint(20, 80), gap), "espeak:" + voice

    def flite_training(self, text):
        r = self.r
        voice = r.choices(list(FLITE), list(FLITE.values()))[0]
        natural = {"kal16": 105, "rms": 100, "slt": 172, "awb": 130}[voice]
        pitch = natural * r.choice([1, r.uniform(0.8, 1.3)])
        stretch = r.choice([1.0, r.uniform(0.78, 1.3)])
        return self.flite.say(text, voice, stretch, pitch), "flite:" + voice

    def chunk(self, folder, name, stream, count, shares=(0.42, 0.38, 0.2)):
        """`count` utterances, shared out between espeak-ng, flite and festival."""
        writer, batch, rest = ChunkWriter(folder, name), [], []
        for _ in range(count):
            category, text = next(stream)
            say = spoken(text, category)
            engine = self.r.choices("efF", shares)[0]
            if engine == "e":
                samples, voice = self.espeak_training(say, category)
            elif engine == "f":
                samples, voice = self.flite_training(say)
            else:
                voice = self.r.choices(list(FESTIVAL), list(FESTIVAL.values()))[0]
                batch.append((say, voice, self.r.uniform(0.75, 1.3),
                              self.r.uniform(75, 210) if voice == "kal_diphone" else None))
                rest.append((category, text))
                continue
            writer.add(samples, category, voice, text)
        order = sorted(range(len(batch)), key=lambda i: batch[i][1])
        for i, samples in zip(order, festival([batch[i] for i in order])):
            writer.add(samples, rest[i][0], "festival:" + batch[i][1], rest[i][1])
        writer.close()


def held_out(folder, seed, count):
    """Held-out sentences in trained voices, and the voices kept wholly out of training."""
    studio = Studio(seed)
    r = studio.r
    stream = texts.sentences(seed + 1, held=True)
    writer = ChunkWriter(folder, "trained")
    for i in range(count):
        category, text = next(stream)
        say = spoken(text, category)
        if i % 2:
            voice = r.choice(["en-us", "en-gb"]) + r.choice(COMMON_VARIANTS)
            writer.add(studio.espeak.say(say, voice, r.randint(145, 180)), category, "espeak:" + voice, text)
        else:
            voice = r.choice(["slt", "rms", "kal16"])
            writer.add(studio.flite.say(say, voice, 1.0, {"slt": 172, "rms": 100, "kal16": 105}[voice]),
                       category, "flite:" + voice, text)
    writer.close()
    writer = ChunkWriter(folder, "unseen")
    picks = [next(stream) for _ in range(count // 2)]
    for (category, text), samples in zip(picks, festival([(spoken(t, c), HELD_FESTIVAL, 1.0, None) for c, t in picks])):
        writer.add(samples, category, "festival:" + HELD_FESTIVAL, text)
    for _ in range(count // 4):
        category, text = next(stream)
        voice = HELD_ACCENT + r.choice(COMMON_VARIANTS)
        writer.add(studio.espeak.say(spoken(text, category), voice, r.randint(145, 175)), category,
                   "espeak:" + voice, text)
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default="../../target/starter-en")
    parser.add_argument("--chunks", type=int, default=60)
    parser.add_argument("--size", type=int, default=1200, help="utterances in a chunk")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", default="0/1", help="this process's share of the chunks, as INDEX/COUNT")
    parser.add_argument("--held-out", metavar="NAME",
                        help="make a held-out set instead: validation, or test (larger, other sentences)")
    a = parser.parse_args()
    if a.held_out:
        held_out(os.path.join(a.work, a.held_out), *{"validation": (77, 220), "test": (177, 600)}[a.held_out])
        return
    index, parts = map(int, a.part.split("/"))
    folder, studio = os.path.join(a.work, "corpus"), None
    for number in range(index, a.chunks, parts):
        name = f"chunk-{number:05d}"
        if os.path.exists(os.path.join(folder, name + ".tsv")):
            continue
        seed = a.seed * 1_000_003 + number
        started = time.time()
        # The first chunks are short utterances and the fast synthesisers: the curriculum begins on them.
        longest = {0: 2, 1: 3, 2: 5}.get(number, 99)
        if studio is None:
            studio = Studio(seed)
        studio.r.seed(seed)
        shares = (0.5, 0.3, 0.2) if number < 3 else (0.42, 0.38, 0.2)
        studio.chunk(folder, name, texts.sentences(seed, longest=longest), a.size * (2 if number < 2 else 1), shares)
        print(f"{name} {time.time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
