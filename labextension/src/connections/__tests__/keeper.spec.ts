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

describe('A kept connection', () => {
  it('connects at once, and again when it breaks', async () => {
    const rig = new KeeperRig();
    await pass(1);
    rig.server.last.cut();
    await until('it is back', () => rig.keeper.isConnected);
    expect(rig.told).toEqual([['opened', false], 'dropped', ['opened', true]]);
    expect(rig.statuses.map(one => one.state)).toEqual([
      'connecting',
      'connected',
      'reconnecting',
      'reconnecting',
      'connected'
    ]);
  });

  it('counts as connected when its owner says so', async () => {
    const rig = new KeeperRig();
    rig.confirms = false;
    await pass(1);
    expect([rig.keeper.isConnected, rig.status.state]).toEqual([
      false,
      'connecting'
    ]);
    rig.keeper.confirm();
    expect([rig.keeper.isConnected, rig.status.state]).toEqual([
      true,
      'connected'
    ]);
  });

  it('sends while a socket is open, and else nothing', async () => {
    const rig = new KeeperRig();
    rig.keeper.send('too early');
    await pass(1);
    rig.keeper.send('in time');
    await pass(1);
    rig.server.last.cut();
    rig.keeper.send('too late');
    await pass(0);
    expect(rig.server.sockets[0]?.received).toEqual(['in time']);
    rig.server.last.bufferedAmount = 5;
    expect(rig.keeper.bufferedAmount).toBe(0);
  });

  it('closes on purpose: nothing more happens, and it is forgotten', async () => {
    const rig = new KeeperRig();
    await pass(1);
    rig.keeper.close(1000, 'bye');
    rig.keeper.close();
    rig.keeper.hurry();
    rig.keeper.reconnect('no');
    await pass(MINUTE_MS);
    expect(rig.server.last.closedWith).toEqual({ code: 1000, reason: 'bye' });
    expect([rig.attempts, rig.status.state]).toEqual([1, 'idle']);
    expect(rig.told).toEqual([['opened', false]]);
  });

  it.each(['waits', 'asks'])('closes on purpose while it %s', async when => {
    let answer: (verdict: Verdict) => void = () => undefined;
    const rig = new KeeperRig(new Promise(resolve => (answer = resolve)));
    rig.server.refusing = when === 'asks';
    await pass(1);
    rig.server.last.cut();
    rig.keeper.close();
    answer('unauthenticated');
    await pass(MINUTE_MS);
    expect([rig.attempts, rig.status.state]).toEqual([1, 'idle']);
    expect(rig.told).not.toContainEqual(expect.arrayContaining(['ended']));
  });
});

describe('After a close with a code', () => {
  it.each([1000, 1001, 1005, 1006, 1011, 1012, 1013, 4000, 4002, 4009, 4499])(
    '%d a connection whose protocol has no end comes back',
    async code => {
      const rig = new KeeperRig();
      await pass(1);
      rig.server.last.end(code, 'Why it was.');
      await pass(1);
      expect(rig.status).toMatchObject({
        state: 'reconnecting',
        lastError: 'Why it was.'
      });
      await until('it is back', () => rig.keeper.isConnected);
      expect(rig.asked).toBe(0);
      expect(rig.status.lastError).toBeNull();
    }
  );

  it.each([
    [4500, 'the frame does not follow the protocol'],
    [4501, 'the user is not, or no longer, logged in'],
    [4504, "a newer connection took this one's place"],
    [4999, 'code 4999']
  ])('%d it stays away, and says why', async (code, meaning) => {
    const rig = new KeeperRig();
    await pass(1);
    rig.server.last.end(code);
    await pass(10 * MINUTE_MS);
    expect(rig.attempts).toBe(1);
    expect(rig.told.slice(1)).toEqual([['ended', code, meaning]]);
    expect(rig.status).toMatchObject({ state: 'failed', lastError: meaning });
    rig.keeper.hurry();
    rig.keeper.reconnect('no');
    await pass(MINUTE_MS);
    expect(rig.attempts).toBe(1);
  });

  it('1000 it has ended, where its protocol has an end', async () => {
    const rig = new KeeperRig();
    rig.keeper.endsNormally();
    await pass(1);
    rig.server.last.end(1000, 'the end');
    await pass(MINUTE_MS);
    expect(rig.told.slice(1)).toEqual([['ended', 1000, 'the end']]);
    expect([rig.attempts, rig.status.state]).toEqual([1, 'idle']);
  });

  it('of the final range before the upgrade was done the server is asked first', async () => {
    const rig = new KeeperRig();
    rig.server.last.close(4501);
    await pass(0);
    expect([rig.asked, rig.status.state]).toEqual([1, 'connecting']);
  });
});
