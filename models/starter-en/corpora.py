"""Sentences of openly licensed sets, read at training time from a folder; none of them lies here.

CLINC150 (CC BY 3.0), Banking77 and NLU++ (CC BY 4.0), SLURP's text (CC BY 4.0), SNIPS (CC0),
MultiDoGO (CDLA-Permissive). Only training splits are read (for SLURP its devel split, its training
split being absent), so that what understanding is measured on was never heard.

The folder is $ATTENDANT_DATA, or shared/nlu beside the checkout.
"""

import collections
import functools
import glob
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.environ.get("ATTENDANT_DATA", os.path.join(HERE, "../../../shared/nlu"))
# Edited text first: its words, and those frequent in what callers typed, are the vocabulary.
EDITED = ("clinc150/train.tsv", "clinc150/oos_train_plus.tsv", "banking77/train.tsv", "nlupp/*.tsv",
          "slurp/devel.tsv", "snips/train.tsv")
TYPED = ("multidogo/[!s]*_train.tsv", "multidogo/software_train.tsv")
LONGEST = 12
# Contractions as they are typed in haste.
TYPOS = dict(whats="what's", dont="don't", im="i'm", ive="i've", cant="can't", didnt="didn't", doesnt="doesn't",
             wont="won't", isnt="isn't", thats="that's", wheres="where's", hows="how's", wasnt="wasn't",
             havent="haven't", hasnt="hasn't", couldnt="couldn't", arent="aren't", whos="who's")


def _plain(text, number):
    """Words as spoken, or None where a figure or a sign would have to be guessed at."""
    text = text.lower().replace("’", "'").replace("-", " ").replace("$", " $ ")
    if re.search(r"[^a-z0-9' .,?!;:\"()]", text):
        return None
    text = re.sub(r"\b(\d{1,2})\b", lambda m: number(int(m.group(1))), text)
    text = re.sub(r"(?<!\w)'|'(?!\w)", " ", text)
    text = re.sub(r"\s+", " ", re.sub(r"[^a-z0-9' ]", " ", text)).strip()
    if not text or re.search(r"\d", text) or len(text.split()) > LONGEST:
        return None
    return " ".join(TYPOS.get(w, w) for w in text.split())


def _read(patterns, number, folder):
    out = set()
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(folder, pattern))):
            with open(path, encoding="utf-8") as f:
                for line in f:
                    text = _plain(line.split("\t")[0], number)
                    if text:
                        out.add(text)
    return sorted(out)


@functools.lru_cache(None)
def sentences(known, number, words=3200, folder=FOLDER):
    """Sentences all of whose words are `known` or among the commonest, `words` in all.

    `known` is a frozen set, `number` gives a figure up to 99 in words. Misspelt and rare words keep
    their sentence out: what is seen a few times only is not learnt, and teaches to guess.
    """
    edited, typed = _read(EDITED, number, folder), _read(TYPED, number, folder)
    count = collections.Counter(w for s in edited for w in s.split())
    typed_count = collections.Counter(w for s in typed for w in s.split())
    for word, n in typed_count.items():
        if count[word] >= 3:
            count[word] += min(n, 200)
    vowels = re.compile(r"[aeiouy]")
    common = [w for w, n in sorted(count.items(), key=lambda i: (-i[1], i[0]))
              if w not in known and n >= 4 and vowels.search(w) and len(w) > 1]
    kept = known | set(common[: max(0, words - len(known))])
    return tuple(s for s in edited + typed if all(w in kept for w in s.split()))
