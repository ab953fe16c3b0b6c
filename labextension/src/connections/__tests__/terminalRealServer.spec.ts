import { readFileSync } from 'fs';
import { join } from 'path';

import { eventually, RealServer, sockets } from '../../testing/realServer';
import { IOpened, openTerminal } from '../../testing/realTerminal';
import { terminalWebSocket } from '../../terminals/manager';
import { ConnectionManager } from '../manager';
import { ITerminalNotice } from '../terminal';

jest.setTimeout(60_000);

let server: RealServer;
let manager: ConnectionManager;
let notices: ITerminalNotice[];
let opened: IOpened;

beforeAll(async () => {
  server = await RealServer.start();
});

afterAll(async () => {
  await server?.stop();
});

beforeEach(async () => {
  notices = [];
  const settings = server.settings();
  manager = new ConnectionManager({ settings, version: '1', available: true });
  manager.terminalNotices.connect((_, notice) => notices.push(notice));
  opened = await openTerminal(
    server,
    terminalWebSocket(name => manager.openTerminal(name), settings.WebSocket)
  );
  opened.type('PS1=; stty -echo; echo rea""dy\r');
  await eventually('the shell is there', () =>
    opened.output.text.includes('ready')
  );
  opened.output.text = '';
});

afterEach(() => {
  opened.terminal.dispose();
  manager.dispose();
  jest.restoreAllMocks();
});

/** Break the connection, so that nobody is told. */
function cut(): void {
  sockets
    .filter(({ url }) => url.includes(`/ws/terminal/${opened.name}`))
    .forEach(socket => socket.terminate());
}

const state = () => manager.getConnectionStatus('terminal', opened.name).state;

describe('A terminal of a real server', () => {
  it('speaks the binary protocol, and shows everything once over many breaks', async () => {
    expect(sockets[sockets.length - 1]?.protocol).toBe(
      'v1.terminal.jupyter-ws-hub'
    );
    opened.type('seq 1 100000; echo do""ne\r');
    const isDone = () => /done\r\n/.test(opened.output.text);
    let [breaks, next] = [0, 20_000];
    opened.terminal.messageReceived.connect(() => {
      if (opened.output.text.length > next && breaks < 200) {
        next = opened.output.text.length + 20_000;
        breaks += 1;
        // Between two frames, of which the second one is lost on its way.
        setTimeout(cut, 0);
      }
    });
    await eventually('all of it has come', isDone, 30_000);
    const numbers = opened.output.text.match(/\d+(?=\r\n)/g) ?? [];
    expect(numbers.findIndex((one, n) => one !== String(n + 1))).toBe(-1);
    expect(numbers.length).toBe(100_000);
    expect(opened.output.text).not.toContain('\u001bc');
    expect(breaks).toBeGreaterThan(3);
  });

  it('takes everything that is typed once over many breaks', async () => {
    const file = join(server.root, 'typed');
    opened.type(`echo beg""in; cat > '${file}'\r`);
    await eventually('it reads', () => opened.output.text.includes('begin'));
    const lines = Array.from({ length: 300 }, (_, n) => `${n} é€😀`);
    for (const [n, line] of lines.entries()) {
      opened.type(`${line}\r`);
      if (n % 15 === 0) {
        cut();
        await new Promise(resolve => setTimeout(resolve, n / 10));
      }
    }
    opened.type('\u0004');
    opened.type('echo do""ne\r');
    await eventually('all of it is done', () =>
      opened.output.text.includes('done')
    );
    const typed = readFileSync(file, 'utf-8');
    expect(typed).toBe(lines.map(line => `${line}\n`).join(''));
    expect(notices).toEqual([]);
  });

  it('is interrupted by Ctrl-C however much was pasted', async () => {
    opened.type('sleep 100\r');
    await new Promise(resolve => setTimeout(resolve, 300));
    opened.type('# pasted '.repeat(100_000));
    opened.type('\u0003');
    opened.type('\recho in""terrupted\r');
    await eventually('it was interrupted', () =>
      opened.output.text.includes('interrupted')
    );
    expect(state()).toBe('connected');
  });

  it.each([
    ['exit 3', 'exited with status 3', 1],
    ['exit 0', 'exited with status 0', 0],
    ['kill -9 $$', 'ended by signal 9 (SIGKILL)', 1]
  ])('shows how it ended: %s', async (command, line, count) => {
    jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    opened.type(`${command}\r`);
    await eventually('it has ended', () => opened.terminal.isDisposed);
    expect(opened.output.text).toContain(`[${line}]`);
    expect(notices.map(({ text }) => text)).toEqual(
      Array(count).fill(`Terminal ${opened.name}: ${line}.`)
    );
    expect(state()).toBe('idle');
  });

  it('that ended while the connection was away shows its rest and its status', async () => {
    jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    opened.type('sleep 0.3; echo la""st; exit 7\r');
    await new Promise(resolve => setTimeout(resolve, 100));
    cut();
    await eventually('it has ended', () => opened.terminal.isDisposed);
    expect(opened.output.text).toMatch(/last\r\n[^]*\[exited with status 7\]/);
  });
});
