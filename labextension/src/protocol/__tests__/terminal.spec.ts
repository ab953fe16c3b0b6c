import { frameOf } from '../../testing/fakeTerminal';
import { HIDDEN_BYTES, TerminalClient, TerminalEvent } from '../terminal';

const EPOCH = '0123456789abcdef0123456789abcdef';
const WINDOW = 262_144;

interface IWelcomeFields {
  flags?: number;
  epoch?: string;
  start?: number;
  accepted?: number;
  limit?: number;
}

const RESUMED = 1;
const FRESH = 2;
const READ_ONLY = 4;

function welcome(more: IWelcomeFields = {}): ArrayBuffer {
  const { flags = FRESH, epoch = EPOCH, start = 0, accepted = 0 } = more;
  const { limit = accepted + 65_536 } = more;
  const bytes = (epoch.match(/../g) ?? []).map(two => parseInt(two, 16));
  return frame(
    1,
    [1, flags],
    Uint8Array.from(bytes),
    ...[start, start, accepted, limit].map((one): [number, number] => [8, one]),
    ...([
      [2, 24],
      [2, 80],
      [4, WINDOW]
    ] as Array<[number, number]>)
  );
}

function frame(...parts: Parameters<typeof frameOf>): ArrayBuffer {
  return frameOf(...parts).buffer;
}

const data = (text: string) => frame(0, new TextEncoder().encode(text));
const replay = (until: number) => frame(7, [8, until]);
const gap = (begin: number, until: number) => frame(8, [8, begin], [8, until]);

/** Events in short: output as text and its end, anything else by its name. */
const short = (events: readonly TerminalEvent[]) =>
  events.map(event =>
    event.type === 'output'
      ? `${new TextDecoder().decode(event.payload)}@${event.byteOffset}`
      : event.type
  );

function begun(more: IWelcomeFields = {}): TerminalClient {
  const client = new TerminalClient('me');
  client.begin(welcome(more));
  client.take(true);
  return client;
}

/** The byte offsets of the ACK frames among these. */
const acks = (frames: readonly Uint8Array[]) =>
  frames
    .filter(one => one[0] === 2)
    .map(one => Number(new DataView(one.buffer).getBigUint64(1)));

describe('A client of a terminal', () => {
  it('tells in its address who it is, and what it wants of the past', () => {
    const client = new TerminalClient('me');
    client.resize({ rows: 24, columns: 80, width_px: 1, height_px: 2 });
    expect(client.query()).toEqual({
      ...{ client: 'me', history: '1048576', sent: '0', rows: '24' },
      ...{ columns: '80', visible: '1', window: '262144' }
    });
  });

  it('tells in its next address what it has and has sent', () => {
    const client = begun({ start: 100 });
    client.receive(data('abc'));
    client.type('hi');
    client.take();
    client.type('not sent');
    client.show(false);
    client.end();
    expect(client.query()).toMatchObject({
      ...{ epoch: EPOCH, have: '103', sent: '2', visible: '0' }
    });
    expect(client.query()['history']).toBeUndefined();
  });

  it('sends nothing before the welcome', () => {
    const client = new TerminalClient('me');
    client.type('a');
    client.resize({ rows: 1, columns: 1, width_px: 0, height_px: 0 });
    client.ping(new Uint8Array(8));
    expect(client.take(true)).toEqual([]);
    client.begin(welcome());
    expect(client.take().map(one => one[0])).toEqual([4, 0]);
  });

  it.each([
    ['output', data('x')],
    ['an unknown type', frame(99)]
  ])('takes no other first frame than a welcome: %s', (_, first) => {
    expect(() => new TerminalClient('me').begin(first)).toThrow(
      expect.objectContaining({ code: 'bad_frame' })
    );
  });

  it('does not take another terminal of the same name for its own', () => {
    const client = begun();
    expect(() => client.begin(welcome({ epoch: 'f'.repeat(32) }))).toThrow(
      expect.objectContaining({ code: 'not_found' })
    );
  });

  it('answers pings, and ignores what it does not know', () => {
    const client = begun();
    client.receive(frame(5, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)));
    client.receive(frame(200, [4, 1]));
    expect(client.take()).toEqual([Uint8Array.of(6, 1, 2, 3, 4, 5, 6, 7, 8)]);
  });

  it('tells of an end, a complaint and an acknowledgement', () => {
    const client = begun();
    client.type('abc');
    client.take();
    const frames = [
      frame(3, [8, 2], [8, 100]),
      frame(3, [8, 2], [8, 100]),
      frame(9, [4, 0xffffffff], [1, 9], [8, 0]),
      frame(11, [2, 4507], new TextEncoder().encode('no'))
    ];
    expect(frames.flatMap(one => client.receive(one))).toEqual([
      { type: 'accepted' },
      { type: 'exit', code: -1, signal: 9 },
      { type: 'error', code: 4507, message: 'no' }
    ]);
  });

  it('sends nothing of what a reader types', () => {
    const client = new TerminalClient('me');
    expect(client.type('before')).toBe('taken');
    client.begin(welcome({ flags: READ_ONLY }));
    expect(client.type('a')).toBe('read-only');
    expect([client.take(), client.pendingBytes]).toEqual([[], 0]);
  });
});

