import { disposeAll, ManagerRig } from '../../testing/managerRig';
import { MainRig } from '../../testing/mainRig';
import { pass, until, watch } from '../../testing/tools';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  disposeAll();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

/** A manager whose main connection and two terminals wait for their next attempts, at a server that is back. */
async function waiting(): Promise<ManagerRig> {
  const rig = new ManagerRig();
  await rig.terminal('1');
  await rig.terminal('2');
  const end = watch(rig.manager.connectMain());
  await until('it is there', () => end.settled);
  rig.server.refusing = true;
  rig.server.sockets.forEach(socket => socket.cut());
  await pass(300_000);
  rig.server.refusing = false;
  return rig;
}

const states = (rig: ManagerRig) => [
  rig.state('main'),
  rig.state('terminal', '1'),
  rig.state('terminal', '2')
];

describe('A person who wants to connect now', () => {
  it('has the connection for messages at once, and only that', async () => {
    const rig = await waiting();
    expect(states(rig)).toEqual(Array(3).fill('reconnecting'));
    rig.manager.reconnect('main');
    await pass(10);
    expect(states(rig)).toEqual(['connected', 'reconnecting', 'reconnecting']);
  });

  it('has one terminal, or all of them', async () => {
    const rig = await waiting();
    rig.manager.reconnect('terminal', '2');
    await pass(10);
    expect(states(rig)).toEqual(['reconnecting', 'reconnecting', 'connected']);
    rig.manager.reconnect('terminal');
    await pass(10);
    expect(states(rig)).toEqual(['reconnecting', 'connected', 'connected']);
  });

  it('hurries the transfers, who connect their streams themselves', () => {
    const rig = new ManagerRig();
    const hurried: Array<string | null> = [];
    rig.manager.streamsHurried.connect((_, op) => hurried.push(op));
    rig.manager.reconnect('file-stream');
    rig.manager.reconnect('file-stream', 'op');
    expect(hurried).toEqual([null, 'op']);
  });

  it('loses no connection that stands, and finds out that one is dead', async () => {
    const rig = new ManagerRig();
    const end = watch(rig.manager.connectMain());
    await until('it is there', () => end.settled);
    rig.manager.reconnect('main');
    await pass(10_000);
    expect(rig.server.sockets.length).toBe(1);
    rig.server.silent = true;
    rig.manager.reconnect('main');
    await pass(3100);
    expect(rig.server.sockets.length).toBe(2);
  });

  it('begins nothing that is not in use', async () => {
    const rig = new ManagerRig();
    rig.manager.reconnect('main');
    rig.manager.reconnect('terminal');
    rig.manager.reconnect('terminal', 'none');
    rig.manager.measure();
    await pass(60_000);
    expect(rig.server.sockets.length).toBe(0);
  });
});

describe('The round trip', () => {
  it('is measured when it is wanted, in fractions of a millisecond', async () => {
    const rig = await new MainRig().connected();
    await pass(100);
    const before = rig.server.got('ping').length;
    rig.server.latencyMs = 7;
    jest
      .spyOn(performance, 'now')
      .mockReturnValueOnce(1000)
      .mockReturnValueOnce(1014.25);
    rig.main.measure();
    await pass(100);
    expect(rig.server.got('ping').length).toBe(before + 1);
    expect(rig.status.roundTripMs).toBe(14.25);
  });

  it('is not measured while there is no connection', async () => {
    const rig = await new MainRig().connected();
    await pass(100);
    const before = rig.server.got('ping').length;
    rig.server.refusing = true;
    rig.cut();
    rig.main.measure();
    await pass(100);
    expect(rig.server.got('ping').length).toBe(before);
  });
});
