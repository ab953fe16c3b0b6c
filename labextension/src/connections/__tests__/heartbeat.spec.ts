import { MainRig } from '../../testing/mainRig';
import { pass, until, watch } from '../../testing/tools';

/** Stop this tab's timers for a while, as a lid that is closed does. */
function sleep(ms: number): void {
  jest.setSystemTime(Date.now() + ms);
}

beforeEach(() => {
  jest.useFakeTimers({ now: 1_760_000_000_000 });
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('The heartbeat of the main connection', () => {
  it('lets nothing happen for half an hour while the server answers', async () => {
    const rig = await new MainRig().connected();
    await pass(1800 * 1000);
    expect(rig.server.sockets.length).toBe(1);
    expect(rig.server.got('ping').length).toBeGreaterThan(100);
  });

  it('takes silence of interval and grace for death, not less', async () => {
    const rig = await new MainRig().connected();
    await pass(100);
    rig.server.silent = true;
    await pass(34_000);
    expect(rig.server.sockets.length).toBe(1);
    await pass(3000);
    expect(rig.server.sockets[0]?.closedWith?.code).toBe(4002);
    expect(rig.status).toMatchObject({ state: 'reconnecting' });
    rig.server.silent = false;
    await rig.back();
  });

  it('follows the times that the server names', async () => {
    const rig = new MainRig();
    rig.server.heartbeat = { interval_ms: 100_000, grace_ms: 50_000 };
    await rig.connected();
    rig.server.silent = true;
    await pass(149_000);
    expect(rig.server.sockets.length).toBe(1);
    await pass(3000);
    expect(rig.server.sockets[0]?.closedWith).not.toBeNull();
  });

  it('takes any traffic for a sign of life', async () => {
    const rig = await new MainRig().connected();
    rig.server.onMessage = () => true;
    for (let n = 0; n < 10; n++) {
      await pass(20_000);
      rig.server.give(rig.server.last, { type: 'live', topic: 'x' });
    }
    expect(rig.server.sockets.length).toBe(1);
  });

  it('sees also a server that is silent before its welcome', async () => {
    const rig = new MainRig();
    rig.server.onMessage = () => true;
    const end = watch(rig.main.connect());
    await pass(1000);
    expect(rig.server.last.isOpen).toBe(true);
    await pass(60_000);
    rig.server.onMessage = () => false;
    await pass(60_000);
    expect([end.settled, end.error]).toEqual([true, undefined]);
  });

  it('answers what the server asks', async () => {
    const rig = await new MainRig().connected();
    rig.server.give(rig.server.last, { type: 'ping', t: 3 });
    await pass(100);
    expect(rig.server.got('pong')).toEqual([{ type: 'pong', t: 3 }]);
  });
});

describe('A tab that was asleep', () => {
  it('asks the server instead of declaring it dead', async () => {
    const rig = await new MainRig().connected();
    await pass(1000);
    const before = rig.server.got('ping').length;
    sleep(600_000);
    await pass(10_000);
    expect(rig.server.sockets.length).toBe(1);
    expect(rig.server.got('ping').length).toBe(before + 1);
    expect(rig.status.state).toBe('connected');
  });

  it('gives the server three seconds to answer', async () => {
    const rig = await new MainRig().connected();
    await pass(1000);
    sleep(600_000);
    rig.server.latencyMs = 1000;
    await pass(10_000);
    expect(rig.server.sockets.length).toBe(1);
  });

  it('connects anew when the server does not answer', async () => {
    const rig = await new MainRig().connected();
    await pass(1000);
    sleep(600_000);
    rig.server.silent = true;
    await pass(5000);
    expect(rig.server.sockets[0]?.closedWith?.code).toBe(4002);
    expect(rig.status.state).toBe('reconnecting');
  });

  it('whose timers come once a minute only stays connected', async () => {
    const rig = await new MainRig().connected();
    for (let n = 0; n < 30; n++) {
      sleep(59_000);
      await pass(1000);
    }
    expect(rig.server.sockets.length).toBe(1);
  });

  it('whose clock was set back still sees that the server is silent', async () => {
    const rig = await new MainRig().connected();
    await pass(1000);
    sleep(-3600_000);
    await pass(5000);
    rig.server.silent = true;
    await pass(60_000);
    expect(rig.server.sockets[0]?.closedWith?.code).toBe(4002);
  });
});

describe('A tab that was busy itself', () => {
  /** Time passes without anything being run: timers come late, and before what has come from the server. */
  const busy = (ms: number) => jest.setSystemTime(Date.now() + ms);

  it('while it waited for the answer to a probe listens once more', async () => {
    const rig = await new MainRig().connected();
    await pass(100);
    rig.server.latencyMs = 1600;
    rig.main.probe();
    await pass(2000);
    busy(10_000);
    // The probe's timer comes first, then the answer.
    await pass(60_000);
    expect(rig.server.sockets.length).toBe(1);
    expect(rig.status.state).toBe('connected');
  });

  it('and whose server is gone finds that out nevertheless', async () => {
    const rig = await new MainRig().connected();
    await pass(100);
    rig.server.silent = true;
    rig.main.probe();
    await pass(2000);
    busy(10_000);
    await pass(1100);
    expect(rig.server.sockets.length).toBe(1);
    await pass(3100);
    expect(rig.server.sockets[0]?.closedWith?.code).toBe(4002);
  });

  it('and whose timers come once a minute only finds out within some minutes that the server is gone', async () => {
    const rig = await new MainRig().connected();
    rig.server.silent = true;
    for (let n = 0; n < 8; n++) {
      busy(59_000);
      await pass(1000);
    }
    expect(rig.server.sockets[0]?.closedWith?.code).toBe(4002);
  });
});

describe('A probe', () => {
  it('whose connection breaks before it ends leaves the next attempt alone', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.999);
    const rig = await new MainRig().connected();
    await pass(100);
    rig.main.probe();
    rig.server.silent = true;
    await pass(1900);
    rig.cut();
    rig.server.silent = false;
    rig.server.latencyMs = 500;
    // The next attempt is made a second later, and opens after the probe's end.
    await pass(1900);
    expect(rig.server.sockets.length).toBe(2);
    await rig.back();
    expect(rig.server.sockets.length).toBe(2);
  });

  it('that is answered changes nothing', async () => {
    const rig = await new MainRig().connected();
    rig.main.probe();
    rig.main.probe();
    await pass(10_000);
    expect(rig.server.sockets.length).toBe(1);
  });

  it('without an answer within three seconds connects anew at once', async () => {
    const rig = await new MainRig().connected();
    await pass(100);
    rig.server.silent = true;
    rig.main.probe();
    await pass(2999);
    expect(rig.server.sockets.length).toBe(1);
    await pass(1);
    expect(rig.server.sockets.length).toBe(2);
    rig.server.silent = false;
    await rig.back();
  });

  it('whose answer comes within the same tick of a coarse clock was answered', async () => {
    // Firefox with privacy.resistFingerprinting: performance and Date have steps of 100 ms.
    const coarse = () => Math.floor(Date.now() / 100) * 100;
    const rig = await new MainRig(coarse).connected();
    await until('a step begins', () => Date.now() % 100 < 5, 1000);
    rig.server.give(rig.server.last, { type: 'live', topic: 'x' });
    await pass(5);
    rig.main.probe();
    await pass(5000);
    expect(rig.server.sockets.length).toBe(1);
  });

  it('ends the pause before the next attempt', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.999);
    const rig = await new MainRig().connected();
    rig.server.refusing = true;
    rig.cut();
    await pass(60_000);
    rig.server.refusing = false;
    const before = rig.server.sockets.length;
    rig.main.probe();
    await pass(10);
    expect([rig.server.sockets.length, rig.status.state]).toEqual([
      before + 1,
      'connected'
    ]);
  });

  it('of a connection that was never opened opens none', async () => {
    const rig = new MainRig();
    rig.main.probe();
    await pass(10_000);
    expect(rig.server.sockets.length).toBe(0);
  });
});
