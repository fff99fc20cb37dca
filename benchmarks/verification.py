"""How well claims are checked: planted inventions on pictures of graded legibility, real receipts and signs, all kinds.

python benchmarks/verification.py text --out RUN.jsonl [--pictures 120] [--seed 1]     rendered signs, in a resumed file
python benchmarks/verification.py real --data PACKS --out RUN.jsonl                    receipts_dev and scene_text_dev
python benchmarks/verification.py kinds --data PACKS --out RUN.jsonl [--pictures 200]  objects, colours, counts, places
python benchmarks/verification.py spoken --data PACKS --out RUN.jsonl [--clips 40]     spoken words and times
python benchmarks/verification.py report RUN.jsonl … [--plot FILE.svg]                 tables of what was measured

A line of RUN is a picture or recording with the verdict of each claim and whether it was right. What is legible and
what is not is fixed by numbers of the rendering (`verification_scenes.Degradation.zone`), not by any reader.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image as pillow
from verification_scenes import WORDS, degradation, planted, scene

from tutti.content import Answer, Audio, Image, Message, Usage
from tutti.evaluate.statistics import share_interval
from tutti.training.packs import PackReader
from tutti.trust.reading import RapidReader
from tutti.trust.verification.verifier import CrossVerifier

Case = tuple[str, bool]
"""A sentence that makes a claim, and whether it is so."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("text", "real", "kinds", "spoken", "report"))
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("packs"))
    parser.add_argument("--pictures", type=int, default=120)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    if given.what == "report":
        report(
            [json.loads(line) for run in given.runs for line in run.read_text().rstrip("\n").split("\n")], given.plot
        )
        return
    jobs = {"text": text_jobs, "real": real_jobs, "kinds": kind_jobs, "spoken": spoken_jobs}[given.what](given)
    done = given.out.read_text().count("\n") if given.out.exists() else 0
    with given.out.open("a") as out:
        for place, job in enumerate(jobs):
            if place >= done:
                print(json.dumps(job()), file=out, flush=True)


def checked(verifier, medium, cases: list[tuple[str, str, bool]], **more):
    """Verdicts of claims about one medium: kind, sentence, whether it is right."""
    begun = time.process_time()
    rows = []
    conversation = [Message.user(medium)]
    for kind, sentence, right in cases:
        said = Answer(text=sentence, model="scripted", finish_reason="stop", usage=Usage(), seconds=0.0)
        claims = [one for one in verifier.verify(conversation, said).evidence if one.kind == kind]
        assert claims, (kind, sentence)
        rows.append({"kind": kind, "sentence": sentence, "right": right, "verdict": claims[0].verdict,
                     "reason": claims[0].evidence})  # fmt: skip
    return {**more, "claims": rows, "cpu_s": time.process_time() - begun}


class Remembering:
    """A reader that reads the same picture once, as one answer with several claims would have it."""

    def __init__(self) -> None:
        self.reader, self.known = RapidReader(), {}

    def examine(self, image):
        key = image.digest
        if key not in self.known:
            self.known = {key: self.reader.examine(image), **dict(list(self.known.items())[:20])}
        return self.known[key]

    read = examine


def text_jobs(given):
    """Signs of every legibility, with the right answer and a planted one."""
    verifier = CrossVerifier(reader=Remembering())
    for number in range(given.pictures):

        def job(number=number):
            rng = np.random.default_rng((given.seed, number))
            zone = ("legible", "illegible", "between")[number % 3]
            made = scene(rng, given.split, degradation(rng, zone))
            cases = []
            for right, (name, price, code) in (
                (True, (made.name, made.price, made.number)),
                (False, planted(rng, made, given.split)),
            ):
                cases += [
                    ("text", f'The sign says "{name}".', right),
                    ("number", f"The price is {price} EUR.", right),
                    ("number", f"The number is {code}.", right),
                ]
            return checked(verifier, Image(made.pixels), cases, set="text", zone=zone, how=vars(made.how))

        yield job


