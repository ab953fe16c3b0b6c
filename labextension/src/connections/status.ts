/**
 * Keeps the status of every connection and tells of changes.
 */
import { ISignal, Signal } from '@lumino/signaling';

import { ConnectionState, IConnectionStatus, Service } from '../tokens';

/** From best to worst; of a service with several connections the worst one counts. */
const BADNESS: readonly ConnectionState[] = [
  'idle',
  'connected',
  'connecting',
  'reconnecting',
  'disconnected',
  'failed'
];

/** What can change in a status. */
export type StatusChange = Partial<
  Pick<IConnectionStatus, 'state' | 'attempts' | 'lastError' | 'roundTripMs'>
>;

export class StatusBook {
  constructor(private readonly _now: () => number = Date.now) {}

  /** Emitted with the new status. */
  get changed(): ISignal<this, IConnectionStatus> {
    return this._changed;
  }

  /** A connection's status, or the worst one of a service. */
  get(service: Service, id?: string): IConnectionStatus {
    if (id !== undefined) {
      return this._statuses.get(key(service, id)) ?? idle(service, id);
    }
    let worst: IConnectionStatus | null = null;
    for (const status of this._statuses.values()) {
      if (
        status.service === service &&
        (!worst || badness(status) > badness(worst))
      ) {
        worst = status;
      }
    }
    return worst ?? idle(service, null);
  }

  /** Change a connection's status; `since` follows its state. */
  update(service: Service, id: string | null, change: StatusChange): void {
    const before = this._statuses.get(key(service, id)) ?? idle(service, id);
    const moved = change.state !== undefined && change.state !== before.state;
    const status = {
      ...before,
      ...change,
      since: moved || before.since === 0 ? this._now() : before.since
    };
    this._statuses.set(key(service, id), status);
    this._changed.emit(status);
  }

  /** Forget a connection that was closed on purpose: it is `idle` then. */
  remove(service: Service, id: string | null): void {
    if (this._statuses.delete(key(service, id))) {
      this._changed.emit({ ...idle(service, id), since: this._now() });
    }
  }

  private readonly _statuses = new Map<string, IConnectionStatus>();
  private readonly _changed = new Signal<this, IConnectionStatus>(this);
}

function key(service: Service, id: string | null): string {
  return `${service}/${id ?? ''}`;
}

function badness(status: IConnectionStatus): number {
  return BADNESS.indexOf(status.state);
}

function idle(service: Service, id: string | null): IConnectionStatus {
  return {
    service,
    id,
    state: 'idle',
    since: 0,
    attempts: 0,
    lastError: null,
    roundTripMs: null
  };
}
