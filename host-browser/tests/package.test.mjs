/**
 * The tarball, installed into projects that have nothing else: each loads the model and transcribes, from a server that
 * sends the strict policy and does not isolate the page.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { build, createServer } from 'vite';
import webpack from 'webpack';

import { serve, STRICT_CSP } from '../scripts/server.mjs';
import { goldenHash, hash } from './support/bits.mjs';
import { complaints, launch } from './support/chromium.mjs';
import { MODELS, PACKAGE, ROOT, TARBALL, testdata, unless } from './support/place.mjs';

const skip = unless('tarball', 'model', 'chromium');

/** What a project's only script does, whatever builds it. */
const SCRIPT = `
import { Auricle } from 'auricle';
import * as speechRecognition from 'auricle/speech-recognition';
import * as store from 'auricle/store';
import * as capabilities from 'auricle/capabilities';

async function transcribe() {
  const auricle = await Auricle.load();
  const { segments } = await auricle.transcribe('testdata/jfk.wav', { endpointing: null });
  auricle.close();
  return segments;
}
globalThis.entries = [speechRecognition, store, capabilities].map((entry) => Object.keys(entry).length);
globalThis.segments = transcribe();
`;

/** The same with types: what is written here must hold. */
const TYPED_SCRIPT = `
import { Auricle, AuricleError, toSrt, type TranscriptEvent } from 'auricle';
import { SpeechRecognition } from 'auricle/speech-recognition';
import { listModels } from 'auricle/store';
import { report } from 'auricle/capabilities';

const auricle = await Auricle.load({ model: 'moonshine-tiny-en', signal: AbortSignal.timeout(1000) });
const onEvent = (event: TranscriptEvent) => (event.type === 'final' ? event.segment.words : []);
const srt: string = toSrt(await auricle.transcribe(new Blob(), { onEvent }));
const bytes: number[] = (await listModels()).map((model) => model.bytes);
const simd: boolean = (await report()).simd;
// @ts-expect-error there is no such model
await Auricle.load({ model: 'whisper' });
console.log(srt, bytes, simd, new SpeechRecognition().continuous, AuricleError);
`;

