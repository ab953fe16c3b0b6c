/**
 * The plugin that adds the chat.
 */
import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IThemeManager, Notification } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IEditorTracker } from '@jupyterlab/fileeditor';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Author } from '../protocol/generated';
import { hasService, SETTINGS_ID, TRANSLATION_DOMAIN } from '../server';
import { IConnectionManager } from '../tokens';
import { AttachmentSource } from './attachments';
import { ChatModel } from './chatModel';
import { CodeActions } from './codeActions';
import { codeBar } from './codeBar';
import { keepHostsQuiet } from './imageGuard';
import { chatRendermime } from './markdown';
import { RoomDialogs } from './roomDialogs';
import { ChatSidebar } from './sidebar';
import { imageWords } from './words';

const DEFAULT_ROOM = 'general';
const NOTICE_MS = 8000;
/** It lies over the input. */
const SHORT_NOTICE_MS = 3000;

export const chat: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-ws-hub:chat',
  description:
    'Rooms in which the people on a server write to each other, and to assistants.',
  autoStart: true,
  requires: [IConnectionManager, IRenderMimeRegistry, IDocumentManager],
  optional: [
    ITranslator,
    ILayoutRestorer,
    ISettingRegistry,
    IThemeManager,
    INotebookTracker,
    IEditorTracker
  ],
  activate: async (
    app: JupyterFrontEnd,
    connections: IConnectionManager,
    rendermime: IRenderMimeRegistry,
    documents: IDocumentManager,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    registry: ISettingRegistry | null,
    themes: IThemeManager | null,
    notebooks: INotebookTracker | null,
    editors: IEditorTracker | null
  ) => {
    const settings = await registry?.load(SETTINGS_ID).catch(() => null);
    if (!hasService('chat') || settings?.composite['chat'] === false) {
      return;
    }
    keepHostsQuiet(document);
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const onError = (error: Error) =>
      void Notification.error(error.message, { autoClose: NOTICE_MS });
    const room = settings?.composite['room'] ?? DEFAULT_ROOM;
    const model = new ChatModel({
      ...{ connections, keep: window.localStorage, onError },
      me: await whoAmI(app),
      server: app.serviceManager.serverSettings.baseUrl,
      room: String(room),
      onGone: title =>
        void Notification.info(
          trans.__(
            'You are not in the room “%1” any more: it was deleted, or you were taken out of it.',
            title
          ),
          { autoClose: NOTICE_MS }
        )
    });
    const code = new CodeActions(notebooks);
    const sources = new AttachmentSource({
      ...{ notebooks, editors, documents },
      translator: translator ?? nullTranslator,
      current: () => app.shell.currentWidget,
      onSaving: path =>
        void Notification.info(
          trans.__(
            '%1 is saved: what is read of an attachment is what is saved.',
            path
          ),
          { autoClose: SHORT_NOTICE_MS }
        )
    });
    const sidebar = new ChatSidebar({
      ...{ chat: model, sources, themes, trans, onError },
      actions: new RoomDialogs(model, trans, onError),
      rendermime: chatRendermime(rendermime, {
        words: imageWords(trans),
        isMentioned: name => isKnown(model, name),
        codeBar: (text, language) => codeBar(text, language, code, trans)
      })
    });
    app.shell.add(sidebar, 'right', { rank: 600 });
    restorer?.add(sidebar, sidebar.id);
    void app.restored.then(() => model.prepare());
  }
};

/** The user, as the server knows them. */
async function whoAmI(app: JupyterFrontEnd): Promise<Author> {
  const { user } = app.serviceManager;
  await user.ready;
  const { username = '', display_name = '' } = user.identity ?? {};
  return { username, display_name, assistant: false };
}

/** Whether a message may mean somebody by a name: an assistant, or who is in the room, or has written there. */
function isKnown({ assistants, open, me }: ChatModel, name: string): boolean {
  return (
    name === me.username ||
    assistants.get(name) !== undefined ||
    (open?.presence.people.some(({ username }) => username === name) ??
      false) ||
    (open?.model.messages.some(({ author }) => author.username === name) ??
      false)
  );
}
