/**
 * Pauses between attempts to connect: exponential with full jitter, without a limit of attempts.
 * Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
 */
const FIRST_MS = 500;
const LONGEST_MS = 20_000;
const SHORTEST_MS = 100;

/** After this long without a break a connection counts as good, and pauses start over. */
export const STABLE_MS = 30_000;

/** Milliseconds to wait before attempt number `attempt` (1, 2, 3 …); `random` gives numbers in [0, 1). */
export function backoffMs(
  attempt: number,
  random: () => number = Math.random
): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return SHORTEST_MS + random() * (ceiling - SHORTEST_MS);
}

/** Attempts of a terminal that come quickly one after the other. */
export const QUICK_ATTEMPTS = 42;
const QUICK_MS = 200;
const SLOWER_MS = [500, 1000, 2000, 4000, 5000];
const TERMINAL_JITTER = 0.2;

/**
 * Milliseconds to wait before a terminal's attempt number `attempt` (1, 2, 3 …) after a break: somebody is typing, so who
 * was away for a few seconds is back within a quarter of one.
 */
export function terminalBackoffMs(
  attempt: number,
  random: () => number = Math.random
): number {
  const slower = Math.min(attempt - QUICK_ATTEMPTS, SLOWER_MS.length);
  const pause =
    slower > 0
      ? (SLOWER_MS[slower - 1] ?? 0)
      : Math.min(QUICK_MS, Math.max(0, attempt - 1) * 100);
  return pause * (1 + TERMINAL_JITTER * (2 * random() - 1));
}
