"""Languages that Whisper tells apart: their codes, and what they are called in English.

Source: Radford et al. 2022 (Whisper), table 9 and the reference's token names ("jw" is what it calls Javanese).
"""

from __future__ import annotations

_NAMES = """
af afrikaans | am amharic | ar arabic | as assamese | az azerbaijani | ba bashkir | be belarusian | bg bulgarian
bn bengali | bo tibetan | br breton | bs bosnian | ca catalan, valencian | cs czech | cy welsh | da danish | de german
el greek | en english | es spanish, castilian | et estonian | eu basque | fa persian | fi finnish | fo faroese
fr french | gl galician | gu gujarati | ha hausa | haw hawaiian | he hebrew | hi hindi | hr croatian
ht haitian creole, haitian | hu hungarian | hy armenian | id indonesian | is icelandic | it italian | ja japanese
jw javanese | ka georgian | kk kazakh | km khmer | kn kannada | ko korean | la latin
lb luxembourgish, letzeburgesch | ln lingala | lo lao | lt lithuanian | lv latvian | mg malagasy | mi maori
mk macedonian | ml malayalam | mn mongolian | mr marathi | ms malay | mt maltese | my myanmar, burmese | ne nepali
nl dutch, flemish | nn nynorsk | no norwegian | oc occitan | pa punjabi, panjabi | pl polish | ps pashto, pushto
pt portuguese | ro romanian, moldavian, moldovan | ru russian | sa sanskrit | sd sindhi | si sinhala, sinhalese
sk slovak | sl slovenian | sn shona | so somali | sq albanian | sr serbian | su sundanese | sv swedish | sw swahili
ta tamil | te telugu | tg tajik | th thai | tk turkmen | tl tagalog | tr turkish | tt tatar | uk ukrainian | ur urdu
uz uzbek | vi vietnamese | yi yiddish | yo yoruba | yue cantonese | zh chinese, mandarin
"""

LANGUAGES: dict[str, str] = {}
"""Name in English, lower case → code."""

for _line in _NAMES.strip().splitlines():
    for _entry in _line.split(" | "):
        _code, _, _names = _entry.partition(" ")
        LANGUAGES |= dict.fromkeys(_names.split(", "), _code)


def language_code(language: str) -> str:
    """The code of a language given as a code or by its English name; what is not known stays as it is."""
    wanted = language.strip().lower().removeprefix("<|").removesuffix("|>")
    return LANGUAGES.get(wanted, wanted)
