/**
 * The plugin that adds the room.
 */
import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { isAvailable, SETTINGS_ID, TRANSLATION_DOMAIN } from '../server';
import { IConnectionManager } from '../tokens';
import { RoomModel } from './model';
import { RoomWidget } from './widget';

const DEFAULT_ROOM = 'general';

export const chat: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-ws-hub:chat',
  description: 'A room in which the people on a server write to each other.',
  autoStart: true,
  requires: [IConnectionManager],
  optional: [ITranslator, ILayoutRestorer, ISettingRegistry],
  activate: async (
    app: JupyterFrontEnd,
    manager: IConnectionManager,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    registry: ISettingRegistry | null
  ) => {
    if (!isAvailable()) {
      return;
    }
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const settings = await registry?.load(SETTINGS_ID).catch(() => null);
    const room = settings?.composite['room'] ?? DEFAULT_ROOM;
    const widget = new RoomWidget(new RoomModel(manager, String(room)), trans);
    app.shell.add(widget, 'right', { rank: 600 });
    restorer?.add(widget, widget.id);
  }
};
