/** The Worker: takes requests, and holds the model and all streams. */

import { recordOf } from '../errors.js';
import type { FromWorker, PostedEvent, Request, ToWorker } from '../protocol.js';
import type { MetricsRecord, TranscriptEvent } from '../types.js';
import { addMeasure } from '../user-timing.js';
import { calibrate } from './calibrate.js';
import { chooseFlavour, Engine } from './engine.js';
import { Host, notLoaded } from './host.js';
import { LiveInput } from './live-input.js';
import { samplesOf } from './recorded.js';
import { Scheduler, type Outcome } from './scheduler.js';
import { Marks, openStore, reportOfDevice } from './store.js';
import { Stream } from './stream.js';
import { nextTurn } from './turns.js';

type RequestOf<Kind extends Request['kind']> = Extract<Request, { kind: Kind }>;

/** What of the Worker's global scope is used: its types are not those of a page. */
const scope = globalThis as unknown as {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
};

let host: Host | undefined;
let scheduler: Scheduler | undefined;
let isEconomical = false;

/** Requests under way, by number. */
const requests = new Map<number, AbortController>();
/** Live sessions, by the number of their request. */
const inputs = new Map<number, { input: LiveInput; stream: Stream }>();

scope.onmessage = ({ data }) => {
  switch (data.kind) {
    case 'request':
      void answer(data.id, data.request);
      return;
    case 'cancel':
      requests.get(data.id)?.abort();
      return;
    case 'audio-port':
      inputs.get(data.id)?.input.connect(data.port, data.sampleRateHz);
      return;
    case 'finish':
      void inputs.get(data.id)?.input.finish();
      return;
    case 'resumed':
      inputs.get(data.id)?.stream.arrivals.resumed();
      return;
    case 'economy':
      isEconomical = data.on;
      scheduler?.setEconomy(data.on);
  }
};

function post(message: FromWorker): void {
  scope.postMessage(message);
}

function postEvent(id: number, event: PostedEvent): void {
  post({ kind: 'event', id, event });
}

async function answer(id: number, request: Request): Promise<void> {
  const controller = new AbortController();
  requests.set(id, controller);
  try {
    const value = await perform(id, request, controller.signal);
    controller.signal.throwIfAborted();
    post({ kind: 'done', id, value });
  } catch (error) {
    post({ kind: 'failed', id, error: recordOf(error) });
  } finally {
    requests.delete(id);
  }
}

async function perform(id: number, request: Request, signal: AbortSignal): Promise<unknown> {
  switch (request.kind) {
    case 'load':
      return await load(id, request, signal);
    case 'transcribe':
      return await transcribe(id, request, signal);
    case 'listen':
      return await listen(id, request, signal);
    case 'store.list':
      return await (await openStore(request.store)).list();
    case 'store.verify':
      return await (await openStore(request.store)).verify(request.sha256);
    case 'store.delete':
      return await (await openStore(request.store)).delete(request.sha256);
    case 'store.usage':
      return await (await openStore(request.store)).usage();
    case 'store.persist':
      return await (await openStore(request.store)).persist();
    case 'capabilities.report':
      return await reportOfDevice();
    case 'capabilities.calibrate':
      return await calibrate(() => measuredEngine(signal), async () => {
        await nextTurn();
        signal.throwIfAborted();
      });
  }
}

async function measuredEngine(signal: AbortSignal): Promise<Awaited<ReturnType<Parameters<typeof calibrate>[0]>>> {
  const flavour = chooseFlavour('auto');
  const engine = await Engine.compile(flavour, signal);
  return { recognition: await engine.instantiate(), flavour };
}

async function load(id: number, request: RequestOf<'load'>, signal: AbortSignal): Promise<unknown> {
  const { source, store, flavour } = request;
  const loaded = await Host.load(
    source,
    store,
    flavour,
    {
      onProgress: (progress) => post({ kind: 'load-progress', id, progress }),
      onMetrics: measured,
      onNotice: (notice) => post({ kind: 'notice', notice }),
    },
    signal,
  );
  host = loaded;
  scheduler = new Scheduler(loaded);
  return loaded.loaded();
}

