"""ONNX Runtime on its CPU backend: answers `{"clip": path}` on standard input, one JSON object a line."""

import argparse
import json
import math
import platform
import sys
import time

import numpy
import onnxruntime

SAMPLE_RATE_HZ = 16_000
# The most tokens a second of audio can have, as the model file of Auricle says it.
MAX_TOKENS_PER_SECOND = 6.5
START_TOKEN, END_TOKEN = 1, 2
# Batch, heads, positions, size of a head.
EMPTY_CACHE = numpy.zeros((1, 8, 0, 36), numpy.float32)


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def decode(decoder, states, mask, max_tokens):
    """Chooses the best token until it is the end token or there are too many: the tokens, and the number of passes."""
    outputs = [output.name for output in decoder.get_outputs()]
    feeds = {"encoder_hidden_states": states, "encoder_attention_mask": mask}
    feeds |= {node.name: EMPTY_CACHE for node in decoder.get_inputs() if node.name.startswith("past")}
    ids, last, passes = [], START_TOKEN, 0
    while True:
        cached = passes > 0
        feeds["input_ids"] = numpy.array([[last]], numpy.int64)
        feeds["use_cache_branch"] = numpy.array([cached])
        logits, *present = decoder.run(outputs, feeds)
        passes += 1
        for name, value in zip(outputs[1:], present):
            # Cross-attention's are computed in the first pass only.
            if not (cached and ".encoder." in name):
                feeds[name.replace("present", "past_key_values")] = value
        last = int(logits[0, -1].argmax())
        if last == END_TOKEN or len(ids) == max_tokens:
            return ids, passes
        ids.append(last)


def transcribe(encoder, decoder, clip):
    samples = numpy.fromfile(clip, "<f4")
    audio, mask = samples[None], numpy.ones((1, len(samples)), numpy.int64)
    start = time.perf_counter()
    (states,) = encoder.run(["last_hidden_state"], {"input_values": audio, "attention_mask": mask})
    encoded = time.perf_counter()
    max_tokens = max(1, math.ceil(len(samples) / SAMPLE_RATE_HZ * MAX_TOKENS_PER_SECOND))
    ids, passes = decode(decoder, states, mask, max_tokens)
    end = time.perf_counter()
    return {
        "encode_ms": (encoded - start) * 1e3,
        "decode_ms": (end - encoded) * 1e3,
        "total_ms": (end - start) * 1e3,
        "tokens": passes,
        "token_ids": ids,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--decoder", required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    start = time.perf_counter()
    encoder, decoder = session(arguments.encoder, arguments.threads), session(arguments.decoder, arguments.threads)
    load_ms = (time.perf_counter() - start) * 1e3
    versions = {
        "onnxruntime": onnxruntime.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }
    say({"ready": {"engine_ms": 0.0, "load_ms": load_ms, "versions": versions}})
    for line in sys.stdin:
        say({"reply": transcribe(encoder, decoder, json.loads(line)["clip"])})


def say(message):
    print(json.dumps(message), flush=True)


main()
