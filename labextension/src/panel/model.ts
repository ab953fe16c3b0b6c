/**
 * What the panel and the status item show: the connections' states and the transfers.
 */
import { ISignal, Signal } from '@lumino/signaling';
import { IDisposable } from '@lumino/disposable';

import {
  ConnectionState,
  IConnectionManager,
  IConnectionStatus,
  ITransfer,
  ITransferManager,
  Service
} from '../tokens';

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

export class PanelModel implements IDisposable {
  constructor(
    private readonly _connections: IConnectionManager,
    private readonly _transfers: ITransferManager
  ) {
    _connections.statusChanged.connect(this._onStatus, this);
    _transfers.changed.connect(this._onTransfers, this);
  }

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

  /** Cancel a transfer. */
  cancel(id: string): Promise<void> {
    return this._transfers.cancel(id);
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      Signal.clearData(this);
      this._connections.statusChanged.disconnect(this._onStatus, this);
      this._transfers.changed.disconnect(this._onTransfers, this);
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

  private _onTransfers(): void {
    this._changed.emit();
  }

  private readonly _open = new Map<string, IConnectionStatus>();
  private readonly _changed = new Signal<this, void>(this);
  private _disposed = false;
}
