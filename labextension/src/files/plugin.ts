/**
 * The plugins that bind transfers and listings to JupyterLab's file browser.
 */
import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import {
  FileBrowser,
  IDefaultFileBrowser,
  IFileBrowserFactory
} from '@jupyterlab/filebrowser';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import {
  ITranslator,
  nullTranslator,
  TranslationBundle
} from '@jupyterlab/translation';
import { fileUploadIcon } from '@jupyterlab/ui-components';
import { IDisposable } from '@lumino/disposable';

import { hasService, PANEL_ID, TRANSLATION_DOMAIN } from '../server';
import { IConnectionManager, ITransfer, ITransferManager } from '../tokens';
import { askConflicts } from './conflicts';
import { BrowserHooks } from './hooks';
import { Listings } from './listings';
import { EndWatch, notifications } from './notices';
import { pickFiles, pickFolder } from './pick';
import { serverPath } from './place';
import { reveal } from './reveal';
import { FileSettings } from './settings';
import { IFileActions } from './tokens';
import { Uploads } from './uploads';

const UPLOAD_FOLDER = 'jupyter-ws-hub:upload-folder';
const DOWNLOAD = 'filebrowser:download';
const NOTIFY_UPLOAD = '@jupyterlab/filebrowser-extension:notify-upload';

/** Behind "New Folder", and where the stock entry for files stands. */
const UPLOAD_RANK = 56;
const DOWNLOAD_RANK = 9;

export const files: JupyterFrontEndPlugin<IFileActions> = {
  id: 'jupyter-ws-hub:files',
  description:
    'Uploads and downloads of the file browser over /ws/file-stream/<op>.',
  autoStart: true,
  provides: IFileActions,
  requires: [ITransferManager],
  optional: [
    IDefaultFileBrowser,
    IFileBrowserFactory,
    ITranslator,
    ISettingRegistry,
    ICommandPalette
  ],
  activate: (
    app: JupyterFrontEnd,
    transfers: ITransferManager,
    browser: IDefaultFileBrowser | null,
    factory: IFileBrowserFactory | null,
    translator: ITranslator | null,
    registry: ISettingRegistry | null,
    palette: ICommandPalette | null
  ): IFileActions => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const show = browser
      ? (path: string) =>
          void reveal(app.shell, browser, path).catch(console.warn)
      : null;
    const notices = notifications(trans, show);
    const uploads = new Uploads(transfers, {
      trans,
      notices,
      ask: question => askConflicts(question, trans),
      refresh: directory => refreshShown(app, factory, directory)
    });
    const actions: IFileActions = {
      upload: (collected, directory) =>
        uploads.upload(collected, directory ?? shownBy(browser)),
      reveal: show
    };
    if (!hasService('transfers')) {
      return actions;
    }
    new EndWatch(transfers, trans, notices, {
      covers: path => uploads.covers(path),
      show: () => app.shell.activateById(PANEL_ID)
    });
    if (factory) {
      const settings = new FileSettings(registry);
      const hooks = hookAll(app, factory, settings, uploads, transfers, trans);
      addUploadFolder(app, factory, hooks, uploads, trans, palette);
      followSwitch(settings, () =>
        app.contextMenu.addItem({
          command: DOWNLOAD,
          selector: '.jp-DirListing-item[data-isdir="true"]',
          rank: DOWNLOAD_RANK
        })
      );
    }
    return actions;
  }
};

export const listings: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-ws-hub:listings',
  description: 'Listings of the file browser over /ws.',
  autoStart: true,
  requires: [IConnectionManager],
  optional: [IFileBrowserFactory, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    manager: IConnectionManager,
    factory: IFileBrowserFactory | null,
    registry: ISettingRegistry | null
  ) => {
    if (!hasService('files')) {
      return;
    }
    const settings = new FileSettings(registry);
    const { contents } = app.serviceManager;
    let current: Listings | null = null;
    const follow = () => {
      if (settings.listings) {
        current ??= new Listings(manager, contents, path =>
          refreshShown(app, factory, path)
        );
      } else {
        current?.dispose();
        current = null;
      }
    };
    settings.changed.connect(follow);
    follow();
  }
};

