import { MainRig } from '../../testing/mainRig';
import { errorInfo, Refusal } from '../../testing/fakeTopics';
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

describe('A request', () => {
  it('gives its result or its error', async () => {
    const rig = await new MainRig().connected();
    const busy = errorInfo('busy', { retryable: true, retry_after_ms: 5 });
    rig.server.methods.set('files.list', params => ({ params }));
    rig.server.methods.set('files.get', () => {
      throw new Refusal(busy);
    });
    const good = watch(
      rig.main.request('files.list', { path: 'ä' }, { timeoutMs: 70 })
    );
    const bad = watch(rig.main.request('files.get', {}));
    await until('both are answered', () => good.settled && bad.settled);
    expect(good.value).toEqual({ params: { path: 'ä' } });
    expect(bad.error).toMatchObject({
      code: 'busy',
      retryable: true,
      retryAfterMs: 5
    });
    expect(rig.server.got('request')[0]).toMatchObject({ timeout_ms: 70 });
  });

  it('connects, if nothing has yet', async () => {
    const rig = new MainRig();
    const end = watch(rig.main.request('status.get', {}));
    await until('it is answered', () => end.settled);
    expect(end.value).toBeNull();
  });

  it('while the connection is away is sent when it is back, in order', async () => {
    const rig = await new MainRig().connected();
    rig.cut();
    const ends = ['chat.post', 'files.list'].map(method =>
      watch(rig.main.request(method, {}))
    );
    expect(rig.server.got('request')).toHaveLength(0);
    await until('both are answered', () => ends.every(end => end.settled));
    expect(rig.server.calls.map(call => call.method)).toEqual([
      'chat.post',
      'files.list'
    ]);
  });

  it('that is under way at a break runs once, and its result comes', async () => {
    const rig = await new MainRig().connected();
    let finish: (result: unknown) => void = () => undefined;
    rig.server.methods.set(
      'files.delete',
      () => new Promise(resolve => (finish = resolve))
    );
    const end = watch(rig.main.request('files.delete', {}));
    await pass(100);
    rig.cut();
    await rig.back();
    await pass(100);
    finish('deleted');
    await until('it is answered', () => end.settled);
    expect(end.value).toBe('deleted');
    expect(rig.server.calls).toHaveLength(1);
  });

  it('whose answer was lost at a break is answered again, not run again', async () => {
    const rig = await new MainRig().connected();
    rig.server.methods.set('files.delete', () => {
      rig.cut();
      return 'deleted';
    });
    const end = watch(rig.main.request('files.delete', {}));
    await until('it is answered', () => end.settled);
    expect([end.value, rig.server.calls.length]).toEqual(['deleted', 1]);
  });

  it('that was under way when the session was lost has an unknown outcome, or runs again', async () => {
    const rig = await new MainRig().connected();
    const never = () => new Promise(() => undefined);
    ['files.delete', 'files.list'].forEach(name =>
      rig.server.methods.set(name, never)
    );
    const [deleted, listed] = [
      watch(rig.main.request('files.delete', {})),
      watch(rig.main.request('files.list', {}))
    ];
    await pass(100);
    rig.server.sessions.clear();
    rig.server.methods.delete('files.list');
    rig.cut();
    await until('both are settled', () => deleted.settled && listed.settled);
    expect(deleted.error).toMatchObject({
      code: 'unknown_outcome',
      retryable: false
    });
    expect(listed.error).toBeUndefined();
    expect(rig.server.calls.map(call => call.method)).toEqual([
      'files.delete',
      'files.list',
      'files.list'
    ]);
  });

  it('that is too big fails alone', async () => {
    const rig = await new MainRig().connected();
    const big = watch(
      rig.main.request('files.save', { content: 'x'.repeat(2 ** 20) })
    );
    const small = watch(rig.main.request('status.get', {}));
    await until('both are settled', () => big.settled && small.settled);
    expect(big.error?.code).toBe('too_big');
    expect(small.error).toBeUndefined();
  });
});

describe('Aborting a request', () => {
  it('before it begins connects nothing', async () => {
    const rig = new MainRig();
    const signal = AbortSignal.abort();
    const end = watch(rig.main.request('files.list', {}, { signal }));
    await pass(100);
    expect(end.error?.code).toBe('cancelled');
    expect(rig.server.sockets.length).toBe(0);
  });

  it('before it was sent is over at once', async () => {
    const rig = await new MainRig().connected();
    rig.cut();
    const abort = new AbortController();
    const end = watch(
      rig.main.request('files.list', {}, { signal: abort.signal })
    );
    abort.abort();
    await pass(0);
    expect(end.error?.code).toBe('cancelled');
    await rig.back();
    await pass(100);
    expect(rig.server.got('request')).toHaveLength(0);
  });

  const underWay = async () => {
    const rig = await new MainRig().connected();
    rig.server.methods.set('files.list', () => new Promise(() => undefined));
    const abort = new AbortController();
    const end = watch(
      rig.main.request('files.list', {}, { signal: abort.signal })
    );
    await pass(100);
    return { rig, abort, end };
  };

  it('that is under way cancels it on the server', async () => {
    const { rig, abort, end } = await underWay();
    abort.abort();
    expect(end.settled).toBe(false);
    await until('it is settled', () => end.settled);
    expect(end.error?.code).toBe('cancelled');
    expect(rig.server.got('cancel')).toHaveLength(1);
  });

  it('while the connection is away cancels it when that is back', async () => {
    const { rig, abort, end } = await underWay();
    rig.cut();
    abort.abort();
    await rig.back();
    await pass(1000);
    expect(end.error?.code).toBe('cancelled');
    expect(rig.server.got('cancel')).toHaveLength(1);
  });

  it('that is over does nothing, and the signal is let go', async () => {
    const rig = await new MainRig().connected();
    const abort = new AbortController();
    const remove = jest.spyOn(abort.signal, 'removeEventListener');
    const end = watch(
      rig.main.request('files.list', {}, { signal: abort.signal })
    );
    await until('it is answered', () => end.settled);
    expect(remove).toHaveBeenCalledTimes(1);
    abort.abort();
    await pass(100);
    expect(rig.server.got('cancel')).toHaveLength(0);
  });
});
