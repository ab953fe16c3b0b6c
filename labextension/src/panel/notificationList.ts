/**
 * This user's notifications and everybody's as they stand now, and what has been read of them.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { HubError } from '../protocol/errors';
import {
  Dismissed,
  Listed,
  Notification,
  ReadMarker
} from '../protocol/generated';
import { IConnectionManager } from '../tokens';

export type NotificationTopic = 'notifications/me' | 'notifications/all';

const TOPICS: readonly NotificationTopic[] = [
  'notifications/me',
  'notifications/all'
];
/** The field of a read marker for a topic. */
const FIELD = { 'notifications/me': 'me', 'notifications/all': 'all' } as const;

/** How many are kept and shown. */
export const MOST = 100;
/** The longest time for which a browser's timers can be set. */
const LONGEST_MS = 2 ** 31 - 1;
const NEVER = Infinity;

/** What the log's older events do not have. */
const DEFAULTS = {
  version: 1,
  source: '',
  actions: [],
  progress: null,
  expires: null,
  since: 0,
  updated: 0
};

export interface IEntry {
  /** Another one's is never the same. */
  readonly key: string;
  readonly topic: NotificationTopic;
  readonly offset: number;
  readonly isRead: boolean;
  readonly notification: Notification;
}

/** Whether what it tells of is under way. */
export function isGoing({ progress }: Notification): boolean {
  return (progress ?? 1) < 1;
}

/** When there was last news of it, by the server's clock: older servers say only when it was posted. */
export function whenNews({ notification: { time, updated } }: IEntry): number {
  return Math.max(time, updated);
}

function keyOf(topic: NotificationTopic, id: string): string {
  return `${topic}/${id}`;
}

/** Who has read, or dismissed, up to here in its topic, has read or dismissed it. */
function countsAt({ offset, notification }: IEntry): number {
  return notification.since || offset;
}

export class NotificationList implements IDisposable {
  /** `onError` is told what went wrong with something that the user wanted. */
  constructor(
    private readonly _connections: IConnectionManager,
    private readonly _onError: (error: Error) => void
  ) {
    this._following = this._follow();
    void this._load();
  }

  /** Emitted when there is something new to show. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted with what has come or was updated just now. */
  get came(): ISignal<this, IEntry> {
    return this._came;
  }

  /** Emitted when the list was read from the server. */
  get loaded(): ISignal<this, void> {
    return this._loaded;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Newest first, without what is of no use any more. */
  get entries(): readonly IEntry[] {
    return this._entries;
  }

  /** How many are unread, also of those that are too old for the list. */
  get unread(): number {
    const shown = this._entries.filter(({ isRead }) => !isRead).length;
    return shown + this._unreadBefore;
  }

  /** Whether it has ended after its user has read that it was under way, and they have not read that yet. */
  hasEndedUnread(entry: IEntry): boolean {
    const { topic, offset, notification } = entry;
    return (
      !isGoing(notification) &&
      notification.updated > notification.time &&
      offset > this._marker[FIELD[topic]]
    );
  }

  /** Why there is no list; null if there is one. */
  get error(): string | null {
    return this._error;
  }

  /** Mark all that has come so far as read, in all windows. */
  markAllRead(): void {
    const before = this._marker;
    this._unreadBefore = 0;
    this._read({
      me: this._newest('notifications/me'),
      all: this._newest('notifications/all')
    });
    this._connections
      .request('notifications.read', this._marker)
      .catch((error: Error) => {
        this._onError(error);
        this._marker = before;
        this._all.clear();
        return this._load();
      })
      .catch(this._onError);
  }

  /** Show one no more, in no window, until there is news under its id. */
  dismiss({ key, topic, offset, notification: { id } }: IEntry): void {
    this._hide(key, offset);
    this._settle();
    this._connections
      .request('notifications.dismiss', { id, topic, offset })
      .catch((error: Error) => {
        this._onError(error);
        this._gone.delete(key);
        return this._load();
      })
      .catch(this._onError);
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      clearTimeout(this._expiry);
      this._following.forEach(one => one.dispose());
      Signal.clearData(this);
    }
  }

  private _follow(): IDisposable[] {
    const common = {
      onSnapshot: (_: unknown, reason: string | null) => {
        if (reason !== null) {
          this._beginAnew();
        }
      },
      onError: (error: Error) => this._failed(error)
    };
    return [
      this._connections.subscribe('notifications/me', {
        ...common,
        onEvent: event => {
          if (event.kind === 'notification') {
            this._takeEvent('notifications/me', event.offset, event.data);
          } else if (event.kind === 'read') {
            this._readElsewhere(event.data);
          } else {
            this._takeDismissed(event.data);
            this._settle();
          }
        }
      }),
      this._connections.subscribe('notifications/all', {
        ...common,
        onEvent: ({ offset, data }) =>
          this._takeEvent('notifications/all', offset, data)
      })
    ];
  }

  /** There is a gap, or another log. */
  private _beginAnew(): void {
    this._marker = { me: 0, all: 0 };
    this._all.clear();
    this._gone.clear();
    void this._load();
  }

