/** Speech to text in the browser: what `import … from 'auricle'` gives. */

export * from './errors.js';
export * from './types.js';
export { CATALOG, DEFAULT_MODEL, type CatalogModel } from './catalog.js';
export * from './formats.js';
export { Auricle } from './auricle.js';
export { Listening } from './listening.js';
