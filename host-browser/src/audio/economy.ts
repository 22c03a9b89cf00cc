/** Whether to save work: the page is not seen, or the battery is low. */

/** Below this charge, while nothing charges it. */
const LOW_BATTERY = 0.2;

interface Battery extends EventTarget {
  level: number;
  charging: boolean;
}

/** Calls `tell` whenever that changes, until the signal is given. Where the browser has no battery, only the page counts. */
export function watchEconomy(tell: (on: boolean) => void, signal: AbortSignal): void {
  let battery: Battery | undefined;
  let was = false;
  const look = (): void => {
    const isLow = battery !== undefined && !battery.charging && battery.level <= LOW_BATTERY;
    const is = document.visibilityState === 'hidden' || isLow;
    if (is !== was) {
      was = is;
      tell(is);
    }
  };
  document.addEventListener('visibilitychange', look, { signal });
  look();
  const { getBattery } = navigator as Navigator & { getBattery?: () => Promise<Battery> };
  getBattery?.call(navigator).then(
    (found) => {
      battery = found;
      found.addEventListener('levelchange', look, { signal });
      found.addEventListener('chargingchange', look, { signal });
      if (!signal.aborted) {
        look();
      }
    },
    () => {},
  );
}
