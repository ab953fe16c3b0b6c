/**
 * The connection manager: owns every connection of this tab to the server half, and knows the state of each.
 */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { closeError, HubError } from '../protocol/errors';
import {
  Event,
  MethodName,
  Methods,
  StreamName,
  Streams
} from '../protocol/generated';
import {
  ConnectionState,
  IConnectionManager,
  IConnectionStatus,
  IRequestOptions,
  ISubscriber,
  Service,
  Since,
  TopicEvent
} from '../tokens';
import { FileStreamSocket, IFileStreamLink, StreamStatus } from './fileStream';
import { MainConnection } from './main';
import { SocketFace } from './socket';
import { StatusBook } from './status';
import { ITerminalNotice, TerminalSocket } from './terminal';
import { ScreenBook } from './terminalScreen';
import {
  Ask,
  askServer,
  Connect,
  socketUrl,
  webSocketTransport
} from './transport';
import { VirtualMainSocket } from './virtual';

/** What the manager needs; all but the settings and the version is for tests. */
export interface IConnectionManagerOptions {
  settings: ServerConnection.ISettings;
  version: string;
  /** Whether the server half is there; without it nothing connects. */
  available: boolean;
  connect?: Connect;
  ask?: Ask;
}

/** The states of a terminal's connection whose name another one may take. */
const FREE: ReadonlySet<ConnectionState> = new Set(['idle', 'failed'] as const);

export class ConnectionManager implements IConnectionManager, IDisposable {
  constructor(private readonly _options: IConnectionManagerOptions) {
    const { settings, version } = _options;
    this._connect = _options.connect ?? webSocketTransport(settings);
    this._ask = _options.ask ?? askServer(settings);
    const { _connect: connect, _ask: ask, _book: book } = this;
    this._main = new MainConnection({ connect, ask, book, version });
    this._book.changed.connect((_, status) => this._statusChanged.emit(status));
    if (typeof window !== 'undefined') {
      window.addEventListener('online', this._wake);
      // Back from the browser's cache of pages, where sockets die without a word.
      window.addEventListener('pageshow', this._wake);
      document.addEventListener('visibilitychange', this._wake);
    }
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  get statusChanged(): ISignal<this, IConnectionStatus> {
    return this._statusChanged;
  }

  /** What the users of terminals should hear of. */
  get terminalNotices(): ISignal<this, ITerminalNotice> {
    return this._terminalNotices;
  }

  async connectMain(): Promise<WebSocket> {
    this._requireServer();
    await this._main.connect();
    return new VirtualMainSocket(
      socketUrl(this._options.settings, []),
      this._main
    );
  }

  async connectTerminal(terminalId: string): Promise<WebSocket> {
    return whenOpen(this.openTerminal(terminalId));
  }

  /** As `connectTerminal`, without waiting until it is open: for code that wants to listen itself. */
  openTerminal(terminalId: string): WebSocket {
    this._requireServer();
    const { settings } = this._options;
    const { _connect: connect, _ask: ask, _book: book } = this;
    const socket = new TerminalSocket(terminalId, this._nameFor(terminalId), {
      settings,
      connect,
      ask,
      book,
      screens: this.screens,
      notice: notice => this._terminalNotices.emit(notice),
      exists: name => this._terminalExists(name)
    });
    this._terminals.add(socket);
    socket.addEventListener('close', () => this._terminals.delete(socket));
    return socket;
  }

  async connectFileStream(operationId: string): Promise<WebSocket> {
    this._requireServer();
    const { settings } = this._options;
    const { _connect: connect, _book: book } = this;
    const socket = new FileStreamSocket(operationId, {
      settings,
      connect,
      book
    });
    try {
      return await whenOpen(socket);
    } catch (error) {
      // Nobody holds it: nothing is to be shown of it.
      socket.close();
      throw error;
    }
  }

  /** As `connectFileStream`, for code that opens the socket itself and tells how it is. */
  fileStreamLink(operationId: string): IFileStreamLink {
    this._requireServer();
    return {
      url: socketUrl(this._options.settings, ['file-stream', operationId]),
      status: new StreamStatus(operationId, this._book),
      ask: this._ask
    };
  }

  getConnectionStatus(service: Service, id?: string): IConnectionStatus {
    return this._book.get(service, id);
  }

  /** A person wants the file streams to connect now: that of an operation, or all. Who uses them connects them. */
  get streamsHurried(): ISignal<this, string | null> {
    return this._streamsHurried;
  }

  reconnect(service: Service, id?: string): void {
    switch (service) {
      case 'main':
        this._main.probe();
        break;
      case 'terminal':
        this._terminals.forEach(terminal => {
          if (id === undefined || terminal.id === id) {
            terminal.hurry();
          }
        });
        break;
      case 'file-stream':
        this._streamsHurried.emit(id ?? null);
        break;
    }
  }

  measure(): void {
    this._main.measure();
  }

  async request<M extends MethodName>(
    method: M,
    params: Methods[M]['params'],
    options?: IRequestOptions
  ): Promise<Methods[M]['result']> {
    this._requireServer();
    const result = await this._main.request(method, params, options);
    return result as Methods[M]['result'];
  }

  stream<S extends StreamName>(
    method: S,
    params: Streams[S]['params'],
    options?: IRequestOptions
  ): AsyncIterable<Streams[S]['item']> {
    this._requireServer();
    const items = this._main.streams.open(method, params, options);
    return items as AsyncIterable<Streams[S]['item']>;
  }

  subscribe<T extends string>(
    topic: T,
    subscriber: ISubscriber<T>,
    since: Since = 'latest'
  ): IDisposable {
    this._requireServer();
    return this._main.subscribe(
      topic,
      {
        onEvent: event => subscriber.onEvent(typed<T>(event)),
        onSnapshot: (snapshot, reason) =>
          subscriber.onSnapshot?.(snapshot as never, reason),
        onLive: () => subscriber.onLive?.(),
        onError: error => {
          if (subscriber.onError) {
            subscriber.onError(error);
          } else if (!this._disposed) {
            console.error(`The topic ${topic} cannot be followed.`, error);
          }
        }
      },
      since
    );
  }

  /** Close everything; the server frees the session. */
  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    if (typeof window !== 'undefined') {
      window.removeEventListener('online', this._wake);
      window.removeEventListener('pageshow', this._wake);
      document.removeEventListener('visibilitychange', this._wake);
    }
    this._main.close();
    [...this._terminals].forEach(terminal => terminal.close());
    Signal.clearData(this);
  }

