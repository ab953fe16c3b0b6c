/**
 * What a page must know to go on with downloads that it has not begun itself: kept in the browser's database.
 */
import { DBSchema, IDBPDatabase, openDB } from 'idb';

const NAME = 'jupyter-ws-hub-downloads';
const VERSION = 1;

/** One download over a stream. */
export interface IDownloadRow {
  readonly id: string;
  /** The base URL of the server: several can share an origin. */
  readonly server: string;
  readonly kind: 'file' | 'zip';
  /** API path. */
  readonly path: string;
  readonly size: number;
  readonly op: string;
  /** Of what is downloaded; an operation that is made anew must be of the same. */
  readonly etag: string | null;
  /** Where it is to be written. */
  readonly handle: FileSystemFileHandle;
  /** What its parts are called; null: none are kept, and it begins at its first byte. */
  readonly parts: string | null;
  readonly createdMs: number;
}

interface ISchema extends DBSchema {
  rows: { key: string; value: IDownloadRow };
}

/** Keeps rows; where the browser has no database, nothing is kept. */
export class DownloadStore {
  constructor(readonly server: string) {}

  /** Keep a download; false if the browser cannot. */
  async put(row: IDownloadRow): Promise<boolean> {
    return (await this._with(db => db.put('rows', row))) !== null;
  }

  /** A download has ended. */
  async remove(id: string): Promise<void> {
    await this._with(db => db.delete('rows', id));
  }

  /** The downloads of all servers of this origin, oldest first; null if that is not known. */
  async all(): Promise<IDownloadRow[] | null> {
    const found = await this._with(db => db.getAll('rows'));
    return found && found.sort((a, b) => a.createdMs - b.createdMs);
  }

  private async _with<T>(
    what: (db: IDBPDatabase<ISchema>) => Promise<T>
  ): Promise<T | null> {
    try {
      this._db ??= openDB<ISchema>(NAME, VERSION, {
        upgrade: db => void db.createObjectStore('rows', { keyPath: 'id' })
      });
      return await what(await this._db);
    } catch (error) {
      console.warn(
        'Downloads will not go on when this page is loaded anew: the browser keeps nothing.',
        error
      );
      return null;
    }
  }

  private _db: Promise<IDBPDatabase<ISchema>> | null = null;
}
