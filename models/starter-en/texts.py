"""What callers say: a seeded generator of utterances as (category, text).

Every kind of answer a caller gives occurs as a whole utterance of its own, because the decoder's
language model would otherwise answer for the ones that it never saw alone. A share of the text is
random pairings of words, so that the language stays flat and the ear has to decide.

Text is lower case without punctuation, apostrophes inside words excepted.
"""

import functools
import glob
import hashlib
import os
import random
import re
import tomllib

import corpora
from words import (CARDS, CITIES, COLORS, DEVICES, FAMILY, FIRST, FOR_LETTER, FURTHER, ITEMS, LAST, PLANS, PLURALS,
                   SPELLING, STREET_KINDS, STREETS, WHEN)

DIGITS = "zero one two three four five six seven eight nine".split()
TEENS = ("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
MONTHS = ("january february march april may june july august september october november "
          "december").split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
ORDINALS = ("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
            "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth "
            "twentieth").split() + ["twenty " + o for o in (
                "first second third fourth fifth sixth seventh eighth ninth".split())] + [
                "thirtieth", "thirty first"]
LETTERS = "a b c d e f g h i j k l m n o p q r s t u v w x y z".split()
YES = """yes|yes|yes|yes|yeah|yeah|yep|yes please|yes that's right|that's right|that is right|correct|that's correct
that is correct|sure|okay|right|yes it is|absolutely|of course|exactly|yes i do|yes i have|i do
yes i am|that's it|yes that's it|yes correct|yeah sure|please do|go ahead|yes thank you|yup|sure thing
you got it|that's the one|yes i would|i think so|definitely|certainly|right yes|yeah that's right"""
NO = """no|no|no|no|no|nope|no thanks|no thank you|no that is wrong|that's wrong|that's not right|not correct
incorrect|no it's not|no it isn't|not really|no that's not right|no i don't|no i haven't|no way|nah
not at all|no not that one|that's not it|wrong|no i didn't|i said no|no never|no it is not|not today
no that's not what i said|that is wrong|i don't think so|no i do not|not that|never mind|no not yet"""
DONT_KNOW = """i don't know|i don't know the order number|i do not know|i don't have it|i have no idea
i don't have the order number|i'm not sure|i am not sure|no idea|i forgot|i lost the order number
i don't remember|i can't find it|i don't have that with me|i don't know it|not sure|i don't have one
i never got an order number|i haven't got it with me|i lost it|i lost the email|i can't remember
i don't have the number|i don't know my order number|i don't have it with me|don't know|i forgot it
i don't have that|i do not have it|i don't have my order number|i haven't got it|i can't find the email
i don't know the number|sorry i don't know|i haven't got a clue|i really don't know|i can't find my order number
i don't have my order number with me|i threw it away|i'm afraid i don't know|i didn't get one
i don't have it here|i don't have it in front of me|i cannot find it|i do not remember|no clue
i'm not sure what it is|i never received one|i don't have the email|i would have to look for it
what order number|where do i find the order number|i don't have an order number|i don't know that"""
AGENT = """agent|representative|operator|speak to an agent|i want to speak to a person|a human
talk to a human|let me talk to someone|can i speak to a representative|human please|customer service
i need to speak with a representative|transfer me to an agent|connect me to an operator|real person
i want to talk to a manager|supervisor|manager|speak to a person|talk to a real person|human
i want to talk to a human being|i want a human|put me through to someone|can i talk to a person
get me a human|give me a real person|i'd like to speak to someone|can i speak to someone please
i would like to talk to an agent|i need to talk to somebody|is there anyone i can talk to|somebody
i don't want to talk to a machine|i don't want to talk to a robot|stop i want a real person
let me speak to a human|get me an operator|agent please|operator please|someone|a person|a person please
representative please|i want to speak to your manager|can you connect me with an agent|customer care
connect me to a person|transfer me to customer service|put me through to a human|a real human
i want to speak to a representative|can i talk to an agent|speak to a representative|live agent
speak to a manager|talk to someone|talk to an agent|i need an agent|i need a human|i need a real person
could you put me through to an advisor|i want to speak with a live person|pass me to a colleague
may i speak with a supervisor|give me an agent|talk to a representative|talk to a person"""
CONTROL = """that's all|nothing else|no that's everything|goodbye|thank you|thanks|repeat|help|bye
repeat that|say that again|say that again please|can you repeat that|go back|main menu|start over
slower please|please speak slower|what did you say|pardon|sorry|excuse me|hold on|one moment please
wait a minute|just a moment|thank you goodbye|thank you very much|that's everything thank you
no that's all|that will be all|no that's it|that's all thanks|no nothing else|nothing else thanks
hello|hi|good morning|good afternoon|good evening|hello is anyone there|can you hear me|cancel
stop|menu|options|what can i say|what are my options|please repeat the question|i didn't hear you
i didn't understand|could you say that again|speak up please|louder please|bye bye|have a nice day
thanks a lot|many thanks|thank you bye|no thank you goodbye|that's everything|i'm done|all done
no goodbye|thanks goodbye|continue|next|previous|begin again|let me start again|i made a mistake"""
ORDER_STATUS = """where is my {i}|where's my {i}|i want to check on my {i}|check the status of my {i}
order status|what is the status of my {i}|what's the status of my order|has my {i} shipped
when will my {i} arrive|track my {i}|i haven't received my {i}|my {i} has not arrived
my {i} hasn't arrived yet|my {i} is late|i'm still waiting for my {i}|i would like to track my {i}
check an order|delivery status|has it shipped|has it been sent|when will it get here|when is it coming
i want to know where my {i} is|where is the {i} i ordered|the {i} i ordered never came|tracking
my {i} was supposed to come {w}|the {i} should have been here {w}|i ordered a {i} {w}
i ordered some {p} {w}|i'm calling about my order|i'm calling about an order|it's about my {i}
can you tell me where my {i} is|could you check my order|how long until my {i} arrives|is my {i} on its way
did you send my {i}|did my {i} go out|i'm waiting for a delivery|i have not received my {p}
where are my {p}|when will my {p} be delivered|when do i get my {p}|my {p} have not arrived
my {p} haven't come yet|has my order been dispatched|track my order|track a parcel|track my package
my order is late|my parcel is lost|my parcel is missing|the courier didn't come|nobody delivered it
it still hasn't come|what happened to my order|how far is my delivery|i want to track an order
the website says delivered but i don't have it|it says delivered but it is not here|order tracking
my delivery has not arrived|what day will my {i} come|is there any news about my {i}|my order
check my order|check my delivery|where is my order|where's my package|status of my order please"""
NEW_ORDER = """i want to place an order|i would like to place an order|i would like to buy a {i}|place an order
i want to buy some {p}|i want to order a {i}|i'd like to order some {p}|new order|make an order
can i order a {i}|can i buy a {i}|i need a new {i}|i need some {p}|do you have {p} in stock|buy
do you sell {p}|how much is the {i}|how much does the {i} cost|how much are the {p}|i want to buy something
i want to make a purchase|i'd like to purchase a {i}|is the {i} available|i'm looking for a {i}
i'm looking for new {p}|order another {i}|i want the same {i} again|sales|can i place a new order
i want to order {n} {p}|i'd like {n} {p} please|give me {n} {p}|buy a {i}|order a {i}|order some {p}
are the {p} still on sale|i saw a {i} on your website|i want to buy the {c} {i}|i'd like the {i} in {c}
do you have the {i} in {c}|put me down for a {i}|i would like to order again|i want to shop
which {i} do you recommend|i want to get a {i} for my {f}|a {i} as a present for my {f}|make a purchase
i want to place a new order|i'd like to make an order|order something new|i want to order something"""
RETURN = """i want to return my {i}|how do i return a {i}|return an item|i want a refund|send it back
when will i get my refund|i want my money back|my {i} arrived damaged|i got the wrong {i}|refund
i received the wrong item|exchange my {i}|i want to send back my {i}|i'd like to send it back
i want a refund for the {p}|can i return the {p}|the {p} don't fit|the {p} are too small|return
the {p} are too big|the {i} is too big|the {i} is the wrong size|the {i} is the wrong color|i changed my mind
i don't want the {i} anymore|i don't like the {i}|i need to return something|can i exchange it
can i swap the {i} for a {j}|you sent me the wrong {p}|how do i get my money back|return label
i need a return label|where do i send the {i}|what is your return policy|how long do i have to return it
the box was empty|it came broken|it was broken when it arrived|the {i} was damaged|the {i} is torn
i would like to return the {i} i bought {w}|i sent back my {p} {w}|where is my refund|exchange
has my refund been paid|i have not received my refund|can i get a refund|i'd like my money back please
take it back|i want to give it back|i would like an exchange|the {i} has a hole|return my order
i want to return an order|i'd like to make a return|i need a refund|refund please|return a {i}"""
BILLING = """i have a question about my bill|billing|my bill is too high|why was i charged twice|bill
i was charged twice|i was overcharged|there is a charge i don't recognize|pay my bill|i paid twice
i want to make a payment|question about my invoice|i need an invoice|send me a receipt|payment
i have a billing question|there's a mistake on my bill|my invoice is wrong|the amount is wrong|invoice
you took {m} from my account|i was billed {m}|why did i pay {m}|my card was declined|my credit card was charged
my payment did not go through|the payment failed|i want to change my card|update my credit card
i can't pay with my card|can i pay by bank transfer|how can i pay|when is my payment due|my balance
what's my balance|you charged me for something i didn't buy|i don't understand my bill|i need a copy of my bill
i need a copy of the invoice|why is my bill so high|i was charged for {n} {p}|the discount is missing
my discount code was not applied|the price is wrong|i was charged the wrong amount|charged twice
you charged my card twice|i was charged {m} instead of {m}|i have already paid|i paid {w}|the receipt is missing
i want to pay my invoice|i have a question about a charge|there is a problem with my payment|billing question
question about my bill|it's about my bill|something is wrong with my bill|my bill doubled this month"""
TECH = """technical support|my internet is not working|my {e} won't turn on|my {e} will not connect
i need help setting up my {e}|i forgot my password|reset my password|i can't log in to my account
the app does not work|the app doesn't work|the app keeps crashing|the website is down|tech support
the screen is broken|the screen stays black|my {e} stays black|my {e} is not working|my {e} doesn't work
my {e} stopped working|the {e} makes a strange noise|my {e} is frozen|my {e} is broken|how do i install the {e}
how do i connect my {e}|i can't connect to the internet|the wifi is slow|there is no sound|no picture
my {e} does not charge|the battery is dead|the battery doesn't last|my {e} gets very hot|it won't start
it keeps turning off|i get an error message|error code {d}|there's a problem with my {e}|it doesn't work
the light is blinking red|the light is off|the button doesn't work|the {e} has no signal|support
i need technical help|i can't sign in|i'm locked out of my account|i can't open the app|update the software
how do i reset my {e}|my {e} is very slow|my {e} keeps disconnecting|the {e} won't print|it's not working
i need technical support|help with my {e}|my {e} won't start|the {e} does not work|setup help|it is broken
my {e} has a problem|something is wrong with my {e}|i have a technical problem|my {e} is not charging"""
OTHER = """what is the weather today|will it rain tomorrow|is it cold outside|order a pizza|i'm hungry
who won the game last night|tell me a joke|play some music|what time is it|turn off the lights|sing a song
i want to book a flight to london|i need a taxi to the airport|what's the capital of france|call my mother
how old are you|are you a robot|are you a real person|i like coffee|the dog is in the garden|set an alarm
what is two plus two|open a bank account|transfer money to my brother|i need a doctor|my car broke down
book a table for {n}|do you know a good restaurant|i want to learn spanish|the children are at school
it is a nice day|we went to the beach {w}|my {f} is on holiday|the train is late|read me the news
i would like a cup of tea|how far is the moon|what is your name|who are you|i love you|happy birthday
please close the door|the water is cold|he has a new house|she plays the piano|the cat is asleep
we are going to the park|i can see a bird in the tree|they live in a small town|turn the volume up
can you help me with my homework|the light is green|i need to go to the hospital|buy tickets for the show
what are your hours|when are you open|where are you located|do you speak spanish|i want to complain
i want to make a complaint|this is ridiculous|i am very unhappy with your service|are you hiring
change my address|i moved to a new address|update my email address|update my phone number
book an appointment for {t}|cancel my appointment|i want to leave a message|call me back later|i want a job
cancel my subscription|close my account|i want to renew my subscription|i'd like to speak french
is it open on {k}|on {k} morning|next {k}|see you on {k}|the meeting is on {k}|i'm free on {k} afternoon"""

CATEGORIES = {
    "yes": YES, "no": NO, "idk": DONT_KNOW, "agent": AGENT, "control": CONTROL,
    "order_status": ORDER_STATUS, "new_order": NEW_ORDER, "return": RETURN, "billing": BILLING,
    "technical": TECH, "other": OTHER,
}
PHRASES = {name: [p.strip() for p in re.split(r"[|\n]", block) if p.strip()]
           for name, block in CATEGORIES.items()} | FURTHER
BEFORE = ["um", "uh", "hi", "hello", "yes", "okay", "well", "please", "hi there", "so", "er", "oh",
          "yeah", "hello there", "good morning", "sorry", "excuse me", "i said", "no", "look"]
AFTER = ["please", "thanks", "thank you", "today", "for me", "if possible", "right now", "again"]


def two_figures(r):
    return figure(r.randrange(10, 100))


def zero(r, style):
    return {"oh": "oh", "zero": "zero", "nought": "nought"}.get(style) or r.choice(["oh", "zero"])


def digit_string(r, n):
    """n digits as people read them out: mostly one by one, some as doubles, pairs or tens."""
    plain = r.random() < 0.6
    style = r.choices(["zero", "oh", "mixed", "nought"], [5, 5, 1, 0.5])[0]
    pairs = r.random() < 0.12
    # The same digit twice running is where a decoder loses its place: more of it than chance gives.
    again = 0.35 if r.random() < 0.35 else 0.0
    out, i, d = [], 0, None
    while i < n:
        x = r.random()
        if pairs and i + 2 <= n:
            out.append(two_figures(r) if x < 0.85 else f"{zero(r, style)} {r.choice(DIGITS[1:])}")
            i += 2
            continue
        if d is None or r.random() >= again:
            d = r.choice(DIGITS)
        d = zero(r, style) if d == "zero" else d
        if not plain and x < 0.09 and i + 2 <= n:
            out.append("double " + d)
            i += 2
        elif not plain and x < 0.12 and i + 3 <= n:
            out.append("triple " + d)
            i += 3
        elif not plain and x < 0.22 and i + 2 <= n:
            out.append(two_figures(r))
            i += 2
        else:
            out.append(d)
            i += 1
    return " ".join(out)


def cardinal(r):
    x = r.random()
    if x < 0.4:
        return two_figures(r)
    hundreds = r.choice(DIGITS[1:] + ["a"]) + " hundred"
    joint = r.choice([" and ", " and ", " "])
    if x < 0.55:
        return hundreds
    rest = r.choice([two_figures(r), r.choice(DIGITS[1:])])
    if x < 0.85:
        return hundreds + joint + rest
    thousands = r.choice([r.choice(DIGITS[1:]), two_figures(r)]) + " thousand"
    return thousands + r.choice(["", " " + hundreds.replace("a ", "one ") + joint + rest])


def money(r):
    a, b, unit = two_figures(r), two_figures(r), r.choice(["dollars", "pounds", "euros"])
    few, hundred = r.choice(DIGITS[2:]), r.choice(DIGITS[1:]) + " hundred"
    return r.choice([f"{a} {unit}", f"{a} {unit}", f"{few} {unit}", f"{a} dollars and {b} cents", f"{a} pounds {b}",
                     f"{a} ninety nine", f"{few} ninety nine", f"{a} fifty", f"{a} {b}", f"{b} cents", f"{few} {b}",
                     f"{hundred} {unit}", f"{hundred} and {a} {unit}", f"a hundred {unit}", f"one {unit[:-1]}",
                     f"{a} and a half thousand", f"{few} thousand {unit}", f"{a} percent", f"{a} pence"])


def date(r):
    month, day = r.choice(MONTHS), r.choice(ORDINALS)
    return r.choice([f"{month} {day}", f"the {day} of {month}", f"{day} of {month}", month,
                     f"the {day}", r.choice(WEEKDAYS), "tomorrow", "today", "yesterday",
                     "next week", "last week", f"next {r.choice(WEEKDAYS)}",
                     f"{r.choice(WEEKDAYS)} the {day}", f"in {month}", f"on {r.choice(WEEKDAYS)}",
                     f"{month} the {day}", f"the {day} of {month} {year(r)}", f"{month} {day} {year(r)}",
                     f"{month} {year(r)}", f"in {year(r)}", "this afternoon", "tonight", "tomorrow morning",
                     f"{r.choice(DIGITS[2:])} days ago", f"in {r.choice(DIGITS[2:])} weeks", "the day after tomorrow"])


def year(r):
    x = r.random()
    if x < 0.5:
        return "nineteen " + two_figures(r)
    return r.choice(["twenty " + r.choice(TEENS + ["twenty", *(f"twenty {d}" for d in DIGITS[1:7])]),
                     "two thousand", "two thousand and " + r.choice(DIGITS[1:]), "two thousand " + r.choice(TEENS)])


def birth(r):
    day, month = r.choice(ORDINALS), r.choice(MONTHS)
    return r.choice([f"{day} of {month} {year(r)}", f"{month} {day} {year(r)}", f"{month} the {day} {year(r)}",
                     f"{r.choice(DIGITS[1:])} {two_figures(r)} {two_figures(r)}"])


def spelt(r, letters):
    """A word letter by letter: bare, or "b as in bravo", "m for mother"."""
    frame = r.choices([None, "{0} as in {1}", "{0} for {1}", "{0} like {1}", "{1}"], [6, 2, 2, 0.5, 1])[0]
    if frame is None:
        return " ".join(letters)
    return " ".join(frame.format(c, r.choice(FOR_LETTER[c].split())) for c in letters)


def code(r):
    """Letters and digits as an order, a policy or a booking is numbered."""
    head = spelt(r, r.choices(LETTERS, k=r.choice([1, 1, 2, 2, 3])))
    tail = digit_string(r, r.choice([2, 3, 3, 4, 4, 5]))
    return r.choice([f"{head} {tail}", f"{head} {tail}", f"{head} dash {tail}", f"{tail} {head}",
                     f"{head} {tail} {r.choice(LETTERS)}", " ".join(r.choice(LETTERS + DIGITS) for _ in range(6))])


def postcode(r):
    if r.random() < 0.5:
        return digit_string(r, 5)
    out = r.choices(LETTERS, k=r.choice([1, 2])) + [r.choice([r.choice(DIGITS[1:]), two_figures(r)])]
    return " ".join(out + [r.choice(DIGITS[1:])] + r.choices(LETTERS, k=2))


def phone(r):
    return digit_string(r, r.choice([7, 8, 10]))


def address(r):
    number = r.choice([two_figures(r), r.choice(DIGITS[1:]), digit_string(r, 3), f"{r.choice(DIGITS[1:])} hundred"])
    street = f"{r.choice(STREETS + LAST[:80])} {r.choice(STREET_KINDS)}"
    return r.choice([f"{number} {street}", f"{number} {street}", f"{number} {street} {r.choice(CITIES)}", street,
                     f"{street} number {number}", f"flat {r.choice(DIGITS[1:])} {number} {street}"])


def clock(r):
    hour = r.choice(DIGITS[1:] + TEENS[:3])
    return r.choice([f"{hour} o'clock", f"at {hour}", f"half past {hour}", f"quarter to {hour}",
                     f"{hour} thirty", f"{hour} a m", f"{hour} p m", f"at {hour} in the morning"])


NUMBER_FRAMES = """{}|{}|{}|{}|it is {}|it's {}|my order number is {}|order number {}|the number is {}
order {}|number {}|yes it is {}|sure it's {}|that would be {}|the order number is {}|it's order {}
my number is {}|i think it's {}|it should be {}|okay {}|um {}|uh {}|here it is {}|my order is {}
{} thank you|{} please|sure {}|the code is {}|order number is {}|yes {}|it says {}|i have {}|{} that's it"""
NUMBER_FRAMES = [f.strip() for f in re.split(r"[|\n]", NUMBER_FRAMES)]


def fill(r, phrase):
    def one(match):
        key = match.group(1)
        return {"i": lambda: r.choice(ITEMS), "j": lambda: r.choice(ITEMS), "p": lambda: r.choice(PLURALS),
                "e": lambda: r.choice(DEVICES), "c": lambda: r.choice(COLORS), "f": lambda: r.choice(FAMILY),
                "w": lambda: r.choice(WHEN), "n": lambda: r.choice(DIGITS[2:] + TEENS[:3]),
                "m": lambda: money(r), "d": lambda: digit_string(r, 3), "t": lambda: date(r),
                "k": lambda: r.choice(WEEKDAYS), "o": lambda: digit_string(r, 6), "y": lambda: r.choice(CITIES),
                "a": lambda: address(r), "z": lambda: postcode(r), "h": lambda: phone(r), "F": lambda: r.choice(FIRST),
                "L": lambda: r.choice(LAST), "b": lambda: r.choice(CARDS), "v": lambda: r.choice(PLANS),
                "u": lambda: code(r), "x": lambda: clock(r).removeprefix("at "), "q": lambda: r.choice(MONTHS),
                "g": lambda: r.choice(ORDINALS), "B": lambda: birth(r)}[key]()
    return re.sub(r"\{(\w)\}", one, phrase)


def article(text):
    """'a order' is not what callers say."""
    return re.sub(r"\ba (?=(?:order|item|email|exchange|envelope|oven|umbrella|office|account|internet)\b)", "an ", text)


def own_words():
    """Every word of the generator's own lists and sentences, sorted."""
    words = set()
    pools = [DIGITS, TEENS, TENS, MONTHS, WEEKDAYS, LETTERS, FIRST, LAST, ITEMS, PLURALS, DEVICES, COLORS, FAMILY,
             WHEN, BEFORE, AFTER, ORDINALS, NUMBER_FRAMES, CARDS, PLANS, CITIES, STREETS, STREET_KINDS,
             *(v.split() for v in FOR_LETTER.values()),
             ["oh nought double triple hundred thousand and a dollar pound euro dollars pounds euros cents pence percent "
              "o'clock half past quarter to at in the morning p m my name is this of on next last tomorrow today as like "
              "for dash number flat days ago weeks day after afternoon tonight spelled mister missus it was about i paid"]]
    for pool in pools + list(PHRASES.values()) + [EXTRA]:
        for entry in pool:
            words.update(re.sub(r"\{\w?\}", " ", entry).split())
    return sorted(words)


def figure(n):
    """A number below a hundred in words."""
    if n < 20:
        return (DIGITS + TEENS)[n]
    return TENS[n // 10 - 2] + ("" if n % 10 == 0 else " " + DIGITS[n % 10])


@functools.lru_cache(None)
def read_sentences():
    """Sentences of the openly licensed sets (corpora.py), or none where their folder is absent."""
    return corpora.sentences(frozenset(own_words()), figure)


@functools.lru_cache(None)
def vocabulary():
    """Every word that can be said, sorted."""
    words = set(own_words())
    for sentence in read_sentences():
        words.update(sentence.split())
    return sorted(words)


def normalise(text):
    text = text.lower().replace("’", "'").replace("-", " ")
    return re.sub(r"\s+", " ", re.sub(r"[^a-z' ]", " ", text)).strip()


def intents(folder=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../intents")):
    """The line's own examples, with a place for a number where one is marked."""
    found = set()
    for path in sorted(glob.glob(os.path.join(folder, "*.toml"))):
        with open(path, "rb") as f:
            for example in tomllib.load(f).get("examples", []):
                example = re.sub(r"\[[^\]]*\]\(order_number\)", "ORDERNUMBER", example)
                example = re.sub(r"\[([^\]]*)\]\(\w+\)", r"\1", example)
                if not re.search(r"\d", example):
                    found.add(normalise(example).replace("ordernumber", "{o}"))
    return sorted(found)


EXTRA = intents()


def measured(path=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../audio/suite.toml")):
    """What the audio suite's callers say: never trained on, but for answers of a few words."""
    if not os.path.exists(path):
        return frozenset()
    with open(path) as f:
        return frozenset(normalise(said) for said in re.findall(r'say "([^"]*)"', f.read()))


MEASURED = measured()


WEIGHTS = {
    "digit": 7, "string": 16, "number": 3, "money": 2, "yes": 6, "no": 6, "idk": 5, "agent": 5, "control": 4,
    "order_status": 5, "new_order": 4, "return": 4, "billing": 4, "technical": 4, "other": 2,
    "account": 2, "payment": 2, "subscription": 1.5, "appointment": 2, "complaint": 1.5, "insurance": 1.5,
    "network": 1.5, "travel": 1, "small": 3,
    "date": 3, "letters": 4, "code": 3, "phone": 1, "address": 1, "name": 4, "shuffled": 3, "words": 8, "extra": 8,
    "read": 15,
}


def letters(r):
    """One letter, a few, a word of the spelling alphabet, or a name spelt out."""
    x = r.random()
    if x < 0.35:
        return " ".join(r.choice(LETTERS) for _ in range(r.choice([1, 1, 2, 3, 3, 4, 5])))
    if x < 0.5:
        return " ".join(r.choice(SPELLING) for _ in range(r.choice([1, 1, 2, 3])))
    if x < 0.7:
        return spelt(r, [r.choice(LETTERS) for _ in range(r.choice([1, 1, 2, 3]))])
    name = r.choice(FIRST + LAST)
    told = [c for c in name if c in FOR_LETTER][:7]
    # "double l" is how the same letter twice is told.
    out, i = [], 0
    while i < len(told):
        twice = i + 1 < len(told) and told[i] == told[i + 1] and r.random() < 0.5
        out.append(("double " if twice else "") + told[i])
        i += 2 if twice else 1
    if r.random() < 0.15:
        return spelt(r, told[:3])
    return r.choice(["{s}", "{s}", "{n} {s}", "{n} spelled {s}", "it's {s}"]).format(s=" ".join(out), n=name)


def sample(r, weights=None):
    """One utterance: (category, text)."""
    weights = weights or WEIGHTS
    while True:
        kind = r.choices(list(weights), list(weights.values()))[0]
        if kind == "extra" and not EXTRA or kind == "read" and not read_sentences():
            continue
        break
    if kind == "digit":
        text = r.choice(DIGITS + ["oh"])
    elif kind == "string":
        n = r.choices([2, 3, 4, 5, 6, 7, 8, 9, 10], [3, 4, 4, 3, 14, 2, 2, 1, 1])[0]
        text = r.choice(NUMBER_FRAMES).replace("{}", digit_string(r, n))
    elif kind == "number":
        text = r.choice([cardinal, cardinal, money, lambda r: "the number is " + cardinal(r)])(r)
    elif kind == "money":
        text = r.choice(["{}", "{}", "it was {}", "it's {}", "about {}", "i paid {}"]).replace("{}", money(r))
    elif kind == "date":
        text = r.choice([date, date, clock, birth])(r)
    elif kind == "letters":
        text = letters(r)
    elif kind == "code":
        text = r.choice(["{}", "{}", "{}", "it's {}", "the code is {}", "my order number is {}", "order {}",
                         "my policy number is {}", "reference {}"]).replace("{}", code(r))
    elif kind == "phone":
        text = r.choice(["{}", "{}", "it's {}", "my number is {}"]).replace("{}", phone(r))
    elif kind == "address":
        text = r.choice([address, postcode, lambda r: "it's " + address(r), lambda r: r.choice(CITIES)])(r)
    elif kind == "name":
        text = r.choice(["{f}", "{f} {l}", "{f} {l}", "{f} {l}", "my name is {f} {l}", "this is {f}", "{l}",
                         "it's {f} {l}", "the name is {l}", "my last name is {l}", "my first name is {f}",
                         "{f} {l} speaking", "mister {l}", "missus {l}", "i am {f} {l}"])
        text = text.replace("{f}", r.choice(FIRST)).replace("{l}", r.choice(LAST))
    elif kind == "read":
        text = r.choice(read_sentences())
    elif kind == "shuffled":
        text = fill(r, r.choice(r.choice(list(PHRASES.values())))).split()
        r.shuffle(text)
        text = " ".join(text[:8])
    elif kind == "words":
        text = " ".join(r.choice(_words()) for _ in range(r.choice([1, 1, 2, 2, 3, 3, 4, 5, 6])))
    elif kind == "extra":
        text = fill(r, r.choice(EXTRA))
    else:
        text = fill(r, r.choice(PHRASES[kind]))
        x = r.random()
        if kind not in ("yes", "no", "control", "small") and x < 0.22:
            text = r.choice(BEFORE) + " " + text
        elif x > 0.9:
            text += " " + r.choice(AFTER)
        elif kind in ("yes", "no") and x > 0.86:
            text = r.choice(["um", "uh", "well", "oh", "er"]) + " " + text
    return kind, article(text)


_WORDS = []


def _words():
    if not _WORDS:
        _WORDS.extend(vocabulary())
    return _WORDS


def held_out(text):
    """True for the one in sixteen longer sentences that are measured on and never trained on.

    By the text's hash, so that it holds whatever the seed; the audio suite's sentences are always held
    out. Sentences of three words or fewer are
    in both: there are too few different ones.
    """
    return len(text.split()) > 3 and (hashlib.sha256(text.encode()).digest()[0] < 16 or text in MEASURED)


def sentences(seed, held=False, longest=99, weights=None):
    """An endless, seeded stream of (category, text), from the training or the held-out side."""
    r = random.Random(seed)
    while True:
        kind, text = sample(r, weights)
        n = len(text.split())
        if n > longest or n > 14:
            continue
        # Short ones are on both sides; thinned out here, or they would be nearly all of the held side.
        if held_out(text) == held or (held and n <= 3 and r.random() < 0.1):
            yield kind, text


if __name__ == "__main__":
    print(len(vocabulary()), "words")
    stream = sentences(1)
    for _ in range(40):
        print(*next(stream), sep="\t")
