/**
 * A model file that is made here, in milliseconds, and knows nothing: as large as a real one, of the same layers, with
 * numbers that mean nothing. What the engine does with it takes as long as with the real one, so that a device can be
 * measured before anything is downloaded.
 *
 * `component/MODEL-FORMAT.md` tells what stands in a file.
 */

/** The size of a Moonshine model, in the terms of `MODEL-FORMAT.md`. */
export interface MoonshineShape {
  embeddingLength: number;
  encoderBlocks: number;
  decoderBlocks: number;
  encoderFeedForward: number;
  decoderFeedForward: number;
  heads: number;
  ropeDimensions: number;
  vocabulary: number;
}

/** Moonshine Tiny. */
export const MOONSHINE_TINY: MoonshineShape = {
  embeddingLength: 288,
  encoderBlocks: 6,
  decoderBlocks: 6,
  encoderFeedForward: 1152,
  decoderFeedForward: 1152,
  heads: 8,
  ropeDimensions: 32,
  vocabulary: 32_768,
};

/** A file as it is written: its length, and its bytes in order. */
export interface SyntheticModel {
  totalBytes: number;
  /** Each at most a few MiB; the buffer of one may be that of the next. */
  chunks(): Generator<Uint8Array<ArrayBuffer>>;
}

type Value = { u32: number } | { f32: number } | { text: string } | { texts: string[] } | { i32s: Int32Array };

/** `f32`: all of one value. `i8`: a pattern. */
interface Tensor {
  name: string;
  /** Outermost dimension first. */
  shape: number[];
  kind: 'f32' | 'i8';
  /** The value of an f32 tensor. */
  value?: number;
}

const TYPE_CODES = { f32: 0, i8: 24 } as const;
const ELEMENT_BYTES = { f32: 4, i8: 1 } as const;
const ALIGNMENT_BYTES = 32;
const CHUNK_BYTES = 1 << 20;

/** Small enough that sums over a row stay in the range of ordinary activations. */
const SCALE = 1 / 1024;

/** Makes a model of this size, stored as 8-bit integers. */
export function syntheticModel(shape: MoonshineShape): SyntheticModel {
  const tensors = tensorsOf(shape);
  const header = headerOf(metadataOf(shape), tensors);
  const sizes = tensors.map(bytesOf);
  const totalBytes = sizes.reduce((end, bytes) => aligned(end) + bytes, header.length);
  return { totalBytes, chunks: () => chunksOf(header, tensors) };
}

function* chunksOf(header: Uint8Array<ArrayBuffer>, tensors: Tensor[]): Generator<Uint8Array<ArrayBuffer>> {
  yield header;
  const pattern = noise(CHUNK_BYTES);
  const filled = new Float32Array(CHUNK_BYTES / ELEMENT_BYTES.f32);
  let offset = header.length;
  for (const tensor of tensors) {
    const padding = aligned(offset) - offset;
    if (padding > 0) yield new Uint8Array(padding);
    let bytes: Uint8Array<ArrayBuffer> = pattern;
    if (tensor.kind === 'f32') {
      filled.fill(tensor.value ?? 0);
      bytes = new Uint8Array(filled.buffer);
    }
    for (let left = bytesOf(tensor); left > 0; left -= CHUNK_BYTES) {
      yield bytes.subarray(0, Math.min(left, CHUNK_BYTES));
    }
    offset += padding + bytesOf(tensor);
  }
}

/** Bytes of a small generator (xorshift32): the same everywhere. */
function noise(length: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(length / 4);
  let state = 0x9e37_79b9;
  for (let index = 0; index < words.length; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer);
}

function metadataOf(shape: MoonshineShape): [key: string, value: Value][] {
  const special = ['<unk>', '<s>', '</s>'];
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const first = special.length + bytes.length;
  const words = Array.from({ length: shape.vocabulary - first }, (_, index) => `\u2581w${index}`);
  const types = new Int32Array(shape.vocabulary).fill(1);
  types.set([2, 3, 3]);
  types.fill(6, special.length, first);
  return [
    ['general.architecture', { text: 'moonshine' }],
    ['general.name', { text: 'Synthetic' }],
    ['general.languages', { texts: ['en'] }],
    ['general.quantization_version', { u32: 2 }],
    ['auricle.quantization', { text: 'q8' }],
    ['tokenizer.ggml.model', { text: 'llama' }],
    ['tokenizer.ggml.tokens', { texts: [...special, ...bytes, ...words] }],
    ['tokenizer.ggml.token_type', { i32s: types }],
    ['tokenizer.ggml.bos_token_id', { u32: 1 }],
    ['tokenizer.ggml.eos_token_id', { u32: 2 }],
    ['moonshine.embedding_length', { u32: shape.embeddingLength }],
    ['moonshine.encoder.block_count', { u32: shape.encoderBlocks }],
    ['moonshine.decoder.block_count', { u32: shape.decoderBlocks }],
    ['moonshine.encoder.feed_forward_length', { u32: shape.encoderFeedForward }],
    ['moonshine.decoder.feed_forward_length', { u32: shape.decoderFeedForward }],
    ['moonshine.attention.head_count', { u32: shape.heads }],
    ['moonshine.attention.layer_norm_epsilon', { f32: 1e-5 }],
    ['moonshine.rope.dimension_count', { u32: shape.ropeDimensions }],
    ['moonshine.rope.freq_base', { f32: 10_000 }],
    ['moonshine.group_norm_epsilon', { f32: 1e-5 }],
    ['moonshine.vocab_size', { u32: shape.vocabulary }],
    ['moonshine.sample_rate_hz', { u32: 16_000 }],
    ['moonshine.max_utterance_samples', { u32: 480_000 }],
    ['moonshine.max_tokens_per_second', { f32: 6.5 }],
  ];
}

