"""Writes silero.json: what ONNX Runtime makes of recordings with the ONNX model of the package silero-vad.

    pip install numpy==2.4.6 onnxruntime==1.32.0
    pip download --no-deps silero-vad==6.2.3 && unzip silero_vad-6.2.3-py3-none-any.whl silero_vad/data/silero_vad.onnx
    python make_golden.py silero_vad/data/silero_vad.onnx WAV… > silero.json

The recordings are mono at 16 000 Hz, 16-bit. A last hop that is not whole is left out.
"""

import json
import pathlib
import sys
import wave

import numpy
import onnxruntime

CONTEXT, HOP = 64, 512


def samples(path):
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2), path
        return numpy.frombuffer(file.readframes(file.getnframes()), "<i2").astype(numpy.float32) / 32768


def probabilities(session, audio):
    """As `OnnxWrapper.__call__` in the package's `utils_vad.py`: each hop is preceded by the end of the one before."""
    context, state = numpy.zeros(CONTEXT, numpy.float32), numpy.zeros((2, 1, 128), numpy.float32)
    for start in range(0, len(audio) - HOP + 1, HOP):
        window = numpy.concatenate([context, audio[start : start + HOP]])
        context = window[-CONTEXT:]
        inputs = {"input": window[None], "state": state, "sr": numpy.array(16000, numpy.int64)}
        output, state = session.run(None, inputs)
        yield round(float(output[0, 0]), 6)


def main():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
    clips = {pathlib.Path(path).stem: list(probabilities(session, samples(path))) for path in sys.argv[2:]}
    lines = [f'    "{name}": {json.dumps(values, separators=(",", ":"))}' for name, values in clips.items()]
    print('{\n  "clips": {\n' + ",\n".join(lines) + "\n  }\n}")


main()
