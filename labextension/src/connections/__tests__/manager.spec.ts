import { errorInfo } from '../../testing/fakeTopics';
import { disposeAll, ManagerRig } from '../../testing/managerRig';
import { pass, until, watch } from '../../testing/tools';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  disposeAll();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('The connection manager', () => {
  it('without the server half connects nothing and says so', async () => {
    const { manager, server } = new ManagerRig({ available: false });
    const unavailable = expect.objectContaining({ code: 'unavailable' });
    await expect(manager.connectMain()).rejects.toEqual(unavailable);
    await expect(manager.connectTerminal('1')).rejects.toEqual(unavailable);
    await expect(manager.connectFileStream('x')).rejects.toEqual(unavailable);
    await expect(manager.request('status.get', {})).rejects.toEqual(
      unavailable
    );
    expect(() =>
      manager.subscribe('status', { onEvent: () => undefined })
    ).toThrow(unavailable);
    window.dispatchEvent(new Event('online'));
    await pass(60_000);
    expect(server.sockets.length).toBe(0);
  });

  it('gives sockets that share one main connection', async () => {
    const { manager, server } = new ManagerRig();
    const ends = [1, 2, 3].map(() => watch(manager.connectMain()));
    await until('all are there', () => ends.every(end => end.settled));
    expect(new Set(ends.map(end => end.value)).size).toBe(3);
    expect(ends[0]?.value).toMatchObject({
      readyState: 1,
      url: 'ws://hub.test/base/ws'
    });
    ends.forEach(end => end.value?.close());
    await pass(60_000);
    expect([server.sockets.length, server.last.isOver]).toEqual([1, false]);
  });

  it('tells every state of the main connection in its turn', async () => {
    const rig = new ManagerRig();
    expect(rig.state('main')).toBe('idle');
    const end = watch(rig.manager.connectMain());
    await until('it is there', () => end.settled);
    rig.server.last.cut();
    await until('it is back', () => rig.state('main') === 'connected');
    rig.server.last.end(4501);
    await pass(100);
    const told = [
      'connecting',
      'connected',
      'reconnecting',
      'connected',
      'failed'
    ];
    expect(rig.states('main')).toEqual(told);
  });

  it('rejects when the server refuses for good', async () => {
    const rig = new ManagerRig();
    rig.verdict = 'unauthenticated';
    rig.server.refusing = true;
    const ends = [
      watch(rig.manager.connectMain()),
      watch(rig.manager.connectTerminal('1'))
    ];
    await until('both are refused', () => ends.every(end => end.settled));
    expect(ends.map(end => end.error)).toEqual(
      Array(2).fill(expect.any(Error))
    );
    expect([rig.state('main'), rig.state('terminal')]).toEqual([
      'failed',
      'failed'
    ]);
  });

  it('gives the items of a streamed reply', async () => {
    const rig = new ManagerRig();
    const params: unknown[] = [];
    rig.server.streams.methods.set('example.count', given => {
      params.push(given);
      return { items: [1, 2, 3] };
    });
    // Our own half has no streamed method; what another extension adds is tested with its types in augmentation.spec.
    const stream = rig.manager.stream as (
      method: string,
      params: unknown
    ) => AsyncIterable<unknown>;
    const got: unknown[] = [];
    const read = async () => {
      for await (const item of stream.call(rig.manager, 'example.count', {
        to: 3
      })) {
        got.push(item);
      }
    };
    const end = watch(read());
    await until('it has ended', () => end.settled);
    expect([end.error, got, params]).toEqual([
      undefined,
      [1, 2, 3],
      [{ to: 3 }]
    ]);
  });

  it('gives typed events without what belongs to the wire', async () => {
    const rig = new ManagerRig();
    const events: unknown[] = [];
    rig.manager.subscribe('chat/a', { onEvent: event => events.push(event) });
    await pass(10);
    rig.server.publish('chat/a', { text: 'x' });
    await pass(10);
    expect(events).toEqual([
      { kind: 'message', data: { text: 'x' }, id: 'e1-1', time: 0, offset: 1 }
    ]);
  });

  it('tells who does not listen for errors of a topic in the console', async () => {
    const told = jest
      .spyOn(console, 'error')
      .mockImplementation(() => undefined);
    const rig = new ManagerRig();
    rig.server.topics.refused.set('status', errorInfo('forbidden'));
    const errors: Error[] = [];
    const onEvent = () => undefined;
    rig.manager.subscribe('status', {
      onEvent,
      onError: error => errors.push(error)
    });
    await pass(10);
    expect([errors.length, told.mock.calls.length]).toEqual([1, 0]);
    rig.manager.subscribe('status', { onEvent });
    await pass(10);
    expect(told.mock.calls.length).toBe(1);
  });
});

