"""English digits, yes and no as speakers of other languages say them, by espeak-ng's voices for those.

Each row spells the English words in another language's orthography, so that its voice says them with
the sounds, the stress and the tune of that language: "three" is "sri" in German, "nein" is "nine".
People with an accent are the ones that a recogniser trained on few people serves worst.

    python accents.py --work DIR        chunks beside the people's
"""

import argparse
import os
import random

import numpy as np
import synth

WORDS = "zero oh one two three four five six seven eight nine yes no".split()
# By espeak-ng's name of the voice, in the order of WORDS.
SPELLINGS = {
    "de": "siero o uann tuh sri fohr feif ßicks ßäwwen äit nein jess no",
    "fr-fr": "ziro o ouane tou sri for faïve sixe sévenne éite naïne yesse no",
    "fr-be": "zirô ô ouanne tou tri fôr faïve sixe sèvenne èite naïne yesse nô",
    "es": "siro ou uan tu tri for faif sics seven eit nain yes nou",
    "es-419": "siro o guan tu sri for faiv sics seben eit nain yes no",
    "it": "zirou ou uan tu tri for faiv sics seven eit nain ies nou",
    "pt-br": "zírou ou uãn tu fri fór faiv sics séven eit nain iés nou",
    "nl": "ziero oo wan toe sri foor faaif siks seven eet naain jes noo",
    "sv": "siro å vann to tri får fajv sicks sevven ejt najn jes nå",
    "nb": "siro å vann to tri får faiv siks sevven eit nain jes nå",
    "da": "siro å vann tu sri får fajf siks sevven ejt najn jes nå",
    "pl": "ziro ou łan tu sri for fajf siks sewen ejt najn jes nou",
    "cs": "zíro ou van tú srí fór fajf siks seven ejt najn jes nou",
    "ru": "зиро оу уан ту сри фор файв сикс сэвэн эйт найн йес ноу",
    "uk": "зіро оу уан ту срі фор файв сікс севен ейт найн єс ноу",
    "hi": "ज़ीरो ओ वन टू थ्री फ़ोर फ़ाइव सिक्स सेवन एट नाइन यस नो",
    "ta": "ஜீரோ ஓ ஒன் டூ த்ரீ ஃபோர் ஃபைவ் சிக்ஸ் செவன் எய்ட் நைன் எஸ் நோ",
    "tr": "ziro o van tu tri for fayv siks sevın eyt nayn yes no",
    "ro": "ziro ou uan tu tri for faiv sics seven eit nain ies nou",
    "hu": "zíró ó van tú szrí fór fájv sziksz szeven éjt nájn jesz nó",
    "fi": "siirou ou van tuu trii foor faiv siks seven eit nain jes nou",
    "el": "ζίρο όου ουάν του θρι φορ φάιβ σιξ σέβεν έιτ νάιν γιες νόου",
    "id": "ziro o wan tu tri for faif siks seven eit nain yes no",
    "sw": "ziro o wan tu thri foo faiv siks seven eit nain yes no",
    "ko": "지로 오 원 투 쓰리 포 파이브 식스 세븐 에잇 나인 예스 노",
    "ja": "ジロ オー ワン ツー スリー フォー ファイブ シックス セブン エイト ナイン イエス ノー",
}
ROWS = {voice: dict(zip(WORDS, row.split(), strict=True)) for voice, row in SPELLINGS.items()}

# Festival's voices for other languages, which are joined from people's recordings: the spelling and the encoding
# that they read.
FESTIVAL = {
    "lp_diphone": ("it", "latin1"), "pc_diphone": ("it", "latin1"), "czech_dita": ("cs", "iso-8859-2"),
    "czech_krb": ("cs", "iso-8859-2"), "czech_machac": ("cs", "iso-8859-2"), "czech_ph": ("cs", "iso-8859-2"),
    "msu_ru_nsh_clunits": ("ru", "utf-8"), "hy_fi_mv_diphone": ("fi", "latin1"), "suo_fi_lj_diphone": ("fi", "latin1"),
    "upc_ca_ona_hts": ("it", "latin1"),
}


def festival_words(stretches=(0.85, 1.0, 1.3)):
    """[(samples, word, voice)]: the words by Festival's voices for other languages, those that are installed."""
    out = []
    for voice, (language, encoding) in FESTIVAL.items():
        jobs = [(ROWS[language][w], voice, stretch, None) for w in WORDS for stretch in stretches]
        words = [w for w in WORDS for _ in stretches]
        out += [(a, w, voice) for a, w in zip(synth.festival(jobs, encoding), words) if a is not None]
    return out


def said(r):
    """What one caller says: a digit, an answer, or a string of digits."""
    x = r.random()
    if x < 0.45:
        return [r.choice(WORDS[:11])]
    if x < 0.65:
        return [r.choice(WORDS[11:])]
    return r.choices(WORDS[:11], k=r.choice([2, 3, 4, 4, 5, 6, 6]))


def build(work, seed=11, count=3500):
    """Writes `count` utterances to DIR/people/accents."""
    r, espeak = random.Random(seed), synth.Espeak()
    writer = synth.ChunkWriter(os.path.join(work, "people"), "accents")
    for _ in range(count):
        words, voice = said(r), r.choice(list(ROWS))
        variant = r.choice(synth.VARIANTS)
        gap = "" if len(words) == 1 or r.random() < 0.5 else ","
        text = (gap + " ").join(ROWS[voice][w] for w in words)
        a = espeak.say(text, voice + variant, r.randint(120, 200), r.randint(15, 85), r.randint(10, 70))
        kind = "digits" if words[0] in WORDS[:11] else "word"
        writer.add(None if a is None else np.asarray(a), "accent_" + kind, f"accent:{voice}{variant}", " ".join(words))
    writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default="../../target/starter-en")
    parser.add_argument("--count", type=int, default=3500, help="utterances")
    a = parser.parse_args()
    build(a.work, count=a.count)
