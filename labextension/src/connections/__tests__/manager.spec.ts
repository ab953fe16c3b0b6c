import { FakeServer } from '../../testing/fakeServer';
import { errorInfo } from '../../testing/fakeTopics';
import { SETUP } from '../../testing/terminalRig';
import { pass, settingsWith, until, watch } from '../../testing/tools';
import { IConnectionStatus } from '../../tokens';
import { ConnectionManager, IConnectionManagerOptions } from '../manager';
import { Verdict } from '../transport';

const all: ConnectionManager[] = [];

class Rig {
  readonly server = new FakeServer();
  readonly manager: ConnectionManager;
  readonly statuses: IConnectionStatus[] = [];
  verdict: Verdict = 'retry';
  /** What the server answers over HTTP. */
  httpStatus = 200;
  readonly urls: string[] = [];

  constructor(options: Partial<IConnectionManagerOptions> = {}) {
    this.server.onOpen = socket =>
      socket.path[0] === 'terminal' && socket.give(SETUP);
    this.manager = new ConnectionManager({
      settings: settingsWith(url => {
        this.urls.push(url);
        return this.httpStatus;
      }),
      version: '1',
      available: true,
      connect: this.server.connect,
      ask: async () => this.verdict,
      ...options
    });
    this.manager.statusChanged.connect((_, one) => this.statuses.push(one));
    all.push(this.manager);
  }

  states(service: string): string[] {
    const own = this.statuses.filter(one => one.service === service);
    return own
      .map(({ state }) => state)
      .filter((state, n, list) => state !== list[n - 1]);
  }

  /** Open a terminal's socket, and wait until it is open. */
  async terminal(name: string): Promise<WebSocket> {
    const end = watch(this.manager.connectTerminal(name));
    await until('it is open', () => end.settled);
    return end.value!;
  }

  state(service: 'main' | 'terminal' | 'file-stream', id?: string): string {
    return this.manager.getConnectionStatus(service, id).state;
  }
}

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  all.splice(0).forEach(manager => manager.dispose());
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('The connection manager', () => {
  it('without the server half connects nothing and says so', async () => {
    const { manager, server } = new Rig({ available: false });
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
    const { manager, server } = new Rig();
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
    const rig = new Rig();
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
    const rig = new Rig();
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

  it('gives typed events without what belongs to the wire', async () => {
    const rig = new Rig();
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
    const rig = new Rig();
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

describe('The terminals of the connection manager', () => {
  it('are open when they are given out', async () => {
    const rig = new Rig();
    const socket = await rig.terminal('a b');
    expect(socket.readyState).toBe(WebSocket.OPEN);
    expect(rig.server.last.path).toEqual(['terminal', 'a b']);
    expect(rig.manager.getConnectionStatus('terminal', 'a b')).toMatchObject({
      state: 'connected',
      id: 'a b'
    });
  });

  it('have a status for each of two views of one terminal', async () => {
    const rig = new Rig();
    const sockets = [
      await rig.terminal('1'),
      await rig.terminal('1'),
      await rig.terminal('2')
    ];
    const ids = ['1', '1 (2)', '2'];
    expect(ids.map(id => rig.state('terminal', id))).toEqual(
      Array(3).fill('connected')
    );
    expect(rig.server.sockets.map(one => one.path[1])).toEqual(['1', '1', '2']);
    rig.server.sockets[1]?.cut();
    expect(ids.map(id => rig.state('terminal', id))).toEqual([
      'connected',
      'reconnecting',
      'connected'
    ]);
    sockets[0]?.close();
    expect(rig.state('terminal', '1')).toBe('idle');
    await rig.terminal('1');
    expect(rig.state('terminal', '1')).toBe('connected');
  });

  it('have together the state of the worst one', async () => {
    const rig = new Rig();
    expect(rig.state('terminal')).toBe('idle');
    await rig.terminal('1');
    const second = await rig.terminal('2');
    expect(rig.state('terminal')).toBe('connected');
    rig.server.last.cut();
    expect(rig.manager.getConnectionStatus('terminal')).toMatchObject({
      state: 'reconnecting',
      id: '2'
    });
    second.close();
    expect(rig.state('terminal')).toBe('connected');
  });

  it('that are gone, as REST says, are not given out', async () => {
    const rig = new Rig();
    rig.httpStatus = 404;
    rig.server.refusing = true;
    const end = watch(rig.manager.connectTerminal('a/b'));
    await until('it is refused', () => end.settled);
    expect(end.error).toBeInstanceOf(Error);
    expect(rig.urls).toEqual([
      expect.stringContaining('http://hub.test/base/api/terminals/a%2Fb')
    ]);
    expect(rig.state('terminal')).toBe('idle');
  });

  it.each([200, 500, 503])(
    'of which REST says %d are waited for',
    async status => {
      const rig = new Rig();
      rig.httpStatus = status;
      rig.server.refusing = true;
      const end = watch(rig.manager.connectTerminal('1'));
      await pass(120_000);
      rig.server.refusing = false;
      await until('it is open', () => end.settled);
      expect(end.error).toBeUndefined();
    }
  );

  it('that failed do not stand in the way of a new socket for them', async () => {
    const rig = new Rig();
    const socket = await rig.terminal('1');
    rig.server.last.end(4502);
    await pass(10);
    expect([rig.state('terminal', '1'), socket.readyState]).toEqual([
      'failed',
      WebSocket.CLOSED
    ]);
    // JupyterLab's terminal tries again by itself, up to seven times: that is one view, not eight.
    await rig.terminal('1');
    expect([rig.state('terminal', '1'), rig.state('terminal')]).toEqual([
      'connected',
      'connected'
    ]);
  });
});

describe('The file streams of the connection manager', () => {
  it('are open when they are given out', async () => {
    const rig = new Rig();
    const end = watch(rig.manager.connectFileStream('op1'));
    await until('it is open', () => end.settled);
    expect(end.value?.readyState).toBe(WebSocket.OPEN);
    expect(rig.server.last.path).toEqual(['file-stream', 'op1']);
    expect(rig.state('file-stream', 'op1')).toBe('connected');
  });

  it('that are refused are not given out', async () => {
    const rig = new Rig();
    rig.server.refusing = true;
    const end = watch(rig.manager.connectFileStream('op1'));
    await until('it is refused', () => end.settled);
    expect(end.error).toMatchObject({ code: 'unavailable', retryable: true });
  });
});

describe('When the network is back or the page is shown', () => {
  it.each([
    ['online', () => window.dispatchEvent(new Event('online'))],
    ['visible', () => document.dispatchEvent(new Event('visibilitychange'))]
  ])('whatever waits connects at once: %s', async (_, wake) => {
    const rig = new Rig();
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

  it('a main connection that does not answer is replaced within seconds', async () => {
    const rig = new Rig();
    const end = watch(rig.manager.connectMain());
    await until('it is there', () => end.settled);
    await pass(100);
    rig.server.silent = true;
    window.dispatchEvent(new Event('online'));
    await pass(3100);
    expect(rig.server.sockets.length).toBe(2);
  });

  it('nothing happens while the page is hidden', async () => {
    const rig = new Rig();
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
    const rig = new Rig();
    const terminal = await rig.terminal('1');
    const end = watch(rig.manager.connectMain());
    await until('it is there', () => end.settled);
    rig.manager.dispose();
    rig.manager.dispose();
    return { rig, terminal };
  };

  it('closes everything, and nothing comes back', async () => {
    const { rig, terminal } = await disposed();
    expect([rig.manager.isDisposed, terminal.readyState]).toEqual([
      true,
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
    const rig = new Rig();
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