function tensorsOf(shape: MoonshineShape): Tensor[] {
  const tensors: Tensor[] = [];
  const h = shape.embeddingLength;
  const plain = (name: string, dimensions: number[], value: number): void => {
    tensors.push({ name, shape: dimensions, kind: 'f32', value });
  };
  const matrix = (name: string, dimensions: number[]): void => {
    tensors.push({ name: `${name}_scale`, shape: dimensions.slice(0, 1), kind: 'f32', value: SCALE });
    tensors.push({ name, shape: dimensions, kind: 'i8' });
  };
  const attention = (root: string): void => {
    for (const projection of ['q', 'k', 'v', 'o']) matrix(`${root}.${projection}_proj.weight`, [h, h]);
  };
  const feedForward = (root: string, inner: number, outer: number): void => {
    matrix(`${root}.mlp.fc1.weight`, [inner, h]);
    plain(`${root}.mlp.fc1.bias`, [inner], 0);
    matrix(`${root}.mlp.fc2.weight`, [h, outer]);
    plain(`${root}.mlp.fc2.bias`, [h], 0);
  };

  const encoder = 'model.encoder';
  plain(`${encoder}.conv1.weight`, [h, 1, 127], SCALE);
  plain(`${encoder}.groupnorm.weight`, [h], 1);
  plain(`${encoder}.groupnorm.bias`, [h], 0);
  matrix(`${encoder}.conv2.weight`, [2 * h, h, 7]);
  plain(`${encoder}.conv2.bias`, [2 * h], 0);
  matrix(`${encoder}.conv3.weight`, [h, 2 * h, 3]);
  plain(`${encoder}.conv3.bias`, [h], 0);
  for (let block = 0; block < shape.encoderBlocks; block += 1) {
    const root = `${encoder}.layers.${block}`;
    attention(`${root}.self_attn`);
    plain(`${root}.input_layernorm.weight`, [h], 1);
    plain(`${root}.post_attention_layernorm.weight`, [h], 1);
    feedForward(root, shape.encoderFeedForward, shape.encoderFeedForward);
  }
  plain(`${encoder}.layer_norm.weight`, [h], 1);

  const decoder = 'model.decoder';
  matrix(`${decoder}.embed_tokens.weight`, [shape.vocabulary, h]);
  for (let block = 0; block < shape.decoderBlocks; block += 1) {
    const root = `${decoder}.layers.${block}`;
    attention(`${root}.self_attn`);
    attention(`${root}.encoder_attn`);
    for (const norm of ['input_layernorm', 'post_attention_layernorm', 'final_layernorm']) {
      plain(`${root}.${norm}.weight`, [h], 1);
    }
    feedForward(root, 2 * shape.decoderFeedForward, shape.decoderFeedForward);
  }
  plain(`${decoder}.norm.weight`, [h], 1);
  return tensors;
}

/** Everything before the tensors' data, with its padding. */
function headerOf(metadata: [key: string, value: Value][], tensors: Tensor[]): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.bytes(new TextEncoder().encode('GGUF'));
  writer.u32(3);
  writer.u64(tensors.length);
  writer.u64(metadata.length);
  for (const [key, value] of metadata) {
    writer.text(key);
    writer.value(value);
  }
  let offset = 0;
  for (const tensor of tensors) {
    writer.text(tensor.name);
    writer.u32(tensor.shape.length);
    for (const dimension of [...tensor.shape].reverse()) writer.u64(dimension);
    writer.u32(TYPE_CODES[tensor.kind]);
    writer.u64(offset);
    offset = aligned(offset + bytesOf(tensor));
  }
  return writer.written();
}

function bytesOf({ shape, kind }: Tensor): number {
  return shape.reduce((product, dimension) => product * dimension, ELEMENT_BYTES[kind]);
}

function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

/** Numbers, little-endian, and texts with their length before them. */
class Writer {
  #buffer = new Uint8Array(1 << 20);
  #length = 0;

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  u32(value: number): void {
    this.#room(4).setUint32(this.#length, value, true);
    this.#length += 4;
  }

  f32(value: number): void {
    this.#room(4).setFloat32(this.#length, value, true);
    this.#length += 4;
  }

  u64(value: number): void {
    this.#room(8).setBigUint64(this.#length, BigInt(value), true);
    this.#length += 8;
  }

  text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u64(bytes.length);
    this.bytes(bytes);
  }

  /** A metadata value: the number of its type, and itself. */
  value(value: Value): void {
    if ('u32' in value) {
      this.u32(4);
      this.u32(value.u32);
    } else if ('f32' in value) {
      this.u32(6);
      this.f32(value.f32);
    } else if ('text' in value) {
      this.u32(8);
      this.text(value.text);
    } else if ('texts' in value) {
      this.#array(8, value.texts.length);
      for (const text of value.texts) this.text(text);
    } else {
      this.#array(5, value.i32s.length);
      for (const number of value.i32s) this.u32(number);
    }
  }

  /** What has been written, padded. */
  written(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, aligned(this.#length));
  }

  #array(type: number, length: number): void {
    this.u32(9);
    this.u32(type);
    this.u64(length);
  }

  /** Makes room for so many bytes, and for padding. */
  #room(bytes: number): DataView {
    if (this.#length + bytes + ALIGNMENT_BYTES > this.#buffer.length) {
      const larger = new Uint8Array(2 * this.#buffer.length + bytes);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    return new DataView(this.#buffer.buffer);
  }
}
