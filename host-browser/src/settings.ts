/** Options as they may be. Whatever the page gives that is none is told with the option's name. */

import { EngineError } from './errors.js';
import type { SessionSettings } from './protocol.js';
import type { Endpointing, Partials, SessionOptions } from './types.js';

const PARTIALS: readonly string[] = ['eager', 'economical', 'none'] satisfies Partials[];
const VOICE_ACTIVITY: readonly string[] = ['automatic', 'energy', 'neural'] satisfies Endpointing['voiceActivity'][];
const LENGTHS = ['minimumSilenceMs', 'minimumSpeechMs', 'longestSegmentMs'] as const;

/** The longest length that the engine's numbers hold: over three days. */
const LONGEST_MS = 2 ** 28 - 1;

/** Options of a session as the Worker takes them. Fails with `EngineError` `invalid-option`. */
export function sessionSettings(options: SessionOptions, partials: Partials): SessionSettings {
  const { wordTimes = false, language, endpointing = {} } = options;
  const wanted = options.partials ?? partials;
  check(PARTIALS.includes(wanted), 'partials', `is one of ${PARTIALS.join(', ')}`);
  check(typeof wordTimes === 'boolean', 'wordTimes', 'is true or false');
  check(language === undefined || typeof language === 'string', 'language', 'is a BCP 47 tag such as `en`');
  return {
    wordTimes,
    ...(language === undefined ? {} : { language }),
    endpointing: endpointing === null ? null : checkedEndpointing(endpointing),
    partials: wanted,
  };
}

function checkedEndpointing(endpointing: Partial<Endpointing>): Partial<Endpointing> {
  const checked: Partial<Endpointing> = {};
  const { voiceActivity } = endpointing;
  if (voiceActivity !== undefined) {
    check(VOICE_ACTIVITY.includes(voiceActivity), 'endpointing.voiceActivity', `is one of ${VOICE_ACTIVITY.join(', ')}`);
    checked.voiceActivity = voiceActivity;
  }
  for (const name of LENGTHS) {
    const ms = endpointing[name];
    if (ms !== undefined) {
      check(ms >= 0 && ms <= LONGEST_MS, `endpointing.${name}`, `is a number of milliseconds from 0 to ${LONGEST_MS}`);
      checked[name] = ms;
    }
  }
  return checked;
}

/** Fails with `EngineError` `invalid-option` where an option is not right. */
export function check(isRight: boolean, option: string, rule: string): void {
  if (!isRight) {
    throw new EngineError('invalid-option', `${option} ${rule}: correct it, or leave it out.`, { option });
  }
}
