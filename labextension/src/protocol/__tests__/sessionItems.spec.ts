import { SessionRun } from '../../testing/sessions';
import { Item } from '../generated';
import { Outcome } from '../session';

const METHOD = 'example.count';

function item(ref: number, n: number): Item {
  return { type: 'item', ref, n, data: `${n}` };
}

/** The items among outcomes. */
function items(outcomes: Outcome[]): unknown[] {
  return outcomes.flatMap(one => (one.type === 'item' ? [one.data] : []));
}

function streaming(): { run: SessionRun; ref: number } {
  const run = new SessionRun();
  run.connect();
  const ref = run.session.request(METHOD, {}, null, true);
  run.flush();
  return { run, ref };
}

describe('The items of a streamed reply', () => {
  it('are told in order, then the end', () => {
    const { run, ref } = streaming();
    const end = { type: 'reply', ref, result: null } as const;
    expect(run.give(item(ref, 0), item(ref, 1), end)).toMatchObject([
      { type: 'item', ref, n: 0, data: '0' },
      { type: 'item', ref, n: 1, data: '1' },
      { type: 'result', ref, result: null }
    ]);
    expect(run.give(item(ref, 2))).toEqual([]);
  });

  it('tell about how large they are', () => {
    const { run, ref } = streaming();
    const [one, two] = run.give(
      { ...item(ref, 0), data: 'x'.repeat(2000) },
      item(ref, 1)
    );
    expect(one).toMatchObject({ characters: expect.any(Number) });
    expect(one).toMatchObject({ characters: (two as never)['characters'] });
    expect((one as never)['characters']).toBeGreaterThan(1000);
  });

  it.each([[true], [false]])(
    'are told once when they begin again after a break (resumed: %s)',
    resumed => {
      const { run, ref } = streaming();
      expect(items(run.give(item(ref, 0), item(ref, 1)))).toEqual(['0', '1']);
      run.session.closed();
      run.connect({ resumed });
      expect(run.got('request').map(one => one.ref)).toEqual([ref, ref]);
      const again = [0, 1, 2].map(n => item(ref, n));
      expect(items(run.give(...again))).toEqual(['2']);
    }
  );

  it('show that the request may run again, also where nobody has said so', () => {
    const run = new SessionRun();
    run.connect();
    const [streamed, plain] = [run.request(METHOD), run.request(METHOD)];
    run.give(item(streamed, 0));
    run.session.closed();
    const outcomes = run.connect({ resumed: false });
    expect(outcomes.slice(1)).toMatchObject([
      { type: 'error', ref: plain, error: { code: 'unknown_outcome' } }
    ]);
  });

  it('with a gap end the stream with an error, and it is cancelled', () => {
    const { run, ref } = streaming();
    expect(run.give(item(ref, 0), item(ref, 2), item(ref, 3))).toMatchObject([
      { type: 'item', n: 0 },
      { type: 'error', ref, error: { code: 'bad_frame' } }
    ]);
    expect(run.got('cancel')).toEqual([{ type: 'cancel', ref }]);
    expect(run.give({ type: 'reply', ref, result: null })).toEqual([]);
  });

  it('of a request that was cancelled, or that nobody made, are not told', () => {
    const { run, ref } = streaming();
    run.session.cancel(ref);
    expect(run.give(item(ref, 0), item(ref, 5), item(ref + 1, 0))).toEqual([]);
    const error = { code: 'cancelled', message: 'x', retryable: false };
    expect(run.give({ type: 'reply', ref, error })).toMatchObject([
      { type: 'error', ref, error: { code: 'cancelled' } }
    ]);
  });
});

describe('A request of another extension', () => {
  it('that is idempotent is sent again also when the session was lost', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.session.request('example.look', {}, null, true);
    const lost = run.session.request('example.make', {}, null, false);
    run.flush();
    run.session.closed();
    expect(run.connect({ resumed: false }).slice(1)).toMatchObject([
      { type: 'error', ref: lost }
    ]);
    expect(run.got('request').map(one => one.ref)).toEqual([ref, lost, ref]);
  });
});
