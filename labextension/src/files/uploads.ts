/**
 * What happens to files that somebody wants to upload: names that are taken are asked about once, all go over the
 * transfer manager, and one notice says what came of it.
 */
import { TranslationBundle } from '@jupyterlab/translation';

import { HubError } from '../protocol/errors';
import { ITransferManager, IUploadItem, IUploadResult } from '../tokens';
import { Decided, IQuestion } from './conflicts';
import { ICollected } from './drop';
import { nameOf } from './place';

/** Tells the user how something has ended. */
export interface INotices {
  /** It went well; `path` can be shown in the file browser. */
  done(text: string, path: string | null): void;
  /** It did not; `again` tries once more, or does what `label` says. */
  failed(text: string, again: (() => void) | null, label?: string): void;
}

/** What an upload needs of the page. */
export interface IUploadsOptions {
  trans: TranslationBundle;
  notices: INotices;
  /** Ask what to do with names that are taken; null if nothing is to be uploaded. */
  ask(question: IQuestion): Promise<Decided | null>;
  /** Show what is in a directory now. */
  refresh(directory: string): void;
}

/** What this upload is to do otherwise. */
export interface IUploadWishes {
  /** Say nothing of success: somebody else does. */
  quiet?: boolean;
}

export class Uploads {
  constructor(
    private readonly _transfers: ITransferManager,
    private readonly _options: IUploadsOptions
  ) {}

  /** Whether an upload into this directory, or into one above it, is under way: its end is told as a whole. */
  covers(path: string): boolean {
    return [...this._running].some(
      ({ directory }) =>
        directory === '' ||
        path === directory ||
        path.startsWith(`${directory}/`)
    );
  }

  /**
   * Upload into a directory (API path). What has failed is told to the user; the result is null if nothing was
   * uploaded.
   */
  async upload(
    collected: ICollected | Promise<ICollected>,
    directory: string,
    wishes: IUploadWishes = {}
  ): Promise<IUploadResult | null> {
    let items: readonly IUploadItem[] = [];
    const again = (some: readonly IUploadItem[]) => () =>
      void this.upload({ items: some, failures: [] }, directory, wishes);
    try {
      const { failures, ...found } = await collected;
      items = found.items;
      const result = await this._send(items, directory);
      if (result === null) {
        return null;
      }
      const rest = result.failures.filter(one => !this._isCancelled(one));
      const all = { ...result, failures: [...failures, ...rest] };
      this._tell(all, items, directory, wishes, again);
      return all;
    } catch (error) {
      const { trans, notices } = this._options;
      if (error instanceof HubError && error.code === 'cancelled') {
        return null;
      }
      const reason = error instanceof Error ? error.message : String(error);
      const text = trans.__('The upload has failed: %1', reason);
      notices.failed(text, items.length > 0 ? again(items) : null);
      return null;
    }
  }

  private async _send(
    items: readonly IUploadItem[],
    directory: string
  ): Promise<IUploadResult | null> {
    const none = { paths: [], failures: [] };
    if (items.length === 0) {
      return none;
    }
    const conflicts = await this._transfers.conflicts(items, directory);
    const decided =
      conflicts.length === 0
        ? new Map()
        : await this._options.ask({ items, conflicts, directory });
    if (decided === null) {
      return null;
    }
    const wanted = items.filter(
      ({ path }) => decided.get(path)?.ifExists !== 'skip'
    );
    if (wanted.length === 0) {
      return null;
    }
    const running = { directory };
    this._running.add(running);
    try {
      return await this._transfers.upload(wanted, directory, { decided });
    } finally {
      this._running.delete(running);
      this._options.refresh(directory);
    }
  }

  /** What a user has cancelled needs no telling. */
  private _isCancelled({ message }: { message: string }): boolean {
    return this._transfers.transfers.some(
      ({ state, path }) =>
        state === 'cancelled' && message === `${path} was cancelled.`
    );
  }

  private _tell(
    { paths, failures }: IUploadResult,
    items: readonly IUploadItem[],
    directory: string,
    wishes: IUploadWishes,
    again: (items: readonly IUploadItem[]) => () => void
  ): void {
    const { trans, notices } = this._options;
    const prefix = directory === '' ? '' : `${directory}/`;
    if (failures.length === 0) {
      const folders = new Set(
        items
          .filter(({ file }) => file === null)
          .map(({ path }) => prefix + path)
      );
      const count = paths.filter(path => !folders.has(path)).length;
      if (!wishes.quiet && paths.length > 0) {
        const first = nameOf(paths[0] ?? '');
        const text =
          paths.length === 1
            ? trans.__('%1 is uploaded.', first)
            : trans._n('%1 file is uploaded.', '%1 files are uploaded.', count);
        notices.done(text, topOf(paths, directory));
      }
      return;
    }
    const failed = new Set(failures.map(({ path }) => path));
    const rest = items.filter(
      ({ path }) => failed.has(path) || failed.has(prefix + path)
    );
    const { path = '', message = '' } = failures[0] ?? {};
    const text = trans._n(
      '%1 file was not uploaded. %2: %3',
      '%1 files were not uploaded. %2: %3',
      failures.length,
      path,
      message
    );
    notices.failed(text, rest.length > 0 ? again(rest) : null);
  }

  private readonly _running = new Set<{ directory: string }>();
}

/** What to show in the directory: the first file, or the folder in which it is. */
function topOf(paths: readonly string[], directory: string): string | null {
  const [first] = paths;
  if (first === undefined) {
    return null;
  }
  const start = directory === '' ? 0 : directory.length + 1;
  const end = first.indexOf('/', start);
  return end === -1 ? first : first.slice(0, end);
}
