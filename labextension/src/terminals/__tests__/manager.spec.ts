import { PageConfig } from '@jupyterlab/coreutils';
import {
  ServerConnection,
  Terminal,
  TerminalManager
} from '@jupyterlab/services';

import { settingsWith } from '../../testing/tools';
import { makeTerminalManager, terminalWebSocket } from '../manager';

/** Keeps what it was made with. */
class PlainSocket {
  static all: PlainSocket[] = [];
  readonly arguments: unknown[];

  constructor(...args: unknown[]) {
    this.arguments = args;
    PlainSocket.all.push(this);
  }

  close(): void {
    // Nothing was opened.
  }
}

const Plain = PlainSocket as unknown as typeof WebSocket;
const OURS = { close: () => undefined } as unknown as WebSocket;

let opened: string[];
const open = (name: string) => {
  opened.push(name);
  return OURS;
};

beforeEach(() => {
  opened = [];
  PlainSocket.all = [];
});

describe("The WebSocket that JupyterLab's terminals get", () => {
  const Socket = terminalWebSocket(open, Plain);

  it.each([
    ['ws://h/terminals/websocket/1', '1'],
    ['ws://h/user/ada/terminals/websocket/2?token=x', '2'],
    ['wss://h:8888/terminals/websocket/a%20b%2F%C3%BC', 'a b/ü']
  ])('is ours for a terminal: %s', (url, name) => {
    expect(new Socket(url)).toBe(OURS);
    expect(new Socket(new URL(url))).toBe(OURS);
    expect([opened, PlainSocket.all]).toEqual([[name, name], []]);
  });

  it.each([
    'ws://h/api/kernels/1/channels',
    'ws://h/terminals/websocket',
    'ws://h/lsp/ws/python',
    'ws://h/ws'
  ])('is a plain one elsewhere: %s', url => {
    const socket = new Socket(url, ['p', 'q']);
    expect(socket).toBeInstanceOf(PlainSocket);
    expect(PlainSocket.all[0]?.arguments).toEqual([url, ['p', 'q']]);
    expect(opened).toEqual([]);
  });

  it('has the constants of the plain one', () => {
    const Real = terminalWebSocket(open, WebSocket);
    expect([Real.CONNECTING, Real.OPEN, Real.CLOSED]).toEqual([0, 1, 3]);
  });
});

describe("JupyterLab's terminal manager", () => {
  const settings = () =>
    settingsWith(undefined, {
      WebSocket: Plain,
      fetch: async () => new Response('[]', { status: 200 })
    });
  let managers: Terminal.IManager[] = [];

  function make(openTerminal: typeof open | null, isConnected = () => true) {
    const given: ServerConnection.ISettings = settings();
    const manager = makeTerminalManager(given, openTerminal, isConnected);
    managers.push(manager);
    return { given, manager };
  }

  beforeEach(() => {
    PageConfig.setOption('terminalsAvailable', 'true');
  });

  afterEach(async () => {
    for (const manager of managers) {
      await manager.ready.catch(() => undefined);
      manager.dispose();
    }
    managers = [];
    PageConfig.setOption('terminalsAvailable', '');
  });

  it('runs its terminals over our sockets', async () => {
    const { manager } = make(open);
    expect(manager).toBeInstanceOf(TerminalManager);
    const connection = manager.connectTo({ model: { name: 'a b' } });
    expect([opened, PlainSocket.all]).toEqual([['a b'], []]);
    connection.dispose();
  });

  it('stays as it is where the server half is missing', () => {
    const { given, manager } = make(null);
    expect(manager).toBeInstanceOf(TerminalManager);
    expect(manager.serverSettings).toBe(given);
    const connection = manager.connectTo({ model: { name: '1' } });
    expect(PlainSocket.all[0]?.arguments).toEqual([
      'ws://hub.test/base/terminals/websocket/1'
    ]);
    connection.dispose();
  });

  it('keeps every other setting', () => {
    const { given, manager } = make(open);
    const { WebSocket: ours, ...rest } = manager.serverSettings;
    const { WebSocket: plain, ...before } = given;
    expect(rest).toEqual(before);
    expect(ours).not.toBe(plain);
  });

  it('does nothing where the server has no terminals', () => {
    PageConfig.setOption('terminalsAvailable', 'false');
    expect(make(open).manager).toBeInstanceOf(TerminalManager.NoopManager);
    expect(make(null).manager).toBeInstanceOf(TerminalManager.NoopManager);
  });
});
