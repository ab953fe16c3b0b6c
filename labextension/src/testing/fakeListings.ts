/**
 * A connection manager behind which a test's directories are: it lists them in pages, and tells of changes.
 */
import { IDisposable } from '@lumino/disposable';

import { HubError } from '../protocol/errors';
import { Entry } from '../protocol/generated';
import { ISubscriber } from '../tokens';
import { statusOf, StubConnections } from './stubs';

/** Entries of a page. */
const PAGE = 2;

/** An entry with what matters to a test. */
export function entryOf(path: string, more: Partial<Entry> = {}): Entry {
  return {
    name: path.split('/').pop() ?? '',
    path,
    type: 'file',
    writable: true,
    last_modified: '2026-01-02T03:04:05Z',
    created: '2026-01-02T03:04:05Z',
    size: 3,
    mimetype: 'text/plain',
    etag: 'e',
    mtime_ms: 0,
    ...more
  };
}

export class FakeListings extends StubConnections {
  /** The directories, by path. */
  readonly directories = new Map<string, Entry[]>();
  /** What was asked for, as `list a`. */
  readonly asked: string[] = [];
  /** The subscribers, by topic. */
  readonly followers = new Map<string, ISubscriber<string>>();
  /** Listings wait, after they were read, until this ends. */
  gate: Promise<void> = Promise.resolve();

  constructor() {
    super();
    this.connected(true);
  }

  /** Whether the connection for messages is there. */
  connected(is: boolean): void {
    const state = is ? 'connected' : 'reconnecting';
    this.worst.set('main', statusOf('main', null, { state }));
    this.statusChanged.emit(statusOf('main', null, { state }));
  }

  /** The watch of a directory has begun. */
  live(path: string): void {
    this._follower(path)?.onSnapshot?.(null as never, null);
    this._follower(path)?.onLive?.();
  }

  /** Tell of a change of a directory. */
  change(
    path: string,
    more: {
      entries?: Entry[];
      removed?: string[];
      reset?: boolean;
      gone?: boolean;
    }
  ): void {
    const data = { path, entries: [], removed: [], ...more };
    this._follower(path)?.onEvent({
      kind: 'changed',
      id: 'x',
      time: 0,
      offset: null,
      data: { reset: false, gone: false, ...data }
    } as never);
  }

  request(method: string, params: unknown): Promise<never> {
    const { path } = params as { path: string };
    this.asked.push(`${method.replace('files.', '')} ${path}`);
    const entries = this.directories.get(path);
    if (!entries) {
      return Promise.reject(HubError.of('not_found', `${path} is not there.`));
    }
    const self = entryOf(path, {
      type: 'directory',
      size: null,
      mimetype: null
    });
    const page = { ...self, etag: this._etag(entries), entries: [] };
    return Promise.resolve((method === 'files.stat' ? self : page) as never);
  }

  // The method has the face of the real one; what it is given here is a listing's.
  async *stream(_?: unknown, params?: unknown): AsyncGenerator<never> {
    const { path } = params as { path: string };
    this.asked.push(`list ${path}`);
    const entries = this.directories.get(path);
    if (!entries) {
      throw HubError.of('not_found', `${path} is not there.`);
    }
    const all = [...entries];
    const etag = this._etag(all);
    await this.gate;
    for (let first = 0; first === 0 || first < all.length; first += PAGE) {
      const some = all.slice(first, first + PAGE);
      const page = { path, first, total: all.length, entries: some, etag };
      yield page as never;
    }
  }

  subscribe<T extends string>(
    topic: T,
    subscriber: ISubscriber<T>
  ): IDisposable {
    const subscription = super.subscribe(topic, subscriber);
    const { dispose } = subscription;
    this.followers.set(topic, this.subscriber);
    return Object.assign(subscription, {
      dispose: () => {
        dispose();
        this.followers.delete(topic);
      }
    });
  }

  private _etag(entries: readonly Entry[]): string {
    return JSON.stringify(entries);
  }

  private _follower(path: string): ISubscriber<string> | undefined {
    return this.followers.get(`files/${encodeURIComponent(`/${path}`)}`);
  }
}
