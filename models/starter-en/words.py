"""Lists of words for the generator: names, places, things, months; and sentences of further domains.

In the sentences a letter in braces stands for something drawn anew each time; texts.fill says what.
"""

import re


def _split(block):
    return [p.strip() for p in re.split(r"[|\n]", block) if p.strip()]


# Names as they are common in the United States and in Britain, the unlike ones of other origins too.
FIRST = """james mary john anna robert jennifer michael linda david emma richard susan joseph jessica thomas
sarah charles karen daniel lisa peter maria paul laura mark alice george helen kevin nancy brian julia adam
grace simon lucy william elizabeth patricia barbara christopher matthew anthony donald steven andrew joshua
kenneth ronald timothy jason jeffrey ryan jacob gary nicholas eric jonathan stephen larry justin scott brandon
benjamin samuel gregory alexander frank patrick raymond jack dennis jerry tyler aaron henry nathan douglas
zachary kyle walter ethan jeremy harold keith christian roger noah gerald terry sean austin carl arthur lawrence
dylan jesse jordan bryan billy joe bruce gabriel logan albert willie alan juan wayne roy ralph randy eugene
vincent russell louis philip bobby johnny bradley margaret sandra ashley kimberly emily donna michelle carol
amanda dorothy melissa deborah stephanie rebecca sharon cynthia kathleen amy angela shirley brenda pamela nicole
samantha katherine christine debra rachel catherine carolyn janet ruth heather diane virginia julie joyce victoria
olivia kelly christina lauren joan evelyn judith megan andrea cheryl hannah jacqueline martha gloria teresa ann
sara madison frances kathryn janice jean abigail sophia judy theresa beverly denise marilyn amber danielle
rose brittany diana natalie sophie charlotte isabella ella oliver harry leo oscar ali mohammed ahmed fatima
maya priya raj omar sofia carlos jose luis miguel elena nina ivan igor chen wei ming yuki""".split()
LAST = """smith johnson williams brown jones garcia miller davis martin taylor moore jackson lee thompson white
harris clark lewis walker hall young king wright green baker adams nelson carter mitchell roberts turner parker
evans edwards collins murphy wilson anderson thomas robinson scott hill allen lopez gonzalez hernandez martinez
rodriguez perez sanchez ramirez torres flores rivera gomez diaz cruz reyes morales phillips campbell stewart
morris rogers reed cook morgan bell bailey cooper richardson cox howard ward peterson gray james watson brooks
kelly sanders price bennett wood barnes ross henderson coleman jenkins perry powell long patterson hughes
washington butler simmons foster bryant alexander russell griffin hayes myers ford hamilton graham sullivan
wallace woods cole west jordan owens reynolds fisher ellis harrison gibson mcdonald marshall ortiz wells webb
simpson stevens tucker porter hunter hicks crawford boyd mason kennedy warren dixon burns gordon shaw holmes rice
robertson hunt black daniels palmer mills nichols grant knight ferguson rose stone dunn hudson spencer gardner
stephens payne pierce berry matthews arnold wagner ray watkins olson carroll duncan snyder hart cunningham
bradley lane andrews ruiz harper fox riley armstrong carpenter weaver greene lawrence elliott chavez sims austin
peters franklin lawson patel khan singh ahmed ali chen wang kim nguyen wong cohen schmidt murray o'brien o'connor
macdonald fraser davies hussain begum kaur""".split()
CITIES = """london manchester birmingham leeds glasgow liverpool edinburgh bristol cardiff belfast newcastle oxford
cambridge brighton york boston chicago houston phoenix philadelphia dallas austin denver seattle portland detroit
memphis atlanta miami orlando cleveland oakland toronto vancouver montreal sydney melbourne dublin paris berlin
madrid rome vienna amsterdam lisbon brussels warsaw""".split() + _split("""new york|los angeles|san francisco
san diego|las vegas|new orleans|hong kong""")
STREETS = """main church high park oak pine maple cedar elm washington lake hill mill station victoria green king
queen london bridge river market school spring north south west east""".split()
STREET_KINDS = "street road avenue lane drive court close way place square".split()
# What people say for a letter: the spelling alphabet, and words of their own.
FOR_LETTER = dict(a="alpha apple adam", b="bravo boy bob baker banana", c="charlie cat carol", d="delta dog david",
                  e="echo easy edward elephant", f="foxtrot frank fox", g="golf george", h="hotel henry harry",
                  i="india ice igloo", j="juliet john jack", k="kilo king kitchen", l="lima love larry lemon",
                  m="mike mary mother", n="november nancy nora", o="oscar orange", p="papa peter paul",
                  q="quebec queen", r="romeo robert red", s="sierra sam sugar", t="tango tom tommy tea",
                  u="uniform under uncle", v="victor victoria", w="whiskey william water", x="xray",
                  y="yankee yellow young", z="zulu zebra zero")
