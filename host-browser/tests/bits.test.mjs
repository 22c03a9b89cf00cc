/** The bits that every engine gives, through the public face in Chromium. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openAuricle } from './support/auricle.mjs';
import { goldenHash, hash } from './support/bits.mjs';
import { launch } from './support/chromium.mjs';
import { HOME, unless } from './support/place.mjs';
import { serveSite } from './support/site.mjs';

const skip = unless('package', 'model', 'chromium');

/** @type {Awaited<ReturnType<typeof serveSite>>} */
let site;
/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  if (!skip) {
    site = await serveSite({ '/samples/': `${HOME}/samples` });
    browser = await launch();
  }
});
after(async () => {
  await browser?.close();
  await site?.close();
});

/** The model's own endpointing, which is for audio that comes as it is spoken. */
const LIVE = { wordTimes: true, endpointing: { minimumSilenceMs: 512 } };

/** How the bits were taken, by what stands behind the clip's name. */
const STREAMS = {
  '': { endpointing: null, partials: 'none' },
  ', live': LIVE,
  ', live-energy': { ...LIVE, endpointing: { ...LIVE.endpointing, voiceActivity: 'energy' } },
};

for (const flavour of ['relaxed-simd', 'simd128']) {
  test(`tokens, scores and times are those of wasmtime, to the last bit, with ${flavour}`, { skip }, async (t) => {
    const { context, page } = await openAuricle(browser, site, { flavour });
    t.after(() => context.close());
    for (const clip of ['jfk', 'beckett', 'two_cities, 30 s']) {
      for (const [stream, options] of Object.entries(STREAMS)) {
        const segments = await page.evaluate(
          async ({ clip, options }) => {
            const { auricle } = /** @type {any} */ (globalThis);
            const audio = { jfk: '/testdata/jfk.wav', beckett: '/samples/beckett.wav' }[clip];
            if (audio !== undefined) {
              return (await auricle.transcribe(audio, options)).segments;
            }
            // The golden clip is cut from 48 kHz audio and rounded to 16 bits.
            const shim = await import(/** @type {any} */ ('/auricle/shim/auricle_shim.js'));
            await shim.default({ module_or_path: '/auricle/shim/auricle_shim_bg.wasm' });
            const wav = await (await fetch('/samples/two_cities.wav')).arrayBuffer();
            const samples = shim.decodeWav(new Uint8Array(wav)).subarray(0, 30 * 16_000);
            // As Rust rounds: halves away from zero.
            const rounded = samples.map(
              (/** @type {number} */ sample) => (Math.sign(sample) * Math.round(Math.abs(sample) * 32_768)) / 32_768,
            );
            return (await auricle.transcribe(rounded, options)).segments;
          },
          { clip, options },
        );
        assert.equal(hash(segments), await goldenHash(`${clip}${stream}`), `${clip}${stream}`);
      }
    }
  });
}
