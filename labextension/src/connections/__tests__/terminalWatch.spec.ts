import { BinaryRig, setHidden } from '../../testing/binaryRig';
import { pass, until } from '../../testing/tools';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  setHidden(false);
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('A connection that does not answer', () => {
  it('gets another one beside it when input is not acknowledged within 2 s', async () => {
    const rig = await new BinaryRig().ready();
    rig.terminal.isDeaf = true;
    rig.type('a');
    await pass(1990);
    expect(rig.server.sockets.length).toBe(1);
    rig.terminal.isDeaf = false;
    await pass(50);
    expect(rig.server.sockets.length).toBe(2);
    await pass(10);
    expect(rig.server.sockets.map(({ isOver }) => isOver)).toEqual([
      true,
      false
    ]);
    expect([rig.terminal.typed, rig.status.state, rig.clears]).toEqual([
      ...['a', 'connected', 1]
    ]);
    expect(rig.closes).toEqual([]);
  });

  it('gets another one when no pong comes within 3 s', async () => {
    const rig = await new BinaryRig().ready();
    rig.terminal.isSilentToPings = true;
    await pass(5000 + 3000 + 50);
    expect(rig.server.sockets.length).toBe(2);
    expect(rig.statuses.map(({ state }) => state)).toContain('reconnecting');
    await pass(20);
    expect(rig.status.state).toBe('connected');
  });

  it('is pinged every 5 s while the page is visible, and not while it is hidden', async () => {
    const rig = await new BinaryRig().ready();
    const pings = () => rig.terminal.types.filter(type => type === 5).length;
    const before = pings();
    await pass(20_000);
    expect(pings() - before).toBe(4);
    setHidden(true);
    await pass(20_000);
    expect(pings() - before).toBe(4);
    setHidden(false);
    // As the manager does when the page is shown.
    rig.socket.hurry();
    await pass(10);
    expect(pings() - before).toBe(5);
  });

  it('and output that came on the first one meanwhile is not shown twice', async () => {
    const rig = await new BinaryRig().ready();
    rig.terminal.isDeaf = true;
    rig.terminal.write('one ');
    await pass(100);
    rig.type('a');
    await until('a second one', () => rig.server.sockets.length === 2);
    rig.terminal.write('two ');
    await pass(1);
    rig.terminal.write('three');
    await pass(100);
    expect([rig.screen, rig.clears]).toEqual(['one two three', 1]);
    expect(rig.terminal.violations).toEqual([]);
  });

  it('that answers after all keeps its place, if the other one has not opened', async () => {
    const rig = await new BinaryRig().ready();
    rig.terminal.isDeaf = true;
    rig.server.refusing = true;
    rig.type('a');
    await pass(2600);
    expect(rig.status.state).toBe('reconnecting');
    rig.terminal.read();
    await pass(10);
    expect(rig.status.state).toBe('connected');
    const attempts = rig.server.sockets.length;
    await pass(20_000);
    expect([rig.server.sockets.length, rig.server.sockets[0]?.isOver]).toEqual([
      attempts,
      false
    ]);
  });

  it('is live again within 3 s after a black hole of 10 s', async () => {
    for (let phase = 0; phase < 5000; phase += 271) {
      const rig = await new BinaryRig(({ server }) => {
        server.browserGivesUp = false;
      }).ready();
      await pass(phase);
      rig.server.silent = true;
      rig.type('typed into the hole');
      await pass(10_000);
      rig.server.silent = false;
      rig.terminal.write('there');
      await pass(3000);
      expect([rig.screen, rig.terminal.typed]).toEqual([
        ...['there', 'typed into the hole']
      ]);
      rig.socket.close();
      await pass(10);
      expect(jest.getTimerCount()).toBe(0);
    }
  });

  it('behind a network that is only slow is reached all the same', async () => {
    const rig = new BinaryRig(({ server }) => {
      server.latencyMs = 2000;
    });
    await until('it is open', () => rig.opens === 1);
    expect(rig.server.sockets.length).toBeLessThanOrEqual(8);
  });

  it('of which a late attempt took the place comes back', async () => {
    const rig = await new BinaryRig().ready();
    rig.server.silent = true;
    rig.type('a');
    await pass(8000);
    rig.server.silent = false;
    await rig.back();
    // An attempt that was given up in the hole arrives now.
    rig.server.last.end(4504, 'superseded');
    await pass(10);
    await rig.back();
    expect([rig.closes, rig.terminal.typed]).toEqual([[], 'a']);
  });

  it('and is superseded by somebody else for no reason of ours is over', async () => {
    const rig = await new BinaryRig().ready();
    await pass(10_000);
    rig.server.last.end(4504, 'superseded');
    await pass(60_000);
    expect(rig.closes).toMatchObject([{ code: 4504 }]);
    expect(rig.server.sockets.length).toBe(1);
  });
});

describe('A page that is hidden', () => {
  it('acknowledges on receipt, and tells the server that nobody looks', async () => {
    const rig = await new BinaryRig(({ screens }) => {
      // A hidden page parses nothing.
      screens.find = () => ({ isVisible: true, whenParsed: () => undefined });
    }).ready();
    rig.resize(24, 80);
    setHidden(true);
    rig.terminal.write('x'.repeat(1_000_000));
    await pass(1000);
    expect(rig.screen.length).toBe(1_000_000);
    expect(rig.terminal.mostUnderWay).toBeLessThanOrEqual(262_144);
    expect(rig.terminal.sizes.map(({ visible }) => visible)).toEqual([
      true,
      false
    ]);
    setHidden(false);
    await pass(10);
    expect(rig.terminal.sizes.pop()?.visible).toBe(true);
  });

  it('does not hammer on a server that is away', async () => {
    const rig = await new BinaryRig().ready();
    setHidden(true);
    rig.server.refusing = true;
    rig.server.last.cut();
    await pass(60_000);
    const before = rig.server.sockets.length;
    await pass(600_000);
    expect(rig.server.sockets.length - before).toBeLessThanOrEqual(21);
  });

  it('finds out that the server is gone', async () => {
    const rig = await new BinaryRig().ready();
    setHidden(true);
    rig.server.silent = true;
    await pass(60_000);
    rig.server.silent = false;
    await pass(40_000);
    expect(rig.server.sockets.length).toBeGreaterThan(1);
    expect(rig.status.state).toBe('connected');
  });
});
