/**
 * Notifications as JupyterLab's own pop-ups: a few at a time, many in one; closed when they are read anywhere.
 */
import { Notification as Toasts } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { IDisposable } from '@lumino/disposable';

import { INotificationActions } from './notificationActions';
import {
  IEntry,
  isGoing,
  NotificationList,
  whenNews
} from './notificationList';

/** What comes within this time is shown together, and a notification is updated no more often. */
const GATHER_MS = 300;
/** More than this at once are told in one pop-up. */
const AT_ONCE = 3;
const CLOSE_MS = 8000;
/** Of an update that is not to bring back a pop-up that was closed. */
const SILENT_MS = 0;

/** JupyterLab's notifications, as far as they are needed. */
export type IToasts = Pick<typeof Toasts, 'emit' | 'update' | 'dismiss'> & {
  /** Whether a pop-up is on the screen. */
  isShown(id: string): boolean;
};

/** JupyterLab's pop-ups. */
export const TOASTS: IToasts = {
  emit: Toasts.emit,
  update: Toasts.update,
  dismiss: Toasts.dismiss,
  isShown: id => document.getElementById(id) !== null
};

/** Up to when this browser has shown what came: milliseconds of the server's clock. */
export interface ISeen {
  get(): number;
  set(time: number): void;
}

export interface IPopupOptions {
  trans: TranslationBundle;
  toasts: IToasts;
  seen: ISeen;
  actions: INotificationActions;
  /** Whether the user wants pop-ups. */
  isEnabled(): boolean;
  /** Show the list. */
  onShow(): void;
}

export class Popups implements IDisposable {
  constructor(
    private readonly _list: NotificationList,
    private readonly _options: IPopupOptions
  ) {
    _list.came.connect(this._onCame, this);
    _list.loaded.connect(this._onLoaded, this);
    _list.changed.connect(this._onChanged, this);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    this._disposed = true;
    clearTimeout(this._timer);
    this._list.came.disconnect(this._onCame, this);
    this._list.loaded.disconnect(this._onLoaded, this);
    this._list.changed.disconnect(this._onChanged, this);
  }

  private _onCame(_: NotificationList, entry: IEntry): void {
    this._waiting.add(entry.key);
    this._timer ??= setTimeout(() => this._flush(), GATHER_MS);
  }

  /** After a reload: what has come while nobody of this browser was there. */
  private _onLoaded(list: NotificationList): void {
    const seen = this._options.seen.get();
    list.entries
      .filter(entry => whenNews(entry) > seen)
      .forEach(entry => this._onCame(list, entry));
  }

  /** What was read or dismissed, here or elsewhere, is closed. */
  private _onChanged(list: NotificationList): void {
    const { toasts } = this._options;
    const unread = new Set(
      list.entries.filter(({ isRead }) => !isRead).map(({ key }) => key)
    );
    const there = new Set(list.entries.map(({ key }) => key));
    for (const [key, { id, wasRead }] of this._open) {
      if (!there.has(key) || (!wasRead && !unread.has(key))) {
        this._open.delete(key);
        toasts.dismiss(id);
      }
    }
    const phases = new Set(
      list.entries.flatMap(one => [phase(one, true), phase(one, false)])
    );
    this._told = new Set([...this._told].filter(one => phases.has(one)));
    if (unread.size === 0) {
      this._closeSummary();
    }
  }

  private _flush(): void {
    this._timer = undefined;
    const { seen, isEnabled } = this._options;
    const keys = new Set(this._waiting);
    this._waiting.clear();
    const entries = this._list.entries.filter(({ key }) => keys.has(key));
    const newest = Math.max(0, ...entries.map(whenNews));
    if (newest > seen.get()) {
      seen.set(newest);
    }
    entries
      .filter(({ key }) => this._open.has(key))
      .forEach(entry => this._update(entry));
    const fresh = entries.filter(entry => this._isFresh(entry)).reverse();
    if (!isEnabled()) {
      return;
    }
    fresh.forEach(entry => this._told.add(phase(entry)));
    if (fresh.length > AT_ONCE) {
      this._summarize(fresh.length);
    } else {
      fresh.forEach(entry => this._show(entry));
    }
  }