type Hooks = (browser: FileBrowser | null) => BrowserHooks | null;

/** Hook into every file browser that there is and that will come. */
function hookAll(
  app: JupyterFrontEnd,
  { tracker }: IFileBrowserFactory,
  settings: FileSettings,
  uploads: Uploads,
  transfers: ITransferManager,
  trans: TranslationBundle
): Hooks {
  const hooks = new WeakMap<FileBrowser, BrowserHooks>();
  const notices = notifications(trans, null);
  const hook = (browser: FileBrowser) => {
    const hooked = new BrowserHooks(browser, {
      enabled: () => settings.transferStreams,
      upload: (...args) => uploads.upload(...args),
      download: path =>
        transfers.download(path).catch((error: Error) => {
          if (transfers.transfers.some(one => hasFailed(one, path))) {
            return;
          }
          const text = trans.__('Not downloaded: %1. %2', path, error.message);
          notices.failed(text, null);
        }),
      tellsUploads: () =>
        app.hasPlugin(NOTIFY_UPLOAD) && app.isPluginActivated(NOTIFY_UPLOAD),
      pick: 'showOpenFilePicker' in window ? pickFiles : null
    });
    hooks.set(browser, hooked);
  };
  tracker.forEach(hook);
  tracker.widgetAdded.connect((_, browser) => hook(browser));
  return browser => (browser ? (hooks.get(browser) ?? null) : null);
}

function addUploadFolder(
  app: JupyterFrontEnd,
  { tracker }: IFileBrowserFactory,
  hooks: Hooks,
  uploads: Uploads,
  trans: TranslationBundle,
  palette: ICommandPalette | null
): void {
  const directory = () => hooks(tracker.currentWidget)?.directory ?? null;
  app.commands.addCommand(UPLOAD_FOLDER, {
    label: trans.__('Upload Folder…'),
    caption: trans.__(
      'Upload a folder with everything in it into the folder that is shown'
    ),
    icon: fileUploadIcon.bindprops({ stylesheet: 'menuItem' }),
    describedBy: { args: { type: 'object', properties: {} } },
    isVisible: () => directory() !== null,
    isEnabled: () => directory() !== null,
    execute: async () => {
      const into = directory();
      const collected = into === null ? null : await pickFolder();
      if (into !== null && collected) {
        await uploads.upload(collected, into);
      }
    }
  });
  app.contextMenu.addItem({
    command: UPLOAD_FOLDER,
    selector: '.jp-DirListing-content',
    rank: UPLOAD_RANK
  });
  palette?.addItem({
    command: UPLOAD_FOLDER,
    category: trans.__('File Operations')
  });
}

/** The list shows why a download has failed, and a notice was given of it. */
function hasFailed(
  { direction, path, state }: ITransfer,
  wanted: string
): boolean {
  return direction === 'download' && path === wanted && state === 'failed';
}

/** What `add` adds is there while transfers go over streams. */
function followSwitch(settings: FileSettings, add: () => IDisposable): void {
  let added: IDisposable | null = null;
  const follow = () => {
    if (settings.transferStreams) {
      added ??= add();
    } else {
      added?.dispose();
      added = null;
    }
  };
  settings.changed.connect(follow);
  follow();
}

/** The server's path of what a file browser shows; the root where another drive is shown. */
function shownBy(browser: FileBrowser | null): string {
  const contents = browser?.model.manager.services.contents;
  return contents && browser
    ? (serverPath(contents, browser.model.path) ?? '')
    : '';
}

/** Show a directory of the server anew, in each file browser that shows it. */
function refreshShown(
  app: JupyterFrontEnd,
  factory: IFileBrowserFactory | null,
  directory: string
): void {
  factory?.tracker.forEach(({ model }) => {
    if (serverPath(app.serviceManager.contents, model.path) === directory) {
      model.refresh().catch(console.warn);
    }
  });
}
