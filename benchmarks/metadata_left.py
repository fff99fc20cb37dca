"""What of a file's metadata is left after `tutti redact`, as ExifTool and FFmpeg's parser see it, over every format.

    python benchmarks/metadata_left.py [--each 12] [--seed 1] [--keep FOLDER]

Files of every format that is read are made and filled with a canary, with places, devices, comments, thumbnails and
maker notes by Pillow, ffmpeg and exiftool, which must be installed (apt-get install ffmpeg libimage-exiftool-perl).
Then each is redacted without looking for faces or words. What is counted afterwards is every tag that can say who made
a file, with what, when or where: titles, names, dates, places, thumbnails, maker notes, identifiers, and the names and
versions of encoders, with the bytes of their values; and the canary and encoders' names anywhere in the file's bytes.
What is not counted is what decoding needs and is the same for all makers: sizes, rates, tables of samples, brands of a
container, handlers' names that say only "video" or "sound", and LAME's four letters before the delay of its encoder.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image as pillow

from tutti.trust.privacy import RedactionSteps, Redactor

CANARY = "QUOKKA-ZANZIBAR"
PICTURES = ("jpg", "png", "webp", "tiff", "gif", "bmp", "avif", "heic")
ANIMATIONS = ("gif", "webp")
SOUNDS = {
    "wav": [], "flac": [], "ogg": ["-c:a", "libvorbis"], "opus": ["-c:a", "libopus", "-ar", "48000"],
    "mp3": ["-c:a", "libmp3lame", "-id3v2_version", "3", "-write_id3v1", "1"], "aiff": ["-write_id3v2", "1"], "au": [],
    "caf": [], "m4a": ["-c:a", "aac"], "aac": ["-c:a", "aac", "-write_id3v2", "1"], "mka": ["-c:a", "libopus"],
    "w64": [], "rf64": ["-rf64", "always", "-f", "wav"],
}  # fmt: skip
FILMS = {
    "mp4": ["-c:v", "libx264", "-movflags", "use_metadata_tags"], "mov": ["-c:v", "libx264"],
    "m4v": ["-c:v", "libx264", "-f", "mp4"], "mkv": ["-c:v", "libx264"], "webm": ["-c:v", "libvpx-vp9"],
}  # fmt: skip
STRUCTURE = re.compile(
    r"(?:ExifTool|System|Composite|SourceFile|JFIF):?|"
    r"File:(?:File\w+|MIMEType|ImageWidth|ImageHeight|ImageSize|EncodingProcess|BitsPerSample|ColorComponents|"
    r"YCbCrSubSampling|BMPVersion|Planes|BitDepth|Compression|ImageLength|PixelsPerMeter\w|NumColors|NumImportantColors|"
    r"NumChannels|SampleRate|\w*Mask|ColorSpace)$|"
    r"PNG:(?:ImageWidth|ImageHeight|BitDepth|ColorType|Compression|Filter|Interlace|SRGBRendering|PixelsPerUnit\w|"
    r"PixelUnits|Gamma)$|"
    r"GIF:(?:GIFVersion|ImageWidth|ImageHeight|HasColorMap|ColorResolutionDepth|BitsPerPixel|BackgroundColor|FrameCount|"
    r"Duration|AnimationIterations|TransparentColor)$|"
    r"RIFF:(?:ImageWidth|ImageHeight|VP8Version|HorizontalScale|VerticalScale|AlphaIsUsed|WebP_Flags|Encoding|"
    r"NumChannels|SampleRate|AvgBytesPerSec|BitsPerSample|NumberOfSamples|Duration)$|"
    r"FLAC:(?:BlockSizeM\w+|FrameSizeM\w+|SampleRate|Channels|BitsPerSample|TotalSamples|MD5Signature)$|"
    r"(?:Vorbis|Opus|Theora):(?:VorbisVersion|OpusVersion|AudioChannels|SampleRate|\w*Bitrate|OutputGain)$|"
    r"MPEG:(?:MPEGAudioVersion|AudioLayer|AudioBitrate|SampleRate|ChannelMode|MSStereo|IntensityStereo|CopyrightFlag|"
    r"OriginalMedia|Emphasis|VBR\w+|LameVBRQuality|LameQuality|LameMethod|LameLowPassFilter|LameBitrate|"
    r"LameStereoMode|ID3Size)$|"
    r"(?:QuickTime|Track\d+):(?:MajorBrand|MinorVersion|CompatibleBrands|\w*MediaDataSize|\w*MediaDataOffset|"
    r"MovieHeaderVersion|TrackHeaderVersion|MediaHeaderVersion|TimeScale|MediaTimeScale|\w*Duration|PreferredRate|"
    r"PreferredVolume|TrackVolume|TrackID|TrackLayer|NextTrackID|MatrixStructure|ImageWidth|ImageHeight|GraphicsMode|"
    r"OpColor|CompressorID|SourceImage\w+|[XY]Resolution|BitDepth|VideoFrameRate|HandlerType|HandlerDescription|"
    r"Balance|Audio\w+|PixelAspectRatio|BufferSize|MaxBitrate|AverageBitrate|ColorProfiles|ColorPrimaries|"
    r"TransferCharacteristics|MatrixCoefficients|VideoFullRangeFlag|PreviewTime|PreviewDuration|PosterTime|"
    r"Unknown_edts|Unknown_esds|Unknown_btrt|AVCConfiguration|SyncSampleTable|CompositionTimeToSample|TimeToSampleTable|"
    r"SampleToChunk|SampleSizes|ChunkOffset|SampleGroupDescription|SampleToGroup|Free|MediaData|SelectionTime|SelectionDuration|CurrentTime|MediaLanguageCode|\w+(?:Create|Modify)Date|CreateDate|ModifyDate)$"
)
"""Group and name of what tells how samples are coded; dates are among it and must be zero, which is checked.

