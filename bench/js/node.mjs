/** A side in Node. */

import { readFile } from 'node:fs/promises';

import { commandLine, serve } from './lines.mjs';
import { samplesOf, startSide } from './side.mjs';

await serve(async () => {
  const side = await startSide(commandLine(), readFile);
  side.ready.versions['node'] = `${process.versions.node} (V8 ${process.versions.v8})`;
  return { ready: side.ready, transcribe: async (clip) => side.transcribe(samplesOf(await readFile(clip))) };
});
