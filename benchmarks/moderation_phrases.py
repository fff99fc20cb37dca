"""Words for `moderation.py`: phrases to train on and others held out, terms, and ways to disguise them."""

from __future__ import annotations

from collections.abc import Callable

ALONE = (
    (
        "I will find you and hurt you",
        "you deserve to be beaten up",
        "we are coming to your house tonight to get you",
        "somebody should break your legs",
        "I am going to make you bleed",
        "you will regret this, I know where you live",
        "watch your back, you are dead",
        "we will smash your face in",
        "I hope someone attacks you on the way home",
        "you are next, and nobody will help you",
        "I swear I will strangle you",
        "my fists are waiting for you",
    ),
    (
        "tomorrow I am going to beat you until you cry",
        "we know your address and we will hurt you",
        "you had better hide, I will get you",
        "someone ought to punch your teeth out",
        "you will be bleeding soon",
        "I promise you will suffer for this",
        "run while you can, we will attack you",
        "your legs will be broken by us",
    ),
)
NEUTRAL = (
    (
        "when it is finally the weekend",
        "me looking at my to-do list",
        "that feeling after a good night's sleep",
        "nobody told me it was monday",
        "so proud of this one",
        "waiting for the bus again",
        "look what I saw today",
        "this made my day",
        "my plans and what really happened",
        "still better than my last holiday",
        "who else remembers this",
        "how it started and how it goes",
        "I could look at this for hours",
        "good morning everyone",
    ),
    (
        "mood on a friday afternoon",
        "found this on my way home",
        "everybody has that one friend",
        "me after one cup of coffee",
        "this is what happiness looks like",
        "my phone has a thousand of these",
        "today was a good day",
        "why is it always monday",
        "can we talk about how great this is",
        "greetings to my family",
    ),
)
TOGETHER = (
    (
        "smash it with a hammer",
        "set it on fire and watch it burn",
        "chop it into pieces with an axe",
        "throw it off a bridge",
        "crush it under a truck",
        "kick it as hard as you can",
        "drown it in the river",
        "blow it up with fireworks",
        "cut it open with a saw",
        "shoot at it for target practice",
        "run over it again and again",
        "hit it with a bat until it breaks",
    ),
    (
        "take a sledgehammer to it",
        "pour petrol on it and light a match",
        "saw it in half",
        "drop it from the tenth floor",
        "flatten it with a steamroller",
        "stamp on it until it is flat",
        "put a firework inside it",
        "hold it under water for an hour",
    ),
)
"""Of things they are a joke; of animals, cruelty."""

TERMS = (
    "heroin",
    "kill yourself",
    "buy a gun",
    "cocaine",
    "white power",
    "bomb recipe",
    "fake passport",
    "suicide",
    "scam",
    "terrorist",
)

_LEET = str.maketrans("aeiost", "431057")
_CYRILLIC = str.maketrans("aceopxyi", "асеорхуі")
_WIDE = {code: code + 0xFEE0 for code in range(0x61, 0x7B)}
_BOLD = {code: 0x1D5EE + code - 0x61 for code in range(0x61, 0x7B)}
_CIRCLED = {code: 0x24D0 + code - 0x61 for code in range(0x61, 0x7B)}
_TURNED = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ɐqɔpǝɟƃɥıɾʞןɯuodbɹsʇnʌʍxʎz")


def _leet(sign: str) -> str:
    return sign.translate(_LEET)


def _spread(between: str) -> Callable[[str], str]:
    return lambda term: between.join(term.replace(" ", ""))


def _middle(term: str, make: Callable[[str], str]) -> str:
    """Each word of four letters or more with its second letter changed."""
    return " ".join(word[0] + make(word[1]) + word[2:] if len(word) >= 4 else word for word in term.split())