The samples themselves are, too (`MediaData`).
"""
ENCODERS = (b"x264", b"Lavf", b"Lavc", b"libsndfile", b"Xiph", b"libFLAC", b"LAME3", b"x265", b"libwebp")
EMPTY = {
    "Vorbis:Vendor": re.compile(""),
    "FLAC:Padding": re.compile("base64:A*=*"),  # zeros
    "MPEG:Encoder": re.compile("LAME|base64:TEFNRQAAAAAA.*"),  # LAME's letters, no version, and the sizes behind them
}
"""Of tags that would count, values that say nothing."""
PROBED = {"major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id", "language", "encoder"}
"""Of what ffprobe calls tags, what a container cannot be without; values that may stand there are checked, too."""
NEUTRAL = re.compile(
    r"isom|512|isomiso2avc1mp41|iso\w+|mp4\d|M4A (?:isomiso2)?|LAME|VideoHandler|SoundHandler|\[0\]\[0\]\[0\]\[0\]|und|"
)


def run(*command: str) -> bytes:
    """A command's standard output; its error ends the benchmark with a sentence."""
    if shutil.which(command[0]) is None:
        sys.exit(f"{command[0]} is not installed; expected: apt-get install ffmpeg libimage-exiftool-perl")
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode > 1 or (done.returncode and not done.stdout):
        sys.exit(f"{' '.join(command)[:200]} failed: {done.stderr.decode(errors='replace')[-300:]}")
    return done.stdout