  private _requireServer(): void {
    if (this._disposed) {
      throw HubError.of('unavailable', 'The connection manager was closed.');
    }
    if (!this._options.available) {
      throw HubError.of(
        'unavailable',
        'The server half of jupyter_ws_hub is not installed or not enabled on this server.'
      );
    }
  }

  /** Two views of one terminal have a status each. */
  private _nameFor(terminalId: string): string {
    const open = (id: string) =>
      !FREE.has(this._book.get('terminal', id).state);
    let id = terminalId;
    for (let n = 2; open(id); n++) {
      id = `${terminalId} (${n})`;
    }
    return id;
  }

  private async _terminalExists(name: string): Promise<boolean | null> {
    const { settings } = this._options;
    const path = ['api', 'terminals', encodeURIComponent(name)];
    try {
      const url = URLExt.join(settings.baseUrl, ...path);
      const response = await ServerConnection.makeRequest(url, {}, settings);
      return response.status === 404 ? false : response.ok ? true : null;
    } catch (error) {
      return null;
    }
  }

  private readonly _wake = (): void => {
    if (document.visibilityState !== 'hidden') {
      this._main.probe();
      this._terminals.forEach(terminal => terminal.hurry());
    }
  };

  /** Where terminals are seen; filled by who knows. */
  readonly screens = new ScreenBook();
  private readonly _connect: Connect;
  private readonly _ask: Ask;
  private readonly _book = new StatusBook();
  private readonly _main: MainConnection;
  private readonly _terminals = new Set<TerminalSocket>();
  private readonly _terminalNotices = new Signal<this, ITerminalNotice>(this);
  private readonly _streamsHurried = new Signal<this, string | null>(this);
  private readonly _statusChanged = new Signal<this, IConnectionStatus>(this);
  private _disposed = false;
}

function typed<T extends string>(event: Event): TopicEvent<T> {
  const { kind, data, id, time, offset } = event;
  return { kind, data, id, time, offset } as TopicEvent<T>;
}

/** Resolves when a socket is open, rejects if it closes before. */
function whenOpen(socket: SocketFace | WebSocket): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(socket), { once: true });
    socket.addEventListener(
      'close',
      event => {
        const { code, reason } = event as CloseEvent;
        reject(closeError(code, reason || 'The connection was lost.'));
      },
      { once: true }
    );
  });
}
