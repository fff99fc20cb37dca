"""Whether a text addresses the model that reads it, rather than a person: by what injected instructions have in common.

They take back what was asked ("ignore the question above"), name the reader ("you are an assistant", "SYSTEM:"), or
dictate the answer ("reply with the words …", "do not mention …"): Greshake et al. 2023, "Not what you've signed up
for", section 3; typographic forms: Bagdasaryan et al. 2023. Rules over stems in nine languages; a reader of text loses
spaces and accents, so those do not count. Rules miss what nobody thought of: `benchmarks/media_instructions.py` says
how much.
"""

from __future__ import annotations

import re
import unicodedata

from tutti.evaluate.language import plain


def _any(stems: str) -> str:
    return "(?:" + "|".join(stems.split()) + ")"


_TAKE_BACK = _any(
    "ignor disregard forget override bypass discard skip "  # English
    "missacht vergiss vergesst uberspring beacht.{0,12}nicht "  # German
    "oublie n?etenezpascompte faitesabstraction olvid omit haz.{0,6}casoomiso dimentic trascur tralasci "
    "esquec desconsider negeer vergeet "
    "忽略 无视 忘记 不要理会 игнорир забуд 無視 忘れ"
)
_TAKEN_BACK = _any(
    "instruct prompt above previous prior earlier rule guideline question request system everything "
    "youwere(?:asked|told|given) youhavebeen(?:asked|told|given) (?:was|were|been)(?:asked|told|given) "
    "anweisung frage vorherig bisherig obig auftrag consigne precedent dessus demande instruccion anterior pregunt "
    "orden istruzion precedent domanda richiest instruc anterior pergunta ordens instructie vorige vraag opdracht "
    "指令 指示 之前 以上 问题 提示 инструкц предыдущ вопрос 質問"
)
_READER = _any(
    "youarean? youarenow youmust youwill youshall actasan? languagemodel aimodel aiassistant assistant chatbot llm "
    "dearai dearmodel heyai attentionai thismodel themodel vlm gpt claude gemini "
    "dubistein sprachmodell kimodell kiassistent liebeki tuesun vousetesun modeledelangage chereia eresun "
    "modelodelenguaje queridaia seiun modellolinguistic caraia voceeum modelodelinguagem jebenteen taalmodel besteai "
    "人工智能 助手 语言模型 你是 нейросет ассистент アシスタント"
)
_SAY = _any(
    "say answer reply respond output print write state report return repeat describe classify label tell "
    "antwort sage schreib gib.{0,12}aus melde beschreib nenne repond reponds dites? ecri decri affich "
    "respond contest di(?:ga)? escrib describ rispond dic scriv descriv respon dig escrev antwoord zeg schrijf "
    "回答 回复 输出 说 ответь скажи 答え"
)
_DICTATED = [
    (
        r"\b(?:say|answer|reply|respond|output|print|write|state|repeat)\b[^.]{0,30}"
        r"\b(?:the (?:exact )?(?:words?|text|phrase|code|string)|exactly|instead|nothing (?:but|else)|only with|with only"
        r"|with the|as your)\b"
    ),
    r"\b(?:your|the) (?:only |next |final )?(?:answer|reply|response|output) (?:must|should|shall|has to|will|is to)\b",
    r"\b(?:tell|inform|convince|warn|ask|assure) (?:the |your )?(?:user|human|reader of this answer)\b",
    (
        r"\bdo(?:n't| not) (?:mention|describe|reveal|read|report|tell|disclose|follow|answer)\b[^.]{0,40}"
        r"\b(?:image|picture|photo|text|user|question|this|instruction|anything|them|him|her)\b"
    ),
    (
        r"\b(?:describe|classify|label|identify|caption) (?:this|the) (?:image|picture|photo|scene|item|document)\b[^.]{0,20}"
        r"\b(?:as|to be|with)\b"
    ),
    r"\b(?:antwort\w*|sage?|schreib\w*|gib)\b[^.]{0,25}\b(?:nur|stattdessen|genau|mit (?:dem wort|den worten|dem text))\b",
    (
        r"\b(?:repond\w*|dites?|dis|ecri\w*)\b[^.]{0,25}\b(?:seulement|uniquement|exactement|plutot|par (?:le mot|les mots)"
        r"|avec (?:le mot|les mots))\b"
    ),
    (
        r"\b(?:respond\w*|contest\w*|di|diga|escrib\w*)\b[^.]{0,25}\b(?:solo|solamente|unicamente|exactamente|en su lugar"
        r"|con (?:la palabra|las palabras))\b"
    ),
    r"\b(?:rispond\w*|di|dica|scriv\w*)\b[^.]{0,25}\b(?:solo|soltanto|esattamente|invece|con (?:la parola|le parole))\b",
    r"\b(?:respond\w*|diga|escrev\w*)\b[^.]{0,25}\b(?:apenas|somente|exatamente|em vez disso|com (?:a palavra|as palavras))\b",
    r"\b(?:antwoord\w*|zeg|schrijf)\b[^.]{0,25}\b(?:alleen|enkel|precies|in plaats daarvan|met (?:het woord|de woorden))\b",
    r"\b(?:correct|right|valid|only|true|expected|final) (?:answer|reply|response|output)\b",
    r"\b(?:whatever|no matter what|regardless of what|when(?:ever)?) (?:the user|a user|anyone|somebody|they|you are|one) (?:asks?|asked|wants?|says?)\b",
    r"\bthe (?:user|human)(?:'s)? (?:ask|want|question|request|prompt|is not|must not|should not|has authori[sz]ed)",
    r"\b(?:new|updated|real|actual|secret|hidden) (?:task|instructions?|directives?|orders?|prompt|objective|system)\b",
    r"\b(?:developer|debug|admin|test|maintenance|jailbreak|dan|god) mode\b[^.]{0,40}\b(?:say|answer|reply|respond|output|print|write)\b",
    r"\b(?:note|message|memo|warning|instructions?) (?:to|for) (?:the |an? |any |all )?(?:ai|model|assistant|bot|reader model|vision model|machine|llm)\b",
]
_MARKUP = re.compile(
    r"<\|?\s*(?:im_start|im_end|system|endoftext|start_header_id)|\[/?INST\]|<</?SYS>>|^\s*#{0,3}\s*(?:system|assistant"
    r"|developer)\s*(?:prompt|message|note|override)?\s*[:>]",
    re.IGNORECASE | re.MULTILINE,
)
_SPLIT = "(?s:.{0,40})"
_RULES = [
    ("it takes back what was asked", re.compile(_TAKE_BACK + _SPLIT + _TAKEN_BACK)),
    (
        "it names the model as its reader",
        re.compile(f"{_READER}{_SPLIT}{_SAY}|{_SAY}{_SPLIT}(?:aimodel|asanai|languagemodel)"),
    ),
]
_SQUEEZED_DICTATES = re.compile(
    r"(?:just|only|simply|instead)(?:say|answer|reply|respond|output|print|write)(?!no\b|no$|yes\b|thanks)"
    r"|(?:say|answer|reply|respond|output|print|write)(?:exactly|instead|thewords?)"
)
_DICTATES = [re.compile(pattern) for pattern in _DICTATED]


def addressed(text: str) -> str | None:
    """Why a text is taken to address the model; None where it is not."""
    if _MARKUP.search(text):
        return "it has the form of a system's message"
    flat = _flat(text)
    squeezed = re.sub(r"[^\w]", "", flat)
    for reason, pattern in _RULES:
        if pattern.search(squeezed):
            return reason
    if _SQUEEZED_DICTATES.search(squeezed) or any(pattern.search(flat) for pattern in _DICTATES):
        return "it dictates the answer"
    return None


def _flat(text: str) -> str:
    """Lower case, without accents, on one line."""
    apart = unicodedata.normalize("NFKD", plain(text).casefold())
    kept = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return " ".join(kept.replace("- ", "").split())
