/**
 * The plugin that adds the panel and the status bar item.
 */
import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { IStatusBar } from '@jupyterlab/statusbar';
import {
  ITranslator,
  nullTranslator,
  TranslationBundle
} from '@jupyterlab/translation';

import { collectDrop, collectFiles, ICollected } from '../files/drop';
import { pickFile, pickFiles, pickFolder } from '../files/pick';
import { IFileActions } from '../files/tokens';
import {
  hasService,
  isAvailable,
  SETTINGS_ID,
  TRANSLATION_DOMAIN
} from '../server';
import { IConnectionManager, ITransferManager } from '../tokens';
import { Folds } from './folds';
import { PanelModel } from './model';
import { IActionPage, NotificationActions } from './notificationActions';
import { Popups, seenIn, TOASTS } from './popups';
import { NotificationSettings } from './settings';
import { HubPanel, HubStatus, IPanelActions, TransferStatus } from './widget';

const NOTICE_MS = 8000;

export const panel: JupyterFrontEndPlugin<void> = {
  id: SETTINGS_ID,
  description:
    'The panel and the status bar items for connections, the server, transfers and notifications.',
  autoStart: true,
  requires: [IConnectionManager, ITransferManager, IFileActions],
  optional: [
    ITranslator,
    ILayoutRestorer,
    IStatusBar,
    ISettingRegistry,
    IStateDB
  ],
  activate: async (
    app: JupyterFrontEnd,
    manager: IConnectionManager,
    transfers: ITransferManager,
    files: IFileActions,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    statusBar: IStatusBar | null,
    registry: ISettingRegistry | null,
    state: IStateDB | null
  ) => {
    if (!isAvailable()) {
      return;
    }
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const settings = await registry?.load(SETTINGS_ID).catch(() => null);
    const model = new PanelModel(manager, transfers, error => {
      Notification.error(error.message, { autoClose: NOTICE_MS });
    });
    const wishes = new NotificationSettings(settings ?? null);
    const actions = new NotificationActions(actionPage(app, trans, wishes));
    const widget = new HubPanel(
      model,
      trans,
      { ...panelActions(files, model), notifications: actions },
      // Not awaited here: JupyterLab reads its state when all plugins are active.
      new Folds(state),
      hasService
    );
    const show = () => app.shell.activateById(widget.id);
    new Popups(model.notifications, {
      trans,
      actions,
      toasts: TOASTS,
      seen: seenIn(
        window.localStorage,
        app.serviceManager.serverSettings.baseUrl
      ),
      isEnabled: () => wishes.popups,
      onShow: show
    });
    app.shell.add(widget, 'left', { rank: 600 });
    restorer?.add(widget, widget.id);
    if (statusBar && settings?.composite['statusBar'] !== false) {
      statusBar.registerStatusItem(SETTINGS_ID, {
        item: new HubStatus(model, trans, show),
        align: 'right',
        rank: 100
      });
      const item = new TransferStatus(model, trans, show);
      statusBar.registerStatusItem(`${SETTINGS_ID}:transfers`, {
        item,
        align: 'right',
        rank: 101,
        isActive: () => item.text !== null,
        activeStateChanged: model.changed
      });
    }
    // The connection for messages is open while the page is: what the server tells must find it.
    manager.connectMain().catch(console.warn);
  }
};

const items = async (picked: Promise<ICollected | null>) =>
  (await picked)?.items ?? null;

/** How what an upload needs is chosen again. */
const PICKERS = {
  file: pickFile,
  files: () => items(pickFiles()),
  folder: () => items(pickFolder())
};

/** What the buttons of notifications need of JupyterLab. */
function actionPage(
  app: JupyterFrontEnd,
  trans: TranslationBundle,
  wishes: NotificationSettings
): IActionPage {
  const execute = (id: string, args = {}) => {
    app.commands.execute(id, args).catch((error: Error) => {
      Notification.error(error.message, { autoClose: NOTICE_MS });
    });
  };
  return {
    openPath: path => execute('filebrowser:open-path', { path }),
    openUrl: url => void window.open(url, '_blank', 'noopener,noreferrer'),
    runCommand: execute,
    allowsCommand: id => wishes.allows(id) && app.commands.hasCommand(id),
    explain: ({ kind, target }) => {
      const text =
        kind === 'command'
          ? trans.__(
              'The command %1 was not run. To allow it, add it to “Commands that notifications may run” in the settings of the hub.',
              target
            )
          : trans.__('This is not a web address: %1', target);
      Notification.warning(text, { autoClose: NOTICE_MS });
    }
  };
}

/** What the panel's buttons do, and what is dropped on it. */
function panelActions(
  files: IFileActions,
  model: PanelModel
): Omit<IPanelActions, 'notifications'> {
  const upload = (collected: Promise<ICollected>) =>
    void files.upload(collected);
  const choose = async () => {
    const collected = await pickFiles();
    if (collected) {
      await files.upload(collected);
    }
  };
  return {
    onChoose:
      'showOpenFilePicker' in window
        ? () => void choose().catch(console.warn)
        : null,
    onUpload: chosen => upload(collectFiles(chosen)),
    onDrop: data => upload(collectDrop(data)),
    onReveal: files.reveal,
    onFile: ({ id }, what) => model.goOn(id, PICKERS[what])
  };
}