  /** What is unread; and the end of what was under way, also to who has read only that. */
  private _isFresh(entry: IEntry): boolean {
    const isTold = this._told.has(phase(entry));
    const isNew = !entry.isRead || this._list.hasEndedUnread(entry);
    return !this._open.has(entry.key) && !isTold && isNew;
  }

  private _show(entry: IEntry): void {
    const { text, type, options } = this._content(entry);
    const id = this._options.toasts.emit(text, type, options);
    this._open.set(entry.key, { id, wasRead: entry.isRead });
  }

  /** A pop-up that its user has closed comes back only when what it was about has ended. */
  private _update(entry: IEntry): void {
    const { toasts } = this._options;
    const { id } = this._open.get(entry.key)!;
    const { text, type, options } = this._content(entry);
    const isClosed = type === 'in-progress' && !toasts.isShown(id);
    const autoClose = isClosed ? SILENT_MS : options.autoClose;
    const update = { ...options, id, message: text, type, autoClose };
    if (!toasts.update(update)) {
      // It was dismissed among JupyterLab's notifications.
      this._open.delete(entry.key);
    }
  }

  private _content({ notification }: IEntry) {
    const { title, message, level, progress, actions } = notification;
    const buttons = actions
      .filter(action => this._options.actions.isAllowed(action))
      .map(action => ({
        label: action.label,
        callback: () => this._options.actions.run(action)
      }));
    const going = isGoing(notification);
    const stays = going || level === 'error' || buttons.length > 0;
    return {
      text: message ? `${title}\n${message}` : title,
      type: going ? ('in-progress' as const) : level,
      options: {
        autoClose: stays ? (false as const) : CLOSE_MS,
        actions: buttons,
        progress: progress ?? undefined
      }
    };
  }

  private _summarize(count: number): void {
    const { toasts, trans, onShow } = this._options;
    this._summarized += count;
    const message = trans._n(
      '%1 new notification',
      '%1 new notifications',
      this._summarized
    );
    const actions = [{ label: trans.__('Show'), callback: onShow }];
    const options = { autoClose: false as const, actions };
    if (
      this._summary === null ||
      !toasts.update({ id: this._summary, message, type: 'info', ...options })
    ) {
      this._summary = toasts.emit(message, 'info', options);
    }
  }

  private _closeSummary(): void {
    if (this._summary !== null) {
      this._options.toasts.dismiss(this._summary);
      this._summary = null;
    }
    this._summarized = 0;
  }

  /** JupyterLab's ids, by ours. */
  private readonly _open = new Map<string, { id: string; wasRead: boolean }>();
  /** What had its pop-up, or was counted in one. */
  private _told = new Set<string>();
  private readonly _waiting = new Set<string>();
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _summary: string | null = null;
  private _summarized = 0;
  private _disposed = false;
}

/** What is under way, and that it has ended, are told once each; what is new under the same id is told anew. */
function phase(
  { key, notification }: IEntry,
  going = isGoing(notification)
): string {
  return `${key} ${notification.time} ${going}`;
}

/** Keeps what this browser has seen of a server. */
export function seenIn(
  storage: Pick<Storage, 'getItem' | 'setItem'>,
  baseUrl: string
): ISeen {
  const name = `jupyter-ws-hub:notifications-seen:${baseUrl}`;
  let newest = 0;
  return {
    get: () => Math.max(newest, Number(storage.getItem(name)) || 0),
    set: time => {
      newest = time;
      try {
        storage.setItem(name, String(time));
      } catch (error) {
        // The storage is full or forbidden: after a reload the same pops up again.
        console.warn('What was seen cannot be kept over a reload.', error);
      }
    }
  };
}
