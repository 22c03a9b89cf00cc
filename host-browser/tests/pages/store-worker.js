// @ts-nocheck: the types of the shim are where it is built.
/** A Worker around the store, for its tests: does what it is told, and keeps count of what the sink gets. */

import startShim, { Conditioner, decodeWav, deviceReport, Marks, ModelStore } from './shim/auricle_shim.js';

const ready = startShim({ module_or_path: new URL('./shim/auricle_shim_bg.wasm', import.meta.url) });

/** What was told of loads under way, and who waits for more. */
const running = new Map();

/** Takes a file as the engine would, and tells its digest from the browser's own implementation. */
class CountingSink {
  begins = 0;
  chunks = [];

  constructor(trouble) {
    this.trouble = trouble;
  }

  begin(totalBytes) {
    this.begins += 1;
    this.totalBytes = totalBytes;
    this.chunks = [];
    this.length = 0;
  }

  write(chunk) {
    if (this.trouble === 'throw') {
      throw new Error('the sink is full');
    }
    if (this.trouble === 'delete' && this.chunks.length === 0) {
      this.deleted = deleteFiles();
    }
    this.chunks.push(chunk);
    this.length += chunk.length;
    postMessage({ got: this.length });
  }

  async result() {
    const bytes = new Uint8Array(await new Blob(this.chunks).arrayBuffer());
    const { begins, totalBytes } = this;
    return { begins, totalBytes, length: bytes.length, sha256: await sha256(bytes) };
  }
}

async function sha256(bytes) {
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The store's files, behind its back. */
async function folder() {
  const root = await navigator.storage.getDirectory();
  return await root.getDirectoryHandle('auricle-models', { create: true });
}

async function deleteFiles() {
  const files = await folder();
  for await (const name of files.keys()) {
    await files.removeEntry(name);
  }
}

const methods = {
  async obtain({ kind = 'auto', source, options = {}, id, trouble }) {
    const controller = new AbortController();
    const progress = [];
    const waiting = [];
    running.set(id, { controller, progress, waiting });
    const notices = [];
    const sink = new CountingSink(trouble);
    const onProgress = (step) => {
      progress.push(step);
      waiting.splice(0).forEach((look) => look());
    };
    const onNotice = ({ code }) => notices.push(code);
    try {
      const store = await ModelStore.open(kind);
      const obtained = await store.obtain(source, sink, { ...options, signal: controller.signal, onProgress, onNotice });
      return { obtained, sink: await sink.result(), progress, notices };
    } catch (error) {
      return { error: plain(error), sink: await sink.result(), progress, notices };
    }
  },
  cancel({ name }) {
    running.get(name).controller.abort();
  },
  /** Waits until progress of a load under way was told, from one of these sources. */
  async told({ name, sources }) {
    const { progress, waiting } = running.get(name);
    while (!progress.some(({ source }) => sources.includes(source))) {
      await new Promise((resolve) => waiting.push(resolve));
    }
  },
  /** Fails as `obtain` does. */
  async attempt({ source }) {
    await (await ModelStore.open('memory')).obtain(source, new CountingSink(), {});
  },
  async list({ kind = 'auto' }) {
    return await (await ModelStore.open(kind)).list();
  },
  async verify({ kind = 'auto', sha256 }) {
    return await (await ModelStore.open(kind)).verify(sha256);
  },
  async delete({ kind = 'auto', sha256 }) {
    return await (await ModelStore.open(kind)).delete(sha256);
  },
  async kind({ kind = 'auto' }) {
    return (await ModelStore.open(kind)).kind;
  },
  async usage() {
    const store = await ModelStore.open('auto');
    return { ...(await store.usage()), asked: await store.persist() };
  },
  async files() {
    const names = [];
    for await (const name of (await folder()).keys()) {
      names.push(name);
    }
    return names.sort();
  },
  deleteFiles,
  /** Writes a byte into a file, or cuts it. */
  async damage({ name, at, byte, cut }) {
    const handle = await (await folder()).getFileHandle(name);
    const file = await handle.createSyncAccessHandle();
    if (cut === undefined) {
      file.write(Uint8Array.of(byte), { at });
    } else {
      file.truncate(cut);
    }
    file.close();
  },
  /** Takes away what a browser may not have. */
  lack({ what }) {
    if (what === 'move') {
      delete FileSystemFileHandle.prototype.move;
      delete FileSystemHandle.prototype.move;
    } else if (what === 'opfs') {
      delete FileSystemFileHandle.prototype.createSyncAccessHandle;
    } else if (what === 'caches') {
      delete WorkerGlobalScope.prototype.caches;
      delete globalThis.caches;
    }
  },
  async decode({ url }) {
    const samples = decodeWav(new Uint8Array(await (await fetch(url)).arrayBuffer()));
    return { samples: samples.length, sha256: await sha256(samples) };
  },
  async condition({ url, rateHz, channels, cut }) {
    const interleaved = decodeWav(new Uint8Array(await (await fetch(url)).arrayBuffer()));
    const conditioner = new Conditioner(rateHz, channels);
    const parts = [];
    for (let from = 0; from < interleaved.length; from += cut) {
      parts.push(conditioner.push(interleaved.subarray(from, from + cut)));
    }
    const level = conditioner.takeLevel();
    parts.push(conditioner.finish());
    conditioner.free();
    const samples = new Float32Array(await new Blob(parts).arrayBuffer());
    return { samples: samples.length, sha256: await sha256(samples), level };
  },
  conditioner({ rateHz, channels }) {
    new Conditioner(rateHz, channels).free();
  },
  deviceReport,
  marks() {
    Marks.mark('begin');
    const measured = Marks.measure('all', 'begin');
    const names = performance.getEntries().map(({ name, entryType }) => `${entryType} ${name}`);
    return { measured, unknown: Marks.measure('all', 'nothing'), names };
  },
};

function plain(error) {
  const { name, message, code, details } = error;
  return { class: error.class, name, message, code, details };
}

onmessage = async ({ data: { id, method, parameters } }) => {
  try {
    await ready;
    postMessage({ id, value: await methods[method]({ ...parameters, id: parameters?.id ?? id }) });
  } catch (error) {
    postMessage({ id, error: plain(error) });
  }
};
