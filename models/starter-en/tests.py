"""Quick tests of the recipe's parts: python -m unittest tests"""

import itertools
import os
import tempfile
import unittest

import numpy as np
import torch

import augment
import evaluate
import export
import mel
import texts
from model import Ear
from tokens import N_VOCAB, Tokens, encode


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
        self.assertEqual(kinds, set(texts.WEIGHTS) - (set() if texts.EXTRA else {"extra"}))

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


class Network(unittest.TestCase):
    def test_word_errors(self):
        self.assertEqual(evaluate.word_errors("one three", "one two three"), (1, 3))
        self.assertEqual(evaluate.word_errors("no", ""), (1, 0))

    def test_quantised_blocks_come_back(self):
        a = np.random.default_rng(0).standard_normal((4, 64)).astype("f")
        raw = np.frombuffer(export.q8_0(a), np.dtype([("d", "<f2"), ("q", "i1", 32)]))
        back = (raw["q"] * raw["d"].astype("f")[:, None]).reshape(4, 64)
        self.assertLess(np.abs(back - a).max(), np.abs(a).max() / 127)

    def test_export_has_every_row_and_fits(self):
        tokens = Tokens.of_words(["yes", "no"])
        net = Ear(tokens.rows)
        full = export.full_embedding(net.decoder.token_embedding.weight.detach().numpy(), tokens)
        self.assertEqual(full.shape, (N_VOCAB, 192))
        self.assertTrue((full[11] == full[12]).all())
        with tempfile.TemporaryDirectory() as folder:
            self.assertLess(export.write(net, tokens, os.path.join(folder, "ear.bin")), 16e6)


if __name__ == "__main__":
    unittest.main()
