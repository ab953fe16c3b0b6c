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
    expect(run.got('ack')).toMatchObject([{ type: 'ack', done: 16 }]);
  });

  it('never covers a request that has no outcome yet', () => {
    const run = new SessionRun();
    run.connect();
    settle(run, 3);
    const slow = run.request('a.b');
    settle(run, 16);
    expect(run.got('ack')).toMatchObject([{ done: slow - 1 }]);
    run.give(
      { type: 'reply', ref: slow, result: null },
      { type: 'ping', t: 0 }
    );
    expect(run.got('ack')[1]).toMatchObject({ done: slow + 16 });
  });

  it('comes with the next heartbeat at latest', () => {
    const run = new SessionRun();
    run.connect();
    settle(run, 1);
    run.give({ type: 'ping', t: 0 }, { type: 'ping', t: 0 });
    expect(run.got('ack')).toMatchObject([{ type: 'ack', done: 1 }]);
  });
});

describe('The acknowledgement of frames', () => {
  /** A frame of so many characters. */
  const frameOf = (characters: number): string => {
    const frame = JSON.stringify([{ type: 'unknown', x: '' }]);
    return frame.replace('""', `"${'x'.repeat(characters - frame.length)}"`);
  };

  it('comes when 16 Ki characters have come since the last one', () => {
    const run = new SessionRun();
    run.connect();
    const greeting = JSON.stringify([WELCOME]).length;
    run.session.receive(frameOf(16 * 1024 - greeting - 1));
    expect(run.flush()).toEqual([]);
    run.session.receive(frameOf(50));
    expect(run.flush()).toEqual([{ type: 'ack', frames: 3 }]);
    run.session.receive(frameOf(16 * 1024 - 1));
    expect(run.flush()).toEqual([]);
    run.session.receive(frameOf(50));
    expect(run.flush()).toEqual([{ type: 'ack', frames: 5 }]);
  });

  it('is cumulative: frames that were consumed together are told once', () => {
    const run = new SessionRun();
    run.connect();
    const big = frameOf(64 * 1024);
    [big, big, big].forEach(frame => run.session.receive(frame));
    expect(run.flush()).toEqual([{ type: 'ack', frames: 4 }]);
    expect(run.flush()).toEqual([]);
  });

  it('comes with the answer to each ping, once per frame', () => {
    const run = new SessionRun();
    run.connect();
    run.give({ type: 'ping', t: 0 }, { type: 'ping', t: 0 });
    run.give({ type: 'ping', t: 0 });
    expect(run.got('ack').map(one => one.frames)).toEqual([2, 3]);
  });

  it('counts from the beginning on each connection', () => {
    const run = new SessionRun();
    run.connect();
    run.session.receive(frameOf(10_000));
    run.session.receive(frameOf(64 * 1024));
    run.session.closed();
    run.connect({ resumed: true });
    expect(run.got('ack')).toEqual([]);
    run.session.receive(frameOf(10_000));
    expect(run.flush()).toEqual([]);
    run.give({ type: 'ping', t: 0 });
    expect(run.got('ack')).toEqual([{ type: 'ack', frames: 3 }]);
  });

  it('is withheld while somebody cannot take more, but not that of outcomes, nor a pong', () => {
    const run = new SessionRun();
    run.connect();
    run.session.hold(true);
    const ref = run.request('a.b');
    run.session.receive(frameOf(64 * 1024));
    run.give({ type: 'reply', ref, result: null }, { type: 'ping', t: 7 });
    expect(run.got('pong')).toHaveLength(1);
    expect(run.got('ack')).toEqual([{ type: 'ack', done: ref }]);
    run.session.hold(false);
    expect(run.flush()).toEqual([{ type: 'ack', frames: 3 }]);
  });

  it('that was withheld is not owed on the next connection', () => {
    const run = new SessionRun();
    run.connect();
    run.session.hold(true);
    run.session.receive(frameOf(64 * 1024));
    run.session.closed();
    run.connect({ resumed: true });
    run.session.hold(false);
    expect(run.flush()).toEqual([]);
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
