import { writeFileSync } from 'fs';
import { join } from 'path';

import { TerminalConnection } from '@jupyterlab/services/lib/terminal/default';

import { eventually, RealServer, sockets } from '../../testing/realServer';
import { openTerminal } from '../../testing/realTerminal';
import { watch } from '../../testing/tools';
import { TopicEvent } from '../../tokens';
import { terminalWebSocket } from '../../terminals/manager';
import { ConnectionManager } from '../manager';

jest.setTimeout(60_000);

let server: RealServer;
let managers: ConnectionManager[] = [];
let terminals: TerminalConnection[] = [];

function connect(token?: string): ConnectionManager {
  const settings = server.settings(token === undefined ? {} : { token });
  const manager = new ConnectionManager({
    settings,
    version: '1',
    available: true
  });
  managers.push(manager);
  return manager;
}

beforeAll(async () => {
  server = await RealServer.start();
});

afterAll(async () => {
  await server?.stop();
});

afterEach(() => {
  terminals.forEach(terminal => terminal.dispose());
  managers.forEach(manager => manager.dispose());
  managers = [];
  terminals = [];
  jest.restoreAllMocks();
});

/** The words of a message that was said in a room. */
const saidIn = (event: TopicEvent<'chat/general'>) =>
  event.kind === 'message' ? event.data.text : event.kind;

describe('Messages with a real server', () => {
  it('list a directory', async () => {
    writeFileSync(join(server.root, 'ä.txt'), 'x');
    const names: Array<{ name: string; size: number | null }> = [];
    for await (const page of connect().stream('files.list', { path: '' })) {
      names.push(...page.entries);
    }
    expect(names).toContainEqual(
      expect.objectContaining({ name: 'ä.txt', size: 1 })
    );
  });

  it('bring errors as errors', async () => {
    const manager = connect();
    await expect(
      manager.request('files.get', { path: 'missing' })
    ).rejects.toMatchObject({
      name: 'HubError',
      code: 'not_found',
      retryable: false
    });
    expect(manager.getConnectionStatus('main').state).toBe('connected');
  });

  it('go from one client to another, and over a break nothing is lost or doubled', async () => {
    const [ada, bob] = [connect(), connect()];
    const heard: string[] = [];
    let live = 0;
    ada.subscribe(
      'chat/general',
      {
        onEvent: event => heard.push(saidIn(event)),
        onLive: () => (live += 1)
      },
      'earliest'
    );
    await eventually('the replay is complete', () => live > 0);
    const post = (text: string) =>
      bob.request('chat.post', { room: 'general', text, id: `id-${text}` });
    const message = await post('1');
    expect(message).toMatchObject({
      text: '1',
      room: 'general',
      author: expect.any(Object)
    });
    await eventually('it has arrived', () => heard.length === 1);
    const before = sockets.length;
    // Break the connection of who listens: the first of the two sockets that are open.
    sockets.find(socket => socket.readyState === WebSocket.OPEN)?.terminate();
    await post('2');
    await post('3');
    await eventually('all have arrived', () => heard.length >= 3);
    await post('4');
    await eventually('all have arrived', () => heard.length >= 4);
    expect(heard).toEqual(['1', '2', '3', '4']);
    expect(sockets.length).toBe(before + 1);
    const late: string[] = [];
    ada.subscribe(
      'chat/general',
      { onEvent: event => late.push(saidIn(event)) },
      'earliest'
    );
    await eventually('the past has come', () => late.length >= 4);
    expect([late, heard]).toEqual([
      ['1', '2', '3', '4'],
      ['1', '2', '3', '4']
    ]);
  });

  it('of a topic without a log begin with its state', async () => {
    const manager = connect();
    const snapshots: unknown[] = [];
    manager.subscribe('status', {
      onEvent: () => undefined,
      onSnapshot: snapshot => snapshots.push(snapshot)
    });
    await eventually('the state has come', () => snapshots.length === 1);
    expect(snapshots[0]).toEqual(expect.any(Array));
  });

  it('go over the virtual socket, with the refs of its holder', async () => {
    const socket = await connect().connectMain();
    const frames: unknown[] = [];
    socket.onmessage = ({ data }) =>
      frames.push(...(JSON.parse(data as string) as unknown[]));
    socket.send('[{"type":"request","ref":5,"method":"chat.rooms"}]');
    socket.send('[{"type":"subscribe","ref":6,"topic":"chat/general"}]');
    await eventually('both are answered', () => frames.length >= 2);
    expect(frames).toContainEqual({
      type: 'reply',
      ref: 5,
      result: {
        rooms: [
          expect.objectContaining({
            room: expect.objectContaining({ name: 'general' })
          })
        ]
      }
    });
    expect(frames).toContainEqual(
      expect.objectContaining({ type: 'subscribed', ref: 6 })
    );
    socket.close();
  });

  it('are refused to who is not logged in, for good', async () => {
    const manager = connect('wrong');
    const end = watch(manager.connectMain());
    await eventually('it is refused', () => end.settled);
    expect(end.error?.code).toBe('unauthenticated');
    expect(manager.getConnectionStatus('main').state).toBe('failed');
  });
});