def made(folder: Path, each: int, seed: int) -> Iterator[tuple[str, Path]]:
    """Kind and file, one after another."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    rng = np.random.default_rng(seed)
    for number in range(each):
        for ending in PICTURES:
            path = folder / f"picture{number}.{ending}"
            canvas(rng).save(path, **({"comment": CANARY} if ending in ("gif", "jpg") else {}))
            tagged(path)
            yield ending, path
        for ending in ANIMATIONS:
            path = folder / f"animation{number}.{ending}"
            first, *others = (canvas(rng, 96) for _ in range(3))
            more = {"comment": CANARY} if ending == "gif" else {"xmp": f"<x>{CANARY}</x>".encode()}
            first.save(path, save_all=True, append_images=others, duration=200, **more)
            yield f"animated {ending}", path
        for ending, options in SOUNDS.items():
            path = folder / f"sound{number}.{ending}"
            tone = f"sine=frequency={int(rng.integers(200, 900))}:duration=0.6:sample_rate=44100"
            run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", tone, *metadata(), *options, str(path))
            yield ending, path
        for ending, options in FILMS.items():
            path = folder / f"film{number}.{ending}"
            shown = f"testsrc2=size=96x64:rate=10:duration=0.6,hue=h={int(rng.integers(360))}"
            tone = "sine=frequency=440:duration=0.6:sample_rate=48000"
            sound = ["-c:a", "libopus" if ending in ("webm", "mkv") else "aac"]
            run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", shown, "-f", "lavfi", "-i", tone, *metadata(),
                "-metadata:s:v", f"title={CANARY}", "-metadata:s:a", f"title={CANARY}", *options, *sound,
                "-pix_fmt", "yuv420p", str(path))  # fmt: skip
            if ending in ("mp4", "mov", "m4v"):
                tagged(path)
            yield ending, path


def canvas(rng: np.random.Generator, side: int = 128) -> pillow.Image:
    small = rng.integers(30, 220, (6, 8, 3), np.uint8)
    return pillow.fromarray(small).resize((side, side * 3 // 4), pillow.Resampling.BICUBIC)


def metadata() -> list[str]:
    """Tags as ffmpeg gives them to every container."""
    keys = ("title", "artist", "comment", "album", "location", "com.apple.quicktime.location.ISO6709", "copyright")
    return [word for key in keys for word in ("-metadata", f"{key}={CANARY}")]


def tagged(path: Path) -> None:
    """EXIF with place, device and thumbnail, XMP, IPTC and comments, by exiftool, as far as the format has them."""
    if path.suffix in (".gif", ".bmp"):
        if path.suffix == ".gif":
            run("exiftool", "-q", "-overwrite_original", f"-XMP:Title={CANARY}", str(path))
        return
    tags = [f"-{name}={CANARY}" for name in (
        "Make", "Model", "Artist", "ImageDescription", "UserComment", "Copyright", "SerialNumber", "XMP:Title",
        "XMP:City", "IPTC:City", "IPTC:By-line", "IPTC:Caption-Abstract", "Comment", "QuickTime:Author", "Keys:Artist",
        "UserData:Title", "PNG:Author", "PNG:Comment")]  # fmt: skip
    place = ["-GPSLatitude=52.5", "-GPSLatitudeRef=N", "-GPSLongitude=13.4", "-GPSLongitudeRef=E"]
    film = ["-Keys:GPSCoordinates=52.5 13.4 30", "-QuickTime:CreateDate=2024:02:29 10:11:12"]
    run("exiftool", "-q", "-q", "-m", "-overwrite_original", *tags, *place, *film, str(path))
    if path.suffix == ".jpg":
        with tempfile.NamedTemporaryFile(suffix=".jpg") as small:
            pillow.open(path).convert("RGB").resize((32, 24)).save(small.name, "JPEG")
            run("exiftool", "-q", "-overwrite_original", f"-ThumbnailImage<={small.name}", str(path))
        path.write_bytes(path.read_bytes() + CANARY.encode())  # behind its end


def left(folder: Path) -> dict[str, list[str]]:
    """File's name → what ExifTool and ffprobe find that is no structure, as `tag=value`."""
    found: dict[str, list[str]] = defaultdict(list)
    listed = run("exiftool", "-a", "-u", "-G1", "-s", "-ee", "-b", "-json", "-r", str(folder))
    for row in json.loads(listed or b"[]"):
        name = Path(row.pop("SourceFile")).name
        for tag, value in row.items():
            dated = tag.endswith("Date") and not str(value).startswith("0000:00:00")
            stands = STRUCTURE.match(tag) and not (dated and not tag.startswith(("System", "File:")))
            stands = stands or (tag in EMPTY and EMPTY[tag].fullmatch(str(value)) is not None)
            if not stands and not (isinstance(value, dict) and not value):
                found[name].append(f"{tag}={value}")
    for path in sorted(folder.iterdir()):
        if path.suffix in (".jpg", ".png", ".webp", ".tiff", ".bmp", ".heic", ".avif", ".json"):
            continue
        told = run(
            "ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags:chapters", "-of", "json", str(path)
        )
        tree = json.loads(told)
        for part in (tree.get("format", {}), *tree.get("streams", []), *tree.get("chapters", [])):
            for tag, value in part.get("tags", {}).items():
                if tag not in PROBED or not NEUTRAL.fullmatch(value):
                    found[path.name].append(f"ffprobe {tag}={value}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=12, help="files of each of 28 formats")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a new folder to work in, and to leave")
    given = parser.parse_args()
    place = given.keep or Path(tempfile.mkdtemp())
    try:
        measured(place, given.each, given.seed)
    finally:
        if given.keep is None:
            shutil.rmtree(place)


def measured(place: Path, each: int, seed: int) -> None:
    """Make, redact, look, and print a table."""
    before, after = place / "given", place / "made"
    before.mkdir(parents=True)
    redact: Callable[..., object] = Redactor(RedactionSteps(faces=False, words=())).redact
    kinds: dict[str, str] = {}
    written = Counter[str]()
    for kind, path in made(before, each, seed):
        kinds[path.name] = kind
        written[kind] += 1
        redact(path, after / kind.replace(" ", "-"), path.stem)
    told = left(before)
    print("| format | files | with the canary, tags before | canary after | tags after | bytes of values after |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    worst = 0
    for kind, count in written.items():
        folder = after / kind.replace(" ", "-")
        for record in folder.glob("*.redaction.json"):
            record.unlink()
        rest = left(folder)
        names = [name for name, one in kinds.items() if one == kind]
        had = sum(CANARY.encode() in (before / name).read_bytes() for name in names)
        contents = [path.read_bytes() for path in folder.iterdir()]
        has = sum(CANARY.encode() in content for content in contents)
        named = sum(len(name) for content in contents for name in ENCODERS if name in content)
        tags = [tag for found in rest.values() for tag in found]
        size = sum(len(tag.partition("=")[2]) for tag in tags)
        worst += size + has + named
        print(
            f"| {kind} | {count} | {had}, {sum(len(told[name]) for name in names)} | {has} | {len(tags)} | "
            f"{size + named} |"
        )
        for tag, times in Counter(tag[:90] for tag in tags).most_common(8):
            print(f"|   left: {tag} ({times}) |")
    print(f"\n{sum(written.values())} files of {len(written)} formats; {worst} bytes left.")


if __name__ == "__main__":
    main()
