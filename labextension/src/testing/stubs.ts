/**
 * Stand-ins for the public interfaces, for models that are tested without connections.
 */
import { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { Event, MethodName, Methods } from '../protocol/generated';
import {
  IConnectionManager,
  IConnectionStatus,
  ISubscriber,
  ITransfer,
  ITransferManager,
  Service,
  Since,
  TopicEvent
} from '../tokens';

/** A status with what matters to a test. */
export function statusOf(
  service: Service,
  id: string | null,
  more: Partial<IConnectionStatus> = {}
): IConnectionStatus {
  const nothing = { since: 0, attempts: 0, lastError: null, roundTripMs: null };
  return { service, id, state: 'connected', ...nothing, ...more };
}

/** A transfer with what matters to a test. */
export function transferOf(more: Partial<ITransfer> = {}): ITransfer {
  const nothing = { size: 0, written: 0, rate: 0, error: null } as const;
  return { id: '1', path: 'a', state: 'waiting', ...nothing, ...more };
}

/** A connection manager whose every answer a test gives. */
export class StubConnections implements IConnectionManager {
  readonly statusChanged = new Signal<this, IConnectionStatus>(this);
  readonly worst = new Map<Service, IConnectionStatus>();
  /** Requests that wait, oldest first. */
  readonly requests: Array<{
    method: string;
    params: unknown;
    resolve(result: unknown): void;
    reject(error: Error): void;
  }> = [];
  readonly subscriptions: Array<{
    topic: string;
    since: Since | undefined;
    isDisposed: boolean;
  }> = [];
  private _subscriber: ISubscriber<string> | null = null;

  /** The newest subscriber, for a test to tell it something. */
  get subscriber(): ISubscriber<string> {
    return this._subscriber!;
  }

  /** Tell the newest subscriber of an event. */
  tell(event: Pick<Event, 'kind' | 'data' | 'offset'>): void {
    this.subscriber.onEvent({ id: 'x', time: 0, ...event } as never);
  }

  connectMain(): Promise<WebSocket> {
    return Promise.reject(new Error('not here'));
  }

  connectTerminal(): Promise<WebSocket> {
    return Promise.reject(new Error('not here'));
  }

  connectFileStream(): Promise<WebSocket> {
    return Promise.reject(new Error('not here'));
  }

  getConnectionStatus(service: Service): IConnectionStatus {
    return (
      this.worst.get(service) ?? statusOf(service, null, { state: 'idle' })
    );
  }

  request<M extends MethodName>(
    method: M,
    params: Methods[M]['params']
  ): Promise<Methods[M]['result']> {
    return new Promise((resolve, reject) =>
      this.requests.push({
        method,
        params,
        resolve: result => resolve(result as Methods[M]['result']),
        reject
      })
    );
  }

  stream(): AsyncIterable<never> {
    throw new Error('not here');
  }

  subscribe<T extends string>(
    topic: T,
    subscriber: ISubscriber<T>,
    since?: Since
  ): IDisposable {
    const { onEvent } = subscriber;
    this._subscriber = {
      ...(subscriber as unknown as ISubscriber<string>),
      onEvent: event => onEvent(event as TopicEvent<T>)
    };
    const subscription = { topic, since, isDisposed: false };
    this.subscriptions.push(subscription);
    return Object.assign(subscription, {
      dispose: () => void (subscription.isDisposed = true)
    });
  }
}

/** A transfer manager whose transfers a test sets. */
export class StubTransfers implements ITransferManager {
  readonly changed = new Signal<this, void>(this);
  transfers: ITransfer[] = [];
  readonly cancelled: string[] = [];

  upload(): Promise<string> {
    return Promise.reject(new Error('not here'));
  }

  async cancel(id: string): Promise<void> {
    this.cancelled.push(id);
  }
}
