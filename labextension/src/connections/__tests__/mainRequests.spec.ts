import { errorInfo, Refusal } from '../../testing/fakeTopics';
import { MainRig } from '../../testing/mainRig';
import { pass, until, watch } from '../../testing/tools';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
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
