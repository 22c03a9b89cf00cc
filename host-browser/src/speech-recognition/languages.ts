/** BCP 47 tags. */

/** The tag as it is properly written. Throws a `SyntaxError` DOMException where it is none. */
export function canonicalTag(lang: string): string {
  try {
    const [tag] = Intl.getCanonicalLocales(lang);
    if (tag !== undefined) return tag;
  } catch {
    // Below.
  }
  throw new DOMException(`"${lang}" is no BCP 47 language tag`, 'SyntaxError');
}

/** The language of `languages` that transcribes `lang`: the same, or the same but for region and script. */
export function supportedLanguage(lang: string, languages: readonly string[]): string | undefined {
  const primary = (tag: string): string => tag.toLowerCase().split('-')[0] ?? '';
  const same = languages.find((language) => language.toLowerCase() === lang.toLowerCase());
  return same ?? languages.find((language) => primary(language) === primary(lang));
}
