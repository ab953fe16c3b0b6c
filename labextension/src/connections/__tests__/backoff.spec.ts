import { seeded } from '../../testing/random';
import {
  backoffMs,
  QUICK_ATTEMPTS,
  STABLE_MS,
  terminalBackoffMs
} from '../backoff';

const LARGEST = 1 - Number.EPSILON;

describe('The pause before an attempt', () => {
  it('has a ceiling that doubles up to 20 s', () => {
    const ceilings = [1, 2, 3, 4, 5, 6, 7, 1000].map(attempt =>
      Math.round(backoffMs(attempt, () => LARGEST))
    );
    expect(ceilings).toEqual([
      1000, 2000, 4000, 8000, 16_000, 20_000, 20_000, 20_000
    ]);
  });

  it('is never so short that attempts follow each other at once', () => {
    for (const attempt of [1, 5, 1e6, Number.MAX_SAFE_INTEGER]) {
      expect(backoffMs(attempt, () => 0)).toBe(100);
    }
  });

  it('is spread over the whole range, so that many clients do not come together', () => {
    const random = seeded(1);
    const pauses = Array.from({ length: 1000 }, () => backoffMs(9, random));
    const tenths = new Set(pauses.map(ms => Math.floor(ms / 2000)));
    expect(tenths.size).toBe(10);
  });

  it('takes its own random numbers where none are given', () => {
    const pauses = Array.from({ length: 20 }, () => backoffMs(6));
    expect(new Set(pauses).size).toBeGreaterThan(1);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(20_000);
  });

  it('starts over after half a minute without a break', () => {
    expect(STABLE_MS).toBe(30_000);
  });
});

describe('The pause of a terminal', () => {
  it('is none at first, short for a while, then grows to 5 s', () => {
    const pause = (attempt: number) => terminalBackoffMs(attempt, () => 0.5);
    expect([0, 1, 2, 3, 4, QUICK_ATTEMPTS].map(pause)).toEqual([
      0, 0, 100, 200, 200, 200
    ]);
    expect(
      [1, 2, 3, 4, 5, 6, 1000].map(n => pause(QUICK_ATTEMPTS + n))
    ).toEqual([500, 1000, 2000, 4000, 5000, 5000, 5000]);
  });

  it('lets nobody who was away for a second wait longer than a quarter of one', () => {
    const pauses = Array.from({ length: QUICK_ATTEMPTS }, (_, n) =>
      terminalBackoffMs(n + 1, () => 0.999999)
    );
    expect(Math.max(...pauses)).toBeLessThanOrEqual(250);
  });

  it('is spread, so that many terminals do not come together', () => {
    const pauses = Array.from({ length: 200 }, () => terminalBackoffMs(1000));
    expect(new Set(pauses).size).toBeGreaterThan(100);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(4000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(6000);
  });
});
