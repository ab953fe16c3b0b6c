/**
 * What the panel and the status item show: the connections' states and the transfers, and beside them the parts that
 * tell of their changes themselves.
 */
import { ISignal, Signal } from '@lumino/signaling';
import { IDisposable } from '@lumino/disposable';

import { HubError } from '../protocol/errors';
import {
  ConnectionState,
  IConnectionManager,
  IConnectionStatus,
  ITransfer,
  ITransferManager,
  IUploadItem,
  Service
} from '../tokens';
import { NotificationList } from './notificationList';
import { Plots } from './plots';
import { ServerModel } from './serverModel';

/** The services in the order in which they are shown. */
export const SERVICES: readonly Service[] = ['main', 'terminal', 'file-stream'];

const WORST_FIRST: readonly ConnectionState[] = [
  'failed',
  'disconnected',
  'reconnecting',
  'connecting',
  'connected',
  'idle'
];

/** States of a transfer to which nothing more happens by itself. */
export const ENDED: ReadonlySet<ITransfer['state']> = new Set([
  'done',
  'failed',
  'cancelled'
] as const);

export class PanelModel implements IDisposable {
  /** `onError` is told what went wrong with something that the user wanted. */
  constructor(
    private readonly _connections: IConnectionManager,
    private readonly _transfers: ITransferManager,
    private readonly _onError: (error: Error) => void
  ) {
    _connections.statusChanged.connect(this._onStatus, this);
    _transfers.changed.connect(this._onTransfers, this);
    this.server = new ServerModel(_connections);
    this.plots = new Plots(_connections, _transfers);
    this.notifications = new NotificationList(_connections, _onError);
  }

  readonly server: ServerModel;
  readonly plots: Plots;
  readonly notifications: NotificationList;

  /** Emitted when there is something new to show. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** A service's state: the worst of its connections. */
  status(service: Service): IConnectionStatus {
    return this._connections.getConnectionStatus(service);
  }

  /** The open connections of a service that have a name, by name. */
  connections(service: Service): IConnectionStatus[] {
    return [...this._open.values()]
      .filter(status => status.service === service)
      .sort((a, b) => (a.id ?? '').localeCompare(b.id ?? ''));
  }

  /** The worst state of all services. */
  get worst(): ConnectionState {
    const states = SERVICES.map(service => this.status(service).state);
    return WORST_FIRST.find(state => states.includes(state)) ?? 'idle';
  }

  /** Transfers, newest first. */
  get transfers(): ITransfer[] {
    return [...this._transfers.transfers].reverse();
  }

  /** Whether there is something for `clearEnded`. */
  get hasEnded(): boolean {
    return this._transfers.transfers.some(({ state }) => ENDED.has(state));
  }

  /** The panel is looked at, or not: then nothing is measured and asked for it. */
  watch(isWatched: boolean): void {
    this.server.watch(isWatched);
    this.plots.watch(isWatched);
  }

  /** Connect now; null: all connections of the service. */
  reconnect(service: Service, id: string | null): void {
    this._connections.reconnect(service, id ?? undefined);
  }

  pause(id: string): void {
    this._try(this._transfers.pause(id));
  }

  resume(id: string): void {
    this._try(this._transfers.resume(id));
  }

  cancel(id: string): void {
    this._try(this._transfers.cancel(id));
  }

  retry(id: string): void {
    this._try(this._transfers.retry(id));
  }

  forget(id: string): void {
    this._try(this._transfers.forget(id));
  }

  /** Take all that have ended out of the list. */
  clearEnded(): void {
    this._transfers.transfers
      .filter(({ state }) => ENDED.has(state))
      .forEach(({ id }) => this.forget(id));
  }

  /**
   * Let a transfer go on whose file the page may not read any more: the browser asks for permission where it can;
   * else `choose` lets the user choose the file again. Must be called by a click.
   */
  goOn(
    id: string,
    choose: () => Promise<File | readonly IUploadItem[] | null>
  ): void {
    const provide = async (error: Error) => {
      if (!(error instanceof HubError) || error.code !== 'unsupported') {
        throw error;
      }
      const chosen = await choose();
      if (chosen) {
        await this._transfers.provide(id, chosen);
      }
    };
    this._try(this._transfers.resume(id).catch(provide));
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      Signal.clearData(this);
      this._connections.statusChanged.disconnect(this._onStatus, this);
      this._transfers.changed.disconnect(this._onTransfers, this);
      this.server.dispose();
      this.plots.dispose();
      this.notifications.dispose();
    }
  }

  private _onStatus(_: IConnectionManager, status: IConnectionStatus): void {
    if (status.id !== null) {
      const key = `${status.service}/${status.id}`;
      if (status.state === 'idle') {
        this._open.delete(key);
      } else {
        this._open.set(key, status);
      }
    }
    this._changed.emit();
  }

  private _try(done: Promise<void>): void {
    done.catch(this._onError);
  }

  private _onTransfers(): void {
    this._changed.emit();
  }

  private readonly _open = new Map<string, IConnectionStatus>();
  private readonly _changed = new Signal<this, void>(this);
  private _disposed = false;
}
