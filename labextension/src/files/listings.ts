/**
 * Listings of the server's directories over the connection for messages: whoever asks JupyterLab's contents manager for
 * a directory is answered from what is kept here, or by the service `files`; by the stock request where neither works.
 */
import { Contents } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';

import { IConnectionManager, IConnectionStatus } from '../tokens';
import { WatchedDirectory } from './directory';
import { directoryOf, nameOf, serverPath } from './place';

/** Directories that are watched at a time: those asked for last. */
const MOST_WATCHED = 6;

export class Listings implements IDisposable {
  /** `refresh` shows a directory (a server's path) anew wherever it is shown. */
  constructor(
    private readonly _manager: IConnectionManager,
    private readonly _contents: Contents.IManager,
    private readonly _refresh: (path: string) => void
  ) {
    this._stock = _contents.get.bind(_contents);
    _contents.get = (path, options) => this._get(path, options);
    _contents.fileChanged.connect(this._onFileChanged, this);
    _manager.statusChanged.connect(this._onStatus, this);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** The stock path counts again. */
  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    Reflect.deleteProperty(this._contents, 'get');
    this._contents.fileChanged.disconnect(this._onFileChanged, this);
    this._manager.statusChanged.disconnect(this._onStatus, this);
    this._watched.forEach(directory => directory.dispose());
    this._watched.clear();
  }

  /** What is kept of a directory (a server's path) may be wrong: list it again when somebody asks. */
  invalidate(path: string): void {
    this._watched.get(path)?.invalidate();
  }

  private async _get(
    path: string,
    options?: Contents.IFetchOptions
  ): Promise<Contents.IModel> {
    const local = serverPath(this._contents, path);
    if (
      local === null ||
      !asksForDirectory(options) ||
      !this._isConnected ||
      this._watched.get(directoryOf(local))?.hasFile(nameOf(local))
    ) {
      return this._stock(path, options);
    }
    const directory = this._watch(local);
    let model: Contents.IModel;
    try {
      model = await directory.get();
    } catch {
      // Whatever is wrong, the stock path has JupyterLab's own error for it.
      this._forget(directory);
      return this._stock(path, options);
    }
    return this._placed(model, path, local);
  }

  /** With paths as the contents manager gives them: with the drive's name where it has one. */
  private _placed(
    model: Contents.IModel,
    path: string,
    local: string
  ): Contents.IModel {
    const drive = this._contents.driveName(path);
    const place = (one: string) => (drive === '' ? one : `${drive}:${one}`);
    const content = (model.content as Contents.IModel[]).map(one => ({
      ...one,
      path: place(one.path)
    }));
    const serverPath = model.path;
    return { ...model, path: place(local), content, serverPath };
  }

  private _watch(path: string): WatchedDirectory {
    const known = this._watched.get(path);
    const directory =
      known ??
      new WatchedDirectory(this._manager, path, () => this._refresh(path));
    this._watched.delete(path);
    this._watched.set(path, directory);
    if (this._watched.size > MOST_WATCHED) {
      const [oldest] = this._watched.values();
      this._forget(oldest);
    }
    return directory;
  }

  private _forget(directory: WatchedDirectory | undefined): void {
    if (directory && this._watched.get(directory.path) === directory) {
      this._watched.delete(directory.path);
      directory.dispose();
    }
  }

  private get _isConnected(): boolean {
    return this._manager.getConnectionStatus('main').state === 'connected';
  }

  private _onFileChanged(
    _: Contents.IManager,
    { oldValue, newValue }: Contents.IChangedArgs
  ): void {
    const from = this._directoryOf(oldValue);
    const to = this._directoryOf(newValue);
    if (from !== null && from === to) {
      this._watched.get(from)?.update(oldValue, newValue);
      return;
    }
    if (from !== null) {
      this._watched.get(from)?.update(oldValue, null);
    }
    if (to !== null) {
      this._watched.get(to)?.update(null, newValue);
    }
  }

  private _directoryOf(model: Partial<Contents.IModel> | null): string | null {
    const path = model?.path;
    const local = path === undefined ? null : serverPath(this._contents, path);
    return local === null ? null : directoryOf(local);
  }

  private _onStatus(_: IConnectionManager, status: IConnectionStatus): void {
    if (status.service === 'main' && status.state !== 'connected') {
      this._watched.forEach(directory => directory.disconnected());
    }
  }

  private readonly _stock: Contents.IManager['get'];
  /** By path; the one asked for last at the end. */
  private readonly _watched = new Map<string, WatchedDirectory>();
  private _disposed = false;
}

/** As the file browser asks: for the content of what may be a directory, and not by another provider's way. */
function asksForDirectory(options: Contents.IFetchOptions = {}): boolean {
  const { type, content, format, contentProviderId, hash } = options;
  const asks =
    type === 'directory'
      ? content !== false
      : type === undefined && content === true;
  return asks && !format && contentProviderId === undefined && hash !== true;
}