/** @param {string} script */
const page = (script) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A project</title>
${script}
`;

/** What every project's server has beside the project. */
const BESIDE = { '/models/': MODELS, '/testdata/': join(ROOT, 'testdata') };

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {string} */
let project;

before(async () => {
  if (skip === false) {
    browser = await launch();
    project = await mkdtemp(join(tmpdir(), 'auricle-package-'));
    await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'project', private: true, type: 'module' }));
    const npm = ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', TARBALL];
    await promisify(execFile)('npm', npm, { cwd: project, shell: process.platform === 'win32' });
    await writeFile(join(project, 'main.js'), SCRIPT);
    await writeFile(join(project, 'index.html'), page('<script type="module" src="./main.js"></script>'));
  }
});

after(async () => {
  await browser?.close();
  if (project !== undefined) {
    await rm(project, { recursive: true });
  }
});

/**
 * Opens a page and compares what it transcribed with the bits that every engine gives.
 *
 * @param {string} address
 */
async function transcribes(address) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const said = complaints(page);
  await page.goto(address);
  const entries = await page.evaluate(() => /** @type {any} */ (globalThis).entries);
  assert.ok(entries?.every((/** @type {number} */ exports) => exports > 0), `${entries}; ${said.join('\n')}`);
  const segments = await page.evaluate(() => /** @type {any} */ (globalThis).segments);
  assert.equal(hash(segments), await goldenHash('jfk'));
  assert.deepEqual(said, []);
  await context.close();
}

test('a project that Vite builds transcribes', { skip }, async (t) => {
  const outDir = join(project, 'vite');
  await build({ root: project, configFile: false, logLevel: 'warn', build: { outDir, copyPublicDir: false } });
  const site = await serve({ '/': outDir, ...BESIDE });
  t.after(() => site.close());
  await transcribes(`${site.origin}/`);
});

test("a project in Vite's development server transcribes, at the first visit and the second", { skip }, async (t) => {
  // Served as it is, as any static file of such a project.
  await mkdir(join(project, 'public'));
  await Promise.all(Object.entries(BESIDE).map(([path, folder]) => symlink(folder, join(project, 'public', path.slice(1, -1)))));
  const headers = { 'content-security-policy': STRICT_CSP };
  const vite = await createServer({ root: project, configFile: false, logLevel: 'warn', server: { port: 0, headers } });
  t.after(() => vite.close());
  await vite.listen();
  const address = /** @type {string} */ (vite.resolvedUrls?.local[0]);
  await transcribes(address);
  await transcribes(address);
});

test('a project that webpack builds transcribes', { skip }, async (t) => {
  const path = join(project, 'webpack');
  const stats = await new Promise((resolve, reject) => {
    const options = /** @type {const} */ ({ mode: 'production', context: project, entry: './main.js', output: { path } });
    webpack({ ...options, performance: false }, (error, stats) => (error ? reject(error) : resolve(stats)));
  });
  assert.equal(stats.toString({ all: false, errors: true, warnings: true }), '');
  await writeFile(join(path, 'index.html'), page('<script defer src="main.js"></script>'));
  const site = await serve({ '/': path, ...BESIDE });
  t.after(() => site.close());
  await transcribes(`${site.origin}/`);
});

test('the example of README.md writes what the microphone hears', { skip }, async (t) => {
  const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8');
  const [html, javascript] = ['html', 'js'].map((language) => readme.split(`\`\`\`${language}\n`)[1].split('```')[0]);
  assert.ok(javascript.split('\n').filter((line) => line !== '').length <= 10, 'ten lines');
  const root = join(project, 'example');
  await mkdir(root);
  await writeFile(join(root, 'example.js'), javascript);
  await writeFile(join(root, 'index.html'), page(`${html}<script type="module" src="./example.js"></script>`));
  const outDir = join(root, 'built');
  await build({ root, configFile: false, logLevel: 'warn', build: { outDir } });
  const site = await serve({ '/': outDir, ...BESIDE });
  t.after(() => site.close());
  const hearing = await launch({ microphone: testdata('jfk.wav') });
  t.after(() => hearing.close());
  const tab = await hearing.newPage();
  const said = complaints(tab);
  await tab.goto(`${site.origin}/`);
  await tab.click('#start');
  // The recording is played again and again, and a busy computer loses some of it.
  await tab.getByText(/country/).waitFor({ timeout: 60_000 });
  assert.deepEqual(said, []);
});

test('a plain page with a module transcribes, in a folder of its site', { skip }, async (t) => {
  const plain = join(project, 'plain');
  await cp(join(project, 'node_modules/auricle/dist'), join(plain, 'auricle'), { recursive: true });
  await writeFile(join(plain, 'main.js'), SCRIPT.replace(/'auricle'/, "'./auricle/index.js'").replace(/'auricle\/(.*)'/g, "'./auricle/$1.js'"));
  await writeFile(join(plain, 'index.html'), page('<script type="module" src="main.js"></script>'));
  const site = await serve({ '/app/': plain, ...BESIDE, '/app/models/': MODELS, '/app/testdata/': BESIDE['/testdata/'] });
  t.after(() => site.close());
  await transcribes(`${site.origin}/app/`);
});

for (const module of ['nodenext', 'preserve']) {
  test(`the package's types are whole, for a strict project with module ${module}`, { skip }, async () => {
    await writeFile(join(project, 'main.ts'), TYPED_SCRIPT);
    const flags = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom,dom.iterable', '--types', '', '--skipLibCheck', 'false'];
    const tsc = [join(PACKAGE, 'node_modules/typescript/bin/tsc'), ...flags, '--module', module, 'main.ts'];
    const { stdout } = await promisify(execFile)(process.execPath, tsc, { cwd: project }).catch((error) => error);
    assert.equal(stdout, '');
  });
}

test('the tarball has what it should and nothing else', { skip }, async () => {
  const installed = join(project, 'node_modules/auricle');
  const names = await readdir(installed);
  assert.deepEqual(names.sort(), ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'THIRD-PARTY.md', 'dist', 'package.json']);
});
