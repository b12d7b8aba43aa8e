"""Quick tests of the recipe's parts: python -m unittest tests"""

import itertools
import os
import tempfile
import unittest

import numpy as np
import pyworld
import torch
from scipy.signal import lfilter

import accents
import augment
import blend
import data
import evaluate
import export
import mel
import morphs
import nothing
import people
import quant
import synth
import texts
import train
import voice_codecs
import wordless
from model import Ear
from tokens import N_VOCAB, Tokens, encode


def vowel(pitch, formants, seconds=0.4, rate=16000):
    """A sawtooth of that pitch through resonances at the formants, sixteen bits."""
    phase = np.cumsum(np.full(int(seconds * rate), pitch / rate)) % 1
    a = phase - 0.5
    for f in formants:
        radius = np.exp(-np.pi * 90 / rate)
        a = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * f / rate), radius ** 2], a)
    return people.level(a / np.abs(a).max() * np.hanning(len(a)) ** 0.3 * 30000)


def first_formant(samples, rate=16000):
    """The strongest frequency of the all-pole envelope in the middle, below 1.2 kHz."""
    x = samples.astype(float)
    f0, times = pyworld.dio(x, rate)
    spectrum = pyworld.cheaptrick(x, pyworld.stonemask(x, f0, times, rate), times, rate, fft_size=morphs.FFT)
    shape = morphs.envelope(morphs.line_frequencies(morphs.poles(spectrum[len(spectrum) // 2][None])))[0]
    return np.argmax(shape[: int(1200 * morphs.FFT / rate)]) * rate / morphs.FFT


class Still:
    """A random source that changes nothing: a factor of one, a shift of none."""

    def uniform(self, low, high):
        return 1.0 if low > 0 else 0.0


class Morphs(unittest.TestCase):
    def test_an_envelope_comes_back_from_its_line_frequencies(self):
        power = np.abs(np.fft.rfft(vowel(120, (500, 1500, 2500))[2000:2000 + morphs.FFT] * np.hanning(morphs.FFT))) ** 2
        a = morphs.poles(power[None] + 1)
        lines = morphs.line_frequencies(a)
        self.assertTrue((np.diff(lines) > 0).all())
        exact = -2 * np.log(np.abs(np.fft.rfft(a, morphs.FFT, axis=1)))
        self.assertLess(np.abs(morphs.envelope(lines) - exact)[:, 2:-2].max(), 0.15)

    def test_half_way_between_two_voices_lies_a_third(self):
        low, high = (morphs.Word(vowel(*v), "oh", str(v)) for v in ((100, (400, 1500, 2500)), (200, (800, 1500, 2500))))
        found = [morphs.between(low, high, share, share, share, Still()) for share in (0, 0.5, 1)]
        formants = [first_formant(a) for a in found]
        self.assertLess(abs(formants[0] - 400), 60)
        self.assertLess(abs(formants[2] - 800), 60)
        # One formant half way, where a mean of the spectra would keep both.
        self.assertTrue(500 < formants[1] < 700, formants)
        pitches = [np.median(f0[f0 > 0]) for f0 in (pyworld.dio(a.astype(float), 16000)[0] for a in found)]
        for pitch, wanted in zip(pitches, (100, 141, 200)):
            self.assertLess(abs(pitch / wanted - 1), 0.05)

    def test_words_of_unlike_lengths_are_aligned_end_to_end(self):
        short, long = (morphs.Word(vowel(120, (500, 1500), t), "oh", "x") for t in (0.3, 0.6))
        i, j = morphs.aligned(short, long)
        self.assertEqual((i[0], j[0]), (0, 0))
        self.assertEqual((i[-1], j[-1]), (len(short) - 1, len(long) - 1))
        self.assertTrue((np.diff(i) >= 0).all() and (np.diff(j) >= 0).all())
        middle = len(morphs.between(short, long, 0.5, 0.5, 0.5, Still()))
        self.assertTrue(0.4 < middle / 16000 < 0.5, middle)


class Texts(unittest.TestCase):
    def test_same_seed_same_sentences(self):
        take = lambda seed: list(itertools.islice(texts.sentences(seed), 50))
        self.assertEqual(take(4), take(4))
        self.assertNotEqual(take(4), take(5))

    def test_plain_words_only(self):
        for _, text in itertools.islice(texts.sentences(1), 3000):
            self.assertRegex(text, r"^[a-z']+( [a-z']+)*$")

    def test_long_held_out_sentences_are_not_trained_on(self):
        trained = {t for _, t in itertools.islice(texts.sentences(1), 4000)}
        for _, text in itertools.islice(texts.sentences(2, held=True), 300):
            if len(text.split()) > 3:
                self.assertNotIn(text, trained)

    def test_every_kind_occurs(self):
        kinds = {k for k, _ in itertools.islice(texts.sentences(1), 6000)}
        absent = {k for k, there in (("extra", texts.EXTRA), ("read", texts.read_sentences())) if not there}
        self.assertEqual(kinds, set(texts.WEIGHTS) - absent)

    def test_what_the_audio_suite_says_is_never_trained_on(self):
        long_ones = {t for t in texts.MEASURED if len(t.split()) > 3}
        self.assertTrue(long_ones)
        self.assertFalse(long_ones & {t for _, t in itertools.islice(texts.sentences(1), 20000)})

    def test_read_sentences_keep_to_the_vocabulary(self):
        known = set(texts.vocabulary())
        for sentence in texts.read_sentences()[:2000]:
            self.assertEqual(set(sentence.split()) - known, set())

    def test_single_letters_are_said_as_letters(self):
        self.assertEqual(synth.spoken("b as in bravo", "letters"), "B. as in bravo")
        self.assertEqual(synth.spoken("leave a message at nine a m", "other"), "leave a message at nine A.M.")

    def test_vocabulary_covers_the_sentences(self):
        known = set(texts.vocabulary()) | {"an"}
        for _, text in itertools.islice(texts.sentences(3), 3000):
            self.assertEqual(set(text.split()) - known, set())


class Ids(unittest.TestCase):
    def test_byte_pairs_as_whisper_has_them(self):
        self.assertEqual(encode("hello world"), [23748, 995])
        self.assertEqual(encode("don't"), [836, 470])

    def test_round_trip(self):
        tokens = Tokens.of_words(texts.vocabulary())
        for _, text in itertools.islice(texts.sentences(3), 200):
            if tokens.knows(text):
                self.assertEqual(tokens.decode(tokens.encode(text)), text)


class Sound(unittest.TestCase):
    def test_filters_are_whispers(self):
        import importlib.util
        path = os.path.join(os.path.dirname(importlib.util.find_spec("whisper").origin), "assets", "mel_filters.npz")
        np.testing.assert_allclose(mel.filters(), np.load(path)["mel_80"], atol=1e-6)

    def test_padding_lies_on_the_floor(self):
        audio = torch.zeros(1, 32000)
        audio[0, :16000] = torch.randn(16000) * 0.1
        m = mel.LogMel()(audio)
        self.assertTrue(torch.allclose(m[0, :, 110:], m.min()))
        self.assertAlmostEqual((m.max() - m.min()).item(), 2.0, places=5)

    def test_g711_keeps_the_sign_and_a_few_percent(self):
        x = np.array([-0.9, -0.1, -0.01, 0.01, 0.1, 0.9], np.float32)
        for law in (0, 1):
            np.testing.assert_allclose(augment.g711(x, law), x, rtol=0.05)

    def test_a_line_keeps_speech_in_range(self):
        line = augment.Line(3)
        speech = (np.sin(np.arange(16000) / 9) * 9000).astype("<i2")
        for _ in range(30):
            for a in (line(speech), line.nothing(speech)):
                self.assertTrue(np.isfinite(a).all() and np.abs(a).max() <= 1.5)

    def test_every_kind_of_nothing_sounds(self):
        line, speech = augment.Line(4), (np.sin(np.arange(16000) / 9) * 9000).astype("<i2")
        for kind in nothing.KINDS:
            for _ in range(5):
                sound = line.nothing(speech, kind=kind)
                self.assertTrue(np.isfinite(sound).all(), kind)
                self.assertGreater(sound.std(), 0, kind)

    def test_codecs_keep_length_and_most_of_a_tone(self):
        tone = (np.sin(np.arange(16000) * 2 * np.pi * 800 / 16000) * 0.3).astype("f")
        line = augment.Line(5)
        for codec in voice_codecs.installed():
            out = line.coded(tone, codec)
            self.assertEqual(len(out), len(tone))
            spectrum = np.abs(np.fft.rfft(out[4000:12000]))
            self.assertAlmostEqual(spectrum.argmax(), 400, delta=4, msg=type(codec).__name__)

    def test_tempo_changes_the_length_and_not_the_pitch(self):
        tone = (np.sin(np.arange(16000) * 2 * np.pi * 200 / 16000) * 9000).astype("<i2")
        for factor in (0.7, 1.3):
            out = people.tempo(tone, factor)
            self.assertAlmostEqual(len(out), 16000 / factor, delta=1200)
            middle = out[2000:10000]
            self.assertAlmostEqual(np.abs(np.fft.rfft(middle)).argmax(), 100, delta=2)

    def test_accents_say_digits_and_answers(self):
        with tempfile.TemporaryDirectory() as folder:
            accents.build(folder, count=40)
            heard = data.Store(os.path.join(folder, "people")).items
        self.assertGreater(len(heard), 30)
        self.assertTrue(all(set(i[5].split()) <= set(accents.WORDS) for i in heard))

    def test_other_languages_voices_of_festival_say_them_too(self):
        heard = accents.festival_words(stretches=(1.0,))
        self.assertEqual({voice for *_, voice in heard}, set(accents.FESTIVAL))
        self.assertGreater(len(heard), 0.9 * len(accents.FESTIVAL) * len(accents.WORDS))

    def test_a_cut_takes_the_faint_sounds_at_both_ends(self):
        noise = np.random.default_rng(3).standard_normal(16000).astype(np.float32)
        word = np.concatenate([0.001 * noise[:3200], 0.01 * noise[:1600], noise[:4800], 0.01 * noise[:1600],
                               0.001 * noise[:3200]])
        lengths = [len(augment.Line(seed).cut(word)) for seed in range(20)]
        self.assertEqual(set(lengths), {4800})
        self.assertEqual(len(augment.Line(1).cut(word[:2000])), 2000)

    def test_a_background_may_begin_and_end_with_the_word(self):
        line, speech = augment.Line(6), (np.sin(np.arange(16000) / 9) * 9000).astype("<i2")
        silent = sum(not line(speech)[:100].any() for _ in range(80))
        self.assertTrue(2 < silent < 40, silent)

    def test_a_scene_without_words_lasts_and_stays_in_range(self):
        line, speech = augment.Line(7), (np.sin(np.arange(16000) / 9) * 9000).astype("<i2")
        for kind in ("crowd", "dishes", "wind"):
            a = wordless.scene(line, kind, lambda: speech)
            self.assertEqual(len(a), wordless.SECONDS * wordless.RATE)
            self.assertLessEqual(np.abs(a).max(), 1)

    def test_speakers_are_parted_as_the_program_parts_them(self):
        # The same names as in src/host/clips.rs.
        self.assertEqual([people.held_out(s) for s in ("anna", "bert", "finn")], [False, False, True])

    def test_formants_move_by_the_utterance(self):
        audio = torch.randn(2, 16000)
        m = mel.LogMel()
        both = m(audio, [1.0, 0.9])
        self.assertTrue(torch.allclose(both[:1], m(audio[:1]), atol=1e-5))
        self.assertFalse(torch.allclose(both[1:], m(audio[1:]), atol=1e-2))


class Network(unittest.TestCase):
    def test_the_best_model_is_chosen_by_what_people_are_asked(self):
        report = {"trained": {"all": (0.1, 0.9, 9)}, "nothing": {"all": (9.0, 0.1, 9)},
                  "people": {"all": (0.9, 0.1, 9), "answers": (0.3, 0.7, 9)}}
        self.assertAlmostEqual(evaluate.score(report), 0.2)

    def test_a_blend_lies_between_and_keeps_what_only_one_has(self):
        old, new = {"w": torch.zeros(2)}, {"w": torch.ones(2), "ctc.bias": torch.ones(1)}
        mixed = blend.blended(old, new, 0.25)
        self.assertEqual(mixed["w"].tolist(), [0.25, 0.25])
        self.assertEqual(mixed["ctc.bias"].tolist(), [1])

    def test_word_errors(self):
        self.assertEqual(evaluate.word_errors("one three", "one two three"), (1, 3))
        self.assertEqual(evaluate.word_errors("no", ""), (1, 0))

    def test_quantised_blocks_come_back(self):
        a = np.random.default_rng(0).standard_normal((4, 64)).astype("f")
        a[1, :32] = 0
        for kind, steps in ((quant.Q8_0, 127), (quant.Q5_0, 16), (quant.F16, 1024)):
            raw = quant.encode(a, kind)
            self.assertEqual(len(raw), quant.size(a.size, kind))
            back = quant.decode(raw, kind).reshape(a.shape)
            self.assertLess(np.abs(back - a).max(), np.abs(a).max() / steps)
            self.assertFalse(back[1, :32].any())

    def test_training_hears_through_what_the_file_holds(self):
        torch.manual_seed(1)
        a = torch.randn(6, 64)
        held = torch.from_numpy(quant.decode(quant.encode(a.numpy(), quant.Q5_0), quant.Q5_0)).view(6, 64)
        self.assertTrue(torch.allclose(quant.rounded(a), held, atol=1e-6))
        net = Ear(20, width=64, heads=1, encoder_layers=1)
        matrix = net.encoder.blocks[0].attn.query.weight
        own = matrix.detach().clone()
        with quant.heard_through(net):
            self.assertTrue(torch.equal(matrix, quant.rounded(own)))
        self.assertTrue(torch.equal(matrix, own))

    def test_export_has_every_row_and_fits(self):
        tokens = Tokens.of_words(["yes", "no"])
        net = Ear(tokens.rows)
        full = export.full_embedding(net.decoder.token_embedding.weight.detach().numpy(), tokens)
        self.assertEqual(full.shape, (N_VOCAB, 192))
        self.assertTrue((full[11] == full[12]).all())
        large = Ear(tokens.rows, width=256, heads=4, encoder_layers=6)
        self.assertEqual((export.finest(net), export.finest(large)), (quant.Q8_0, quant.Q5_0))
        with tempfile.TemporaryDirectory() as folder:
            for ear in (net, large):
                self.assertLess(export.write(ear, tokens, os.path.join(folder, "ear.bin")), 16e6)

    def test_training_goes_on_from_a_file(self):
        torch.manual_seed(0)
        tokens = Tokens.of_words(["yes", "no", "seven"])
        net = Ear(tokens.rows, encoder_layers=1).eval()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "ear.bin")
            export.write(net, tokens, path, quant.F16)
            again, more = train.continued(path, encode("running"), 28)
        self.assertEqual(set(more.used), set(tokens.used) | set(encode("running")))
        mel_frames, said = torch.randn(1, 80, 100), tokens.encode("yes seven")
        hear = lambda n, t, ids: n.decoder.logits(n.decoder(torch.tensor([[t.sot] + ids]), n.encoder(mel_frames)))
        before, after = hear(net, tokens, said), hear(again.eval(), more, more.encode("yes seven"))
        for word in ("yes", "no", "seven"):
            a, b = before[..., tokens.encode(word)[0]], after[..., more.encode(word)[0]]
            self.assertTrue(torch.allclose(a, b, atol=0.05))


if __name__ == "__main__":
    unittest.main()
