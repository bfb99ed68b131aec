// The clock of the tab: the time, to the second, and whether the tab is visible.

class Clock {
  /** Now, to the second; milliseconds since 1970. */
  now = $state(Date.now());
  /**
   * Whether somebody can see this tab. Streams are open only then: a browser allows few connections for all tabs
   * together.
   */
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

/** Waits so long. Ends early when the network comes back or the signal is aborted. */
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
