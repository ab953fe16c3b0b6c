/* eslint-disable @typescript-eslint/naming-convention */
/**
 * The parts of the service `files` that listings are made of.
 */
/** A file or directory without its content. */
export interface IEntry {
  readonly name: string;
  readonly path: string;
  readonly type: 'file' | 'directory' | 'notebook';
  readonly writable: boolean;
  readonly last_modified: string;
  readonly created: string;
  readonly size: number | null;
  readonly mimetype: string | null;
}

/** A piece of a listing. */
export interface IPage {
  readonly path: string;
  readonly first: number;
  readonly total: number;
  readonly entries: readonly IEntry[];
  readonly etag: string;
}

/** What has changed in a directory. */
export interface IDirectoryChanged {
  readonly path: string;
  readonly entries: readonly IEntry[];
  readonly removed: readonly string[];
  /** Too much has changed to tell: list again. */
  readonly reset: boolean;
  /** The directory is no longer there. */
  readonly gone: boolean;
}

// Until the server declares them.
declare module '../protocol/generated' {
  interface Streams {
    'files.list': { params: { path: string; hidden: boolean }; item: IPage };
  }
  interface Methods {
    'files.page': {
      params: { path: string; hidden: boolean; first: number; limit: number };
      result: IPage;
    };
  }
  interface Topics {
    'files/*': { events: { changed: IDirectoryChanged }; snapshot: null };
  }
}
