"""Writes the fixtures beside this file with openai-whisper's own writers.

Needs that project's whisper/utils.py as the module `whisper.utils`; nothing else of it. The transcripts are those of
host-native/src/cli/formats/tests.rs.
"""

import pathlib

from whisper import utils

HERE = pathlib.Path(__file__).parent
WRITERS = [utils.WriteTXT, utils.WriteVTT, utils.WriteSRT, utils.WriteTSV, utils.WriteJSON]

SEGMENTS = {
    "text": " And so, my fellow Americans: “ask not” — 50 % \\ \"quoted\". Ça va? \t日本語 🎙 a --> b\x7f fin",
    "segments": [
        {
            "id": 0,
            "seek": 0,
            "start": 0.0,
            "end": 3.2,
            "text": " And so, my fellow Americans: “ask not” — 50 % \\ \"quoted\".",
            "tokens": [400, 370, 11, 452],
            "temperature": 0.0,
            "avg_logprob": -0.237194821,
            "compression_ratio": 0.9,
            "no_speech_prob": 1.5e-5,
        },
        {
            "id": 1,
            "seek": None,
            "start": 59.9996,
            "end": 3661.0625,
            "text": " Ça va? \t日本語 🎙 a --> b\x7f",
            "tokens": [],
            "temperature": None,
            "avg_logprob": None,
            "compression_ratio": None,
            "no_speech_prob": None,
        },
        {
            "id": 2,
            "seek": 6000,
            "start": 3661.0635,
            "end": 360000.5,
            "text": " fin",
            "tokens": [],
            "temperature": 0.2,
            "avg_logprob": -1.0,
            "compression_ratio": 1e16,
            "no_speech_prob": 1.0,
        },
    ],
    "language": "en",
}


def word(text, start, end):
    return {"word": text, "start": start, "end": end, "probability": 0.75}


def segment(index, words):
    return {
        "id": index,
        "seek": 0,
        "start": index * 10.0,
        "end": index * 10.0 + 10.0,
        "text": "".join(w["word"] for w in words),
        "tokens": [1, 2],
        "temperature": 0.0,
        "avg_logprob": -0.5,
        "compression_ratio": 1.25,
        "no_speech_prob": 0.125,
        "words": words,
    }


def with_words():
    segments = [
        segment(0, [word(" And", 0.32, 0.5), word(" so,", 0.5, 1.04), word(" Ωmega.", 1.06, 1.875)]),
        segment(1, []),
        segment(2, [word(" abcdefgh", 20.0 + 0.05 * n, 20.05 + 0.05 * n) for n in range(150)]),
    ]
    return {"text": "".join(s["text"] for s in segments), "segments": segments, "language": "en"}


def for_subtitles():
    """Pauses short and long, within a segment and between two; words wider than a line; one that is only white space."""
    first = " We hold these truths to be self-evident, that all men".split(" ")[1:]
    words = [word(f" {text}", 0.5 + 0.4 * n, 0.8 + 0.4 * n) for n, text in enumerate(first)]
    words += [word(" are", 9.0, 9.25), word(" created", 9.25, 9.75), word(" \u3000", 9.75, 9.8), word(" equal.", 9.8, 10.5)]
    second = [word(" That", 10.75, 11.0), word(" Überunabhängigkeitserklärung", 11.0, 12.5), word(" is", 12.5, 12.6)]
    third = [word(" 人", 20.0, 20.25), word("生", 20.25, 20.5), word("、", 20.5, 20.5), word(" Liberty.", 23.75, 24.5)]
    segments = [segment(0, words), segment(1, second), segment(2, []), segment(3, third)]
    return {"text": "".join(s["text"] for s in segments), "segments": segments, "language": "en"}


SUBTITLES = {
    "width20": {"max_line_width": 20},
    "count2": {"max_line_count": 2},
    "words3": {"max_words_per_line": 3},
    "highlight": {"highlight_words": True},
    "width20-count2": {"max_line_width": 20, "max_line_count": 2},
    "width9-count1": {"max_line_width": 9, "max_line_count": 1},
    "width10-words3": {"max_line_width": 10, "max_words_per_line": 3},
    "width20-count2-words3": {"max_line_width": 20, "max_line_count": 2, "max_words_per_line": 3},
    "width20-count2-highlight": {"max_line_width": 20, "max_line_count": 2, "highlight_words": True},
}

TRANSCRIPTS = {
    "segments": SEGMENTS,
    "words": with_words(),
    "empty": {"text": "", "segments": [], "language": None},
}

for stem, transcript in TRANSCRIPTS.items():
    for writer in WRITERS:
        path = HERE / f"{stem}.{writer.extension}"
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            writer(str(HERE)).write_result(transcript, file)

for stem, options in SUBTITLES.items():
    for writer in [utils.WriteVTT, utils.WriteSRT]:
        path = HERE / f"subtitles-{stem}.{writer.extension}"
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            writer(str(HERE)).write_result(for_subtitles(), file, options)
