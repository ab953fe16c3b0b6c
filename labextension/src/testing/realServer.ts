/**
 * A real Jupyter server process on loopback with the extension on; the counterpart of tests/support/server.py.
 */
import { ChildProcess, spawn } from 'child_process';
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'fs';
import { createServer } from 'net';
import { tmpdir } from 'os';
import { join } from 'path';

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

const REPOSITORY = join(__dirname, '..', '..', '..');
const TOKEN = 'test-token';
const READY_MS = 40_000;
const STOP_MS = 10_000;

/** Wait, in real time, until something holds; fails when it does not within `limitMs`. */
export async function eventually(
  what: string,
  holds: () => boolean,
  limitMs = 15_000
): Promise<void> {
  const endMs = Date.now() + limitMs;
  while (!holds()) {
    if (Date.now() > endMs) {
      throw new Error(`Within ${limitMs} ms this did not hold: ${what}`);
    }
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}

/** What the npm package `ws` has beside the face of a browser's WebSocket. */
interface INodeSocket extends WebSocket {
  /** Destroy the connection without a close frame. */
  terminate(): void;
}

const NodeSocket =
  jest.requireActual<
    new (url: string | URL, protocols?: string | string[]) => INodeSocket
  >('ws');

/** Every socket that was made here, for a test to break. */
export const sockets: INodeSocket[] = [];

/** The WebSocket of the npm package `ws`; like a browser's it throws nothing where an upgrade is refused. */
class TestSocket extends (NodeSocket as typeof NodeSocket) {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols);
    this.addEventListener('error', () => undefined);
    sockets.push(this);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

export class RealServer {
  private constructor(
    private readonly _base: string,
    private readonly _port: number,
    private readonly _process: ChildProcess
  ) {}

  /** Start one and wait until it answers; without the extension it is a stock one. */
  static async start(extension = true): Promise<RealServer> {
    const base = mkdtempSync(join(tmpdir(), 'jupyter-ws-hub-'));
    for (const folder of ['root', 'data', 'config', 'runtime']) {
      mkdirSync(join(base, folder));
    }
    const port = await freePort();
    const config = join(base, 'config', 'test_config.py');
    writeFileSync(
      config,
      [
        `c.ServerApp.jpserver_extensions = {'jupyter_ws_hub': ${extension ? 'True' : 'False'}, 'jupyter_server_terminals': True}`,
        `c.IdentityProvider.token = ${JSON.stringify(TOKEN)}`,
        `c.ServerApp.root_dir = ${JSON.stringify(join(base, 'root'))}`,
        `c.ServerApp.port = ${port}`,
        'c.ServerApp.port_retries = 0',
        "c.ServerApp.ip = '127.0.0.1'",
        'c.ServerApp.open_browser = False',
        'c.ServerApp.allow_root = True',
        'c.ServerApp.allow_unauthenticated_access = False',
        "c.ServerApp.terminado_settings = {'shell_command': ['/bin/bash', '--norc']}",
        ''
      ].join('\n')
    );
    const log = openSync(join(base, 'server.log'), 'a');
    const python = join(REPOSITORY, '.venv', 'bin', 'python');
    const child = spawn(
      python,
      ['-m', 'jupyter', 'server', '--config', config],
      {
        cwd: REPOSITORY,
        env: {
          ...process.env,
          // This tree's server half, and not one that is installed elsewhere.
          PYTHONPATH: REPOSITORY,
          JUPYTER_DATA_DIR: join(base, 'data'),
          JUPYTER_CONFIG_DIR: join(base, 'config'),
          JUPYTER_RUNTIME_DIR: join(base, 'runtime'),
          PYTHONWARNINGS: 'ignore'
        },
        stdio: ['ignore', log, log]
      }
    );
    const server = new RealServer(base, port, child);
    await server._ready();
    return server;
  }

  /** The directory that the server serves. */
  get root(): string {
    return join(this._base, 'root');
  }

  /** What the server has written so far. */
  get log(): string {
    return readFileSync(join(this._base, 'server.log'), 'utf-8');
  }

  /** Settings of a client of this server. */
  settings(
    more: Partial<ServerConnection.ISettings> = {}
  ): ServerConnection.ISettings {
    return ServerConnection.makeSettings({
      baseUrl: `http://127.0.0.1:${this._port}/`,
      wsUrl: `ws://127.0.0.1:${this._port}/`,
      token: TOKEN,
      appendToken: true,
      WebSocket: TestSocket as unknown as typeof WebSocket,
      ...more
    });
  }

  /** Ask the REST API. */
  async rest(method: string, ...path: string[]): Promise<unknown> {
    const settings = this.settings();
    const url = URLExt.join(settings.baseUrl, 'api', ...path);
    const response = await ServerConnection.makeRequest(
      url,
      { method },
      settings
    );
    const text = await response.text();
    return text === '' ? null : (JSON.parse(text) as unknown);
  }

  /** End the process, by SIGKILL if it does not end by itself, and remove its files. */
  async stop(): Promise<void> {
    const ended = new Promise(resolve => this._process.once('exit', resolve));
    if (this._process.exitCode === null) {
      this._process.kill('SIGTERM');
      const late = setTimeout(() => this._process.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(late);
    }
    rmSync(this._base, { recursive: true, force: true });
  }

  private async _ready(): Promise<void> {
    const endMs = Date.now() + READY_MS;
    while (Date.now() < endMs && this._process.exitCode === null) {
      try {
        await this.rest('GET', 'status');
        return;
      } catch (error) {
        await new Promise(resolve => setTimeout(resolve, 50));
      }
    }
    const { log } = this;
    await this.stop();
    throw new Error(`The server did not start:\n${log}`);
  }
}