def real_jobs(given):
    """Scanned receipts and photographs of signs, with what people read there, and with other words and numbers."""
    verifier = CrossVerifier(reader=Remembering())
    for pack in ("receipts_dev", "scene_text_dev"):
        opened = PackReader(given.data / pack)
        rows = opened.rows
        for place, row in enumerate(rows):

            def job(row=row, place=place, rows=rows, opened=opened, pack=pack):
                rng = np.random.default_rng((given.seed, place))
                return checked(
                    verifier,
                    Image(opened.content(row["file"])),
                    list(real_cases(row, rows, rng)),
                    set=pack,
                    zone="real",
                )

            yield job


def real_cases(row, rows, rng):
    """Right and planted sentences of a receipt or a sign."""
    others = [one for one in rows if one["file"] != row["file"]]
    if "total" in row:
        total = row["total"].lstrip("$€£")
        for right, value in (
            (True, total),
            (False, f"{float(total.replace(',', '')) + float(rng.integers(1, 40)):.2f}"),
        ):
            yield "number", f"The total is {value}.", right
        for right, words in ((True, row["words"]), (False, others[int(rng.integers(len(others)))]["words"])):
            for word in words:
                shown = word not in row["words"] if not right else True
                if shown and any(letter.isalpha() for letter in word):
                    yield "text", f'It says "{word}".', right
        return
    for text in row["text"]:
        yield "text", f'It says "{text.split()[0] if len(text.split()) > 4 else text}".', True
    for _ in range(2):
        first, second = rng.choice(WORDS["test"], 2, replace=False)
        yield "text", f'It says "{first.title()} {second.title()}".', False


def kind_jobs(given):
    """Emoji on plain grounds and on photographs: counts, colours, places; photographs: objects."""
    from tutti import open_provider

    verifier = CrossVerifier(embedder=open_provider("tutti-mini"))
    emoji = coloured(given.data, "emoji_twemoji" if given.split == "test" else "emoji_noto")
    photos = pictures_of(given.data)
    for number in range(given.pictures):

        def job(number=number):
            rng = np.random.default_rng((given.seed, number))
            if number % 2:
                pixels, cases = photo_case(rng, photos)
            else:
                pixels, cases = emoji_case(rng, emoji)
            return checked(verifier, Image(pixels), cases, set="kinds", zone="kinds")

        yield job


COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "brown", "black", "white")


def coloured(data: Path, pack: str):
    """Emoji whose name begins with a colour."""
    opened = PackReader(data / pack)
    found = []
    for row in opened.rows:
        first, _, thing = row["label"].partition(" ")
        if first in COLOURS and thing.split()[-1:] in (["heart"], ["circle"], ["square"], ["book"], ["apple"]):
            with pillow.open(io.BytesIO(opened.content(row["file"]))) as picture:
                found.append((first, thing.split()[-1], picture.convert("RGBA").copy()))
    return found


