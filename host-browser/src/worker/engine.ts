/** The engine: which build of it, its compiled code, and instances of it. */

import { instantiate } from '../engine/auricle.js';
import { engine, imports, instantiateCore, small } from '../engine/modules.js';
import type * as Recognition from '../engine/interfaces/auricle-speech-recognition.js';
import { CapabilityError, EngineError } from '../errors.js';
import { hasRelaxedSimd } from '../features.js';
import type { Flavour } from '../types.js';

/** What the component exports. */
export type Instance = typeof Recognition;

/** A session of the component. */
export type EngineSession = Recognition.Session;

/** A loaded model of the component. */
export type EngineModel = Recognition.Model;

/** A model file that is arriving. */
export type EngineLoader = Recognition.ModelLoader;

/** A server that has not begun to answer by then will not. */
const ANSWER_TIMEOUT_MS = 20_000;

/** Some megabytes that are not there by then will not come: 10 KB a second are enough. */
const WHOLE_TIMEOUT_MS = 300_000;

/** The build that runs here, or the one that was asked for. */
export function chooseFlavour(wanted: 'auto' | Flavour): Flavour {
  if (wanted === 'auto') {
    return hasRelaxedSimd() ? 'relaxed-simd' : 'simd128';
  }
  if (wanted === 'relaxed-simd' && !hasRelaxedSimd()) {
    throw new CapabilityError('no-simd', 'This browser has no relaxed SIMD: leave the flavour to Auricle.');
  }
  return wanted;
}

/** A build of the engine, compiled once. */
export class Engine {
  readonly flavour: Flavour;
  #module: WebAssembly.Module;

  private constructor(flavour: Flavour, module: WebAssembly.Module) {
    this.flavour = flavour;
    this.#module = module;
  }

  /** Gets the code and compiles it, while it arrives where that is possible. */
  static async compile(flavour: Flavour, signal: AbortSignal): Promise<Engine> {
    return new Engine(flavour, await compileModule(engine[flavour], signal));
  }

  /** A new instance, with memory of its own. */
  async instantiate(): Promise<Instance> {
    const module = (name: string): WebAssembly.Module | Promise<WebAssembly.Module> => {
      const bytes = small[name];
      return bytes === undefined ? this.#module : WebAssembly.compile(bytes);
    };
    const { recognition } = await instantiate(module, imports, instantiateCore);
    return recognition;
  }
}

function compileModule(url: URL, signal: AbortSignal): Promise<WebAssembly.Module> {
  return gotCode(url, signal, async (response) => {
    if (response.headers.get('content-type') === 'application/wasm') {
      return await WebAssembly.compileStreaming(response);
    }
    // A server that does not know the type: the bytes are the same.
    return await WebAssembly.compile(await response.arrayBuffer());
  });
}

/** Gets WebAssembly and does with it what is to be done. Fails with `EngineError` also where it does not come. */
export async function gotCode<Value>(
  url: URL,
  signal: AbortSignal,
  use: (response: Response) => Promise<Value>,
): Promise<Value> {
  signal.throwIfAborted();
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  signal.addEventListener('abort', stop, { once: true });
  let timer = setTimeout(stop, ANSWER_TIMEOUT_MS);
  try {
    const response = await get(url, controller.signal);
    clearTimeout(timer);
    timer = setTimeout(stop, WHOLE_TIMEOUT_MS);
    return await use(response);
  } catch (error) {
    signal.throwIfAborted();
    if (controller.signal.aborted) {
      const message = `${url.pathname} does not come: check the connection, and try again.`;
      throw new EngineError('unreachable', message, { url: url.href });
    }
    throw error instanceof EngineError ? error : unusableCode(error, url);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/** Why WebAssembly that is there cannot be used. */
function unusableCode(error: unknown, url: URL): EngineError {
  const isForbidden = error instanceof WebAssembly.CompileError && /Content.Security.Policy|unsafe-eval/i.test(error.message);
  const message = isForbidden
    ? "The page's content-security policy forbids WebAssembly: add 'wasm-unsafe-eval' to its script-src."
    : `${url.pathname} was not got as it should be (${String(error)}): try again, and publish Auricle's files as they are.`;
  return new EngineError('unreachable', message, { url: url.href });
}

async function get(url: URL, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new EngineError('unreachable', `The engine was not got (${String(error)}): check the connection.`, {
      url: url.href,
    });
  }
  if (!response.ok) {
    const message = `The server answers ${response.status} for ${url.pathname}: publish Auricle's files beside each other.`;
    throw new EngineError('unreachable', message, { url: url.href, status: response.status });
  }
  return response;
}
