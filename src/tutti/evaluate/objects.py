"""Words for things: a lexicon of objects with their other names and kinds, and finding them in a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.resources import files

from tutti.evaluate.language import singular, words
from tutti.evaluate.numerals import number_of

DETERMINERS = set(
    "a an the some several many few any another this these those each every both all no more other his her its "
    "their my your our most various multiple".split()
)
_PREPOSITIONS = set(
    "of in on at by for with from to into onto over under above below behind beside between near through across "
    "along around against inside outside within without during after before beneath next toward towards past off "
    "out up down about like as than upon per via".split()
)
_OTHERS = set(
    "and or but nor so yet if when while where which who whom whose that because is are was were be been being am "
    "do does did has have had will would can could may might shall should must not there here it he she they we "
    "you i them him us me what how very quite too also just only then now both either neither yes no please still "
    "even together left right everything something nothing anything someone".split()
)
FUNCTION_WORDS = DETERMINERS | _PREPOSITIONS | _OTHERS
ADJECTIVES = set(
    "red green blue yellow black white brown grey gray pink purple violet golden silver beige tan turquoise cyan "
    "magenta maroon teal dark light bright pale colorful colourful big large huge tall small little tiny short "
    "long wide narrow thick thin round square flat curved straight old new young ancient modern fresh clean dirty "
    "wet dry hot cold warm cool soft hard smooth rough heavy open closed empty full half single double only same "
    "different similar main whole first second third last next front back top bottom middle upper lower central "
    "certain possible nice beautiful pretty cute lovely happy sad angry calm busy quiet loud sunny cloudy rainy "
    "snowy foggy wooden metal metallic plastic leather woolen cotton stone concrete ceramic fluffy furry striped "
    "spotted plain simple elegant casual formal electric electronic digital wild domestic tropical urban rural "
    "famous typical common rare clear blurry visible distant nearby lone solitary adult male female asian african "
    "american european japanese chinese great good bad fine real fake ripe sliced fried baked grilled boiled "
    "roasted frozen chopped broken parked painted decorated lit covered well-lit sharp shiny matte transparent "
    "vintage rusty tiled paved grassy sandy rocky muddy lush dense vast steep shallow deep strong weak fast slow "
    "high low rectangular circular triangular oval curly wavy bald bearded blond blonde two-storey spare extra "
    "strange odd unusual additional larger smaller bigger taller older younger orange gold rose".split()
)
NOT_OBJECTS = set(
    "picture image photo photograph photography shot scene view background foreground middle center centre side "
    "corner edge top bottom front back left right lot number kind type sort piece part group pair couple bunch "
    "set row variety collection close-up closeup distance position area place way time day night morning evening "
    "afternoon moment color colour shape size style pattern design surface setting atmosphere mood focus angle "
    "end beginning clip video recording sound audio noise second minute hour frame answer question text word "
    "words label caption letter letters name title writing inscription lettering reading sentence phrase digit "
    "figure half rest fact case total example thing object item something subject content detail look appearance "
    "expression smile pose activity action hand finger face eye ear nose mouth foot leg arm hair beard head body "
    "shoulder neck skin tail wing paw fur light lighting shade shadow season weather temperature age year month "
    "week amount bit level rate price cost litre liter gram kilogram kilo kg km cm mm pixel percent percentage "
    "degree kilometre meter metre mile inch euro dollar cent one ones man-made".split()
)
_NOUNS_ONLY_AFTER_A_DETERMINER = set(
    "watch ring saw can fly drill nail screw lock brush comb seal bear duck bat fan park star line bar dot cross "
    "net goal rock wave bill sign letter key drum hook train ship iron orange rose ski surf rain snow box bowl "
    "judge suit book smoke fire dress field plant gear wood heart arrow circle square poster string pen cook "
    "guide stamp fish horn cap coach pot pan jam ice light sun cart couch map tie belt bus drink shower sink "
    "guard head coat bark shop store school house play lead cab goose jet mug hail mail".split()
)


class Lexicon:
    """Names of objects.

    Args:
        lines: As in `objects.txt`: `kind/narrower kind: object=other word, object, …`.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self.names: dict[tuple[str, ...], str] = {}
        self.kinds: dict[str, frozenset[str]] = {}
        for line in lines:
            text = line.partition("#")[0].strip()
            if not text:
                continue
            path, _, listed = text.partition(":")
            kinds = [kind.strip() for kind in path.split("/")]
            for depth, kind in enumerate(kinds):
                self._add((kind,), kinds[:depth])
            for entry in listed.split(","):
                self._add([name.strip() for name in entry.split("=")], kinds)
        self.longest = max(map(len, self.names))

    def _add(self, names: Iterable[str], kinds: Iterable[str]) -> None:
        first, *others = names
        canonical = self.names.setdefault(_key(first), " ".join(_key(first)))
        self.kinds[canonical] = self.kinds.get(canonical, frozenset()) | (frozenset(kinds) - {canonical})
        for other in others:
            self.names.setdefault(_key(other), canonical)

    def closure(self, name: str) -> set[str]:
        """An object and all its kinds."""
        return {name, *self.kinds.get(name, ())}

    def at(self, tokens: list[str], start: int) -> tuple[str, int] | None:
        """The object whose name begins at a token, and how many tokens its name has; the longest name wins."""
        for length in range(min(self.longest, len(tokens) - start), 0, -1):
            name = self.names.get(tuple(singular(token) for token in tokens[start : start + length]))
            if name is not None:
                return name, length
        return None


