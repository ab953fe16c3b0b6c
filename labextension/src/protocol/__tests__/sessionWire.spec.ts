import { SessionRun, WELCOME } from '../../testing/sessions';
import { wireBytes } from '../codec';
import { HubError } from '../errors';
import { INBOUND_FRAME_BYTES } from '../generated';

const codeOf = (what: () => unknown): string => {
  try {
    what();
  } catch (error) {
    return (error as HubError).code;
  }
  return 'nothing was thrown';
};

describe('The acknowledgement of outcomes', () => {
  const settle = (run: SessionRun, count: number) => {
    for (let n = 0; n < count; n++) {
      run.give({ type: 'reply', ref: run.request('a.b'), result: null });
    }
  };

  it('comes after 16 outcomes and says up to where all are settled', () => {
    const run = new SessionRun();
    run.connect();
    settle(run, 15);
    expect(run.got('ack')).toEqual([]);
    settle(run, 1);
    expect(run.got('ack')).toEqual([{ type: 'ack', done: 16 }]);
  });

  it('never covers a request that has no outcome yet', () => {
    const run = new SessionRun();
    run.connect();
    settle(run, 3);
    const slow = run.request('a.b');
    settle(run, 16);
    expect(run.got('ack')).toEqual([{ type: 'ack', done: slow - 1 }]);
    run.give(
      { type: 'reply', ref: slow, result: null },
      { type: 'ping', t: 0 }
    );
    expect(run.got('ack')[1]).toEqual({ type: 'ack', done: slow + 16 });
  });

  it('comes with the next heartbeat at latest', () => {
    const run = new SessionRun();
    run.connect();
    settle(run, 1);
    run.give({ type: 'ping', t: 0 }, { type: 'ping', t: 0 });
    expect(run.got('ack')).toEqual([{ type: 'ack', done: 1 }]);
  });
});

describe('The size of a frame', () => {
  const limit = INBOUND_FRAME_BYTES;
  /** The longest text of one-byte characters that fits into a request. */
  const longest = (() => {
    const run = new SessionRun();
    run.connect();
    run.request('a.b', '');
    return limit - JSON.stringify(run.got('request')).length;
  })();

  it('may be the largest that the server takes', () => {
    const run = new SessionRun();
    run.connect();
    run.session.request('a.b', 'x'.repeat(longest), null);
    expect(wireBytes(run.session.takeFrame() ?? '')).toBe(limit);
  });

  it('may not be larger: the request fails at once with too_big', () => {
    const run = new SessionRun();
    run.connect();
    const ask = (text: string) => codeOf(() => run.request('a.b', text));
    expect(ask('x'.repeat(longest + 1))).toBe('too_big');
    expect(ask('日'.repeat(Math.floor(longest / 3) + 1))).toBe('too_big');
    expect(run.sent).toEqual([]);
  });

  it('follows the limit that the welcome names', () => {
    const run = new SessionRun();
    run.connect({ limits: { ...WELCOME.limits, frame_bytes: 200 } });
    expect(codeOf(() => run.request('a.b', 'x'.repeat(200)))).toBe('too_big');
    expect(run.request('a.b', 'x')).toBeGreaterThan(0);
  });

  it.each([
    ['a small request before a large one', [10, 1_000_000, 10]],
    ['many middle ones', Array<number>(40).fill(100_000)],
    ['two halves', [600_000, 600_000]]
  ])('is kept when several requests wait: %s', (_, sizes) => {
    const run = new SessionRun();
    sizes.forEach(size => run.session.request('a.b', 'x'.repeat(size), null));
    run.session.request('a.b', 'x'.repeat(longest - 10), null);
    run.session.opened();
    run.session.receive(JSON.stringify([WELCOME]));
    const frames: number[] = [];
    let messages = 0;
    for (let frame = run.session.takeFrame(); frame !== null;) {
      frames.push(wireBytes(frame));
      messages += (JSON.parse(frame) as unknown[]).length;
      frame = run.session.takeFrame();
    }
    expect(messages).toBe(sizes.length + 1);
    expect(Math.max(...frames)).toBeLessThanOrEqual(limit);
  });
});
