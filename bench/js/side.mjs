/**
 * What a side is: an engine with a model, which transcribes one recording after another and tells what each took.
 *
 * @typedef {object} Ready What a side tells once, when it can transcribe.
 * @property {number} engine_ms Time to compile and instantiate the engine.
 * @property {number} load_ms Time to load the model, from memory.
 * @property {Record<string, string>} versions Of everything that takes part, by name.
 *
 * @typedef {object} SegmentBits A final segment, with every float as the integer of its bits.
 * @property {number} start First sample.
 * @property {number} end The sample after the last.
 * @property {string} text The transcript.
 * @property {[id: number, logProbability: number, entropy: number][]} tokens In order.
 * @property {number[]} word_confidences In order.
 * @property {([start: number, end: number] | null)[]} word_spans In order, where word times were asked for.
 * @property {string | null} ended_by Why it ended.
 * @property {number | null} no_speech_probability Where it was judged.
 * @property {string[]} guards Those that fired, in the contract's order.
 *
 * @typedef {object} Reply What one transcription gave.
 * @property {number} encode_ms Time from samples to what the decoder reads.
 * @property {number} decode_ms Time in the decoder.
 * @property {number} total_ms Time from the first sample handed over to the last word.
 * @property {number} tokens Decoder passes, that of the end token included.
 * @property {number[]} [token_ids] What was decoded, without start and end tokens, where a side has no text.
 * @property {SegmentBits[]} [segments] What was transcribed, where a side has segments.
 * @property {number} [partials] How often a segment was given before it was final.
 * @property {number} memory_bytes WebAssembly memory, which does not shrink.
 * @property {{stage: string, ms: number, multiply_adds: number}[]} [stages] What each stage took, where the side tells it.
 *
 * @typedef {object} Side
 * @property {Ready} ready What it told.
 * @property {(samples: Float32Array) => Reply | Promise<Reply>} transcribe Takes mono audio at 16 kHz.
 *
 * @typedef {(path: string | URL) => Promise<Uint8Array<ArrayBuffer>>} Read Reads a file, whatever the platform.
 *
 * @typedef {object} Options What to start.
 * @property {string} engine `auricle` or `ort`.
 * @property {string} [flavour] Of Auricle's component: `simd128` or `relaxed-simd`.
 * @property {string} [model] Auricle's model file.
 * @property {string} [stream] How Auricle takes a clip: `whole`, which is the default, `live` or `live-energy`.
 * @property {string} [encoder] ONNX Runtime's encoder.
 * @property {string} [decoder] ONNX Runtime's decoder.
 * @property {string} [threads] How many ONNX Runtime may use.
 */

/**
 * Starts the side that the options ask for.
 *
 * @param {Options} options
 * @param {Read} read
 * @returns {Promise<Side>}
 */
export async function startSide(options, read) {
  // Only what is asked for is loaded: the peers would count in each other's start-up time.
  if (options.engine === 'auricle') {
    const { startAuricle } = await import('./auricle.mjs');
    return startAuricle(/** @type {import('./auricle.mjs').Flavour} */ (required(options, 'flavour')), required(options, 'model'), options.stream ?? 'whole', read);
  }
  if (options.engine === 'ort') {
    const { startOrt } = await import('./ort.mjs');
    return startOrt(required(options, 'encoder'), required(options, 'decoder'), Number(required(options, 'threads')), read);
  }
  throw new Error(`there is no engine ${options.engine}: it is auricle or ort`);
}

/**
 * The samples of a clip: 32-bit floats, little-endian, as every machine that runs this has them in memory.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Float32Array}
 */
export function samplesOf(bytes) {
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/**
 * @param {Options} options
 * @param {keyof Options} name
 * @returns {string}
 */
function required(options, name) {
  const value = options[name];
  if (value === undefined) {
    throw new Error(`--${name} is missing`);
  }
  return value;
}
