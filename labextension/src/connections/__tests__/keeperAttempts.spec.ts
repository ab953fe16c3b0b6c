import { KeeperRig } from '../../testing/keeperRig';
import { pass, until } from '../../testing/tools';
import { Verdict } from '../transport';

const MINUTE_MS = 60_000;

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('After a refused upgrade', () => {
  const refused = async (verdict: Verdict) => {
    const rig = new KeeperRig(verdict);
    rig.server.refusing = true;
    await pass(0);
    return rig;
  };

  it('of a user who is not logged in it fails for good', async () => {
    const rig = await refused('unauthenticated');
    await pass(MINUTE_MS);
    expect([rig.attempts, rig.asked]).toEqual([1, 1]);
    expect(rig.status.state).toBe('failed');
    expect(rig.status.lastError).toMatch(/logged in/);
    expect(rig.told).toContainEqual(['ended', 4501, expect.any(String)]);
  });

  it('of something that is gone it has ended', async () => {
    const rig = await refused('gone');
    await pass(MINUTE_MS);
    expect([rig.attempts, rig.status.state]).toEqual([1, 'idle']);
    expect(rig.told).toContainEqual(['ended', 1000, expect.any(String)]);
  });

  it('by a server that is starting it waits a quarter of a minute', async () => {
    const rig = await refused('wait');
    expect(await rig.pause()).toBeGreaterThanOrEqual(14_999);
    rig.server.refusing = false;
    await until('it is connected', () => rig.keeper.isConnected);
  });

  it('for any other reason it tries again soon, and asks each time', async () => {
    const rig = await refused('retry');
    expect(rig.status.state).toBe('connecting');
    expect(await rig.pause()).toBeLessThanOrEqual(1000);
    expect(await rig.pause()).toBeLessThanOrEqual(2000);
    await pass(1);
    expect(rig.asked).toBe(3);
  });

  it('it goes on at once when the network is back, even while it asks', async () => {
    const rig = new KeeperRig(new Promise<Verdict>(() => undefined));
    rig.server.refusing = true;
    await pass(1);
    rig.server.refusing = false;
    rig.keeper.hurry();
    await pass(MINUTE_MS);
    expect(rig.keeper.isConnected).toBe(true);
  });
});

describe('The attempts', () => {
  it('have no limit: after a thousand failures it still comes back', async () => {
    const rig = new KeeperRig();
    rig.server.refusing = true;
    while (rig.attempts <= 1000) {
      await pass(20_002);
    }
    expect(rig.status).toMatchObject({
      state: 'connecting',
      attempts: rig.attempts
    });
    rig.server.refusing = false;
    await pass(20_002);
    expect(rig.status).toMatchObject({ state: 'connected', attempts: 0 });
  });

  it('come at longer and longer pauses while connections do not last', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.9999999);
    const rig = new KeeperRig();
    const pauses: number[] = [];
    for (let n = 0; n < 7; n++) {
      await until('it is connected', () => rig.keeper.isConnected);
      rig.server.last.cut();
      pauses.push(Math.round((await rig.pause()) / 1000));
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 20, 20]);
    await pass(29_000);
    rig.server.last.cut();
    expect(await rig.pause()).toBeGreaterThan(19_000);
    await pass(30_100);
    rig.server.last.cut();
    expect(await rig.pause()).toBeLessThanOrEqual(1001);
  });

  it('are counted anew after each time it was connected', async () => {
    const rig = new KeeperRig();
    rig.server.refusing = true;
    await until('it has tried a few times', () => rig.attempts === 5);
    rig.server.refusing = false;
    await until('it is connected', () => rig.keeper.isConnected);
    rig.server.last.cut();
    await rig.pause();
    expect(rig.status).toMatchObject({ state: 'reconnecting', attempts: 1 });
  });

  it('come at once when the network is back', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.999);
    const rig = new KeeperRig();
    rig.server.refusing = true;
    await until('it waits long', () => rig.attempts === 6);
    await pass(10);
    rig.server.refusing = false;
    rig.keeper.hurry();
    await pass(1);
    expect([rig.attempts, rig.keeper.isConnected]).toEqual([7, true]);
    rig.keeper.hurry();
    await pass(MINUTE_MS);
    expect(rig.attempts).toBe(7);
  });

  it('come at once in the place of a socket that does not answer', async () => {
    const rig = new KeeperRig();
    await pass(1);
    rig.keeper.reconnect('It is silent.');
    const [old] = rig.server.sockets;
    expect(old?.closedWith).toEqual({ code: 4002, reason: 'It is silent.' });
    expect(rig.attempts).toBe(2);
    old?.give('late');
    await pass(1);
    expect(rig.told).toEqual([['opened', false], 'dropped', ['opened', true]]);
  });

  it('that do not open are given up after 20 s', async () => {
    const rig = new KeeperRig();
    rig.server.silent = true;
    rig.server.browserGivesUp = false;
    await pass(19_999);
    expect(rig.attempts).toBe(1);
    await until('it tries again', () => rig.attempts === 2, 2000);
    expect([rig.asked, rig.status.lastError]).toEqual([
      1,
      'The server did not answer.'
    ]);
    rig.server.silent = false;
    await until('it is connected', () => rig.keeper.isConnected);
    await pass(MINUTE_MS);
    expect(rig.keeper.isConnected).toBe(true);
  });

  it('that have not opened for a while are made anew by who is in a hurry', async () => {
    const rig = new KeeperRig();
    rig.server.silent = true;
    await pass(2900);
    rig.keeper.hurry();
    expect(rig.attempts).toBe(1);
    await pass(200);
    rig.server.silent = false;
    rig.keeper.hurry();
    await pass(1);
    expect([rig.attempts, rig.keeper.isConnected]).toEqual([2, true]);
  });

  it('are over when the peer has said so', async () => {
    const rig = new KeeperRig();
    await pass(1);
    rig.keeper.refuse(4504, '');
    rig.keeper.refuse(4501, 'Again.');
    await pass(MINUTE_MS);
    expect(rig.attempts).toBe(1);
    expect(rig.told.slice(1)).toEqual([
      ['ended', 4504, "a newer connection took this one's place"]
    ]);
    expect(rig.server.last.closedWith?.code).toBe(1000);
    expect([rig.status.state, jest.getTimerCount()]).toEqual(['failed', 0]);
  });

  it('come exactly when the server said', async () => {
    const rig = new KeeperRig();
    await pass(1);
    rig.keeper.reconnect('Later.', 7000);
    expect(await rig.pause()).toBe(7000);
    await pass(1);
    rig.server.last.cut();
    expect(await rig.pause()).toBeLessThanOrEqual(2000);
  });

  it('are slow in a tab that is hidden, and come at once when it is shown', async () => {
    const visibility = jest.spyOn(document, 'visibilityState', 'get');
    visibility.mockReturnValue('hidden');
    const rig = new KeeperRig();
    rig.server.refusing = true;
    await pass(29_000);
    expect(rig.attempts).toBe(1);
    expect(await rig.pause()).toBeLessThanOrEqual(1001);
    await pass(1);
    visibility.mockReturnValue('visible');
    rig.server.refusing = false;
    rig.keeper.hurry();
    await pass(1);
    expect([rig.attempts, rig.keeper.isConnected]).toEqual([3, true]);
  });
});
