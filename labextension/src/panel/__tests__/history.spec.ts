import { History, LENGTH, scaleFor } from '../history';
import { stretches } from '../sparkline';

describe('A history', () => {
  it('keeps the last values', () => {
    const history = new History();
    expect([history.values, history.last]).toEqual([[], null]);
    for (let n = 0; n < LENGTH + 5; n++) {
      history.push(n);
    }
    expect([history.values.length, history.values[0]]).toEqual([LENGTH, 5]);
    expect(history.last).toBe(LENGTH + 4);
    history.push(null);
    expect(history.last).toBeNull();
  });
});

describe('A scale', () => {
  it.each([
    [0, 20, 20],
    [20, 20, 20],
    [20.1, 20, 40],
    [45, 20, 100],
    [150, 20, 200],
    [0.6, 0.5, 1],
    [NaN, 20, 20]
  ])('for %d in steps of %d is %d', (highest, step, scale) => {
    expect(scaleFor(highest, step)).toBeCloseTo(scale);
  });

  it('is never lower than what it is for, nor much higher', () => {
    for (let highest = 0.1; highest < 1e9; highest *= 1.37) {
      const scale = scaleFor(highest, 1);
      expect(scale).toBeGreaterThanOrEqual(highest);
      expect(scale).toBeLessThanOrEqual(Math.max(1, highest * 2.5 + 1e-9));
    }
  });
});

describe('A plot', () => {
  it('breaks where nothing is known, and has the newest value at the right', () => {
    const found = stretches([1, 2, null, 4], 4);
    expect(found.map(points => points.length)).toEqual([2, 1]);
    expect(found[1]![0]).toEqual([2 * (LENGTH - 1), 1]);
  });

  it('stays within its frame', () => {
    const [points] = stretches([-5, 100], 10);
    expect(points!.map(([, y]) => y)).toEqual([23, 1]);
  });

  it('of nothing is nothing', () => {
    expect(stretches([null, null], 1)).toEqual([]);
  });
});
