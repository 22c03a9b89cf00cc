/** `node serve.mjs [--port PORT] FOLDER`: serves a folder on localhost until it is interrupted, and says where. */

import { parseArgs } from 'node:util';

import { serve } from './server.mjs';

const { values, positionals } = parseArgs({ options: { port: { type: 'string' } }, allowPositionals: true });
try {
  const { origin } = await serve({ '/': positionals[0] }, { port: Number(values.port ?? 0) });
  console.log(`${origin}/`);
} catch (error) {
  const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  console.error(isTaken ? `port ${values.port} is taken: --port names another` : error);
  process.exitCode = 1;
}
