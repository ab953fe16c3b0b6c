/**
 * How a transfer has ended, as a notification: one for those that end together.
 */
import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { IDisposable } from '@lumino/disposable';

import { transferName } from '../panel/words';
import { ITransfer, ITransferManager } from '../tokens';
import { INotices } from './uploads';

const CLOSE_MS = 6000;
/** What ends within this time is told in one notice. */
const GATHER_MS = 500;

/** Notices as JupyterLab's notifications. `reveal` shows a path in the file browser; null where there is none. */
export function notifications(
  trans: TranslationBundle,
  reveal: ((path: string) => void) | null
): INotices {
  return {
    done: (text, path) => {
      const show = reveal && path !== null ? () => reveal(path) : null;
      Notification.success(text, {
        autoClose: CLOSE_MS,
        actions: show ? [{ label: trans.__('Reveal'), callback: show }] : []
      });
    },
    failed: (text, again, label = trans.__('Retry')) => {
      Notification.error(text, {
        autoClose: false,
        actions: again ? [{ label, callback: again }] : []
      });
    }
  };
}

/** What the end of a transfer has to do with other parts. */
export interface IEndPlace {
  /** Whether somebody else tells of what is at a path. */
  covers(path: string): boolean;
  /** Show the list of transfers. */
  show(): void;
}

/**
 * Tells of transfers of this tab that end on their own: downloads, and uploads that went on after a reload. What
 * belongs to an upload that is under way as a whole is told there.
 */
export class EndWatch implements IDisposable {
  constructor(
    private readonly _transfers: ITransferManager,
    private readonly _trans: TranslationBundle,
    private readonly _notices: INotices,
    private readonly _place: IEndPlace
  ) {
    _transfers.ended.connect(this._onEnded, this);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    this._disposed = true;
    window.clearTimeout(this._timer);
    this._transfers.ended.disconnect(this._onEnded, this);
  }

  private _onEnded(_: ITransferManager, transfer: ITransfer): void {
    const { direction, path, state } = transfer;
    if (
      state === 'cancelled' ||
      (direction === 'upload' && this._place.covers(path))
    ) {
      return;
    }
    this._ended.push(transfer);
    this._timer ??= window.setTimeout(() => this._tell(), GATHER_MS);
  }

  private _tell(): void {
    this._timer = undefined;
    const ended = this._ended.splice(0);
    const done = ended.filter(one => one.state === 'done');
    for (const direction of ['upload', 'download'] as const) {
      this._tellDone(done.filter(one => one.direction === direction));
    }
    this._tellFailed(ended.filter(one => one.state === 'failed'));
  }

  private _tellDone(done: readonly ITransfer[]): void {
    const [first] = done;
    if (!first) {
      return;
    }
    const { _trans: trans } = this;
    const upload = first.direction === 'upload';
    const name = transferName(first, trans);
    const one = upload
      ? trans.__('Uploaded: %1', name)
      : trans.__('Downloaded: %1', name);
    const many = upload
      ? trans.__('%1 uploads are done.', done.length)
      : trans.__('%1 downloads are done.', done.length);
    this._notices.done(
      done.length === 1 ? one : many,
      upload ? first.path : null
    );
  }

  private _tellFailed(failed: readonly ITransfer[]): void {
    const [first] = failed;
    if (!first) {
      return;
    }
    const { _trans: trans } = this;
    const name = transferName(first, trans);
    const reason = first.error ?? '';
    const many = trans.__(
      '%1 transfers have failed. %2: %3',
      failed.length,
      name,
      reason
    );
    const isLost = failed.every(({ lacksFile }) => lacksFile);
    this._notices.failed(
      failed.length === 1 ? this._failure(first, reason) : many,
      () => this._retry(failed),
      isLost ? trans.__('Show') : undefined
    );
  }

  private _failure(transfer: ITransfer, reason: string): string {
    const { _trans: trans } = this;
    const name = transferName(transfer, trans);
    return transfer.direction === 'upload'
      ? trans.__('Not uploaded: %1. %2', name, reason)
      : trans.__('Not downloaded: %1. %2', name, reason);
  }

  /** Those whose files must be chosen again have buttons for that in the list. */
  private _retry(failed: readonly ITransfer[]): void {
    if (failed.some(({ lacksFile }) => lacksFile)) {
      this._place.show();
    }
    for (const transfer of failed.filter(one => !one.lacksFile)) {
      this._transfers.retry(transfer.id).catch((error: Error) => {
        // One that has failed once more is told as that.
        if (!this._ended.some(({ id }) => id === transfer.id)) {
          this._notices.failed(this._failure(transfer, error.message), null);
        }
      });
    }
  }

  private readonly _ended: ITransfer[] = [];
  private _timer: number | undefined;
  private _disposed = false;
}
