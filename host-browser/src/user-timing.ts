/** User Timing, where monitoring looks, on a page that may listen for days. */

/** Entries of a name that are kept: observers have had them long since. */
const ENTRIES_MAX = 1_000;

const counts = new Map<string, number>();

/** Adds a measure, and a name's entries are dropped before they become too many. */
export function addMeasure(name: string, options: PerformanceMeasureOptions): void {
  const count = counts.get(name) ?? 0;
  if (count >= ENTRIES_MAX) {
    performance.clearMeasures(name);
    performance.clearMarks(name);
  }
  counts.set(name, count >= ENTRIES_MAX ? 1 : count + 1);
  performance.measure(name, options);
}