def _key(name: str) -> tuple[str, ...]:
    return tuple(singular(word) for word in words(name))


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The lexicon that comes with the package."""
    return Lexicon((files("tutti.evaluate") / "objects.txt").read_text(encoding="utf-8").split("\n"))


def objects_in(tokens: list[str]) -> Iterator[tuple[int, int, str]]:
    """Objects that tokens name: known ones anywhere, unknown ones as heads of phrases that a determiner opens.

    Args:
        tokens: Words in lower case; punctuation as tokens of its own.

    Yields:
        First token, number of tokens, and the object's name.
    """
    known = lexicon()
    index = 0
    while index < len(tokens):
        match = known.at(tokens, index)
        if match and _is_noun_here(tokens, index, match[1]):
            if not _modifies(tokens, index, match[1], known):
                yield index, match[1], match[0]
            index += match[1]
            continue
        if tokens[index] in DETERMINERS or number_of(tokens[index]) is not None:
            found = _unknown_after(tokens, index + 1, known)
            if found is not None:
                yield found, 1, singular(tokens[found])
                index = found + 1
                continue
        index += 1


def _modifies(tokens: list[str], index: int, length: int, known: Lexicon) -> bool:
    """Whether a known word only tells more of the one behind it: "bell" in "a bell pepper"."""
    last, after = tokens[index + length - 1], index + length
    match = known.at(tokens, after) if last == singular(last) else None
    return match is not None and _is_noun_here(tokens, after, match[1]) and tokens[after] not in FUNCTION_WORDS


def _is_noun_here(tokens: list[str], index: int, length: int) -> bool:
    """Whether a known word is a thing here: not a colour before a noun, nor a verb that is spelled like one."""
    word = tokens[index]
    after = tokens[index + length] if index + length < len(tokens) else ""
    if length == 1 and word in ADJECTIVES and after and after.isalpha() and after not in FUNCTION_WORDS:
        return False
    if word == "can" and after not in _PREPOSITIONS and after.isalpha():
        return False  # as in "one can see"
    if length == 1 and singular(word) in _NOUNS_ONLY_AFTER_A_DETERMINER:
        before = index - 1
        while before >= 0 and tokens[before] in ADJECTIVES:
            before -= 1
        opened = before < 0 or tokens[before] in DETERMINERS or number_of(tokens[before]) is not None
        return opened or tokens[before] in _PREPOSITIONS | {"and", "or", ",", ":", "."}
    return True


def _unknown_after(tokens: list[str], start: int, known: Lexicon) -> int | None:
    """Index of the first word after a determiner that is neither adjective nor function word, if it is no known one."""
    for index in range(start, min(start + 5, len(tokens))):
        word = tokens[index]
        if not word.isalpha() or word in FUNCTION_WORDS or number_of(word) is not None:
            return None
        if known.at(tokens, index) and _is_noun_here(tokens, index, known.at(tokens, index)[1]):  # type: ignore[index]
            return None
        if word in ADJECTIVES:
            continue
        after = tokens[index + 1] if index + 1 < len(tokens) else "."
        # "garden gnome" goes on to its head; "wombat sleeps" and "wombat sleeping" do not.
        if after[0].isalpha() and after not in FUNCTION_WORDS and not after.endswith(("s", "ed", "ing")):
            continue
        return None if singular(word) in NOT_OBJECTS or word.endswith(("ly",)) else index
    return None