def emoji_case(rng, emoji):
    """One to eight alike things apart on a plain ground: count and colour; of one, the place, too."""
    colour, thing, shape = emoji[int(rng.integers(len(emoji)))]
    grounds = [value for name, value in (("white", 250), ("grey", 150), ("black", 30)) if name != colour]
    canvas = pillow.new("RGB", (480, 360), (int(rng.choice(grounds)),) * 3)
    count = 1 if rng.random() < 0.4 else int(rng.integers(2, 9))
    cells = rng.permutation(12)[:count]
    side = int(rng.integers(50, 84))
    for cell in cells:
        left, top = int(cell % 4) * 120 + int(rng.integers(4, 30)), int(cell // 4) * 120 + int(rng.integers(4, 30))
        small = shape.resize((side, side))
        canvas.paste(small, (left, top), small)
    words = "one two three four five six seven eight nine ten eleven".split()
    wrong_count = int(rng.choice([n for n in range(1, 10) if n != count]))
    wrong_colour = str(rng.choice([name for name in COLOURS if name != colour]))
    plural = thing if count == 1 else f"{thing}s"
    cases = [
        ("count", f"Exactly {words[count - 1]} {plural}.", True),
        ("count", f"Exactly {words[wrong_count - 1]} {thing}{'s' if wrong_count > 1 else ''}.", False),
        ("colour", f"A {colour} {thing}.", True),
        ("colour", f"A {wrong_colour} {thing}.", False),
    ]
    if count == 1:
        across, down = (left + side / 2) / 480, (top + side / 2) / 360
        for word, value in (("left", 1 - across), ("right", across), ("top", 1 - down), ("bottom", down)):
            if abs(value - 0.5) > 0.1:
                cases.append(("place", f"A {thing} is at the {word}.", bool(value > 0.5)))
    return np.asarray(canvas), cases


def pictures_of(data: Path):
    """Photographs that no weights of ours were trained on, with the object they show."""
    from tutti.evaluate.objects import lexicon

    known = set(lexicon().names.values())
    found = []
    for pack in ("cifar10_test", "photos_caltech101", "photos_openimages"):
        opened = PackReader(data / pack)
        for row in opened.rows:
            name = str(row["label"]).replace("_", " ").lower()
            if row["split"] != "train" and name in known:
                found.append((name, opened, row["file"]))
    return found


def photo_case(rng, photos):
    """A photograph: the object in it, another one; counts and places nobody can tell."""
    name, opened, file = photos[int(rng.integers(len(photos)))]
    with pillow.open(io.BytesIO(opened.content(file))) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    from tutti.evaluate.objects import lexicon

    kin = lexicon().closure(name)
    others = [other for other, *_ in photos if other not in kin and name not in lexicon().closure(other)]
    wrong = str(rng.choice(others))
    count = int(rng.integers(3, 9))
    return pixels, [
        ("object", f"There is a {name}.", True),
        ("object", f"There is a {wrong}.", False),
        ("count", f"Exactly {count} {name}s.", False),
    ]


def spoken_jobs(given):
    """Sentences spoken by espeak-ng with pauses between, and their words, other words, right times and wrong ones."""
    import subprocess
    import tempfile

    from tutti import open_provider

    verifier = CrossVerifier(transcriber=open_provider("whisper-base"))
    sentences = [
        "the train to the coast leaves at noon", "please water the flowers in the kitchen",
        "we found a silver key under the bridge", "the doctor will call you on friday",
        "my brother plays the violin every evening", "the museum is closed on monday",
        "bring an umbrella because it will rain", "the old castle stands on a hill",
    ]  # fmt: skip
    for number in range(given.clips):

        def job(number=number):
            rng = np.random.default_rng((given.seed, number))
            first, second = (sentences[int(place)] for place in rng.choice(len(sentences), 2, replace=False))
            voice = str(rng.choice(["en-us", "en-gb", "en-us+f3", "en-gb+m3"]))
            with tempfile.NamedTemporaryFile(suffix=".wav") as file:
                ssml = f"<speak>{first}.<break time='3s'/>{second}.</speak>"
                subprocess.run(["espeak-ng", "-v", voice, "-s", "140", "-m", "-w", file.name, ssml], check=True)
                content = Path(file.name).read_bytes()
            heard = " ".join(second.split()[1:4])
            others = [one for one in sentences if one not in (first, second)]
            other = " ".join(others[int(rng.integers(len(others)))].split()[1:4])
            cases = [("spoken", f'A voice says "{heard}".', True), ("spoken", f'A voice says "{other}".', False)]
            start = starts_at(content)
            cases += [("time", f'A voice says "{first.split()[1]} {first.split()[2]}" at {value:.1f} s.', right)
                      for value, right in ((start, True), (start + 5.0, False))]  # fmt: skip
            return checked(verifier, Audio(content), cases, set="spoken", zone="spoken")

        yield job


def starts_at(content: bytes) -> float:
    """When the first sound begins, in seconds."""
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(content))
    return float(np.argmax(np.abs(samples) > 0.02)) / rate