describe('When the network is back or the page is shown', () => {
  it.each([
    ['online', () => window.dispatchEvent(new Event('online'))],
    ['back', () => window.dispatchEvent(new Event('pageshow'))],
    ['visible', () => document.dispatchEvent(new Event('visibilitychange'))]
  ])('whatever waits connects at once: %s', async (_, wake) => {
    const rig = new ManagerRig();
    await rig.terminal('1');
    const end = watch(rig.manager.connectMain());
    await until('it is there', () => end.settled);
    rig.server.refusing = true;
    rig.server.sockets.forEach(socket => socket.cut());
    await pass(300_000);
    rig.server.refusing = false;
    const before = rig.server.sockets.length;
    wake();
    await pass(10);
    expect(rig.server.sockets.length).toBe(before + 2);
    expect([rig.state('main'), rig.state('terminal')]).toEqual([
      'connected',
      'connected'
    ]);
  });

  it.each([
    ['online', () => window.dispatchEvent(new Event('online'))],
    ['back', () => window.dispatchEvent(new Event('pageshow'))],
    ['visible', () => document.dispatchEvent(new Event('visibilitychange'))]
  ])(
    'a main connection that does not answer is replaced within seconds: %s',
    async (_, wake) => {
      const rig = new ManagerRig();
      const end = watch(rig.manager.connectMain());
      await until('it is there', () => end.settled);
      await pass(100);
      rig.server.silent = true;
      wake();
      await pass(2900);
      expect(rig.server.sockets.length).toBe(1);
      await pass(200);
      expect(rig.server.sockets.length).toBe(2);
    }
  );

  it('nothing happens while the page is hidden', async () => {
    const rig = new ManagerRig();
    const end = watch(rig.manager.connectMain());
    await until('it is there', () => end.settled);
    await pass(100);
    const before = rig.server.got('ping').length;
    jest.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
    document.dispatchEvent(new Event('visibilitychange'));
    await pass(100);
    expect(rig.server.got('ping').length).toBe(before);
  });
});

describe('A manager that is disposed', () => {
  const disposed = async () => {
    const rig = new ManagerRig();
    const terminal = await rig.terminal('1');
    const end = watch(rig.manager.connectMain());
    await until('it is there', () => end.settled);
    rig.manager.dispose();
    rig.manager.dispose();
    return { rig, terminal, virtual: end.value };
  };

  it('closes everything, and nothing comes back', async () => {
    const { rig, terminal, virtual } = await disposed();
    expect(rig.manager.isDisposed).toBe(true);
    expect([terminal.readyState, virtual?.readyState]).toEqual([
      WebSocket.CLOSED,
      WebSocket.CLOSED
    ]);
    expect(rig.server.sockets.map(one => one.closedWith?.code)).toEqual([
      1000, 1000
    ]);
    window.dispatchEvent(new Event('online'));
    await pass(60_000);
    expect(rig.server.sockets.length).toBe(2);
  });

  it('does not complain of the topics that were followed', async () => {
    const told = jest
      .spyOn(console, 'error')
      .mockImplementation(() => undefined);
    const rig = new ManagerRig();
    rig.manager.subscribe('chat/a', { onEvent: () => undefined });
    await pass(100);
    rig.manager.dispose();
    expect(told.mock.calls).toEqual([]);
  });

  it('connects nothing any more, whoever asks', async () => {
    const { rig } = await disposed();
    const ends = [
      watch(rig.manager.request('status.get', {})),
      watch(rig.manager.connectMain()),
      watch(rig.manager.connectTerminal('2'))
    ];
    await pass(60_000);
    expect(rig.server.sockets.length).toBe(2);
    expect(ends.map(end => end.error)).toEqual(
      Array(3).fill(expect.any(Error))
    );
  });
});
