// What changes with time and with the tab: the seconds that tick, and whether anybody looks.

class Clock {
  /** Now, to the second; milliseconds since 1970. */
  now = $state(Date.now());
  /** Somebody can see this tab. Streams are held only then: a browser allows few connections for all tabs together. */
  visible = $state(document.visibilityState !== "hidden");

  constructor() {
    setInterval(() => {
      if (this.visible) this.now = Date.now();
    }, 1_000);
    document.addEventListener("visibilitychange", () => {
      this.visible = document.visibilityState !== "hidden";
      this.now = Date.now();
    });
  }
}

/** The one clock of this tab. */
export const clock = new Clock();

/** Waits so long; ends early when the network comes back or the signal ends it. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}
