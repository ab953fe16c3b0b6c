import { BinaryRig, setHidden } from '../../testing/binaryRig';
import { pass, until } from '../../testing/tools';
import { TERMINAL_BYE } from '../../protocol/generated';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  setHidden(false);
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const DISCONNECT = ['disconnect', 1];

describe("What JupyterLab's terminal gets", () => {
  it('is set up once, and then text, whatever the bytes are', async () => {
    const rig = await new BinaryRig().ready();
    expect(rig.server.last).toMatchObject({
      path: ['terminal', '1'],
      protocol: 'v1.terminal.jupyter-ws-hub'
    });
    expect(rig.messages[0]).toEqual(['setup', {}]);
    rig.terminal.write('$ \ufeffé\u001b[0m');
    await pass(10);
    expect(rig.screen).toBe('$ \ufeffé\u001b[0m');
    expect(rig.opens).toBe(1);
  });

  it('takes keys and sizes, and sends them as such', async () => {
    const rig = await new BinaryRig().ready();
    rig.resize(30, 100);
    rig.type('é');
    await pass(10);
    expect(rig.terminal.typed).toBe('é');
    expect(rig.terminal.sizes).toEqual([
      { rows: 30, columns: 100, visible: true }
    ]);
  });

  it('takes nothing before it is open, and only text', async () => {
    const rig = new BinaryRig();
    expect(() => rig.type('a')).toThrow(
      expect.objectContaining({ name: 'InvalidStateError' })
    );
    await rig.ready();
    expect(() => rig.socket.send(new Uint8Array(2))).toThrow(
      expect.objectContaining({ code: 'bad_frame' })
    );
  });

  it('has a client id of its own each time, in memory only', async () => {
    const rigs = [await new BinaryRig().ready(), await new BinaryRig().ready()];
    const [one, two] = rigs.map(
      ({ server }) => server.last.address.query?.['client'] ?? ''
    );
    expect(one).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    expect(one).not.toBe(two);
    const kept = JSON.stringify([{ ...localStorage }, { ...sessionStorage }]);
    expect(kept).not.toContain(one);
  });

  it('says good-bye when it is closed on purpose, and does not come back', async () => {
    const rig = await new BinaryRig().ready();
    rig.type('last');
    const sent: number[] = [];
    const { last } = rig.server;
    const send = last.send.bind(last);
    last.send = frame => {
      sent.push((frame as Uint8Array)[0]!);
      send(frame);
    };
    rig.socket.close();
    rig.socket.close();
    rig.socket.hurry();
    await pass(60_000);
    expect(sent).toEqual([TERMINAL_BYE]);
    expect(rig.server.sockets.length).toBe(1);
    expect(last.closedWith?.code).toBe(1000);
    expect(rig.closes).toEqual([{ code: 1000, reason: '' }]);
    expect([rig.status.state, jest.getTimerCount()]).toEqual(['idle', 0]);
  });

  it('is told how long a round trip takes', async () => {
    const rig = await new BinaryRig(({ server }) => {
      server.latencyMs = 20;
    }).ready();
    expect(rig.status.roundTripMs).toBe(40);
  });

  it('is told of frames that were not followed', async () => {
    const rig = await new BinaryRig().ready();
    rig.terminal.complain(4507, 'Not that.');
    await pass(10);
    expect(rig.status).toMatchObject({
      ...{ state: 'connected', lastError: 'Not that.' }
    });
  });

  it('is told once that it may only watch', async () => {
    const rig = await new BinaryRig(({ terminal }) => {
      terminal.isReadOnly = true;
    }).ready();
    ['a', 'b', '\x03'].forEach(key => rig.type(key));
    await pass(100);
    expect(rig.terminal.violations).toEqual([]);
    expect(rig.notices).toEqual([
      { name: '1', level: 'info', text: expect.stringMatching(/watch/) }
    ]);
  });
});

