import { SessionRun, WELCOME } from '../../testing/sessions';
import { HubError } from '../errors';

const NOT_IDEMPOTENT = 'files.delete';
const IDEMPOTENT_METHOD = 'files.list';

const codeOf = (what: () => unknown): string => {
  try {
    what();
  } catch (error) {
    return (error as HubError).code;
  }
  return 'nothing was thrown';
};

describe('The opening of a connection', () => {
  it('begins with a hello that knows nothing yet', () => {
    expect(new SessionRun().open()).toEqual({
      type: 'hello',
      client: { name: 'test', version: '1' },
      session: null,
      resume: null,
      positions: {},
      attempt: 1
    });
  });

  it('goes on with the session and the newest token', () => {
    const run = new SessionRun();
    run.connect();
    run.session.closed();
    run.connect({ resume: 'r2', resumed: true });
    run.session.closed();
    expect(run.open()).toMatchObject({ session: 's1', resume: 'r2' });
  });

  it('sends nothing before the welcome', () => {
    const run = new SessionRun();
    run.request(IDEMPOTENT_METHOD);
    run.open();
    run.subscribe('chat/a', 'latest');
    run.session.ping(1);
    expect(run.flush()).toEqual([]);
    run.give(WELCOME);
    expect(run.sent.map(one => one.type)).toEqual(['request', 'subscribe']);
  });

  it('answers a ping with a pong of the same t, and tells of a pong', () => {
    const run = new SessionRun();
    run.connect();
    run.give({ type: 'ping', t: 12.5 });
    expect(run.got('pong')).toEqual([{ type: 'pong', t: 12.5 }]);
    expect(run.give({ type: 'pong', t: 7 })).toEqual([{ type: 'pong', t: 7 }]);
  });

  it('tells of a bye, and says one', () => {
    const run = new SessionRun();
    run.connect();
    const bye = {
      type: 'bye',
      code: 4000,
      reason: 'x',
      retry_after_ms: 5
    } as const;
    expect(run.give(bye)).toEqual([
      { type: 'bye', code: 4000, reason: 'x', retryAfterMs: 5 }
    ]);
    expect(JSON.parse(run.session.bye())).toMatchObject([
      { type: 'bye', code: 1000 }
    ]);
    expect(run.session.isOpen).toBe(false);
  });

  it('throws bad_frame for what is no frame, and stays usable', () => {
    const run = new SessionRun();
    run.connect();
    expect(codeOf(() => run.session.receive('<html>'))).toBe('bad_frame');
    const ref = run.request('status.get');
    expect(run.give({ type: 'reply', ref, result: 1 })).toHaveLength(1);
  });
});

describe('A request', () => {
  it('has rising refs, over connections too', () => {
    const run = new SessionRun();
    run.connect();
    const first = run.request('a.b');
    run.session.closed();
    const second = run.request('a.b');
    run.connect({ resumed: true });
    expect([second, run.request('a.b')]).toEqual([first + 1, first + 2]);
  });

  it('has one outcome, however often it is answered', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.request('a.b');
    const reply = { type: 'reply', ref, result: 5 } as const;
    expect(run.give(reply, reply)).toEqual([
      { type: 'result', ref, result: 5 }
    ]);
    expect(run.give(reply)).toEqual([]);
  });

  it.each([[undefined], [null]])('may have an empty result: %s', result => {
    const run = new SessionRun();
    run.connect();
    const ref = run.request('a.b');
    const outcomes = run.give({ type: 'reply', ref, result });
    expect(outcomes).toEqual([{ type: 'result', ref, result: null }]);
  });

  it('fails with what the server tells', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.request('a.b');
    const error = {
      code: 'busy',
      message: 'Wait.',
      retryable: true,
      retry_after_ms: 9
    };
    expect(run.give({ type: 'reply', ref, error })).toMatchObject([
      { type: 'error', ref, error: { code: 'busy', retryAfterMs: 9 } }
    ]);
  });

  it('is sent again with the same ref when the session goes on', () => {
    const run = new SessionRun();
    run.connect();
    const refs = [run.request(NOT_IDEMPOTENT), run.request(IDEMPOTENT_METHOD)];
    const first = run.got('request');
    run.session.closed();
    expect(run.connect({ resumed: true })).toHaveLength(1);
    expect(run.got('request').slice(2)).toEqual(first);
    expect(first.map(one => one.ref)).toEqual(refs);
  });

  it('that was answered is not sent again', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.request(NOT_IDEMPOTENT);
    run.give({ type: 'reply', ref, result: null });
    run.session.closed();
    run.connect({ resumed: true });
    expect(run.got('request')).toHaveLength(1);
  });

  it('of a lost session fails with unknown_outcome if it may have run and must not run twice', () => {
    const run = new SessionRun();
    run.connect();
    const [lost, again] = [
      run.request(NOT_IDEMPOTENT),
      run.request(IDEMPOTENT_METHOD)
    ];
    run.session.closed();
    const unsent = run.request(NOT_IDEMPOTENT);
    expect(run.connect({ resumed: false })).toMatchObject([
      { type: 'welcome', resumed: false },
      {
        type: 'error',
        ref: lost,
        error: { code: 'unknown_outcome', retryable: false }
      }
    ]);
    expect(
      run
        .got('request')
        .slice(2)
        .map(one => one.ref)
    ).toEqual([again, unsent]);
  });

  it('that was sent on the second connection counts as sent when that one is lost', () => {
    const run = new SessionRun();
    const ref = run.request(NOT_IDEMPOTENT);
    run.connect();
    run.session.closed();
    expect(run.connect({ resumed: false })).toMatchObject([
      { type: 'welcome' },
      { type: 'error', ref, error: { code: 'unknown_outcome' } }
    ]);
    run.session.closed();
    expect(run.connect({ resumed: true })).toHaveLength(1);
  });
});

describe('The cancelling of a request', () => {
  it('before it was sent is over at once, and nothing is ever sent', () => {
    const run = new SessionRun();
    const ref = run.request('a.b');
    expect(run.session.cancel(ref)).toBe(true);
    run.connect();
    expect(run.sent).toEqual([]);
  });

  it('after it was sent asks the server, whose answer counts', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.request('a.b');
    expect(run.session.cancel(ref)).toBe(false);
    expect(run.flush()).toEqual([{ type: 'cancel', ref }]);
    const outcomes = run.give({ type: 'reply', ref, result: 'It was faster.' });
    expect(outcomes).toMatchObject([{ type: 'result', ref }]);
  });

  it('that is over does nothing', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.request('a.b');
    run.give({ type: 'reply', ref, result: null });
    expect(run.session.cancel(ref)).toBe(false);
    expect(run.flush()).toEqual([]);
  });

  it('while the connection is away reaches the server with the request that is sent again', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.request(NOT_IDEMPOTENT);
    run.session.closed();
    run.session.cancel(ref);
    run.connect({ resumed: true });
    expect(run.got('cancel')).toEqual([{ type: 'cancel', ref }]);
  });

  it('just before the connection breaks is asked for again after it', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.request(NOT_IDEMPOTENT);
    run.session.cancel(ref);
    run.flush();
    run.session.closed();
    run.connect({ resumed: true });
    expect(run.got('cancel')).toHaveLength(2);
  });
});
