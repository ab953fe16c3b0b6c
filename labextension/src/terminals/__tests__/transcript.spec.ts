/**
 * JupyterLab's own `TerminalConnection` at a stock server, and at the stock endpoint and our JSON one of a server with
 * the extension: the same session gives the same messages, to the byte.
 */
import { TerminalConnection } from '@jupyterlab/services/lib/terminal/default';

import { eventually, RealServer } from '../../testing/realServer';

jest.setTimeout(60_000);

const STOCK_PATH = '/terminals/websocket/';
/** Which server, and which path on it. */
const ENDPOINTS = {
  stock: { extension: false, path: STOCK_PATH },
  shared: { extension: true, path: STOCK_PATH },
  ours: { extension: true, path: '/ws/terminal/' }
};
type Endpoint = keyof typeof ENDPOINTS;
const PROMPT = 'prompt> ';
/** dash, which edits no line: what is shown depends on what is typed alone. */
const SHELL = `exec env PS1='${PROMPT}' /bin/sh\r`;

const servers = new Map<boolean, RealServer>();
let closing: (() => void)[] = [];

beforeAll(async () => {
  for (const extension of [false, true]) {
    servers.set(extension, await RealServer.start(extension));
  }
});

afterAll(async () => {
  for (const server of servers.values()) {
    await server.stop();
  }
});

beforeEach(() => {
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  jest.spyOn(console, 'error').mockImplementation(() => undefined);
});

afterEach(() => {
  closing.forEach(close => close());
  closing = [];
  jest.restoreAllMocks();
});

const serverOf = (endpoint: Endpoint) =>
  servers.get(ENDPOINTS[endpoint].extension)!;

/** A new terminal's name. */
async function makeTerminal(endpoint: Endpoint): Promise<string> {
  const model = await serverOf(endpoint).rest('POST', 'terminals');
  return (model as { name: string }).name;
}

/** What comes over one endpoint of one terminal to JupyterLab, and what it makes of it. */
class Session {
  /** The text of each frame, of all connections. */
  readonly frames: string[] = [];
  readonly statuses: string[] = [];
  readonly connection: TerminalConnection;
  text = '';
  private _messages: string[] = [];

  constructor(name: string, endpoint: Endpoint) {
    const { frames } = this;
    const server = serverOf(endpoint);
    const Plain = server.settings().WebSocket;
    const Recording = new Proxy(Plain, {
      construct: (_, [url]: [string]) => {
        const socket = new Plain(
          url.replace(STOCK_PATH, ENDPOINTS[endpoint].path)
        );
        socket.addEventListener('message', event => {
          frames.push(String(event.data));
        });
        return socket;
      }
    });
    this.connection = new TerminalConnection({
      model: { name },
      serverSettings: server.settings({ WebSocket: Recording })
    });
    closing.push(() => this.connection.dispose());
    this.connection.connectionStatusChanged.connect((_, status) => {
      this.statuses.push(status);
    });
    this.connection.messageReceived.connect((_, { type, content }) => {
      if (type === 'stdout') {
        this.text += String(content?.[0]);
      }
      this._messages.push(type);
    });
  }

  /** The messages in their order; where one output ends and the next begins is chance. */
  get kinds(): string[] {
    return this._messages.filter(
      (kind, at, all) => kind !== 'stdout' || all[at - 1] !== 'stdout'
    );
  }

  /** The output as it stood in the frames, with the escapes of JSON. */
  get raw(): string {
    return this.frames
      .filter(frame => frame.startsWith('["stdout", "'))
      .map(frame => frame.slice('["stdout", "'.length, -'"]'.length))
      .join('');
  }

  /** The frames that are no output. */
  get others(): string[] {
    return this.frames.filter(frame => !frame.startsWith('["stdout", "'));
  }

  send(type: 'stdin' | 'set_size' | 'stdout', ...content: unknown[]): void {
    this.connection.send({ type, content: content as string[] });
  }

  /** Type a line; returns when the prompt after its output is there. */
  async run(line: string): Promise<void> {
    const before = this.text.length;
    this.send('stdin', `${line}\r`);
    await eventually(`the prompt after ${line}`, () =>
      this.text.slice(before).endsWith(`\r\n${PROMPT}`)
    );
  }