describe('Output', () => {
  it('begins with a cleared screen and is counted', () => {
    const client = new TerminalClient('me');
    expect(client.begin(welcome({ start: 7 }))).toEqual([
      { type: 'welcome', resumed: false },
      { type: 'clear', byteOffset: 7 }
    ]);
    expect(short(client.receive(data('abc')))).toEqual(['abc@10']);
  });

  it('of a new client clears whatever its screen shows, also from the very start', () => {
    const client = new TerminalClient('me');
    const events = client.begin(welcome({ flags: RESUMED | FRESH }));
    expect(short(events)).toEqual(['welcome', 'clear']);
  });

  it('goes on after a break without clearing', () => {
    const client = begun();
    client.receive(data('abc'));
    client.end();
    const events = client.begin(welcome({ flags: RESUMED, start: 3 }));
    expect(events).toEqual([{ type: 'welcome', resumed: true }]);
    expect(short(client.receive(data('d')))).toEqual(['d@4']);
  });

  it('of a connection beside the first is not shown twice', () => {
    const client = begun();
    client.receive(data('abc'));
    // The second connection was asked for when only "a" was there.
    client.begin(welcome({ flags: RESUMED, start: 1 }));
    const events = ['b', 'cd', 'e'].flatMap(one => client.receive(data(one)));
    expect(short(events)).toEqual(['d@4', 'e@5']);
  });

  it('that does not go on where it was begins anew', () => {
    const client = begun();
    client.receive(data('abc'));
    expect(short(client.begin(welcome({ flags: RESUMED, start: 9 })))).toEqual([
      'welcome',
      'clear'
    ]);
    expect(client.generation).toBe(2);
  });

  it('after a gap is counted on from its end, on a cleared screen', () => {
    const client = begun();
    const frames = [data('abc'), gap(3, 1000), data('z')];
    expect(frames.flatMap(one => short(client.receive(one)))).toEqual([
      ...['abc@3', 'clear', 'z@1001']
    ]);
    client.parsed(1, 1001);
    expect(acks(client.take(true))).toEqual([1001]);
  });

  it('ends its history with a piece of its own', () => {
    const client = begun();
    client.receive(replay(5));
    expect(client.isReplaying).toBe(true);
    expect(short(client.receive(data('abc')))).toEqual(['abc@3']);
    expect(short(client.receive(data('defg')))).toEqual(['de@5', 'fg@7']);
    client.parsed(1, 4);
    expect(client.isReplaying).toBe(true);
    client.parsed(1, 5);
    expect(client.isReplaying).toBe(false);
    expect(short(client.receive(data('h')))).toEqual(['h@8']);
  });
});

describe('Output is acknowledged', () => {
  const LARGE = 'x'.repeat(WINDOW / 8);

  it('when it is parsed, not when it comes', () => {
    const client = begun();
    client.receive(data(LARGE));
    expect([client.ackDue, client.take(true)]).toEqual([null, []]);
    client.parsed(1, 10);
    expect([client.ackDue, client.take()]).toEqual(['soon', []]);
    expect(acks(client.take(true))).toEqual([10]);
    client.parsed(1, LARGE.length);
    expect(client.ackDue).toBe('soon');
  });

  it('at once after an eighth of the window', () => {
    const client = begun();
    client.receive(data(LARGE));
    client.parsed(1, LARGE.length);
    expect(client.ackDue).toBe('now');
    expect(acks(client.take())).toEqual([LARGE.length]);
    expect(client.ackDue).toBeNull();
  });

  it('never beyond what this connection has brought', () => {
    const client = begun();
    client.receive(data('abcdef'));
    client.parsed(1, 6);
    client.begin(welcome({ flags: RESUMED, start: 2 }));
    expect(acks(client.take(true))).toEqual([]);
    client.receive(data('cd'));
    expect(acks(client.take(true))).toEqual([4]);
  });

  it('never beyond what has come, and not for another counting', () => {
    const client = begun({ start: 100 });
    client.receive(data('abc'));
    client.parsed(0, 103);
    expect(client.ackDue).toBeNull();
    client.parsed(1, 5000);
    expect(acks(client.take(true))).toEqual([103]);
  });

  it('on receipt by a hidden page, up to a bound', () => {
    const client = begun();
    client.show(false);
    client.take();
    const chunk = data('x'.repeat(65_536));
    for (let bytes = 0; bytes <= HIDDEN_BYTES; bytes += 65_536) {
      client.receive(chunk);
    }
    expect(acks(client.take(true))).toEqual([HIDDEN_BYTES]);
    client.parsed(1, 65_536);
    expect(acks(client.take(true))).toEqual([HIDDEN_BYTES + 65_536]);
    // Shown again it waits for its screen, and takes nothing back.
    client.show(true);
    client.parsed(1, 65_536 * 2);
    expect(acks(client.take(true))).toEqual([]);
  });
});

describe('A size', () => {
  const SIZE = { rows: 24, columns: 80, width_px: 640, height_px: 384 };
  const sizes = (frames: readonly Uint8Array[]) =>
    frames.filter(one => one[0] === 4).map(one => [one[2], one[4], one[9]]);

  it('is told with whether somebody sees it, again at each change', () => {
    const client = begun();
    client.resize(SIZE);
    client.show(true);
    expect(sizes(client.take())).toEqual([[24, 80, 1]]);
    client.show(false);
    expect(sizes(client.take())).toEqual([[24, 80, 0]]);
    client.end();
    client.show(true);
    client.begin(welcome({ flags: RESUMED }));
    expect(sizes(client.take())).toEqual([[24, 80, 1]]);
  });
});

describe('What was typed', () => {
  it('and may be lost is told', () => {
    const client = begun();
    client.type('abc');
    client.take();
    client.end();
    const again = welcome({ flags: RESUMED | FRESH, accepted: 3 });
    expect(client.begin(again)).toContainEqual({
      ...{ type: 'lost', characters: 3 }
    });
    expect(client.take().filter(one => one[0] === 0)).toEqual([]);
  });

  it('and was not sent is not lost', () => {
    const client = begun();
    client.end();
    client.type('abc');
    const events = client.begin(welcome({ flags: RESUMED | FRESH }));
    expect(short(events)).toEqual(['welcome']);
    expect(client.take().map(one => one.length)).toEqual([4]);
  });
});
