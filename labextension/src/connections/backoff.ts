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

const TERMINAL_MS = [0, 100, 250, 500, 1000, 2000, 4000, 5000];
const TERMINAL_JITTER = 0.25;

/**
 * Milliseconds to wait before a terminal's attempt number `attempt` (1, 2, 3 …) after a break: somebody is typing, so the
 * first pauses are as short as can be.
 */
export function terminalBackoffMs(
  attempt: number,
  random: () => number = Math.random
): number {
  const place = Math.min(attempt, TERMINAL_MS.length) - 1;
  const pause = TERMINAL_MS[Math.max(0, place)] ?? 0;
  return pause * (1 + TERMINAL_JITTER * (2 * random() - 1));
}
