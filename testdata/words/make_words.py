#!/usr/bin/env python3
"""Makes the clips of words at known positions: `python3 make_words.py`, with flite, espeak-ng and sox installed.

Each word is synthesized alone and trimmed to where it is less than 40 dB below its peak; between words there is silence, of
lengths that repeat.
"""

import array
import subprocess
import tempfile
import wave
from pathlib import Path

RATE_HZ = 16_000
HERE = Path(__file__).parent
TRIM = 10 ** (-40 / 20)
PEAK = 0.6 * 32_768
LEAD_MS = 200
GAPS_MS = [90, 150, 70, 200, 120]

CLIPS = {
    "kitchen": (["flite", "-voice", "slt"], "please turn on the lights in the kitchen before dinner"),
    "station": (["flite", "-voice", "awb"], "I will meet you at the station on Wednesday"),
    "office": (["espeak-ng", "-v", "en-us", "-s", "170"], "my brother bought a new computer for his office"),
}


def spoken(command, word, folder):
    """The samples of a word, trimmed and as loud as the others."""
    raw, clip = Path(folder, "raw.wav"), Path(folder, "clip.wav")
    arguments = ["-t", word, "-o", raw] if command[0] == "flite" else ["-w", raw, word]
    subprocess.run([*command, *arguments], check=True)
    subprocess.run(["sox", "-D", raw, "-r", str(RATE_HZ), "-c", "1", "-b", "16", clip, "gain", "-3"], check=True)
    with wave.open(str(clip)) as reader:
        samples = array.array("h", reader.readframes(reader.getnframes()))
    peak = max(map(abs, samples))
    loud = [index for index, sample in enumerate(samples) if abs(sample) > TRIM * peak]
    return [round(sample * PEAK / peak) for sample in samples[loud[0] : loud[-1] + 1]]


def silence(milliseconds):
    return [0] * (milliseconds * RATE_HZ // 1000)


def main():
    rows = ["clip\tword\tstart\tend"]
    with tempfile.TemporaryDirectory() as folder:
        for name, (command, sentence) in CLIPS.items():
            samples = silence(LEAD_MS)
            for index, word in enumerate(sentence.split()):
                start = len(samples)
                samples += spoken(command, word, folder)
                rows.append(f"{name}\t{word}\t{start}\t{len(samples)}")
                samples += silence(GAPS_MS[index % len(GAPS_MS)])
            with wave.open(str(HERE / f"{name}.wav"), "wb") as writer:
                writer.setnchannels(1)
                writer.setsampwidth(2)
                writer.setframerate(RATE_HZ)
                writer.writeframes(array.array("h", samples).tobytes())
    (HERE / "words.tsv").write_text("\n".join(rows) + "\n")


main()
