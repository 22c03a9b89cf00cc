/** What Python does in a way of its own, and openai-whisper's files show. */

/** `str.isspace()`: what Unicode calls white space, and four separators that only Python does. */
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';

const LEADING_SPACE = new RegExp(`^${SPACE}+`);
const TRAILING_SPACE = new RegExp(`${SPACE}+$`);

/** `str.lstrip()`. */
export function stripStart(text: string): string {
  return text.replace(LEADING_SPACE, '');
}

/** `str.strip()`. */
export function strip(text: string): string {
  return stripStart(text).replace(TRAILING_SPACE, '');
}

/** `len(str)`: code points, where JavaScript counts halves of UTF-16. */
export function length(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** `round(1000 * seconds)`: halves go to the even neighbour. Times before 0 do not exist, and count as 0. */
export function milliseconds(seconds: number): number {
  const exact = seconds * 1000;
  const below = Math.floor(exact);
  const isHalf = exact - below === 0.5;
  const rounded = isHalf ? below + (below % 2) : Math.round(exact);
  return rounded > 0 ? rounded : 0;
}

/** `repr(float)`: the shortest digits that give the same number, with an exponent below 1e-4 and from 1e16 on. */
export function float(value: number): string {
  const [digits = '', exponentText = ''] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    const sign = exponent < 0 ? '-' : '+';
    return `${digits}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const plain = exponent < 0 ? withLeadingZeros(digits, exponent) : String(value);
  const signed = Object.is(value, -0) ? '-0' : plain;
  return signed.includes('.') ? signed : `${signed}.0`;
}

/** `digits` × 10^`exponent` without an exponent, which JavaScript writes only from 1e-6 on. */
function withLeadingZeros(digits: string, exponent: number): string {
  const sign = digits.startsWith('-') ? '-' : '';
  return `${sign}0.${'0'.repeat(-exponent - 1)}${digits.replace(/[-.]/g, '')}`;
}

/** `json.dumps(str)`: ASCII only, all else in halves of UTF-16. */
export function jsonString(text: string): string {
  const escaped = JSON.stringify(text);
  return escaped.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