  private async _load(): Promise<void> {
    const loading = (this._loading = {});
    try {
      const { items, unread, marker, dismissed } =
        await this._connections.request('notifications.list', { limit: MOST });
      if (this._disposed || this._loading !== loading) {
        return;
      }
      this._error = null;
      this._mark(marker);
      dismissed.forEach(one => this._takeDismissed(one));
      items.forEach(item => this._takeListed(item));
      const shown = items.filter(({ read }) => !read).length;
      this._unreadBefore = Math.max(0, unread - shown);
      this._settle();
      this._loaded.emit();
    } catch (error) {
      this._failed(error as HubError);
    }
  }

  private _failed(error: Error): void {
    if (!this._disposed) {
      this._error = error.message;
      this._changed.emit();
    }
  }

  private _takeListed({ topic, offset, read, notification }: Listed): void {
    const from = topic as NotificationTopic;
    const entry = this._entry(from, offset, notification);
    this._put({ ...entry, isRead: read || entry.isRead });
  }

  private _takeEvent(
    topic: NotificationTopic,
    offset: number | null,
    notification: Notification
  ): void {
    const entry = this._entry(topic, offset ?? 0, notification);
    if (this._put(entry)) {
      this._settle();
      if (this._entries.includes(entry)) {
        this._came.emit(entry);
      }
    }
  }

  private _entry(
    topic: NotificationTopic,
    offset: number,
    given: Notification
  ): IEntry {
    const notification = { ...DEFAULTS, ...given };
    const key = keyOf(topic, notification.id);
    const entry = { key, topic, offset, isRead: false, notification };
    return { ...entry, isRead: this._isRead(entry) };
  }

  /** An update says where what it updates was posted: it is no news to who has read that. */
  private _isRead(entry: IEntry): boolean {
    return countsAt(entry) <= this._marker[FIELD[entry.topic]];
  }

  /** Whether it is the newest that is known of it. */
  private _put(entry: IEntry): boolean {
    const known = this._all.get(entry.key);
    if (
      countsAt(entry) <= (this._gone.get(entry.key) ?? 0) ||
      (known && known.offset > entry.offset)
    ) {
      return false;
    }
    this._all.set(entry.key, entry);
    return true;
  }

  /** What an older server has said names no topic: it was all that was there. */
  private _takeDismissed({ id, topic, offset }: Dismissed): void {
    for (const one of topic ? [topic] : TOPICS) {
      const key = keyOf(one, id);
      this._hide(key, offset || (this._all.get(key)?.offset ?? 0));
    }
  }

  /** One was dismissed as it was up to an offset; what is new after that is shown. */
  private _hide(key: string, offset: number): void {
    this._gone.set(key, Math.max(offset, this._gone.get(key) ?? 0));
    const known = this._all.get(key);
    if (known && countsAt(known) <= offset) {
      this._all.delete(key);
    }
  }

  private _read(marker: ReadMarker): void {
    this._mark(marker);
    this._settle();
  }

  private _mark(marker: ReadMarker): void {
    this._marker = {
      me: Math.max(this._marker.me, marker.me),
      all: Math.max(this._marker.all, marker.all)
    };
    for (const [key, entry] of this._all) {
      if (!entry.isRead && this._isRead(entry)) {
        this._all.set(key, { ...entry, isRead: true });
      }
    }
  }

  private _readElsewhere(marker: ReadMarker): void {
    this._read(marker);
    if (this._unreadBefore > 0) {
      // How many of those are read only the server knows.
      void this._load();
    }
  }

  private _newest(topic: NotificationTopic): number {
    const own = [...this._all.values()].filter(one => one.topic === topic);
    return Math.max(
      this._marker[FIELD[topic]],
      ...own.map(({ offset }) => offset)
    );
  }

  /** Bring what is shown up to date, and come back when the next one is of no use any more. */
  private _settle(): void {
    const now = Date.now();
    const isOver = ({ notification: { expires } }: IEntry) =>
      expires !== null && expires <= now;
    const sorted = [...this._all.values()].sort(
      (a, b) => b.notification.time - a.notification.time || b.offset - a.offset
    );
    sorted.slice(MOST).forEach(({ key }) => this._all.delete(key));
    this._entries = sorted.slice(0, MOST).filter(entry => !isOver(entry));
    const next = Math.min(
      ...this._entries.map(({ notification }) => notification.expires ?? NEVER)
    );
    clearTimeout(this._expiry);
    if (next < NEVER) {
      const ms = Math.min(next - now, LONGEST_MS);
      this._expiry = setTimeout(() => this._settle(), ms);
    }
    this._changed.emit();
  }

  private readonly _following: IDisposable[];
  private readonly _all = new Map<string, IEntry>();
  private _entries: readonly IEntry[] = [];
  /** Up to which offsets of their topics notifications were dismissed. */
  private readonly _gone = new Map<string, number>();
  private _marker: ReadMarker = { me: 0, all: 0 };
  private _unreadBefore = 0;
  private _error: string | null = null;
  private _loading: object | null = null;
  private _expiry: ReturnType<typeof setTimeout> | undefined;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _came = new Signal<this, IEntry>(this);
  private readonly _loaded = new Signal<this, void>(this);
  private _disposed = false;
}