def report(rows, plot) -> None:
    """Tables: by zone for texts and numbers, and precision and recall by kind."""
    by_zone = defaultdict(list)
    by_kind = defaultdict(list)
    for place, row in enumerate(rows):
        for claim in row["claims"]:
            group = row["zone"] if row["set"] == "text" else row["set"]
            by_zone[group, claim["kind"], claim["right"]].append((claim["verdict"], str(place)))
            by_kind[row["set"], claim["kind"]].append((claim["right"], claim["verdict"]))
    print("| pictures | kind | answer | n | supported | contradicted | unreadable | not checkable |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for (zone, kind, right), found in sorted(by_zone.items(), key=str):
        cells = []
        for verdict in ("supported", "contradicted", "unreadable", "not_checkable"):
            one = share_interval([float(value == verdict) for value, _ in found], [place for _, place in found])
            cells.append(f"{one.mean:.1%} ({one.low:.1%} to {one.high:.1%})")
        print(f"| {zone} | {kind} | {'right' if right else 'planted'} | {len(found)} | {' | '.join(cells)} |")
    print("\n| set | kind | n | precision of contradicted | recall | precision of supported | recall |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for (name, kind), found in sorted(by_kind.items()):
        cells = [*precision_recall(found, "contradicted", False), *precision_recall(found, "supported", True)]
        print(f"| {name} | {kind} | {len(found)} | {' | '.join(cells)} |")
    seconds = [row["cpu_s"] for row in rows]
    print(
        f"\n{np.mean(seconds):.1f} s of processor per medium with all claims; 9 of 10 take at most "
        f"{np.quantile(seconds, 0.9):.1f} s."
    )
    by_strength(rows)
    if plot is not None:
        draw([row for row in rows if row["set"] == "text"], plot)


def precision_recall(found, verdict, right):
    said = [truth for truth, value in found if value == verdict]
    wanted = [value for truth, value in found if truth is right]
    hits = sum(truth is right for truth in said)
    return (
        f"{hits}/{len(said)} = {hits / len(said):.1%}" if said else "none said",
        f"{sum(value == verdict for value in wanted) / max(1, len(wanted)):.1%}",
    )


def by_strength(rows) -> None:
    """Shares of verdicts on right answers by blur and by size."""
    table = defaultdict(list)
    for row in rows:
        if row["set"] == "text":
            how = row["how"]
            size = next(limit for limit in (6, 9, 14, 20, 99) if how["letter_px"] < limit)
            for claim in row["claims"]:
                if claim["right"]:
                    table[how["blur"], size].append(claim["verdict"])
    if not table:
        return
    print("\nRight answers: supported / contradicted / unreadable in %, by blur (share of letter height) and height")
    for (blur, size), found in sorted(table.items()):
        shares = [
            round(100 * found.count(verdict) / len(found)) for verdict in ("supported", "contradicted", "unreadable")
        ]
        print(
            f"blur {blur:.2f}  below {size:2d} px  n {len(found):3d}  {shares[0]:3d} / {shares[1]:3d} / {shares[2]:3d}"
        )


def draw(rows, path) -> None:
    """Verdicts on right answers: each picture a point by blur and size."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    tones = {"supported": "#1a7f37", "contradicted": "#cf222e", "unreadable": "#9a6700", "not_checkable": "#6e7781"}
    for verdict, tone in tones.items():
        points = [
            (row["how"]["letter_px"], max(row["how"]["blur"], 0.02) * (1 + 0.05 * n))
            for row in rows
            for n, claim in enumerate(one for one in row["claims"] if one["right"])
            if claim["verdict"] == verdict
        ]
        if points:
            axes.scatter(*zip(*points, strict=True), s=14, c=tone, label=verdict.replace("_", " "), alpha=0.7)
    axes.set(xscale="log", yscale="log", xlabel="height of capitals, pixels", ylabel="blur, share of that height")
    axes.legend(title="right answers")
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    main()
