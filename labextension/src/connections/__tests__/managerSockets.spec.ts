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

describe('The terminals of the connection manager', () => {
  it('are open when they are given out', async () => {
    const rig = new ManagerRig();
    const socket = await rig.terminal('a b');
    expect(socket.readyState).toBe(WebSocket.OPEN);
    expect(rig.server.last.path).toEqual(['terminal', 'a b']);
    expect(rig.manager.getConnectionStatus('terminal', 'a b')).toMatchObject({
      state: 'connected',
      id: 'a b'
    });
  });

  it('have a status for each of two views of one terminal', async () => {
    const rig = new ManagerRig();
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
    const rig = new ManagerRig();
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
    const rig = new ManagerRig();
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
      const rig = new ManagerRig();
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
    const rig = new ManagerRig();
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
    const rig = new ManagerRig();
    const end = watch(rig.manager.connectFileStream('op1'));
    await until('it is open', () => end.settled);
    expect(end.value?.readyState).toBe(WebSocket.OPEN);
    expect(rig.server.last.path).toEqual(['file-stream', 'op1']);
    expect(rig.state('file-stream', 'op1')).toBe('connected');
  });

  it('that are refused are not given out', async () => {
    const rig = new ManagerRig();
    rig.server.refusing = true;
    const end = watch(rig.manager.connectFileStream('op1'));
    await until('it is refused', () => end.settled);
    expect(end.error).toMatchObject({ code: 'unavailable', retryable: true });
  });
});
