import { CLEAR, SETUP, TerminalRig } from '../../testing/terminalRig';
import { pass } from '../../testing/tools';

const DISCONNECT = '["disconnect",1]';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('The socket of a terminal without the binary protocol', () => {
  it("speaks terminado's protocol at our endpoint", async () => {
    const rig = await new TerminalRig().ready();
    expect(rig.server.last).toMatchObject({
      path: ['terminal', '1'],
      protocol: ''
    });
    expect(rig.socket.url).toBe('ws://hub.test/base/ws/terminal/1');
    expect(rig.messages).toEqual([SETUP]);
    rig.server.last.give('["stdout", "a"]');
    rig.type('b');
    await pass(10);
    expect([rig.messages[1], rig.got]).toEqual([
      '["stdout", "a"]',
      [['stdin', 'b']]
    ]);
    expect(new Set(rig.states)).toEqual(new Set(['connecting', 'connected']));
  });

  it('takes nothing before it is open, as a WebSocket does', () => {
    const rig = new TerminalRig();
    expect(() => rig.type('a')).toThrow(
      expect.objectContaining({ name: 'InvalidStateError' })
    );
  });

  it('takes text only', async () => {
    const rig = await new TerminalRig().ready();
    expect(() => rig.socket.send(new Uint8Array(2))).toThrow(
      expect.objectContaining({ code: 'bad_frame' })
    );
  });

  it('tells listeners as well as handlers', async () => {
    const rig = new TerminalRig();
    const told: string[] = [];
    for (const type of ['open', 'message', 'close']) {
      rig.socket.addEventListener(type, event => told.push(event.type));
    }
    await rig.ready();
    rig.socket.close();
    expect(told).toEqual(['open', 'message', 'close']);
  });

  it('is closed by its holder for good', async () => {
    const rig = await new TerminalRig().ready();
    rig.socket.close();
    rig.socket.close();
    rig.socket.hurry();
    await pass(60_000);
    expect(rig.attempts).toBe(1);
    expect(rig.server.last.closedWith?.code).toBe(1000);
    expect(rig.closes).toEqual([{ code: 1000, reason: '' }]);
    expect([rig.socket.readyState, rig.status.state]).toEqual([
      WebSocket.CLOSED,
      'idle'
    ]);
  });

  it('is closed by its holder while the connection is away', async () => {
    const rig = await new TerminalRig().ready();
    rig.server.last.cut();
    rig.socket.close();
    await pass(60_000);
    expect([rig.attempts, rig.status.state]).toEqual([1, 'idle']);
  });
});

describe('A terminal whose connection breaks', () => {
  it('comes back by itself; its holder sees no close, and the screen cleared once each time', async () => {
    const rig = await new TerminalRig().ready();
    for (let n = 0; n < 3; n++) {
      rig.server.last.cut();
      await rig.back();
      rig.server.last.give('["stdout", "history"]');
      await pass(10);
    }
    const again = [CLEAR, '["stdout", "history"]'];
    expect(rig.messages).toEqual([SETUP, ...again, ...again, ...again]);
    expect([rig.opens, rig.closes]).toEqual([1, []]);
  });

  it('gets what was typed meanwhile, in order, after the size', async () => {
    const rig = await new TerminalRig().ready();
    rig.resize(24, 80);
    rig.server.last.cut();
    rig.type('l');
    rig.resize(30, 90);
    rig.type('s');
    rig.resize(40, 100);
    rig.type('\r');
    expect(rig.socket.bufferedAmount).toBeGreaterThan(0);
    await rig.back();
    expect(rig.got).toEqual([
      ['set_size', 40, 100],
      ['stdin', 'l'],
      ['stdin', 's'],
      ['stdin', '\r']
    ]);
    expect(rig.socket.bufferedAmount).toBe(0);
  });

  it('gets the last size again, also when nobody changed it', async () => {
    const rig = await new TerminalRig().ready();
    rig.resize(24, 80);
    await pass(10);
    rig.server.last.cut();
    await rig.back();
    expect(rig.got).toEqual([['set_size', 24, 80]]);
  });

  it('gets nothing twice when it breaks again and again', async () => {
    const rig = await new TerminalRig().ready();
    const arrived: unknown[] = [];
    rig.server.onFrame = (_, frame) => arrived.push(JSON.parse(String(frame)));
    for (let n = 0; n < 5; n++) {
      rig.server.last.cut();
      rig.type(String(n));
      await rig.back();
    }
    expect(arrived).toEqual([0, 1, 2, 3, 4].map(n => ['stdin', String(n)]));
  });

  it('gets what is typed between the opening and the setup after the setup', async () => {
    const rig = new TerminalRig();
    rig.server.onOpen = () => undefined;
    await rig.ready();
    rig.type('a');
    rig.resize(24, 80);
    await pass(100);
    expect(rig.got).toEqual([]);
    rig.server.last.give(SETUP);
    await pass(10);
    expect(rig.got).toEqual([
      ['set_size', 24, 80],
      ['stdin', 'a']
    ]);
  });

  it('before its first setup gives its holder the setup all the same', async () => {
    const rig = new TerminalRig();
    rig.server.onOpen = () => undefined;
    await rig.ready();
    rig.server.last.cut();
    rig.server.onOpen = socket => socket.give(SETUP);
    await rig.back();
    // JupyterLab's terminal drops everything before a setup: without one it never begins.
    expect(rig.messages[0]).toBe(SETUP);
  });

  it('keeps a bounded part of what is typed, the oldest, and says that the rest was dropped', async () => {
    const rig = await new TerminalRig().ready();
    rig.server.last.cut();
    const line = 'x'.repeat(1000);
    for (let n = 0; n < 400; n++) {
      rig.type(`${n} ${line}`);
    }
    expect(rig.status.lastError).toMatch(/dropped/);
    expect(rig.socket.bufferedAmount).toBeLessThanOrEqual(256 * 1024);
    await rig.back();
    const numbers = rig.got.map(one =>
      parseInt(String((one as string[])[1]), 10)
    );
    expect(numbers.length).toBeGreaterThan(200);
    expect(numbers).toEqual(numbers.map((_, n) => n));
  });

  it.each([[true], [null]])(
    'tries on while it is not known to be gone: %s',
    async exists => {
      const rig = await new TerminalRig().ready();
      rig.exists = exists;
      rig.server.refusing = true;
      rig.server.last.cut();
      await pass(600_000);
      expect([rig.status.state, rig.closes]).toEqual(['reconnecting', []]);
      rig.server.refusing = false;
      rig.socket.hurry();
      await rig.back();
    }
  );
});

