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
  IUploadConflict,
  IUploadItem,
  IUploadOptions,
  IUploadResult,
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
  return {
    id: '1',
    direction: 'upload',
    kind: 'file',
    path: 'a',
    size: 0,
    written: 0,
    entries: 0,
    settled: 0,
    state: 'waiting',
    here: true,
    lacksFile: false,
    rate: 0,
    remainingMs: null,
    error: null,
    failures: [],
    ...more
  };
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

  /** The newest subscriber of each topic. */
  readonly subscribers = new Map<string, ISubscriber<string>>();

  /** Tell the newest subscriber of a topic of an event. */
  tellTopic(topic: string, kind: string, data: unknown, offset = 0): void {
    const event = { id: 'x', time: 0, kind, data, offset };
    this.subscribers.get(topic)!.onEvent(event as never);
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

  /** What was asked of connections, as `reconnect main`. */
  readonly calls: string[] = [];

  reconnect(service: Service, id?: string): void {
    this.calls.push(['reconnect', service, id].filter(Boolean).join(' '));
  }

  measure(): void {
    this.calls.push('measure');
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
    this.subscribers.set(topic, this._subscriber);
    const subscription = { topic, since, isDisposed: false };
    this.subscriptions.push(subscription);
    return Object.assign(subscription, {
      dispose: () => void (subscription.isDisposed = true)
    });
  }
}

/** A transfer manager whose transfers a test sets. */
export class StubTransfers implements ITransferManager {
  readonly changed: Signal<ITransferManager, void> = new Signal(this);
  readonly ended: Signal<ITransferManager, ITransfer> = new Signal(this);
  transfers: ITransfer[] = [];
  /** What was called, as `method id`. */
  readonly calls: string[] = [];
  readonly uploads: {
    items: readonly IUploadItem[];
    directory: string;
    options: IUploadOptions | undefined;
  }[] = [];
  taken: IUploadConflict[] = [];

  async upload(
    items: readonly IUploadItem[],
    directory: string,
    options?: IUploadOptions
  ): Promise<IUploadResult> {
    this.uploads.push({ items, directory, options });
    return { paths: [], failures: [] };
  }

  async conflicts(): Promise<IUploadConflict[]> {
    return this.taken;
  }

  async download(path: string): Promise<void> {
    this.calls.push(`download ${path}`);
  }

  async pause(id: string): Promise<void> {
    this.calls.push(`pause ${id}`);
  }

  async resume(id: string): Promise<void> {
    this.calls.push(`resume ${id}`);
  }

  async provide(id: string, file: File): Promise<void> {
    this.calls.push(`provide ${id} ${file.name}`);
  }

  async cancel(id: string): Promise<void> {
    this.calls.push(`cancel ${id}`);
  }

  async retry(id: string): Promise<void> {
    this.calls.push(`retry ${id}`);
  }

  async forget(id: string): Promise<void> {
    this.calls.push(`forget ${id}`);
  }
}
