import { FakeServer } from '../../testing/fakeServer';
import { pass, until } from '../../testing/tools';
import { IConnectionStatus } from '../../tokens';
import { IKept, Keeper } from '../keeper';
import { StatusBook } from '../status';
import { Verdict } from '../transport';

const MINUTE_MS = 60_000;

/** A kept connection on a server in memory; its owner counts as connected as soon as it is open. */
class Rig implements IKept {
  readonly server = new FakeServer();
  readonly book = new StatusBook();
  readonly statuses: IConnectionStatus[] = [];
  readonly told: unknown[] = [];
  readonly keeper: Keeper;
  confirms = true;
  asked = 0;

  constructor(public verdict: Verdict | Promise<Verdict> = 'retry') {
    this.server.latencyMs = 0;
    this.book.changed.connect((_, status) => this.statuses.push(status));
    this.keeper = new Keeper(
      {
        service: 'terminal',
        id: '7',
        path: ['terminal', '7'],
        subprotocol: null,
        connect: this.server.connect,
        ask: async () => {
          this.asked += 1;
          return this.verdict;
        },
        book: this.book
      },
      this
    );
  }

  get status(): IConnectionStatus {
    return this.book.get('terminal', '7');
  }

  get attempts(): number {
    return this.server.sockets.length;
  }

  /** Milliseconds until the next attempt. */
  async pause(): Promise<number> {
    const [before, began] = [this.attempts, Date.now()];
    await until('it tries again', () => this.attempts > before);
    return Date.now() - began;
  }

  opened(again: boolean): boolean {
    this.told.push(['opened', again]);
    return this.confirms;
  }

  received(data: string | ArrayBuffer): void {
    this.told.push(['received', data]);
  }

  dropped(): void {
    this.told.push('dropped');
  }

  ended(code: number, reason: string): void {
    this.told.push(['ended', code, reason]);
  }
}

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('A kept connection', () => {
  it('connects at once, and again when it breaks', async () => {
    const rig = new Rig();
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
    const rig = new Rig();
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
    const rig = new Rig();
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
    const rig = new Rig();
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
    const rig = new Rig(new Promise(resolve => (answer = resolve)));
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
      const rig = new Rig();
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
    const rig = new Rig();
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
    const rig = new Rig();
    rig.keeper.endsNormally();
    await pass(1);
    rig.server.last.end(1000, 'the end');
    await pass(MINUTE_MS);
    expect(rig.told.slice(1)).toEqual([['ended', 1000, 'the end']]);
    expect([rig.attempts, rig.status.state]).toEqual([1, 'idle']);
  });

  it('of the final range before the upgrade was done the server is asked first', async () => {
    const rig = new Rig();
    rig.server.last.close(4501);
    await pass(0);
    expect([rig.asked, rig.status.state]).toEqual([1, 'connecting']);
  });
});

describe('After a refused upgrade', () => {
  const refused = async (verdict: Verdict) => {
    const rig = new Rig(verdict);
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
    const rig = new Rig(new Promise<Verdict>(() => undefined));
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
    const rig = new Rig();
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
    const rig = new Rig();
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
    const rig = new Rig();
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
    const rig = new Rig();
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
    const rig = new Rig();
    await pass(1);
    rig.keeper.reconnect('It is silent.');
    const [old] = rig.server.sockets;
    expect(old?.closedWith).toEqual({ code: 4002, reason: 'It is silent.' });
    expect(rig.attempts).toBe(2);
    old?.give('late');
    await pass(1);
    expect(rig.told).toEqual([['opened', false], 'dropped', ['opened', true]]);
  });

  it('come exactly when the server said', async () => {
    const rig = new Rig();
    await pass(1);
    rig.keeper.reconnect('Later.', 7000);
    expect(await rig.pause()).toBe(7000);
    await pass(1);
    rig.server.last.cut();
    expect(await rig.pause()).toBeLessThanOrEqual(2000);
  });
});