  /** Forget what came until now, with the shell at its prompt. */
  async begin(): Promise<void> {
    await eventually('the first prompt', () => /[$#] $/.test(this.text));
    this.send('stdin', SHELL);
    await eventually('the shell', () => this.text.endsWith(PROMPT));
    this.text = '';
    this.frames.length = 0;
    this._messages = [];
  }

  transcript(): unknown {
    const { kinds, text, raw, others, statuses } = this;
    return { kinds, text, raw, others, statuses };
  }
}

/** The transcripts of one session are the same at all endpoints, each with a terminal of its own; gives ours. */
async function everywhere(
  play: (session: Session, name: string, endpoint: Endpoint) => Promise<void>,
  others: Endpoint[] = ['stock', 'shared']
): Promise<Session> {
  const played = async (endpoint: Endpoint) => {
    const name = await makeTerminal(endpoint);
    const session = new Session(name, endpoint);
    await session.begin();
    await play(session, name, endpoint);
    return session;
  };
  const ours = await played('ours');
  for (const endpoint of others) {
    const other = await played(endpoint);
    expect(ours.transcript()).toEqual(other.transcript());
  }
  return ours;
}

describe('JupyterLab sees the same at our endpoint and at the stock one', () => {
  it('of commands, escapes, bytes that are no text, and text from all over', async () => {
    const ours = await everywhere(async session => {
      await session.run("printf '%s\\n' 'a\"b\\c/d'");
      await session.run("printf '\\000\\001\\033[1mbold\\033[0m\\010\\177\\n'");
      await session.run("printf '\\303\\244\\377\\360\\237\\230\\200\\n'");
      await session.run("printf '\\342\\202'; sleep 0.2; printf '\\254\\n'");
      await session.run("printf '\\342\\200\\250<script>\\n'");
      await session.run('echo ä ß 漢字 😀');
    });
    expect(ours.text).toContain('ä\ufffd😀\r\n');
    expect(ours.text).toContain('\r\n€\r\n');
    expect(ours.raw).toContain('\\ud83d\\ude00');
  });

  it('of more output than one frame holds', async () => {
    const ours = await everywhere(async session => {
      await session.run('seq 1 30000');
    });
    expect(ours.text).toContain('\r\n30000\r\n');
  });

  it('of a size', async () => {
    const ours = await everywhere(async session => {
      session.send('set_size', 31, 97, 600, 800);
      await session.run('stty size');
      session.send('set_size', 20, 40, 0, 0);
      await session.run('stty size');
    });
    expect(ours.text).toContain('31 97\r\n');
    expect(ours.text).toContain('20 40\r\n');
  });

  it('of a size that is none, as of a widget that is not shown', async () => {
    await everywhere(async session => {
      session.send('set_size', 31, 97, 600, 800);
      await session.run('stty size');
      session.send('set_size', null, null, 0, 0);
      await session.run('echo still here');
    });
  });

  it('of messages of a kind that it does not know', async () => {
    const ours = await everywhere(async session => {
      session.send('stdout', 'nothing that a client says');
      await session.run('echo still here');
    });
    expect(ours.statuses).toEqual(['connected']);
  });

  it('of half a character', async () => {
    // A stock server drops the connection over it.
    const ours = await everywhere(
      session => session.run('echo \ud83dx'),
      ['shared']
    );
    expect(ours.statuses).toEqual(['connected']);
  });

  it('of the history, on a second connection', async () => {
    const seconds = new Map<Endpoint, Session>();
    await everywhere(async (session, name, endpoint) => {
      await session.run('echo before ä 😀');
      const second = new Session(name, endpoint);
      seconds.set(endpoint, second);
      await eventually('the history has come', () =>
        second.text.endsWith(PROMPT)
      );
      await session.run('echo seen by both');
      await eventually('it has come', () =>
        second.text.endsWith(`seen by both\r\n${PROMPT}`)
      );
    });
    const since = (text: string) => text.slice(text.indexOf(PROMPT));
    const seen = (endpoint: Endpoint) => {
      const { text, raw, kinds, others, frames } = seconds.get(endpoint)!;
      return [since(text), since(raw), kinds, others, frames[0]];
    };
    expect(seen('shared')).toEqual(seen('stock'));
    expect(seen('ours')).toEqual(seen('stock'));
    expect(seconds.get('ours')!.frames[1]).toContain(
      'before \\u00e4 \\ud83d\\ude00\\r\\n'
    );
  });

  it('of the end', async () => {
    const ours = await everywhere(async session => {
      await session.run('echo last');
      session.send('stdin', 'exit\r');
      await eventually('it has ended', () => session.connection.isDisposed);
    });
    expect(ours.others).toEqual(['["disconnect", 1]']);
  });

  it('of the end by DELETE', async () => {
    const ours = await everywhere(async (session, name, endpoint) => {
      await serverOf(endpoint).rest('DELETE', 'terminals', name);
      await eventually('it has ended', () => session.connection.isDisposed);
    });
    expect(ours.others).toEqual(['["disconnect", 1]']);
  });
});

it('The code of the close after the end is the same', async () => {
  const codes: number[] = [];
  for (const endpoint of Object.keys(ENDPOINTS) as Endpoint[]) {
    const name = await makeTerminal(endpoint);
    const { wsUrl, token, WebSocket: Plain } = serverOf(endpoint).settings();
    const path = `${ENDPOINTS[endpoint].path.slice(1)}${name}`;
    const socket = new Plain(`${wsUrl}${path}?token=${token}`);
    closing.push(() => socket.close());
    const before = codes.length;
    socket.addEventListener('close', ({ code }) => codes.push(code));
    socket.addEventListener('open', () => socket.send('["stdin", "exit\\r"]'));
    await eventually('it has closed', () => codes.length > before);
  }
  expect(codes).toEqual([codes[0], codes[0], codes[0]]);
});
