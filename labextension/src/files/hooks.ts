/**
 * What is hooked into one file browser of JupyterLab: drops, its upload button and its downloads. Everything else, and
 * all of it while the streams are switched off, is left to the file browser.
 */
import { FileBrowser, Uploader } from '@jupyterlab/filebrowser';
import { Contents } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { IUploadResult } from '../tokens';
import { collectDrop, collectFiles, hasFiles, ICollected } from './drop';
import { serverPath } from './place';

/** What a file browser's hooks need of the extension. */
export interface IHooked {
  /** Whether transfers go over streams. */
  enabled(): boolean;
  /** Upload into a directory of the server; null if nothing was uploaded. */
  upload(
    collected: Promise<ICollected>,
    directory: string,
    wishes?: { quiet?: boolean }
  ): Promise<IUploadResult | null>;
  download(path: string): Promise<void>;
  /** Whether JupyterLab itself tells what its upload button has uploaded. */
  tellsUploads(): boolean;
  /** The browser's dialog for files where it gives handles; null where there is only the button's own input. */
  pick: (() => Promise<ICollected | null>) | null;
}

const ROW = '.jp-DirListing-item';
const TARGET_CLASS = 'jp-mod-dropTarget';
const NATIVE_CLASS = 'jp-mod-native-drop';
const UPLOAD_BUTTON = '.jp-id-upload';
/** Events of a drag, taken before the file browser's own listeners see them. */
const DRAGS = ['dragover', 'dragleave', 'dragend', 'drop'] as const;
/** Events by which the upload button can be pressed. */
const PRESSES = ['mousedown', 'keydown', 'click'] as const;

/** What the stock classes keep to themselves. */
interface IListing {
  _allowDragDropUpload?: boolean;
}
interface IUploader {
  _input?: HTMLInputElement;
}

export class BrowserHooks implements IDisposable {
  constructor(
    private readonly _browser: FileBrowser,
    private readonly _hooked: IHooked
  ) {
    const { node } = _browser;
    DRAGS.forEach(type => node.addEventListener(type, this, true));
    PRESSES.forEach(type => node.addEventListener(type, this, true));
    const stock = _browser.download.bind(_browser);
    _browser.download = () => this._download(stock);
    _browser.disposed.connect(this.dispose, this);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    Signal.clearData(this);
    const { node } = this._browser;
    DRAGS.forEach(type => node.removeEventListener(type, this, true));
    PRESSES.forEach(type => node.removeEventListener(type, this, true));
    // The method of the class counts again.
    Reflect.deleteProperty(this._browser, 'download');
    this._restore.splice(0).forEach(restore => restore());
  }

  handleEvent(event: Event): void {
    switch (event.type) {
      case 'dragover':
        this._onDragOver(event as DragEvent);
        break;
      case 'dragleave':
      case 'dragend':
        this._mark(null);
        break;
      case 'drop':
        this._onDrop(event as DragEvent);
        break;
      default:
        this._onPress(event);
    }
  }

  /** The directory of the server that is shown, and whether uploads into it go over streams. */
  get directory(): string | null {
    const { model } = this._browser;
    // JupyterLab has this setting since 4.5.
    const allowed: boolean | undefined = model.allowFileUploads;
    return this._hooked.enabled() && allowed !== false
      ? this._path(model.path)
      : null;
  }

  /** Where a drop would go; null where it is not ours. */
  private _target(event: DragEvent): string | null {
    const { directory } = this;
    const { listing } = this._browser as unknown as { listing?: IListing };
    if (
      directory === null ||
      listing?._allowDragDropUpload === false ||
      !hasFiles(event)
    ) {
      return null;
    }
    const item = this._itemAt(event);
    return item?.type === 'directory' ? this._path(item.path) : directory;
  }

  private _onDragOver(event: DragEvent): void {
    if (this._target(event) !== null) {
      event.preventDefault();
      if (event.dataTransfer) {
        event.dataTransfer.dropEffect = 'copy';
      }
      const isDirectory = this._itemAt(event)?.type === 'directory';
      const { target } = event;
      this._mark(
        isDirectory && target instanceof Element ? target.closest(ROW) : null
      );
    }
  }