describe('The end of a terminal', () => {
  it('is told by disconnect and a close with 1000, once, and nothing comes after', async () => {
    const rig = await new TerminalRig().ready();
    rig.server.last.give('["disconnect", 1]');
    rig.server.last.end(1000, 'the terminal has ended');
    await pass(60_000);
    expect(rig.messages).toEqual([SETUP, '["disconnect", 1]']);
    expect(rig.closes).toMatchObject([{ code: 1000 }]);
    expect([rig.attempts, rig.status.state]).toEqual([1, 'idle']);
  });

  it('without a disconnect is told as one', async () => {
    const rig = await new TerminalRig().ready();
    rig.server.last.end(1000);
    await pass(60_000);
    expect(rig.messages).toEqual([SETUP, DISCONNECT]);
    expect(rig.closes).toMatchObject([{ code: 1000 }]);
  });

  it('whose close frame is lost is told once all the same', async () => {
    const rig = await new TerminalRig().ready();
    rig.exists = false;
    rig.server.refusing = true;
    rig.server.last.give('["disconnect", 1]');
    await pass(10);
    rig.server.last.cut();
    await pass(60_000);
    expect(rig.messages).toEqual([SETUP, '["disconnect", 1]']);
    expect(rig.closes).toMatchObject([{ code: 1000 }]);
  });

  it('that came while the connection was away is found out', async () => {
    const rig = await new TerminalRig().ready();
    rig.server.last.cut();
    rig.exists = false;
    rig.server.refusing = true;
    await pass(60_000);
    expect(rig.messages).toEqual([SETUP, DISCONNECT]);
    expect(rig.closes).toMatchObject([{ code: 1000 }]);
    expect([rig.attempts, rig.status.state]).toEqual([2, 'idle']);
  });

  it('that came before the first connection is told too', async () => {
    const rig = new TerminalRig();
    let errors = 0;
    rig.socket.addEventListener('error', () => (errors += 1));
    rig.exists = false;
    rig.server.refusing = true;
    await pass(60_000);
    expect([rig.messages, errors, rig.opens]).toEqual([[DISCONNECT], 1, 0]);
    expect(rig.closes).toMatchObject([{ code: 4503 }]);
  });
});

describe('A terminal that is refused for good', () => {
  it('to a user who is not logged in fails and says so', async () => {
    const rig = await new TerminalRig().ready();
    rig.verdict = 'unauthenticated';
    rig.server.refusing = true;
    rig.server.last.cut();
    await pass(60_000);
    expect(rig.closes).toEqual([
      { code: 4501, reason: expect.stringMatching(/logged in/) }
    ]);
    expect(rig.status.state).toBe('failed');
    expect(rig.messages).toEqual([SETUP]);
  });

  it('by a close code gives that code to its holder', async () => {
    const rig = await new TerminalRig().ready();
    rig.server.last.end(4502, 'You may not.');
    await pass(60_000);
    expect(rig.closes).toEqual([{ code: 4502, reason: 'You may not.' }]);
    expect(rig.status).toMatchObject({
      state: 'failed',
      lastError: 'You may not.'
    });
    expect(rig.attempts).toBe(1);
  });

  it('is forgotten when its holder lets it go', async () => {
    const rig = await new TerminalRig().ready();
    rig.server.last.end(4502, 'You may not.');
    await pass(10);
    rig.socket.close();
    expect(rig.status.state).toBe('idle');
  });
});
