import { MainRig } from '../../testing/mainRig';
import { pass, Recorder, until, watch } from '../../testing/tools';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('The main connection', () => {
  it('connects when it is asked to, and says who it is', async () => {
    const rig = new MainRig();
    await pass(60_000);
    expect(rig.server.sockets.length).toBe(0);
    const first = watch(rig.main.connect());
    const second = watch(rig.main.connect());
    expect(rig.status.state).toBe('connecting');
    await until('both are connected', () => first.settled && second.settled);
    await rig.main.connect();
    expect([first.error, second.error]).toEqual([undefined, undefined]);
    expect(rig.server.sockets.length).toBe(1);
    expect(rig.server.last).toMatchObject({
      path: [],
      protocol: 'v1.hub.jupyter-ws-hub'
    });
    expect(rig.server.got('hello')[0]?.client).toEqual({
      name: 'jupyter-ws-hub',
      version: '1.2.3'
    });
  });

  it('is connected when the server says welcome, not when the socket is open', async () => {
    const rig = new MainRig();
    rig.server.onMessage = () => true;
    const end = watch(rig.main.connect());
    await pass(100);
    expect(rig.server.last.isOpen).toBe(true);
    expect([end.settled, rig.status.state]).toEqual([false, 'connecting']);
  });

  it('rejects when the user is not logged in, and then stays away', async () => {
    const rig = new MainRig();
    rig.verdict = 'unauthenticated';
    rig.server.refusing = true;
    const ends = [
      watch(rig.main.connect()),
      watch(rig.main.request('status.get', {}))
    ];
    await until('it has failed', () => ends.every(end => end.settled));
    ends.push(
      watch(rig.main.connect()),
      watch(rig.main.request('status.get', {}))
    );
    await pass(600_000);
    expect(ends.map(end => end.error?.code)).toEqual(
      Array(4).fill('unauthenticated')
    );
    expect(rig.status.state).toBe('failed');
    expect(rig.server.sockets.length).toBe(1);
  });

  it('that the server closes for good tells everybody who waits', async () => {
    const rig = await new MainRig().connected();
    rig.server.methods.set('files.list', () => new Promise(() => undefined));
    const [request, follower] = [
      watch(rig.main.request('files.list', {})),
      new Recorder()
    ];
    rig.main.subscribe('chat/a', follower, 'latest');
    await pass(100);
    rig.server.last.end(4501, 'Logged out.');
    await pass(100);
    expect(request.error).toMatchObject({
      code: 'unauthenticated',
      message: 'Logged out.'
    });
    expect(follower.errors).toMatchObject([{ code: 'unauthenticated' }]);
    await pass(600_000);
    expect(rig.server.sockets.length).toBe(1);
  });

  it('goes on with its session after a break', async () => {
    const rig = await new MainRig().connected();
    rig.cut();
    expect(rig.status.state).toBe('reconnecting');
    await rig.back();
    expect(rig.server.got('hello')[1]).toMatchObject({
      session: 's1',
      resume: 'r1'
    });
  });

  it('comes back exactly when the server said in its bye', async () => {
    const rig = await new MainRig().connected();
    await pass(100);
    const bye = { type: 'bye', code: 4000, reason: 'Restart.' } as const;
    rig.server.give(rig.server.last, { ...bye, retry_after_ms: 8000 });
    await pass(7999);
    expect(rig.server.sockets.length).toBe(1);
    expect(rig.status).toMatchObject({
      state: 'reconnecting',
      lastError: 'Restart.'
    });
    await pass(2);
    expect(rig.server.sockets.length).toBe(2);
  });

  it.each([
    ['superseded', 4504],
    ['unauthenticated', 4501],
    ['version_unsupported', 4506]
  ])(
    'that is told %s stays away, with and without a close frame',
    async (name, code) => {
      for (const ending of ['bye', 'close', 'both', 'cut']) {
        const rig = await new MainRig().connected();
        const end = watch(rig.main.request('files.list', {}));
        await until('it is answered', () => end.settled);
        const bye = { type: 'bye', code, reason: 'So it is.' } as const;
        const { last } = rig.server;
        if (ending !== 'close') {
          rig.server.give(last, { ...bye, retry_after_ms: null });
        }
        if (ending === 'close' || ending === 'both') {
          last.end(code, 'So it is.');
        }
        await pass(5);
        if (ending === 'cut') {
          last.cut();
        }
        await pass(600_000);
        rig.main.probe();
        await pass(60_000);
        expect([ending, rig.server.sockets.length]).toEqual([ending, 1]);
        expect(rig.status).toMatchObject({
          state: 'failed',
          lastError: 'So it is.'
        });
        await expect(rig.main.request('files.list', {})).rejects.toMatchObject({
          code: name,
          retryable: false
        });
      }
    }
  );

  it('that its own newer socket has superseded hears nothing of it', async () => {
    const rig = await new MainRig().connected();
    const old = rig.server.last;
    rig.server.silent = true;
    rig.main.probe();
    await pass(3001);
    rig.server.silent = false;
    await rig.back();
    const { length } = rig.server.sockets;
    old.end(4504, 'Superseded.');
    await pass(60_000);
    expect(rig.status.state).toBe('connected');
    expect(rig.server.sockets.length).toBe(length);
  });

  it('that is told to wait comes back, also after rate_limited', async () => {
    const rig = await new MainRig().connected();
    await pass(100);
    const bye = { type: 'bye', code: 4004, reason: 'Too fast.' } as const;
    rig.server.give(rig.server.last, { ...bye, retry_after_ms: 9000 });
    await pass(8999);
    expect(rig.server.sockets.length).toBe(1);
    await pass(10);
    expect(rig.status.state).toBe('connected');
  });

  it('sends what the handling of one frame has led to in one frame, behind it', async () => {
    const rig = await new MainRig().connected();
    await pass(100);
    const seen: number[] = [];
    rig.main.subscribe(
      'chat/a',
      Object.assign(new Recorder(), {
        onEvent: () => {
          seen.push(rig.server.got('ack').length);
          void rig.main.request('files.list', { n: seen.length });
        }
      }),
      'latest'
    );
    await pass(100);
    const { last } = rig.server;
    const before = last.texts.length;
    const { topics } = rig.server;
    const events = [1, 2].map(n =>
      topics.append('chat/a', `${n}`.repeat(20_000), 'message')
    );
    rig.server.give(last, ...events);
    await pass(1);
    expect(last.texts.length - before).toBeLessThanOrEqual(1);
    await pass(100);
    const types = (
      JSON.parse(last.texts[before] ?? '[]') as [{ type: string }]
    ).map(({ type }) => type);
    expect(types).toEqual(['request', 'request', 'ack']);
  });

  it('does not connect again and again without a pause to a server that speaks another language', async () => {
    const rig = await new MainRig().connected();
    rig.server.latencyMs = 50;
    rig.server.onMessage = socket => {
      socket.give('<html>It works!</html>');
      return true;
    };
    rig.cut();
    await pass(10_000);
    expect(rig.server.sockets.length).toBeGreaterThan(1);
    expect(rig.server.sockets.length).toBeLessThan(20);
  });

  it('measures the round trip', async () => {
    const rig = new MainRig();
    rig.server.latencyMs = 40;
    await rig.connected();
    await pass(100);
    expect(rig.status.roundTripMs).toBe(80);
  });

  it('closes on purpose: the server frees the session, and what waits is told', async () => {
    const rig = await new MainRig().connected();
    rig.server.methods.set('files.list', () => new Promise(() => undefined));
    const end = watch(rig.main.request('files.list', {}));
    await pass(100);
    rig.main.close();
    await pass(60_000);
    expect(rig.server.sockets.length).toBe(1);
    expect(rig.server.last.closedWith).toEqual({ code: 1000, reason: '' });
    expect(rig.status.state).toBe('idle');
    expect(end.settled).toBe(true);
  });
});
