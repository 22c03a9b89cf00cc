/** The models that Auricle knows by name: what `host-native/catalog.toml` has of their q8 files, which a test compares. */

import { ModelError } from './errors.js';
import type { ModelName, ModelSource } from './types.js';

/** A model of the catalog: all but the address, which is the page's choice. */
export type CatalogModel = Required<Omit<ModelSource, 'url' | 'name'>> & {
  name: ModelName;
  /** The file's name in `LoadOptions.modelsUrl`. */
  file: string;
};

/** All models, the default first. */
export const CATALOG: readonly CatalogModel[] = [
  {
    name: 'moonshine-tiny-en',
    title: 'Moonshine Tiny (English)',
    languages: ['en'],
    parameters: 27_092_736,
    license: 'MIT',
    file: 'moonshine-tiny-en-q8.gguf',
    bytes: 29_494_916,
    sha256: '6612b1564a919ad9387216f6098e6b9bc2c3be6d065dc992353e056ec1f9d743',
  },
];

/** The model that is loaded unless another is named. */
export const DEFAULT_MODEL: ModelName = 'moonshine-tiny-en';

/** Finds a model's file in a folder. */
export function catalogSource(name: string, modelsUrl: URL): ModelSource {
  const model = CATALOG.find((model) => model.name === name);
  if (model === undefined) {
    const names = CATALOG.map((model) => model.name).join(', ');
    throw new ModelError('unknown-model', `There is no model ${name}; there is ${names}.`, { name });
  }
  const { file, ...rest } = model;
  return { ...rest, url: new URL(file, modelsUrl) };
}