/** Tells of a measurement: the page's hook, and User Timing in page and Worker. */
function measured(name: MetricsRecord['name'], value: number, unit: 'ms' | '1', attributes: MetricsRecord['attributes']): void {
  const end = performance.now();
  const span = unit === 'ms' ? { start: Math.max(0, end - value), end } : { start: end, end };
  addMeasure(`auricle:${name}`, { ...span, detail: { value, unit, ...attributes } });
  Marks.mark(name);
  post({ kind: 'metrics', record: { name, value, unit, timestampMs: performance.timeOrigin + end, attributes } });
}

async function transcribe(id: number, request: RequestOf<'transcribe'>, signal: AbortSignal): Promise<unknown> {
  const { audio, settings, events } = request;
  const samples = await samplesOf(audio, signal);
  const durationS = samples.length / 16_000;
  let toldS = -1;
  const stream = await opened(settings, 'recording', (event) => {
    if (events) {
      postEvent(id, event);
    }
  });
  stream.append(samples);
  stream.finish();
  const progress = (): void => {
    const processedS = Math.min(durationS, stream.heardSamples / 16_000);
    if (processedS > toldS) {
      toldS = processedS;
      const fraction = durationS > 0 ? processedS / durationS : 1;
      post({ kind: 'transcribe-progress', id, progress: { processedS, durationS, fraction } });
    }
  };
  return await run(stream, signal, progress);
}

async function listen(id: number, request: RequestOf<'listen'>, signal: AbortSignal): Promise<unknown> {
  const stream = await opened(request.settings, 'live', (event) => postEvent(id, event));
  const input = new LiveInput(stream, {
    onAudio: () => scheduler?.wake(),
    onLevel: ({ peak, rms }) => postEvent(id, { type: 'level', peak, rms }),
    onEnded: () => post({ kind: 'audio-ended', id }),
    onError: (error) => {
      postEvent(id, { type: 'error', error: recordOf(error) });
      // What was heard until now is still transcribed.
      stream.finish();
      post({ kind: 'audio-ended', id });
      scheduler?.wake();
    },
  });
  inputs.set(id, { input, stream });
  try {
    const outcome = run(stream, signal, () => {});
    post({ kind: 'opened', id });
    scheduler?.setEconomy(isEconomical);
    return await outcome;
  } finally {
    inputs.delete(id);
    input.close();
  }
}

async function opened(
  settings: RequestOf<'listen'>['settings'],
  kind: 'live' | 'recording',
  onEvent: (event: Exclude<TranscriptEvent, { type: 'error' }>) => void,
): Promise<Stream> {
  const [model, turns] = [host, scheduler];
  if (model === undefined || turns === undefined) {
    throw notLoaded();
  }
  const attributes = { model: model.source.name, flavour: model.engine.flavour, live: kind === 'live' };
  const onMeasured = (name: MetricsRecord['name'], value: number, unit: 'ms' | '1'): void =>
    measured(name, value, unit, attributes);
  return await turns.open(() => new Stream(model, settings, kind, { onEvent, onMeasured }));
}

/** Works on a stream until it has ended, failed or is no longer wanted. */
function run(stream: Stream, signal: AbortSignal, onTurn: () => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const cancel = (): void => {
      scheduler?.remove(stream);
      reject(signal.reason);
    };
    const outcome: Outcome = {
      worked: onTurn,
      ended: () => resolve(stream.transcript()),
      failed: reject,
    };
    if (signal.aborted) {
      stream.close();
      reject(signal.reason);
      return;
    }
    signal.addEventListener('abort', cancel, { once: true });
    scheduler?.add(stream, outcome);
  });
}