describe('The end of a terminal', () => {
  it.each([
    [0, 0, 'exited with status 0', 0],
    [3, 0, 'exited with status 3', 1],
    [137, 9, 'ended by signal 9 (SIGKILL)', 1],
    [170, 42, 'ended by signal 42', 1],
    [0xffffffff, 0, 'exited, its status is not known', 1]
  ])('is shown: %d, %d', async (code, signal, line, notices) => {
    const rig = await new BinaryRig().ready();
    rig.terminal.write('bye');
    rig.terminal.exit(code, signal);
    await pass(60_000);
    expect(rig.screen).toBe(`bye\r\n[${line}]\r\n`);
    expect(rig.messages[rig.messages.length - 1]).toEqual(DISCONNECT);
    expect(rig.messages.filter(([type]) => type === 'disconnect').length).toBe(
      1
    );
    expect(rig.closes).toMatchObject([{ code: 1000 }]);
    expect(rig.notices.map(({ text }) => text)).toEqual(
      Array(notices).fill(`Terminal 1: ${line}.`)
    );
    expect([rig.server.sockets.length, rig.status.state]).toEqual([1, 'idle']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('whose close frame is lost is told once all the same', async () => {
    const rig = await new BinaryRig().ready();
    rig.terminal.exit(0);
    await pass(1);
    rig.server.last.cut();
    await pass(60_000);
    expect(rig.messages.filter(([type]) => type === 'disconnect')).toEqual([
      DISCONNECT
    ]);
    expect(rig.server.sockets.length).toBe(1);
  });

  it('without a status is told too', async () => {
    const rig = await new BinaryRig().ready();
    rig.server.last.end(1000);
    await pass(60_000);
    expect(rig.messages[rig.messages.length - 1]).toEqual(DISCONNECT);
    expect(rig.server.sockets.length).toBe(1);
  });

  it('by the end of the server is told as gone, not as another shell', async () => {
    const rig = await new BinaryRig().ready();
    rig.terminal.epoch = 'f'.repeat(32);
    rig.server.last.cut();
    await pass(60_000);
    expect(rig.screen).toMatch(/\[The terminal is gone\. gone\]/);
    expect(rig.messages[rig.messages.length - 1]).toEqual(DISCONNECT);
    expect(rig.closes).toMatchObject([{ code: 4503 }]);
    expect([rig.server.sockets.length, rig.status.state]).toEqual([2, 'idle']);
  });

  it.each([4500, 4501, 4502, 4510])(
    'by a final close is told with its reason: %d',
    async code => {
      const rig = await new BinaryRig().ready();
      rig.server.last.end(code, 'You may not.');
      await pass(60_000);
      expect(rig.screen).toMatch(/\[You may not\.\]/);
      expect(rig.closes).toEqual([{ code, reason: 'You may not.' }]);
      expect(rig.status).toMatchObject({
        ...{ state: 'failed', lastError: 'You may not.' }
      });
      expect(rig.server.sockets.length).toBe(1);
      rig.socket.close();
      expect([rig.status.state, jest.getTimerCount()]).toEqual(['idle', 0]);
    }
  );

  it('by who is not logged in any more is final', async () => {
    const rig = await new BinaryRig().ready();
    rig.verdict = 'unauthenticated';
    rig.server.refusing = true;
    rig.server.last.cut();
    await pass(60_000);
    expect(rig.closes).toMatchObject([{ code: 4501 }]);
    expect(rig.status.state).toBe('failed');
  });

  it('by text where there should be none, or a broken frame, is final', async () => {
    for (const frame of ['text', Uint8Array.of(3, 0)]) {
      const rig = await new BinaryRig().ready();
      rig.server.last.give(frame);
      await pass(60_000);
      expect(rig.closes).toMatchObject([{ code: 4500 }]);
      expect(rig.server.sockets.length).toBe(1);
    }
  });
});

describe('A server that does not speak the binary protocol', () => {
  const SETUP = '["setup", {}]';
  const speaksJson = (rig: BinaryRig) => {
    rig.server.select = () => '';
    rig.server.onOpen = socket => socket.give(SETUP);
    rig.server.onFrame = () => undefined;
  };

  it('is spoken to in JSON at the same endpoint', async () => {
    const rig = await new BinaryRig(speaksJson).ready();
    expect(rig.messages).toEqual([['setup', {}]]);
    expect(rig.server.sockets.map(({ path }) => path)).toEqual([
      ['terminal', '1'],
      ['terminal', '1']
    ]);
    rig.type('a');
    rig.server.last.give('["stdout", "b"]');
    await pass(10);
    expect(rig.server.last.texts).toEqual(['["stdin","a"]']);
    expect(rig.screen).toBe('b');
    rig.socket.close();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('because it refuses the subprotocol, as browsers see it, too', async () => {
    const rig = new BinaryRig(speaksJson);
    rig.server.refuses = socket => socket.offered !== '';
    await rig.ready();
    expect(rig.messages).toEqual([['setup', {}]]);
    expect(rig.server.last.address.root ?? 'ws').toBe('ws');
  });

  it('because of its version is not asked again', async () => {
    const rig = new BinaryRig();
    rig.server.onOpen = socket =>
      socket.offered ? socket.end(4506) : socket.give(SETUP);
    await rig.ready();
    expect(rig.messages).toEqual([['setup', {}]]);
    expect(rig.server.sockets.length).toBe(2);
  });

  it('or whose address a proxy refuses is reached at the stock endpoint', async () => {
    const rig = new BinaryRig(speaksJson);
    rig.server.refuses = ({ address }) => address.root !== 'terminals';
    await rig.ready();
    expect(rig.server.last).toMatchObject({
      ...{ path: ['websocket', '1'], protocol: '' }
    });
    expect(rig.server.sockets.length).toBeLessThanOrEqual(7);
    rig.type('a');
    await pass(10);
    expect(rig.server.last.texts).toEqual(['["stdin","a"]']);
    expect([rig.opens, rig.messages]).toEqual([1, [['setup', {}]]]);
  });

  it.each([[null], [false]])(
    'is not given up for that while it is not known that the terminal is there: %s',
    async exists => {
      const rig = new BinaryRig();
      rig.exists = exists;
      rig.server.refusing = true;
      await pass(120_000);
      expect(rig.server.sockets.every(({ offered }) => offered !== '')).toBe(
        true
      );
      expect(rig.closes.length).toBe(exists === false ? 1 : 0);
    }
  );

  it('is not looked for once it has spoken it', async () => {
    const rig = await new BinaryRig().ready();
    rig.server.refusing = true;
    rig.server.last.cut();
    await pass(300_000);
    rig.server.refusing = false;
    await rig.back();
    expect(rig.server.sockets.every(({ offered }) => offered !== '')).toBe(
      true
    );
    expect(rig.clears).toBe(1);
  });

  it('in place of one that did has not the same terminal', async () => {
    const rig = await new BinaryRig().ready();
    rig.server.select = () => '';
    rig.server.last.cut();
    await pass(60_000);
    expect(rig.screen).toMatch(/gone/);
    expect(rig.messages[rig.messages.length - 1]).toEqual(DISCONNECT);
  });

  it('while it starts is waited for', async () => {
    const rig = new BinaryRig();
    rig.verdict = 'wait';
    rig.server.refusing = true;
    await pass(60_000);
    expect(rig.server.sockets.length).toBeLessThan(8);
    rig.server.refusing = false;
    await until('it is open', () => rig.opens === 1);
  });
});
