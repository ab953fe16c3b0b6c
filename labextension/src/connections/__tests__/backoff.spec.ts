import { seeded } from '../../testing/random';
import { backoffMs, STABLE_MS, terminalBackoffMs } from '../backoff';

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
  it('is none at first, then grows to 5 s', () => {
    const pauses = [1, 2, 3, 4, 5, 6, 7, 8, 9, 1000].map(attempt =>
      terminalBackoffMs(attempt, () => 0.5)
    );
    expect(pauses).toEqual([
      0, 100, 250, 500, 1000, 2000, 4000, 5000, 5000, 5000
    ]);
  });

  it('is spread, so that many terminals do not come together', () => {
    const pauses = Array.from({ length: 200 }, () => terminalBackoffMs(8));
    expect(new Set(pauses).size).toBeGreaterThan(100);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(3750);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(6250);
  });
});
