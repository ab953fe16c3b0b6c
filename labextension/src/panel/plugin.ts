/**
 * The plugin that adds the panel and the status bar item.
 */
import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { isAvailable, SETTINGS_ID, TRANSLATION_DOMAIN } from '../server';
import { IConnectionManager, ITransferManager } from '../tokens';
import { PanelModel } from './model';
import { HubPanel, HubStatus } from './widget';

export const panel: JupyterFrontEndPlugin<void> = {
  id: SETTINGS_ID,
  description:
    'The panel and the status bar item for connections and transfers.',
  autoStart: true,
  requires: [IConnectionManager, ITransferManager],
  optional: [
    ITranslator,
    IDefaultFileBrowser,
    ILayoutRestorer,
    IStatusBar,
    ISettingRegistry
  ],
  activate: async (
    app: JupyterFrontEnd,
    manager: IConnectionManager,
    transfers: ITransferManager,
    translator: ITranslator | null,
    browser: IDefaultFileBrowser | null,
    restorer: ILayoutRestorer | null,
    statusBar: IStatusBar | null,
    registry: ISettingRegistry | null
  ) => {
    if (!isAvailable()) {
      return;
    }
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const settings = await registry?.load(SETTINGS_ID).catch(() => null);
    const model = new PanelModel(manager, transfers);
    const upload = async (files: File[]) => {
      const directory = browser?.model.path ?? '';
      const items = files.map(file => ({ path: file.name, file }));
      await transfers.upload(items, directory);
      await browser?.model.refresh();
    };
    // A failed upload stands in the list with its reason.
    const widget = new HubPanel(
      model,
      trans,
      files => void upload(files).catch(console.warn)
    );
    app.shell.add(widget, 'left', { rank: 600 });
    restorer?.add(widget, widget.id);
    if (statusBar && settings?.composite['statusBar'] !== false) {
      const show = () => app.shell.activateById(widget.id);
      statusBar.registerStatusItem(SETTINGS_ID, {
        item: new HubStatus(model, trans, show),
        align: 'right',
        rank: 100
      });
    }
    // The connection for messages is open while the page is: what the server tells must find it.
    manager.connectMain().catch(console.warn);
  }
};
