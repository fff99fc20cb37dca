"""What can be seen and heard in a scene, and what it is called: plain names, their kin, articles and plurals."""

from __future__ import annotations

EMOJI_GROUPS: dict[str, str] = {
    "animal": (
        "dog;dog face=dog;cat;cat face=cat;horse;horse face=horse;cow;cow face=cow;pig;pig face=pig;monkey;monkey face=monkey;"
        "mouse face=mouse;rabbit;rabbit face=rabbit;tiger;tiger face=tiger;lion;elephant;giraffe;zebra;camel;bear;panda;koala;"
        "polar bear;fox;wolf;frog;turtle;snake;crocodile;whale;dolphin;shark;octopus;fish;crab;lobster;snail;butterfly;spider;"
        "honeybee=bee;ant;goat;ewe=sheep;kangaroo;gorilla;deer;hedgehog;bat;squid;lizard;hippopotamus=hippo;llama;"
        "rhinoceros=rhino;raccoon;sloth;seal;donkey;beaver;T-Rex=dinosaur;sauropod=dinosaur;unicorn;cricket;lady beetle=ladybug"
    ),
    "bird": "rooster;chicken;penguin;owl;eagle;duck;parrot;swan;flamingo;peacock;bird;turkey;baby chick=chick",
    "fruit": (
        "red apple=apple;green apple=apple;banana;grapes;watermelon;tangerine=orange;lemon;pineapple;pear;peach;cherries;"
        "strawberry;kiwi fruit=kiwi;mango;coconut;blueberries"
    ),
    "food": (
        "tomato;eggplant;carrot;ear of corn=corn;broccoli;garlic;onion;potato;cucumber;bell pepper=pepper;avocado;mushroom;"
        "hot dog;hamburger;pizza;sandwich;taco;french fries;bread;croissant;pretzel;pancakes;cheese wedge=cheese;egg;"
        "spaghetti;sushi;cookie;doughnut;cupcake;birthday cake;pie;chocolate bar=chocolate;candy;lollipop;soft ice cream=ice cream;"
        "popcorn;honey pot=honey;butter;salt"
    ),
    "drink": "glass of milk=milk;hot beverage=cup of coffee;teapot;wine glass=glass of wine;beer mug=beer;baby bottle",
    "vehicle": (
        "automobile=car;taxi;bus;police car;ambulance;fire engine=fire truck;delivery truck=truck;tractor;bicycle;motorcycle;"
        "airplane;helicopter;rocket;ship;sailboat;locomotive=train;tram;canoe;kick scooter=scooter;racing car=race car;"
        "flying saucer=ufo"
    ),
    "instrument": "guitar;violin;saxophone;trumpet;drum;flute;accordion;banjo;harp;musical keyboard=piano;maracas",
    "tool": (
        "hammer;wrench;screwdriver;axe;scissors;shovel;ladder;broom;magnet;toolbox;carpentry saw=saw;flashlight;bucket;"
        "kitchen knife=knife;spoon;toothbrush;plunger"
    ),
    "clothes": (
        "t-shirt;dress;jeans;necktie=tie;top hat=hat;crown;glasses;sunglasses;socks;gloves;scarf;coat;running shoe=shoe;"
        "high-heeled shoe=shoe;backpack;handbag;umbrella;ring;lipstick;shorts"
    ),
    "sport": (
        "soccer ball;basketball;baseball;volleyball;american football=football;bowling;trophy;boxing glove;"
        "kite;skateboard;balloon;teddy bear;yo-yo;wrapped gift=gift;game die=dice;bullseye=target;puzzle piece"
    ),
    "plant": "rose;tulip;sunflower;cactus;palm tree;deciduous tree=tree;evergreen tree=tree;four leaf clover=clover;maple leaf=leaf;Christmas tree",
    "sky": (
        "sun;crescent moon=moon;full moon=moon;rainbow;snowflake;fire;cloud;cloud with rain=rain cloud;"
        "cloud with lightning and rain=storm cloud;water wave=wave;volcano;mountain;snowman;tornado"
    ),
    "home": (
        "key;candle;light bulb;bed;chair;door;bathtub;toilet;alarm clock=clock;mantelpiece clock=clock;watch;hourglass done=hourglass;"
        "mirror;basket;soap;couch and lamp=couch;bell;telephone;camera;television;radio;laptop;mobile phone=phone;printer;battery;"
        "microphone;headphone=headphones;closed book=book;books;pencil;pen;crayon;envelope;newspaper;paperclip;calendar;globe with meridians=globe;"
        "magnifying glass tilted left=magnifying glass;microscope;telescope;gem stone=diamond gem;coin;pill;syringe;tooth;bone;eye;ear;nose;"
        "brain;anchor;bomb;luggage=suitcase;tent;robot;ghost;alien;skull"
    ),
    "building": "house;castle;church;school;hospital;factory;ferris wheel;Statue of Liberty=statue;fountain;stadium",
    "person": (
        "baby;boy;girl;man;woman;old man;old woman;astronaut;farmer;cook;firefighter;police officer;teacher;judge;pilot;"
        "scientist;mechanic;artist;singer;student;detective;construction worker;princess;Santa Claus=santa claus;sneezing face"
    ),
}
"""Group → emoji labels that a person can name at a glance, each followed by `=` and the plain name where it differs."""