SPELLING = [v.split()[0] for v in FOR_LETTER.values()]
ITEMS = """order parcel package delivery laptop phone charger router printer jacket dress table chair camera
keyboard tablet television book bag watch lamp coat shirt sweater monitor mouse speaker microwave toaster kettle
fridge sofa bed bike tent mirror clock hat skirt suit ring blender vacuum desk cable battery shipment item gift
oven dishwasher freezer heater fan rug carpet mattress blanket backpack suitcase wallet purse belt tie scarf
helmet scooter drill ladder hammer toy game console headset necklace bracelet umbrella perfume cooker basket
wardrobe shelf bookcase cushion duvet box envelope letter voucher""".split() + _split("""coffee machine
washing machine|gift card|phone case|memory card|hard drive|office chair|garden chair|sewing machine
running jacket|walking stick|sleeping bag|winter coat|rain jacket|lawn mower""")
PLURALS = """shoes headphones trousers jeans boots gloves socks books glasses speakers chairs curtains sneakers
shirts cables batteries lamps plates cups pillows earphones items things goods clothes sandals towels trainers
shorts tights slippers earrings bowls knives forks spoons sheets tickets toys games candles flowers tools tyres
tiles blinds sunglasses""".split() + _split("""swimming trunks|hiking boots|running socks|running shorts
football boots|dancing shoes|walking boots""")
DEVICES = """phone laptop router printer camera keyboard tablet television computer modem monitor speaker headset
charger watch radio device screen microphone mouse decoder receiver antenna remote scanner projector thermostat
alarm doorbell sensor hub socket landline mobile console""".split() + _split("set top box|remote control|smart meter")
COLORS = "black white red blue green brown grey yellow pink orange purple silver gold beige navy".split()
FAMILY = """mother father son daughter wife husband brother sister friend mum dad mom partner neighbour colleague
boss cousin aunt uncle nephew niece grandmother grandfather""".split()
WHEN = _split("""yesterday|last week|two weeks ago|a week ago|last month|three days ago|on monday|on friday
on tuesday|this morning|last night|in march|today|last thursday|ten days ago|two days ago|a month ago|last year
this week|earlier today|a few days ago|on the weekend|before christmas|in the summer|over a week ago|in january
on sunday|an hour ago|about an hour ago|six months ago|on saturday morning|last wednesday|at the weekend""")
CARDS = _split("credit card|debit card|card|bank card|visa card|gift card|bank account|account")
PLANS = _split("""plan|subscription|contract|membership|policy|package|tariff|insurance|internet plan|phone plan
account|service|premium plan|basic plan|family plan|trial|free trial|newsletter""")

