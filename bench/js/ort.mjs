/** ONNX Runtime's web package on its WebAssembly backend, in any JavaScript engine. */

/** @typedef {typeof import('onnxruntime-web')} Ort */

/** The package's files; the one named `threaded` is its only plain build, and also runs with one thread. */
const PACKAGE = new URL('./node_modules/onnxruntime-web/', import.meta.url);
const VARIANT = 'ort-wasm-simd-threaded';
/** What the package exports to Node, whose threads the other does not start, and to browsers. */
const ENTRY = 'process' in globalThis ? 'ort.node.min.mjs' : 'ort.wasm.min.mjs';

/** Samples a second. */
const SAMPLE_RATE_HZ = 16000;

/** The most tokens a second of audio can have, as the model file of Auricle says it. */
const MAX_TOKENS_PER_SECOND = 6.5;

const START_TOKEN = 1;
const END_TOKEN = 2;

/** The shape of empty keys and values: batch, heads, positions, size of a head. */
const EMPTY_CACHE = [1, 8, 0, 36];

/**
 * Compiles the runtime and gives it the model.
 *
 * @param {string} encoderPath
 * @param {string} decoderPath
 * @param {number} threads More than one needs shared memory, which a browser gives to isolated pages only.
 * @param {import('./side.mjs').Read} read
 * @returns {Promise<import('./side.mjs').Side>}
 */
export async function startOrt(encoderPath, decoderPath, threads, read) {
  const memories = recordMemories();
  const encoderBytes = await read(encoderPath);
  const decoderBytes = await read(decoderPath);
  const about = JSON.parse(new TextDecoder().decode(await read(new URL('package.json', PACKAGE))));

  const start = performance.now();
  /** @type {Ort} */
  const ort = await import(new URL(`dist/${ENTRY}`, PACKAGE).href);
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.proxy = false;
  ort.env.wasm.wasmPaths = { mjs: new URL(`dist/${VARIANT}.mjs`, PACKAGE).href };
  ort.env.wasm.wasmBinary = await read(new URL(`dist/${VARIANT}.wasm`, PACKAGE));
  const options = { executionProviders: ['wasm'], intraOpNumThreads: threads, interOpNumThreads: 1 };
  // The first session also compiles the runtime.
  const encoder = await ort.InferenceSession.create(encoderBytes, options);
  const engineMs = performance.now() - start;
  // It falls back to one where it has no shared memory.
  if (ort.env.wasm.numThreads !== threads) {
    throw new Error(`onnxruntime-web has ${ort.env.wasm.numThreads} threads here, not ${threads}`);
  }
  const decoder = await ort.InferenceSession.create(decoderBytes, options);
  const loadMs = performance.now() - start - engineMs;

  /**
   * Chooses the best token until it is the end token or there are too many; gives the tokens and the number of passes.
   *
   * @param {import('onnxruntime-web').Tensor} states
   * @param {import('onnxruntime-web').Tensor} mask
   * @param {number} maxTokens
   */
  async function decode(states, mask, maxTokens) {
    /** @type {Record<string, import('onnxruntime-web').Tensor>} */
    const feeds = { encoder_hidden_states: states, encoder_attention_mask: mask };
    for (const name of decoder.inputNames.filter((name) => name.startsWith('past'))) {
      feeds[name] = new ort.Tensor('float32', new Float32Array(0), EMPTY_CACHE);
    }
    const ids = [];
    let last = START_TOKEN;
    for (let pass = 1; ; pass += 1) {
      const cached = pass > 1;
      feeds['input_ids'] = new ort.Tensor('int64', BigInt64Array.of(BigInt(last)), [1, 1]);
      feeds['use_cache_branch'] = new ort.Tensor('bool', [cached], [1]);
      const outputs = await decoder.run(feeds);
      for (const name of decoder.outputNames.filter((name) => name.startsWith('present'))) {
        // Cross-attention's are computed in the first pass only.
        if (!(cached && name.includes('.encoder.'))) {
          feeds[name.replace('present', 'past_key_values')] = outputs[name];
        }
      }
      last = best(/** @type {Float32Array} */ (outputs['logits'].data));
      if (last === END_TOKEN || ids.length === maxTokens) {
        return { ids, passes: pass };
      }
      ids.push(last);
    }
  }

  return {
    ready: {
      engine_ms: engineMs,
      load_ms: loadMs,
      versions: { 'onnxruntime-web': `${about.version} (${VARIANT}.wasm)` },
    },
    async transcribe(samples) {
      const shape = [1, samples.length];
      const audio = new ort.Tensor('float32', samples, shape);
      const mask = new ort.Tensor('int64', new BigInt64Array(samples.length).fill(1n), shape);
      const start = performance.now();
      const outputs = await encoder.run({ input_values: audio, attention_mask: mask });
      const encoded = performance.now();
      const maxTokens = Math.max(1, Math.ceil((samples.length / SAMPLE_RATE_HZ) * MAX_TOKENS_PER_SECOND));
      const { ids, passes } = await decode(outputs['last_hidden_state'], mask, maxTokens);
      const end = performance.now();
      return {
        encode_ms: encoded - start,
        decode_ms: end - encoded,
        total_ms: end - start,
        tokens: passes,
        token_ids: ids,
        memory_bytes: memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0),
      };
    },
  };
}

/**
 * The index of the largest number, the first of equals.
 *
 * @param {Float32Array} logits
 * @returns {number}
 */
function best(logits) {
  let index = 0;
  for (let i = 1; i < logits.length; i += 1) {
    if (logits[i] > logits[index]) {
      index = i;
    }
  }
  return index;
}

/**
 * Notes every memory that is made from now on: the runtime does not tell how large its own is.
 *
 * @returns {WebAssembly.Memory[]}
 */
function recordMemories() {
  /** @type {WebAssembly.Memory[]} */
  const memories = [];
  WebAssembly.Memory = class extends WebAssembly.Memory {
    /** @param {WebAssembly.MemoryDescriptor} descriptor */
    constructor(descriptor) {
      super(descriptor);
      memories.push(this);
    }
  };
  return memories;
}