def emoji_names() -> dict[str, str]:
    """Label in the packs → plain name."""
    pairs = (entry.partition("=") for text in EMOJI_GROUPS.values() for entry in text.split(";"))
    return {label: plain or label for label, _, plain in pairs}


PHOTO_NAMES: dict[str, dict[str, str]] = {
    "cifar10": {"automobile": "car"},
    "clothing": {"longsleeve": "long sleeve shirt", "outwear": "jacket"},
    "grocery": {
        "Soy-Milk": "soy milk", "Sour-Cream": "sour cream", "Oat-Milk": "oat milk", "Sour-Milk": "sour milk",
        "Red-Grapefruit": "grapefruit", "Passion-Fruit": "passion fruit", "Red-Beet": "beet", "Aubergine": "eggplant",
        "Satsumas": "satsuma", "Carrots": "carrot", "Soyghurt": "soy yoghurt", "Oatghurt": "oat yoghurt",
    },
}  # fmt: skip
"""Photo pack → class in the pack → plain name where it differs from the class in small letters."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "car": ("automobile",),
    "airplane": ("plane", "aeroplane"),
    "bicycle": ("bike",),
    "motorcycle": ("motorbike",),
    "hippo": ("hippopotamus",),
    "rhino": ("rhinoceros",),
    "phone": ("mobile phone", "smartphone"),
    "television": ("tv",),
    "gift": ("present",),
    "ship": ("boat",),
    "hamburger": ("burger",),
    "pants": ("trousers",),
    "eggplant": ("aubergine",),
    "jacket": ("outwear", "coat"),
    "long sleeve shirt": ("longsleeve",),
    "soccer ball": ("football",),
    "doughnut": ("donut",),
    "couch": ("sofa",),
    "cup of coffee": ("coffee",),
    "satsuma": ("satsumas",),
    "carrot": ("carrots",),
    "yoghurt": ("yogurt",),
    "diamond gem": ("gem", "diamond"),
    "navy": ("dark blue", "blue"),
    "grey": ("gray",),
    "dinosaur": ("t-rex",),
    "beet": ("red beet",),
    "grapefruit": ("red grapefruit",),
}
"""Plain name → what is accepted as the same answer."""

KIN: tuple[frozenset[str], ...] = tuple(
    frozenset(text.split(","))
    for text in (
        "bird,rooster,chicken,penguin,owl,eagle,duck,parrot,swan,flamingo,peacock,turkey,chick",
        "car,taxi,police car,race car,truck,ambulance,fire truck",
        "ship,sailboat,canoe",
        "t-shirt,shirt,long sleeve shirt,jacket,coat",
        "pants,jeans,shorts",
        "man,old man,boy,baby,farmer,cook,firefighter,police officer,teacher,judge,pilot,scientist,mechanic,artist,singer,"
        "student,detective,construction worker,astronaut,princess,santa claus,girl,woman,old woman",
        "tree,palm tree,christmas tree",
        "orange,satsuma,grapefruit",
        "milk,soy milk,oat milk,sour milk,sour cream,yoghurt,soy yoghurt,oat yoghurt",
        "cloud,rain cloud,storm cloud",
        "horse,donkey,unicorn,zebra",
        "diamond,diamond gem",
        "clock,watch",
        "peach,nectarine,plum",
        "lemon,lime",
        "book,books",
        "bear,polar bear,panda,koala,teddy bear",
        "glasses,sunglasses",
        "shoe,shoes",
        "star,sun",
        "football,soccer ball,basketball,volleyball,baseball",
        "hat,crown",
        "ghost,skull,alien,robot",
        "sneezing face,baby,boy,girl",
        "melon,watermelon",
        "cabbage,leek",
        "wave,sea waves",
        "rain,thunderstorm,sea waves,wind,white noise",
        "snare drum,bass drum,hi-hat,tabla drum,drum beat",
        "double bass,cello,violin",
        "crackling fire,rain",
        "birdsong,rooster,crickets",
    )
)
"""Names of which one may pass for another: never both in a scene, never the wrong answer to a question about the other."""

_KIN_OF: dict[str, frozenset[str]] = {}
for _family in KIN:
    for _name in _family:
        _KIN_OF[_name] = _KIN_OF.get(_name, frozenset()) | _family


def kin(one: str, other: str) -> bool:
    """Whether two names may be confused by their meaning (not by their looks)."""
    return (
        one == other
        or other in _KIN_OF.get(one, ())
        or one in SYNONYMS.get(other, ())
        or other in SYNONYMS.get(one, ())
        or one.endswith(" " + other)
        or other.endswith(" " + one)
    )


SIGHT_OF_SOUND: dict[str, str] = {
    "dog": "dog",
    "rooster": "rooster",
    "crying baby": "baby",
    "rain": "rain cloud",
    "thunderstorm": "storm cloud",
    "crackling fire": "fire",
    "clock tick": "clock",
    "helicopter": "helicopter",
    "guitar": "guitar",
    "violin": "violin",
    "saxophone": "saxophone",
    "flute": "flute",
    "drum beat": "drum",
    "snare drum": "drum",
    "bass drum": "drum",
    "birdsong": "bird",
    "sea waves": "wave",
    "sneezing": "sneezing face",
    "crickets": "cricket",
}
"""Sound → the thing that makes it."""

ENVIRONMENT: dict[str, str] = {
    "dog": "a dog barking",
    "rooster": "a rooster",
    "crying baby": "a crying baby",
    "rain": "rain",
    "sea waves": "sea waves",
    "clock tick": "a ticking clock",
    "sneezing": "a person sneezing",
    "helicopter": "a helicopter",
    "chainsaw": "a chainsaw",
    "crackling fire": "a crackling fire",
    "birdsong": "birds singing",
    "crickets": "crickets",
    "thunderstorm": "a thunderstorm",
    "wind": "wind",
}
INSTRUMENTS: dict[str, str] = {
    "guitar": "a guitar",
    "bass drum": "a bass drum",
    "cello": "a cello",
    "clarinet": "a clarinet",
    "double bass": "a double bass",
    "flute": "a flute",
    "hi-hat": "a hi-hat",
    "saxophone": "a saxophone",
    "snare drum": "a snare drum",
    "violin": "a violin",
    "tabla drum": "a tabla drum",
    "drum beat": "a drum beat",
}
HEARD: dict[str, str] = ENVIRONMENT | INSTRUMENTS
"""Sound → how it is called in an answer."""

SOUND_SYNONYMS: dict[str, tuple[str, ...]] = {
    "dog": ("dog", "barking", "dog bark", "barking dog"),
    "rooster": ("rooster crowing",),
    "crying baby": ("baby", "baby crying"),
    "rain": ("rain falling",),
    "sea waves": ("waves", "sea", "ocean waves"),
    "clock tick": ("clock", "clock tick", "clock ticking"),
    "sneezing": ("sneezing", "sneeze"),
    "crackling fire": ("fire", "fire crackling"),
    "birdsong": ("birds", "birdsong"),
    "thunderstorm": ("thunder",),
    "guitar": ("acoustic guitar",),
    "hi-hat": ("hi hat",),
}
SOUND_LABELS = {"acoustic guitar": "guitar", "hi hat": "hi-hat"}
"""Label in the packs → name here, where they differ."""

KEYWORDS = ("alexa", "jarvis", "computer", "snowboy", "smart mirror", "athena", "amelia")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

WORDS = (
    "apple baby ball band bank bath beach bear bed best bike bird boat book box boy bread bus cafe cake call car cat "
    "city clean cold cook cup dad day deep desk dog door down dream dry duck east easy exit face farm fast fire fish food free "
    "fresh fun game girl go good happy hat help here hero home hope hot hotel house ice idea jazz join juice jump "
    "key king kiss lake left lemon light lion live long love luck lunch magic map meat menu milk mind moon mother music new "
    "news next night no north ocean off old on open park party peace pizza play pool push quick rain rest rice "
    "right river road rose run safe sale salt sea ship shop show sing sky sleep slow smile snow soft south star start stop "
    "store sun sweet table tea team time train travel tree truck up wait walk warm wash water wave west wild win wind "
    "wine winter wood world yes young zoo"
).split()

_NO_ARTICLE = frozenset(
    "corn broccoli bread spaghetti sushi chocolate candy popcorn honey butter salt milk soap bowling cheese garlic ginger asparagus "
    "juice yoghurt rain wind pizza fire".split()
) | {"french fries", "ice cream", "santa claus", "soy milk", "oat milk", "sour milk", "sour cream", "soy yoghurt", "oat yoghurt"}  # fmt: skip
PLURAL = frozenset(
    "grapes cherries blueberries pancakes jeans glasses sunglasses socks gloves scissors maracas shorts pants shoes books dice "
    "headphones fries".split()
) | {"french fries"}  # fmt: skip
"""Names that are already more than one, or a pair."""
_PLURALS = {
    "mouse": "mice", "goose": "geese", "wolf": "wolves", "knife": "knives", "scarf": "scarves", "leaf": "leaves",
    "fish": "fish", "deer": "deer", "sheep": "sheep", "squid": "squid", "tomato": "tomatoes", "potato": "potatoes",
    "mango": "mangoes", "man": "men", "woman": "women", "old man": "old men", "old woman": "old women", "tooth": "teeth",
    "cup of coffee": "cups of coffee", "glass of wine": "glasses of wine", "octopus": "octopuses",
}  # fmt: skip


def a(name: str) -> str:
    """The name with its article: "a dog", "an owl", "grapes"."""
    if name in PLURAL or name in _NO_ARTICLE:
        return name
    return ("an " if name[0] in "aeiou" and not name.startswith(("unicorn", "ufo")) else "a ") + name


def plural(name: str) -> str | None:
    """More than one of them, or None for what is not counted."""
    if name in PLURAL or name in _NO_ARTICLE:
        return None
    if name in _PLURALS:
        return _PLURALS[name]
    if name.endswith(("s", "x", "ch", "sh")):
        return name + "es"
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + "s"