ACCOUNT = _split("""i want to open an account|i'd like to open a new account|close my account|delete my account
i forgot my password|i forgot my user name|reset my pin|i forgot my pin|change my password|my account is blocked
my account is locked|unlock my account|i can't get into my account|i can't access my account|who has access to it
update my details|change my details|i want to change my name|i got married and my name changed|change my email
i moved to {y}|i have a new address|my new address is {a}|my address is {a}|it's {a}|the address is {a}
my zip code is {z}|the postcode is {z}|my postcode is {z}|it's {z}|i have a new phone number|what is my username
my number is {h}|my phone number is {h}|you can reach me at {h}|call me back at {h}|my mobile number is {h}
my email address is {F} at {L} dot com|{F} dot {L} at mail dot com|my email is {F} {L} at mail dot org
verify my account|i need to verify my identity|i did not get the code|the code has not arrived|send the code again
send me a text message|i never got the email|check my account balance|what is the balance of my account
i lost my {b}|my {b} was stolen|block my {b}|cancel my {b}|i need a new {b}|my {b} has expired|freeze my {b}
activate my {b}|my new {b} has not arrived|someone used my {b}|i see a transaction that i did not make
i want to report fraud|i think i was hacked|transfer {m} to {F}|send {m} to my {f}|withdraw {m}|deposit a check
what is my credit limit|raise my credit limit|what's the exchange rate|what is the interest rate|order new checks
my account number is {o}|the account is in the name of {F} {L}|the account is under {L}|i have two accounts
is my account still active|log me out everywhere|turn on notifications|i don't have an account|i have an account""")
PAYMENT = _split("""i want to pay by card|i'd like to pay with my {b}|i want to pay in cash|can i pay in installments
can i pay monthly|can i pay later|when will you take the payment|set up a direct debit|cancel my direct debit
change my direct debit|my direct debit did not go through|i want to pay {m}|i paid {m} {w}|i owe you {m}
how much do i owe|how much do i have to pay|what is the total|the total is {m}|it was {m}|it cost {m}
i missed a payment|i can't pay this month|i need more time to pay|i got a reminder|you sent me a final notice
i received a late fee|why is there a late fee|waive the fee|what is this fee for|there is an extra fee
there is a fee of {m}|i was charged a fee of {m}|i never agreed to that charge|i want to dispute a charge
i want to dispute the charge of {m}|the tax is wrong|you billed the wrong address|update my billing address
change the billing date|when is the bill due|due on the {g}|is the payment still pending|my payment is pending
has my payment arrived|did you get my payment|i sent the money {w}|i paid the bill {w}|pay now|pay the bill
the transfer has not arrived|the promotion code did not work|apply my voucher|i have a voucher for {m}
i have a discount code|where is my discount|you promised me a discount|i was quoted {m}|the quote was {m}
i need a receipt for {d}|send the invoice to my email|send me the invoice by post|itemised bill please
my last bill was {m}|my bill went up by {m}|charged me for {n} months|refund me {m}|i want {m} back""")
SUBSCRIPTION = _split("""cancel my {v}|i want to cancel my {v}|i'd like to cancel the {v}|end my {v}|stop my {v}
pause my {v}|renew my {v}|i want to renew the {v}|upgrade my {v}|downgrade my {v}|change my {v}|switch my {v}
when does my {v} end|when does the {v} expire|how do i cancel|what does the {v} cost|how much is the {v}
tell me about the {v}|what is included in my {v}|is there a cheaper {v}|i want a better {v}|compare the plans
i want to join|i want to sign up|sign me up|i'd like to subscribe|unsubscribe|unsubscribe me please|subscribe
i didn't sign up for this|i cancelled my {v} {w}|i was charged after i cancelled|keep my number|upgrade please
what happens when i cancel|is there a cancellation fee|i'm moving and want to take my {v} with me|how long is it
my contract ends in {q}|extend my {v}|add my {f} to my {v}|remove my {f} from the {v}|another provider is cheaper""")
APPOINTMENT = _split("""i want to make an appointment|i need an appointment|book an appointment|i'd like to book a visit
make an appointment for {t}|an appointment on {t} please|can i come on {t}|cancel my appointment|reschedule
i need to cancel my appointment on {t}|i want to reschedule my appointment|move my appointment to {t}|change it to {t}
what times do you have|what time is my appointment|when is my appointment|is {k} at {x} free|do you have anything on {k}
{k} at {x}|{x} on {k}|{k} morning|{k} afternoon|{k} evening|in the morning|in the afternoon|the earliest possible
as soon as possible|after {x}|before {x}|between {x} and {x}|any time on {k}|not before {x}|i'm late for my appointment
i missed my appointment|when is the engineer coming|the technician did not come|nobody came {w}|book a repair
is anything free this week|sometime next week|that day works for me|that time is fine|that doesn't work for me
can we do it another day|can i come earlier|i can't make it {k}|for {n} people|for two people on {t}|i'm running late
see the doctor|see a dentist|book a table for {n}|confirm my reservation|i have a reservation under {L}""")
COMPLAINT = _split("""i want to complain|i want to make a complaint|i'd like to file a complaint|i have a complaint
this is the third time i've called|i have been waiting for an hour|i've been on hold for {n} minutes|nobody helps me
nobody called me back|you promised to call me back|i was promised a call back|your service is terrible|awful service
i'm very disappointed|i am very unhappy|i'm really angry|this is unacceptable|this is not good enough|this is absurd
the driver was rude|the driver was very rude|the person i spoke to was rude|i was cut off|you hung up on me
i'm never buying from you again|i want compensation|i want it in writing|who is in charge there|this is a joke
i have called {n} times|i wrote to you {w} and got no answer|you never answer|it's always the same problem
my complaint number is {o}|the case number is {o}|my ticket number is {o}|reference number {o}|my reference is {u}
your website is useless|the food was cold|the room was dirty|the quality is poor|it's the worst service ever
i will tell everyone|i'm going to a lawyer|i want to speak to whoever is responsible|nothing has been done""")
INSURANCE = _split("""i want to make a claim|i need to file a claim|report an accident|i had an accident|i had a car accident
what is the status of my claim|where is my claim|my claim was denied|my claim number is {o}|my policy number is {o}
my policy number is {u}|the policy number is {u}|am i covered|does my policy cover {n} cars|is it covered|get a quote
i want a quote|i need a quote for my car|car insurance|home insurance|health insurance|life insurance|travel insurance
i want to insure my car|insure my house|add a driver|add my {f} to my policy|i bought a new car|i sold my car
my car was stolen|someone hit my car|my windscreen is broken|there was a fire|there was a flood|a pipe burst
water is coming through the ceiling|the roof is leaking|my house was broken into|my bike was stolen|my {i} was stolen
when do i get my money|how much is my deductible|my premium went up|the premium is too high|my date of birth is {B}
i was born on {B}|born on the {B}|{B}|the accident was on {t}|it happened {w}|nobody was hurt|the police came
i need proof of insurance|send me my documents|my insurance card has not arrived|i need a doctor|change my policy
beneficiary|who is my agent|file a claim|check my claim|emergency|it's an emergency|i need roadside assistance""")
NETWORK = _split("""my internet is down|the internet is down|the internet is very slow|my connection keeps dropping
i have no internet|i have no signal|there is no signal|no dial tone|my phone line is dead|the line is dead|my line is noisy
there is noise on the line|i can't make calls|i can't receive calls|i can't send messages|i have no mobile data
the tv is frozen|i have no channels|some channels are missing|the picture is frozen|the sound is gone|the picture is bad
is there an outage|is there an outage in {y}|the whole street is down|when will it be back|i restarted the router
i've already restarted it|i tried that already|i switched it off and on again|i unplugged it|it's plugged in
the light is red|the light is orange|the lights are off|the lights are flashing|the green light is blinking
i can't connect my {e}|how do i connect my {e} to the wifi|what is my wifi password|change my wifi password
i want faster internet|what speeds do you have|how fast is my internet|fibre please|is fibre available at my address
i want to move my internet to {y}|send a technician|i need a technician|when can someone come|install my {e}
the cable is broken|the app won't open|it says error {d}|error {d}|it says no connection|the update failed
my {e} won't update|my {e} won't connect to the new network|the {e} is making a noise|the password is not accepted
i need a new sim card|my sim card does not work|unlock my phone|i lost my phone|roaming|i want to use my phone abroad
how much data do i have left|i've used all my data|my screen is cracked|the {e} does not turn on|i dropped my {e}
reboot|the email does not work|i can't open the email|my computer has a virus|warranty|is it still under warranty""")
TRAVEL = _split("""i want to change my flight|cancel my flight|cancel my booking|i want to cancel my booking|book a room
i need a hotel in {y}|a flight from {y} to {y}|from {y} to {y}|to {y}|from {y}|i'm flying to {y} on {t}|a ticket to {y}
my luggage is lost|my bag did not arrive|my flight was cancelled|the train was late|one way|return ticket|a window seat
for {n} nights|for one night|a double room|a single room|two adults and one child|check in|check out|my booking number is {u}
my confirmation number is {u}|the booking reference is {u}|breakfast|can i have a late check out|i need a taxi to {y}""")
SMALL = _split("""i see|got it|fine|great|good|perfect|wonderful|all right|alright|lovely|okay great|okay thank you|oh okay
really|what|why|who is this|who am i speaking to|hang on|let me see|let me check|let me think|i'm looking for it
just a second|give me a second|one second please|i'm still here|i'm here|are you there|is anybody there|maybe|perhaps
it depends|i guess so|i suppose|i hope so|both|neither|either|none|all of them|the first one|the second one|the last one
the other one|that one|this one|number one|number two|option one|option two|option three|press one|the latter|the former
more|less|later|now|not now|in english|english|spanish|i don't speak english|speak slowly|it's too loud|it's noisy here
i'm in the car|i'm driving|the line is bad|i can't hear you|you're breaking up|could you speak up|i didn't catch that
i don't understand|what do you mean|how do you mean|how does it work|how long does it take|how much is it|how many
that was wrong|you misunderstood|that's not what i said|no i said {d}|i meant {d}|sorry i mean {d}|correction|scratch that
never mind that|forget it|leave it|it doesn't matter|don't worry|no problem|you're welcome|nice to meet you|take care
something else|i have another question|one more thing|i have a question|can you help me|please help me|i need help|help me""")
FURTHER = {"account": ACCOUNT, "payment": PAYMENT, "subscription": SUBSCRIPTION, "appointment": APPOINTMENT,
           "complaint": COMPLAINT, "insurance": INSURANCE, "network": NETWORK, "travel": TRAVEL, "small": SMALL}