DISGUISES: dict[str, Callable[[str], str]] = {
    "zero-width letters between": "\u200b".join,
    "soft hyphens between": "\u00ad".join,
    "Cyrillic look-alikes": lambda term: term.translate(_CYRILLIC),
    "leet": lambda term: term.translate(_LEET),
    "leet, one letter": lambda term: _middle(term, _leet),
    "spaces between": _spread(" "),
    "dots between": _spread("."),
    "dashes between": _spread("-"),
    "full width": lambda term: term.translate(_WIDE),
    "mathematical bold": lambda term: term.translate(_BOLD),
    "circled": lambda term: term.translate(_CIRCLED),
    "struck through": lambda term: "".join(sign + "\u0336" for sign in term),
    "accents": lambda term: "".join(sign + "\u0301" if sign in "aeiou" else sign for sign in term),
    "stretched": lambda term: _middle(term, lambda sign: sign * 4),
    "masked": lambda term: _middle(term, lambda sign: "*"),
    "upside down": lambda term: term.translate(_TURNED)[::-1],
    "backwards": lambda term: term[::-1],
    "capitals mixed": lambda term: "".join(sign.upper() if at % 2 else sign for at, sign in enumerate(term)),
}
HAND_MADE = (
    ("get some h3r0!n here", "heroin"),
    ("HER0IN for sale", "heroin"),
    ("h e r 0 i n", "heroin"),
    ("hеrоin", "heroin"),
    ("heroιn", "heroin"),
    ("he.ro.in", "heroin"),
    ("h-e-r-o-i-n", "heroin"),
    ("herrrroin", "heroin"),
    ("her()in", "heroin"),
    ("ki11 yourself", "kill yourself"),
    ("k!ll ur self kill y0urself", "kill yourself"),
    ("kill_yourself", "kill yourself"),
    ("KiLl YoUrSeLf", "kill yourself"),
    ("k i l l y o u r s e l f", "kill yourself"),
    ("ᴋɪʟʟ ʏᴏᴜʀsᴇʟꜰ", "kill yourself"),
    ("|<ill yourself", "kill yourself"),
    ("k*ll yourself", "kill yourself"),
    ("kill y o u r s e l f", "kill yourself"),
    ("buy a 6un", "buy a gun"),
    ("b.u.y a g.u.n", "buy a gun"),
    ("buy @ gun", "buy a gun"),
    ("bυy a gυn", "buy a gun"),
    ("c0ca1ne", "cocaine"),
    ("coc@ine", "cocaine"),
    ("co caine", "cocaine"),
    ("(ocaine", "cocaine"),
    ("cocaiiiiine", "cocaine"),
    ("wh1te p0wer", "white power"),
    ("whitepower", "white power"),
    ("vvhite povver", "white power"),
    ("white-power", "white power"),
    ("b0mb rec1pe", "bomb recipe"),
    ("b o m b  r e c i p e", "bomb recipe"),
    ("fake pa55port", "fake passport"),
    ("f@ke p@ssport", "fake passport"),
    ("fakepassport", "fake passport"),
    ("5u1c1de", "suicide"),
    ("sui¢ide", "suicide"),
    ("s.u.i.c.i.d.e", "suicide"),
    ("suïcidé", "suicide"),
    ("$uicide", "suicide"),
    ("sc4m", "scam"),
    ("s c a m", "scam"),
    ("5(4m", "scam"),
    ("sсаm", "scam"),
    ("𝕤𝕔𝕒𝕞", "scam"),
    ("t3rr0r1st", "terrorist"),
    ("terror!st", "terrorist"),
    ("tsirorret", "terrorist"),
    ("ʇsıɹoɹɹǝʇ", "terrorist"),
)
BENIGN_TEXTS = (
    "the heroine of the novel",
    "he is a hero in town",
    "we ate coconut and cocoa",
    "I scampered over the hill",
    "white flowers and a power cord",
    "the passport office was fake marble",
    "buy a gunny bag",
    "she is a tourist",
    "kill the lights and calm yourself",
    "the recipe says a bombe glacée",
    "scan the page",
    "a can of coke, in a bag",
    "suits and cider",
    "they paint terraces",
    "5 cars, 4 men",
    "call 555 0134 at 10:45",
    "version 3.0.1 is out",
    "a b c d e f g",
    "I am a scout",
    "s.c. am Main",
    "pass port on the left",
    "the power of white noise",
    "cat @ home :)",
)
