/** Auricle's component, as jco transpiled it for the browser's package, in any JavaScript engine. */

/**
 * @typedef {keyof typeof import('../../host-browser/dist/engine/modules.js').engine} Flavour
 * @typedef {import('../../host-browser/dist/engine/interfaces/auricle-speech-types.js').Segment} Segment
 * @typedef {import('../../host-browser/dist/engine/interfaces/auricle-speech-types.js').Guards} Guards
 * @typedef {import('../../host-browser/dist/engine/interfaces/auricle-speech-types.js').SessionOptions} SessionOptions
 * @typedef {import('../../host-browser/dist/engine/interfaces/auricle-speech-types.js').Metrics} Metrics
 * @typedef {import('../../host-browser/dist/engine/interfaces/auricle-speech-types.js').Stage} Stage
 */

/** How many steps each poll does; the native library does as many. */
const STEPS = 8;

/** A block of a live stream, in samples: 20 ms. */
const LIVE_BLOCK_SAMPLES = 320;

/** The model file is handed over in pieces of so many bytes; the contract allows 16 MiB. */
const CHUNK_BYTES = 1 << 20;

/**
 * The guards, as jco and as the contract call them.
 *
 * @type {[guard: keyof Guards, name: string][]}
 */
const GUARDS = [
  ['tokenRate', 'token-rate'],
  ['repetition', 'repetition'],
  ['noSpeech', 'no-speech'],
];

/** Nanoseconds in a millisecond. */
const NS_PER_MS = 1e6;

/**
 * Compiles a flavour of the component, gives it the model, and opens a session.
 *
 * @param {Flavour} flavour
 * @param {string} model
 * @param {string} stream
 * @param {import('./side.mjs').Read} read
 * @returns {Promise<import('./side.mjs').Side>}
 */
export async function startAuricle(flavour, model, stream, read) {
  const bytes = await read(model);

  const start = performance.now();
  const { instantiate } = await import('../../host-browser/dist/engine/auricle.js');
  const { engine, imports, instantiateCore, small } = await import('../../host-browser/dist/engine/modules.js');
  const { recognition } = await instantiate(
    async (name) => WebAssembly.compile(small[name] ?? (await read(engine[flavour]))),
    imports,
    instantiateCore,
  );
  const engineMs = performance.now() - start;

  const loader = new recognition.ModelLoader(BigInt(bytes.length));
  for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES) {
    loader.write(bytes.subarray(offset, offset + CHUNK_BYTES));
  }
  const loaded = recognition.loadModel(loader);
  const session = recognition.Session.open(loaded, sessionOptions(loaded.defaultOptions(), stream));
  const about = recognition.about();

  return {
    ready: {
      engine_ms: engineMs,
      load_ms: Number(loaded.loadMetrics().elapsedNs) / NS_PER_MS,
      versions: { auricle: `${about.version} ${about.flavour} ${loaded.info().quantization}` },
    },
    transcribe(samples) {
      session.reset();
      /** @type {import('./side.mjs').SegmentBits[]} */
      const segments = [];
      let partials = 0;
      const drain = () => {
        for (let more = true; more; ) {
          const poll = session.pollTranscript(STEPS);
          for (const event of poll.events) {
            if (event.tag === 'final-segment') {
              segments.push(segmentBits(event.val));
            } else if (event.tag === 'partial-segment') {
              partials += 1;
            }
          }
          more = poll.more;
        }
      };
      const start = performance.now();
      if (stream === 'whole') {
        session.pushAudio(samples);
      } else {
        for (let first = 0; first < samples.length; first += LIVE_BLOCK_SAMPLES) {
          session.pushAudio(samples.subarray(first, first + LIVE_BLOCK_SAMPLES));
          drain();
        }
      }
      session.finish();
      drain();
      const totalMs = performance.now() - start;
      const metrics = session.metrics();
      return {
        encode_ms: stagesMs(metrics, ['front-end', 'encoder', 'cross-attention']),
        decode_ms: stagesMs(metrics, ['decoder']),
        total_ms: totalMs,
        tokens: Number(metrics.tokens),
        segments,
        partials,
        memory_bytes: Number(metrics.peakMemoryBytes),
        stages: metrics.stages.map(({ stage, elapsedNs, multiplyAdds }) => ({
          stage,
          ms: Number(elapsedNs) / NS_PER_MS,
          multiply_adds: Number(multiplyAdds),
        })),
      };
    },
  };
}

/**
 * @param {SessionOptions} defaults
 * @param {string} stream
 * @returns {SessionOptions}
 */
function sessionOptions(defaults, stream) {
  switch (stream) {
    case 'whole':
      // As the peers take it.
      return { ...defaults, endpointing: undefined, partials: 'none' };
    case 'live':
      return { ...defaults, wordTimes: true };
    case 'live-energy': {
      const endpointing = defaults.endpointing && { ...defaults.endpointing, voiceActivity: /** @type {const} */ ('energy') };
      return { ...defaults, wordTimes: true, endpointing };
    }
    default:
      throw new Error(`there is no stream ${stream}: it is whole, live or live-energy`);
  }
}

/**
 * @param {Metrics} metrics
 * @param {Stage[]} names
 * @returns {number}
 */
function stagesMs(metrics, names) {
  const stages = metrics.stages.filter(({ stage }) => names.includes(stage));
  return stages.reduce((sum, { elapsedNs }) => sum + Number(elapsedNs), 0) / NS_PER_MS;
}

/**
 * @param {Segment} segment
 * @returns {import('./side.mjs').SegmentBits}
 */
function segmentBits(segment) {
  return {
    start: Number(segment.span.start),
    end: Number(segment.span.end),
    text: segment.text,
    tokens: segment.tokens.map((token) => [token.id, floatBits(token.logProbability), floatBits(token.entropy)]),
    word_confidences: segment.words.map((word) => floatBits(word.confidence)),
    word_spans: segment.words.map(({ span }) => (span === undefined ? null : [Number(span.start), Number(span.end)])),
    ended_by: segment.endedBy ?? null,
    no_speech_probability: segment.noSpeechProbability === undefined ? null : floatBits(segment.noSpeechProbability),
    guards: GUARDS.filter(([guard]) => segment.guards[guard]).map(([, name]) => name),
  };
}

const scratch = new DataView(new ArrayBuffer(4));

/**
 * The bits of a 32-bit float, which a number holds exactly, as an unsigned integer: JSON would lose the sign of zero.
 *
 * @param {number} value
 * @returns {number}
 */
function floatBits(value) {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}
