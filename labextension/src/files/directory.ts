/**
 * One directory whose listing is kept, and kept true by the server's topic: who asks again is answered from here.
 */
import { Contents } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';

import { DirectoryChanged, Entry } from '../protocol/generated';
import { IConnectionManager } from '../tokens';
import { toDirectory, toListed, toModel } from './models';
import { nameOf } from './place';

/** After this the stock path is taken; milliseconds. */
const LIST_MS = 20_000;
/** Up to so many entries are simply listed again where something may have changed; else their names are compared. */
const SMALL = 1000;

/** The topic of a directory's changes. */
export function topicOf(path: string): `files/${string}` {
  return `files/${encodeURIComponent(`/${path}`)}`;
}

export class WatchedDirectory implements IDisposable {
  /** `changed` is called when what is kept differs from what was given last. */
  constructor(
    private readonly _manager: IConnectionManager,
    readonly path: string,
    private readonly _changed: () => void
  ) {
    this._watch = _manager.subscribe(topicOf(path), {
      onEvent: ({ data }) => this._onChanged(data),
      onSnapshot: () => undefined,
      onLive: () => void this._onLive(),
      onError: () => (this._isLive = false)
    });
  }

  get isDisposed(): boolean {
    return this._watch.isDisposed;
  }

  /** Whether what is kept is what is there. */
  get isFresh(): boolean {
    return this._isLive && !this._hidden && this._known === this._version;
  }

  dispose(): void {
    this._watch.dispose();
    this._entries = null;
  }

  /** What was kept may be wrong: list again when somebody asks. */
  invalidate(): void {
    this._version += 1;
  }

  /** Changes may have been missed: what is kept counts again after the topic is live. */
  disconnected(): void {
    this._isLive = false;
    this.invalidate();
  }

  /** The listing, from what is kept if that is fresh. */
  async get(): Promise<Contents.IModel> {
    if (!this.isFresh) {
      await this._list();
    }
    if (!this._entries || !this._self) {
      throw new Error(`${this.path} was not listed.`);
    }
    return toDirectory(this._self, [...this._entries.values()]);
  }

  /** Whether this is known to be no directory. */
  hasFile(name: string): boolean {
    const type = this._entries?.get(name)?.type ?? 'directory';
    return type !== 'directory';
  }

  /** JupyterLab has changed something itself, and tells how it is now. */
  update(
    removed: Partial<Contents.IModel> | null,
    now: Partial<Contents.IModel> | null
  ): void {
    const model = now && toListed(now);
    if (now && !model) {
      this.invalidate();
      return;
    }
    this._change(
      removed?.path !== undefined ? [nameOf(removed.path)] : [],
      model ? [model] : []
    );
  }

  private async _list(): Promise<void> {
    // Who comes while a listing is under way that began before the last change must not be given it.
    if (this._listing?.version !== this._version) {
      const listing = {
        version: this._version,
        done: this._read(this._version)
      };
      this._listing = listing;
      const forget = () => {
        if (this._listing === listing) {
          this._listing = null;
        }
      };
      listing.done.then(forget, forget);
    }
    await this._listing?.done;
  }

  private async _read(version: number): Promise<void> {
    const { path } = this;
    const wasLive = this._isLive;
    const meanwhile: Array<() => void> = [];
    this._meanwhile.add(meanwhile);
    try {
      const self = this._manager.request('files.stat', { path });
      const entries = new Map<string, Contents.IModel>();
      // The reason why the directory cannot be listed is told by the loop.
      self.catch(() => undefined);
      let etag: string | null = null;
      for await (const page of this._manager.stream(
        'files.list',
        { path, hidden: true },
        { timeoutMs: LIST_MS }
      )) {
        for (const entry of page.entries) {
          entries.set(entry.name, toModel(entry));
        }
        etag = page.etag;
      }
      const directory = await self;
      if (version < this._known) {
        return;
      }
      this._self = directory;
      this._entries = entries;
      meanwhile.forEach(change => change());
      this._known = version;
      this._hidden = [...entries.keys()].some(name => name.startsWith('.'));
      this._unsure = wasLive ? null : etag;
    } finally {
      this._meanwhile.delete(meanwhile);
    }
  }

  /** What was listed before the watch had begun may have changed in between. */
  private async _onLive(): Promise<void> {
    this._isLive = true;
    await this._listing?.done.catch(() => undefined);
    const known = this._unsure;
    if (known !== null && this._isLive && !this.isDisposed) {
      this._unsure = null;
      if ((this._entries?.size ?? 0) <= SMALL) {
        this.invalidate();
        await this._list().catch(() => undefined);
        this._changed();
      } else if ((await this._etag()) !== known) {
        this.invalidate();
        this._changed();
      }
    }
  }

  /** A name for the names in the directory; null where it cannot be had. */
  private _etag(): Promise<string | null> {
    const { path } = this;
    return this._manager
      .request('files.page', { path, hidden: true, first: 0, limit: 1 })
      .then(page => page.etag)
      .catch(() => null);
  }

  private _onChanged(change: DirectoryChanged): void {
    if (change.reset || change.gone) {
      this.invalidate();
    } else {
      this._change(change.removed, change.entries.map(toModel));
    }
    this._changed();
  }

  private _change(
    removed: readonly string[],
    models: readonly Contents.IModel[]
  ): void {
    const change = () => {
      removed.forEach(name => this._entries?.delete(name));
      models.forEach(model => this._entries?.set(model.name, model));
    };
    change();
    this._meanwhile.forEach(waiting => waiting.push(change));
  }

  private readonly _watch: IDisposable;
  private _self: Entry | null = null;
  private _entries: Map<string, Contents.IModel> | null = null;
  /** Hidden files are shown, of whose changes the server does not tell: nothing is kept. */
  private _hidden = false;
  /** Rises whenever what was listed until then may be wrong. */
  private _version = 1;
  /** The version as which the entries were listed. */
  private _known = 0;
  private _isLive = false;
  /** The state of the directory that was listed before its watch had begun; null if there is no doubt. */
  private _unsure: string | null = null;
  private _listing: { version: number; done: Promise<void> } | null = null;
  private readonly _meanwhile = new Set<Array<() => void>>();
}
