/** The one `Auricle` that all recognitions of a page share, and how it is loaded. */

import { Auricle } from '../auricle.js';
import { CATALOG, DEFAULT_MODEL } from '../catalog.js';
import type { LoadOptions } from '../types.js';

/** How `SpeechRecognition` works here, beyond what the Web Speech API says. */
export interface SpeechRecognitionConfiguration extends Omit<LoadOptions, 'signal'> {
  /** Who says nothing for so long after `start` gets the error `no-speech`; 8 000 unless given, 0 for never. */
  noSpeechTimeoutMs?: number;
}

let configuration: SpeechRecognitionConfiguration = {};
let loading: Promise<Auricle> | undefined;
let loaded: Auricle | undefined;

/** What was configured. */
export function configured(): SpeechRecognitionConfiguration {
  return configuration;
}

/** Changes the configuration; what was loaded with another is closed. */
export function configure(changed: SpeechRecognitionConfiguration): void {
  release();
  configuration = { ...changed };
}

/** Loads, unless that was done or is being done. Where it failed, the next call tries again. */
export function shared(): Promise<Auricle> {
  if (loading) return loading;
  const { noSpeechTimeoutMs: _, ...options } = configuration;
  const mine = Auricle.load(options);
  loading = mine;
  mine.then(
    (auricle) => {
      if (loading === mine) loaded = auricle;
    },
    () => {
      if (loading === mine) loading = undefined;
    },
  );
  return mine;
}

/** Whether it is loaded, or being loaded. */
export function state(): 'loaded' | 'loading' | 'none' {
  if (loaded) return 'loaded';
  return loading ? 'loading' : 'none';
}

/** Closes what is loaded; recognitions that run end. */
export function release(): void {
  loading?.then(
    (auricle) => auricle.close(),
    () => undefined,
  );
  loading = undefined;
  loaded = undefined;
}

/** The languages of the model that is or would be loaded; `undefined` where only its file tells. */
export function languages(): readonly string[] | undefined {
  if (loaded) return loaded.model.languages;
  const { model = DEFAULT_MODEL } = configuration;
  return typeof model === 'string' ? CATALOG.find(({ name }) => name === model)?.languages : model.languages;
}

/** Digest of the model that would be loaded. */
export function modelDigest(): string | undefined {
  const { model = DEFAULT_MODEL } = configuration;
  return typeof model === 'string' ? CATALOG.find(({ name }) => name === model)?.sha256 : model.sha256;
}
