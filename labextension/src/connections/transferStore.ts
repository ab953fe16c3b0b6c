/**
 * What a page must know to go on with uploads that it has not begun itself: kept in the browser's database. No bytes of
 * files are kept, only where they are.
 */
import { DBSchema, IDBPDatabase, openDB } from 'idb';

import { IfExists } from '../tokens';

const NAME = 'jupyter-ws-hub-transfers';
const VERSION = 1;

/** One file or directory of an upload. */
export interface IRowEntry {
  readonly path: string;
  readonly type: 'file' | 'directory';
  readonly size: number;
  readonly mtimeMs: number | null;
  /** What the file is called on this computer. */
  readonly name?: string;
  readonly ifExists?: IfExists;
  readonly expect?: string;
  /** Where the file is, if the browser has told. */
  readonly handle?: FileSystemFileHandle;
  /** The directory that was dropped, of which `path` begins with the name. */
  readonly base?: FileSystemDirectoryHandle;
}

/** One upload. */
export interface IRow {
  readonly id: string;
  /** The base URL of the server: several can share an origin. */
  readonly server: string;
  readonly kind: 'file' | 'tree';
  /** API path of the directory into which it goes. */
  readonly directory: string;
  readonly ifExists: IfExists;
  /** A file has one; those of a tree are in the order in which they are sent. */
  readonly entries: readonly IRowEntry[];
  readonly createdMs: number;
  /** It waits until so many entries of another upload are settled: those make its directory. */
  readonly needs?: { readonly row: string; readonly entries: number };
}

interface ISchema extends DBSchema {
  rows: { key: string; value: IRow; indexes: { server: string } };
  /** The operation of each row, once there is one: rows can be large. */
  ops: { key: string; value: string };
}

/** Keeps rows; where the browser has no database, nothing is kept, and said once. */
export class TransferStore {
  constructor(private readonly _server: string) {}

  get server(): string {
    return this._server;
  }

  /** Keep a new upload. */
  async put(row: IRow): Promise<void> {
    await this._with(db => db.put('rows', row));
  }

  /** An upload has its operation. */
  async setOp(id: string, op: string): Promise<void> {
    await this._with(db => db.put('ops', op, id));
  }

  /** An upload has ended. */
  async remove(id: string): Promise<void> {
    await this._with(async db => {
      const change = db.transaction(['rows', 'ops'], 'readwrite');
      await Promise.all([
        change.objectStore('rows').delete(id),
        change.objectStore('ops').delete(id),
        change.done
      ]);
    });
  }

  /** The uploads to this server, oldest first, and their operations. */
  async all(): Promise<Array<{ row: IRow; op: string | null }>> {
    const found = await this._with(async db => {
      const rows = await db.getAllFromIndex('rows', 'server', this._server);
      const ops = await Promise.all(rows.map(({ id }) => db.get('ops', id)));
      return rows.map((row, n) => ({ row, op: ops[n] ?? null }));
    });
    return (found ?? []).sort((a, b) => a.row.createdMs - b.row.createdMs);
  }

  private async _with<T>(
    what: (db: IDBPDatabase<ISchema>) => Promise<T>
  ): Promise<T | null> {
    try {
      this._db ??= openDB<ISchema>(NAME, VERSION, {
        upgrade: db => {
          const rows = db.createObjectStore('rows', { keyPath: 'id' });
          rows.createIndex('server', 'server');
          db.createObjectStore('ops');
        }
      });
      return await what(await this._db);
    } catch (error) {
      if (!this._warned) {
        this._warned = true;
        console.warn(
          'Uploads will not go on when this page is loaded anew: the browser keeps nothing.',
          error
        );
      }
      return null;
    }
  }

  private _db: Promise<IDBPDatabase<ISchema>> | null = null;
  private _warned = false;
}

/**
 * Take an upload for this tab, so that no other one drives it; null if another one does. Where the browser has no locks,
 * it is taken always: the server lets go of the older stream then.
 */
export async function takeLock(
  id: string,
  locks: LockManager | undefined = typeof navigator === 'undefined'
    ? undefined
    : navigator.locks
): Promise<(() => void) | null> {
  if (!locks) {
    return () => undefined;
  }
  return new Promise((resolve, reject) => {
    locks
      .request(`${NAME}/${id}`, { ifAvailable: true }, lock =>
        lock ? new Promise<void>(release => resolve(release)) : resolve(null)
      )
      .catch(reject);
  });
}
