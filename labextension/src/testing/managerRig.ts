/**
 * A connection manager on a server in memory.
 */
import {
  ConnectionManager,
  IConnectionManagerOptions
} from '../connections/manager';
import { Verdict } from '../connections/transport';
import { IConnectionStatus } from '../tokens';
import { FakeServer } from './fakeServer';
import { FakeSocket } from './fakeSocket';
import { FakeTerminal } from './fakeTerminal';
import { settingsWith, until, watch } from './tools';

const all: ConnectionManager[] = [];

export class ManagerRig {
  readonly server = new FakeServer();
  readonly manager: ConnectionManager;
  readonly statuses: IConnectionStatus[] = [];
  verdict: Verdict = 'retry';
  /** What the server answers over HTTP. */
  httpStatus = 200;
  readonly urls: string[] = [];

  constructor(options: Partial<IConnectionManagerOptions> = {}) {
    this.server.onOpen = socket => this._terminal(socket)?.open(socket);
    this.server.onFrame = (socket, frame) =>
      this._terminal(socket)?.frame(socket, frame);
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

  /** The terminals of the server, by name. */
  readonly terminals = new Map<string, FakeTerminal>();

  private _terminal(socket: FakeSocket): FakeTerminal | null {
    const [service, name = ''] = socket.path;
    if (service !== 'terminal') {
      return null;
    }
    const terminal = this.terminals.get(name) ?? new FakeTerminal();
    this.terminals.set(name, terminal);
    return terminal;
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

/** Dispose every manager that a test has made. */
export function disposeAll(): void {
  all.splice(0).forEach(manager => manager.dispose());
}
