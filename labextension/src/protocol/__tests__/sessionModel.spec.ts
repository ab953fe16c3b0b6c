import { ModelRun } from '../../testing/modelRun';
import { seeded } from '../../testing/random';

/** More of them: `HUB_SEEDS=20000 jlpm test sessionModel`. */
const SEEDS = Number(process.env['HUB_SEEDS'] ?? 400);
const STEPS = 400;

describe('A client session', () => {
  it('keeps its guarantees, however frames are cut, joined, doubled and lost, and servers begin anew', () => {
    const sums = { resets: 0, repairs: 0, again: 0, unknown: 0, acks: 0 };
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = new ModelRun(seeded(seed));
      try {
        for (let n = 0; n < STEPS; n++) {
          run.step();
        }
        run.settle();
      } catch (error) {
        throw new Error(`Seed ${seed}: ${String(error)}`);
      }
      sums.resets += run.followers.resets;
      for (const [name, count] of Object.entries(run.counts)) {
        sums[name as keyof typeof sums] += count;
      }
    }
    // All of it has happened, many times.
    for (const count of Object.values(sums)) {
      expect(count).toBeGreaterThan(SEEDS / 2);
    }
  });
});