  private _onDrop(event: DragEvent): void {
    this._mark(null);
    const target = this._target(event);
    if (target !== null && event.dataTransfer) {
      event.preventDefault();
      event.stopPropagation();
      this._browser.node
        .querySelector(`.${NATIVE_CLASS}`)
        ?.classList.remove(NATIVE_CLASS);
      void this._hooked.upload(collectDrop(event.dataTransfer), target);
    }
  }

  /** Show the folder into which a drop would go. */
  private _mark(row: Element | null): void {
    if (this._marked !== row) {
      this._marked?.classList.remove(TARGET_CLASS);
      row?.classList.add(TARGET_CLASS);
      this._marked = row;
    }
  }

  private _itemAt(event: DragEvent): Contents.IModel | undefined {
    const { target } = event;
    return target instanceof Element && target.closest(ROW)
      ? this._browser.modelForClick(event)
      : undefined;
  }

  private _path(path: string): string | null {
    return serverPath(this._browser.model.manager.services.contents, path);
  }

  /** The upload button is about to be pressed: its input tells us, not the stock code. */
  private _onPress(event: Event): void {
    const { target } = event;
    if (target instanceof Element && target.closest(UPLOAD_BUTTON)) {
      for (const widget of this._browser.toolbar.children()) {
        if (widget instanceof Uploader && !this._taken.has(widget)) {
          this._taken.add(widget);
          this._take(widget);
        }
      }
    }
  }

  private _take(uploader: Uploader): void {
    const { _input: input } = uploader as unknown as IUploader;
    if (!(input instanceof HTMLInputElement)) {
      console.warn('The upload button of the file browser has no input.');
      return;
    }
    const { onchange, click } = input;
    const send = (collected: Promise<ICollected>, directory: string) =>
      void this._uploadFrom(uploader, collected, directory);
    input.onchange = event => {
      const { directory } = this;
      if (directory === null) {
        return onchange?.call(input, event) as unknown;
      }
      send(collectFiles([...(input.files ?? [])]), directory);
      return undefined;
    };
    input.click = () => {
      const { directory } = this;
      const { pick } = this._hooked;
      if (directory === null || pick === null) {
        click.call(input);
        return;
      }
      pick()
        .then(found => found && send(Promise.resolve(found), directory))
        .catch(console.warn);
    };
    this._restore.push(() => {
      input.onchange = onchange;
      Reflect.deleteProperty(input, 'click');
    });
  }

  /** As the stock button: whoever opens what it has uploaded is told. */
  private async _uploadFrom(
    uploader: Uploader,
    collected: Promise<ICollected>,
    directory: string
  ): Promise<void> {
    // JupyterLab has this signal since 4.5.
    const told = uploader.filesUploaded as
      Signal<Uploader, Contents.IModel[]> | undefined;
    const { items } = await collected;
    // One file is opened, or told of, by JupyterLab; of more it would tell in its own words, after one request for each.
    const quiet =
      told !== undefined && items.length === 1 && this._hooked.tellsUploads();
    const result = await this._hooked.upload(collected, directory, { quiet });
    const [path] = result?.paths ?? [];
    if (quiet && path !== undefined) {
      const { contents } = this._browser.model.manager.services;
      told?.emit([await contents.get(path, { content: false })]);
    }
  }

  private async _download(stock: () => Promise<void>): Promise<void> {
    const items = [...this._browser.selectedItems()];
    const paths = items.map(({ path }) => this._path(path));
    if (!this._hooked.enabled() || paths.includes(null)) {
      return stock();
    }
    await Promise.all(paths.map(path => this._hooked.download(path ?? '')));
  }

  private _marked: Element | null = null;
  private readonly _taken = new WeakSet<Uploader>();
  private readonly _restore: Array<() => void> = [];
  private _disposed = false;
}