describe("JupyterLab's own terminal on a real server", () => {
  async function open(Socket: typeof WebSocket) {
    const opened = await openTerminal(server, Socket);
    terminals.push(opened.terminal);
    return opened;
  }

  const ours = (manager: ConnectionManager) =>
    terminalWebSocket(
      name => manager.openTerminal(name),
      server.settings().WebSocket
    );

  /** A class of sockets that knows our endpoint, and nothing else of us. */
  const rewritten = () =>
    new Proxy(server.settings().WebSocket, {
      construct: (Plain, [url]: [string]) =>
        new Plain(url.replace('/terminals/websocket/', '/ws/terminal/'))
    });

  async function session(Socket: typeof WebSocket) {
    const { name, terminal, output, type } = await open(Socket);
    terminal.send({ type: 'set_size', content: [31, 97, 0, 0] });
    type('echo "out:$((40 + 2))"; stty size\r');
    await eventually('the command was run', () =>
      /out:42\r\n31 97/.test(output.text)
    );
    expect(terminal.connectionStatus).toBe('connected');
    jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    type('exit\r');
    await eventually('it has ended', () => terminal.isDisposed);
    await expect(server.rest('GET', 'terminals')).resolves.not.toContainEqual(
      expect.objectContaining({ name })
    );
  }

  it('runs over our socket in its place', async () => {
    const manager = connect();
    await session(ours(manager));
    expect(manager.getConnectionStatus('terminal').state).toBe('idle');
  });

  it('runs at our endpoint without anything of ours in the browser', async () => {
    await session(rewritten());
  });

  it('goes on after a break, and what was typed meanwhile is run', async () => {
    const manager = connect();
    const { name, terminal, output, type } = await open(ours(manager));
    type('mark=a$((1 + 1)); echo "$mark"\r');
    await eventually('the command was run', () => output.text.includes('a2'));
    const statuses: string[] = [];
    terminal.connectionStatusChanged.connect((_, status) =>
      statuses.push(status)
    );
    // It is away for no longer than the new socket takes: too short to be seen by looking now and then.
    const states: string[] = [];
    manager.statusChanged.connect((_, { service, state }) => {
      if (service === 'terminal') {
        states.push(state);
      }
    });
    sockets
      .filter(one => one.url.includes(`/ws/terminal/${name}`))
      .forEach(one => one.terminate());
    await eventually('it is away', () => states.includes('reconnecting'));
    output.text = '';
    type('echo "b$mark"\r');
    await eventually('it is back', () => output.text.includes('ba2'));
    expect(output.text).not.toContain('\u001bc');
    expect([statuses, terminal.connectionStatus]).toEqual([[], 'connected']);
  });

  it('that is gone ends, at once and without a hundred attempts', async () => {
    jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    const manager = connect();
    const serverSettings = server.settings({ WebSocket: ours(manager) });
    const terminal = new TerminalConnection({
      model: { name: 'gone' },
      serverSettings
    });
    terminals.push(terminal);
    await eventually('it has ended', () => terminal.isDisposed);
    expect(manager.getConnectionStatus('terminal').state).toBe('idle');
  });
});
